#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The play with a gateway: devices of a LAN whose QUIC programs know nothing of pathdog, and a gateway with two uplinks.

Exits with 1 if anything that is promised did not happen.
"""
import re
import sys
import time

from demo import Play, arguments, perform
from gateway_stage import GatewayStage
from stage import PATIENCE_S, StageError
from story import Story

DEVICES = {"phone": "10.9.0.2", "laptop": "10.9.0.3", "tv": "10.9.0.4", "tablet": "10.9.0.5"}  # and its server
PRINTER = {"printer": "10.9.0.8"}  # its server forbids migration
ALL = {**DEVICES, **PRINTER}
UPLINK_OF = {"10.0.1.2": "up0", "10.0.2.2": "up1"}
PATIENT = ("--idle-timeout", "120s")
LEARN_S = 5
GAP_DEAD_MS = 8000  # a second, or four and a half where it is not known yet how soon a flow is answered
GAP_OTHER_MS = 2500


class GatewayPlay(Play):
    """Everything that is checked was measured by the devices and by their servers."""

    def __init__(self, stage, story):
        super().__init__(stage, story)
        self.worst = {}  # {device: its longest gap}, since it was told

    # ---- reading along ----

    def named(self, record):
        """The device instead of the flow's addresses and ports."""
        def text(value):
            return re.sub(r"udp:[^\s;,]+", lambda found: self.device(found[0]), value)
        return {key: text(value) if key in ("peer", "reason", "text") and value else value
                for key, value in record.items()}

    @staticmethod
    def device(flow):
        return next((name for name, server in ALL.items() if f"udp:{server}:" in flow), flow)

    def flows(self):
        """{device: (its own account, the server's)}; keeps the longest gaps since gaps()."""
        at_server = {peer["peer"]: peer for name in ("server", "strict") for peer in self.stage.stats(name)["peers"]}
        flows = {device: (self.stage.stats(device)["peers"][0], at_server[device]) for device in ALL}
        for device, ends in flows.items():
            self.worst[device] = max(self.worst.get(device, 0), *(end["gap_ms"] for end in ends))
        return flows

    def gaps(self):
        self.flows()
        gaps, self.worst = self.worst, {}
        return gaps

    def on(self):
        """{device: the uplink whose address its server sees}"""
        return {device: UPLINK_OF.get(end.get("remote", "").rsplit(":", 1)[0])
                for device, (_, end) in self.flows().items()}

    def until_on(self, uplink, patience_s=PATIENCE_S):
        """All devices whose servers permit it."""
        end = time.monotonic() + patience_s
        while len({name for name, at in self.on().items() if at == uplink and name in DEVICES}) < len(DEVICES):
            if time.monotonic() > end:
                raise StageError(f"not all devices are on {uplink} within {patience_s} s: {self.on()}")
            self.pause(0.3)

    def begin(self):
        self.gaps()
        self.stage.metronome.take_ms()

    def tell_device_gaps(self, limit_ms):
        self.tell_gaps(**{device: limit_ms for device in DEVICES})

    # ---- the acts ----

    def prologue(self):
        stage, story = self.stage, self.story
        self.act(1, "A LAN of five devices behind a gateway with two uplinks",
                 "devices ── gateway ── up0 (10.0.1.2), up1 (10.0.2.2) ── … ── their servers",
                 "The devices' QUIC programs and the servers know nothing of pathdog. On the gateway are a",
                 "firewall with plain masquerade, flow-node, and pathdog. The printer's server forbids migration.")
        stage.open()
        for uplink in ("up0", "up1"):
            stage.lab("delay", uplink, "10ms")
        stage.before = stage.policy()
        stage.start_node("strict", "peer", "--listen", f"{PRINTER['printer']}:8443", "--forbid-migration",
                         *PATIENT)
        stage.start_node("server", "peer", "--listen", "0.0.0.0:443")
        stage.start_flow_node()
        stage.start_pathdog()
        for n, (device, server) in enumerate(ALL.items()):
            stage.add_client(10 + n, server)
            port = 443 if device in DEVICES else 8443
            stage.start_node(device, "lan", "--dial", f"{'server' if port == 443 else 'strict'}={server}:{port}",
                             "--no-redial", *(() if device in DEVICES else PATIENT))
        seen = set()
        while seen != set(ALL):
            stage.wait_for("pathdog", lambda r: r["record"] == "peer", f"the flows of {set(ALL) - seen} being seen")
            seen = {self.device(r["peer"]) for r in stage.records if r["record"] == "peer"}
        self.tell()
        story.line(time.time(), "flow-node", f"reports {len(ALL)} flows, and learns how soon each is answered")
        self.pause(LEARN_S)
        self.begin()

    def silent(self):
        self.act(2, "up0 dies silently: its carrier, its address and its routes stay",
                 "Each device's own connection goes on over up1, under another address. Its server follows.",
                 "The printer's server does not: its flow is put back, and waits for up0.")
        self.stage.lab("blackhole", "up0", "on")
        self.until_on("up1")
        self.tell_device_gaps(GAP_DEAD_MS)
        self.until("the printer put back", record="outcome", peer=self.flow("printer"))
        self.story.check(self.on()["printer"] == "up0", "the printer's server never saw another address")
        self.begin()

    def flow(self, device):
        """What pathdog calls it."""
        return next(r["peer"] for r in self.stage.records if r["record"] == "peer" and self.device(r["peer"]) == device)

    def reload(self):
        self.act(3, "The administrator reloads the firewall: systemctl reload nftables",
                 "That flushes the whole ruleset, whoever made it. flow-node puts its own table back.")
        self.stage.load_rules()
        self.until_table()
        self.pause(2)
        self.story.check({at for name, at in self.on().items() if name in DEVICES} == {"up1"},
                         "all devices are still on up1")
        self.tell_device_gaps(GAP_OTHER_MS)

    def until_table(self):
        end = time.monotonic() + PATIENCE_S
        while "pathdog_flows" not in self.stage.policy():
            if time.monotonic() > end:
                raise StageError(f"flow-node has not put its table back within {PATIENCE_S} s")
            self.pause(0.1)

    def killed(self):
        self.act(4, "flow-node is killed (SIGKILL), and started again",
                 "What it had moved stays where it is; the new one takes it over.")
        self.stage.end("flow-node", kill=True)
        self.pause(1)
        self.stage.start_flow_node()
        self.until("the node being back", record="node", state="up")
        self.pause(2)
        self.story.check({at for name, at in self.on().items() if name in DEVICES} == {"up1"},
                         "all devices are still on up1")
        self.tell_device_gaps(GAP_OTHER_MS)

    def repaired(self):
        self.act(5, "up0 is repaired",
                 "It has to prove that. Then one flow goes first, and the others follow.")
        self.stage.lab("blackhole", "up0", "off")
        self.until_on("up0", 3 * PATIENCE_S)
        self.tell_device_gaps(GAP_OTHER_MS)

    def epilogue(self):
        stage, story = self.stage, self.story
        self.act(6, "What the devices and their servers say")
        story.say("   device     sent  received  verified  lost  corrupt  connections  other addresses")
        flows = self.flows()
        for device, (own, end) in flows.items():
            story.say(f"   {device:<8} {own['bytes_sent']:>6}  {own['bytes_received']:>8}  {own['bytes_verified']:>8}"
                      f"  {own['bytes_lost'] + end['bytes_lost']:>4}  {own['bytes_corrupt'] + end['bytes_corrupt']:>7}"
                      f"  {own['connections']:>11}  {end['peer_moves']:>15}")
        story.say()
        ends = [end for pair in flows.values() for end in pair]
        story.check(not any(end["bytes_lost"] or end["bytes_corrupt"] for end in ends), "no byte was lost or wrong")
        story.check(all(own["up"] and own["connections"] == 1 for own, _ in flows.values()),
                    "every device still has the connection with which it began")
        stage.end("pathdog")
        stage.end("flow-node")
        story.check(stage.policy() == stage.before, "flow-node has left nothing behind on the gateway")

    def run(self, stay):
        for act in (self.prologue, self.silent, self.reload, self.killed, self.repaired):
            act()
        if stay:
            self.stay()
        self.epilogue()


def main():
    options = arguments()
    play = GatewayPlay(GatewayStage(options.top, options.build), Story(options.verbose))
    return perform(play, options.stay, "An uplink died, and no device of the LAN noticed more than a pause.")


if __name__ == "__main__":
    sys.exit(main())
