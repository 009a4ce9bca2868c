# SPDX-License-Identifier: Apache-2.0
"""Faults of barrel_p2p: its view of the peers, and its application."""
import time
from types import SimpleNamespace

import starts
from faults import BRAVO, WAIT_S, Fault


def no_conn(scene):
    said = scene.pair().alpha.ask(f"barrel_p2p_path_stats:summary({BRAVO})")
    return "no_conn" in str(said), f"summary of a live peer: {said}"


def scan_waits(scene):
    """The scan, of a process that is no connection."""
    said = scene.apart().alpha.ask("pdlab:within(7000, fun() -> pdlab:inside(barrel_p2p_path_stats, "
                                   "answers_get_path_stats, [spawn(fun() -> receive never -> ok end end)]) end)")
    return said == "none", f"a process that is no connection, after 7 s: {'no answer' if said == 'none' else said}"


def stays_alone(scene):
    scene.pair(kernel="{net_ticktime, 4}")
    scene.stage.kill_node("bravo")
    scene.alpha.wait_until("nodes() =:= []", "bravo is noticed to be gone")
    scene.bravo = scene.stage.start_node("bravo")
    time.sleep(12)
    said = scene.alpha.ask("[length(nodes()), length(barrel_p2p:active_view()), length(barrel_p2p:passive_view())]")
    return said == [0, 0, 0], \
        f"12 s after bravo is back (contact_retry_ms is 5 s): {said[0]} nodes, {said[1]} active, {said[2]} passive"


def second_up(scene):
    said = scene.pair().alpha.ask(
        f"begin barrel_p2p:subscribe(self()), barrel_p2p:join({BRAVO}), F = fun F(L) -> receive M -> F([M | L]) "
        "after 1000 -> length(L) end end, F([]) end")
    return said > 0, f"events after a second join of a peer that is up: {said}"


def promotion_crashes(scene):
    """What maybe_promote_passive/1 notes for a peer, and then that peer is connected."""
    said = scene.pair().alpha.ask(
        "begin P = whereis(barrel_p2p_hyparview), M = monitor(process, P), Module = barrel_p2p_hyparview, "
        "_ = sys:replace_state(P, fun(S) -> pdlab:with(Module, view_state, pending, "
        "pdlab:inside(Module, insert_pending, ['delta@delta.lab', neighbor, #{}]), S) end), "
        "barrel_p2p_hyparview:peer_connected('delta@delta.lab', undefined), "
        "receive {'DOWN', M, process, P, {Reason, _}} -> Reason after 3000 -> lives end end")
    lost = scene.alpha.ask("[length(nodes()), length(barrel_p2p:active_view())]") if said != "lives" else []
    return said != "lives", f"barrel_p2p_hyparview: {str(said)[:60]}…; after it {lost} nodes and active peers"


def too_late(scene):
    said = scene.apart(kernel="{prevent_overlapping_partitions, true}").alpha.ask(
        "[application:get_env(kernel, prevent_overlapping_partitions, none), "
        "[element(3, C) || C <- tuple_to_list(sys:get_state(global_name_server)), is_tuple(C), element(1, C) =:= conf]]")
    return str(said[0]).lower() == "false" and str(said[1][0]).lower() == "true", \
        f"kernel's environment says {said[0]}, and global goes by {said[1]}"


def not_listed(scene):
    said = scene.apart().alpha.ask(
        "begin {ok, L} = application:get_key(barrel_p2p, applications), {ok, {_, [{imports, I}]}} = "
        "beam_lib:chunks(code:which(barrel_p2p_hlc), [imports]), [L, lists:keymember(hlc, 1, I)] end")
    return "hlc" not in said[0] and str(said[1]).lower() == "true", \
        f"barrel_p2p_hlc calls hlc; barrel_p2p's applications: {', '.join(said[0])}"


def one_sided(scene):
    scene.stage.end_run()
    play = SimpleNamespace(stage=scene.stage, with_pathdog=False, scenario=SimpleNamespace(start="order", kernel=""))
    ms, apart, _ = starts.start(play)
    time.sleep(WAIT_S)
    lacking = starts.lacks(scene.stage, "pdlab:up({})")
    scene.alpha = scene.stage.nodes["alpha"]
    return not apart and lacking != [], \
        f"three nodes connected after {ms:.0f} ms; {WAIT_S} s later in the active view there lacks: {lacking or 'nobody'}"


def reaped(scene):
    """alpha lacks bravo in its active view, as in 32, and is old enough at once."""
    scene.pair().alpha.ask(
        "begin Module = barrel_p2p_hyparview, _ = sys:replace_state(Module, fun(S) -> "
        "pdlab:with(Module, view_state, active_view, #{}, S) end), "
        "_ = sys:replace_state(barrel_p2p_dist_gc, fun(S) -> pdlab:with(barrel_p2p_dist_gc, state, min_age_ms, 0, S) end), "
        "barrel_p2p_dist_gc:sweep_now() end")
    time.sleep(WAIT_S)
    here, there = scene.alpha.ask("length(nodes())"), scene.bravo.ask("length(nodes())")
    return here == 0 and there == 1, f"{WAIT_S} s after the sweep: {here} nodes here, {there} there"


FAULTS = [Fault("1", no_conn), Fault("2", scan_waits), Fault("13", stays_alone), Fault("16", second_up),
          Fault("18", promotion_crashes), Fault("26", too_late), Fault("30", not_listed), Fault("32", one_sided, 4),
          Fault("35", reaped, 2)]
