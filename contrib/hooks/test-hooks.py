#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The hooks, run as what they are for runs them: with the arguments and the environment that its
documentation names. What each tells is what a stand-in for pathdogctl was given."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 30

# networkd-dispatcher(8): IFACE, STATE, and what is known of the interface.
NETWORKD = {"IFACE": "eth0", "AdministrativeState": "configured", "OperationalState": "routable",
            "ADDR": "192.0.2.7", "IP_ADDRS": "192.0.2.7", "IP6_ADDRS": "", "ESSID": "", "json": "{}"}
# NetworkManager-dispatcher(8)
NM = {"CONNECTION_UUID": "5f0c2a0d-8a1b-4b7e-9d3c-5e1f2a3b4c5d", "CONNECTION_ID": "wired $(touch x)",
      "CONNECTION_DBUS_PATH": "/org/freedesktop/NetworkManager/Settings/1", "DEVICE_IFACE": "ttyUSB0",
      "DEVICE_IP_IFACE": "wwan0", "IP4_ADDRESS_0": "192.0.2.7/24 192.0.2.1", "IP4_NUM_ADDRESSES": "1",
      "IP4_GATEWAY": "192.0.2.1", "IP4_NUM_ROUTES": "0"}
# The head of strongSwan's own _updown.
PLUTO = {"PLUTO_VERSION": "1.1", "PLUTO_CONNECTION": "office", "PLUTO_INTERFACE": "eth0", "PLUTO_REQID": "1",
         "PLUTO_PROTO": "esp", "PLUTO_ME": "192.0.2.7", "PLUTO_MY_CLIENT": "10.1.0.0/16", "PLUTO_PEER": "198.51.100.1",
         "PLUTO_PEER_CLIENT": "10.2.0.0/16", "PLUTO_IF_ID_IN": "42", "PLUTO_IF_ID_OUT": "42"}
# openvpn(8), Environmental Variables; tun_dev tun_mtu link_mtu local remote init|restart
OPENVPN = {"dev": "tun0", "dev_type": "tun", "ifconfig_local": "10.8.0.2", "ifconfig_remote": "10.8.0.1",
           "tun_mtu": "1500", "link_mtu": "0", "trusted_ip": "198.51.100.1", "trusted_port": "1194"}
UP = ["tun0", "1500", "0", "10.8.0.2", "10.8.0.1"]

CASES = {
    "networkd": [
        ({**NETWORKD, "STATE": "routable"}, [], ["up", "--reason", "networkd: routable", "--", "eth0"]),
        ({**NETWORKD, "STATE": "no-carrier"}, [], ["down", "--reason", "networkd: no-carrier", "--", "eth0"]),
        ({**NETWORKD, "STATE": "degraded"}, [], ["down", "--reason", "networkd: degraded", "--", "eth0"]),
        ({**NETWORKD, "STATE": "off"}, [], ["down", "--reason", "networkd: off", "--", "eth0"]),
        ({**NETWORKD, "STATE": "carrier"}, [], None),
        ({**NETWORKD, "STATE": "configuring"}, [], None),
        ({}, [], None),
    ],
    "networkmanager": [
        (NM, ["ttyUSB0", "up"], ["up", "--reason", "NetworkManager: up", "--", "wwan0"]),
        (NM, ["ttyUSB0", "reapply"], ["up", "--reason", "NetworkManager: reapply", "--", "wwan0"]),
        ({**NM, "VPN_IP_IFACE": "tun0"}, ["tun0", "vpn-up"], ["up", "--reason", "NetworkManager: vpn-up", "--", "tun0"]),
        ({}, ["eth0", "down"], ["down", "--reason", "NetworkManager: down", "--", "eth0"]),
        ({}, ["tun0", "vpn-down"], ["down", "--reason", "NetworkManager: vpn-down", "--", "tun0"]),
        (NM, ["ttyUSB0", "dhcp4-change"], ["down", "--reason", "NetworkManager: dhcp4-change", "--", "wwan0"]),
        ({"CONNECTIVITY_STATE": "LIMITED"}, ["", "connectivity-change"],
         ["down", "--peers", "*", "--reason", "NetworkManager: connectivity LIMITED"]),
        ({"CONNECTIVITY_STATE": "FULL"}, ["", "connectivity-change"], None),
        ({}, ["", "hostname"], None),
        (NM, ["ttyUSB0", "pre-up"], None),
        ({}, ["", "up"], None),
        ({}, [], None),
    ],
    "modemmanager": [
        ({}, ["/org/freedesktop/ModemManager1/Modem/0", "/org/freedesktop/ModemManager1/Bearer/1", "wwan0",
              "connected"], ["up", "--reason", "ModemManager: connected", "--", "wwan0"]),
        ({}, ["/org/freedesktop/ModemManager1/Modem/0", "/org/freedesktop/ModemManager1/Bearer/1", "wwan0",
              "disconnected"], ["down", "--reason", "ModemManager: disconnected", "--", "wwan0"]),
        ({}, ["m", "b", "", "connected"], None),
        ({}, [], None),
    ],
    "wireguard": [
        ({}, ["up", "wg0"], ["up", "--reason", "WireGuard: up", "--", "wg0"]),
        ({}, ["down", "wg0"], ["down", "--reason", "WireGuard: down", "--", "wg0"]),
    ],
    "strongswan": [
        ({**PLUTO, "PLUTO_VERB": "up-client"}, ["ipsec0"],
         ["up", "--reason", "strongSwan: office: up-client", "--", "ipsec0"]),
        ({**PLUTO, "PLUTO_VERB": "up-host-v6"}, [], ["up", "--reason", "strongSwan: office: up-host-v6", "--", "eth0"]),
        ({**PLUTO, "PLUTO_VERB": "down-client", "PLUTO_CONNECTION": "a\n`b` \u00fc"}, ["ipsec0"],
         ["down", "--reason", "strongSwan: a??b????: down-client", "--", "ipsec0"]),
        ({**PLUTO, "PLUTO_VERB": "prepare-client"}, [], None),
        ({}, [], None),
    ],
    "openvpn": [
        ({**OPENVPN, "script_type": "up", "script_context": "init"}, [*UP, "init"],
         ["up", "--reason", "OpenVPN: up", "--", "tun0"]),
        ({**OPENVPN, "script_type": "up", "script_context": "restart"}, [*UP, "restart"],
         ["rebind", "--reason", "OpenVPN: restarted", "--", "tun0"]),
        ({**OPENVPN, "script_type": "down", "script_context": "init", "signal": "sigterm"}, [*UP, "init"],
         ["down", "--reason", "OpenVPN: down", "--", "tun0"]),
        ({**OPENVPN, "script_type": "ipchange"}, ["198.51.100.1", "1194"],
         ["rebind", "--reason", "OpenVPN: the remote is at 198.51.100.1", "--", "tun0"]),
        ({**OPENVPN, "script_type": "route-up"}, [], None),
        ({"script_type": "up"}, UP, None),
        ({}, [], None),
    ],
}


class Hooks(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="hooks-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.told = os.path.join(self.directory, "told")
        self.ctl = self.program("pathdogctl", f'printf "%s\\0" "$@" >> {self.told}\nprintf "\\n" >> {self.told}')

    def program(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)
        return path

    def environment(self, more):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PATHDOGCTL": self.ctl, **more}

    def run_hook(self, name, env, words, status=0):
        done = subprocess.run([os.path.join(HERE, name), *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=PATIENCE_S, cwd=self.directory, env=self.environment(env))
        self.assertEqual((done.returncode, done.stdout), (status, ""), (name, env, words, done.stderr))
        return done

    def calls(self):
        if not os.path.exists(self.told):
            return []
        with open(self.told) as file:
            return [line.split("\0")[:-1] for line in file.read().split("\0\n")[:-1] for line in [line + "\0"]]

    def test_what_each_tells(self):
        for name, cases in CASES.items():
            for env, words, wanted in cases:
                with self.subTest(hook=name, env=env, words=words):
                    if os.path.exists(self.told):
                        os.unlink(self.told)
                    self.run_hook(name, env, words)
                    self.assertEqual(self.calls(), [["notify", *wanted]] if wanted else [])
                    self.assertEqual(sorted(os.listdir(self.directory)),
                                     ["pathdogctl", "told"] if wanted else ["pathdogctl"])

    def test_an_interface_that_looks_like_an_option(self):
        """The kernel takes nearly any name: none becomes an option of pathdogctl."""
        for name, env, words in (("networkd", {"STATE": "off", "IFACE": "--peers"}, []),
                                 ("networkmanager", {}, ["--peers", "down"]),
                                 ("modemmanager", {}, ["m", "b", "--peers", "connected"]),
                                 ("wireguard", {}, ["down", "--peers"]),
                                 ("strongswan", {"PLUTO_VERB": "down-client", "PLUTO_INTERFACE": "--peers"}, []),
                                 ("openvpn", {"script_type": "down", "dev": "--peers"}, [])):
            if os.path.exists(self.told):
                os.unlink(self.told)
            self.run_hook(name, env, words)
            self.assertEqual(self.calls()[0][-2:], ["--", "--peers"], name)

    def test_all_are_here(self):
        there = {name for name in os.listdir(HERE) if "." not in name}
        self.assertEqual(there, set(CASES))
        with open(os.path.join(HERE, "README.md")) as file:
            text = file.read()
        for name in there:
            self.assertIn(f"/usr/share/pathdog/hooks/{name}", text)

    def test_pathdog_is_not_there(self):
        """Whatever becomes of the message, what runs the hook goes on."""
        self.ctl = self.program("pathdogctl", "echo no process listens there >&2; exit 3")
        for name, cases in CASES.items():
            env, words, _ = cases[0]
            self.assertIn("no process listens there", self.run_hook(name, env, words).stderr)
        self.ctl = "/none/such"
        for name, cases in CASES.items():
            env, words, _ = cases[0]
            self.run_hook(name, env, words)

    def test_pathdog_hangs(self):
        self.ctl = self.program("pathdogctl", "exec sleep 1000")
        begin = time.monotonic()
        self.run_hook("openvpn", {**OPENVPN, "script_type": "up"}, UP)
        self.assertLess(time.monotonic() - begin, 20)

    def test_an_instance(self):
        self.run_hook("modemmanager", {"PATHDOG_INSTANCE": "branch"}, ["m", "b", "wwan0", "connected"])
        self.assertEqual(self.calls()[0],
                         ["--instance", "branch", "notify", "up", "--reason", "ModemManager: connected", "--", "wwan0"])

    def test_wireguard_refuses_what_it_does_not_know(self):
        self.assertIn("needs up, down or watch", self.run_hook("wireguard", {}, [], status=2).stderr)
        self.assertIn("allowed is up", self.run_hook("wireguard", {}, ["left", "wg0"], status=2).stderr)

    def test_wireguard_watches_endpoints(self):
        """Of `wg show wg0 endpoints`: a key, a tab, and an address or (none)."""
        turn = os.path.join(self.directory, "turn")
        pages = ["A=\t192.0.2.1:51820\nB=\t(none)\nC=\t[2001:db8::1]:51820\n",
                 "B=\t198.51.100.9:51820\nC=\t[2001:db8::1]:51820\nA=\t192.0.2.1:51820\n",  # one is new: no change
                 "A=\t203.0.113.5:40000\nB=\t198.51.100.9:51820\nC=\t[2001:db8::1]:51820\n",
                 "A=\t203.0.113.5:40000\nB=\t198.51.100.8:51820\nC=\t[2001:db8::2]:51820\n"]
        for number, page in enumerate(pages):
            with open(os.path.join(self.directory, f"page{number}"), "w") as file:
                file.write(page)
        wg = self.program("wg", f"[ \"$*\" = 'show wg0 endpoints' ] || exit 1\n"
                                f"n=$(cat {turn} 2>/dev/null || echo 0)\necho $((n + 1)) > {turn}\n"
                                f"cat {self.directory}/page$n 2>/dev/null || exit 1")
        self.run_hook("wireguard", {"WG": wg}, ["watch", "wg0", "0.05"], status=1)  # until wg fails
        self.assertEqual([call[3] for call in self.calls()],
                         ["WireGuard: the endpoint of 1 peers has changed",
                          "WireGuard: the endpoint of 2 peers has changed"])
        self.assertEqual(self.calls()[0][:2] + self.calls()[0][-1:], ["notify", "rebind", "wg0"])

    def test_shells_read_them(self):
        for name in CASES:
            subprocess.run(["sh", "-n", os.path.join(HERE, name)], check=True)
            if shutil.which("shellcheck"):
                subprocess.run(["shellcheck", os.path.join(HERE, name)], check=True)


if __name__ == "__main__":
    unittest.main()
