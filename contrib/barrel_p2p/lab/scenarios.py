# SPDX-License-Identifier: Apache-2.0
"""What is played on the stage, and how it is judged: the longest gap of a ping, and frozen or not.

A scenario says who dialled whom and what happens; everything else is the same for all of them.
"""
import json
import os
import subprocess
import time
from dataclasses import dataclass, field

import relays
import starts
from stage import LabError, NODES, PATIENCE_S, node_name

PING_MS = 20
CAST_MS = 10
FLIPS = 10
LOST_S = 30  # what says nothing for so long after what happened is lost
SETTLE_S = 2  # until the last casts are there
FLIP_PACE_S = 0.3
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


# ---- what happens ----

def samples(play):
    """Nothing happens. What the bridge finds in the real modules is what is there."""
    for name in play.peers:
        found = play.alpha.ask(
            f"begin {{_, C}} = lists:keyfind('{node_name(name)}', 1, "
            "erlang:system_info(dist_ctrl)),"
            " {ok, F} = pathdog_bridge_conn:find(C, 2000), Q = maps:get(conn, F),"
            f" [maps:get(role, F), Q =:= pdlab:connection('{node_name(name)}'),"
            " pathdog_bridge_conn:address(pathdog_bridge_conn:remote(Q)),"
            " lists:sort(maps:keys(pathdog_bridge_state:read(Q, 2000))),"
            " maps:get(unknown, pathdog_bridge_state:read(Q, 2000)),"
            " pathdog_bridge_state:readable()] end")
        _, port, address = NODES[name]
        parts = ["at", "holes", "pto_count", "pto_us", "received_ms", "sending", "unknown"]
        if found != ["client", True, f"{address}:{port}", parts, [], True]:
            raise LabError(f"the bridge finds {found} behind {name}")


def flip(play):
    play.stage.network.flip("up1")


def down_and_flip(play):
    play.stage.network.down_and_flip("up0", "up1")


def forbid_then_down_and_flip(play):
    play.alpha.ask(f"pdlab:forbid({play.peer})")
    down_and_flip(play)


def restart_then_down_and_flip(play):
    play.stage.kill_node("alpha")
    if play.with_pathdog:
        play.stage.pathdogs["alpha"].wait_for(
            lambda r: r["record"] == "node" and r["state"] == "down", "it lost the node")
    play.start_alpha()
    if play.with_pathdog:
        play.wait_known()
    if play.scenario.casts:
        play.start_casts_of("alpha")
        play.wait_lanes(50)
    else:
        play.start_pings()
    play.mark()
    down_and_flip(play)


def far_ends_first(play):
    """They close their connections and cast, so they dial alpha where it cannot be reached; and only
    then alpha has another way."""
    play.stage.network.down("up0")
    for name in play.peers:
        play.stage.nodes[name].ask(f"pdlab:close('{node_name('alpha')}')")
    for name in play.peers:
        play.stage.nodes[name].wait_until(f"pdlab:dials('{node_name('alpha')}')", "it dials alpha")
    flip(play)


def peer_restart(play):
    play.stage.kill_node("bravo")
    dialled = play.scenario.dialler == "alpha"
    play.stage.start_node("bravo", [] if dialled else ["alpha"])


def wedge_then_down_and_flip(play):
    play.alpha.ask(f"pdlab:wedge('{node_name('charlie')}')")
    down_and_flip(play)


def ten_flips(play):
    for count in range(FLIPS):
        here, there = ("up0", "up1") if count % 2 == 0 else ("up1", "up0")
        play.stage.network.link_up(there)
        play.stage.network.down_and_flip(here, there)
        time.sleep(FLIP_PACE_S)


def die_silently(play):
    play.stage.network.second_route()
    if play.with_pathdog:
        play.wait_uplinks("up0", "up1")
    play.stage.network.silence()


@dataclass
class Scenario:
    name: str
    text: str
    dialler: str
    event: object
    third: bool = False
    both: bool = False  # a pathdog beside the others, too
    casts: bool = False  # between all nodes, instead of the ping
    once: bool = False  # which do not connect by themselves, as barrel_p2p has it
    kernel: str = ""  # more of kernel's environment
    config: dict = field(default_factory=dict)
    only_with: bool = False
    relay: str = ""  # where bravo is reached at first
    doors: tuple = ()
    direct: bool = False  # a door for the direct path, too
    start: str = ""  # nothing else happens: whom the nodes name as contacts

    @property
    def lanes(self):
        return "lanes" if self.casts else "pairs"


SCENARIOS = [
    Scenario("samples", "nothing happens: samples arrive", "alpha", samples, only_with=True),
    Scenario("flip-dialler", "route flip, alpha dialled", "alpha", flip),
    Scenario("flip-acceptor", "route flip, bravo dialled", "bravo", flip),
    Scenario("down-flip-dialler", "link down and flip, alpha dialled", "alpha", down_and_flip),
    Scenario("down-flip-acceptor", "link down and flip, bravo dialled", "bravo", down_and_flip),
    Scenario("both-dialler", "the same, alpha dialled, pathdog on both sides", "alpha",
             down_and_flip, both=True, only_with=True),
    Scenario("both-acceptor", "the same, bravo dialled, pathdog on both sides", "bravo",
             down_and_flip, both=True, only_with=True),
    Scenario("forbidden", "link down and flip, the peer forbids migration", "alpha",
             forbid_then_down_and_flip),
    Scenario("forbidden-migrate", "the same, with prefer = migrate", "alpha",
             forbid_then_down_and_flip, config={"prefer": "migrate"}, only_with=True),
    Scenario("restart", "the node restarts, then link down and flip", "alpha",
             restart_then_down_and_flip),
    Scenario("wedged", "another connection's process stands still, then link down and flip",
             "alpha", wedge_then_down_and_flip, third=True),
    Scenario("silent-dialler", "up0 dies silently, with two uplinks, alpha dialled", "alpha",
             die_silently),
    Scenario("silent-acceptor", "the same, bravo dialled", "bravo", die_silently),
    Scenario("mesh", "three nodes that cast, link down and flip, alpha dialled", "alpha", down_and_flip,
             casts=True),
    Scenario("mesh-acceptor", "the same, the others dialled", "bravo", down_and_flip, casts=True),
    Scenario("mesh-all", "the same, alpha dialled, pathdog beside each", "alpha", down_and_flip,
             both=True, casts=True, only_with=True),
    Scenario("mesh-once", "the same, with barrel_p2p's dist_auto_connect", "alpha", down_and_flip,
             casts=True, once=True),
    Scenario("mesh-global", "the same, with connect_all", "alpha", down_and_flip, casts=True,
             kernel="{connect_all, true}"),
    Scenario("mesh-flip", "three nodes that cast, route flip", "alpha", flip, casts=True),
    Scenario("mesh-far", "three nodes that cast, the others close first and dial where alpha is not",
             "alpha", far_ends_first, casts=True),
    Scenario("mesh-far-acceptor", "the same, the others dialled", "bravo", far_ends_first,
             casts=True),
    Scenario("mesh-silent", "three nodes that cast, up0 dies silently", "alpha", die_silently,
             casts=True),
    Scenario("mesh-silent-all", "the same, pathdog beside each", "alpha", die_silently, both=True,
             casts=True, only_with=True),
    Scenario("mesh-restart", "three nodes that cast, alpha restarts, then link down and flip",
             "alpha", restart_then_down_and_flip, casts=True),
    Scenario("mesh-ten-flips", "three nodes that cast, ten times link down and flip", "alpha",
             ten_flips, casts=True),
    Scenario("ten-flips", f"ten times link down and flip, every {int(FLIP_PACE_S * 1000)} ms",
             "alpha", ten_flips),
    *(Scenario(name, text, "alpha", event, only_with=True, relay=via, doors=doors,
                direct=direct)
      for name, text, via, event, doors, direct in relays.SCENARIOS),
    *(Scenario(name, text, "", None, start=which, kernel=kernel)
      for name, text, which, kernel in starts.SCENARIOS),
]


def play(stage, settings, scenario, with_pathdog):
    """One run; raises LabError if the lab itself failed."""
    one = Play(stage, settings, scenario, with_pathdog)
    try:
        if scenario.start:
            ms, missing, view = starts.start(one)
            return Result(scenario.name, with_pathdog, bool(missing), ms, lost_peers=missing,
                          asked=[f"not in the view: {pair}" for pair in view])
        try:
            one.open()
        except LabError as error:
            raise NotReady(str(error)) from error
        one.mark()
        scenario.event(one)
        result = one.watch_casts() if scenario.casts else one.watch()
        if settings.keep and (result.frozen or result.gap_ms > settings.keep_over_ms):
            keep(one, result)
        return result
    except LabError:
        if settings.keep:
            keep(one, None)
        raise
    finally:
        stage.end_run()


def keep(one, result):
    name = f"{one.scenario.name}-{'with' if one.with_pathdog else 'without'}-{time.time_ns()}"
    where = os.path.join(one.settings.keep, name)
    one.stage.keep(where)
    with open(os.path.join(where, "result.json"), "w") as file:
        json.dump(result.__dict__ if result else None, file)
    with open(os.path.join(where, "stacks.json"), "w") as file:
        json.dump(one.stacks, file, indent=1)
    for name, pathdog in one.stage.pathdogs.items():
        with open(os.path.join(where, name, "records.json"), "w") as file:
            for record in list(pathdog.records):
                file.write(json.dumps(record) + "\n")
