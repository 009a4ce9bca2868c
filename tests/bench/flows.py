# SPDX-License-Identifier: Apache-2.0
"""contrib/flow-node's mover: thousands of flows moved at once, beside one `nft -f` of the same elements;
and what its table costs a gateway that forwards, beside plain masquerade. In network namespaces, as
root."""

import os
import statistics
import subprocess
import sys
import threading
import time

from report import say, verdict

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLOWS = 10000
MOVED_MS, COST = 1000, 1.03
SEND, SOCKETS, DATAGRAMS = "tests/bench/flow-send", 1000, 4000
SINK = """table inet sink { chain in { type filter hook prerouting priority -400;
  iifname { "s1", "s2" } udp dport 443 drop; }; }"""
DROP = "table inet dropped { chain in { type filter hook prerouting priority -400; iifname lan drop; }; }"


class Sender:
    """Datagrams of a LAN's client through the gateway, from many ports, each of which was answered once."""

    def __init__(self, lab, tool, sockets, datagrams):
        import socket
        import mover_lab
        self.datagrams = datagrams
        with mover_lab.namespace("s"):
            self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.server.bind((mover_lab.SERVER[4], 443))
        self.answering = threading.Thread(target=self.answer, daemon=True)
        self.answering.start()
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", f"{mover_lab.PREFIX}-l", tool, mover_lab.CLIENT[4],
             mover_lab.SERVER[4], "443", str(sockets), str(datagrams)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            self.round()
            time.sleep(0.2)
            entries = lab.part("h", "conntrack", "-L", "-p", "udp", check=False)
            if entries.count("dport=443") - entries.count("UNREPLIED") >= sockets:
                break

    def answer(self):
        while True:
            try:
                _, peer = self.server.recvfrom(128)
                self.server.sendto(b"x", peer)
            except OSError:
                return

    def round(self):
        """Nanoseconds of a datagram."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()) / self.datagrams

    def best(self):
        return min(self.round() for _ in range(10))

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.server.close()


def floor_ms(lab):
    """One nft -f of the same elements into a table like it."""
    lab.nft("h", "table inet floor { map m { type ipv4_addr . ipv4_addr . inet_service . inet_service : "
                 "verdict; }; chain c { }; }")
    text = "add element inet floor m {" + ",".join(
        f"10.7.0.7 . 10.9.0.1 . {20000 + i} . 443 : goto c" for i in range(FLOWS)) + "}\n"
    began = time.monotonic()
    lab.nft("h", text)
    took = (time.monotonic() - began) * 1000
    lab.nft("h", "delete table inet floor")
    return took


def bench_moved(lab, mover_lab, send, table, quick):
    table.group("flow-node: 10 000 flows that have conntrack entries moved at once",
                "what", "time", "÷ one nft -f", "target", "target reached")
    rounds = 2 if quick else 5
    floor = [floor_ms(lab) for _ in range(rounds)]
    sender = Sender(lab, send, FLOWS, FLOWS)
    moved, again, back = [], [], []
    try:
        mover = mover_lab.Mover()
        mover.line("ready")
        first = f"from udp:{mover_lab.SERVER[4]}:443#{mover_lab.CLIENT[4]}:20000 {FLOWS}"
        for _ in range(rounds):
            for where, times in (("up2", moved), ("up1", again), ("-", back)):
                times.append(mover.commit(f"{first} {where}")["us"] / 1000)
                sender.round()
        mover.end()
    finally:
        sender.close()
    base = statistics.median(floor)
    table.row("one nft -f of 10 000 elements", f"{base:.0f} ms", "1", "–", "–")
    for what, times in (("moved: elements, entries looked up and deleted", moved),
                        ("moved on to a third place", again), ("back to the routes", back)):
        median = statistics.median(times)
        table.row(what, f"{median:.0f} ms", f"{median / base:.2f}", f"≤ {MOVED_MS} ms",
                  verdict(median <= MOVED_MS))


def bench_cost(lab, mover_lab, send, table, quick):
    table.group("flow-node: what a gateway's forwarding of one datagram costs, with its sending",
                "what", "each", "÷ masquerade", "target", "target reached")
    lab.nft("h", mover_lab.MASQUERADE)
    sender = Sender(lab, send, SOCKETS, DATAGRAMS)
    lab.nft("s", SINK)
    each = {"dropped at the gateway": [], "plain masquerade": [], "and 10 000 other flows moved": []}
    names = list(each)
    try:
        for _ in range(4 if quick else 16):
            lab.nft("h", DROP)
            each[names[0]].append(sender.best())
            lab.nft("h", "delete table inet dropped")
            each[names[1]].append(sender.best())
            mover = mover_lab.Mover()
            mover.line("ready")
            mover.commit(f"many {FLOWS} 4 up2")
            each[names[2]].append(sender.best())
            mover.end()
    finally:
        sender.close()
    for name, some in each.items():
        ratio = statistics.median(b / a for a, b in zip(each[names[1]], some))
        target = COST if name == names[2] else None
        table.row(name, f"{statistics.median(some):.0f} ns", f"{ratio:.3f}",
                  f"≤ {target}" if target else "–", verdict(ratio <= target) if target else "–")


def bench(run, table):
    try_ = os.path.join(run.tools.directory, "contrib/flow-node/mover-try")
    send = os.path.join(run.tools.directory, SEND)
    if not os.path.exists(try_) or os.geteuid() != 0:
        say("flows: left out, it needs root and contrib/flow-node")
        return
    os.environ["MOVER_TRY"] = try_
    sys.path.append(os.path.join(TOP, "contrib/flow-node"))
    import mover_lab

    class Lab(mover_lab.LabCase):
        def runTest(self):
            pass

    for part in (bench_moved, bench_cost):
        lab = Lab()
        try:
            lab.setUp()
            part(lab, mover_lab, send, table, run.quick)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            say(f"flows: {error}")
        finally:
            lab.destroy()
