# SPDX-License-Identifier: Apache-2.0
"""The system bus, where NetworkManager is asked what is metered, and logind says that the machine is
awake: every user of it may send pathdog signals."""

import json
import unittest

import measure
import netns
from bus import NO, YES, Bus
from case import cases
from hostile_case import HostileCase
from suspend import Suspend
from watchdog import program

UNUSABLE = netns.usable()
DEVICE = "/org/freedesktop/NetworkManager/Devices/1"


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Strangers(HostileCase):
    measured = True

    def classes(self, dog):
        out, _ = self.ctl(dog, "--json", "uplinks")
        return {u["interface"]: u["class"] for u in map(json.loads, out.splitlines())}

    @cases({"small": (10, 100), "large": (4 << 20, 1)})
    def test_signals_without_end(self, n_bytes, least):
        """As NetworkManager would send them: nothing is believed, and the loop is not held up."""
        host = netns.Host()
        self.addCleanup(host.stop)
        host.start()
        bus = Bus(self).start()
        nm = bus.network_manager(up0=NO)
        node = self.node()
        node.add("p1@h", 1, local="10.77.1.2:9001")
        dog = self.dog(node, prefix=host.prefix, env={"DBUS_SYSTEM_BUS_ADDRESS": bus.address})
        node.wait_rounds(1)
        self.wait_until(lambda: self.classes(dog) == {"up0": "spare"}, "up0 is learned")
        self.wait_until(lambda: nm.ask("who").startswith(":"), "pathdog asks for the devices")
        before_kib = measure.rss_kib(dog.process.pid)
        with measure.Lateness(dog) as late:
            flood = bus.run(program("bus-flood", "BUS_FLOOD"), bus.address, nm.ask("who"), DEVICE, str(n_bytes))
            node.wait_rounds(30)
            self.assert_alive(node, dog)
            self.assertEqual(self.classes(dog), {"up0": "spare"})
            n_sent = int(flood.finish())
        self.assertGreater(n_sent, least)
        self.assertLess(late.worst_ms, 20)
        self.assertLess(measure.peak_kib(dog.process.pid) - before_kib, 64 * 1024)
        nm.say(f"set up0 {YES}")
        self.wait_until(lambda: self.classes(dog) == {"up0": "metered"}, "what NetworkManager says counts")

    @cases({"small": (10, 100), "large": (4 << 20, 1)})
    def test_sleeps_without_end(self, n_bytes, least):
        """As logind would say so, to each connection of pathdog: nothing is done about it, and a
        sleep is seen nevertheless."""
        bus = Bus(self).start()
        logind = bus.logind()
        suspend = Suspend(self.directory)
        node = self.node(features=["probe"])
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, {"fallback": "off"}, {"resume": {}, "tunnel": {}},
                       env={**suspend.environment, "DBUS_SYSTEM_BUS_ADDRESS": bus.address})
        node.wait_rounds(1)
        self.wait_until(lambda: len(logind.ask("others").split()) == 2, "pathdog is there twice")
        before_kib = measure.rss_kib(dog.process.pid)
        for nth, to in enumerate(logind.ask("others").split(), 1):
            with measure.Lateness(dog) as late:
                flood = bus.run(program("bus-flood", "BUS_FLOOD"), bus.address, to,
                                "/org/freedesktop/login1", str(n_bytes))
                node.wait_rounds(15)
                self.assertEqual(len(node.requests("probe")), nth - 1)
                suspend.sleep(15)
                node.wait_request("probe", nth=nth, deadline=15)
                n_sent = int(flood.finish())
            self.assertGreater(n_sent, least)
            self.assertLess(late.worst_ms, 20)
        self.assertEqual(node.moves(), [])
        self.assert_alive(node, dog)
        self.assertLess(measure.peak_kib(dog.process.pid) - before_kib, 128 * 1024)


if __name__ == "__main__":
    unittest.main()
