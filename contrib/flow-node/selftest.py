#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs flow-node on a host with two uplinks, with plain UDP programs, and drives it as pathdog would.

    selftest.py FLOW_NODE [TEST ...]      needs root, ip(8), nft(8), conntrack(8)
"""
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

import flow_case
from flow_case import (ADDRESS, HOST, LAN, PATIENCE, SERVICE, Case, Node, address_of, cut, elements, inside,
                       left_behind, owned_table, run, wait_for)
from selftest_told import Told  # noqa: F401: its tests are these

sys.path.insert(0, os.path.join(flow_case.HERE, "..", "..", "tests", "lib"))
import schema  # noqa: E402

NODE_CHECK = os.environ.get("PATHDOG_NODE_CHECK")


class Moved(Case):
    def move_and_back(self, family):
        server, client = self.server(family=family), self.client("mover", family=family)
        node, pathdog = self.start()
        conn = self.told(pathdog, client)
        cut("s0")
        answer = self.migrate(pathdog, conn, "up1")
        self.assertTrue(answer.get("result", answer).get("validated"), (answer, node.lines))
        self.assertEqual(address_of(answer["result"]["local"]), ADDRESS[family]["up1"].replace(":0:", ":"))
        client.more(10)
        self.assertEqual(pathdog.peers[conn]["interface"], "up1")
        self.assertEqual(len(server.seen["mover"]), 2)
        self.assertGreater(elements(), 0)
        cut("s0", False)
        answer = self.migrate(pathdog, conn, "up0")
        self.assertTrue(answer.get("result", answer).get("validated"), (answer, node.lines))
        client.more(10)
        self.assertNotIn("interface", pathdog.peers[conn])
        self.assertEqual(elements(), 0)
        self.assertEqual(node.stop(), 0)
        self.assertEqual(left_behind(), [])
        client.more()

    def test_move_and_back_ipv4(self):
        self.move_and_back(4)

    def test_move_and_back_ipv6(self):
        self.move_and_back(6)

    def test_a_flow_of_the_lan(self):
        inside(HOST, "nft", "add table ip home; add chain ip home post { type nat hook postrouting priority 100; };"
               "flush chain ip home post; add rule ip home post oifname { up0, up1 } masquerade")
        self.addCleanup(inside, HOST, "nft", "delete table ip home")
        server, client = self.server(), self.client("lan", where=LAN)
        client.more()
        node, pathdog = self.start("--lan", "lan0", "--local", "no")
        own = self.client("own")
        own.more(20)
        conn = self.told(pathdog, client)
        self.assertEqual(pathdog.peers[conn]["peer"], f"udp:{SERVICE[4]}:443#10.9.0.2:{client.port}")
        self.assertEqual(address_of(pathdog.peers[conn]["local"]), ADDRESS[4]["up0"])
        self.assertEqual(len(pathdog.peers), 1)
        cut("s0")
        answer = self.migrate(pathdog, conn, "up1")
        self.assertTrue(answer.get("result", answer).get("validated"), (answer, node.lines))
        client.more(10)
        self.assertEqual(server.seen["lan"], [ADDRESS[4]["up0"], ADDRESS[4]["up1"]])

    def test_there_is_no_such_uplink(self):
        self.server()
        client = self.client("none")
        _, pathdog = self.start()
        conn = self.told(pathdog, client)
        for interface in ("up9", "lan0", "lo"):
            error = self.migrate(pathdog, conn, interface)["error"]
            self.assertEqual(error["code"], -32007)
            self.assertIn(interface, error["message"])
        # Whatever is written there: the answer has what can be shown of it.
        for interface in ("", "x" * 300, "€" * 100, "x" + "€" * 100, "a/b\x1b[2J", 'up1"; flush ruleset'):
            ask = {"conn": conn, "timeout_ms": 1000, "reason": "selftest", "interface": interface}
            error = pathdog.ask("migrate_peer", ask)["error"]
            self.assertEqual(error["code"], -32007)
            self.assertIn('"%s' % interface[:10].replace("\x1b", "\\x1b"), error["message"])
            self.assertIn("is no uplink", error["message"])
            if interface:
                error = pathdog.ask("migrate_peer", dict(ask, interface="up1", local=interface))["error"]
                self.assertIn("is not the address of up1", error["message"])
        error = self.migrate(pathdog, 4711, "up1")["error"]
        self.assertEqual(error["code"], -32002)
        client.more()

    def test_no_mark_is_left(self):
        """Each uplink takes one of the mask's, and what has none is not moved to."""
        self.server()
        client = self.client("marks")
        for i in range(3):  # their names are before up0's
            inside(HOST, "ip", "link", "add", f"far{i}", "type", "veth", "peer", "name", f"near{i}")
            self.addCleanup(inside, HOST, "ip", "link", "del", f"far{i}", check=False)
            inside(HOST, "ip", "addr", "add", f"10.77.{i}.1/24", "dev", f"far{i}")
            inside(HOST, "ip", "link", "set", f"near{i}", "up")
            inside(HOST, "ip", "link", "set", f"far{i}", "up")
            inside(HOST, "ip", "route", "add", "default", "via", f"10.77.{i}.2", "dev", f"far{i}", "metric", str(900 + i))
            wait_for("its carrier", lambda: "LOWER_UP" in inside(HOST, "ip", "link", "show", f"far{i}"))
        node, pathdog = self.start("--mark-mask", "0x30")
        node.line("uplink up1: no mark is left")
        self.assertEqual(len([line for line in node.lines if "uplink up1: no mark is left" in line]), 1)
        error = self.migrate(pathdog, self.told(pathdog, client), "up1")["error"]
        self.assertEqual(error["code"], -32007)
        self.assertIn("no mark is left", error["message"])
        client.more()

    def test_an_uplink_that_carries_nothing(self):
        """Put back, and answered again there."""
        self.server()
        client = self.client("back")
        _, pathdog = self.start()
        conn = self.told(pathdog, client)
        cut("s1")
        error = self.migrate(pathdog, conn, "up1", 1000)["error"]
        self.assertEqual(error["code"], -32004)
        client.more(10)
        self.assertEqual(elements(), 0)
        pathdog.pump(lambda: pathdog.row(conn) and address_of(pathdog.peers[conn]["local"]) == ADDRESS[4]["up0"], 10,
                     "it is told where it is")

    def test_a_server_that_forbids_it(self):
        """The first time may be chance, the second is not."""
        self.server()
        self.server(port=8443)
        pinned, free = self.client("!pinned"), self.client("free", port=8443)
        node, pathdog = self.start("--ports", "443,8443")
        first, second = self.told(pathdog, pinned), self.told(pathdog, free)
        self.assertTrue(self.migrate(pathdog, second, "up1")["result"]["validated"])
        codes = []
        while -32003 not in codes and len(codes) < 20:  # a busy machine may show less than it needs
            codes.append(self.migrate(pathdog, first, "up1", 20000)["error"]["code"])
            pinned.more(10)
        self.assertEqual(set(codes), {-32004, -32003}, node.lines)
        node.line("does not follow")
        free.more(10)
        self.assertEqual(self.migrate(pathdog, first, "up1")["error"]["code"], -32003)
        pinned.more(10)

    def test_a_flow_whose_way_was_dead_stays_where_it_was_moved(self):
        server = self.server()
        client = self.client("stays")
        _, pathdog = self.start()
        conn = self.told(pathdog, client)
        server.mute = True
        pathdog.pump(lambda: pathdog.row(conn)["unacked_ms"] >= 500, 10, "unanswered")
        answer = self.migrate(pathdog, conn, "up1", 1000)
        self.assertFalse(answer["result"]["validated"], answer)
        self.assertEqual(pathdog.peers[conn]["interface"], "up1")
        server.mute = False
        client.more(10)
        self.assertEqual(server.seen["stays"][-1], ADDRESS[4]["up1"])

    def test_an_idle_flow_is_moved_unproven(self):
        server = self.server()
        client = self.client("quiet")
        _, pathdog = self.start()
        conn = self.told(pathdog, client)
        client.more()
        client.running = False
        wait_for("silence", lambda: pathdog.row(conn)["silent_ms"] > 300)
        answer = self.migrate(pathdog, conn, "up1", 500)
        self.assertFalse(answer["result"]["validated"])
        client.running = True
        client.more(10)
        self.assertEqual(server.seen["quiet"], [ADDRESS[4]["up0"], ADDRESS[4]["up1"]])

    def test_cancel_and_busy(self):
        self.server()
        client = self.client("cancel")
        _, pathdog = self.start()
        conn = self.told(pathdog, client)
        cut("s1")
        id = pathdog.send("migrate_peer", {"conn": conn, "timeout_ms": 60000, "interface": "up1"})
        self.assertEqual(self.migrate(pathdog, conn, "up1")["error"]["code"], -32006)
        pathdog.cancel(id)
        self.assertEqual(pathdog.wait(id)["error"]["code"], -32012)
        client.more(10)
        self.assertEqual(elements(), 0)

    def test_many_at_once(self):
        self.server()
        clients = [self.client(f"many{i}", every=0.2) for i in range(50)]
        node, pathdog = self.start()
        conns = [self.told(pathdog, client) for client in clients]
        cut("s0")
        ids = [pathdog.send("migrate_peer", {"conn": conn, "timeout_ms": 20000, "interface": "up1"})
               for conn in conns]
        for id in ids:
            answer = pathdog.wait(id, 30)
            self.assertTrue(answer.get("result", {}).get("validated"), (answer, node.lines))
        for client in clients:
            client.more()

    def test_the_uplink_goes_away(self):
        self.server()
        client = self.client("gone")
        node, pathdog = self.start()
        conn = self.told(pathdog, client)
        self.assertTrue(self.migrate(pathdog, conn, "up1")["result"]["validated"])
        self.addCleanup(inside, HOST, "ip", "route", "replace", "default", "via", "10.0.1.2", "dev", "up1",
                        "metric", "200")
        inside(HOST, "ip", "route", "del", "default", "dev", "up1")
        pathdog.pump(lambda: "interface" not in pathdog.peers[conn], 10, "it is told where it is now")
        client.more(10)
        self.assertEqual(self.migrate(pathdog, conn, "up1")["error"]["code"], -32007)


class Ends(Case):
    def test_an_ended_flow_takes_its_element_with_it(self):
        self.server()
        client, lives = self.client("ends"), self.client("lives")
        _, pathdog = self.start("--end-after", "1s")
        conn, other = self.told(pathdog, client), self.told(pathdog, lives)
        for one in (conn, other):
            self.assertTrue(self.migrate(pathdog, one, "up1")["result"]["validated"])
        most = elements()
        client.close()
        inside(HOST, "conntrack", "-D", "-p", "udp", "--sport", str(client.port), check=False)
        pathdog.pump(lambda: conn in pathdog.downs, 10, "it has ended")
        wait_for("its element is gone", lambda: elements() < most)
        lives.more(10)
        self.assertEqual(pathdog.peers[other]["interface"], "up1")

    def test_a_table_of_somebody_else(self):
        """Who writes a firewall's as `table` must not lose it; nor one whose maps have names of ours."""
        for content in ("chain input { type filter hook input priority 0; }",
                        "map flows4 { type ipv4_addr : verdict; elements = { 192.0.2.9 : drop }; }",
                        "map flows6 { type ipv4_addr : verdict; }", "set flows4 { type ipv4_addr; }"):
            with self.subTest(content):
                inside(HOST, "nft", "table inet my_filter { %s; }" % content)
                self.addCleanup(inside, HOST, "nft", "delete table inet my_filter", check=False)
                before = inside(HOST, "nft", "list", "ruleset")
                node = Node(self.directory, "--table", "my_filter", wait=False)
                self.addCleanup(node.stop)
                self.assertEqual(node.process.wait(PATIENCE), 2)
                node.stop()
                self.assertIn("table inet my_filter of somebody else", " ".join(node.lines))
                self.assertEqual(inside(HOST, "nft", "list", "ruleset"), before)
                self.assertEqual(left_behind(), [])
                inside(HOST, "nft", "delete table inet my_filter")

    def test_a_start_that_fails_leaves_nothing(self):
        """The table is another process's own: when that is found out, the rules are there already."""
        with owned_table():
            node = Node(self.directory, wait=False)
            self.addCleanup(node.stop)
            self.assertEqual(node.process.wait(PATIENCE), 1)
            node.stop()
            self.assertIn("nftables:", " ".join(node.lines))
        self.assertEqual(left_behind(), [])

    def test_killed_and_adopted(self):
        self.server()
        client = self.client("killed")
        node, pathdog = self.start()
        conn = self.told(pathdog, client)
        self.assertTrue(self.migrate(pathdog, conn, "up1")["result"]["validated"])
        node.stop(signal.SIGKILL)
        self.assertNotEqual(left_behind(), [])
        client.more(10)
        node, pathdog = self.start()
        node.line("1 flows had been moved before the start; 1 live")
        conn = self.told(pathdog, client)
        self.assertEqual(pathdog.peers[conn]["interface"], "up1")
        client.more(10)
        self.assertEqual(node.stop(), 0)
        self.assertEqual(left_behind(), [])
        client.more(10)

    def test_killed_again_and_again(self):
        self.server()
        client = self.client("again")
        for i in range(10):
            node = Node(self.directory, wait=i % 2 == 0)
            if i % 3 == 0 and i % 2 == 0:
                pathdog = self.connect(node)
                self.migrate(pathdog, self.told(pathdog, client), ("up0", "up1")[i % 4 == 0])
            node.stop(signal.SIGKILL)
        node, _ = self.start()
        self.assertEqual(node.stop(), 0)
        self.assertEqual(left_behind(), [])
        client.more(10)

    def test_conntrack_flushed(self):
        self.server()
        client = self.client("flush")
        _, pathdog = self.start()
        conn = self.told(pathdog, client)
        self.assertTrue(self.migrate(pathdog, conn, "up1")["result"]["validated"])
        before = pathdog.row(conn)
        inside(HOST, "conntrack", "-F", check=False)
        client.more(20)
        after = pathdog.row(conn)
        self.assertGreater(after["bytes_received"], before["bytes_received"])
        self.assertIn(conn, pathdog.peers)

    def test_ruleset_flushed(self):
        self.server()
        client = self.client("rules")
        node, pathdog = self.start()
        conn = self.told(pathdog, client)
        self.assertTrue(self.migrate(pathdog, conn, "up1")["result"]["validated"])
        inside(HOST, "nft", "flush", "ruleset")
        node.line("set up again|flushed|was removed|gone")
        wait_for("our table is there again", lambda: elements())
        client.more(20)
        self.assertEqual(pathdog.peers[conn]["interface"], "up1")
        self.assertEqual(address_of(pathdog.peers[conn]["local"]), ADDRESS[4]["up1"])

    def test_somebody_takes_one_thing_after_another(self):
        """Whatever is taken away, renamed or put between: it is set up again, and the flow can be moved."""
        self.server()
        client = self.client("picked")
        node, pathdog = self.start()
        conn = self.told(pathdog, client)
        table = "inet pathdog_flows"
        for change in (f"flush map {table} flows4", f"flush chain {table} own", f"flush chain {table} sources",
                       f"rename chain {table} own another", f"delete table {table}",
                       f"add element {table} flows4 {{ 192.0.2.1 . 192.0.2.2 . 9 . 443 : drop }}",
                       f"add chain {table} more {{ type filter hook output priority 0; policy drop; }}",
                       f"flush set {table} hold4; add element {table} hold4 {{ 192.0.2.1 . 192.0.2.2 . 9 . 443 }}"):
            with self.subTest(change):
                wait_for("it is moved", lambda: "result" in self.migrate(pathdog, conn, "up1", 1000))
                wait_for("its element", lambda: elements() == 1)
                inside(HOST, "nft", change)
                wait_for("its element is there, and nothing of theirs", lambda: elements() == 1 and not any(
                    word in inside(HOST, "nft", "list", "ruleset") for word in ("192.0.2.2", "another", "more {")))
                client.more()
                wait_for("it is moved back", lambda: "result" in self.migrate(pathdog, conn, "up0", 1000))
        self.assertEqual(node.stop(), 0)
        self.assertEqual(left_behind(), [])

    def test_the_terminal_goes(self):
        """SIGHUP is an end as others are, but to nohup(1)."""
        node, _ = self.start()
        self.assertEqual(node.stop(signal.SIGHUP), 0)
        self.assertEqual(left_behind(), [])
        node = Node(self.directory, under=("nohup",))
        self.addCleanup(node.stop)
        node.process.send_signal(signal.SIGHUP)
        self.connect(node)
        self.assertEqual(node.stop(), 0)

    def test_the_table_is_taken_over(self):
        """Another process makes it its own: that is said now and then, and it is set up as soon as that one ends."""
        self.server()
        client = self.client("taken")
        node, pathdog = self.start()
        conn = self.told(pathdog, client)
        with owned_table():
            node.line("cannot be set up again")
            time.sleep(13)
            self.assertLessEqual(len([l for l in node.lines if "cannot be set up again" in l]), 10)
            answer = self.migrate(pathdog, conn, "up1", 1000)
            self.assertIn("error", answer)
            client.more()
        wait_for("the table is there", lambda: elements() == 0)
        wait_for("it can be moved", lambda: "result" in self.migrate(pathdog, conn, "up1"))
        client.more()

    def test_a_second_one_does_not_start(self):
        node, _ = self.start()
        second = Node(self.directory, "--table", "other_table", wait=False)
        self.assertEqual(second.process.wait(PATIENCE), 75)
        second.stop()
        self.assertNotEqual(left_behind(), [])
        self.assertEqual(node.stop(), 0)


class Load(Case):
    def test_a_flood_of_a_million_short_flows(self):
        """The flow that is told goes on, its rows come, and the memory stays."""
        self.server()
        client = self.client("calm", every=0.05)
        node, pathdog = self.start()
        conn = self.told(pathdog, client)
        pid = int(run_pid(node))
        before = rss_kb(pid)
        began, rows, slowest = time.monotonic(), 0, 0
        flood = subprocess.Popen(["ip", "netns", "exec", HOST, sys.executable, "-c", FLOOD],
                                 stdin=subprocess.DEVNULL)
        while flood.poll() is None:
            asked = time.monotonic()
            self.assertIsNotNone(pathdog.row(conn))
            slowest = max(slowest, time.monotonic() - asked)
            rows += 1
        self.assertEqual(flood.returncode, 0)
        took = time.monotonic() - began
        print(f"\n# flood: {took:.1f} s, {rows} summaries, the slowest {slowest * 1000:.0f} ms, "
              f"memory {before} -> {rss_kb(pid)} KiB", file=sys.stderr)
        self.assertGreater(rows, 3)
        self.assertLess(slowest, PATIENCE / 4)
        self.assertLess(rss_kb(pid) - before, 16 << 10)
        self.assertEqual(len(pathdog.peers), 1)
        inside(HOST, "conntrack", "-F", check=False)
        client.more(10)


FLOOD = """
import socket
socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
for i in range(1000000):
    try:
        socks[i & 7].sendto(b"x", ("198.%d.%d.%d" % (18 + (i >> 19 & 1), i >> 11 & 255, i >> 3 & 255), 443))
    except OSError:
        pass
"""


def run_pid(node):
    """Of the program, which ip(8) has become."""
    return node.process.pid


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmRSS")))


class Contract(Case):
    @unittest.skipUnless(NODE_CHECK, "PATHDOG_NODE_CHECK does not say where pathdog-node-check is")
    def test_node_check(self):
        self.server()
        clients = [self.client(f"check{i}") for i in range(3)]
        node, pathdog = self.start()
        for client in clients:
            self.told(pathdog, client)
        pathdog.close()
        trace = os.path.join(self.directory, "trace")
        done = subprocess.run([NODE_CHECK, "--timeout", "60", "--moves", "--trace", trace, node.socket],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=10 * PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout)
        if schema.jsonschema:
            bad, seen = schema.Schema().conversation(schema.read_trace(trace))
            self.assertEqual(bad, [])
            self.assertIn("summaries", seen)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which flow-node inherits, also where these tests run under nohup(1)
    flow_case.PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
