# SPDX-License-Identifier: Apache-2.0
"""A case with a LAN of plain QUIC programs, and flow-node and pathdog on its gateway. Has no tests."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

from case import Case
from control_case import ctl_program
from gateway_lab import PORT, GatewayLab, Traffic, uplink_of_address
from gateway_pathdog import DEFAULTS, TRIGGERS, UPLINKS, FlowNode
from node import PATIENCE
from three_uplinks import UPLINKS as LAB_UPLINKS
from watchdog import environment, program

CONTRIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib")
sys.path += [os.path.join(CONTRIB, "demo"), os.path.join(CONTRIB, "netshim")]
from lab_case import namespace  # noqa: E402 (these are found there)
from stage import Metronome  # noqa: E402

BYSTANDER = 5000  # a port that nobody has chosen


class GatewayCase(Case):
    clients = 4
    rate = 2000

    def setUp(self):
        super().setUp()
        self.flow_nodes, self.traffic, self.bad_ends = [], None, []
        self.lab = GatewayLab(self.directory, self.clients + 2)
        self.addCleanup(self.lab.stop)
        self.lab.start()
        for name in ("up0", "up1", "lte"):
            self.lab.wires[name].set("delay", "10ms")
        self.before = self.lab.policy()
        self.metronome = Metronome()

    def flow_node(self, *words, ready=True, **more):
        node = FlowNode(self.lab, *words, **more)
        self.flow_nodes.append(node)
        if ready:
            node.wait_ready()
        return node

    def live(self, family=4, words=(), watchdog=None, sections=None, **traffic):
        """All is up: flow-node, pathdog, and flows over up0 that pathdog knows."""
        self.node_there = self.flow_node(*words)
        self.pathdog = self.dog(self.node_there, {**DEFAULTS, **(watchdog or {})}, TRIGGERS, start=False,
                                prefix=self.lab.prefix("host"))
        self.pathdog.sections.update(UPLINKS if sections is None else sections)
        self.pathdog.start()
        self.start_traffic(family, **traffic)
        self.wait_peers()
        self.wait_flow()
        self.wait_uplinks()
        self.begin()

    def start_traffic(self, family=4, **more):
        """However busy this machine is, no flow times out."""
        more.setdefault("idle_timeout", "10min")
        self.traffic = Traffic(self.lab, self.clients, self.rate, family, **more)

    def begin(self):
        """From here on gaps count."""
        self.traffic.measure()
        self.traffic.gaps.clear()
        self.metronome.take_ms()

    # -- the end ---------------------------------------------------------------------------------

    def tearDown(self):
        bad = []
        if self.traffic:
            flows = self.traffic.measure()
            bad += [f"{name}: {flow['bad']} bytes were lost or wrong" for name, flow in flows.items() if flow["bad"]]
            bad += self.traffic.stop()
        try:
            super().tearDown()
        finally:
            for node in self.flow_nodes:
                bad += node.stop()
        self.assertEqual(bad, [])
        self.assert_clean()

    def assert_clean(self):
        """On the gateway all that decides where packets go is as it was before."""
        now = self.lab.policy()
        for key, value in self.before.items():
            self.assertEqual(now[key], value, f"{key}: something was left behind, or taken away")

    # -- waiting ---------------------------------------------------------------------------------

    def wait_until(self, predicate, what, deadline=15):
        end = time.monotonic() + deadline * PATIENCE
        while not predicate():
            self.assertLess(time.monotonic(), end, f"not within {deadline * PATIENCE} s: {what}\n{self.story()}")
            time.sleep(0.1)

    def story(self):
        parts = [f"{node.name}: " + "\n".join(node.lines[-40:]) for node in self.flow_nodes]
        parts += [dog.story(40) for dog in self.dogs]
        if self.traffic:
            parts.append(json.dumps(self.traffic.measure()))
        parts.append("\n".join(self.lab.entries()[:20]))
        return "\n".join(parts)

    def wait_peers(self, count=None, deadline=30):
        """pathdog watches so many flows."""
        count = self.clients if count is None else count
        self.wait_until(lambda: len(self.peers()) >= count, f"{count} flows are told", deadline)

    def peers(self):
        return self.ctl_json("peers")

    def ctl_json(self, *words):
        done = subprocess.run([ctl_program(), "--socket", self.pathdog.control, "--json", *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment(),
                              timeout=30 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wait_uplinks(self, *names, condition="up"):
        names = names or ("up0", "up1", "lte")
        self.wait_until(lambda: all(u["condition"] == condition for u in self.ctl_json("uplinks")
                                    if u["uplink"] in names), f"{names} are {condition}")

    def on(self):
        """{client: the uplink whose address its server sees}"""
        return {name: uplink_of_address(flow["remote"]) for name, flow in self.traffic.measure().items()}

    def wait_on(self, uplink, deadline=40):
        self.wait_until(lambda: set(self.on().values()) == {uplink}, f"all flows are on {uplink}", deadline)
        self.wait_flow()

    def wait_flow(self, deadline=30, least=1000):
        """So many new bytes came in at both ends of all flows, each on the connection with which it began."""
        before = self.traffic.measure()

        def flowed():
            now = self.traffic.measure()
            return all(flow["up"] and flow["verified"] >= before[name]["verified"] + least
                       for name, flow in now.items())
        self.wait_until(flowed, "bytes flow on all flows", deadline)

    def gap_ms(self):
        """The longest at either end of any flow since begin()."""
        self.traffic.measure()
        return max(self.traffic.gaps.values())

    # -- who has not been chosen -------------------------------------------------------------------

    def bystander(self, mark=0):
        """A UDP socket in the LAN whose flow, to another port, has an entry from now on."""
        n = self.clients  # no client uses this address of the LAN
        with namespace(self.lab.names["lan"]):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.connect((self.lab.server(n), BYSTANDER))
        sock.send(b"x")
        self.assert_bystander(sock, mark=mark)
        return sock

    def assert_bystander(self, sock, uplink="up0", mark=0):
        """What it sends goes where the routes lead, by masquerade of the router's own."""
        with contextlib.suppress(ConnectionRefusedError):
            sock.send(b"x")
        own = f" sport={sock.getsockname()[1]} "
        entries = [line for line in self.lab.entries(BYSTANDER) if own in line]
        self.assertEqual(len(entries), 1, entries)
        self.assertIn(f" dst=10.0.{LAB_UPLINKS[uplink]}.2 ", entries[0])
        self.assertIn(f" mark={mark} ", entries[0])
