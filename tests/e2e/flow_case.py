# SPDX-License-Identifier: Apache-2.0
"""A case with programs that know nothing of pathdog: the real flow-node and the real pathdog watch and move their
flows from outside. A test starts the programs, kills an uplink, and waits. Has no tests."""

import os
import re
import socket
import subprocess
import sys
import threading
import time

from flow_lab import Arrivals, FlowLab, Wiretap
from node import PATIENCE
from three_uplinks import address
from uplinks_case import SECTIONS, TRIGGERS, WATCHDOG, UplinksCase
from watchdog import environment, program


class FlowNode:
    """contrib/flow-node on the host; `path` is where pathdog finds it."""

    def __init__(self, case, **settings):
        self.name = "flow-node"
        self.path = os.path.join(case.directory, "flows.sock")
        self.lines = []
        self.prefix = case.lab.prefix("host")
        words = [f"--{name.replace('_', '-')}={value}" for name, value in
                 {"socket": self.path, "log": "text", "min_age": "500ms", **settings}.items()]
        self.process = subprocess.Popen([*self.prefix, program("flow-node", "FLOW_NODE"), *words],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, env=environment())
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        end = time.monotonic() + 15 * PATIENCE
        while not self._serves():
            assert time.monotonic() < end and self.process.poll() is None, f"flow-node is not ready: {self.story()}"
            time.sleep(0.02)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def _serves(self):
        """Is somebody at the socket? The connection counts as a pathdog that has left again."""
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(self.path)
            except OSError:
                return False
        return True

    def said(self, pattern):
        return [line for line in self.lines if re.search(pattern, line)]

    def story(self):
        return "\n".join(["flow-node:"] + self.lines[-40:])

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
        return [] if status == 0 else [f"flow-node: exit status {status}: {self.story()}"]


class FlowCase(UplinksCase):
    LAB = FlowLab
    RATE = "40mbit"

    def setUp(self):
        super().setUp()
        self.flow_node = None
        self.family = 4
        self.part = "host"
        self.lab.rate(self.RATE)

    def stage(self, part, family, port, wireguard=False):
        """Where the program runs, host or lan, and what is seen of its flow to this port."""
        self.part, self.family, self.port = part, family, port
        if part == "lan":
            self.lab.lan()
        self.tap = Wiretap(self.lab, port, family, wireguard)
        self.addCleanup(self.tap.stop)
        self.arrivals = Arrivals(self.lab, port, family)
        self.addCleanup(self.arrivals.stop)

    def watch(self, ports=None, triggers=None, watchdog=None, **settings):
        """flow-node, and pathdog beside it."""
        if self.part == "lan":
            settings["lan"] = "lan0"
        self.before_it = self.lab.left()
        self.flow_node = FlowNode(self, ports=ports or self.port, **settings)
        self.pathdog = dog = self.dog(self.flow_node, {**WATCHDOG, **(watchdog or {})}, triggers or TRIGGERS,
                                      start=False, prefix=self.lab.prefix("host"))
        dog.sections.update(SECTIONS)
        dog.start()
        self.wait_until(lambda: all(u["condition"] == "up" for u in self.uplinks().values()), "all uplinks are up")
        self.begin()
        return dog

    def begin(self):
        """From here on records and gaps count."""
        super().begin()
        self.arrivals.begin()

    def tearDown(self):
        bad = []
        if self.flow_node:
            # What pathdog did is checked while its node is there; then nothing may be left of either.
            for dog in self.dogs:
                bad += dog.finish(**self.finish_with)
            bad += self.flow_node.stop()
            bad += [f"left behind: {line}" for line in self.lab.left() if line not in self.before_it]
            if bad:
                bad.append(self.flow_node.story())
        super().tearDown()
        self.assertEqual(bad, [])

    # -- what happens to a flow -------------------------------------------------------------------------

    def wait_flow(self, server=None):
        """The flow to this address and port, or to the port of the stage, as pathdog knows it: its name."""
        server = server or f":{self.port}"

        def found():
            return [r["peer"] for r in self.pathdog.records("peer", state="up") if f"{server}#" in r["peer"]]
        self.wait_until(found, f"a flow to {server} is told")
        return found()[-1]

    def leave(self, *names, to="up1", deadline=40):
        """These uplinks die silently, and the flow is moved. Nothing else is done."""
        self.begin()
        self.lab.dead(*names)
        self.wait_until(lambda: self.on_both(names[0], to), f"the server gets one connection over {names[0]} and {to}",
                        deadline)
        self.wait_until(lambda: self.arrivals.over(to) > 10, f"what the server sends comes over {to}", deadline)

    def on_both(self, first, second):
        return self.tap.on_both(address(first, self.family), address(second, self.family))

    def check_move(self, first="up0", to="up1"):
        """pathdog has asked for it, flow-node has done it, and both say why."""
        moved = self.wait_said("outcome", "the flow is moved", outcome="migrated", target=to)
        why = self.said("decision", peer=moved["peer"], verdict="migrate")[0]
        self.assertEqual((why["uplink"], why["target"], why["kind"]), (first, to, "dead"))
        self.assertRegex(why["reason"], r"no progress for \d+ ms")
        return moved["peer"]

    def tell(self, what, **more):
        """One line on standard error for who reads the numbers."""
        decided = [f"{self.since_s(r):.1f} s {r['kind']}: {r['reason']}" for r in self.said("decision")[:1]]
        parts = [f"{name} {value}" for name, value in more.items()]
        print(f"# {self.id().split('.')[-1]}: {what}: gap {self.arrivals.gap_ms():.0f} ms; "
              f"{'; '.join(decided + parts)}", file=sys.stderr, flush=True)
        if os.environ.get("E2E_STORY"):
            print(self.story(), file=sys.stderr, flush=True)

    def story(self):
        return "\n".join([super().story(), self.flow_node.story() if self.flow_node else "",
                          f"to the server: {self.tap.connections()}; back: {self.arrivals.count}, the last "
                          f"{time.monotonic() - (self.arrivals.last or 0):.1f} s ago"])
