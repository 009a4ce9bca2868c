#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mover against a real kernel, in network namespaces. Needs root.

    selftest_mover.py MOVER_TRY [TEST…]
"""
import os
import random
import sys
import time
import unittest

if __name__ == "__main__":
    os.environ["MOVER_TRY"] = os.path.abspath(sys.argv[1])

from mover_lab import CLIENT, HOST, MASQUERADE, SECOND, SERVER, LabCase, Mover, Traffic, wait_for


class Moves(LabCase):
    """A flow in each of its situations is moved, and moved back; every datagram is counted."""

    def moves(self, part, family, masqueraded):
        if masqueraded:
            self.nft("h", MASQUERADE)
        mover = self.mover()
        traffic = Traffic(self, part, family)
        mover.commit(f"set {traffic.name()} up2")
        wait_for("the server has seen the other address",
                 lambda: traffic.peers[-1][0] == SECOND[family])
        traffic.wait()
        mover.commit(f"set {traffic.name()} -")
        old = HOST[family] if masqueraded or part == "h" else CLIENT[family]
        wait_for("the server has seen the old address", lambda: traffic.peers[-1][0] == old)
        traffic.wait()
        mover.commit(f"set {traffic.name()} up2")
        wait_for("the other address again", lambda: traffic.peers[-1][0] == SECOND[family])
        traffic.wait()
        traffic.stop()
        self.assertEqual(len(traffic.peers), 4, traffic.peers)
        self.assertEqual(traffic.errors, [])  # no EPERM, no port unreachable
        self.assertEqual(self.counter("unreachable"), 0)
        return traffic.lost()

    def test_own_v4(self):
        self.assertEqual(self.moves("h", 4, False)[1], 0)

    def test_own_v6(self):
        self.assertEqual(self.moves("h", 6, False)[1], 0)

    def test_own_masqueraded_v4(self):
        self.assertEqual(self.moves("h", 4, True)[1], 0)

    def test_own_masqueraded_v6(self):
        self.assertEqual(self.moves("h", 6, True)[1], 0)

    def test_forwarded_v4(self):
        self.assertEqual(self.moves("l", 4, False)[1], 0)

    def test_forwarded_v6(self):
        self.assertEqual(self.moves("l", 6, False)[1], 0)

    def test_forwarded_masqueraded_v4(self):
        self.assertEqual(self.moves("l", 4, True)[1], 0)

    def test_forwarded_masqueraded_v6(self):
        self.assertEqual(self.moves("l", 6, True)[1], 0)

    def test_dead(self):
        """The old uplink is silent."""
        for masqueraded in (False, True):
            if masqueraded:
                self.nft("h", MASQUERADE)
            mover = self.mover()
            for part in ("h", "l"):
                for family in (4, 6):
                    with self.subTest(part=part, family=family, masqueraded=masqueraded):
                        traffic = Traffic(self, part, family)
                        name = traffic.name()
                        self.die(1)
                        sent = traffic.sent
                        wait_for("more is sent", lambda: traffic.sent > sent + 20)
                        mover.commit(f"set {traffic.name()} up2")
                        traffic.wait()
                        traffic.stop()
                        self.assertEqual(traffic.peers[-1][0], SECOND[family])
                        self.assertEqual(traffic.errors, [])
                        mover.commit(f"set {name} -")
                        self.nft("s", "flush chain inet provider dead_in\n"
                                      "flush chain inet provider dead_out\n")
            mover.end()


class Table(LabCase):
    def test_taken_away(self):
        mover = self.mover()
        self.assertIn("table", self.ours())
        mover.commit("many 50 4 up2", "many 50 6 up1")
        self.assertEqual(mover.end(), 0)
        self.assertEqual(self.ours(), [])

    def test_thousands(self):
        mover = self.mover()
        self.assertEqual(mover.commit("many 10000 4 up2", "many 10000 6 up1")["count"], 20000)
        self.assertEqual(mover.commit("many 10000 4 up1")["count"], 20000)
        elements = self.part("h", "nft", "list", "map", "inet", "pathdog_flows", "flows4")
        self.assertEqual(elements.count("goto to_up1"), 10000)
        self.assertEqual(mover.commit("many 10000 4 -", "many 10000 6 -")["count"], 0)
        self.assertNotIn("goto", self.part("h", "nft", "list", "map", "inet", "pathdog_flows",
                                           "flows4"))
        self.assertEqual(mover.end(), 0)

    def test_adopted(self):
        """After a kill the next one has all flows, also while packets pass."""
        mover = self.mover()
        traffic = Traffic(self, "h", 4)
        mover.commit(f"set {traffic.name()} up2", "many 1000 4 up2", "many 1000 6 up1")
        traffic.wait()
        flows = mover.flows()
        rules = self.ours()
        self.assertEqual(mover.end("leave"), -9)
        traffic.wait()
        self.assertEqual(self.ours(), rules)
        mover = self.mover()
        self.assertEqual(mover.flows(), flows)
        self.assertEqual(self.ours(), rules)
        traffic.wait()
        traffic.stop()
        self.assertEqual(len(traffic.peers), 2, traffic.peers)
        self.assertEqual(traffic.lost()[1], 0)
        self.assertEqual(traffic.errors, [])
        mover.end()
        self.assertEqual(self.ours(), [])

    def test_kept_numbers(self):
        """An uplink that is there no more after a kill does not give its mark to another."""
        mover = self.mover()
        mover.commit("many 10 4 up1", "many 10 4 up2")
        mover.end("leave")
        self.ip("h", "route del default via 10.1.0.1 dev up1")
        self.ip("h", "route del default via fd01::1 dev up1")
        mover = self.mover()
        rules = [line for line in self.ours() if "fwmark 0x" in line]
        self.assertEqual(len(rules), 2, rules)
        self.assertTrue(all("fwmark 0x2000000/0x1f000000 lookup 7002" in line for line in rules))
        self.assertTrue(all(flow.endswith("up2") for flow in mover.flows()))

    def test_flushed(self):
        mover = self.mover()
        traffic = Traffic(self, "l", 6)
        mover.commit(f"set {traffic.name()} up2", "many 100 4 up2")
        for command in ("flush ruleset", "delete table inet pathdog_flows",
                        "flush chain inet pathdog_flows own",
                        "flush map inet pathdog_flows flows4"):
            with self.subTest(command):
                after = len(mover.lines)
                self.nft("h", command)
                line = mover.line("notice", after)
                self.assertRegex(line, "changed by nft, process [0-9]+; it is set up again "
                                       "with 101 moved flows")
        traffic.wait()
        wait_for("the moved address", lambda: traffic.peers[-1][0] == SECOND[6])
        listed = self.part("h", "nft", "list", "table", "inet", "pathdog_flows")
        self.assertEqual(listed.count("goto to_up2"), 101)
        mover.commit("many 100 4 -")

    def test_others_are_left_alone(self):
        """Tables, rules and routes of others are there as before, and none of their news matters."""
        self.nft("h", MASQUERADE)
        self.ip("h", "rule add fwmark 0x100/0x3f00 lookup 100 priority 1001")
        self.ip("h", "route add default via 10.2.0.1 dev up2 table 100")
        before = (self.part("h", "ip", "rule"), self.part("h", "nft", "list", "ruleset"),
                  self.part("h", "ip", "route", "show", "table", "all"))
        mover = self.mover()
        mover.commit("many 10 4 up2")
        self.nft("h", "table ip other { set s { type ipv4_addr; }; }\n"
                      "add element ip other s { 192.0.2.1 }\nflush table ip other\n"
                      "delete table ip other")
        self.assertEqual(len(mover.flows()), 10)
        self.assertFalse([line for line in mover.lines if line.startswith("notice")])
        mover.end()
        self.assertEqual(before, (self.part("h", "ip", "rule"),
                                  self.part("h", "nft", "list", "ruleset"),
                                  self.part("h", "ip", "route", "show", "table", "all")))

    def test_capability(self):
        """CAP_NET_ADMIN and no more, as another user."""
        mover = self.mover(before=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                   "--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin",
                                   "--bounding-set=-all,+net_admin", "--no-new-privs"))
        self.assertEqual(mover.commit("many 10000 4 up2")["count"], 10000)
        self.nft("h", "flush ruleset")
        mover.line("notice table inet pathdog_flows was changed by nft")
        mover.end("leave")
        mover = self.mover(before=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                   "--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin",
                                   "--bounding-set=-all,+net_admin", "--no-new-privs"))
        self.assertEqual(len(mover.flows()), 10000)
        self.assertEqual(mover.end(), 0)
        self.assertEqual(self.ours(), [])

    def test_not_permitted(self):
        mover = Mover(before=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                              "--bounding-set=-all", "--no-new-privs"))
        self.assertEqual(mover.end(), 1)
        self.assertEqual(mover.lines, ["error nftables: not permitted, CAP_NET_ADMIN is needed"])


class Kills(LabCase):
    def test_nothing_is_left(self):
        """100 000 flows and 100 kills at any moment; each time the next one takes over, and in the
        end nothing is there."""
        moment = random.Random(20261129)
        traffic = Traffic(self, "l", 4, pause_s=0.005)
        for k in range(100):
            mover = Mover()
            adopted = int(mover.line("ready").split("=")[1])
            self.assertLessEqual(adopted, 1001)
            mover.tell(f"set {traffic.name()} up{1 + k % 2}", f"many 500 4 up{1 + k % 2}",
                       f"many 500 6 up{2 - k % 2}", "commit")
            if k % 3 == 0:
                mover.line("committed")
            else:
                time.sleep(moment.random() * 0.05)
            mover.process.kill()
            mover.end()
        mover = self.mover()
        self.assertEqual(mover.commit(f"set {traffic.name()} -", "many 500 4 -",
                                      "many 500 6 -")["count"], 0)
        self.assertEqual(mover.flows(), [])
        listed = self.part("h", "nft", "list", "table", "inet", "pathdog_flows")
        self.assertNotIn("goto", listed)
        traffic.wait()
        traffic.stop()
        self.assertEqual(mover.end(), 0)
        self.assertEqual(self.ours(), [])


class Uplinks(LabCase):
    def listed(self, mover):
        after = len(mover.lines)
        mover.tell("uplinks")
        mover.line("end", after)
        return [line[4:] for line in mover.lines[after:] if line.startswith("has ")]

    def test_list(self):
        mover = self.mover()
        self.assertEqual(self.listed(mover), ["up1 4 there 10.1.0.2 10.1.0.1",
                                              "up1 6 there fd01::2 fd01::1",
                                              "up2 4 there 10.2.0.2 10.2.0.1",
                                              "up2 6 there fd02::2 fd02::1"])
        mover.end()
        mover = self.mover("up2")
        self.assertEqual(self.listed(mover), ["up2 4 there 10.2.0.2 10.2.0.1",
                                              "up2 6 there fd02::2 fd02::1"])
        after = len(mover.lines)
        mover.tell(f"set udp:{SERVER[4]}:443#10.1.0.2:1 up1", "set udp:1.1.1.1:443#10.1.0.2:1 lan")
        self.assertEqual(mover.line("error", after), "error set: No such device")

    def lost(self, loss, families, regain):
        mover = self.mover()
        traffic = Traffic(self, "l", 4)
        mover.commit(f"set {traffic.name()} up2", "many 100 4 up2", "many 100 6 up2")
        traffic.wait()
        after = len(mover.lines)
        loss()
        for family in families:
            mover.line(f"uplink up2 {family} gone", after)
        lost = sum(1 for line in mover.lines[after:] if line.startswith("lost "))
        self.assertEqual(lost, 101 * (4 in families) + 100 * (6 in families))
        self.assertEqual(len(mover.flows()), 201 - lost)
        if 4 in families:
            traffic.wait("answers over the routes")
            self.assertNotEqual(traffic.peers[-1][0], SECOND[4])
        after = len(mover.lines)
        regain()
        for family in families:
            mover.line(f"uplink up2 {family} there", after)
        mover.commit(f"set {traffic.name()} up2", "many 100 4 up2")
        wait_for("moved again", lambda: traffic.peers[-1][0] == SECOND[4])
        traffic.wait()
        mover.end()
        self.assertEqual(self.ours(), [])

    def test_route_lost(self):
        self.lost(lambda: self.ip("h", "route del default via 10.2.0.1 dev up2"), [4],
                  lambda: self.ip("h", "route add default via 10.2.0.1 dev up2 metric 200"))

    def test_address_lost(self):
        def regain():
            self.ip("h", "address add 10.2.0.2/24 dev up2")
            self.ip("h", "route replace default via 10.2.0.1 dev up2 metric 200")
        self.lost(lambda: self.ip("h", "address del 10.2.0.2/24 dev up2"), [4], regain)

    def test_link_down(self):
        def regain():
            self.ip("h", "link set up2 up")
            self.ip("h", "address replace fd02::2/64 dev up2 nodad")
            self.default_route(2)
        self.lost(lambda: self.ip("h", "link set up2 down"), [4, 6], regain)

    def test_carrier(self):
        self.lost(lambda: self.ip("s", "link set s2 down"), [4, 6],
                  lambda: (self.ip("s", "link set s2 up"),
                           self.ip("s", "address replace fd02::1/64 dev s2 nodad")))

    def test_gateway_changes(self):
        mover = self.mover()
        self.ip("s", "address add 10.2.0.9/24 dev s2")
        after = len(mover.lines)
        self.ip("h", "route replace default via 10.2.0.9 dev up2 metric 200")
        mover.line("uplink up2 4 there 10.2.0.2 10.2.0.9", after)
        wait_for("the route of moved flows", lambda: "via 10.2.0.9 dev up2" in self.part(
            "h", "ip", "route", "show", "table", "7002"))
        traffic = Traffic(self, "h", 4)
        mover.commit(f"set {traffic.name()} up2")
        wait_for("moved", lambda: traffic.peers[-1][0] == SECOND[4])

    def test_nexthop_objects(self):
        """A route by an object is an uplink; where the kernel does not tell where it leads, that is said."""
        self.ip("h", "nexthop add id 7 via 10.2.0.1 dev up2")
        self.ip("h", "route del default via 10.2.0.1 dev up2")
        self.ip("h", "route add default nhid 7 metric 200")
        mover = self.mover()
        mover.commit("many 10 4 up2")
        self.assertFalse([line for line in mover.lines if "nexthop" in line])
        self.part("h", "sysctl", "-qw", "net.ipv4.nexthop_compat_mode=0")
        self.ip("h", "route add default via 10.1.0.1 dev up1 metric 900")  # it looks again
        mover.line("notice a default route leads to a nexthop object")
        wait_for("up2 is lost", lambda: not mover.flows())
        mover.end()
        self.assertEqual(self.ours(), [])

    def test_rules_removed_by_others(self):
        mover = self.mover()
        self.part("h", "ip", "rule", "flush")
        self.ip("h", "rule add lookup main priority 32766")
        wait_for("the rules", lambda: "fwmark 0x2000000" in self.part("h", "ip", "rule"))
        self.ip("h", "route flush table 7002")
        wait_for("the route", lambda: "up2" in self.part(
            "h", "ip", "route", "show", "table", "7002"))
        mover.end()
        self.assertEqual(self.ours(), [])

    def test_strict_and_clash(self):
        self.part("h", "sysctl", "-qw", "net.ipv4.conf.up2.rp_filter=1")
        self.ip("h", "rule add from 203.0.113.1 lookup main priority 901")
        self.ip("h", "route add unreachable 203.0.113.0/24 table 7001")
        mover = self.mover()
        self.assertIn("set net.ipv4.conf.up2.rp_filter=2", mover.line("notice uplink up2"))
        self.assertIn("rule 901 of somebody else", mover.line("notice IPv4"))
        self.assertEqual([line for line in self.ours() if "lookup 7001" in line], [])
        mover.end()
        self.assertIn("from 203.0.113.1", self.part("h", "ip", "rule"))
        self.assertIn("unreachable 203.0.113.0/24",
                      self.part("h", "ip", "route", "show", "table", "7001"))

    def test_specific_routes_win(self):
        """What main knows better than by its default route goes there."""
        mover = self.mover()
        traffic = Traffic(self, "h", 4)
        self.ip("h", f"route add {SERVER[4]}/32 via 10.1.0.1 dev up1")
        mover.commit(f"set {traffic.name()} up2")
        traffic.wait()
        self.assertEqual({peer[0] for peer in traffic.peers}, {HOST[4]})


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("selftest_mover.py: needs root, for network namespaces", file=sys.stderr)
        sys.exit(77)
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:])
