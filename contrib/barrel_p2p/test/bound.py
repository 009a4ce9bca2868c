# SPDX-License-Identifier: Apache-2.0
"""Features bind and probe_path on a host with two uplinks: what leaves by which, and from where.

A network namespace with up0 (the default route) and up1, and behind both a listener, which remembers from
where packets came. The bridge on stand-ins, whose connections have sockets as erlang_quic's, and a small client.
"""
import ast
import itertools
import json
import os
import shutil
import socket
import tempfile
import unittest

import netns
from node import PATIENCE

PEER = "10.99.0.1"
UP0, UP1 = "10.77.1.2", "10.77.2.2"
PEER6 = "fd99::1"
UNUSABLE = netns.usable()
# May do nothing that root may: a socket is then bound to an interface once.
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


class Client:
    """One request at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60 * PATIENCE)
        self.socket.connect(path)
        self.lines = self.socket.makefile()
        self.ids = itertools.count(1)
        self.notes = []

    def ask(self, method, **params):
        number = next(self.ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.socket.sendall((json.dumps(request) + "\n").encode())
        while True:
            answer = json.loads(self.lines.readline())
            if answer.get("id") == number:
                return answer.get("result", answer.get("error"))
            self.notes.append((answer["method"], answer["params"]))

    def close(self):
        self.lines.close()
        self.socket.close()


class Bound(unittest.TestCase):
    node_type = None  # of e2e_test.py, which runs this

    def setUp(self):
        if UNUSABLE:
            self.skipTest(UNUSABLE)
        self.directory = tempfile.mkdtemp(prefix="bound-")
        self.host = netns.Host()
        self.addCleanup(self.host.stop)
        self.host.start()
        self.host.default("up1", "metric", "200", action="append")
        for number in (1, 2):
            far = ("ip", "-n", self.host.far)
            netns.run(*far, "addr", "add", f"10.77.{number}.1/24", "dev", f"r{number - 1}")
            netns.run(*far, "addr", "add", f"fd77:{number}::1/64", "dev", f"r{number - 1}", "nodad")
        for address in (PEER + "/32", PEER6 + "/128"):
            netns.run("ip", "-n", self.host.far, "addr", "add", address, "dev", "lo")
        self.host.ip("-6", "route", "add", "default", "via", "fd77:2::1", "dev", "up1", "metric", "2048")
        self.nodes = []
        self.far = self.start(("ip", "netns", "exec", self.host.far), "far")

    def tearDown(self):
        for node in self.nodes:
            node.stop()
            node.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self, prefix, name):
        directory = os.path.join(self.directory, name)
        os.mkdir(directory)
        node = self.node_type(directory, "[{prefer, migrate}]", prefix)
        self.nodes.append(node)
        return node.start()

    def listen(self, address):
        ip = ", ".join(str(part) for part in erlang(address))
        self.far.tell(f"begin {{P, W}} = standin_listener:start({{{ip}}}, 9100), "
                      "register(listener, P), W end")
        return f"{{{{{ip}}}, 9100}}"

    def seen(self):
        """The addresses from where packets have come since the last look."""
        text = self.far.tell("[inet:ntoa(Ip) || {Ip, _} <- standin_listener:seen(whereis(listener))]")
        return set(ast.literal_eval(text))

    def connected(self, address=PEER, role="client", prefix=()):
        """The bridge in the host's namespace, a client of it, and the conn of b@h."""
        where = self.listen(address)
        node = self.start(tuple(self.host.prefix) + prefix, "node")
        node.tell(f"standin_net:listens('b@h', {where})")
        node.up("b@h", role)
        client = Client(node.path)
        self.addCleanup(client.close)
        hello = client.ask("hello", protocol=[1])
        self.assertLessEqual({"bind", "probe_path"}, set(hello["features"]))
        client.ask("subscribe")
        return node, client, client.notes[-1][1]["conn"]

    def move(self, client, method, conn, **where):
        return client.ask(method, conn=conn, timeout_ms=10000, **where)

    def address(self, result):
        return result["local"].rsplit(":", 1)[0].strip("[]")

    # -----------------------------------------------------------------------------------------

    def test_probes_leave_by_the_interface(self):
        _, client, conn = self.connected()
        for where, source in (({}, UP0), ({"interface": "up1"}, UP1), ({"interface": "up0"}, UP0)):
            result = self.move(client, "probe_path", conn, **where)
            self.assertGreaterEqual(result["rtt_us"], 0, result)
            self.assertEqual(self.seen(), {source}, where)

    def test_a_dead_uplink_and_one_that_lives(self):
        _, client, conn = self.connected()
        ip = ", ".join(UP0.split("."))
        self.far.tell(f"standin_listener:set(whereis(listener), {{deaf_to, {{{ip}}}}})")
        dead = client.ask("probe_path", conn=conn, timeout_ms=500, interface="up0")
        self.assertEqual(dead["code"], -32004, dead)
        self.assertIn("rtt_us", self.move(client, "probe_path", conn, interface="up1"))

    def test_a_connection_moves_there_and_back(self):
        node, client, conn = self.connected()
        for interface, source in (("up1", UP1), ("up0", UP0), ("up1", UP1)):
            result = self.move(client, "migrate_peer", conn, interface=interface)
            self.assertEqual((self.address(result), result["validated"]), (source, True))
            self.assertEqual(self.seen(), {source})
            path = client.notes[-1]
            self.assertEqual((path[0], path[1]["interface"], self.address(path[1])),
                             ("peer_path", interface, source))
        # not once by a new socket, which would not be bound in its first moment
        self.assertEqual(node.info("b@h", "migrations"), 0)
        self.assertEqual(self.address(self.move(client, "migrate_peer", conn, local=UP0)), UP0)
        self.assertEqual(self.seen(), {UP0})

    def test_without_privilege(self):
        node, client, conn = self.connected(prefix=UNPRIVILEGED)
        for n, (interface, source) in enumerate((("up1", UP1), ("up0", UP0), ("up1", UP1))):
            result = self.move(client, "migrate_peer", conn, interface=interface)
            self.assertEqual((self.address(result), result["validated"]), (source, True))
            self.assertEqual(node.info("b@h", "migrations"), n)
        self.assertIn("rtt_us", self.move(client, "probe_path", conn, interface="up0"))
        result = self.move(client, "reconnect_peer", conn, interface="up0")
        up = [params for name, params in client.notes if name == "peer_up"][-1]
        self.assertEqual((up["conn"], self.address(up)), (result["conn"], UP0))

    def test_a_reconnect_comes_from_there(self):
        _, client, conn = self.connected()
        for where, source in (({"interface": "up1"}, UP1), ({"interface": "up0"}, UP0),
                              ({"local": UP1}, UP1)):
            conn = self.move(client, "reconnect_peer", conn, **where)["conn"]
            up = [params for name, params in client.notes if name == "peer_up"][-1]
            self.assertEqual((up["conn"], self.address(up)), (conn, source))
            self.assertEqual(up.get("interface"), where.get("interface"))
        # and the next one follows the routes again
        conn = self.move(client, "reconnect_peer", conn)["conn"]
        up = [params for name, params in client.notes if name == "peer_up"][-1]
        self.assertEqual((up["conn"], self.address(up)), (conn, UP0))

    def test_one_that_is_not_bound_is_told_where_it_began(self):
        _, client, conn = self.connected()
        self.assertEqual(self.address(client.notes[-1][1]), UP0)
        # pathdog acts upon the change of the route if the connection is not said to be there
        self.host.default("up1")
        client.ask("summary")
        client.ask("summary")
        self.assertNotIn("peer_path", [name for name, _ in client.notes])
        result = self.move(client, "migrate_peer", conn)
        self.assertEqual((self.address(result), self.seen()), (UP1, {UP1}))

    def test_an_inbound_one_reconnects_from_there(self):
        _, client, conn = self.connected(role="server")
        self.move(client, "reconnect_peer", conn, interface="up1")
        up = [params for name, params in client.notes if name == "peer_up"][-1]
        self.assertEqual((up["role"], self.address(up)), ("client", UP1))

    def test_refused_with_the_reason_and_nothing_is_closed(self):
        _, client, conn = self.connected()
        self.host.ip("link", "add", "bare0", "type", "veth", "peer", "name", "lone0")
        self.host.ip("link", "set", "bare0", "up")
        self.host.ip("link", "add", "down0", "type", "veth", "peer", "name", "other0")
        self.host.ip("addr", "add", "10.88.0.1/24", "dev", "down0")
        self.host.ip("addr", "add", "10.89.0.1/24", "dev", "lone0")
        self.host.ip("link", "set", "lone0", "up")
        for interface, text in (("up9", "there is no interface up9"),
                                ("bare0", "the interface bare0 has no IPv4 address"),
                                ("down0", "the interface down0 is down")):
            for method in ("migrate_peer", "reconnect_peer", "probe_path"):
                error = self.move(client, method, conn, interface=interface)
                self.assertEqual((error["code"], error["message"]), (-32007, "no_path: " + text))
        # no gateway there: nothing answers, and it is not for this side to know
        self.assertEqual(client.ask("probe_path", conn=conn, timeout_ms=300, interface="lone0")["code"], -32004)
        error = self.move(client, "reconnect_peer", conn, interface="up1", local=UP0)
        self.assertEqual(error["message"], f"no_path: {UP0} is not an address of up1")
        self.assertEqual([n for n, _ in client.notes], ["peer_up"])

    def test_over_ipv6(self):
        _, client, conn = self.connected(PEER6)
        for interface, source in (("up1", "fd77:2::2"), ("up0", "fd77:1::2")):
            self.assertIn("rtt_us", self.move(client, "probe_path", conn, interface=interface))
            self.assertEqual(self.seen(), {source})
            result = self.move(client, "migrate_peer", conn, interface=interface)
            self.assertEqual(self.address(result), source)
            self.assertEqual(self.seen(), {source})
        self.host.ip("-6", "addr", "flush", "dev", "up1", "scope", "global")
        error = self.move(client, "probe_path", conn, interface="up1")
        self.assertEqual(error["message"], "no_path: the interface up1 has no IPv6 address")


def erlang(address):
    """The parts of an address, as Erlang writes it."""
    if ":" not in address:
        return [int(part) for part in address.split(".")]
    packed = socket.inet_pton(socket.AF_INET6, address)
    return [int.from_bytes(packed[i:i + 2], "big") for i in range(0, 16, 2)]
