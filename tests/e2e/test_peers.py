# SPDX-License-Identifier: Apache-2.0
"""peer_up, peer_down, peer_path: which connection is alive, in which role, at which address."""

from case import Case, cases


class Conns(Case):
    def test_a_greater_conn_replaces_the_older(self):
        node, dog = self.pair()
        node.notify("peer_up", peer="p1@h", conn=9)
        dog.wait_record("peer", state="up", conn=9)
        dog.wait_record("peer", state="down", conn=1)
        dog.moved()
        dog.decision("migrate", conn=9)
        dog.outcome("migrated", conn=9)
        self.assertEqual(dog.records("decision", conn=1), [])

    def test_a_smaller_conn_is_ignored(self):
        node, dog = self.pair()
        node.add("p9@h", 9)
        dog.wait_record("peer", state="up", conn=9)
        node.notify("peer_up", peer="p9@h", conn=5)
        node.wait_rounds(1)  # it has been read: notices come another way
        dog.moved("p9@h")
        dog.decision("migrate", conn=9)
        self.assertEqual(dog.records("peer", conn=5), [])
        self.assertEqual(dog.records("peer", state="down"), [])

    def test_the_older_one_goes_down_afterwards(self):
        node, dog = self.pair()
        node.notify("peer_up", peer="p1@h", conn=9)
        node.notify("peer_down", conn=1, reason="replaced")
        dog.wait_record("peer", state="down", conn=1)
        node.wait_rounds(1)
        dog.moved()
        dog.decision("migrate", conn=9)
        self.assertEqual(len(dog.records("peer", state="down")), 1)

    def test_told_again_without_a_difference(self):
        node, dog = self.pair()
        node.tell_up(node.peers[1])
        node.tell_up(node.peers[1])
        node.add("p2@h", 2)
        dog.wait_record("peer", state="up", conn=2)
        self.assertEqual(len(dog.records("peer", conn=1)), 1)

    def test_told_again_at_another_address_is_a_path(self):
        node, dog = self.pair()
        node.peers[1].told["local"] = "127.0.0.9:777"
        node.tell_up(node.peers[1])
        node.wait_rounds(1)
        dog.moved()
        self.assertEqual(dog.outcome("migrated")["local_before"], "127.0.0.9:777")
        self.assertEqual(len(dog.records("peer", conn=1)), 1)

    def test_peer_path_changes_the_address(self):
        node, dog = self.pair()
        node.notify("peer_path", conn=1, local="127.0.0.7:700", remote="127.0.0.8:800")
        node.wait_rounds(1)
        dog.moved()
        self.assertEqual(dog.outcome("migrated")["local_before"], "127.0.0.7:700")

    def test_down_then_up_again_with_the_same_conn(self):
        # "gone: nothing until peer_up (also of the same conn, told again)"
        node, dog = self.pair()
        node.notify("peer_down", conn=1, reason="idle_timeout")
        self.assertEqual(dog.wait_record("peer", state="down", conn=1)["reason"], "idle_timeout")
        node.tell_up(node.peers[1])
        dog.wait_record("peer", nth=2, state="up", conn=1)
        dog.moved()
        dog.decision("migrate", conn=1)

    def test_down_has_its_reason(self):
        node, dog = self.pair()
        node.down(1, "peer said goodbye")
        self.assertEqual(dog.wait_record("peer", state="down")["reason"], "peer said goodbye")

    def test_down_without_a_reason(self):
        node, dog = self.pair()
        node.notify("peer_down", conn=1)
        self.assertEqual(dog.wait_record("peer", state="down")["conn"], 1)

    def test_down_forgets(self):
        node, dog = self.pair(peers=2)
        node.down(1)
        dog.wait_record("peer", state="down", conn=1)
        dog.moved()
        dog.decision("migrate", conn=2)
        self.assertEqual([r["verdict"] for r in dog.records("decision", conn=1)
                          if r["verdict"] != "gone"], [])

    @cases({"1": 1, "2^31": 1 << 31, "2^32": 1 << 32, "2^53-1": (1 << 53) - 1})
    def test_the_whole_range_of_conns(self, conn):
        node, dog = self.pair(peers=0)
        node.add("x@h", conn)
        dog.wait_record("peer", state="up", conn=conn)
        dog.moved()
        dog.decision("migrate", conn=conn)
        self.assertEqual(node.wait_request("migrate_peer").conn, conn)

    @cases({"one byte": "x", "255 bytes": "x" * 255, "255 bytes of UTF-8": "é" * 127 + "x",
            "spaces": " a b ", "quotes": "a\"b'c\\d", "slash": "a/b", "emoji": "😀",
            "U+00A0": "a\u00a0b", "U+2028": "a\u2028b", "percent": "%s%n%d", "dots": "../x",
            "line of JSON": '{"a":1}', "glob": "a*b?[c]"})
    def test_names(self, name):
        node, dog = self.pair(peers=0)
        node.add(name, 3)
        dog.wait_record("peer", state="up", peer=name)
        dog.moved()
        self.assertEqual(dog.decision("migrate")["peer"], name)


class Roles(Case):
    @cases({"client": ({"role": "client"}, "migrate", "client"),
            "absent": ({}, "migrate", "client"),
            "server": ({"role": "server"}, "inbound", "server"),
            "other case": ({"role": "Client"}, "inbound", "server"),
            "other word": ({"role": "observer"}, "inbound", "server"),
            "empty": ({"role": ""}, "inbound", "server"),
            "not migratable": ({"migratable": False}, "disabled", "client"),
            "migratable": ({"migratable": True}, "migrate", "client"),
            "server and not migratable": ({"role": "server", "migratable": False}, "inbound",
                                          "server"),
            "not reconnectable": ({"reconnectable": False}, "migrate", "client")})
    def test_role(self, members, verdict, role):
        node, dog = self.pair(peers=0)
        node.add("x@h", 3, **members)
        self.assertEqual(dog.wait_record("peer", state="up")["role"], role)
        dog.moved()
        decision = dog.wait_record("decision")
        self.assertEqual((decision["verdict"], decision["by"]), (verdict, "migrate"))
        if verdict != "migrate":
            node.wait_rounds()
            self.assertEqual(node.moves(), [])


class Addresses(Case):
    # "An unspecified address, or one that cannot be read, counts as absent" is taken before the
    # general "an address that cannot be read spoils that message": the peer is up either way.
    @cases({"IPv4": ("192.0.2.1:443", "192.0.2.1:443"),
            "IPv6": ("[2001:db8::1]:443", "[2001:db8::1]:443"),
            "IPv6 in another form": ("[2001:0DB8:0:0::1]:443", "[2001:db8::1]:443"),
            "mapped": ("[::ffff:192.0.2.1]:443", "192.0.2.1:443"),
            "port 1": ("192.0.2.1:1", "192.0.2.1:1"),
            "port 65535": ("192.0.2.1:65535", "192.0.2.1:65535")})
    def test_read(self, told, said):
        node, dog = self.pair(peers=0)
        node.add("x@h", 3, local=told)
        dog.wait_record("peer", state="up")
        dog.moved()
        self.assertEqual(dog.outcome("migrated")["local_before"], said)

    @cases({"unspecified": "0.0.0.0:9100", "unspecified 6": "[::]:9100",
            "mapped unspecified": "[::ffff:0.0.0.0]:9100",
            "no port": "192.0.2.1", "name": "localhost:443", "empty": "", "spaces": " ",
            "port 65536": "192.0.2.1:65536", "negative port": "192.0.2.1:-1",
            "port text": "192.0.2.1:https", "octet 256": "192.0.2.256:443",
            "three octets": "192.0.2:443", "IPv6 bare": "2001:db8::1:443",
            "IPv6 without end": "[2001:db8::1:443", "IPv6 without port": "[2001:db8::1]",
            "two double colons": "[2001::db8::1]:443", "long": "1" * 5000 + ":1",
            "IPv4 in brackets": "[192.0.2.1]:443", "trailing": "192.0.2.1:443x"})
    def test_absent(self, told):
        node, dog = self.pair(peers=0)
        node.add("x@h", 3, local=told)
        dog.wait_record("peer", state="up")
        dog.moved()
        self.assertIsNone(dog.outcome("migrated")["local_before"])

    def test_absent_is_null(self):
        node, dog = self.pair(peers=0)
        node.add("x@h", 3)
        dog.wait_record("peer", state="up")
        dog.moved()
        self.assertIsNone(dog.outcome("migrated")["local_before"])

    def test_the_answer_names_the_new_local_address(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.answer({"local": "127.0.0.3:555", "validated": True}))
        dog.moved()
        first = dog.outcome("migrated")
        self.assertEqual((first["local_before"], first["local_after"], first["validated"]),
                         ("127.0.0.1:9001", "127.0.0.3:555", True))
        dog.moved()
        self.assertEqual(dog.outcome("migrated", nth=2)["local_before"], "127.0.0.3:555")
