# SPDX-License-Identifier: Apache-2.0
"""flow-node on a gateway where everything goes wrong: floods, full tables, lost events, other programs that flush what
is not theirs, uplinks that lose what they need, and firewalls of others. Each is said; afterwards nothing is left, and
who was not chosen was not touched."""

import os
import signal
import unittest

import measure
import netns
import rulesets
from case import cases
from faults import Faults
from gateway_case import GatewayCase
from gateway_lab import ROUTER
from netns import run
from node import PATIENCE
from watchdog import program, sanitized

UNUSABLE = netns.usable()
FLOWS = 10**6
MANY = 20000
FULL_BYTES = "/proc/sys/net/netfilter/nf_conntrack_max"
MOST_KIB = 64 * 1024


class Flows(GatewayCase):
    def sink(self):
        """10.66.0.0/15 leads from the LAN through the gateway to nobody: what is sent there is dropped."""
        run("ip", "-n", self.lab.names["wire"], "link", "add", "sink-h", "type", "veth", "peer", "name", "sink", "netns",
            self.lab.names["host"])
        self.lab.ip("wire", "link", "set", "sink-h", "up")
        for words in ("link set sink up", "addr add 10.66.0.2/24 dev sink",
                      "neigh add 10.66.0.1 lladdr 02:00:00:00:00:01 dev sink nud permanent",
                      "route add 10.66.0.0/15 via 10.66.0.1 dev sink"):
            self.lab.ip("host", *words.split())
        self.lab.ip("lan", "route", "add", "10.66.0.0/15", "via", "192.168.7.1")
        self.before = self.lab.policy()

    def flood(self, count, port=443):
        said = run(*self.lab.prefix("lan"), program("flow-flood", "FLOW_FLOOD"), "send", str(count), "192.168.7.0",
                   "10.66.0.0", str(port))
        self.assertEqual(int(said), count)

    def flow_flood(self, *words):
        return int(run(*self.lab.prefix("host"), program("flow-flood", "FLOW_FLOOD"), *words))

    def assert_moves(self):
        """Whatever was done to it: when up0 dies, the flows are moved."""
        self.lab.dead("up0")
        self.wait_on("up1", 60)


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Floods(Flows):
    """By default settings."""
    rate = 5000  # 4 KiB is a flow after a second
    words = ("--min-age", "5s", "--min-bytes", "4K")

    def live(self, **more):
        super().live(words=self.words, **more)

    def test_a_million_short_flows(self):
        """Its memory stays bounded, the long flows are watched, and moved."""
        self.sink()
        self.live()
        self.flood(FLOWS)
        peak = measure.peak_kib(self.node_there.process.pid)
        self.assertLess(peak, MOST_KIB * (6 if sanitized() else 1))
        self.wait_peers()
        self.assert_moves()

    def test_the_table_is_full(self):
        """Of entries that the kernel does not evict. It is said, and flows that are there can be moved."""
        self.live()
        with open(FULL_BYTES) as file:
            most = int(file.read())
        made = self.flow_flood("fill", str(most), "192.168.7.0", "10.66.0.0")
        self.assertLess(made, most)
        self.node_there.wait_said("full", 30)
        self.assert_moves()

    def test_it_could_not_listen(self):
        """It stood still while flows came and went by the ten thousand."""
        self.sink()
        self.live()
        os.kill(self.node_there.process.pid, signal.SIGSTOP)
        try:
            self.flood(MANY)
        finally:
            os.kill(self.node_there.process.pid, signal.SIGCONT)
        self.wait_peers()
        self.assert_moves()


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Others(Flows):
    """Other programs on the gateway."""

    def moved(self, **more):
        self.live(**more)
        self.lab.dead("up0")
        self.wait_on("up1")

    def test_the_ruleset_is_reloaded(self):
        """`systemctl reload nftables`: what is there is flushed, whoever made it."""
        self.moved()
        self.lab.nft("host", "flush ruleset\n" + ROUTER)
        self.wait_until(lambda: "pathdog" in self.lab.policy()["ruleset"], "its table is there again")
        self.node_there.wait_said("was changed by nft")
        self.wait_flow()
        self.assertEqual(set(self.on().values()), {"up1"})

    def test_the_ruleset_is_flushed_again_and_again(self):
        """Another program that fights for it: it does not become a busy loop, and says so once in a while."""
        self.moved()
        for _ in range(20):
            self.lab.nft("host", "flush ruleset\n" + ROUTER)
            self.wait_until(lambda: "pathdog" in self.lab.policy()["ruleset"], "its table is there again", 60)
        self.assertLess(len(self.node_there.said("was changed by nft")), 40)
        self.wait_flow()

    def test_connection_tracking_is_flushed(self):
        self.moved()
        run(*self.lab.prefix("host"), program("flow-flood", "FLOW_FLOOD"), "flush")
        self.wait_flow()
        self.assertEqual(set(self.on().values()), {"up1"})
        self.wait_peers()

    def rules(self):
        """All of IPv4, anew, as a network script does it."""
        self.lab.ip("host", "rule", "flush")
        for words in ("pref 32766 lookup main", "pref 32767 lookup default",
                      *(f"pref {1000 + n} from 10.0.{n}.2 lookup {100 + n}" for n in (1, 2, 3))):
            self.lab.ip("host", "rule", "add", *words.split())

    def test_its_rules_are_deleted(self):
        self.rules()
        self.before = self.lab.policy()
        self.moved()
        self.rules()
        self.wait_flow()
        self.assertEqual(set(self.on().values()), {"up1"})

    @cases({"Docker": (rulesets.DOCKER, (), 0), "firewalld": (rulesets.FIREWALLD, (), 0),
            "mwan3": (ROUTER + rulesets.MWAN3, rulesets.MWAN3_RULES, 0x100)})
    def test_a_firewall_of_others(self, ruleset, rules, mark):
        """Its marks stay what they are; what has not been chosen stays where it is."""
        self.lab.nft("host", "flush ruleset\n" + ruleset)
        for rule in rules:
            self.lab.ip("host", "rule", "add", *rule.split())
        self.before = self.lab.policy()
        self.live()
        bystander = self.bystander(mark)
        self.lab.dead("up0")
        self.wait_on("up1")
        self.assert_bystander(bystander, mark=mark)


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Uplinks(Flows):
    def test_one_loses_its_address_with_flows_on_it(self):
        self.live()
        self.lab.dead("up0")
        self.wait_on("up1")
        self.lab.ip("host", "addr", "del", "10.0.2.2/24", "dev", "up1")
        self.node_there.wait_said("up1")
        self.wait_on("lte", 60)
        self.lab.link("up1", "up")

    def test_one_goes_down_with_flows_on_it(self):
        """As a modem that is pulled out."""
        self.live()
        self.lab.dead("up0")
        self.wait_on("up1")
        self.lab.ip("host", "link", "set", "up1", "down")
        self.wait_on("lte", 60)
        self.lab.link("up1", "up")


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Kernel(Flows):
    """What the kernel refuses."""

    def refused(self, *statuses, **more):
        """What it says of a start that is refused; nothing was changed."""
        node = self.flow_node(ready=False, **more)
        status = node.process.wait(30 * PATIENCE)
        self.flow_nodes.remove(node)
        node.stop()
        self.assertIn(status, statuses, node.lines)
        self.assert_clean()
        return "\n".join(node.lines)

    def test_without_the_right(self):
        said = self.refused(2, wrap=("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"))
        self.assertIn("CAP_NET_ADMIN", said)

    def test_each_socket_is_refused_once(self):
        """As kernels answer that were built without a part: the first, the second, … socket."""
        faults = Faults(self.directory)
        words = [f"{key}={value}" for key, value in faults.environment.items()]
        for after in range(64):
            faults.set("socket", "EPROTONOSUPPORT", after=after, times=1)
            node = self.flow_node(ready=False, wrap=("env", *words))
            self.wait_until(lambda: node.process.poll() is not None or node.said("ready: "), "it has ended, or serves")
            hit = faults.hit("socket")
            serves = node.process.poll() is None
            self.flow_nodes.remove(node)
            wrong = node.stop()
            self.assertTrue(node.lines, after)
            if serves:
                self.assertEqual(wrong, [], after)
            else:
                self.assertIn(node.process.returncode, (1, 2, 3), (after, node.lines))  # 3: libnftables
                self.assertIn("not supported", node.lines[-1], after)
            self.assert_clean()
            if not hit:
                return
        self.fail("it makes sockets without end")

    def test_the_nft_program_is_not_needed(self):
        self.live()
        self.assert_moves()


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Killed(Flows):
    def test_again_and_again(self):
        """What it left is taken over, or taken away: in the end nothing is there."""
        self.live()
        self.lab.dead("up0")
        self.wait_on("up1")
        for _ in range(5):
            self.node_there.process.kill()
            self.node_there.process.wait()
            self.flow_nodes.remove(self.node_there)
            self.node_there.reader.join(10)
            self.node_there = self.flow_node()
            self.pathdog.node = self.node_there
        self.wait_flow()
        self.wait_peers()


if __name__ == "__main__":
    unittest.main()
