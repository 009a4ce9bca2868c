# SPDX-License-Identifier: Apache-2.0
"""Tests of selftest.py about what is told: which flows, whose, and their rows."""
import os
import socket

import flow_case
from flow_case import ADDRESS, HOST, SERVER, SERVICE, Case, address_of, elements, inside, namespace, run, wait_for


class Told(Case):
    def test_a_flow_is_told_with_its_rows(self):
        self.server()
        client = self.client("a")
        _, pathdog = self.start()
        self.assertEqual(sorted(pathdog.hello["features"]), ["bind", "push"])
        conn = self.told(pathdog, client)
        peer = pathdog.peers[conn]
        self.assertEqual(peer["peer"], f"udp:{SERVICE[4]}:443#{client.port}@root")
        self.assertEqual(peer["remote"], f"{SERVICE[4]}:443")
        self.assertEqual(peer["local"], f"{ADDRESS[4]['up0']}:{client.port}")
        self.assertEqual(peer.get("role", "client"), "client")
        self.assertFalse(peer["reconnectable"])
        self.assertNotIn("interface", peer)
        row = pathdog.row(conn)
        self.assertEqual(set(row), {"conn", "bytes_sent", "bytes_received", "packets_sent", "pto_us", "silent_ms", "unacked_ms"})
        self.assertGreater(row["bytes_sent"], 1000)
        client.more(20)
        later = pathdog.row(conn)
        for column in ("bytes_sent", "bytes_received", "packets_sent"):
            self.assertGreater(later[column], row[column])
        self.assertEqual(later["unacked_ms"], 0)

    def test_an_idle_flow_awaits_nothing(self):
        self.server()
        client = self.client("idle")
        _, pathdog = self.start()
        conn = self.told(pathdog, client)
        client.more()
        client.running = False
        wait_for("two seconds of silence", lambda: pathdog.row(conn)["silent_ms"] > 2000)
        self.assertEqual(pathdog.row(conn)["unacked_ms"], 0)
        client.running = True
        client.more()
        pathdog.pump(lambda: pathdog.row(conn)["silent_ms"] < 1000, 10, "it is heard again")

    def test_what_is_short_or_another_port_is_not_told(self):
        self.server()
        self.server(port=444)
        long, other = self.client("long"), self.client("other", port=444)
        short = self.client("short", every=1000)
        _, pathdog = self.start("--min-bytes", "4K")
        self.told(pathdog, long)
        other.more(20)
        long.more(100)
        pathdog.ask("summary")
        names = " ".join(p["peer"] for p in pathdog.peers.values())
        self.assertIn(f"#{long.port}", names)
        self.assertNotIn(f":444#", names)
        self.assertNotIn(f"#{short.port}", names)

    def test_a_flow_whose_entry_the_server_made(self):
        """Its packet was under way when the tracking began, or somebody flushed the table."""
        server = self.server()
        client = self.client("turned", every=1000)
        wait_for("the server knows it", lambda: "turned" in server.first)
        node, pathdog = self.start("--min-bytes", "0")
        inside(HOST, "conntrack", "-F", check=False)
        for _ in range(3):
            server.sock.sendto(b"x" * 1000, server.first["turned"])
        conn = self.told(pathdog, client)
        client.every = 0.02
        client.more(0)
        self.assertEqual(address_of(pathdog.peers[conn]["local"]), ADDRESS[4]["up0"])

    def test_an_unanswered_flow_is_pushed(self):
        server = self.server()
        client = self.client("push")
        _, pathdog = self.start()
        conn = self.told(pathdog, client)
        pathdog.pushed.clear()
        server.mute = True
        pathdog.pump(lambda: [r for r in pathdog.pushed if r["conn"] == conn and r["unacked_ms"] >= 500], 10,
                     "a row unasked")
        server.mute = False
        client.more()
        pathdog.pump(lambda: pathdog.row(conn)["unacked_ms"] == 0, 10, "answered again")

    def test_whose_flows(self):
        self.server()
        client = self.client("user")
        node, pathdog = self.start("--users", "root")
        self.told(pathdog, client)
        self.assertEqual(node.stop(), 0)
        node, pathdog = self.start("--users", "nobody")
        client.more(50)
        with namespace(HOST):
            os.seteuid(65534)
            try:
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            finally:
                os.seteuid(0)
        other = self.client("nobody", sock=sock)  # begun later, found later
        conn = self.told(pathdog, other)
        self.assertTrue(pathdog.peers[conn]["peer"].endswith("@nobody"))
        self.assertEqual(list(pathdog.peers), [conn])

    def vpn(self):
        """Another way to the server, to which a rule leads whatever has no mark, as wg-quick has it."""
        run("ip", "link", "add", "vpn0", "netns", HOST, "type", "veth", "peer", "name", "s9", "netns", SERVER)
        self.addCleanup(inside, HOST, "ip", "link", "del", "vpn0", check=False)
        inside(HOST, "ip", "addr", "add", "10.7.0.1/24", "dev", "vpn0")
        inside(SERVER, "ip", "addr", "add", "10.7.0.2/24", "dev", "s9")
        inside(HOST, "ip", "link", "set", "vpn0", "up")
        inside(SERVER, "ip", "link", "set", "s9", "up")
        inside(HOST, "ip", "route", "add", "default", "via", "10.7.0.2", "dev", "vpn0", "table", "4242")
        inside(HOST, "ip", "rule", "add", "pref", "32000", "not", "fwmark", "0xca6c", "lookup", "4242")
        self.addCleanup(inside, HOST, "ip", "rule", "del", "pref", "32000")

    def test_what_goes_into_a_vpn_stays_there(self):
        """On an uplink it would be seen by everybody."""
        self.vpn()
        self.server()
        self.server(family=6)
        hidden = self.client("hidden")
        self.assertEqual(hidden.address, "10.7.0.1")
        node, pathdog = self.start()
        hidden.more(30)
        other = self.client("other", family=6)  # begun later, found later
        self.told(pathdog, other)
        self.assertEqual([p["peer"] for p in pathdog.peers.values() if f"#{hidden.port}" in p["peer"]], [])
        out = inside(HOST, flow_case.PROGRAM, "--list", "--min-age", "0", "--min-bytes", "0")
        self.assertIn(f":443#{other.port}", out)
        self.assertNotIn(f":443#{hidden.port}", out)

    def test_the_tunnel_of_a_vpn_is_told(self):
        """What is not marked goes into the tunnel; its own packets are, and do not."""
        self.vpn()
        self.server()
        with namespace(HOST):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, 36, 0xca6c)  # SO_MARK
        client = self.client("tunnel", sock=sock)
        self.assertEqual(client.address, ADDRESS[4]["up0"])
        node, pathdog = self.start()
        conn = self.told(pathdog, client)
        answer = self.migrate(pathdog, conn, "up1")
        self.assertTrue(answer.get("result", answer).get("validated"), (answer, node.lines))

    def test_a_server_with_a_route_of_its_own(self):
        self.server()
        client = self.client("specific")
        node, pathdog = self.start()
        conn = self.told(pathdog, client)
        inside(HOST, "ip", "route", "add", SERVICE[4], "via", "10.0.0.2", "dev", "up0")
        self.addCleanup(inside, HOST, "ip", "route", "del", SERVICE[4], check=False)
        error = self.migrate(pathdog, conn, "up1")["error"]
        self.assertEqual(error["code"], -32007)
        self.assertIn("route of its own", str(error))
        inside(HOST, "ip", "route", "change", "blackhole", SERVICE[4])
        self.assertIn("nothing may go there", str(self.migrate(pathdog, conn, "up1")["error"]))
        self.assertEqual(elements(), 0)

    def test_list(self):
        self.server()
        client = self.client("list")
        self.start()
        client.more(20)
        out = inside(HOST, flow_case.PROGRAM, "--list", "--min-age", "0", "--min-bytes", "0")
        self.assertRegex(out, rf"(?m)^udp:{SERVICE[4]}:443#{client.port}@root +{ADDRESS[4]['up0']}:{client.port} ")
