# SPDX-License-Identifier: Apache-2.0
"""The stage of the demo with a gateway: a LAN of plain QUIC clients, and flow-node and pathdog on its gateway.

The lab's host is the gateway here; the LAN is one namespace more.
"""
import os
import subprocess

from stage import UPLINKS, Stage, StageError

# What a router's administrator writes: the LAN may go out, answers may come in, masquerade on both uplinks.
ROUTER = """
table inet router {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "lan" accept
    }
    chain postrouting {
        type nat hook postrouting priority srcnat;
        iifname "lan" oifname { "up0", "up1" } masquerade
    }
}
"""

CONFIG = """\
[watchdog]
node = {directory}/flow-node.sock
control = {directory}/control.sock
state_directory = {directory}
plugin_directory = {directory}/plugins
sample_interval = 1s
close_interval = 200ms
choose = {choose}

[trigger:stall]

[trigger:route]
""" + UPLINKS


class GatewayStage(Stage):
    config = CONFIG

    def open(self):
        super().open()
        self.configure(self.config, choose="yes")
        gateway, lan = f"{self.prefix}-host", f"{self.prefix}-lan"
        self.ip("netns", "add", lan)
        self.sysctl(gateway, "net.ipv4.ip_forward=1", "net.netfilter.nf_conntrack_acct=1",
                    "net.netfilter.nf_conntrack_timestamp=1")
        self.ip("-n", gateway, "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", lan)
        self.ip("-n", gateway, "addr", "add", "192.168.7.1/24", "dev", "lan")
        self.ip("-n", gateway, "link", "set", "lan", "up")
        self.ip("-n", lan, "link", "set", "lo", "up")
        self.ip("-n", lan, "link", "set", "eth0", "up")
        # lab.sh has one default route, that of up0; a router has one for each uplink
        self.ip("-n", gateway, "route", "add", "default", "via", "10.0.2.1", "dev", "up1", "metric", "200")
        self.load_rules()

    def add_client(self, n, server):
        """A device of the LAN: 192.168.7.N has the way to this server."""
        lan = f"{self.prefix}-lan"
        self.ip("-n", lan, "addr", "add", f"192.168.7.{n}/24", "dev", "eth0")
        self.ip("-n", lan, "route", "add", f"{server}/32", "via", "192.168.7.1", "src", f"192.168.7.{n}")

    def load_rules(self):
        """As `systemctl reload nftables` does it: everything is flushed, whoever made it, and the file is read."""
        self.at_gateway("nft", "-f", "-", text="flush ruleset\n" + ROUTER)

    def policy(self):
        """All on the gateway that decides where packets go."""
        return "".join(self.at_gateway(*words) for words in (
            ("ip", "rule"), ("ip", "route", "show", "table", "all"), ("nft", "--stateless", "list", "ruleset")))

    # ---- programs ----

    def start_flow_node(self):
        """What it says on standard error is told, too."""
        self.start("flow-node", "host", "sh", "-c", 'exec "$@" 2>&1', "sh",
                   os.path.join(self.build, "contrib/flow-node/flow-node"), "--socket",
                   os.path.join(self.directory, "flow-node.sock"), "--ports", "443,8443", "--lan", "lan",
                   "--min-age", "1s", "--min-bytes", "0")
        self.wait_for("flow-node", lambda line: "ready: " in line, "being ready")

    def end(self, name, kill=False):
        """Ends this program; with `kill` it has no time to clean up."""
        process = self.process(name)
        self.processes.remove(process)
        if kill:
            process.child.kill()
        return process.stop()

    # ---- commands ----

    def at_gateway(self, *words, text=None):
        return self.run("ip", "netns", "exec", f"{self.prefix}-host", *words, text=text)

    def ip(self, *words):
        return self.run("ip", *words)

    def sysctl(self, namespace, *words):
        return self.run("ip", "netns", "exec", namespace, "sysctl", "-q", "-w", *words)

    @staticmethod
    def run(*words, text=None):
        done = subprocess.run(words, input=text or "", text=True, capture_output=True)
        if done.returncode != 0:
            raise StageError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def close(self):
        super().close()
        subprocess.run(["ip", "netns", "del", f"{self.prefix}-lan"], capture_output=True)
