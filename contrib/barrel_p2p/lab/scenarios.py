# SPDX-License-Identifier: Apache-2.0
"""What is played on the stage. A scenario says who dialled whom and what happens; everything else is the same for all
of them.
"""
import json
import os
import time
from dataclasses import dataclass, field

import relays
import starts
from play import NotReady, Play, Result
from stage import LabError, NODES, node_name

FLIPS = 10
FLIP_PACE_S = 0.3


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
