#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The play: real QUIC connections, a network that changes under them, and pathdog beside the node.

alpha, with two uplinks, is the node that pathdog watches. It dials bravo and charlie; charlie
forbids migration. delta dials alpha: an inbound connection. Exits with 1 if anything that is
promised did not happen.
"""
import argparse
import os
import signal
import sys
import time

from stage import PATIENCE_S, Stage, StageError
from story import Story

PROGRESS_S = 4
SETTLE_S = 1  # what has just changed is no news any more to the trigger route
PEERS = {"bravo": "10.9.0.2:4433", "charlie": "10.9.0.3:4433", "delta": "10.9.0.4:4433"}


def measured(r):
    """What an effect has to be called, by its own numbers."""
    before_us, after_us = r["rtt_before_us"], r["rtt_after_us"]
    if before_us is None or after_us is None:
        return "unknown"
    if after_us * 10 <= before_us * 8:
        return "better"
    return "worse" if after_us * 4 >= before_us * 5 else "same"


def has(record, members):
    return all(record.get(key) == value for key, value in members.items())


class Play:
    def __init__(self, stage, story):
        self.stage, self.story = stage, story
        self.mark = 0  # the records of this act begin here

    # ---- reading along ----

    def tell(self):
        """Tells what has been kept so far."""
        for name, line in self.stage.kept:
            if name == "pathdog":
                self.story.record(self.named(line))
            elif self.story.verbose:
                self.story.line(time.time(), name, line)
        self.stage.kept.clear()

    def named(self, record):
        """As the story tells it."""
        return record

    def act(self, number, title, *explanation):
        self.mark = len(self.stage.records)
        self.story.act(number, title, *explanation)

    def recorded(self, **members):
        """The first record of this act with these members, or None."""
        return next((r for r in self.stage.records[self.mark:] if has(r, members)), None)

    def until(self, what, /, patience_s=PATIENCE_S, **members):
        """The first record of this act with these members; tells all that came before it."""
        found = self.recorded(**members)
        if not found:
            found = self.stage.wait_for("pathdog", lambda r: has(r, members), what, patience_s)
        self.tell()
        return found

    def until_proven(self, uplink):
        """Tells how far the proof is each few seconds."""
        end = time.monotonic() + PATIENCE_S
        while not (found := self.recorded(record="uplink", uplink=uplink, change="proven")):
            if time.monotonic() > end:
                raise StageError(f"{uplink} was not proven within {PATIENCE_S} s")
            proof = self.stage.uplink(uplink).get("proof")
            if proof:
                self.story.line(time.time(), "pathdog", f"{uplink}: {proof['good']} of "
                                f"{proof['needed']} good probes in a row")
            self.pause(PROGRESS_S, lambda r: r.get("change") == "proven")
        return found

    def pause(self, seconds, enough=lambda record: False):
        """Tells what comes meanwhile."""
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            said = self.stage.next_line(left_s)
            if said:
                self.stage.kept.append(said)
                self.tell()
                if said[0] == "pathdog" and enough(said[1]):
                    return

    def gaps(self):
        """The longest time without progress at either end, per peer, since the last call."""
        worst = {}
        for node in ("alpha", *PEERS):
            for peer in self.stage.stats(node)["peers"]:
                name = peer["peer"] if node == "alpha" else node
                worst[name] = max(worst.get(name, 0), peer["gap_ms"])
        return worst

    def tell_gaps(self, **limits_ms):
        gaps = self.gaps()
        late_ms = self.stage.metronome.take_ms()
        allowed = "allowed here: {} ms"
        if late_ms:
            allowed += f", and five times the {late_ms:.0f} ms that this machine was late"
        for name, limit_ms in limits_ms.items():
            self.story.check(gaps[name] <= limit_ms + 5 * late_ms,
                             f"{name}: longest gap without a byte {gaps[name]:.0f} ms "
                             f"({allowed.format(limit_ms)})")

    def tell_lost(self):
        lost = sum(self.stage.stats(node)["total"]["bytes_lost"] for node in ("alpha", *PEERS))
        self.story.check(lost == 0, f"bytes lost: {lost}")

    # ---- the acts ----

    def prologue(self):
        stage, story = self.stage, self.story
        self.act(1, "Four QUIC nodes, one of them with two uplinks",
                  "alpha ── up0 (10.0.1.2), up1 (10.0.2.2) ── router ── bravo, charlie, delta",
                  "alpha dials bravo and charlie (who forbids migration); delta dials alpha.",
                  "Each connection carries checked bytes both ways all the time.")
        stage.open()
        for uplink in ("up0", "up1"):
            stage.lab("delay", uplink, "10ms")
        stage.start_node("bravo", "peer", "--listen", PEERS["bravo"])
        stage.start_node("charlie", "peer", "--listen", PEERS["charlie"], "--forbid-migration")
        stage.start_node("alpha", "host", "--listen", "0.0.0.0:4433", "--socket",
                         os.path.join(stage.directory, "alpha.sock"), "--dial",
                         f"bravo={PEERS['bravo']}", "--dial", f"charlie={PEERS['charlie']}")
        stage.start_node("delta", "peer", "--listen", PEERS["delta"], "--dial",
                         "alpha=10.0.1.2:4433")
        stage.start_pathdog()
        for name in PEERS:
            self.until(f"{name} being up", record="peer", peer=name, state="up")
        up = {r["peer"]: r["role"] for r in stage.records if r["record"] == "peer"}
        for name, role in sorted(up.items()):
            story.line(time.time(), "pathdog", f"watches {name} (alpha is the {role})")
        self.gaps()
        stage.metronome.take_ms()

    def flip(self):
        stage = self.stage
        self.act(2, "up0 goes dark and the default route flips to up1",
                       "bravo can be migrated. charlie forbids it and delta dialled us: those two",
                       "are watched, found dead, and reconnected (fallback_after is 1 s here).")
        stage.lab("blackhole", "up0", "on")
        stage.lab("default_route", "up1")
        self.until("bravo migrated", record="outcome", peer="bravo", outcome="migrated")
        self.until("charlie reconnected", record="outcome", peer="charlie", outcome="reconnected")
        self.until("delta reconnected", record="outcome", peer="delta", outcome="reconnected")
        for name in PEERS:
            r = self.until(f"the effect on {name}", record="effect", peer=name)
            if r["effect"] != "better":
                self.story.check(False, f"{name}: the effect is {r['effect']}")
        self.tell_gaps(bravo=500, charlie=3000, delta=5000)

    def slow(self):
        stage = self.stage
        self.act(3, "up1 becomes slow: 150 ms each way",
                       "Two samples in a row above 200 ms are two strikes. There is no other way",
                       "out just now, so the move is a new port on the same uplink: it cannot",
                       "help, pathdog finds that out, and it will wait twice as long next time.")
        stage.lab("delay", "up1", "150ms")
        self.until("a strike", record="decision", peer="bravo", trigger="srtt", verdict="migrate")
        self.until("bravo migrated", record="outcome", peer="bravo", outcome="migrated")
        r = self.until("the effect on bravo", record="effect", peer="bravo")
        # "better" only if what was measured before was not the path, but a machine that stood still
        possible = ("same", "worse") if not stage.metronome.late_s else ("same", "worse", "better")
        self.story.check(r["effect"] in possible and r["effect"] == measured(r),
                         f"bravo: judged by what was measured, not by the node's \"ok\": "
                         f"{r['effect']}")
        self.tell_gaps(bravo=1500)

    def back(self):
        stage = self.stage
        self.act(4, "up0 is back, and the default route returns to it",
                       "Every connection follows the route table again.")
        stage.lab("blackhole", "up0", "off")
        stage.lab("default_route", "up0")
        self.until("bravo migrated", record="outcome", peer="bravo", outcome="migrated")
        self.until("the effect on bravo", record="effect", peer="bravo", effect="better")
        self.tell_gaps(bravo=1500)

    def silent(self):
        stage = self.stage
        self.act(5, "up0 dies silently: its carrier, its address and its routes stay",
                       "Until now the route table led, and pathdog followed. It tells nothing here. So pathdog",
                       "gets two sections, [uplink:up0] (primary) and [uplink:up1] (spare), and chooses itself.")
        stage.lab("delay", "up1", "20ms")
        stage.lab("source_rules", "on")
        stage.let_choose()
        self.until("the configuration", record="notice", what="reloaded")
        self.pause(SETTLE_S)
        self.gaps()
        stage.metronome.take_ms()
        stage.lab("blackhole", "up0", "on")
        for name in ("bravo", "delta"):
            r = self.until(f"{name} leaving", record="decision", peer=name, verdict="migrate")
            self.story.check((r["kind"], r.get("target")) == ("dead", "up1"),
                             f"{name}: found dead, and moved to up1")
        for name in ("bravo", "delta"):
            self.until(f"{name} on up1", record="outcome", peer=name, outcome="migrated", target="up1")
            self.until(f"the effect on {name}", record="effect", peer=name, effect="better")
        self.tell_gaps(bravo=4000, delta=4000)
        self.tell_lost()

    def proven(self):
        stage = self.stage
        self.act(6, "up0 is repaired",
                       "It has to prove that: 10 good probes in a row, over 15 s. Meanwhile the connections",
                       "stay where they are. Then one of them goes first, and the other follows.")
        stage.lab("blackhole", "up0", "off")
        proven = self.until_proven("up0")
        for name in ("bravo", "delta"):
            r = self.until(f"{name} back on up0", record="outcome", peer=name, outcome="migrated")
            self.story.check(r["target"] == "up0" and r["time_us"] >= proven["time_us"],
                             f"{name} came back to up0 when that was proven")
            self.until(f"the effect on {name}", record="effect", peer=name)
        self.tell_gaps(bravo=1500, delta=1500)
        self.tell_lost()

    def tunnel(self):
        self.act(7, "A tunnel says that it rebound its socket",
                       "A datagram to pathdog's notify socket: EVENT=rebind, PEERS=bravo.")
        self.stage.notify("EVENT=rebind\nPEERS=bravo\nREASON=endpoint changed\n")
        self.until("bravo migrated", record="outcome", peer="bravo", outcome="migrated")
        self.until("the effect on bravo", record="effect", peer="bravo")
        self.tell_gaps(bravo=500)

    def epilogue(self):
        stage, story = self.stage, self.story
        self.act(8, "What the nodes say")
        stats = {name: stage.stats(name) for name in ("alpha", *PEERS)}
        story.say("   node      peer       sent      received   verified    lost  corrupt  "
                  "connections  migrations")
        for name, node in stats.items():
            for p in node["peers"]:
                story.say(f"   {name:<8}  {p['peer']:<8} {p['bytes_sent']:>9}  "
                          f"{p['bytes_received']:>10}  {p['bytes_verified']:>9}  "
                          f"{p['bytes_lost']:>6}  {p['bytes_corrupt']:>7}  {p['connections']:>11}"
                          f"  {p['migrations']:>10}")
        lost = sum(node["total"]["bytes_lost"] for node in stats.values())
        corrupt = sum(node["total"]["bytes_corrupt"] for node in stats.values())
        story.say()
        story.check(lost == 0 and corrupt == 0, f"bytes lost: {lost}, corrupt: {corrupt}")
        story.check(all(node["total"]["peers_up"] == len(node["peers"])
                        for node in stats.values()), "every connection is up")

    def stay(self):
        stage, story = self.stage, self.story
        tool = f"ip netns exec {stage.prefix}-host"
        self.act(9, "Still running, to play with; Ctrl-C ends it and cleans up")
        story.say(f"   export NETSHIM={stage.build}/contrib/netshim/netshim")
        story.say(f"   {stage.lab_script} {stage.lab_directory} default_route up1")
        story.say(f"   {stage.lab_script} {stage.lab_directory} delay up0 300ms")
        story.say(f"   {stage.lab_script} {stage.lab_directory} blackhole up0 on")
        story.say(f"   {tool} ip route")
        story.say(f"   {stage.build}/watchdog/ctl/pathdogctl --socket {stage.directory}/control.sock "
                  "uplinks")
        story.say(f"   configuration and recording: {stage.directory}")
        while True:
            said = stage.next_line(3600)
            if said:
                stage.kept.append(said)
                self.tell()

    def run(self, stay):
        for act in (self.prologue, self.flip, self.slow, self.back, self.silent, self.proven,
                    self.tunnel, self.epilogue):
            act()
        if stay:
            self.stay()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--stay", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def perform(play, stay, good):
    """Plays it, tells how it ended (`good`: if all was as promised), and cleans up: the exit status."""
    stage, story = play.stage, play.story

    def interrupted(number, _):
        raise KeyboardInterrupt(number)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        play.run(stay)
    except StageError as error:
        play.tell()
        story.check(False, str(error))
    except KeyboardInterrupt:
        story.say("\nInterrupted; cleaning up.")
        return 0 if stay and not story.failures else 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stage.close()
    story.say()
    if story.failures:
        story.say(f"Not as promised: {len(story.failures)} of the checks above.")
        return 1
    story.say(good)
    return 0


def main():
    options = arguments()
    play = Play(Stage(options.top, options.build), Story(options.verbose))
    return perform(play, options.stay, "The network changed seven times, and no connection lost a byte.")


if __name__ == "__main__":
    sys.exit(main())
