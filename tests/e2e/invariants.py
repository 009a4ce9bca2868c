# SPDX-License-Identifier: Apache-2.0
"""What must hold in every test, whatever it tests: the records' schema, the promises about
decisions, requests and outcomes, and how pathdog behaves towards its node.

Each check returns a list of complaints; an empty one is good. Pure: nothing is read or sent.
"""

import re

from node import MOVES

# Each record's members and their types, as docs/records.md has them: test_harness compares the two.
INTEGER, TEXT, FLAG, OBJECT = "integer", "string", "boolean", "object"
COMMON = {"record": {TEXT}, "time_us": {INTEGER}, "run": {TEXT}}
NULL = "null"
MEMBERS = {
    "decision": {"decision": {INTEGER}, "cause": {INTEGER, NULL}, "peer": {TEXT}, "conn": {INTEGER},
                 "trigger": {TEXT}, "kind": {TEXT}, "by": {TEXT}, "reason": {TEXT},
                 "evidence": {OBJECT}, "verdict": {TEXT}, "uplink": {TEXT}, "target": {TEXT},
                 "choice": {TEXT}, "into": {INTEGER}, "repeats": {INTEGER},
                 "request": {INTEGER}, "attempt": {INTEGER}, "timeout_ms": {INTEGER}},
    "outcome": {"decision": {INTEGER}, "request": {INTEGER}, "attempt": {INTEGER}, "peer": {TEXT},
                "conn": {INTEGER}, "by": {TEXT}, "outcome": {TEXT}, "validated": {FLAG, NULL},
                "elapsed_us": {INTEGER}, "local_before": {TEXT, NULL},
                "local_after": {TEXT, NULL}, "target": {TEXT}, "conn_new": {INTEGER, NULL},
                "error": {OBJECT, NULL}},
    "effect": {"decision": {INTEGER}, "peer": {TEXT}, "conn": {INTEGER}, "effect": {TEXT},
               "rtt_before_us": {INTEGER, NULL}, "rtt_after_us": {INTEGER, NULL},
               "samples_before": {INTEGER}, "samples_after": {INTEGER}},
    "cause": {"cause": {INTEGER}, "trigger": {TEXT}, "reason": {TEXT}, "peers": {INTEGER},
              "advised": {INTEGER}, "verdicts": {OBJECT}},
    "node": {"state": {TEXT}, "node": {TEXT, NULL}, "implementation": {TEXT, NULL},
             "boot": {TEXT, NULL}, "reason": {TEXT, NULL}},
    "peer": {"state": {TEXT}, "peer": {TEXT}, "conn": {INTEGER}, "role": {TEXT},
             "reason": {TEXT, NULL}},
    "uplink": {"uplink": {TEXT}, "interface": {TEXT}, "change": {TEXT}, "reason": {TEXT},
               "peers": {INTEGER}},
    "notice": {"level": {TEXT}, "what": {TEXT}, "text": {TEXT}, "count": {INTEGER}},
}
# Members that are left out where they do not apply.
LEFT_OUT = {"decision": {"uplink", "target", "choice", "into", "repeats", "request", "attempt",
                         "timeout_ms"},
            "outcome": {"target"}}

ASKED = {"migrate", "reconnect"}
REFUSED = {"gone", "inbound", "disabled", "held", "no-target", "in-flight", "merged", "cooling",
           "backing-off", "damped", "awaiting", "observing", "probing"}
OUT_OF_QUEUE = ASKED | {"gone", "held", "superseded", "expired"}
VERDICTS = ASKED | REFUSED | {"queued", "superseded", "expired"}
OUTCOMES = {"migrated", "reconnected", "disabled", "not-migratable", "gone", "timeout", "busy",
            "no-path", "dial-failed", "failed", "unanswered", "link-lost",
            "old-lives", "cancelled"}
EFFECTS = {"better", "same", "worse", "stalled", "unknown"}
LEVELS = {"error", "warning", "notice", "info", "debug"}
KINDS = {"operator", "moved", "dead", "degraded", "better"}
CHANGES = {"up", "down", "silent", "slow", "penalty", "proven", "held", "released"}
WHAT = re.compile(r"[a-z][a-z0-9-]*\Z")
EVIDENCE_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


TYPES = {INTEGER: lambda value: is_int(value) and value >= 0, NULL: lambda value: value is None,
         TEXT: lambda value: isinstance(value, str), FLAG: lambda value: isinstance(value, bool),
         OBJECT: lambda value: isinstance(value, dict)}


def members_of(record):
    """(members that it must have, and may have)"""
    kind = record["record"]
    may = set(COMMON) | set(MEMBERS[kind])
    must = may - LEFT_OUT.get(kind, set())
    if kind == "decision":
        if record.get("verdict") in ASKED:
            must |= {"request", "attempt", "timeout_ms"}
        if record.get("verdict") == "merged":
            must |= {"into"}
        may = must | {"uplink", "target", "choice", "repeats"}
        if record.get("verdict") == "awaiting":
            may |= {"into"}
    return must, may


def check_schema(record):
    kind = record.get("record")
    if kind not in MEMBERS:
        return [f"unknown record {kind!r}"]
    must, may = members_of(record)
    have = set(record)
    bad = [f"{kind} without {m}" for m in sorted(must - have)]
    bad += [f"{kind} ({record.get('verdict', '')}) with {m}" for m in sorted(have - may)]
    if bad:
        return bad
    types = {**COMMON, **MEMBERS[kind]}
    bad = [f"{m} is {value!r}" for m, value in record.items()
           if not any(TYPES[name](value) for name in types[m])]
    if bad:
        return bad
    if record["time_us"] < 10**15:
        bad.append(f"time_us {record['time_us']!r}")
    if not record["run"]:
        bad.append(f"run {record['run']!r}")
    return bad + globals()[f"schema_{kind}"](record)


def one_of(record, member, words):
    return [] if record[member] in words else [f"{member} is {record[member]!r}"]


def schema_decision(r):
    bad = one_of(r, "verdict", VERDICTS) + one_of(r, "kind", KINDS)
    bad += one_of(r, "by", {"migrate", "reconnect"})
    for key, value in r["evidence"].items():
        if not EVIDENCE_KEY.match(key) or isinstance(value, (dict, list)):
            bad.append(f"evidence {key!r}: {value!r}")
    if r["verdict"] in ASKED and r["by"] != r["verdict"]:
        bad.append(f"by {r['by']} and verdict {r['verdict']}")
    if "repeats" in r and r["verdict"] not in REFUSED:
        bad.append(f"repeats {r['repeats']!r} of verdict {r['verdict']}")
    if r["reason"] == "":
        bad.append("empty reason")
    return bad


def schema_outcome(r):
    bad = one_of(r, "outcome", OUTCOMES) + one_of(r, "by", {"migrate", "reconnect"})
    if (r["validated"] is None) != (r["by"] == "reconnect"):
        bad.append(f"validated {r['validated']!r} by {r['by']}")
    bad += [f"{m} with {r['outcome']}" for m, outcome in
            (("local_after", "migrated"), ("conn_new", "reconnected"))
            if r[m] is not None and r["outcome"] != outcome]
    if r["error"] is not None and (
            set(r["error"]) != {"code", "message"} or not is_int(r["error"]["code"])
            or not isinstance(r["error"]["message"], (str, type(None)))):
        bad.append(f"error {r['error']!r}")
    return bad


def schema_effect(r):
    return one_of(r, "effect", EFFECTS) + [
        f"{r[samples]} samples and {rtt} {r[rtt]!r}" for samples, rtt in
        (("samples_before", "rtt_before_us"), ("samples_after", "rtt_after_us"))
        if r[samples] > 3 or (r[samples] == 0) != (r[rtt] is None)]


def schema_cause(r):
    bad = [f"verdicts {v!r}: {n!r}" for v, n in r["verdicts"].items()
           if v not in VERDICTS or not is_int(n) or n < 1]
    if not bad and sum(r["verdicts"].values()) != r["advised"]:
        bad.append(f"advised {r['advised']}, but verdicts {r['verdicts']}")
    # not compared with `peers`: a route window is one cause, and may advise a peer twice
    return bad


def schema_node(r):
    return one_of(r, "state", {"up", "down"}) + (
        ["up without boot"] if r["state"] == "up" and not r["boot"] else [])


def schema_peer(r):
    return (one_of(r, "state", {"up", "down"}) + one_of(r, "role", {"client", "server"})
            + (["up with a reason"] if r["state"] == "up" and r["reason"] is not None else []))


def schema_uplink(r):
    return one_of(r, "change", CHANGES) + (
        [] if r["uplink"] and r["interface"] and r["reason"] else
        ["uplink without name or reason"])


def schema_notice(r):
    return one_of(r, "level", LEVELS) + (
        [] if r["count"] >= 1 and r["text"] and WHAT.match(r["what"]) else ["empty notice"])


def check_records(records, stopped=True):
    """The promises over one run's records, in the order in which they were written."""
    bad = [f"{complaint}: {r}" for r in records for complaint in check_schema(r)]
    if bad:
        return bad
    if len({r["run"] for r in records}) > 1:
        bad.append("more than one run")
    times = [r["time_us"] for r in records]
    bad += [f"time goes back at record {i}" for i in range(1, len(times))
            if times[i] < times[i - 1]]
    return bad + check_decisions(records) + check_outcomes(records, stopped) + check_causes(records)


def check_decisions(records):
    bad, by_id = [], {}
    for r in records:
        if r["record"] == "decision":
            by_id.setdefault(r["decision"], []).append(r)
    if by_id and min(by_id) != 1:
        bad.append("there is no decision number 1")
    for number, written in by_id.items():
        verdicts = [r["verdict"] for r in written]
        if len(written) > 2 or len(written) == 2 and (
                verdicts[0] != "queued" or verdicts[1] not in OUT_OF_QUEUE):
            bad.append(f"decision {number} written as {verdicts}")
        for member in ("peer", "conn", "trigger", "kind", "cause"):
            if len({r[member] for r in written}) != 1:
                bad.append(f"decision {number} changed its {member}")
        if any(r.get("into") is not None and r["into"] not in by_id for r in written):
            bad.append(f"decision {number} merged into nothing")
    return bad


def check_outcomes(records, stopped):
    bad, outcomes, effects, asked, known = [], {}, {}, {}, set()
    for r in records:
        if r["record"] == "decision":
            known.add(r["decision"])
            if "request" in r:
                if r["request"] in asked or r["attempt"] != 1:
                    bad.append(f"request {r['request']} asked twice, or not attempt 1: {r}")
                asked[r["request"]] = r
        elif r["record"] == "outcome":
            if r["request"] in outcomes:
                bad.append(f"request {r['request']} has two outcomes")
            outcomes[r["request"]] = r
            if r["decision"] not in known:
                bad.append(f"outcome of an unknown decision: {r}")
            first = asked.get(r["request"])
            if r["attempt"] == 1 and first is None or first is not None and (
                    first["decision"] != r["decision"] or first["conn"] != r["conn"]):
                bad.append(f"outcome does not belong to its request: {r}")
        elif r["record"] == "effect":
            effects.setdefault(r["decision"], []).append(r)
    if stopped:
        bad += [f"request {q} has no outcome" for q in asked if q not in outcomes]
    moved = {}
    for r in outcomes.values():
        if r["outcome"] in ("migrated", "reconnected"):
            moved[r["decision"]] = moved.get(r["decision"], 0) + 1
    for decision, number in moved.items():
        have = len(effects.get(decision, ()))
        if have > number or stopped and have < number:
            bad.append(f"decision {decision}: {number} moves, {have} effects")
    bad += [f"effect without a move: decision {d}" for d in effects if d not in moved]
    return bad


def check_causes(records):
    bad, first, closed = [], {}, {}
    for r in records:
        if r["record"] == "decision" and r["cause"] is not None and r["cause"] not in closed:
            first.setdefault(r["cause"], {}).setdefault((r["peer"], r["decision"]), r["verdict"])
        elif r["record"] == "cause":
            if r["cause"] in closed:
                bad.append(f"cause {r['cause']} closed twice")
            closed[r["cause"]] = r
            seen = list(first.get(r["cause"], {}).values())
            # What is decided again is not counted; a cause may also advise one peer twice.
            of_peers = list({peer: verdict for (peer, _), verdict in
                             reversed(first.get(r["cause"], {}).items())}.values())
            for verdict in set(seen) | set(r["verdicts"]):
                said, counted = seen.count(verdict), r["verdicts"].get(verdict, 0)
                # a folded refusal is counted without a record of its own
                if of_peers.count(verdict) > counted or said < counted and verdict not in REFUSED:
                    bad.append(f"cause {r['cause']}: {said} records of {verdict}, "
                               f"{counted} counted")
    return bad


# -- towards the node ---------------------------------------------------------------------

METHODS = {"hello", "subscribe", "summary", "migrate_peer", "reconnect_peer", "probe", "probe_path",
           "cancel"}
MOVE_PARAMS = {"conn", "timeout_ms", "reason"}
PROBE_PARAMS = {"conn", "timeout_ms", "interface", "local"}


def check_node(node):
    bad = []
    features = set(node.hello.get("features") or ())
    terminal = set()
    for link in node.links:
        bad += [f"line from pathdog: {line!r}: {why}" for line, why in link.bad_lines]
        ids = [r.id for r in link.requests if r.method != "cancel"]
        if any(not is_int(i) for i in ids) or len(set(ids)) != len(ids):
            bad.append(f"request ids {ids[:20]}")
        methods = [r.method for r in link.requests]
        if methods[:1] not in ([], ["hello"]) or methods[1:2] not in ([], ["subscribe"]):
            bad.append(f"link {link.index} begins {methods[:3]}")
        if methods.count("hello") > 1 or methods.count("subscribe") > 1:
            bad.append(f"link {link.index}: hello or subscribe twice")
        for r in link.requests:
            bad += check_request(r, features, node)
        bad += check_overlap(link, "make_before_break" in features)
        bad += check_cancels(link, "make_before_break" in features)
    for r in node.moves():
        key = (r.link.boot, r.conn)
        if r.method == "migrate_peer" and key in terminal:
            bad.append(f"migrate of a disabled connection: {r}")
        told = node.told.get(key)
        if r.method == "migrate_peer" and told and (
                told.get("role", "client") != "client" or told.get("migratable") is False):
            bad.append(f"migrate of {told}")
        if r.answer_code in (-32003, -32005) and r.method == "migrate_peer":
            terminal.add(key)
    return bad


def check_request(r, features, node):
    if r.message.get("jsonrpc") != "2.0" or r.method not in METHODS:
        return [f"request {r.message}"]
    extra = set(r.message) - {"jsonrpc", "id", "method", "params"}
    if extra:
        return [f"request with {extra}"]
    if r.method == "cancel" and (r.id is not None or set(r.params) != {"id"}
                                 or not is_int(r.params["id"])):
        return [f"cancel {r.message}"]
    if r.method == "summary" and r.params is not None:
        conns = r.params.get("conns")
        if set(r.params) != {"conns"} or not 1 <= len(conns) <= 4096 or len(set(conns)) != len(
                conns):
            return [f"summary of {str(r.params)[:200]}"]
    if r.method == "reconnect_peer" and "reconnect" not in features:
        return ["reconnect_peer without the feature"]
    if r.method == "probe" and ("probe" not in features or set(r.params) != {"conns"}):
        return ["probe without the feature, or without conns"]
    if r.method == "probe_path" and (
            "probe_path" not in features or not {"conn", "timeout_ms"} <= set(r.params) <= PROBE_PARAMS
            or not is_int(r.params["timeout_ms"]) or r.params["timeout_ms"] < 1):
        return [f"probe_path without the feature, or with params {r.params}"]
    if r.method in MOVES:
        may = MOVE_PARAMS | ({"interface", "local"} if "bind" in features else set())
        if r.method == "migrate_peer" and "relay" in features:
            may |= {"via"}
        if r.method == "reconnect_peer" and "make_before_break" in features:
            may |= {"keep_old"}
        have = set(r.params)
        if not MOVE_PARAMS <= have <= may:
            return [f"{r.method} with params {r.params}"]
        if not is_int(r.params["timeout_ms"]) or r.params["timeout_ms"] < 1 or not isinstance(
                r.params["reason"], str) or not r.params["reason"]:
            return [f"{r.method} with params {r.params}"]
    return []


def check_cancels(link, may):
    """What is taken back was asked, has closed nothing, and another move of the same connection follows."""
    bad = []
    for place, r in enumerate(link.requests):
        if r.method != "cancel":
            continue
        moves = [m for m in link.requests[:place] if m.method in MOVES and m.id == r.params.get("id")]
        if not may or len(moves) != 1:
            bad.append(f"cancel {r.params}, {'of nothing' if may else 'without the feature'}")
        elif moves[0].method == "reconnect_peer" and not moves[0].params.get("keep_old"):
            bad.append(f"cancel of {moves[0]}")
        elif not any(m.method in MOVES and m.conn == moves[0].conn for m in link.requests[place:]):
            bad.append(f"nothing follows the cancel of {moves[0]}")
    return bad


def check_overlap(link, tells):
    """One summary at a time; one open move per connection, unless it was given up or taken back: a node that
    does not know `cancel` sees another reason."""
    late = 5.0  # so late may a request have been read here: the next then seems to come too soon
    bad, last = [], {}
    for r in link.requests:
        if r.method == "cancel":
            last = {key: before for key, before in last.items() if before.id != r.params["id"]}
        key = r.conn if r.method in MOVES else r.method if r.method == "summary" else None
        if key is None:
            continue
        before = last.get(key)
        if before is not None:
            patience = (10.0 if r.method == "summary"
                        else before.params["timeout_ms"] / 1000 + 1) - late
            open_then = before.answered_at is None or before.answered_at > r.time
            other = not tells and r.method in MOVES and r.params["reason"] != before.params["reason"]
            if open_then and r.time - before.time < patience and not other:
                bad.append(f"asked while another is open: {before} then {r}")
        last[key] = r
    return bad
