# SPDX-License-Identifier: Apache-2.0
"""One run: its nodes, what they send to each other, and how it is judged: the longest gap, and frozen or not."""
import json
import os
import subprocess
import time
from dataclasses import dataclass, field

import relays
from stage import LabError, PATIENCE_S, node_name

PING_MS = 20
CAST_MS = 10
LOST_S = 30  # what says nothing for so long after what happened is lost
SETTLE_S = 2  # until the last casts are there
IN_STEP_US = 500_000


@dataclass
class Result:
    scenario: str
    pathdog: bool
    frozen: bool = False
    gap_ms: float = 0.0
    frozen_pairs: int = 0
    asked: list = field(default_factory=list)
    fallback: bool = False
    lost_peers: list = field(default_factory=list)  # "from to", of those that cast
    lost_messages: int = 0
    load: float = 0.0  # of the machine, at the end


class NotReady(LabError):
    """The nodes did not come together. No run: it may be tried again."""


class Play:
    """One run: the nodes, their roles, the pings between alpha and bravo."""

    def __init__(self, stage, settings, scenario, with_pathdog):
        self.stage = stage
        self.settings = settings
        self.scenario = scenario
        self.with_pathdog = with_pathdog
        self.alpha = None
        self.stacks = None
        self.casting = set()
        self.peer = f"'{node_name('bravo')}'"
        self.peers = ["bravo"] + (["charlie"] if scenario.third or scenario.casts else [])
        # what is recommended for three nodes
        self.kernel = scenario.kernel or ("{connect_all, false}" if scenario.casts else "")
        self.up = "connected" if scenario.casts else "up"

    def open(self):
        self.stage.network.reset()
        if self.scenario.relay:
            if not self.settings.relay:
                raise LabError("there is no udp-relay; --relay PATH")
            self.stage.relays = relays.Relays(self.stage, self.settings.relay)
        dialled = self.scenario.dialler == "alpha"
        for name in self.peers:
            self.stage.start_node(name, [] if dialled else ["alpha"],
                                  bridge=self.with_pathdog,
                                  kernel=self.kernel, relay=self.relay(name))
        if len(self.peers) > 1:
            self.meet()
        self.start_alpha()
        for name in self.watched():
            self.stage.start_pathdog(name, self.config(name))
            self.wait_known(name)
        self.start_pings()

    def relay(self, name):
        one = self.scenario
        if one.relay:
            return relays.settings(name, one.relay, one.doors, one.direct)
        return ", {connections, all}" if one.casts else ""

    def watched(self):
        """The nodes with a pathdog beside them."""
        if not self.with_pathdog:
            return []
        return ["alpha", *self.peers] if self.scenario.both else ["alpha"]

    def meet(self):
        """Before alpha comes: else both dial each other at once, as soon as both know alpha, and
        that alone makes net_kernel stand still for seconds (quic 1.8)."""
        bravo, charlie = self.stage.nodes["bravo"], self.stage.nodes["charlie"]
        charlie.ask(f"barrel_p2p:join({self.peer})")
        charlie.wait_until(f"pdlab:{self.up}({self.peer})", "bravo is up")
        bravo.wait_until(f"pdlab:{self.up}('{node_name('charlie')}')", "charlie is up")

    def start_alpha(self):
        dialled = self.scenario.dialler == "alpha"
        # over a relay the bridge's options have to be there before the first dial
        contacts = self.peers if dialled and not self.scenario.relay else []
        self.alpha = self.stage.start_node("alpha", contacts, bridge=self.with_pathdog,
                                           kernel=self.kernel, relay=self.relay("alpha"))
        for name in self.peers:
            caller, other = (self.alpha, name) if dialled else (self.stage.nodes[name], "alpha")
            caller.ask(f"barrel_p2p:join('{node_name(other)}')")
        for name in self.peers:
            self.alpha.wait_until(f"pdlab:{self.up}('{node_name(name)}')", f"{name} is up")
            self.stage.nodes[name].wait_until(f"pdlab:{self.up}('{node_name('alpha')}')", "alpha is up")
            role = self.alpha.ask(f"pdlab:role('{node_name(name)}')")
            if name in self.casting:
                continue  # it dials by itself
            if role != ("client" if dialled else "server"):
                raise LabError(f"alpha is the {role} of {name}, which is not what was asked for")

    def config(self, name):
        directory = f"{self.stage.directory}/{name}"
        keys = {"node": f"{directory}/pathdog.sock", "control": f"{directory}/control.sock",
                "state_directory": directory, **self.scenario.config}
        if self.settings.plugins:
            keys["plugin_directory"] = self.settings.plugins
        more = "[trigger:relay]\n" if self.scenario.relay else ""
        return "[watchdog]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) + more

    def wait_known(self, name="alpha"):
        """Until pathdog has the peers with a row each: then it knows their ways out, too."""
        peers = [other for other in ["alpha", *self.peers] if other != name]
        deadline = time.monotonic() + PATIENCE_S
        while not self.known(name, peers):
            if time.monotonic() > deadline:
                raise LabError(f"{name}'s pathdog has no samples of {', '.join(peers)}: "
                               f"{self.stage.pathdogs[name].records[-5:]}")
            time.sleep(0.02)

    def known(self, name, peers):
        rows = [row for line in self.ctl("peers", name).splitlines()
                for row in rows_of(json.loads(line))]
        boots = [r for r in self.stage.pathdogs[name].records if r["record"] == "node"]
        return bool(boots) and boots[-1]["state"] == "up" and all(
            any(row.get("peer") == node_name(peer) and row.get("srtt_us") is not None
                for row in rows) for peer in peers)

    def wait_uplinks(self, *interfaces):
        deadline = time.monotonic() + PATIENCE_S
        while not all(f'"{interface}"' in self.ctl("uplinks") for interface in interfaces):
            if time.monotonic() > deadline:
                raise LabError(f"pathdog does not know the uplinks {', '.join(interfaces)}: "
                               f"{self.ctl('uplinks')}")
            time.sleep(0.02)

    def ctl(self, command, name="alpha"):
        done = subprocess.run(
            [self.settings.pathdogctl, "--socket", f"{self.stage.directory}/{name}/control.sock",
             "--json", command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def start_pings(self):
        if self.scenario.casts:
            self.start_casts()
            return
        self.alpha.ask(f"pdlab:pings({self.peer}, {self.settings.pairs}, {PING_MS})")
        self.wait_in_step(50)

    def wait_in_step(self, answers):
        deadline = time.monotonic() + PATIENCE_S
        while not all(pair["answered"] >= answers and pair["quiet_us"] < IN_STEP_US
                      for pair in self.alpha.ask("pdlab:report()")):
            if time.monotonic() > deadline:
                raise LabError("the pings do not get going")
            time.sleep(0.1)

    # ---- casts between all of them ----

    def all_nodes(self):
        return ["alpha", *self.peers]

    def start_casts(self):
        for name in self.all_nodes():
            self.start_casts_of(name)
        self.wait_lanes(50)

    def start_casts_of(self, name):
        others = ", ".join(f"'{node_name(other)}'" for other in self.all_nodes() if other != name)
        if not self.scenario.once:
            self.stage.nodes[name].ask("pdlab:connect_again()")
        self.stage.nodes[name].ask(f"pdlab:casts([{others}], {CAST_MS})")
        self.casting.add(name)

    def mark(self):
        """What is measured begins now; of casts with the next one of each lane, so that none that
        is under way is counted, or missed."""
        self.alpha.ask("pdlab:mark()")
        if self.scenario.casts:
            for name in self.peers:
                self.stage.nodes[name].ask("pdlab:mark()")
            self.wait_lanes(1)

    def wait_lanes(self, count):
        deadline = time.monotonic() + PATIENCE_S
        while not all(lane["count"] >= count for lane in self.lanes().values()):
            if time.monotonic() > deadline:
                raise NotReady(f"the casts do not get going: {self.lanes()}")
            time.sleep(0.02)

    def lanes(self):
        """(from, to) → what came; nothing yet counts as quiet."""
        nothing = {"count": 0, "before": 0, "odd": 0, "gap_us": 0, "quiet_us": 10 ** 9}
        found = {}
        for to in self.all_nodes():
            sink = self.stage.nodes[to].ask("pdlab:sinks()")
            for name in self.all_nodes():
                if name != to:
                    found[name, to] = sink.get(node_name(name), nothing)
        return found

    def watch_casts(self):
        """Until all casts are there again and nothing more can come, or for LOST_S."""
        began = time.monotonic()
        while True:
            lanes = self.lanes()
            if self.settings.keep and not self.stacks and any(
                    lane["quiet_us"] > 3_000_000 for lane in lanes.values()):
                self.stacks = {name: node.ask("pdlab:stacks()")
                               for name, node in self.stage.nodes.items()}
            elapsed = time.monotonic() - began
            silent = [key for key, lane in lanes.items() if lane["quiet_us"] >= IN_STEP_US]
            if elapsed >= LOST_S or elapsed >= self.settings.watch_s and not silent:
                break
            time.sleep(0.1)
        sent = {name: self.stage.nodes[name].ask("pdlab:stop_casts()")
                for name in self.all_nodes()}
        time.sleep(SETTLE_S)
        after = self.lanes()
        result = self.result([], [{"gap_us": lanes[key]["gap_us"]} for key in lanes])
        result.lost_peers = sorted(f"{name} {to}" for name, to in silent)
        result.frozen = bool(silent)
        result.frozen_pairs = len(silent)
        result.lost_messages = sum(
            sent[name][node_name(to)] - after[name, to]["before"] - after[name, to]["count"]
            for name, to in lanes if (name, to) not in silent)
        return result

    def watch(self):
        """Until every pair has been answered again and nothing more can come, or is frozen."""
        began = time.monotonic()
        while True:
            pairs = self.alpha.ask("pdlab:report()")
            if self.settings.keep and not self.stacks and any(
                    pair["quiet_us"] > 1_000_000 for pair in pairs):
                self.stacks = {name: node.ask("pdlab:stacks()")
                               for name, node in self.stage.nodes.items()}
            elapsed = time.monotonic() - began
            limit_us = self.settings.frozen_s * 1e6
            frozen = [pair for pair in pairs if pair["quiet_us"] >= limit_us]
            if frozen and elapsed >= self.settings.frozen_s:
                return self.result(frozen, pairs)
            if elapsed >= self.settings.watch_s and all(
                    pair["quiet_us"] < IN_STEP_US and pair["answered"] > 0 for pair in pairs):
                result = self.result([], pairs)
                result.lost_messages = relays.lost(self) if self.scenario.relay else 0
                return result
            time.sleep(0.1)

    def result(self, frozen, pairs):
        result = Result(self.scenario.name, self.with_pathdog, bool(frozen),
                        max(pair["gap_us"] for pair in pairs) / 1000, len(frozen),
                        load=os.getloadavg()[0])
        if self.with_pathdog:
            records = [record for pathdog in self.stage.pathdogs.values()
                       for record in list(pathdog.records)]
            result.asked = [f"{r['by']}:{r['outcome']}" for r in records
                            if r["record"] == "outcome"]
            result.fallback = any(r["record"] == "decision" and r["trigger"] == "fallback"
                                  and r["verdict"] == "reconnect" for r in records)
        return result


def rows_of(answer):
    return answer if isinstance(answer, list) else answer.get("peers", [answer])
