# SPDX-License-Identifier: Apache-2.0
"""What NetworkManager calls metered is a metered uplink. With a bus and a NetworkManager of the test."""

import json
import os
import socket
import unittest

import netns
from bus import GUESS_YES, NO, YES, Bus
from case import cases
from control_case import ControlCase

UNUSABLE = netns.usable()

@unittest.skipIf(UNUSABLE, UNUSABLE)
class Metered(ControlCase):
    def setUp(self):
        super().setUp()
        self.host = netns.Host()
        self.addCleanup(self.host.stop)
        self.host.start()
        self.host.default("up1", "metric", "700", action="add")
        self.bus = Bus(self)

    def start_dog(self, address=None, **triggers):
        node = self.node(features=["bind"])
        dog = self.dog(node, triggers=triggers, start=False, prefix=self.host.prefix,
                       env={"DBUS_SYSTEM_BUS_ADDRESS": self.bus.address if address is None else address})
        dog.start()
        node.wait_subscribed()
        return dog

    def third(self, name):
        self.host.ip("link", "add", name, "type", "veth", "peer", "name", "far0")
        self.host.ip("link", "set", "far0", "up")
        self.host.ip("addr", "add", "10.77.3.2/24", "dev", name)
        self.host.ip("link", "set", name, "up")
        self.host.ip("route", "add", "default", "via", "10.77.3.1", "dev", name, "metric", "900")

    def classes(self, dog):
        out, _ = self.ctl(dog, "--json", "uplinks")
        return {u["interface"]: u["class"] for u in map(json.loads, out.splitlines())}

    def wait_classes(self, dog, **classes):
        self.wait_until(lambda: self.classes(dog) == classes, f"never {classes}")

    def test_what_it_says(self):
        self.bus.start()
        nm = self.bus.network_manager(up0=NO, up1=YES)
        dog = self.start_dog()
        self.wait_classes(dog, up0="spare", up1="metered")
        out, _ = self.ctl(dog, "uplinks")
        self.assertRegex(out, r"(?m)^up1 +up1 +metered ")
        nm.say(f"set up1 {NO}")
        self.wait_classes(dog, up0="spare", up1="spare")
        nm.say(f"set up0 {GUESS_YES}")
        self.wait_classes(dog, up0="metered", up1="spare")

    def test_what_is_known_by_its_name_remains(self):
        """NetworkManager comes after pathdog, and goes."""
        self.third("wwan0")
        dog = self.start_dog()
        self.wait_classes(dog, up0="spare", up1="spare", wwan0="metered")
        self.bus.start()
        nm = self.bus.network_manager(up1=YES, wwan0=NO)
        self.wait_classes(dog, up0="spare", up1="metered", wwan0="metered")
        nm.stop()
        self.wait_classes(dog, up0="spare", up1="spare", wwan0="metered")
        self.bus.network_manager(up0=YES)
        self.wait_classes(dog, up0="metered", up1="spare", wwan0="metered")

    @cases({"nothing is": (NO, "up1"), "the next one is": (YES, "eth9")})
    def test_where_a_dead_connection_goes(self, up1, target):
        """To what costs nothing, if there is any."""
        self.third("eth9")
        self.bus.start()
        self.bus.network_manager(up1=up1, eth9=NO)
        dog = self.start_dog(stall={})
        node = self.nodes[0]
        peer = node.add("p1@h", 1, local="10.77.1.2:9001", remote="203.0.113.1:443")
        peer.set(srtt_us=20000, rttvar_us=1000)
        self.wait_classes(dog, up0="spare", up1="metered" if up1 == YES else "spare", eth9="spare")
        node.wait_rounds(2)
        with self.cv:
            peer.advance = False
            peer.set(in_flight_bytes=5000)
        request = node.wait_request("migrate_peer")
        self.assertEqual(request.params["interface"], target)
        decision = dog.decision("migrate")
        self.assertEqual((decision["kind"], decision["uplink"], decision["target"]), ("dead", "up0", target))

    def test_a_section_has_the_last_word(self):
        self.bus.start()
        self.bus.network_manager(up0=YES)
        dog = self.start_dog()
        self.wait_classes(dog, up0="metered", up1="spare")
        with open(dog.config, "a") as file:
            file.write("[uplink:up0]\n[uplink:up1]\nclass = metered\n")
        self.ctl(dog, "reload")
        self.wait_classes(dog, up0="primary", up1="metered")

    @cases({"not a UNIX socket": ("tcp:host=127.0.0.1,port=1", "DBUS_SYSTEM_BUS_ADDRESS is"),
            "of another type": (None, "the system bus: Protocol wrong type for socket: ")})
    def test_a_bus_that_cannot_be_used(self, address, words):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(os.path.join(self.directory, "bus"))
            dog = self.start_dog(address)
            notice = dog.wait_record("notice", what="metered-unknown")
            self.assertIn(words, notice["text"])
            self.wait_classes(dog, up0="spare", up1="spare")


if __name__ == "__main__":
    unittest.main()
