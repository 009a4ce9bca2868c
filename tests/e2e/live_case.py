# SPDX-License-Identifier: Apache-2.0
"""A case with real QUIC nodes on three uplinks, beside one of them the real pathdog, and an account of what the
users had of it: bytes that were lost, the longest gap, the moves. Has no tests.

alpha is the node that pathdog watches. It dials bravo; charlie dials alpha, so that connection is an inbound one.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from node import PATIENCE
from three_uplinks import address, endpoint, uplink_of
from uplinks_case import SAMPLE_S, SECTIONS, TRIGGERS, WATCHDOG, UplinksCase
from watchdog import environment, program

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "demo"))
from stage import Metronome  # noqa: E402 (it is found there)

# What a dead path costs at most a connection that alpha dialled. One that was dialled by the peer cannot migrate:
# it is found dead in twice fallback_after (3 s), and reconnected.
DEAD_S = 1.5 + SAMPLE_S
DEAD_INBOUND_S = 6 + DEAD_S


class QuicNode:
    """contrib/quic-node in a namespace."""

    def __init__(self, case, part, name, *words):
        self.name = name
        self.path = os.path.join(case.directory, f"{name}.sock")
        self.stats_path = os.path.join(case.directory, f"{name}.json")
        self.lines = []
        self.gaps = {}  # {peer: the longest in ms}, since it was last cleared
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            [*case.lab.prefix(part), program("quic-node", "QUIC_NODE"), "--name", name, "--stats",
             self.stats_path, "--rate", "50000", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment())
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        assert self.ready.wait(15 * PATIENCE), f"{name} is not ready: {self.story()}"

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("ready"):
                self.ready.set()

    def story(self):
        told = [line for line in self.lines if not line.startswith("stats ")]
        return "\n".join([f"{self.name}:"] + told[-30:])

    def stats(self):
        """{peer: counts}"""
        if os.path.exists(self.stats_path):
            os.unlink(self.stats_path)
        self.process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + 15 * PATIENCE
        while not os.path.exists(self.stats_path):
            assert time.monotonic() < end and self.process.poll() is None, f"no statistics: {self.story()}"
            time.sleep(0.005)
        stats = self.read_stats()
        for peer, counts in stats.items():  # its gap is the longest since the last call
            self.gaps[peer] = max(self.gaps.get(peer, 0), counts["gap_ms"])
        return stats

    def read_stats(self):
        with open(self.stats_path) as file:
            return {peer["peer"]: peer for peer in json.load(file)["peers"]}

    def stop(self):
        """What is wrong with its end."""
        self.process.terminate()
        try:
            status = self.process.wait(15 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.reader.join(10)
        self.process.stdout.close()
        return [] if status == 0 else [f"{self.name}: exit status {status}: {self.story()}"]


class LiveCase(UplinksCase):
    def setUp(self):
        super().setUp()
        self.live_nodes = []
        self.metronome = Metronome()

    def live(self, family=4, watchdog=None, sections=None, triggers=None, args=()):
        """All is up, and bytes flow over up0."""
        at = {4: "10.9.0.{}", 6: "fd09::{}"}[family]
        bravo, charlie = (endpoint(at.format(n)) for n in (2, 3))
        anywhere = endpoint("0.0.0.0" if family == 4 else "::")
        self.quic("peer", "bravo", "--listen", bravo)
        alpha = self.quic("host", "alpha", "--listen", anywhere, "--dial", f"bravo={bravo}", "--socket",
                          os.path.join(self.directory, "alpha.sock"))
        self.quic("peer", "charlie", "--listen", charlie, "--dial", f"alpha={endpoint(address('up0', family))}")
        self.alpha, self.peers = alpha, {node.name: node for node in self.live_nodes if node is not alpha}
        self.pathdog = dog = self.dog(alpha, {**WATCHDOG, **(watchdog or {})}, triggers or TRIGGERS, start=False,
                                      prefix=self.lab.prefix("host"), args=args)
        dog.sections.update(SECTIONS if sections is None else sections)
        dog.start()
        for peer in self.peers:
            dog.wait_record("peer", peer=peer, state="up")
        self.wait_flow(*self.peers)
        self.wait_until(lambda: all(u["condition"] == "up" for u in self.uplinks().values()),
                        "all uplinks are up")
        self.begin()
        return dog

    def quic(self, part, name, *words):
        node = QuicNode(self, part, name, *words)
        self.live_nodes.append(node)
        return node

    def tearDown(self):
        bad = []
        for node in self.live_nodes:
            bad += node.stop()
            for peer, counts in node.read_stats().items():
                if counts["bytes_lost"] or counts["bytes_corrupt"] or not counts["bytes_verified"]:
                    bad.append(f"{node.name}: of {peer} {counts['bytes_lost']} bytes were lost, "
                               f"{counts['bytes_corrupt']} wrong, {counts['bytes_verified']} right")
        super().tearDown()
        self.assertEqual(bad, [])

    def down(self, *names):
        """From the beginning: only the others are there."""
        for name in names:
            self.lab.link(name, "down")
        self.wait_until(lambda: all(self.uplinks()[name]["condition"] != "up" for name in names), f"{names} are down")
        self.begin()

    # -- what the users have -------------------------------------------------------------------

    def begin(self):
        """From here on gaps and records count."""
        self.measure()
        for node in self.live_nodes:
            node.gaps.clear()
        self.metronome.take_ms()
        self.late_ms = 0.0
        super().begin()

    def measure(self):
        """Where each connection is: {peer: uplink}. Takes the gaps until now, too."""
        self.now = self.alpha.stats()
        for node in self.peers.values():
            node.stats()
        return {peer: uplink_of(self.now[peer].get("local")) for peer in self.peers}

    def gap_ms(self, peer):
        """The longest at either end."""
        return max(self.alpha.gaps[peer], self.peers[peer].gaps["alpha"])

    def verified(self, peers):
        alpha = self.alpha.stats()
        return [counts.get(name, {}).get("bytes_verified", 0) for peer in peers
                for counts, name in ((alpha, peer), (self.peers[peer].stats(), "alpha"))]

    def wait_flow(self, *peers, deadline=15, least=5000):
        """So many new bytes come in at both ends of all these connections."""
        before = self.verified(peers)
        self.wait_until(lambda: all(b >= a + least for a, b in zip(before, self.verified(peers))),
                        f"bytes flow to and from {peers}", deadline)

    def wait_on(self, uplink, *peers, deadline=20, moved=False):
        """Until these connections (all) use this uplink, have been moved there if `moved`, and bytes flow."""
        peers = peers or tuple(self.peers)
        self.wait_until(lambda: all(self.measure()[peer] == uplink and (self.moves(peer) or not moved)
                                    for peer in peers), f"{peers} are on {uplink}", deadline)
        self.wait_flow(*peers, deadline=deadline)

    def check_gap(self, **seconds):
        """The longest gap of each peer is at most so long, and what this machine was late."""
        self.measure()
        self.late_ms += self.metronome.take_ms()
        for peer, most_s in seconds.items():
            self.assertLessEqual(self.gap_ms(peer), 1000 * most_s + 5 * self.late_ms,
                                 f"{peer}: gap in ms (this machine was late by {self.late_ms:.0f} ms)\n"
                                 f"{self.story()}")

    def tell(self, what):
        """One line on standard error for who reads the numbers."""
        self.measure()
        self.late_ms += self.metronome.take_ms()
        parts = [f"{peer}: gap {self.gap_ms(peer):.0f} ms, {len(self.moves(peer))} moves, "
                 f"{self.now[peer]['bytes_verified']} bytes" for peer in self.peers]
        print(f"# {self.id().split('.')[-1]}: {what}: {'; '.join(parts)}; machine late {self.late_ms:.0f} ms; "
              f"{time.monotonic() - self.begun:.0f} s", file=sys.stderr, flush=True)
        if os.environ.get("E2E_STORY"):
            print(self.story(), file=sys.stderr, flush=True)

    def story(self):
        return "\n".join([self.pathdog.story(60)] + [node.story() for node in self.live_nodes])
