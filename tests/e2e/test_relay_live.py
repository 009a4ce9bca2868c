# SPDX-License-Identifier: Apache-2.0
"""Direct or over a relay: the real pathdog with the trigger relay, real QUIC nodes on three uplinks, and two
contrib/udp-relay. The direct way to the peer dies on every uplink, a relay dies, the direct way heals: the connection
stays one and the same, and no byte of it is lost."""

import json
import os
import subprocess
import unittest

import netns
from live_case import TRIGGERS, LiveCase
from node import PATIENCE
from watchdog import environment, program

UNUSABLE = netns.usable()
PORT = 4433
RELAYS = {"A": "10.9.0.4", "B": "10.9.0.5"}
PEER = "10.9.0.2"
# Beyond all uplinks: nothing passes between the host and the peer, and everything between them and the relays.
NO_DIRECT = f"""
table inet direct {{
    chain came {{ type filter hook prerouting priority 0; ip saddr 10.0.0.0/16 ip daddr {PEER} drop; }}
    chain goes {{ type filter hook output priority 0; ip saddr {PEER} ip daddr 10.0.0.0/16 drop; }}
}}
"""


class Relay:
    """contrib/udp-relay on an address of the peers' namespace."""

    def __init__(self, case, name):
        self.process = subprocess.Popen(
            [*case.lab.prefix("peer"), program("udp-relay", "UDP_RELAY"), "--bind", RELAYS[name], "--port", str(PORT),
             "--control", "none"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        case.addCleanup(self.stop)

    def stop(self):
        self.process.terminate()
        self.process.wait(15 * PATIENCE)


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Relayed(LiveCase):
    def begin_direct(self, options=None, triggers=TRIGGERS):
        """alpha has dialled bravo directly, and bytes flow."""
        self.relays = {name: Relay(self, name) for name in RELAYS}
        known = [word for name, host in RELAYS.items() for word in ("--relay", f"{name}={host}:{PORT}")]
        self.quic("peer", "bravo", "--listen", f"{PEER}:9100", *known)
        self.alpha = self.quic("host", "alpha", "--dial", f"bravo={PEER}:9100", *known, "--socket",
                               os.path.join(self.directory, "alpha.sock"))
        self.peers = {"bravo": self.live_nodes[0]}
        self.pathdog = self.dog(self.alpha, {"sample_interval": "1s", "close_interval": None, "migrate_timeout": None,
                                             "effect_window": None, "fallback_after": None},
                                {**triggers, "relay": {"key": "61", **(options or {})}}, start=False,
                                prefix=self.lab.prefix("host"))
        self.pathdog.start()
        self.pathdog.wait_record("peer", peer="bravo", state="up")
        self.wait_flow("bravo")
        self.begin()

    def via(self):
        out, _ = self.ctl(self.pathdog, "--json", "peers")
        return json.loads(out.splitlines()[0]).get("via")

    def wait_via(self, name, deadline=40):
        self.wait_until(lambda: self.via() == name, f"bravo goes over {name}", deadline)
        self.wait_flow("bravo")

    def no_direct(self):
        self.lab.nft("peer", NO_DIRECT)

    def direct(self):
        self.lab.nft("peer", "delete table inet direct")

    def check_one_connection(self):
        self.assertEqual(self.alpha.stats()["bravo"]["connections"], 1, self.story())
        self.assertEqual({r["outcome"] for r in self.said("outcome") if r["by"] == "reconnect"}, set(), self.story())

    def test_there_and_over_the_other_and_back(self):
        """Direct → A or B → the other one → direct."""
        self.begin_direct({"pin": "no", "direct_every": "2s"})
        self.no_direct()
        self.wait_until(lambda: self.via() in RELAYS, "bravo goes over a relay", 40)
        self.wait_flow("bravo")
        first = self.via()
        self.tell(f"over {first}")
        self.relays[first].stop()
        second = ({"A", "B"} - {first}).pop()
        self.wait_via(second)
        self.tell(f"over {second}")
        self.direct()
        self.wait_via("direct", 60)
        self.tell("direct again")
        self.check_one_connection()
        out, _ = self.ctl(self.pathdog, "relays")
        self.assertIn(second, out)


if __name__ == "__main__":
    unittest.main()
