#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs two QUIC nodes in network namespaces with two uplinks and drives them as pathdog would.

    selftest.py QUIC_NODE [TEST ...]      needs root, ip(8) and nft(8)

Everything is local: two namespaces named qn-… on veth pairs, removed at the end.
"""
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from selftest_paths import Paths
from selftest_pathdog import PATIENCE, Pathdog
from selftest_push import Pushes
from selftest_reconnect import Reconnects
from selftest_relay import Relays
from selftest_windows import Windows

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "lib"))
import part  # noqa: E402
import schema  # noqa: E402

NODE = "./quic-node"
NODE_CHECK = os.environ.get("PATHDOG_NODE_CHECK")
PREFIX = "qn-%d" % os.getpid()


def run(*args):
    done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise AssertionError("%s: exit status %d: %s" % (
            " ".join(args), done.returncode, done.stdout.strip() or "it said nothing"))
    return done.stdout


def nft(ns, words):
    if not shutil.which("nft"):
        raise AssertionError("nft(8) is missing: apt install nftables")
    run("ip", "netns", "exec", ns, "nft", words)


class Node:
    def __init__(self, ns, name, directory, *args):
        self.socket = os.path.join(directory, name + ".sock")
        self.stats_path = os.path.join(directory, name + ".json")
        self.log = []
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", ns, NODE, "--name", name, "--socket", self.socket,
             "--stats", self.stats_path, *args],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.buffer = b""
        self.wait_event("ready")

    def read(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return False
        data = os.read(self.process.stdout.fileno(), 65536)
        self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\n")
        self.log += [line.decode() for line in lines]
        return bool(data)

    def wait_event(self, name, seconds=10, start=0):
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            for line in self.log[start:]:
                if line.split(" ")[0] == name:
                    return line
            left = deadline - time.monotonic()
            if left <= 0 or not self.read(left):
                raise AssertionError("no '%s' line: %s" % (name, "\n".join(self.log)))

    def stats(self):
        start = len(self.log)
        self.process.send_signal(signal.SIGUSR1)
        self.wait_event("stats", start=start)
        with open(self.stats_path) as f:
            return json.load(f)["total"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        while self.read(10 * PATIENCE):
            pass
        status = self.process.wait(10 * PATIENCE)
        self.process.stdout.close()
        with open(self.stats_path) as f:
            return status, json.load(f)["total"]


class Net(Paths, Pushes, Reconnects, Relays, Windows, unittest.TestCase):
    """alpha has two uplinks to bravo; the route to bravo goes over the first."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="qn-")
        self.a, self.b = PREFIX + "a", PREFIX + "b"
        self.nodes = []
        self.clients = []
        for ns in (self.a, self.b):
            run("ip", "netns", "add", ns)
            self.addCleanup(run, "ip", "netns", "del", ns)
            run("ip", "-n", ns, "link", "set", "lo", "up")
        for i in (1, 2):
            run("ip", "-n", self.a, "link", "add", "up%d" % i, "type", "veth",
                "peer", "name", "down%d" % i, "netns", self.b)
            for ns, dev, host in ((self.a, "up%d" % i, 1), (self.b, "down%d" % i, 2)):
                run("ip", "-n", ns, "addr", "add", "10.99.%d.%d/24" % (i, host), "dev", dev)
                run("ip", "-n", ns, "addr", "add", "fd99:%d::%d/64" % (i, host), "dev", dev, "nodad")
                run("ip", "-n", ns, "link", "set", dev, "up")
        for ns, dev in ((self.a, "up1"), (self.a, "up2"), (self.b, "down1"), (self.b, "down2")):
            self.wait_link(ns, dev)
        run("ip", "-n", self.b, "addr", "add", "10.99.0.2/32", "dev", "lo")
        run("ip", "-n", self.b, "addr", "add", "fd99::2/128", "dev", "lo")
        run("ip", "-n", self.a, "addr", "add", "10.99.0.1/32", "dev", "lo")
        self.route(1)

    def ip(self, ns, *words):
        return run("ip", "-n", ns, *words)

    def wait_link(self, ns, dev):
        """The kernel says that a carrier is there up to a second later."""
        deadline = time.monotonic() + 10 * PATIENCE
        while True:
            out = subprocess.run(["ip", "-n", ns, "-j", "addr", "show", "dev", dev], check=True,
                                 stdout=subprocess.PIPE).stdout
            link = json.loads(out)[0]
            if link["operstate"] == "UP":
                return
            if time.monotonic() > deadline:
                raise AssertionError("%s is not up: %s" % (dev, link))
            time.sleep(0.02)

    def tearDown(self):
        for client in self.clients:
            client.close()
        for node in self.nodes:
            if node.process.poll() is None:
                node.process.kill()
                node.process.wait()
                node.process.stdout.close()
        self.directory.cleanup()

    def route(self, i):
        run("ip", "-n", self.a, "route", "replace", "10.99.0.2", "via", "10.99.%d.2" % i)
        run("ip", "-n", self.a, "-6", "route", "replace", "fd99::2", "via", "fd99:%d::2" % i)
        run("ip", "-n", self.b, "route", "replace", "10.99.0.1", "via", "10.99.%d.1" % i)

    def filter(self, ns, words):
        nft(ns, words)

    def down2_drops(self):
        self.drops("down2")

    def drops(self, link):
        """What comes in over it, at bravo; the link itself stays up."""
        nft(self.b, "add table inet qn; add chain inet qn in { type filter hook input priority 0; }; "
            f"add counter inet qn lost; add rule inet qn in iif {link} counter name lost drop")

    def down2_dropped(self):
        out = run("ip", "netns", "exec", self.b, "nft", "-j", "list", "counters")
        return next(c["counter"]["packets"] for c in json.loads(out)["nftables"] if "counter" in c)

    def cut(self, device):
        """Nothing comes in or goes out over it at bravo; the link itself stays up."""
        nft(self.b, "add table inet cut_{0}; add chain inet cut_{0} in {{ type filter hook input priority 0; }}; "
            "add chain inet cut_{0} out {{ type filter hook output priority 0; }}; "
            "add rule inet cut_{0} in iif {0} drop; add rule inet cut_{0} out oif {0} drop".format(device))

    def heal(self, device):
        nft(self.b, "delete table inet cut_%s" % device)

    def down2_passes(self):
        nft(self.b, "delete table inet qn")

    def node(self, ns, name, *args):
        node = Node(ns, name, self.directory.name, *args)
        self.nodes.append(node)
        return node

    def pathdog(self, node):
        client = Pathdog(node.socket)
        self.clients.append(client)
        client.start()
        return client

    def pair(self, alpha=(), bravo=(), address="10.99.0.2:9100"):
        b = self.node(self.b, "bravo", "--listen", address, *bravo)
        a = self.node(self.a, "alpha", "--dial", "bravo=" + address, *alpha)
        pa, pb = self.pathdog(a), self.pathdog(b)
        return a, b, pa, pb, pa.wait_up("bravo"), pb.wait_up("alpha")

    def flows(self, node, seconds=5):
        """Waits until ten more messages were verified. Returns when it began to."""
        begun = time.monotonic()
        before = node.stats()["bytes_verified"]
        while node.stats()["bytes_verified"] < before + 1000:
            if time.monotonic() > begun + seconds * PATIENCE:
                raise AssertionError("nothing flows")
            time.sleep(0.02)
        return begun

    def heard_since(self, row, begun):
        """Something came from the peer after `begun`."""
        self.assertLessEqual(row["silent_ms"], (time.monotonic() - begun) * 1000)

    def finish(self, *nodes):
        for node in nodes:
            status, total = node.stop()
            self.assertEqual(status, 0, "\n".join(node.log))
            self.assertEqual(total["bytes_lost"], 0)
            self.assertEqual(total["bytes_corrupt"], 0)
            self.assertGreater(total["bytes_verified"], 0)
            node.total = total

    def test_a_command_that_fails_says_why(self):
        with self.assertRaisesRegex(AssertionError, "nft nonsense: exit status 1: .*syntax error"):
            nft(self.b, "nonsense")

    def test_up_and_summary(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.assertEqual(pa.peers[ca]["role"], "client")
        self.assertEqual(pb.peers[cb]["role"], "server")
        self.assertFalse(pb.peers[cb]["migratable"])
        self.assertTrue(pa.peers[ca]["local"].startswith("10.99.1.1:"))
        self.flows(a)
        one = pa.row(ca)
        begun = self.flows(a)
        two = pa.row(ca)
        self.heard_since(two, begun)
        self.assertGreater(two["srtt_us"], 0)
        for column in ("rtt_samples", "bytes_sent", "bytes_received"):
            self.assertGreater(two[column], one[column], column)
        self.assertEqual(pa.row(ca + 1), None)
        self.finish(a, b)

    def test_migrate_after_flip(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        for i in (2, 1, 2):
            self.route(i)
            answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000, "reason": "flip"})
            self.assertIn("result", answer)
            self.assertTrue(answer["result"]["validated"], answer)
            self.assertTrue(answer["result"]["local"].startswith("10.99.%d.1:" % i), answer)
            self.flows(a)
            self.flows(b)
            pa.row(ca)
            self.assertEqual(pa.peers[ca]["local"], answer["result"]["local"])
            pb.pump(lambda: pb.peers[cb]["remote"] == answer["result"]["local"], 5, "peer_path")
        self.finish(a, b)
        self.assertEqual(a.total["migrations"], 3)
        self.assertEqual(a.total["connections"], 1)

    def test_migrate_ipv6(self):
        a, b, pa, pb, ca, cb = self.pair(address="[fd99::2]:9100")
        self.route(2)
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000})
        self.assertIn("result", answer)
        self.assertTrue(answer["result"]["local"].startswith("[fd99:2::1]:"), answer)
        self.flows(a)
        self.finish(a, b)

    def test_link_down_and_flip(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        run("ip", "-n", self.a, "link", "set", "up1", "down")
        self.route(2)
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000})
        self.assertIn("result", answer)
        self.assertTrue(answer["result"]["validated"], answer)
        self.flows(a)
        self.flows(b)
        self.finish(a, b)
        self.assertLess(a.total["longest_gap_ms"], 5000)  # most of a second, and slowness

    def test_stalled_then_migrated(self):
        """The old path eats everything for 2 s: stream bytes are retransmitted on the new."""
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        run("ip", "-n", self.b, "link", "set", "down1", "down")
        pa.pump(lambda: pa.row(ca)["pto_count"] > 2, 10, "PTOs")
        row = pa.row(ca)
        self.assertGreater(row["in_flight_bytes"], 0)
        self.assertGreater(row["silent_ms"], 1500)
        self.route_alpha(2)
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000})
        self.assertIn("result", answer)
        self.assertTrue(answer["result"]["validated"], answer)
        begun = self.flows(a)
        self.flows(b)
        self.heard_since(pa.row(ca), begun)
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    def route_alpha(self, i):
        run("ip", "-n", self.a, "route", "replace", "10.99.0.2", "via", "10.99.%d.2" % i)

    def test_both_paths_dead_then_the_old_one_lives(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        run("ip", "-n", self.b, "link", "set", "down1", "down")
        self.down2_drops()
        pa.pump(lambda: pa.row(ca)["silent_ms"] > 500, 5, "silence")
        # "local" alone leaves by the route, over the old uplink: what waits there arrives later
        for bind in ({"local": "10.99.2.1"}, {"local": "10.99.2.1", "interface": "up2"}):
            answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 500, **bind})
            self.assertEqual(answer["error"]["code"], -32004)
        a.wait_event("migrate-begun")
        self.assertIn("immediate=yes", "".join(a.log))
        pa.row(ca)
        self.assertTrue(pa.peers[ca]["local"].startswith("10.99.1.1:"), pa.peers[ca])
        run("ip", "-n", self.b, "link", "set", "down1", "up")
        self.route(1)
        self.flows(a, 20)
        self.flows(b, 20)
        self.finish(a, b)
        self.assertEqual(a.total["connections"], 1)

    def test_many_migrations_in_a_row(self):
        a, b, pa, pb, ca, cb = self.pair(alpha=["--rate", "200000"])
        done = 0
        for i in range(40):
            self.route(1 + i % 2)
            answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000})
            done += "result" in answer
            # out of spare connection ids is no failure of the test: it says so
            self.assertTrue("result" in answer or answer["error"]["code"] == -32007, answer)
        self.assertGreater(done, 10)
        self.flows(a)
        self.flows(b)
        self.finish(a, b)

    def test_newer_client_replaces_older(self):
        a, b, pa, pb, ca, cb = self.pair()
        newer = self.pathdog(a)
        self.assertEqual(newer.live("bravo"), ca)
        with self.assertRaisesRegex(AssertionError, "the node closed the socket"):
            pa.pump(lambda: False, 2, "the end")
        self.flows(a)
        self.finish(a, b)

    @unittest.skipUnless(NODE_CHECK, "PATHDOG_NODE_CHECK does not say where pathdog-node-check is")
    def test_it_conforms(self):
        """Both sides of a connection, moved and reconnected, as docs/node-protocol.md wants it."""
        self.conforms(*self.pair()[:2])

    def conforms(self, a, b):
        for node, options in ((a, ["--moves", "--reconnects"]), (b, [])):
            trace = node.socket + ".trace"
            done = subprocess.run([NODE_CHECK, "--timeout", "60", "--trace", trace, *options,
                                   node.socket], stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            for check in (("move", "move-nowhere", "reconnect", "reconnect-bind", "probe-path-nowhere")
                          if options else ("summary", "counters", "columns-agree", "push")):
                self.assertRegex(done.stdout, r"(?m)^ok +%s " % check)
            if schema.jsonschema:
                bad, seen = schema.Schema().conversation(schema.read_trace(trace))
                self.assertEqual(bad[:5], [])
                self.assertIn("peer_up", seen)
        self.finish(a, b)

    def test_refusals(self):
        a, b, pa, pb, ca, cb = self.pair(bravo=["--forbid-migration"])
        self.assertEqual(pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 500})["error"]["code"], -32003)
        self.assertEqual(pb.ask("migrate_peer", {"conn": cb, "timeout_ms": 500})["error"]["code"], -32005)
        self.assertEqual(pa.ask("migrate_peer", {"conn": 99, "timeout_ms": 500})["error"]["code"], -32001)
        self.flows(a)
        self.finish(a, b)

    def test_no_route(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        run("ip", "-n", self.a, "route", "del", "10.99.0.2")
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 500})
        self.assertEqual(answer["error"]["code"], -32007)
        pa.pump(lambda: pa.row(ca)["send_errors"] > 0, 5, "send errors")
        self.route(1)
        self.flows(a)
        self.assertEqual(pa.row(ca)["send_errors"], 0)
        self.finish(a, b)

    def test_dead_new_path(self):
        """Times out by our own clock; the stream stays on the old path; busy meanwhile."""
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        self.down2_drops()
        first = pa.send("migrate_peer", {"conn": ca, "timeout_ms": 2000, "interface": "up2",
                                         "local": "10.99.2.1"})
        # bound to up2 there is a route only when one is there
        second = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 2000})
        if first in pa.answers and "error" in pa.answers[first] and \
                pa.answers[first]["error"]["code"] == -32007:
            self.fail("no way out over up2: %s" % pa.answers[first])
        self.assertEqual(second["error"]["code"], -32006)
        self.flows(a)
        answer = pa.wait(first)
        self.assertEqual(answer["error"]["code"], -32004)
        line = a.wait_event("migrate-timeout")
        self.assertIn(int(line.split("elapsed_us=")[1]) // 100000, range(20, 120), line)
        self.flows(a)
        self.flows(b)
        self.assertTrue(pa.peers[ca]["local"].startswith("10.99.1.1:"))
        # a second try, with more time, while the library still works on the first
        nft(self.b, "delete table inet qn")
        answer = pa.ask("migrate_peer", {"conn": ca, "timeout_ms": 10000, "local": "10.99.2.1"})
        self.assertIn("result", answer)
        self.assertTrue(answer["result"]["validated"], answer)
        self.flows(a)
        self.finish(a, b)

    def test_validation_outlasts_the_library(self):
        """The library gives up after 1.8 s (0.12: 4.2 s); the request has 30 s, and the path
        lives after 5."""
        a, b, pa, pb, ca, cb = self.pair()
        self.down2_drops()
        move = pa.send("migrate_peer", {"conn": ca, "timeout_ms": 30000, "interface": "up2",
                                        "local": "10.99.2.1"})
        begun = time.monotonic()
        pa.pump(lambda: time.monotonic() - begun > 5, 6, "5 s")
        self.assertNotIn(move, pa.answers)
        nft(self.b, "delete table inet qn")
        self.assertIn("result", pa.wait(move))
        self.flows(a)
        self.finish(a, b)

    def test_probe_of_an_idle_connection(self):
        a, b, pa, pb, ca, cb = self.pair(alpha=["--idle"], bravo=["--idle"])
        pa.pump(lambda: pa.row(ca)["in_flight_bytes"] == 0 and pa.row(ca)["silent_ms"] > 200, 5,
                "idle")
        before, begun = pa.row(ca)["rtt_samples"], time.monotonic()
        self.assertEqual(pa.ask("probe", {"conns": [ca]})["result"], {})
        pa.pump(lambda: pa.row(ca)["rtt_samples"] > before, 1, "an RTT sample")
        self.heard_since(pa.row(ca), begun)
        run("ip", "-n", self.b, "link", "set", "down1", "down")
        pa.ask("probe", {"conns": [ca]})
        pa.pump(lambda: pa.row(ca)["pto_count"] > 0, 5, "PTO")
        self.assertGreater(pa.row(ca)["in_flight_bytes"], 0)
        run("ip", "-n", self.b, "link", "set", "down1", "up")
        self.route(1)
        pa.pump(lambda: pa.row(ca)["pto_count"] == 0, 20, "an acknowledgement, and no PTO since")
        for node in (a, b):
            self.assertEqual(node.stop()[0], 0)

    def test_restart_of_the_peer(self):
        a, b, pa, pb, ca, cb = self.pair()
        self.flows(a)
        self.assertEqual(b.stop()[0], 0)
        b = self.node(self.b, "bravo", "--listen", "10.99.0.2:9100")
        pa.wait_up("bravo", after=ca)
        self.flows(a)
        self.flows(b)
        self.finish(a, b)

    def test_kill_of_the_peer(self):
        """Killed: ECONNREFUSED while it is away; its new process is met by the idle timeout."""
        a, b, pa, pb, ca, cb = self.pair(alpha=["--idle-timeout", "2s"])
        self.flows(a)
        b.process.kill()
        b.process.wait()
        pa.pump(lambda: ca in pa.downs or (pa.row(ca) or {"send_errors": 1})["send_errors"] > 0, 5,
                "send errors")
        b.process.stdout.close()
        b = self.node(self.b, "bravo", "--listen", "10.99.0.2:9100")
        pa.wait_up("bravo", after=ca, seconds=20)
        self.flows(a)
        self.finish(a, b)


def load_tests(_loader, tests, _pattern):
    """Of those named, or of all, the part that PART names."""
    return part.of(tests)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.geteuid() != 0:
        print("needs root for network namespaces")
        sys.exit(77)
    NODE = Net.program = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
