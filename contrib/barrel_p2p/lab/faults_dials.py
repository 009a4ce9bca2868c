# SPDX-License-Identifier: Apache-2.0
"""Faults of quic that have to do with dialing, being dialed, and the end of connections."""
import sys
import time

import stage
from faults import ALPHA, BRAVO, WAIT_S, Fault

DIALS = 60
HANGS_MS = 6000  # net_setuptime is 2 s


def leaks(scene):
    scene.pair().alpha.ask(f"begin persistent_term:put(c, pdlab:connection({BRAVO})), erlang:disconnect_node({BRAVO}) end")
    time.sleep(WAIT_S)
    there = scene.bravo.ask(f"lists:member({ALPHA}, nodes())")
    lives = scene.alpha.ask("is_process_alive(persistent_term:get(c))")
    return "true" in (str(there).lower(), str(lives).lower()), \
        f"{WAIT_S} s after disconnect_node: the peer still has us: {there}, the connection lives: {lives}"


def both_dial(scene):
    scene.apart()
    at = int((time.time() + 0.5) * 1000)
    for node, other in ((scene.alpha, BRAVO), (scene.bravo, ALPHA)):
        node.ask(f"pdlab:at({at}, fun() -> net_kernel:connect_node({other}) end)")
    time.sleep(0.5)
    asked = "element(1, timer:tc(fun() -> catch sys:get_state(net_kernel, 20000) end)) div 1000"
    for _ in range(10):
        said = scene.alpha.ask(asked)
        if said > 500:
            break
        time.sleep(0.1)
    return said > 500, f"both dial each other at once: net_kernel answers after {said} ms (net_setuptime is 2 s)"


def logged(scene):
    scene.pair().conn("quic:close(CONN, normal)")
    time.sleep(1)
    log = scene.log("alpha")
    crashes = [line for line in log.split("\n") if "crasher:" in line or "terminating" in line.lower()]
    size = sum(len(part) for part in log.split("\n\n") if "quic_dist_controller" in part)
    return any("quic_dist_controller" in log[log.find(line):][:3000] for line in crashes), \
        f"a clean close: {len(crashes)} reports of a crash, {size} characters about the controller"


def no_boundaries(scene):
    """What a controller gives for one read of a message, where two have come."""
    said = scene.pair().alpha.ask(
        "begin Two = pdlab:with(quic_dist_controller, state, recv_buffer, <<\"sok\", \"Nchallenge\">>, "
        f"pdlab:controller({BRAVO})), {{ok, Data, _}} = pdlab:inside(quic_dist_controller, try_recv, [0, Two]), "
        "iolist_to_binary(Data) end")
    return said == "sokNchallenge", f"«sok» and «Nchallenge» came: one read gives «{said}»"


def silent_failure(scene):
    """bravo's net_kernel is stopped, so the handshake is not answered; alpha's set-up process is ended."""
    scene.apart().bravo.ask("sys:suspend(net_kernel)")
    scene.alpha.ask(f"begin spawn(fun() -> net_kernel:connect_node({BRAVO}) end), ok end")
    scene.bravo.wait_until("pdlab:running(quic_connection) =/= []", "alpha has dialed")
    time.sleep(1)
    ended = scene.alpha.ask("length([exit(P, kill) || P <- pdlab:running(quic_dist), P =/= whereis(net_kernel), "
                            "lists:member(whereis(net_kernel), element(2, process_info(P, links)))])")
    time.sleep(1)
    left = scene.alpha.ask("length(pdlab:running(quic_connection))"), \
        scene.bravo.ask("length(pdlab:running(quic_connection))")
    return ended > 0 and left[1] > 0, \
        f"{ended} set-up ended; 1 s later alpha has {left[0]} connections and bravo {left[1]}"


def set_up_stays(scene):
    count = "length([P || P <- pdlab:running(dist_util), lists:keymember(con_loop, 2, " \
            "element(2, process_info(P, current_stacktrace)))])"
    before = scene.pair().alpha.ask(count)
    scene.conn("quic:close(CONN, normal)")
    time.sleep(WAIT_S)
    after = scene.alpha.ask(f"[{count}, length(nodes())]")
    return after[0] > after[1], f"processes in con_loop: {before}, after a close {after[0]} for {after[1]} nodes"


def hangs(scene):
    """bravo's net_kernel is stopped for good: a dial must end with its time."""
    scene.apart().bravo.ask("sys:suspend(net_kernel)")
    said = scene.alpha.ask(f"pdlab:within({2 * HANGS_MS}, fun() -> net_kernel:connect_node({BRAVO}) end)")
    return said == "none", f"a dial that is not answered, after {2 * HANGS_MS // 1000} s, net_setuptime 2 s: " \
        f"{'none yet' if said == 'none' else said}"


def authenticating(scene):
    scene.apart()
    # as on a busy machine
    scene.bravo.ask("length([spawn(fun F() -> F() end) || _ <- lists:seq(1, 4 * erlang:system_info(schedulers))])")
    slow = done = 0
    for done in range(1, DIALS + 1):
        said = scene.alpha.ask(f"pdlab:within({HANGS_MS}, fun() -> net_kernel:connect_node({BRAVO}) end)")
        if said == "none":
            slow += 1
            break
        if str(said).lower() == "true":
            scene.conn("quic:close(CONN, normal)")
        for node in (scene.alpha, scene.bravo):
            node.wait_until("nodes() =:= []", "the connection is closed")
    return slow > 0, f"of {done} dials one after the other {slow} had no answer after {HANGS_MS // 1000} s"


def no_negotiation(scene):
    scene.apart()
    code = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)\n"
            "s.connect(('10.9.0.2', 9100)); s.send(bytes([0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8]) + b'12345678' + bytes([8]) "
            "+ b'abcdefgh' + bytes(1200 - 23))\n"
            "try: print(s.recv(2000)[1:5].hex())\nexcept OSError as error: print('nothing')")
    said = stage.run(["ip", "netns", "exec", scene.network.name("host"), sys.executable, "-c", code]).strip()
    return said != "00000000", f"the answer to an Initial of an unknown version: {said}"


def refused(scene):
    """bravo dials alpha where it is not any more, again and again; alpha, over its other uplink, dials bravo."""
    scene.apart().network.silence()
    scene.network.flip("up1")
    scene.bravo.ask(f"begin spawn(fun F() -> net_kernel:connect_node({ALPHA}), F() end), ok end")
    time.sleep(0.5)
    said = scene.alpha.ask("begin {T, R} = timer:tc(fun() -> pdlab:within(10000, fun() -> "
                           f"net_kernel:connect_node({BRAVO}) end) end), [R, T div 1000] end")
    return said[1] > 1000, f"a dial, while the peer dials a dead address: {said[0]} after {said[1]} ms"


FAULTS = [Fault("12", leaks), Fault("17", both_dial, 8), Fault("19", logged), Fault("21", no_boundaries),
          Fault("22", silent_failure), Fault("23", set_up_stays), Fault("24", hangs), Fault("25", authenticating),
          Fault("27", no_negotiation), Fault("31", refused)]
