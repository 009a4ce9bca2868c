# SPDX-License-Identifier: Apache-2.0
"""journald standing still, slow, full, and gone: a second pathdog, of the template unit, beside a
scripted node that makes as many records as the test wants."""

import errno
import os
import signal
import socket
import threading
import time

import box
from node import ScriptedNode

UNIT = "pathdog@flood.service"
PATH = "/run/flood.sock"
NOTIFY = "/run/pathdog/flood/notify"
# More than the kernel's buffers and the writing thread's queue of 8192 entries hold together, and
# less than may wait beside them.
MANY = 12000
# Of questions, each 200 ms.
ROUNDS = 12
# Records of one move: cause, decision, outcome, effect. They may be among the dropped ones.
OTHERS = 4
SHARED = {}


def node():
    """The node, made once; pathdog@flood is up and knows one peer."""
    if "node" in SHARED:
        return SHARED["node"]
    made = ScriptedNode(PATH, node="flood")
    made.add("one@flood", 1, local="10.0.1.2:4001")
    made.start()
    gid = int(box.sh("id", "-g", "pathdog").stdout)
    os.chown(PATH, 0, gid)
    os.chmod(PATH, 0o660)
    box.configure(name="flood", node=PATH, runtime="pathdog/flood")
    since = box.mark()
    box.sh("systemctl", "start", UNIT)
    box.wait_node("up", since, UNIT)
    SHARED["node"] = made
    return made


def tell(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), NOTIFY)


def moves(made):
    return len([r for link in made.links for r in link.named("migrate_peer")])


def moved_within(made):
    """How long it takes from a tunnel's notice to the request that comes of it."""
    n, begin = moves(made), time.monotonic()
    # Never twice the same, because notices that say the same within a second are one.
    tell(f"EVENT=rebind\nPEERS=one@flood again-{n}\nREASON=test")
    box.wait(lambda: moves(made) > n, "the node is asked to migrate")
    return time.monotonic() - begin


def peers(made, count, first):
    """So many records: each peer comes, one record."""
    link = made.link()
    for conn in range(first, first + count):
        link.notify("peer_up", peer=f"p{conn}@flood", conn=conn, role="client")


def counted(since):
    """(peer records in the journal, what records there say was dropped before them)."""
    entries = box.journal(f"_SYSTEMD_UNIT={UNIT}", since=since)
    return (len([e for e in entries if e.get("PATHDOG_RECORD") == "peer"]),
            sum(int(e.get("PATHDOG_LOG_DROPPED", 0)) for e in entries), entries)


def said_at_last(made, since):
    """What is dropped is said by the next record that gets through: one more peer each second,
    until there is one with nothing before it that was not said. How many that took."""
    before = SHARED.setdefault("tried", 0)

    def through():
        SHARED["tried"] += 1
        conn = 100000 + SHARED["tried"]
        peers(made, 1, conn)
        time.sleep(1)  # what is waited for is a record more, not a moment
        return box.journal(f"PATHDOG_PEER=p{conn}@flood", since=since)

    box.wait(through, "a record that gets through")
    return SHARED["tried"] - before


def goes_on(made):
    """While journald is as it is: rounds of questions, and a move. Says how long they took, which is
    for a reader: if the loop waited for journald they would not come at all."""
    def rounds():
        return [r.time for r in made.link().named("summary")]

    n, begin = len(rounds()), time.monotonic()
    box.wait(lambda: len(rounds()) > n + ROUNDS, "pathdog goes on asking")
    times = [begin, *rounds()[n:]]
    gap = max(b - a for a, b in zip(times, times[1:]))
    print(f"# longest gap between rounds of 200 ms: {1000 * gap:.0f} ms; a move took "
          f"{1000 * moved_within(made):.0f} ms")


def journald():
    return box.main_pid("systemd-journald.service")


def test_an_instance_of_the_template_runs_beside():
    made = node()
    moved_within(made)
    assert box.main_pid() != box.main_pid(UNIT) and box.main_pid() > 0
    box.sh("systemctl", "reload", UNIT)
    owner = os.stat("/run/pathdog/flood").st_uid
    assert owner == int(box.sh("id", "-u", "pathdog").stdout), owner


def stands_still(count, first):
    """(how many records there were, how many of them are in the journal, and were dropped)."""
    made, since, pid = node(), box.mark(), journald()
    os.kill(pid, signal.SIGSTOP)
    try:
        peers(made, count, first)
        goes_on(made)
    finally:
        os.kill(pid, signal.SIGCONT)
    n = count + said_at_last(made, since)
    written, dropped, _ = counted(since)
    print(f"# {n} records: {written} in the journal, {dropped} dropped and said")
    return n, written, dropped


def test_journald_stands_still_and_the_loop_goes_on():
    n, written, dropped = stands_still(MANY, 10)
    assert not dropped and 0 <= written - n <= OTHERS, (n, written, dropped)


def slowed(pid, ended):
    """It runs for some milliseconds of each tenth of a second, until `ended` is set."""
    while not ended.wait(0.1):
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.002)
        os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)


def test_journald_is_slow_and_the_loop_goes_on():
    made, since, ended = node(), box.mark(), threading.Event()
    brake = threading.Thread(target=slowed, args=(journald(), ended))
    os.kill(journald(), signal.SIGSTOP)
    brake.start()
    try:
        peers(made, 2 * MANY, 200000)
        goes_on(made)
    finally:
        ended.set()
        brake.join()
    n = 2 * MANY + said_at_last(made, since)
    written, dropped, _ = counted(since)
    print(f"# {n} records: {written} in the journal, {dropped} dropped and said")
    assert 0 <= written + dropped - n <= OTHERS, (n, written, dropped)


def fill(path):
    """Until there is no place any more."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error


# What journald takes and cannot keep is not pathdog's to know.
def test_journald_is_full_and_the_loop_goes_on():
    made, place, unit = node(), "/var/log/journal", "systemd-journald.service"
    pid, run = box.main_pid(UNIT), box.show(UNIT, "InvocationID")
    os.makedirs(place, exist_ok=True)
    box.sh("mount", "-t", "tmpfs", "-o", "size=16M,mode=755", "tmpfs", place)
    try:
        box.sh("systemctl", "restart", unit)
        peers(made, 1, 300000)
        box.wait_entry("PATHDOG_PEER=p300000@flood")
        fill(place + "/fill")
        peers(made, MANY, 300001)
        goes_on(made)
        os.unlink(place + "/fill")
        said_at_last(made, 0)
        written = len(box.journal(f"_SYSTEMD_UNIT={UNIT}", "PATHDOG_RECORD=peer"))
        print(f"# {MANY} records, {written} of them in the journal")
    finally:
        box.sh("umount", "--lazy", place)
        box.sh("systemctl", "restart", unit)
    assert (box.main_pid(UNIT), box.show(UNIT, "InvocationID")) == (pid, run), "it was restarted"
    assert written < MANY, "the disk was not full: the test is too small"


def test_journald_is_stopped_and_the_loop_goes_on():
    made, since = node(), box.mark()
    names = ("systemd-journald.socket", "systemd-journald-dev-log.socket",
             "systemd-journald.service")
    pid, run = box.main_pid(UNIT), box.show(UNIT, "InvocationID")
    box.sh("systemctl", "stop", *names)
    try:
        peers(made, 50, 20000)
        goes_on(made)
    finally:
        box.sh("systemctl", "start", *names)
    assert (box.main_pid(UNIT), box.show(UNIT, "InvocationID")) == (pid, run), "it was restarted"
    made.link().notify("peer_up", peer="after@flood", conn=8, role="client")
    entry = box.wait_entry("PATHDOG_PEER=after@flood")
    written, dropped, _ = counted(since)
    print(f"# 51 records: {written} in the journal, {dropped} dropped and said: {entry['MESSAGE']}")
    box.sh("systemctl", "stop", UNIT)
    made.stop()
    assert 0 <= written + dropped - 51 <= OTHERS, (written, dropped)


TESTS = [test_an_instance_of_the_template_runs_beside,
         test_journald_stands_still_and_the_loop_goes_on,
         test_journald_is_slow_and_the_loop_goes_on,
         test_journald_is_full_and_the_loop_goes_on,
         test_journald_is_stopped_and_the_loop_goes_on]
