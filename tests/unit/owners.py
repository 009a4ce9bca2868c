#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Only the module that owns a member of the engine's state changes it.

owners.py SOURCE_ROOT

What is looked for is an assignment or a count through a pointer or a variable (`x->member = `,
`x.member++`); designated initializers make a new object and are not meant."""
import os
import re
import sys

# member (of which variables, as a pattern): the files that may change it.
OWNERS = {
    "held": ("peers/name.c", "uplinks/react.c"), "held_until_us": ("peers/name.c", "uplinks/react.c"),
    "all_held": ("peers/name.c",), "all_held_until_us": ("peers/name.c",),
    "reconnect_us": ("peers/name.c",), "gap_us": ("peers/name.c",), "routes_us": ("peers/name.c",),
    "ping_us": ("peers/ping.c",), "listed": ("uplinks/react.c",),
    "cooling_since_us": ("peers/waiting.c", "peers/shelf.c"), "moved_us": ("peers/waiting.c", "peers/shelf.c"),
    "backoff_until_us": ("peers/waiting.c",), "backoffs": ("peers/waiting.c",),
    "tokens_us": ("peers/waiting.c", "peers/shelf.c"), "tokens_used": ("peers/waiting.c", "peers/shelf.c"),
    "moved_tokens_us": ("peers/waiting.c",), "failed_us": ("peers/waiting.c",), "stalled": ("peers/waiting.c",),
    "cooldown_doublings": ("peers/waiting.c",), "random": ("peers/waiting.c", "engine.c"),
    "disabled": ("peers/peer.c",), "given_up": ("peers/peer.c",), "undialable": ("peers/peer.c",),
    "unrouted": ("peers/peer.c", "liveness/fallback.c"),
    "stuck": ("uplinks/groups.c",),
    "migratable": ("peers/peer.c",), "reconnectable": ("peers/peer.c",),
    "stalled_since_us": ("peers/progress.c",), "stalled_polls": ("peers/progress.c",),
    "unanswered_since_us": ("peers/progress.c",), "unanswered_rows": ("peers/progress.c",),
    "unanswered_throughout": ("peers/progress.c",), "sent_known": ("peers/progress.c",), "sent_since": ("peers/progress.c",),
    "progress_us": ("peers/progress.c",), "unacked_since_us": ("peers/unacked.c",),
    "application": ("peers/unacked.c", "liveness/fallback.c"), "acked_known": ("peers/unacked.c",),
    "acked_bytes": ("peers/unacked.c",), "starved_us": ("peers/unacked.c",),
    "outstanding_since_us": ("peers/progress.c",), "outstanding_rows": ("peers/progress.c",),
    "outstanding_always": ("peers/progress.c",), "outstanding_sent": ("peers/progress.c",),
    "regular_us": ("stages/row.c",),
    "poll_until_us": ("peers/poll.c",), "poll_next": ("peers/poll.c",), "poll_previous": ("peers/poll.c",),
    "columns": ("peers/poll.c",), "round": ("peers/poll.c", "peers/peer.c", "stages/row.c"),
    "last_look_us": ("stages/row.c",), "rtt_samples": ("stages/row.c",), "measured": ("stages/row.c", "uplinks/groups.c"), "busy": ("stages/row.c",),
    "samples_known": ("stages/row.c",), "in_flight_bytes": ("stages/row.c",),
    "admitted": ("stages/admit.c",), "n_admitted": ("stages/admit.c",),
    "in_flight": ("moves/move.c",), "taken_back": ("moves/taken-back.c",), "behind": ("moves/taken-back.c",),
    "left": ("peers/name.c",), "left_until_us": ("peers/name.c",),
    "orphan": ("moves/move.c",), "adopted": ("moves/move.c",),
    "attempt": ("moves/move.c",), "retries": ("moves/move.c",), "timeout_ms": ("moves/move.c",),
    "link_retried": ("moves/move.c",), "outlived": ("moves/move.c",), "local_before": ("moves/move.c",),
    "last_request_us": ("moves/move.c", "peers/shelf.c"), "budget": ("moves/move.c",),
    "settles": ("moves/advice.c", "stages/admit.c"),  # cleared when other advice is remembered
    "queue_place": ("moves/queue.c",), "queue_count": ("moves/queue.c",),
    "remembered": ("moves/advice.c",), "remembered_as": ("moves/advice.c",), "remembered_inbound": ("moves/advice.c",),
    "n_advice": ("moves/advice.c", "stages/gate.c"), "n_withdrawals": ("moves/advice.c", "stages/gate.c"),
    "repeats": ("moves/decision.c",), "suppressed": ("moves/decision.c",),
    "last_decision": ("stages/gate.c", "moves/move.c", "peers/shelf.c"),
    "gone": ("liveness/fallback.c", "uplinks/react.c"), "no_carrier": ("liveness/fallback.c", "uplinks/react.c"),
    "advised_us": ("liveness/fallback.c",), "until_us": ("liveness/fallback.c",), "given": ("liveness/fallback.c",), "probed": ("liveness/fallback.c",),
    "awaited": ("liveness/effect.c",), "effects_open": ("liveness/effect.c",),
    "advised": ("base/cause.c", "triggers/host.c", "triggers/host.h"),  # of a cause; of a turn of a policy
    "verdicts": ("base/cause.c",), "closing": ("base/cause.c",),
    "open_all": ("peers/poll.c",), "all_due": ("peers/poll.c",), "close_due": ("peers/poll.c",),
    "failures": ("triggers/instance.c",),
    "peers_reported": ("connection.c",), "reported": ("connection.c",), "features": ("connection.c",),
    "group": ("uplinks/groups.c",), "worse": ("uplinks/groups.c",), "counted_in": ("uplinks/groups.c",),
    "advised_rounds": ("uplinks/groups.c",), "effect_known": ("uplinks/groups.c",),
    "doublings": ("stages/scout.c",), "cools_since_us": ("stages/scout.c",), "scout_name": ("stages/scout.c",),
    "tries": ("stages/scout.c", "stages/fate.c"), "pending_since_us": ("stages/fate.c",),
    "extended": ("stages/fate.c",), "found_us": ("stages/fate.c", "stages/scout.c"), "awaits": ("stages/fate.c",),
    "deferred": ("stages/deferred.c",),
    "home": ("uplinks/members.c",), "heard_us": ("uplinks/evidence.c", "uplinks/groups.c",),
    "suspect": ("uplinks/evidence.c",), "slow_us": ("uplinks/evidence.c",),
    "scout": ("uplinks/evidence.c", "uplinks/return.c", "uplinks/groups.c", "stages/scout.c"), "good": ("uplinks/evidence.c", "uplinks/return.c"),
    "mode": ("hold.c", "engine.c"), "missed": ("hold.c", "command.c"), "stopping": ("command.c",),
}
ELSEWHERE = {"inspect.c", "inspect-explain.c"}  # they work on values of their own


def changes(member):
    """A write to it: `->member [i] =`, `.member +=`, `.member++`, `++x->member`."""
    name = rf"[\w\])](?:->|\.){member}\b(?:\[[^\]]*\])*"
    return re.compile(rf"{name}\s*(?:=(?!=)|[-+*/|&^]=|<<=|>>=|\+\+|--)|(?:\+\+|--)[\w>.\[\]-]*(?:->|\.){member}\b"
                      rf"|mem(?:set|move|cpy)\(&?[\w>.-]*(?:->|\.){member}\b")


def main():
    engine = os.path.join(sys.argv[1], "watchdog", "engine")
    wrong, found = [], set()
    patterns = {member: changes(member) for member in OWNERS}
    for folder, _, names in os.walk(engine):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), engine)
            if not name.endswith((".c", ".h")) or path in ELSEWHERE:
                continue
            with open(os.path.join(engine, path)) as file:
                for number, line in enumerate(file, 1):
                    line = re.sub(r"\bret->\w+", "", line)  # what is returned is the caller's
                    for member, pattern in patterns.items():
                        if not pattern.search(line):
                            continue
                        found.add((member, path))
                        if path not in OWNERS[member]:
                            wrong.append(f"watchdog/engine/{path}:{number}: {member} belongs to "
                                         f"{' and '.join(OWNERS[member])}: {line.strip()}")
    wrong += [f"{path} never changes {member}: take it out of OWNERS in owners.py"
              for member, paths in OWNERS.items() for path in paths if (member, path) not in found]
    print("\n".join(wrong) or f"{len(OWNERS)} members")
    return 1 if wrong else 0


sys.exit(main())
