# SPDX-License-Identifier: Apache-2.0
"""contrib/hooks against a real daemon: what a hook is run with moves the connections of its interface.
What each of them tells is in contrib/hooks/test-hooks.py."""

import os
import subprocess

from case import cases
from control_case import ControlCase, ctl_program
from node import PATIENCE

HOOKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/hooks")


class Hooks(ControlCase):
    @cases({"openvpn": ("openvpn", {"script_type": "up", "dev": "lo"}, [], "tunnel lo: up, OpenVPN: up"),
            "networkmanager": ("networkmanager", {"DEVICE_IP_IFACE": "lo"}, ["ttyUSB0", "up"],
                               "tunnel lo: up, NetworkManager: up"),
            "strongswan": ("strongswan", {"PLUTO_VERB": "up-client", "PLUTO_CONNECTION": "net",
                                          "PLUTO_INTERFACE": "eth0"}, ["lo"],
                           "tunnel lo: up, strongSwan: net: up-client"),
            "networkd": ("networkd", {"IFACE": "lo", "STATE": "routable"}, [], "tunnel lo: up, networkd: routable")})
    def test_a_hook_moves_a_peer(self, name, env, words, reason):
        node, dog = self.pair()
        tool = os.path.join(self.directory, "ctl")
        with open(tool, "w") as file:
            file.write(f'#!/bin/sh\nexec {ctl_program()} --socket {dog.notify_path} "$@"\n')
        os.chmod(tool, 0o755)
        done = subprocess.run([os.path.join(HOOKS, name), *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=30 * PATIENCE,
                              env={"PATH": "/usr/bin:/bin", "PATHDOGCTL": tool, **env})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(dog.decision("migrate", conn=1)["reason"], reason)
