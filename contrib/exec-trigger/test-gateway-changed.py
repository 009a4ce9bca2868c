#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gateway-changed: with answers of ip(8) that the test gives, and where possible with the kernel's
neighbours in a network namespace."""
import importlib.machinery
import importlib.util
import io
import os
import queue
import subprocess
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "gateway-changed")
PATIENCE_S = 30

sys.dont_write_bytecode = True  # nothing beside the program
loader = importlib.machinery.SourceFileLoader("gateway_changed", PROGRAM)
program = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
loader.exec_module(program)

A, B, C = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"


class Lines(unittest.TestCase):
    def setUp(self):
        self.answers = {
            ("neigh", "show"): [{"dst": "10.0.1.1", "dev": "up0", "lladdr": A, "state": ["STALE"]},
                                {"dst": "10.0.1.9", "dev": "up0", "state": ["FAILED"]}],
            ("-4", "route", "show", "default"): [{"dst": "default", "gateway": "10.0.1.1", "dev": "up0"}],
            ("-6", "route", "show", "default"): [{"dst": "default", "nexthops": [
                {"gateway": "fe80::1", "dev": "up0"}, {"gateway": "fe80::1", "dev": "up1"}]},
                {"dst": "default", "dev": "tun0"}]}
        self.asked, program.asked = program.asked, lambda *words: self.answers[words]
        self.time, self.out = 100.0, io.StringIO()
        stderr, sys.stderr = sys.stderr, io.StringIO()
        try:
            self.watch = program.Watch(self.out, lambda: self.time)
            self.told = sys.stderr.getvalue()
        finally:
            sys.stderr = stderr

    def tearDown(self):
        program.asked = self.asked

    def said(self, *lines):
        self.out.truncate(0)
        self.out.seek(0)
        for line in lines:
            self.watch.line(line + "\n")
        return self.out.getvalue()

    def test_which_are_watched(self):
        self.assertEqual(self.told, f"watching 10.0.1.1 on up0, {A}\nwatching fe80::1 on up0, not resolved yet\n"
                                    "watching fe80::1 on up1, not resolved yet\n")

    def test_another_machine(self):
        self.assertEqual(self.said(f"10.0.1.1 dev up0 lladdr {B} REACHABLE"),
                         "EVENT=rebind\nTUNNEL=up0\nREASON=gateway 10.0.1.1 is another machine: "
                         f"{A} before, {B} now\n\n")

    def test_the_same_machine(self):
        self.assertEqual(self.said(f"10.0.1.1 dev up0 lladdr {A} REACHABLE", "10.0.1.1 dev up0 FAILED",
                                   f"10.0.1.1 dev up0 lladdr {A} STALE"), "")

    def test_other_neighbours(self):
        self.assertEqual(self.said(f"10.0.1.9 dev up0 lladdr {A} REACHABLE",
                                   f"10.0.1.9 dev up0 lladdr {B} REACHABLE"), "")

    def test_the_first_address_is_no_change(self):
        self.assertEqual(self.said(f"fe80::1 dev up1 lladdr {A} router REACHABLE"), "")
        self.assertIn("TUNNEL=up1\n", self.said(f"fe80::1 dev up1 lladdr {B} router REACHABLE"))

    def test_one_that_flaps(self):
        self.assertNotEqual(self.said(f"10.0.1.1 dev up0 lladdr {B} REACHABLE"), "")
        self.assertEqual(self.said(f"10.0.1.1 dev up0 lladdr {A} STALE", f"10.0.1.1 dev up0 lladdr {B} STALE"), "")
        self.time += 10
        self.assertIn(f"{B} before, {C} now", self.said(f"10.0.1.1 dev up0 lladdr {C} STALE"))

    def test_other_lines(self):
        self.assertEqual(self.said("", "Deleted 10.0.1.1 dev up0 lladdr " + B, "10.0.1.1 dev up0 INCOMPLETE",
                                   "10.0.1.1 dev", "x y z", "[NEIGH]10.0.1.1 dev up0 lladdr " + B), "")


NETWORK = f"""
set -e
ip link add up0 type veth peer name far0
ip link set far0 up
ip addr add 10.0.1.2/24 dev up0
ip link set up0 up
ip route add default via 10.0.1.1
ip neigh replace 10.0.1.1 lladdr {A} dev up0 nud stale
exec "$@"
"""


@unittest.skipIf(os.geteuid() != 0 or subprocess.run(
    ["unshare", "--net", "ip", "link", "add", "up0", "type", "veth", "peer", "name", "far0"], stderr=subprocess.DEVNULL).returncode,
    "needs root, and network namespaces")
class Kernel(unittest.TestCase):
    def test_a_gateway_that_is_replaced(self):
        with subprocess.Popen(["unshare", "--net", "sh", "-c", NETWORK, "sh", PROGRAM], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            lines = queue.Queue()
            threading.Thread(target=lambda: [lines.put(line) for line in process.stdout],
                             daemon=True).start()
            try:
                self.assertEqual(process.stderr.readline(), f"watching 10.0.1.1 on up0, {A}\n")
                subprocess.run(["nsenter", "--net", "--target", str(process.pid), "ip", "neigh", "replace",
                                "10.0.1.1", "lladdr", B, "dev", "up0", "nud", "stale"], check=True)
                said = [lines.get(timeout=PATIENCE_S) for _ in range(4)]
                self.assertEqual(said, ["EVENT=rebind\n", "TUNNEL=up0\n", "REASON=gateway 10.0.1.1 is "
                                        f"another machine: {A} before, {B} now\n", "\n"])
            finally:
                process.terminate()


if __name__ == "__main__":
    unittest.main(verbosity=0)
