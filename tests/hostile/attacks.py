# SPDX-License-Identifier: Apache-2.0
"""What the soak does to a daemon: each attack is a function of a target and a source of random
numbers that works until it is told to stop, and says how much it did. Has no tests."""

import fcntl
import json
import os
import socket
import time

import measure
from others import Stranger

BAD_TEXTS = ("\u202e", "\u2066", "\u200b", "\u2028", "\ufeff", "\U000e0041", "\x1b[2J", "\x7f", "\x85")
GLOBS = ("*a*a*a*a*a*a*a*a*a*a*b", "*[!b]*[!b]*[!b]*[!b]*c", "[[:alpha:]", "[a-", "\\", "*" * 255,
         "?" * 250 + "*", "*@*@*@*@*@*", "[z-a]*")
ALL = {}


def attack(function):
    ALL[function.__name__] = function
    return function


def line(method, number=1, **params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                      ).encode() + b"\n"


def mutated(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        data[at:at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
    return bytes(data)


class Clients:
    """Raw connections to the control socket; whatever happens to them is fine."""

    def __init__(self, path):
        self.path, self.socks = path, []

    def more(self, number=1):
        for _ in range(number):
            sock = socket.socket(socket.AF_UNIX)
            sock.setblocking(False)
            try:
                sock.connect(self.path)
                self.socks.append(sock)
            except OSError:
                sock.close()
        return self.socks[-1] if self.socks else None

    def write(self, sock, data):
        try:
            return sock.send(data)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                self.drop(sock)
            return 0

    def drain(self, sock):
        try:
            while True:
                if not sock.recv(1 << 16):
                    self.drop(sock)
                    return
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                self.drop(sock)

    def drop(self, sock):
        if sock in self.socks:
            self.socks.remove(sock)
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for sock in self.socks:
            sock.close()


# -- the control socket -------------------------------------------------------------------

@attack
def rubbish_to_control(target, rng, ended):
    """Lines that are almost requests, in pieces."""
    done = 0
    good = [line("status"), line("peers", match="p*", limit=3), line("explain", peer="p1@h"),
            line("decisions", follow=True), line("hold", peer="p1@h", for_us=1000), b"{}\n", b"\0" * 70000]
    with Clients(target.control) as clients:
        while not ended.wait(0.001):
            sock = clients.more() if len(clients.socks) < 20 else rng.choice(clients.socks)
            if sock:
                clients.write(sock, mutated(rng, rng.choice(good))[:rng.choice((5, 50, 1 << 17))])
                clients.drain(sock)
                done += 1
    return f"{done} lines"


@attack
def expensive_questions(target, rng, ended):
    """Many clients that ask for all peers by bad globs, and read their answers."""
    done = 0
    with Clients(target.control) as clients:
        clients.more(30)
        while not ended.wait(0.002):
            for sock in list(clients.socks):
                done += bool(clients.write(sock, line("peers", match=rng.choice(GLOBS))
                                           + line("resolve", peer="p" * 200)))
                clients.drain(sock)
            clients.more(30 - len(clients.socks))
    return f"{done} questions"


@attack
def followers_that_stop(target, rng, ended):
    """They follow by globs, and read nothing."""
    with Clients(target.control) as clients:
        clients.more(rng.randint(1, 40))
        for sock in list(clients.socks):
            clients.write(sock, line("decisions", follow=True, peer=rng.choice(GLOBS)))
        ended.wait()
        return f"{len(clients.socks)} followers"


@attack
def a_crowd(target, rng, ended):
    """More clients than there is room for, idle and coming again."""
    done = 0
    with Clients(target.control) as clients:
        while not ended.wait(0.01):
            done += len(clients.socks)
            clients.more(rng.randint(1, 100))
            for sock in clients.socks[100:]:
                clients.drop(sock)
            for sock in list(clients.socks):
                clients.drain(sock)
    return f"{done} times idle"


@attack
def scrapers(target, rng, ended):
    """More than there is room for: they ask, ask for what is not there, ask half, or say nothing, and read or do not."""
    done = 0
    whole = b"GET /metrics HTTP/1.1\r\nHost: pathdog\r\nAccept: text/plain\r\n\r\n"
    with Clients(target.metrics) as clients:
        while not ended.wait(0.002):
            clients.more(40 - len(clients.socks))
            for sock in list(clients.socks):
                asks = rng.choice((whole, mutated(rng, whole), whole[:rng.randrange(len(whole))], b"\x16\x03\x01", b""))
                done += bool(asks and clients.write(sock, asks))
                if rng.randrange(3):
                    clients.drain(sock)
                elif not rng.randrange(5):
                    clients.drop(sock)
    return f"{done} requests"


@attack
def commands(target, rng, ended):
    """Holds, releases, moves, modes and reloads without end."""
    done = 0
    with Clients(target.control) as clients:
        while not ended.wait(0.002):
            sock = clients.more() if not clients.socks else clients.socks[0]
            if not sock:
                continue
            peer = f"p{rng.randint(1, 30)}@h"
            clients.write(sock, rng.choice((
                line("hold", peer=peer, for_us=rng.randint(1, 10**7)), line("release", peer=peer),
                line("hold", all=True, for_us=10**5), line("release", all=True),
                line("hold", peer=f"absent-{rng.randint(1, 10**6)}", absent=True, for_us=10**6),
                line("hold", uplink=rng.choice(("lo", "nowhere")), for_us=10**5), line("release", uplink="lo"),
                line("migrate", peer=peer), line("migrate", peer=peer, by="reconnect"),
                line("mode", mode=rng.choice(("active", "observe"))), line("reload"))))
            clients.drain(sock)
            done += 1
    target.back_to_normal()
    return f"{done} commands"


# -- notices ------------------------------------------------------------------------------

@attack
def notices(target, rng, ended):
    """Messages of the tunnel, good and bad, as fast as they are taken."""
    done = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        while not ended.is_set():
            text = rng.choice((
                f"EVENT=rebind\nPEERS=p{rng.randint(1, 40)}@h\nREASON={rng.random()}",
                f"EVENT=rebind\nTUNNEL=lo\nREASON={rng.choice(BAD_TEXTS)}{rng.random()}",
                f"EVENT=down\nPEERS={' '.join(rng.choices(GLOBS[:5], k=20))}\nREASON={rng.random()}",
                f"EVENT={rng.choice(BAD_TEXTS)}\n", "x" * 5000, "EVENT=rebind\n" * 300))
            try:
                sock.sendto(text.encode("utf-8", "replace"), target.dog.notify_path)
                done += 1
            except OSError:
                ended.wait(0.002)
    return f"{done} notices"


# -- the node -----------------------------------------------------------------------------

@attack
def node_says_rubbish(target, rng, ended):
    done = 0
    good = [b'{"jsonrpc":"2.0","method":"peer_path","params":{"conn":1,"local":"127.0.0.1:1"}}\n',
            b'{"jsonrpc":"2.0","method":"summaries","params":{"columns":["conn","srtt_us"],'
            b'"rows":[[1,5],[2,7]]}}\n', b'{"jsonrpc":"2.0","id":77,"result":{}}\n',
            b'{"jsonrpc":"2.0","method":"peer_up","params":{"peer":"p1@h","conn":1}}\n']
    while not ended.wait(0.001):
        if target.say(mutated(rng, rng.choice(good))):
            done += 1
    target.node_again()
    return f"{done} lines"


@attack
def node_floods(target, rng, ended):
    """Rows, paths and answers that nobody asked for, as fast as they are read."""
    row = b'{"jsonrpc":"2.0","method":"summaries","params":{"columns":["conn","srtt_us",' \
          b'"rtt_samples"],"rows":[' + b",".join(b"[%d,%d,1]" % (c, 10**6) for c in range(1, 40)) + b"]}}\n"
    path = b'{"jsonrpc":"2.0","method":"peer_path","params":{"conn":3,"local":"127.0.0.1:%d"}}\n'
    done = 0
    while not ended.wait(0.0005):
        done += target.say(row * 20 + b"".join(path % rng.randint(1, 60000) for _ in range(20))) * 40
    return f"{done} lines"


@attack
def node_asks_and_does_not_read(target, rng, ended):
    """Requests of the node's that pathdog refuses; the refusals are not read."""
    target.node.reading.clear()
    done = 0
    try:
        while not ended.wait(0.0005):
            done += target.say(b'{"jsonrpc":"2.0","id":%d,"method":"what"}\n' % done * 500) * 500
    finally:
        target.node.reading.set()
    target.node_again()
    return f"{done} requests"


@attack
def node_comes_and_goes(target, rng, ended):
    done = 0
    while not ended.wait(rng.uniform(0.02, 0.5)):
        link = target.node.link()
        if link:
            link.send(rng.choice((b"", b'{"jsonrpc":"2.0","method":"peer_up","par', b"\0" * 1000)))
            link.close()
            done += 1
    target.node_again()
    return f"{done} ends"


@attack
def node_is_silent(target, rng, ended):
    """It answers nothing."""
    target.node.on("summary", lambda r: None).on("migrate_peer", lambda r: None)
    ended.wait()
    target.node.handlers.clear()
    target.node_again()
    return "no answers"


@attack
def peers_without_end(target, rng, ended):
    """Names that never were before come and go, and are moved meanwhile."""
    conn = done = 0
    while not ended.wait(0.001):
        conn = target.next_conn(50)
        up = b"".join(b'{"jsonrpc":"2.0","method":"peer_up","params":{"peer":"n%d-%s","conn":%d}}\n'
                      % (conn + i, b"x" * 200, conn + i) for i in range(50))
        down = b"".join(b'{"jsonrpc":"2.0","method":"peer_down","params":{"conn":%d}}\n' % (conn + i)
                        for i in range(50))
        done += 50 * target.say(up + down)
    return f"{done} names"


@attack
def peers_that_deceive(target, rng, ended):
    """Names, reasons and addresses with characters that deceive a reader."""
    done = 0
    while not ended.wait(0.005):
        conn = target.next_conn(1)
        text = rng.choice(BAD_TEXTS)
        message = {"jsonrpc": "2.0", "method": "peer_up",
                   "params": {"peer": f"d{conn}{text}", "conn": conn, "via": text}}
        done += target.say(json.dumps(message).encode() + b"\n" + json.dumps(
            {"jsonrpc": "2.0", "method": "peer_down", "params": {"conn": conn, "reason": text}}
        ).encode() + b"\n")
    target.node_again()
    return f"{done} names"


# -- streams, disks, calls ----------------------------------------------------------------

def changes_of_state(target, ended):
    """Until it is ended: holds, which the state file has, by ever new clients."""
    number = 0
    while not ended.wait(0.05):
        number += 1
        with Clients(target.control) as clients:
            sock = clients.more()
            if sock:
                clients.write(sock, line("hold", peer="p2@h", for_us=10**6 + number))
                clients.drain(sock)


@attack
def log_reader_stops(target, rng, ended):
    target.dog.reads.clear()
    ended.wait()
    target.dog.reads.set()
    return "the log was not read"


@attack
def disk_stands_still(target, rng, ended):
    """The state file cannot be synced; the stand-in for a file system that is frozen."""
    target.faults.set("fsync", -1, match="state")
    changes_of_state(target, ended)
    hit = target.faults.hit("fsync", "state")
    target.faults.clear("fsync", "state")
    return f"{hit} calls waited"


@attack
def calls_fail(target, rng, ended):
    """Calls that fail again and again, each with what the kernel may say."""
    choices = (("accept4", "EACCES", "unix"), ("accept4", "EMFILE", "unix"), ("fsync", "EIO", "state"),
               ("renameat", "ENOSPC", "state"), ("open", "ENFILE", "state"), ("socket", "EMFILE", ""),
               ("sendto", "ENOBUFS", "netlink"), ("pthread_create", "EAGAIN", ""), ("getifaddrs", "ENOMEM", ""),
               ("recvmsg", "ENOMEM", "unix"), ("connect", "EACCES", "unix"), ("send", "ENOBUFS", "unix"))
    chosen, before = rng.sample(choices, 3), measure.cpu_ms(target.pid)
    for call, error, match in chosen:
        target.faults.set(call, error, match)
    begin = time.monotonic()
    changes_of_state(target, ended)
    seconds = time.monotonic() - begin
    seen = ", ".join(f"{call} {error} {target.faults.hit(call, match)}" for call, error, match in chosen)
    for call, error, match in chosen:
        if target.faults.hit(call, match) / seconds > 1000:
            target.complain(f"{call} failed with {error} and was called "
                            f"{target.faults.hit(call, match) / seconds:.0f} times a second")
        target.faults.clear(call, match)
    target.node_again()
    return f"{seen}; {(measure.cpu_ms(target.pid) - before) / seconds:.0f} ms of processor a second"


@attack
def configuration_changes(target, rng, ended):
    """Good and bad files, and a reload each time."""
    done = 0
    good = dict(target.dog.sections["watchdog"])
    while not ended.wait(0.05):
        target.dog.sections["watchdog"]["cooldown"] = rng.choice(("1s", "30s", "nonsense", "\u202e", "-1"))
        target.dog.sections["watchdog"]["max_in_flight"] = rng.choice(("1", "100", "0"))
        target.dog.write_config()
        target.reload()
        done += 1
    target.dog.sections["watchdog"] = good
    target.dog.write_config()
    target.reload()
    return f"{done} reloads"


# -- other users --------------------------------------------------------------------------

@attack
def strangers(target, rng, ended):
    """Another user tries everything that there is: locks, sockets, files."""
    if os.geteuid() != 0:
        return "not root: nobody to become"
    paths = [os.path.join(place, name) for place, folders, files in os.walk(target.dog.directory)
             for name in folders + files] + [target.dog.directory]

    def work(say):
        opened = []
        for path in paths:
            for flags in (os.O_RDONLY, os.O_RDWR):
                try:
                    fd = os.open(path, flags | os.O_NONBLOCK)
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    opened.append(path)
                except OSError:
                    pass
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                try:
                    socket.socket(socket.AF_UNIX, kind).connect(path)
                    opened.append(f"connected {path}")
                except OSError:
                    pass
        return json.dumps(opened)

    with Stranger(work) as stranger:
        opened = json.loads(stranger.heard())
        ended.wait()
    for path in opened:
        if path.startswith("connected"):
            target.complain(f"another user: {path}")
    return f"{len(paths)} paths tried, {len(opened)} locked or connected"
