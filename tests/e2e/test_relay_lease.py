# SPDX-License-Identifier: Apache-2.0
"""What users have of it where a relay ends what goes over it: the real pathdog with the trigger lease, real QUIC
nodes, and contrib/udp-relay with limits of time and bytes. With the trigger the connection leaves in time, and no
byte is lost or waits long. Without it the cut is felt."""

import json
import os
import subprocess
import time
import unittest

import netns
from live_case import LiveCase
from node import PATIENCE
from uplinks_case import MOVED
from watchdog import environment, program

UNUSABLE = netns.usable()
PORT = 4433
RELAYS = {"A": "10.9.0.4", "B": "10.9.0.5"}


class Relay:
    """contrib/udp-relay on an address of the peers' namespace."""

    def __init__(self, case, name, *words):
        self.process = subprocess.Popen(
            [*case.lab.prefix("peer"), program("udp-relay", "UDP_RELAY"), "--bind", RELAYS[name], "--port", str(PORT),
             "--control", "none", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        case.addCleanup(self.stop)

    def stop(self):
        self.process.terminate()
        self.process.wait(15 * PATIENCE)


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Lease(LiveCase):
    def over(self, limits, triggers, names="A", rate=50000):
        """alpha has dialled bravo over relay A, and bytes flow. Each relay has these limits."""
        for name in names:
            Relay(self, name, *limits)
        known = [word for name in names for word in ("--relay", f"{name}={RELAYS[name]}:{PORT}")]
        self.quic("peer", "bravo", *known, "--meet", "alpha=A", "--rate", str(rate))
        alpha = self.quic("host", "alpha", *known, "--dial", "bravo=10.9.0.2:9100", "--via", "A", "--rate", str(rate),
                          "--socket", os.path.join(self.directory, "alpha.sock"))
        self.alpha, self.peers = alpha, {"bravo": self.live_nodes[0]}
        self.pathdog = self.dog(alpha, {"sample_interval": "1s", "close_interval": None, "migrate_timeout": None,
                                        "effect_window": None, "fallback_after": None}, triggers, start=False,
                                prefix=self.lab.prefix("host"))
        self.pathdog.start()
        self.pathdog.wait_record("peer", peer="bravo", state="up")
        self.wait_flow("bravo")
        self.begin()

    def left(self, seconds):
        """So long, watching: (moves, longest gap in ms)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.measure()
            time.sleep(0.2)
        self.late_ms += self.metronome.take_ms()
        return [r for r in self.said("outcome", peer="bravo") if r["outcome"] in MOVED], self.gap_ms("bravo")

    def lost_packets(self):
        """How many packets the node says were lost, in a row from now on."""
        now_us, rows = time.monotonic() * 1e6, []

        def later():
            with open(self.pathdog.recording) as file:
                for line in file:
                    event = json.loads(line) if line.endswith("\n") else {}
                    if event.get("event") == "samples" and event["t"] > now_us:
                        rows.append(event["rows"][0][1 + event["columns"].index("packets_lost")])
            return rows
        self.wait_until(later, "a row in the recording")
        return rows[-1]

    def check_leaves(self, moves, gap_ms, reason):
        """Each move was advised by lease and was no later than the cut, and nothing waited long."""
        asked = self.asked("bravo")
        self.assertGreaterEqual(len(moves), 2, self.story())
        self.assertEqual({r["trigger"] for r in asked}, {"lease"})
        for decision in asked:
            self.assertRegex(decision["reason"], reason)
            self.assertGreater(decision["evidence"]["eta_ms"], 0)
        self.assertEqual({r["outcome"] for r in self.said("outcome", peer="bravo")}, {"migrated"}, self.story())
        self.assertLessEqual(gap_ms, 1000 + 5 * self.late_ms, self.story())
        self.assertEqual(self.alpha.stats()["bravo"]["connections"], 1)
        for node in self.live_nodes:
            self.assertFalse([line for line in node.lines if "ERR:" in line], node.story())
        if self.late_ms < 200:  # else an acknowledgement that is late is taken for a loss
            self.assertLess(self.lost_packets(), 5, self.story())  # a machine that was late makes one or two
        self.tell("left in time")

    def test_bytes(self):
        """10 MB in each direction, and 500 kB/s: 20 s."""
        self.over(("--max-data", "10M"), {"lease": {}}, rate=500000)
        moves, gap_ms = self.left(50)
        self.check_leaves(moves, gap_ms, r"^[0-9.]+ MB left to (send|receive) on relay A, [0-9.]+ s at "
                                         r"[0-9.]+ [kM]B/s; a new circuit there$")

    def test_time(self):
        self.over(("--max-duration", "20s"), {"lease": {}})
        moves, gap_ms = self.left(50)
        self.check_leaves(moves, gap_ms, r"^[0-9.]+ s left on relay A; a new circuit there$")

    def test_another_relay(self):
        """The node lists two: from one to the other, and back, each time before the cut."""
        self.over(("--max-duration", "20s"), {"lease": {}}, names="AB")
        moves, gap_ms = self.left(32)
        self.check_leaves(moves, gap_ms, r"^[0-9.]+ s left on relay [AB]; relay [AB] instead$")
        self.assertEqual([(r["evidence"]["relay"], r["evidence"]["to"]) for r in self.asked("bravo")][:2],
                         [("A", "B"), ("B", "A")])

    def check_cut(self, said):
        """The relay says that it is over there; nothing is done for 10 s more. Returns the longest gap."""
        self.wait_until(lambda: [line for node in self.live_nodes for line in node.lines
                                 if line.startswith("relay ") and said in line], "the relay says so", 30)
        _, gap_ms = self.left(10)
        self.tell("cut")
        return gap_ms

    def test_bytes_without(self):
        """Nobody moves it: nothing gets through any more, in one direction at least."""
        self.over(("--max-data", "10M"), {"srtt": {}}, rate=500000)
        gap_ms = self.check_cut('state=refused reason="ERR:limit"')
        self.assertGreater(gap_ms, 8000)
        self.assertEqual(self.asked("bravo"), [])
        self.ctl(self.pathdog, "migrate", "bravo", "--via", "A")
        self.wait_flow("bravo")

    def test_bytes_with_stall_alone(self):
        """It is moved when it has been dead for a while, and not before."""
        self.over(("--max-data", "10M"), {"stall": {}}, rate=500000)
        gap_ms = self.check_cut('state=refused reason="ERR:limit"')
        self.assertGreater(gap_ms, 200)
        self.assertEqual({r["trigger"] for r in self.asked("bravo")}, {"stall"})

    def test_time_without(self):
        """This node registers anew when the relay does not know it any more: what was sent until then is lost."""
        self.over(("--max-duration", "20s"), {"srtt": {}})
        self.check_cut('state=lost reason="ERR:unknown"')
        self.assertEqual(self.asked("bravo"), [])
        self.assertGreater(self.lost_packets(), 0)
