# SPDX-License-Identifier: Apache-2.0
"""Uplinks: learned or configured, how they are, which connection uses which, and a move to one. The
daemon runs in a network namespace with two uplinks."""

import json
import unittest

import netns
from control_case import ControlCase

UNUSABLE = netns.usable()
SECTIONS = {"uplink:home": {"interface": "up0"}, "uplink:lte": {"interface": "up1", "class": "metered"}}


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Uplinks(ControlCase):
    def start(self, sections=None, features=("bind",)):
        """Nothing is moved by itself here: not back, either."""
        self.host = netns.Host()
        self.addCleanup(self.host.stop)
        self.host.start()
        node = self.node(features=list(features))
        for conn, local in ((1, "10.77.1.2:9001"), (2, "10.77.1.2:9002"), (3, "10.77.2.2:9003"),
                            (4, "[fd77:1::2]:9004"), (5, "192.0.2.9:9005")):
            node.add(f"p{conn}@h", conn, local=local, remote="203.0.113.1:443")
        dog = self.dog(node, start=False, prefix=self.host.prefix)
        dog.sections.update(sections or {})
        dog.sections["watchdog"]["return"] = "never"
        dog.start()
        node.wait_subscribed()
        node.wait_rounds(1)
        return node, dog

    def uplinks(self, dog):
        out, _ = self.ctl(dog, "--json", "uplinks")
        return {u["uplink"]: u for u in map(json.loads, out.splitlines())}

    def wait_uplinks(self, dog, what, true):
        self.wait_until(lambda: true(self.uplinks(dog)), what)
        return self.uplinks(dog)

    def test_learned(self):
        node, dog = self.start()
        seen = self.wait_uplinks(dog, "up0 is learned", lambda u: set(u) == {"up0"})
        up0 = seen["up0"]
        self.assertEqual((up0["interface"], up0["class"], up0["configured"], up0["condition"],
                          up0["routes"], up0["peers"]), ("up0", "spare", False, "up", ["ipv4", "ipv6"], 3))
        self.host.default("up1", "metric", "700", action="add")
        seen = self.wait_uplinks(dog, "up1 is learned", lambda u: set(u) == {"up0", "up1"})
        self.assertEqual((seen["up1"]["routes"], seen["up1"]["peers"]), (["ipv4"], 1))
        out, _ = self.ctl(dog, "uplinks")
        self.assertRegex(out, r"(?m)^up0 +up0 +spare +up +ipv4 ipv6 +3 ")
        self.assertIn("learned from the routes", out)
        out, _ = self.ctl(dog, "status")
        self.assertRegex(out, r"(?m)^Uplinks +2$")
        peers, _ = self.ctl(dog, "--json", "peers")
        used = {p["peer"]: p["uplink"] for p in map(json.loads, peers.splitlines())}
        self.assertEqual(used, {"p1@h": "up0", "p2@h": "up0", "p3@h": "up1", "p4@h": "up0", "p5@h": None})

    def test_conditions(self):
        node, dog = self.start(SECTIONS | {"uplink:gone": {"interface": "nowhere0"}})
        seen = self.wait_uplinks(dog, "home is up", lambda u: u["home"]["condition"] == "up")
        self.assertEqual(seen["lte"]["condition"], "no-route")
        self.assertEqual(seen["lte"]["class"], "metered")
        self.assertEqual(seen["gone"]["condition"], "absent")
        for change, name, condition in (
                (("route", "add", "default", "via", "10.77.2.1", "dev", "up1", "metric", "700"), "lte", "up"),
                (("link", "set", "up1", "down"), "lte", "no-carrier"),
                (("addr", "flush", "dev", "up0"), "home", "no-address"),
                (("link", "add", "nowhere0", "type", "veth", "peer", "name", "nowhere1"), "gone", "no-carrier"),
                (("link", "del", "nowhere0"), "gone", "absent")):
            self.host.ip(*change)
            self.wait_uplinks(dog, f"{name} is {condition}",
                              lambda u, n=name, c=condition: u[n]["condition"] == c)
        out, _ = self.ctl(dog, "uplinks")
        self.assertRegex(out, r"(?m)^gone +nowhere0 +primary +absent ")
        self.assertRegex(out, r"(?m)^ +(absent for|down) \d")
        self.assertNotIn("learned", out)
        self.assertEqual({len(line) for line in out.splitlines() if line[0] != " "}, {79}, "it fits on a terminal")
        out, _ = self.ctl(dog, "status")
        self.assertRegex(out, r"(?m)^Uplinks +3; home: no-address, lte: no-carrier, gone: absent$")

    def test_a_route_that_a_rule_leads_to(self):
        """A second provider as it is often set up: a table of its own, chosen by the source."""
        node, dog = self.start(SECTIONS)
        self.wait_uplinks(dog, "lte has no route", lambda u: u["lte"]["condition"] == "no-route")
        self.host.ip("route", "add", "default", "via", "10.77.2.1", "dev", "up1", "table", "77")
        self.host.ip("rule", "add", "from", "10.77.2.2", "lookup", "77")
        self.wait_uplinks(dog, "lte is up", lambda u: u["lte"]["condition"] == "up")

    def test_halves_of_everything(self):
        """A VPN has 0.0.0.0/1 and 128.0.0.0/1."""
        node, dog = self.start(SECTIONS)
        self.wait_uplinks(dog, "lte has no route", lambda u: u["lte"]["condition"] == "no-route")
        self.host.ip("route", "add", "0.0.0.0/1", "via", "10.77.2.1", "dev", "up1")
        self.host.ip("route", "add", "128.0.0.0/1", "via", "10.77.2.1", "dev", "up1")
        self.wait_uplinks(dog, "lte is up", lambda u: u["lte"]["routes"] == ["ipv4"])

    def test_reload(self):
        node, dog = self.start()
        self.wait_uplinks(dog, "up0 is learned", lambda u: set(u) == {"up0"})
        with open(dog.config, "a") as file:
            file.write("[uplink:lte]\ninterface = up1\nclass = metered\n")
        out, _ = self.ctl(dog, "reload")
        seen = self.wait_uplinks(dog, "lte is known",
                                 lambda u: set(u) == {"lte"} and u["lte"]["condition"] == "no-route")
        self.assertEqual(seen["lte"]["class"], "metered")

    def test_a_move_to_one(self):
        node, dog = self.start(SECTIONS)
        self.wait_uplinks(dog, "both are known", lambda u: u["home"]["condition"] == "up")
        self.ctl(dog, "migrate", "p1@h", "--to", "lte")
        request = node.wait_request("migrate_peer")
        self.assertEqual((request.conn, request.params["interface"]), (1, "up1"))
        for arguments, words in ((["--to", "sat"], 'there is no uplink "sat"; there are home and lte'),
                                 (["--to", "lte", "--interface", "up1"],
                                  'only one of "uplink" and "interface" is allowed')):
            _, err = self.ctl(dog, "migrate", "p2@h", *arguments, status=1)
            self.assertIn(words, err)
        self.assertEqual(len(node.requests("migrate_peer")), 1)

    def test_what_a_hold_of_one_takes(self):
        """Wrong words are an error that says what is right; a peer's uplink is in explain."""
        node, dog = self.start(SECTIONS)
        self.wait_uplinks(dog, "both are known", lambda u: u["home"]["condition"] == "up")
        for words, status, says in (
                (("hold", "--uplink", "sat"), 1, 'there is no uplink "sat"; there are home and lte'),
                (("hold", "--uplink", "home", "p1@h"), 2, "hold PEER, hold --uplink NAME, or hold --all"),
                (("hold", "--uplink", "home", "--all"), 2, "hold PEER, hold --uplink NAME, or hold --all"),
                (("hold", "--uplink", "home", "--absent"), 2, "--absent is about peers"),
                (("release", "--uplink", "home"), 1, "nothing to release: uplink home is not held"),
                (("release", "--uplink", "home", "--for", "1s"), 2, "release does not take --for"),
                (("peers", "--uplink", "home"), 2, "peers does not take --uplink")):
            _, err = self.ctl(dog, *words, status=status)
            self.assertIn(says, err)
        out, _ = self.ctl(dog, "explain", "p1@h")
        self.assertRegex(out, r"(?m)^uplink +home: up$")
        self.assertNotIn("uplink  ", self.ctl(dog, "explain", "p5@h")[0])

    def test_a_hold_moves_everything_off(self):
        """And nothing is moved back. All that looks back knows of it: records, follow, filter, status, explain."""
        node, dog = self.start(SECTIONS)
        node.addresses.update(up0="10.77.1.2", up1="10.77.2.2")
        self.host.default("up1", "metric", "700", action="add")
        self.wait_uplinks(dog, "both are up", lambda u: {v["condition"] for v in u.values()} == {"up"})
        node.add("p6@h", 6, local="[fd77:1::2]:9006", remote="[2001:db8::1]:443")  # lte has no IPv6
        dog.wait_record("peer", conn=6)
        client = self.client(dog)
        client.result("decisions", follow=True, uplink="home")
        out, _ = self.ctl(dog, "hold", "--uplink", "home", "--for", "10min")
        self.assertIn("uplink home is held for 10 min: its connections are moved to others", out)
        self.assertEqual({(r.conn, r.params["interface"]) for r in
                          (node.wait_request("migrate_peer", nth=n) for n in (1, 2, 3))},
                         {(1, "up1"), (2, "up1"), (4, "up1")})
        held = client.notice(lambda r: r["record"] == "uplink")
        self.assertEqual((held["uplink"], held["interface"], held["change"], held["peers"]),
                         ("home", "up0", "held", 4))
        for conn in (1, 2, 4):
            decision = dog.decision("migrate", conn=conn)
            self.assertEqual((decision["trigger"], decision["kind"], decision["uplink"], decision["target"]),
                             ("operator", "moved", "home", "lte"))
            self.assertTrue(decision["choice"])
            self.assertEqual(dog.outcome("migrated", conn=conn)["target"], "lte")
            client.notice(lambda r, n=conn: r["record"] == "outcome" and r["conn"] == n)
        refused = dog.decision("no-target", conn=6)
        self.assertEqual((refused["uplink"], "target" in refused), ("home", False))
        self.assertIn("no IPv6 route", refused["choice"])
        seen = self.wait_uplinks(dog, "they are on lte", lambda u: u["lte"]["peers"] == 4)["home"]
        self.assertEqual((seen["state"], seen["held"], seen["peers"], seen["last"]["change"]),
                         ("held", True, 1, "held"))
        self.assertTrue(0 < seen["held_left_us"] <= 600 * 10**6)
        for words, says in ((("uplinks",), r"(?m)^ +held for another .*\n +held .* ago: by uid \d+"),
                            (("status",), r"(?m)^Uplinks +2; home: held$"),
                            (("status",), r"(?m): uplink home is held for another .*: no connection is moved to it$"),
                            (("explain", "p6@h"), r"(?m)^uplink +home: held$"),
                            (("explain", "p6@h"), r"(?m)^ +moved +by migrate +no-target +home: no other .*; not lte: no IPv6 route$"),
                            (("decisions", "--uplink", "lte"), r"p1@h.* → migrate to lte: metered"),
                            (("decisions", "--uplink", "lte"), r"p2@h.* migrated after .*, to lte")):
            self.assertRegex(self.ctl(dog, *words)[0], says)
        out, _ = self.ctl(dog, "decisions", "--json", "--uplink", "home")
        records = [json.loads(line) for line in out.splitlines()]
        self.assertEqual({r["conn"] for r in records if "conn" in r}, {1, 2, 4, 6})
        self.assertEqual([r["change"] for r in records if r["record"] == "uplink"][-1], "held")
        # the last ones are outcomes and effects: whose they are is found in their decisions, however far back those are
        out, _ = self.ctl(dog, "decisions", "--json", "--source", "daemon", "--uplink", "lte", "-n", "2")
        last = [json.loads(line)["record"] for line in out.splitlines()]
        self.assertEqual((len(last), set(last) <= {"outcome", "effect"}), (2, True))
        out, _ = self.ctl(dog, "decisions", "--source", "daemon", "--uplink", "home")
        self.assertRegex(out, r"(?m)uplink home \(up0\)  held: by uid \d+")
        out, _ = self.ctl(dog, "decisions", "--uplink", "sat")
        self.assertEqual(out, "no decision matches\n")
        out, _ = self.ctl(dog, "report")
        self.assertRegex(out, r"(?m)^uplinks +home: .*1 held; 0 moves to it; last held at .*: by uid \d+, for a while$")
        self.assertRegex(out, r"(?m)^ +lte: .*; 3 moves to it; last up at ")
        self.ctl(dog, "status", "--check", status=1)
        out, _ = self.ctl(dog, "release", "--uplink", "up0")
        self.assertEqual(out, "uplink home is released: connections may use it again\n")
        self.assertEqual(client.notice(lambda r: r["record"] == "uplink")["change"], "released")
        self.assertEqual(sorted(r.conn for r in node.requests("migrate_peer") if r.conn != 6), [1, 2, 4])

    def test_a_reconnect_to_one(self):
        node, dog = self.start(SECTIONS, features=("bind", "reconnect"))
        self.wait_uplinks(dog, "both are known", lambda u: u["home"]["condition"] == "up")
        self.ctl(dog, "migrate", "p1@h", "--by", "reconnect", "--to", "lte")
        request = node.wait_request("reconnect_peer")
        self.assertEqual((request.conn, request.params["interface"]), (1, "up1"))
        self.assertEqual(dog.outcome("reconnected")["target"], "lte")
        _, err = self.ctl(dog, "migrate", "p2@h", "--by", "reconnect", "--via", "relay", status=1)
        self.assertIn('"via" is allowed with migrate only', err)

    def test_explain_says_where_to(self):
        node, dog = self.start(SECTIONS)
        self.host.default("up1", "metric", "700", action="add")
        self.wait_uplinks(dog, "both are up", lambda u: {v["condition"] for v in u.values()} == {"up"})
        peer = json.loads(self.ctl(dog, "--json", "explain", "p1@h")[0])
        dead = [q for q in peer["gate"] if q["kind"] == "dead" and not q["fallback"]]
        self.assertEqual({q["target"] for q in dead}, {"lte"})
        self.assertTrue(all(q["choice"].startswith("lte: metered") for q in dead), dead)
        self.assertRegex(self.ctl(dog, "explain", "p1@h")[0], r"(?m)dead +by migrate +migrate .*; to lte: metered")

    def test_a_move_to_one_of_a_node_that_cannot_bind(self):
        node, dog = self.start(SECTIONS, features=())
        _, err = self.ctl(dog, "migrate", "p1@h", "--to", "lte", status=1)
        self.assertIn('the node does not offer the feature "bind"', err)


if __name__ == "__main__":
    unittest.main()
