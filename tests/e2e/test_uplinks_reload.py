# SPDX-License-Identifier: Apache-2.0
"""What a reload does with uplinks: sections come, go, get another name, place or class, and what was
learned or asked before stays."""

import json
import unittest

import netns
from control_case import ControlCase

UNUSABLE = netns.usable()
HOME = {"uplink:home": {"interface": "up0"}}
LTE = {"uplink:lte": {"interface": "up1", "class": "metered"}}


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Reload(ControlCase):
    def start(self, sections, choose="no"):
        self.host = netns.Host()
        self.addCleanup(self.host.stop)
        self.host.start()
        self.host.default("up1", "metric", "700", action="add")
        self.scripted = self.node(features=["bind"])
        for conn, local in ((1, "10.77.1.2:9001"), (2, "10.77.2.2:9002"), (3, "[fd77:1::2]:9003")):
            self.scripted.add(f"p{conn}@h", conn, local=local, remote="203.0.113.1:443")
        # What the sections say is looked at alone, but where a test says otherwise.
        self.watchdog = self.dog(self.scripted, {"choose": choose}, start=False, prefix=self.host.prefix)
        self.others = dict(self.watchdog.sections)
        self.watchdog.sections = {**self.others, **sections}
        self.watchdog.start()
        self.scripted.wait_subscribed()
        self.scripted.wait_rounds(1)

    def reload(self, sections, watchdog=None, status=0):
        """Takes these uplinks; what the notice says of it, or the error."""
        number = len(self.watchdog.records("notice", what="reloaded")) + 1
        others = {**self.others, "watchdog": {**self.others["watchdog"], **(watchdog or {})}}
        self.watchdog.sections = {**others, **sections}
        self.watchdog.write_config()
        _, err = self.ctl(self.watchdog, "reload", status=status)
        if status:
            return err
        return self.watchdog.wait_record("notice", number, what="reloaded")["text"]

    def uplinks(self):
        out, _ = self.ctl(self.watchdog, "--json", "uplinks")
        return [json.loads(line) for line in out.splitlines()]

    def peers(self):
        out, _ = self.ctl(self.watchdog, "--json", "peers")
        return {p["peer"]: p["uplink"] for p in map(json.loads, out.splitlines())}

    def wait_uplinks(self, *expected):
        """(name, interface, class), in this order, all of them usable."""
        def seen():
            return [(u["uplink"], u["interface"], u["class"], u["condition"]) for u in self.uplinks()]
        wanted = [(*one, "up") for one in expected]
        self.wait_until(lambda: seen() == wanted, f"never {wanted}, last {seen()}")

    def test_sections_come_and_go(self):
        self.start({})
        self.wait_uplinks(("up0", "up0", "spare"), ("up1", "up1", "spare"))
        self.assertEqual(self.peers(), {"p1@h": "up0", "p2@h": "up1", "p3@h": "up0"})
        self.assertEqual(self.reload(LTE), "new: [uplink:lte]")
        self.wait_uplinks(("lte", "up1", "metered"))
        self.assertEqual(self.peers(), {"p1@h": None, "p2@h": "lte", "p3@h": None})
        self.assertEqual(self.reload(HOME | LTE), "new: [uplink:home]")
        self.wait_uplinks(("home", "up0", "primary"), ("lte", "up1", "metered"))
        self.assertEqual(self.peers(), {"p1@h": "home", "p2@h": "lte", "p3@h": "home"})
        self.assertEqual(self.reload(HOME), "gone: [uplink:lte]")
        self.wait_uplinks(("home", "up0", "primary"))
        self.assertEqual(self.reload({}), "gone: [uplink:home]")
        self.wait_uplinks(("up0", "up0", "spare"), ("up1", "up1", "spare"))
        self.assertEqual(self.peers(), {"p1@h": "up0", "p2@h": "up1", "p3@h": "up0"})

    def test_another_name(self):
        self.start(HOME | LTE)
        self.wait_uplinks(("home", "up0", "primary"), ("lte", "up1", "metered"))
        self.assertEqual(self.reload({"uplink:cable": {"interface": "up0"}} | LTE),
                         "new: [uplink:cable]; gone: [uplink:home]")
        self.wait_uplinks(("cable", "up0", "primary"), ("lte", "up1", "metered"))
        self.assertEqual(self.peers(), {"p1@h": "cable", "p2@h": "lte", "p3@h": "cable"})
        _, err = self.ctl(self.watchdog, "migrate", "p2@h", "--to", "home", status=1)
        self.assertIn('there is no uplink "home"; there are cable and lte', err)
        self.ctl(self.watchdog, "migrate", "p2@h", "--to", "cable")
        self.assertEqual(self.scripted.wait_request("migrate_peer").params["interface"], "up0")

    def test_another_interface(self):
        self.start({"uplink:home": {"interface": "up0"}})
        self.wait_uplinks(("home", "up0", "primary"))
        self.assertEqual(self.reload({"uplink:home": {"interface": "up1"}}),
                         "[uplink:home] interface: up0 → up1")
        self.wait_uplinks(("home", "up1", "primary"))
        self.assertEqual(self.peers(), {"p1@h": None, "p2@h": "home", "p3@h": None})

    def test_an_interface_that_nobody_had_looked_at(self):
        self.start(HOME)
        self.host.ip("link", "add", "up9", "type", "veth", "peer", "name", "far9")
        text = self.reload(HOME | {"uplink:ninth": {"interface": "up9"}, "uplink:tenth": {"interface": "up10"}})
        self.assertEqual(text, "new: [uplink:ninth]; new: [uplink:tenth]")
        self.wait_until(lambda: [u["condition"] for u in self.uplinks()] == ["up", "no-carrier", "absent"],
                        "the new ones are known")

    def test_another_order_and_class(self):
        self.start(HOME | LTE)
        self.wait_uplinks(("home", "up0", "primary"), ("lte", "up1", "metered"))
        self.assertEqual(self.reload(LTE | HOME), "[uplink:lte] now before [uplink:home]")
        self.wait_uplinks(("lte", "up1", "metered"), ("home", "up0", "primary"))
        spare = {"uplink:lte": {"interface": "up1", "class": "spare"}}
        self.assertEqual(self.reload(spare | HOME), "[uplink:lte] class: metered → spare")
        self.wait_uplinks(("lte", "up1", "spare"), ("home", "up0", "primary"))
        self.assertEqual(self.reload(spare | HOME), "nothing has changed")

    def test_choose_and_return(self):
        self.start(HOME | LTE)
        """From a metered uplink a connection goes back to a better one, as soon as they may."""
        self.wait_uplinks(("home", "up0", "primary"), ("lte", "up1", "metered"))
        text = self.reload(HOME | LTE, {"choose": "yes", "return": "never"})
        self.assertEqual(text, "[watchdog] choose: no → yes; [watchdog] return: always → never")
        self.scripted.wait_rounds(20)
        self.assertEqual(self.scripted.moves(), [])
        text = self.reload(HOME | LTE, {"choose": "yes"})
        self.assertEqual(text, "[watchdog] return: never → always")
        back = self.scripted.wait_request("migrate_peer", conn=2)
        self.assertEqual(back.params["interface"], "up0")
        decision = self.watchdog.decision("migrate", conn=2)
        self.assertEqual((decision["kind"], decision["trigger"], decision["uplink"], decision["target"]),
                         ("better", "return", "lte", "home"))
        self.wait_until(lambda: self.peers()["p2@h"] == "home", "p2@h is back")

    def test_a_bad_one_changes_nothing(self):
        self.start(HOME | LTE)
        self.wait_uplinks(("home", "up0", "primary"), ("lte", "up1", "metered"))
        for sections, watchdog, words in (
                (LTE | {"uplink:wifi": {"interface": "up1"}}, {},
                 "[uplink:wifi]: has the interface up1, which [uplink:lte]"),
                ({"uplink:home": {"interface": "up0", "class": "best"}}, {}, "allowed is primary, spare or metered"),
                (LTE | HOME, {"return": "later"}, "allowed is always, better or never")):
            self.assertIn(words, self.reload(sections, watchdog, status=1))
        self.wait_uplinks(("home", "up0", "primary"), ("lte", "up1", "metered"))

    def test_another_class(self):
        """A spare that is metered from now on is left at once."""
        spare = {"uplink:lte": {"interface": "up1", "class": "spare"}}
        self.start(HOME | spare, "yes")
        self.wait_uplinks(("home", "up0", "primary"), ("lte", "up1", "spare"))
        self.assertEqual(self.reload(HOME | LTE, {"choose": "yes"}), "[uplink:lte] class: spare → metered")
        self.assertEqual(self.scripted.wait_request("migrate_peer", conn=2).params["interface"], "up0")

    def test_a_hold_of_an_uplink_stays(self):
        """Under another name, in another place, without sections, after a bad file."""
        self.start(HOME | LTE, "yes")
        self.wait_until(lambda: [u["condition"] for u in self.uplinks()] == ["up", "up"], "both are up")
        self.ctl(self.watchdog, "hold", "--uplink", "lte")
        for sections, name in ((LTE | HOME, "lte"), (HOME | {"uplink:mobile": {"interface": "up1"}}, "mobile"),
                               ({}, "up1"), (HOME | LTE, "lte")):
            self.reload(sections, {"choose": "yes"})
            self.wait_until(lambda: len(self.uplinks()) == 2, "both are known")
            self.assertEqual({u["uplink"] for u in self.uplinks() if u["held"]}, {name})
        self.reload(HOME | LTE, {"choose": "no"})
        self.reload(HOME | LTE, {"choose": "sometimes"}, status=1)
        self.reload(HOME | LTE, {"choose": "yes"})
        self.assertEqual({u["uplink"] for u in self.uplinks() if u["held"]}, {"lte"})
        self.ctl(self.watchdog, "release", "--uplink", "lte")
        self.assertEqual({u["uplink"] for u in self.uplinks() if u["held"]}, set())

    def test_nothing_is_lost(self):
        """A hold, a request that is open, and since when an uplink is as it is."""
        self.start(HOME | LTE)
        self.wait_uplinks(("home", "up0", "primary"), ("lte", "up1", "metered"))
        for_us = self.uplinks()[0]["for_us"]
        self.ctl(self.watchdog, "hold", "p1@h")
        asked = []
        self.scripted.on("migrate_peer", asked.append)
        self.client(self.watchdog).result("migrate", peer="p3@h", uplink="lte")
        self.scripted.wait_for(lambda: asked, what="the move")
        self.reload({"uplink:mobile": {"interface": "up1"}} | HOME, {"choose": "no", "return": "never"})
        self.wait_uplinks(("mobile", "up1", "primary"), ("home", "up0", "primary"))
        self.assertGreater(self.uplinks()[1]["for_us"], for_us)
        self.assertEqual(len(asked), 1)
        self.scripted.do_migrate_peer(asked[0])
        self.watchdog.wait_record("outcome", peer="p3@h", outcome="migrated")
        self.wait_until(lambda: self.peers()["p3@h"] == "mobile", "p3@h is where it was moved to")
        out, _ = self.ctl(self.watchdog, "--json", "peers")
        held = {p["peer"]: p["held"] for p in map(json.loads, out.splitlines())}
        self.assertEqual(held, {"p1@h": True, "p2@h": False, "p3@h": False})


if __name__ == "__main__":
    unittest.main()
