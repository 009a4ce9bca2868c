# SPDX-License-Identifier: Apache-2.0
"""What NetworkManager calls metered is a metered uplink. With a bus and a NetworkManager of the test."""

import json
import os
import socket
import subprocess
import unittest

import netns
from case import cases
from control_case import ControlCase
from watchdog import environment, program

UNUSABLE = netns.usable()
YES, NO, GUESS_YES = 1, 2, 3

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>{address}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow receive_sender="*"/></policy></busconfig>
"""


class Process:
    """A program that prints a line when it is ready, and after each line that it is given."""

    def __init__(self, *words):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=environment())
        self.line = self.process.stdout.readline()
        assert self.line, f"{words[0]} ended with {self.process.wait()}"

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n", text

    def stop(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Metered(ControlCase):
    def setUp(self):
        super().setUp()
        self.host = netns.Host()
        self.addCleanup(self.host.stop)
        self.host.start()
        self.host.default("up1", "metric", "700", action="add")
        self.address = f"unix:path={self.directory}/bus"
        self.bus = self.nm = None

    def start_bus(self):
        config = os.path.join(self.directory, "bus.conf")
        with open(config, "w") as file:
            file.write(BUS.format(address=self.address))
        self.bus = Process("dbus-daemon", "--nofork", "--nopidfile", "--print-address", f"--config-file={config}")
        self.addCleanup(self.bus.stop)

    def start_nm(self, **devices):
        self.nm = Process(program("network-manager", "NETWORK_MANAGER"), self.address)
        self.addCleanup(self.nm.stop)
        for name, value in devices.items():
            self.nm.say(f"add {name} {value}")

    def start_dog(self, address=None, **sections):
        node = self.node(features=["bind"])
        dog = self.dog(node, start=False, prefix=self.host.prefix,
                       env={"DBUS_SYSTEM_BUS_ADDRESS": self.address if address is None else address})
        dog.sections.update({name.replace("_", ":"): keys for name, keys in sections.items()})
        dog.start()
        node.wait_subscribed()
        return dog

    def classes(self, dog):
        out, _ = self.ctl(dog, "--json", "uplinks")
        return {u["interface"]: u["class"] for u in map(json.loads, out.splitlines())}

    def wait_classes(self, dog, **classes):
        self.wait_until(lambda: self.classes(dog) == classes, f"never {classes}")

    def test_what_it_says(self):
        self.start_bus()
        self.start_nm(up0=NO, up1=YES)
        dog = self.start_dog()
        self.wait_classes(dog, up0="spare", up1="metered")
        out, _ = self.ctl(dog, "uplinks")
        self.assertRegex(out, r"(?m)^up1 +up1 +metered ")
        self.nm.say(f"set up1 {NO}")
        self.wait_classes(dog, up0="spare", up1="spare")
        self.nm.say(f"set up0 {GUESS_YES}")
        self.wait_classes(dog, up0="metered", up1="spare")

    def test_what_is_known_by_its_name_remains(self):
        """NetworkManager comes after pathdog, and goes."""
        self.host.ip("link", "add", "wwan0", "type", "veth", "peer", "name", "far0")
        self.host.ip("link", "set", "far0", "up")
        self.host.ip("addr", "add", "10.77.3.2/24", "dev", "wwan0")
        self.host.ip("link", "set", "wwan0", "up")
        self.host.ip("route", "add", "default", "via", "10.77.3.1", "dev", "wwan0", "metric", "900")
        dog = self.start_dog()
        self.wait_classes(dog, up0="spare", up1="spare", wwan0="metered")
        self.start_bus()
        self.start_nm(up1=YES, wwan0=NO)
        self.wait_classes(dog, up0="spare", up1="metered", wwan0="metered")
        self.nm.stop()
        self.wait_classes(dog, up0="spare", up1="spare", wwan0="metered")
        self.start_nm(up0=YES)
        self.wait_classes(dog, up0="metered", up1="spare", wwan0="metered")

    def test_a_section_has_the_last_word(self):
        self.start_bus()
        self.start_nm(up0=YES)
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
