# SPDX-License-Identifier: Apache-2.0
"""Faults of quic that have to do with paths, and with what it tells of them."""
import time

from faults import ALPHA, BRAVO, WAIT_S, Fault

LISTENERS = ("length([S || S <- erlang:ports(), erlang:port_info(S, name) =:= {name, \"udp_inet\"}, "
             "inet:port(S) =:= {ok, 9100}])")
STATISTICS = ("begin C = CONN, {ok, A} = quic:get_stats(C), {ok, B} = quic:get_path_stats(C), "
              "maps:keys(maps:merge(A, B)) end")


def inbound(scene):
    bravo = scene.pair().bravo
    before = bravo.ask(LISTENERS)
    said = bravo.ask(f"quic:migrate(pdlab:connection({ALPHA}), #{{}})")
    after = bravo.ask(LISTENERS)
    return said == "ok" and after < before, \
        f"migrate of the accepting side: {said}; listening sockets: {before}, then {after}"


def forgets(scene):
    """alpha's uplink goes down under load and it goes on over the other one; quic follows the routes."""
    scene.pair().alpha.ask(f"pdlab:pings({BRAVO}, 16, 20)")
    time.sleep(1)
    scene.network.down_and_flip("up0", "up1")
    time.sleep(2 * WAIT_S)
    quiet = [one["quiet_us"] > 1_000_000 for one in scene.alpha.ask("pdlab:report()")]
    return any(quiet) and not all(quiet), \
        f"{2 * WAIT_S} s after link down and flip {sum(quiet)} of 16 pairs stand still"


def before_validation(scene):
    scene.pair().network.silence()
    said = scene.conn(
        "begin {T, R} = timer:tc(fun() -> quic:migrate(CONN, #{timeout => 2000}) end), [R, T div 1000] end")
    return said[0] == "ok", f"migrate into a black hole: {said[0]} after {said[1]} ms"


def challenge_once(scene):
    scene.pair().network.silence()
    scene.conn("quic:migrate(CONN, #{timeout => 500})")
    time.sleep(0.5)
    scene.network.reset()
    scene.alpha.ask(f"pdlab:pings({BRAVO}, 1, 20)")
    time.sleep(WAIT_S)
    said = scene.conn("[[pdlab:part(quic_connection, path_state, F, P) || F <- [status, challenge_count]] "
                      "|| P <- pdlab:state(CONN, alt_paths)]")
    answered = scene.alpha.ask("[A || #{answered := A} <- pdlab:report()]")[0]
    return ["validating", 1] in said and answered > 0, \
        f"its challenge was lost, {answered} pings since were answered; paths and how often each was challenged: {said}"


def old_socket(scene):
    said = scene.pair().conn("begin C = CONN, S = pdlab:state(C, socket), {ok, P} = inet:port(S), "
                             "ok = quic:migrate(C, #{}), [P, erlang:port_info(S, connected)] end")
    return said[1] == "undefined", f"the socket of port {said[0]} right after the migration: {said[1]}"


def old_address(scene):
    said = scene.pair().conn("begin C = CONN, {ok, {_, P}} = quic:sockname(C), ok = quic:migrate(C, #{}), "
                             "{ok, {_, Q}} = quic:sockname(C), {ok, S} = inet:port(pdlab:state(C, socket)), [P, Q, S] end")
    return said[1] != said[2], f"after a migration sockname/1 says port {said[1]}, the socket has {said[2]}"


def paths_grow(scene):
    said = scene.pair().conn(
        "begin C = CONN, [begin ok = quic:migrate(C, #{}), timer:sleep(100) end || _ <- [1, 2, 3, 4]], "
        "length(pdlab:state(C, alt_paths)) end")
    return said > 1, f"after four migrations alt_paths has {said} entries"


def other_error(scene):
    scene.pair().alpha.ask(f"pdlab:forbid({BRAVO})")
    said = scene.conn("quic:migrate(CONN, #{})")
    return "peer_disable_migration" not in str(said), f"where the peer forbids it: {said}"


def not_forbidden(scene):
    """A listener of its own, on the loopback interface."""
    said = scene.apart().alpha.ask(
        "begin Chain = #{root => [], intermediates => [], peer => []}, "
        "#{server_config := Config} = public_key:pkix_test_data(#{server_chain => Chain, client_chain => Chain}), "
        "{Type, Der} = proplists:get_value(key, Config), "
        "{ok, _} = quic:start_server(fault, 9200, #{cert => proplists:get_value(cert, Config), "
        "key => public_key:der_decode(Type, Der), alpn => [<<\"x\">>], disable_active_migration => true}), "
        "{ok, Conn} = quic:connect(\"127.0.0.1\", 9200, #{alpn => [<<\"x\">>], verify => false}, self()), "
        "receive {quic, Conn, {connected, _}} -> ok after 5000 -> exit(not_connected) end, "
        "quic:migrate(Conn, #{}) end")
    return said == "ok", f"migrate, where the listener's options have disable_active_migration => true: {said}"


def milliseconds(scene):
    said = scene.pair().conn("begin C = CONN, [begin {ok, #{srtt := S, latest_rtt := L}} = quic:get_path_stats(C), "
                             "timer:sleep(50), [S, L] end || _ <- lists:seq(1, 5)] end")
    return all(us % 1000 == 0 for one in said for us in one), \
        f"srtt and latest_rtt on a LAN, in microseconds: {said}"


def noticed_late(scene):
    scene.pair().alpha.ask(f"pdlab:pings({BRAVO}, 4, 20)")
    scene.network.silence()
    time.sleep(10)
    there = scene.alpha.ask(f"pdlab:up({BRAVO})"), scene.bravo.ask(f"pdlab:up({ALPHA})")
    return str(there[0]).lower() == "true", \
        f"10 s after the path died under load bravo is up at alpha: {there[0]}; alpha at bravo: {there[1]}"


def gap_unseen(scene):
    said = scene.pair().conn(STATISTICS)
    return not any(word in one for one in said for word in ("gap", "hole", "stalled", "reassembly")), \
        f"nothing of gaps in what was received: {', '.join(said)}"


def unacked_unseen(scene):
    said = scene.pair().conn(STATISTICS)
    return not any(word in one for one in said for word in ("unacked", "acked", "pto", "last_received")), \
        f"nothing of what is unacknowledged: {', '.join(said)}"


def options_lost(scene):
    """extra_socket_opts of the dial: the address of its socket. The table of options dies with who made it."""
    scene.apart().alpha.ask(
        f"begin spawn(fun() -> quic_dist:set_connect_options({BRAVO}, #{{extra_socket_opts => [{{ip, {{10,0,1,2}}}}]}}), "
        "receive never -> ok end end), ok end")
    time.sleep(0.5)
    scene.join()
    bound = "begin {ok, {Ip, _}} = inet:sockname(pdlab:state(CONN, socket)), list_to_binary(inet:ntoa(Ip)) end"
    before = scene.conn(bound)
    scene.conn("quic:migrate(CONN, #{})")
    after = scene.conn(bound)
    return before == "10.0.1.2" and after != before, f"dialed from {before}; after a migration from {after}"


def duplicates(scene):
    """What alpha sends arrives, and bravo's acknowledgements do not, for a moment: alpha sends again."""
    scene.pair()
    time.sleep(0.5)
    scene.network.batch("net", "rule add iif peers priority 50 blackhole")
    scene.alpha.ask(f"length([spawn(fun() -> {{nobody, {BRAVO}}} ! hello end) || _ <- lists:seq(1, 16)])")
    time.sleep(0.5)
    scene.network.batch("net", "rule del iif peers priority 50 blackhole")
    time.sleep(WAIT_S)
    said = scene.bravo.ask(
        "begin P = fun(F, S) -> pdlab:part(quic_connection, stream_state, F, S) end, "
        f"[length([O || O <- maps:keys(P(recv_buffer, S)), O < P(recv_offset, S)]) "
        f"|| S <- maps:values(pdlab:state(pdlab:connection({ALPHA}), streams)), is_map(P(recv_buffer, S))] end")
    return sum(said) > 0, \
        f"{WAIT_S} s after half a second without acknowledgements {sum(said)} pieces of what was delivered are kept, " \
        f"on {sum(1 for one in said if one)} of {len(said)} streams"


def no_probe(scene):
    """More than a window is under way when the path dies for a moment: alpha has to probe."""
    scene.pair()
    time.sleep(0.5)
    scene.network.silence()
    scene.alpha.ask(f"begin {{nobody, {BRAVO}}} ! binary:copy(<<0>>, 500000), ok end")
    time.sleep(WAIT_S)
    scene.network.reset()
    look = "begin C = CONN, CC = pdlab:state(C, cc_state), {ok, #{data_sent := N}} = quic:get_stats(C), " \
           "[N, quic_cc:bytes_in_flight(CC), quic_cc:cwnd(CC)] end"
    before = scene.conn(look)
    time.sleep(WAIT_S)
    after = scene.conn(look)
    return before[0] == after[0] and after[1] >= before[1] > 0, \
        f"in the {WAIT_S} s after the path lives again {after[0] - before[0]} bytes were sent; " \
        f"{after[1]} are under way, with a window of {after[2]}"


FAULTS = [Fault("3", inbound), Fault("4", forgets, 4), Fault("5", before_validation), Fault("6", challenge_once),
          Fault("7", old_socket), Fault("8", old_address), Fault("9", paths_grow), Fault("10", other_error),
          Fault("11", not_forbidden), Fault("14", milliseconds), Fault("15", noticed_late), Fault("20", gap_unseen),
          Fault("28", options_lost), Fault("29", unacked_unseen), Fault("33", duplicates, 2),
          Fault("34", no_probe, 4)]
