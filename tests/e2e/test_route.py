# SPDX-License-Identifier: Apache-2.0
"""triggers.md, "route": the daemon runs in a network namespace with two uplinks; the node speaks to
it through the file system. Who is moved, and how often, is all that counts.

conn 9 is the canary: its own prefix 203.0.113.0/24 is flipped last. When that decision is there,
everything before has been looked at.
"""

import time
import unittest

import netns
from case import Case, cases
from control_case import ControlCase

UNUSABLE = netns.usable()


@unittest.skipIf(UNUSABLE, UNUSABLE)
class RouteCase(Case):
    def start(self, peers=3, options=None, watchdog=None, before=(), features=(), **members):
        """peers 192.0.2.N over the default way out, and the canary."""
        self.host = netns.Host()
        self.addCleanup(self.host.stop)
        self.host.start()
        for args in before:
            self.host.ip(*args)
        node = self.node(features=list(features)) if features else self.node()
        node.on("migrate_peer", self.migrated)
        for conn in range(1, peers + 1):
            node.add(f"p{conn}@h", conn if conn < 9 else conn + 1,
                     **{"remote": f"192.0.2.{conn}:443", **members})
        node.add("canary@h", 9, remote="203.0.113.9:443")
        dog = self.dog(node, watchdog, {"route": {"settle": "0", **(options or {})}},
                       prefix=self.host.prefix)
        node.wait_subscribed()
        node.wait_rounds(1)  # the ways out have been looked up since
        return node, dog

    @staticmethod
    def migrated(request):
        # no local address: one that the node names would be the source of the next lookup
        request.answer({"validated": True})

    def settled(self, dog):
        self.host.ip("route", "add", "203.0.113.0/24", "via", "10.77.2.1", "dev", "up1")
        dog.decision("migrate", conn=9)

    def moved(self, dog):
        return sorted(r["conn"] for r in dog.records("decision") if r["conn"] != 9)


class Changes(RouteCase):
    def test_the_default_route_flips(self):
        # with a window: lookups for another reason (an address got ready) may be under way at the
        # flip, and see it for some peers before its own event does for the others
        node, dog = self.start(options={"settle": "2s"})
        self.host.default("up1")
        for conn in (1, 2, 3, 9):
            decision = dog.decision("migrate", conn=conn)
            self.assertEqual((decision["trigger"], decision["kind"]), ("route", "moved"))
        for word in ("up0", "10.77.1.1", "up1", "10.77.2.1"):
            self.assertIn(word, decision["reason"])
        self.assertEqual(len({r["cause"] for r in dog.records("decision")}), 1)
        cause = dog.wait_record("cause")
        self.assertEqual((cause["advised"], cause["verdicts"]), (4, {"migrate": 4}))
        evidence = decision["evidence"]
        self.assertEqual((evidence["oif_before"], evidence["oif_after"]), ("up0", "up1"))

    def settled_after(self, change, *expected, **start):
        node, dog = self.start(**start)
        change(self.host)
        self.settled(dog)
        self.assertEqual(self.moved(dog), sorted(expected))
        return node, dog

    FLIPS = {
        "replaced": lambda h: h.default("up1"),
        "a better metric": lambda h: h.ip("route", "append", "default", "via", "10.77.2.1", "dev",
                                          "up1") or h.ip("route", "del", "default", "dev", "up0"),
        "another gateway": lambda h: h.ip("route", "replace", "default", "via", "10.77.1.254",
                                          "dev", "up0"),
        "the halves of a VPN": lambda h: [h.ip("route", "add", half, "via", "10.77.2.1", "dev",
                                               "up1") for half in ("0.0.0.0/1", "128.0.0.0/1")],
        "a more specific route": lambda h: h.ip("route", "add", "192.0.2.0/24", "dev", "up1"),
        "a rule": lambda h: [h.ip("route", "add", "default", "via", "10.77.2.1", "dev", "up1",
                                  "table", "100"),
                             h.ip("rule", "add", "to", "192.0.2.0/24", "lookup", "100")],
        "a nexthop object": lambda h: [h.ip("nexthop", "add", "id", "7", "via", "10.77.2.1", "dev",
                                            "up1"),
                                       h.ip("route", "replace", "192.0.2.0/24", "nhid", "7")],
        "a new interface": lambda h: [h.ip("link", "add", "tun9", "type", "veth", "peer", "tun9b"),
                                      h.ip("link", "set", "tun9b", "up"),
                                      h.ip("link", "set", "tun9", "up"),
                                      h.ip("route", "add", "192.0.2.0/24", "dev", "tun9")],
    }

    @cases(FLIPS)
    def test_all_are_moved_once(self, change):
        self.settled_after(change, 1, 2, 3)

    QUIET = {
        "an identical replace": lambda h: h.default("up0"),
        "another metric": lambda h: [h.default("up0", "metric", "50"),
                                     h.ip("route", "del", "default", "metric", "0")],
        "a worse route": lambda h: h.default("up1", "metric", "900", action="add"),
        "a route to elsewhere": lambda h: h.ip("route", "add", "198.51.100.0/24", "via",
                                               "10.77.2.1"),
        "MTU of the route": lambda h: h.default("up0", "mtu", "1400"),
        "MTU of the link": lambda h: h.ip("link", "set", "up0", "mtu", "1400"),
        "a preferred source": lambda h: [h.ip("addr", "add", "10.77.1.3/24", "dev", "up0"),
                                         h.default("up0", "src", "10.77.1.3")],
        "an address more": lambda h: h.ip("addr", "add", "10.77.1.9/24", "dev", "up0"),
        "an address less elsewhere": lambda h: h.ip("addr", "del", "10.77.2.2/24", "dev", "up1")
        or h.ip("addr", "add", "10.77.2.2/24", "dev", "up1"),
        "the other uplink down and up": lambda h: [h.ip("link", "set", "up1", "down"),
                                                   h.ip("link", "set", "up1", "up")],
        "a rule for elsewhere": lambda h: h.ip("rule", "add", "to", "198.51.100.0/24", "lookup",
                                               "100"),
        "IPv6 only": lambda h: h.default6("up1"),
        "promiscuous": lambda h: h.ip("link", "set", "up0", "promisc", "on"),
        "an empty table": lambda h: h.ip("rule", "add", "to", "192.0.2.0/24", "lookup", "100"),
        "containers come and go": lambda h: [
            h.ip("link", "add", "docker0", "type", "bridge"), h.ip("link", "set", "docker0", "up"),
            h.ip("addr", "add", "172.17.0.1/16", "dev", "docker0"),
            h.ip("link", "add", "veth1a", "type", "veth", "peer", "name", "veth1b"),
            h.ip("link", "set", "veth1a", "master", "docker0"), h.ip("link", "set", "veth1a", "up"),
            h.ip("link", "set", "veth1b", "up"), h.ip("link", "del", "veth1a"),
            h.ip("link", "del", "docker0")],
    }

    @cases(QUIET)
    def test_nobody_is_moved(self, change):
        self.settled_after(change)

    def test_only_whom_it_concerns(self):
        self.settled_after(lambda h: h.ip("route", "add", "192.0.2.2/32", "via", "10.77.2.1"), 2)

    def test_back_again_is_another_move(self):
        node, dog = self.start(watchdog={"move_burst": "50"})
        for number, link in enumerate(("up1", "up0", "up1"), 1):
            self.host.default(link)
            for conn in (1, 2, 3):
                dog.outcome("migrated", nth=number, conn=conn)
        self.settled(dog)
        self.assertEqual(self.moved(dog), sorted([1, 2, 3] * 3))

    @cases({"link down": lambda h: h.ip("link", "set", "up0", "down"),
            "link deleted": lambda h: h.ip("link", "del", "up0"),
            "address removed": lambda h: h.ip("addr", "del", "10.77.1.2/24", "dev", "up0")})
    def test_failover_to_the_second_default(self, change):
        self.settled_after(change, 1, 2, 3, before=[
            ("route", "add", "default", "via", "10.77.2.1", "dev", "up1", "metric", "200")])

    def test_ipv6(self):
        node, dog = self.start(peers=1)
        node.add("six@h", 20, remote="[2001:db8::5]:443")
        node.wait_rounds(1)
        self.host.default6("up1")
        dog.decision("migrate", conn=20)
        self.settled(dog)
        self.assertEqual(self.moved(dog), [20])

    def test_mapped_addresses_are_ipv4(self):
        node, dog = self.start(peers=1, remote="[::ffff:192.0.2.1]:443")
        self.host.default6("up1")
        self.host.default("up1")
        dog.decision("migrate", conn=1)

    def test_unknown_remotes_follow_the_default(self):
        node, dog = self.start(peers=2, remote=None)
        self.host.default("up1")
        dog.decision("migrate", conn=1)
        dog.decision("migrate", conn=2)

    def test_a_thousand_unrelated_routes(self):
        node, dog = self.start()
        self.host.batch([f"route add 198.18.{i // 250}.{i % 250 + 1}/32 via 10.77.2.1"
                         for i in range(5000)])
        self.settled(dog)
        self.assertEqual(self.moved(dog), [])
        self.host.default("up1")
        for conn in (1, 2, 3):
            dog.decision("migrate", conn=conn)

    def test_a_storm_of_flips_ends_where_the_kernel_ends(self):
        node, dog = self.start(options={"settle": "300ms"},
                               watchdog={"move_burst": "1000"})
        begin = time.monotonic()
        self.host.batch([line for _ in range(400) for line in (
            "route replace default via 10.77.2.1 dev up1",
            "route replace default via 10.77.1.1 dev up0")]
            + ["route replace default via 10.77.2.1 dev up1"])
        for conn in (1, 2, 3):
            def ends_on_up1(conn=conn):
                done = dog.records("decision", conn=conn, verdict="migrate")
                return done and done[-1]["evidence"]["oif_after"] == "up1"
            dog.wait_for(ends_on_up1, what=f"conn {conn} moved to up1")
        self.settled(dog)
        windows = (time.monotonic() - begin) / 0.3 + 2
        self.assertLess(len(self.moved(dog)), 3 * min(windows, 400))

    def test_many_peers_each_once(self):
        node, dog = self.start(peers=200, watchdog={"max_in_flight": "1000"})
        self.host.default("up1")
        dog.wait_for(lambda: len(dog.records("outcome", outcome="migrated")) == 201, 20)
        self.assertEqual(len(set(self.moved(dog))), 200)
        self.assertEqual(len(self.moved(dog)), 200)

    def test_where_nobody_can_be_moved(self):
        node, dog = self.start(role="server")
        self.host.default("up1")
        for conn in (1, 2, 3):
            dog.decision("inbound", conn=conn)

    def test_a_mark(self):
        node, dog = self.start(options={"mark": "7"}, before=[
            ("rule", "add", "fwmark", "7", "lookup", "100"),
            ("route", "add", "default", "via", "10.77.1.1", "dev", "up0", "table", "100")])
        self.host.default("up1")  # the main table is not theirs
        self.host.ip("route", "replace", "default", "via", "10.77.2.1", "dev", "up1", "table",
                     "100")
        dog.decision("migrate", conn=1)
        node.wait_rounds(2)
        self.assertEqual(len(self.moved(dog)), 3)


@unittest.skipIf(UNUSABLE, UNUSABLE)
class ByHand(ControlCase, RouteCase):
    def node(self):
        return super().node(features=["bind"])

    def uses(self, dog, way):
        def used():
            explained = client.result("explain", peer="p1@h")
            text = next(t["text"] for t in explained["triggers"] if t["trigger"] == "route")
            return f"in use: {way}; by the route lookup now: the same" in text
        client = self.client(dog)
        self.wait_until(used, way)

    def test_an_interface_that_was_asked_for(self):
        node, dog = self.start(peers=1)
        self.ctl(dog, "migrate", "p1@h", "--interface", "up1")
        dog.outcome("migrated", conn=1)
        self.uses(dog, "up1")  # it has no route of its own there
        self.host.default("up1")  # there it is already
        dog.decision("migrate", conn=9)
        self.uses(dog, "up1 via 10.77.2.1")
        self.host.default("up0")
        dog.decision("migrate", conn=9, nth=2)
        self.assertEqual(len(dog.records("decision", conn=1)), 1)
        self.host.ip("link", "set", "up1", "down")
        decision = dog.decision("migrate", conn=1, nth=2)
        self.assertIn("up1 → up0 via 10.77.1.1", decision["reason"])

    def test_back_by_hand(self):
        node, dog = self.start(peers=1)
        self.ctl(dog, "migrate", "p1@h", "--interface", "up1")
        self.uses(dog, "up1")
        self.ctl(dog, "migrate", "p1@h")
        self.uses(dog, "up0 via 10.77.1.1")
        self.settled(dog)
        self.assertEqual(len(dog.records("decision", conn=1)), 2)


class Kernel(Case):
    """The tables above against the kernel itself: does each change do what it says?"""

    def way(self, host):
        way = host.way("192.0.2.1")
        return way.get("dev"), way.get("gateway")

    def check(self, change):
        host = netns.Host()
        self.addCleanup(host.stop)
        host.start()
        before = self.way(host)
        change(host)
        return before, self.way(host)

    @cases(Changes.FLIPS)
    def test_flips(self, change):
        before, after = self.check(change)
        self.assertNotEqual(before, after)

    @cases(Changes.QUIET)
    def test_quiet(self, change):
        before, after = self.check(change)
        self.assertEqual(before, after)


class Sources(RouteCase):
    def test_the_local_address_is_gone_at_first_sight(self):
        node, dog = self.start(peers=1, local="10.99.9.9:4000")
        dog.decision("migrate", conn=1)

    def test_the_local_address_is_there(self):
        node, dog = self.start(peers=1, local="10.77.1.2:4000")
        self.settled(dog)
        self.assertEqual(self.moved(dog), [])

    def test_an_unspecified_one_is_none(self):
        node, dog = self.start(peers=1, local="0.0.0.0:4000")
        self.settled(dog)
        self.assertEqual(self.moved(dog), [])

    def test_it_goes_while_the_way_out_stays(self):
        node, dog = self.start(peers=2, local="10.77.1.3:4000", before=[
            ("addr", "add", "10.77.1.3/24", "dev", "up0")])
        self.host.ip("addr", "del", "10.77.1.3/24", "dev", "up0")
        dog.decision("migrate", conn=1)
        dog.decision("migrate", conn=2)

    def test_it_decides_by_a_rule(self):
        node, dog = self.start(peers=2, local="10.77.1.2:4000", before=[
            ("route", "add", "default", "via", "10.77.1.1", "dev", "up0", "table", "100"),
            ("rule", "add", "from", "10.77.1.2", "lookup", "100")])
        self.host.default("up1")  # from 10.77.1.2 it is still up0
        self.settled(dog)
        self.assertEqual(self.moved(dog), [])


class NoWayOut(RouteCase):
    LOST = {
        "no route": lambda h: h.ip("route", "del", "default"),
        "unreachable": lambda h: h.ip("route", "add", "unreachable", "192.0.2.0/24"),
        "prohibited": lambda h: h.ip("route", "add", "prohibit", "192.0.2.0/24"),
        "blackhole": lambda h: h.ip("route", "add", "blackhole", "192.0.2.0/24"),
        "link down": lambda h: h.ip("link", "set", "up0", "down"),
        "no carrier": lambda h: netns.run("ip", "-n", h.far, "link", "set", "r0", "down"),
    }
    BACK = {
        "no route": lambda h, link: h.default(link),
        "unreachable": lambda h, link: h.ip("route", "replace", "192.0.2.0/24", "via", {
            "up0": "10.77.1.1", "up1": "10.77.2.1"}[link], "dev", link),
        "link down": lambda h, link: (h.ip("link", "set", "up0", "up"), h.default(link)),
        "no carrier": lambda h, link: (netns.run("ip", "-n", h.far, "link", "set", "r0", "up"),
                                       h.default(link)),
    }

    def lose(self, name):
        node, dog = self.start()
        self.LOST[name](self.host)
        notice = dog.notice("no-way-out")
        self.assertTrue(notice["text"])
        node.wait_rounds(3)
        self.assertEqual(node.moves(), [])
        return node, dog

    @cases({name: name for name in LOST})
    def test_nothing_is_asked(self, name):
        node, dog = self.lose(name)
        self.settled(dog)
        self.assertEqual(self.moved(dog), [])

    @cases({name: name for name in BACK})
    def test_back_to_the_same_is_nothing(self, name):
        node, dog = self.lose(name)
        self.BACK[name](self.host, "up0")
        self.settled(dog)
        self.assertEqual(self.moved(dog), [])

    @cases({name: name for name in BACK})
    def test_another_way_is_a_move(self, name):
        node, dog = self.lose(name)
        self.BACK[name](self.host, "up1")
        for conn in (1, 2, 3):
            dog.decision("migrate", conn=conn)
        self.settled(dog)
        self.assertEqual(self.moved(dog), [1, 2, 3])

    def test_said_once(self):
        node, dog = self.lose("no route")
        for number in range(20):
            self.host.ip("route", "add", f"198.51.100.{number}/32", "dev", "up1")
        node.wait_rounds(3)
        self.assertEqual(len(dog.records("notice", what="no-way-out")), 1)

    def test_carrier_gone_with_another_default_there(self):
        # the kernel still names the dead route; a worse one is not taken for it
        node, dog = self.start(before=[
            ("route", "add", "default", "via", "10.77.2.1", "dev", "up1", "metric", "200")])
        netns.run("ip", "-n", self.host.far, "link", "set", "r0", "down")
        dog.notice("no-way-out")
        self.assertEqual(node.moves(), [])
        self.host.ip("route", "del", "default", "via", "10.77.1.1")
        for conn in (1, 2, 3):
            dog.decision("migrate", conn=conn)


class Settle(RouteCase):
    def test_the_first_acts_at_once(self):
        node, dog = self.start(options={"settle": "10min"})
        self.host.default("up1")
        dog.decision("migrate")  # long before the window would be over

    def test_within_the_window_they_are_taken_together(self):
        node, dog = self.start(options={"settle": "8s"}, watchdog={"move_burst": "50"})
        self.host.default("up1")
        first = dog.decision("migrate", conn=1)
        dog.outcome("migrated", conn=1)
        for link in ("up0", "up1", "up0"):
            self.host.default(link)
        second = dog.decision("migrate", nth=2, conn=1)
        self.assertGreater(second["time_us"] - first["time_us"], 7900000)
        self.assertEqual(second["evidence"]["oif_after"], "up0")
        node.wait_rounds(3)
        self.assertEqual(len(dog.records("decision", conn=1)), 2)

    def test_there_and_back_within_the_window_is_nothing_more(self):
        node, dog = self.start(options={"settle": "8s"}, watchdog={"move_burst": "50"})
        self.host.default("up1")
        dog.outcome("migrated", conn=1)
        self.host.default("up0")
        self.host.default("up1")
        self.settled_unless_moved(dog)
        self.assertEqual(self.moved(dog), [1, 2, 3])

    def settled_unless_moved(self, dog):
        # the canary followed the default to up1: take it back to up0 to see an end
        self.host.ip("route", "add", "203.0.113.0/24", "via", "10.77.1.1", "dev", "up0")
        dog.decision("migrate", nth=2, conn=9)

    def test_what_does_not_fire_opens_no_window(self):
        node, dog = self.start(options={"settle": "10min"})
        self.host.ip("route", "add", "198.51.100.0/24", "dev", "up1")
        self.host.ip("link", "set", "up1", "mtu", "1400")
        self.host.default("up1")
        dog.decision("migrate")  # long before a window would be over


class Memory(RouteCase):
    def test_the_same_way_is_not_advised_twice(self):
        node, dog = self.start(watchdog={"retries": "0"})
        node.on("migrate_peer", lambda r: r.error(-32007) if r.conn != 9
                else self.migrated(r))
        self.host.default("up1")
        for conn in (1, 2, 3):
            dog.outcome("no-path", conn=conn)
        for number in range(5):
            self.host.ip("route", "add", f"198.51.100.{number}/32", "dev", "up0")
        self.host.default("up1", "metric", "10", action="add")
        self.host.ip("route", "replace", "203.0.113.0/24", "via", "10.77.1.1", "dev", "up0")
        dog.decision("migrate", nth=2, conn=9)
        self.assertEqual(sorted(r.conn for r in node.moves() if r.conn != 9), [1, 2, 3])
        for conn in (1, 2, 3):  # each will be asked for again, as any move that failed
            self.assertEqual([r["verdict"] for r in dog.records("decision", conn=conn)],
                             ["migrate", "backing-off"])

    def test_back_while_a_request_is_open(self):
        """It is taken back for the way back, and what it uses is known afterwards."""
        node = self.start(peers=1, features=["make_before_break"], watchdog={"migrate_timeout": "30s"})[0]
        dog = self.dogs[-1]
        held = []
        node.on("migrate_peer", held.append)
        node.on("cancel", lambda r: [h.error(-32012) for h in held if h.id == r.params["id"]])
        self.host.default("up1")
        first = node.wait_request("migrate_peer", conn=1)
        self.host.default("up0")
        second = node.wait_request("migrate_peer", nth=2, conn=1)
        self.assertEqual(node.wait_request("cancel").params, {"id": first.id})
        self.assertIn("up1 via 10.77.2.1 → up0 via 10.77.1.1", second.params["reason"])
        self.migrated(second)
        dog.outcome("cancelled", conn=1)
        dog.outcome("migrated", conn=1)
        self.host.default("up1")
        third = node.wait_request("migrate_peer", nth=3, conn=1)
        self.assertIn("up0 via 10.77.1.1 → up1 via 10.77.2.1", third.params["reason"])
        for request in node.moves():  # the canary's, too
            if request.answered_at is None:
                self.migrated(request)

    def test_back_to_the_one_in_use_supersedes_the_queued(self):
        node = self.start(watchdog={"max_in_flight": "1", "migrate_timeout": "30s"})[0]
        dog = self.dogs[-1]
        held = []
        node.on("migrate_peer", held.append)
        self.host.default("up1")
        dog.decision("queued", nth=3)
        open_now = node.wait_request("migrate_peer").conn
        self.host.default("up0")
        for conn in {1, 2, 3} - {open_now}:
            dog.decision("superseded", conn=conn)
        back = dog.decision("migrate", nth=2)  # the open one is taken back, for the way back
        self.assertEqual(back["conn"], open_now)

    def test_peer_path_says_what_it_uses(self):
        node, dog = self.start(peers=1, watchdog={"retries": "0"}, local="10.77.1.2:4000")
        node.on("migrate_peer", lambda r: r.error(-32007) if r.conn != 9
                else self.migrated(r))
        self.host.default("up1")
        dog.outcome("no-path", conn=1)
        node.notify("peer_path", conn=1, local="10.77.2.2:4000")  # it went by itself
        node.wait_rounds(1)  # it has been read: the kernel's notices come another way
        self.host.default("up0")
        dog.decision("migrate", nth=2, conn=1)

    def test_kept_over_a_lost_link(self):
        node, dog = self.start()
        node.stop()
        dog.wait_record("node", state="down")
        self.host.default("up1")
        node.start()
        node.wait_subscribed(2)
        for conn in (1, 2, 3):
            dog.wait_record("decision", conn=conn, verdict="migrate")

    def test_kept_over_a_restart_of_pathdog(self):
        node, dog = self.start()
        self.assertEqual(dog.finish(), [])
        self.host.default("up1")
        second = self.dog(node, None, {"route": {"settle": "0"}}, prefix=self.host.prefix)
        for conn in (1, 2, 3):
            second.decision("migrate", conn=conn)
