# SPDX-License-Identifier: Apache-2.0
"""A node that does what the test says: it serves docs/node-protocol.md on a UNIX socket.

It must not know anything about pathdog's insides, and it must not judge: it records what it
received and when; the tests and invariants.py judge.
"""

import collections
import json
import os
import socket
import threading
import time

# How long to wait for what must come, as a factor. A test that passes never waits for so long,
# so it may well be more than a slow and busy machine needs.
PATIENCE = float(os.environ.get("E2E_PATIENCE", "4"))

# What a slow machine may add to a time of pathdog's, or of the reader here, in seconds. Times have
# sharp lower bounds; how late at most is for the engine's unit tests, which have their own clock.
SLACK = 10

MOVES = ("migrate_peer", "reconnect_peer")

SILENT = "silent"  # of a path that is probed: no answer at all, not even within timeout_ms

# What a link keeps for a pathdog that does not read; then it is closed (node-protocol.md).
OUTPUT_MAX = 16 << 20

DEFAULT_COLUMNS = (
    "conn", "srtt_us", "latest_rtt_us", "min_rtt_us", "rttvar_us", "rtt_samples",
    "in_flight_bytes", "pto_count", "bytes_sent", "bytes_received",
)


class Peer:
    """One row of the node's table; `advance` says whether its rows show life."""

    def __init__(self, name, conn, **members):
        self.name = name
        self.conn = conn
        self.told = dict(members)  # further members of peer_up, as given
        self.advance = True
        self.silent = False  # no row at all
        self.columns = {
            "conn": conn, "srtt_us": 20000, "latest_rtt_us": None, "min_rtt_us": 20000,
            "rttvar_us": 1000, "rtt_samples": 10, "cwnd_bytes": 100000, "in_flight_bytes": 0,
            "congested": 0, "in_recovery": 0, "pto_count": 0, "bytes_sent": 1000,
            "bytes_received": 1000, "packets_lost": 0, "send_errors": 0, "silent_ms": 0,
            "packets_sent": 0,
        }
        self.script = []  # columns of the coming rows, as dicts; the last one stays

    def set(self, **columns):
        self.columns.update(columns)
        return self

    def up(self):
        return {"peer": self.name, "conn": self.conn, **self.told}

    def row(self, columns):
        if self.advance:
            self.columns["rtt_samples"] = (self.columns["rtt_samples"] or 0) + 1
            self.columns["bytes_received"] = (self.columns["bytes_received"] or 0) + 1000
        if self.script:
            self.columns.update(self.script[0])
            if len(self.script) > 1:
                self.script.pop(0)
        values = dict(self.columns)
        if values["latest_rtt_us"] is None:
            values["latest_rtt_us"] = values["srtt_us"]
        return [values.get(c) for c in columns]


class Request:
    """What pathdog asked. Answer it now, later, twice, wrongly or never."""

    def __init__(self, link, message):
        self.link = link
        self.message = message
        self.id = message.get("id")
        self.method = message.get("method")
        self.params = message.get("params")
        self.time = time.monotonic()
        self.wall_us = time.time_ns() // 1000
        self.answered_at = None
        self.answer_code = None  # None: a result; else the error's code

    @property
    def conn(self):
        return self.params.get("conn") if isinstance(self.params, dict) else None

    def answer(self, result):
        self.send({"jsonrpc": "2.0", "id": self.id, "result": result})

    def error(self, code, message="scripted", **more):
        if self.answered_at is None:
            self.answer_code = code
        self.send({"jsonrpc": "2.0", "id": self.id,
                   "error": {"code": code, "message": message, **more}})

    def send(self, what):
        """Any answer at all: an object, or bytes as they are."""
        if self.answered_at is None:
            self.answered_at = time.monotonic()
        self.link.send(what)

    def __repr__(self):
        return f"{self.method}#{self.id}@link{self.link.index} {self.params!r}"


class Link:
    """One connection from pathdog."""

    def __init__(self, node, sock, index):
        self.node = node
        self.sock = sock
        self.index = index
        self.boot = node.hello.get("boot")
        self.opened = time.monotonic()
        self.closed = None
        self.closed_by = None
        self.requests = []
        self.answers = []  # objects without a method: pathdog's answers to the node
        self.bad_lines = []
        self.reader = None  # the thread that reads; it never waits for the other end to read
        self.out = threading.Condition()
        self.pending = collections.deque()
        self.pending_bytes = 0
        self.writer = None

    def send(self, what):
        if not isinstance(what, bytes):
            params = what.get("params") if isinstance(what, dict) else None
            if isinstance(params, dict) and what.get("method") == "peer_up":
                self.node.up_conns.add(params.get("conn"))
            what = json.dumps(what, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self.out:
            if not self.pending:
                try:
                    what = what[self.sock.send(what, socket.MSG_DONTWAIT):]
                except BlockingIOError:
                    pass
                except OSError:
                    return  # the other end has closed: the test sees it in `closed`
                if not what:
                    return
            self.pending.append(what)
            self.pending_bytes += len(what)
            if not self.writer:
                self.writer = threading.Thread(target=self._write, daemon=True)
                self.writer.start()
            self.out.notify_all()
            if threading.current_thread() is not self.reader:
                self.out.wait_for(lambda: not self.pending)
            overflow = self.pending_bytes > self.node.output_max
        if overflow:
            self.close()

    def _write(self):
        while True:
            with self.out:
                self.out.wait_for(lambda: self.pending)
            try:
                self.sock.sendall(self.pending[0])
            except OSError:
                with self.out:
                    self.pending.clear()
                    self.out.notify_all()
                return
            with self.out:
                self.pending_bytes -= len(self.pending.popleft())
                self.out.notify_all()

    def notify(self, method, **params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def close(self):
        with self.node.cv:
            if self.closed is None:
                self.closed, self.closed_by = time.monotonic(), "node"
            self.node.cv.notify_all()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def named(self, method):
        return [r for r in self.requests if r.method == method]


class ScriptedNode:
    link_class = Link

    def __init__(self, path, cv=None, **hello):
        self.path = path
        self.cv = cv or threading.Condition()
        self.hello = {"protocol": 1, "node": "alpha@127.0.0.1", "implementation": "scripted/1",
                      "boot": "boot-1", "features": [], "prefer": "migrate", **hello}
        self.peers = {}  # conn -> Peer
        self.columns = list(DEFAULT_COLUMNS)
        self.handlers = {}
        self.links = []
        self.told = {}  # (boot, conn) -> members of the first peer_up sent through here
        self.rounds = 0  # answered summaries of all peers
        self.read_rounds = 0  # of these, what pathdog has read: it asked for something after them
        self.looks = 0  # answered summaries of some
        self.next_conn = 1000
        self.reading = threading.Event()
        self.reading.set()
        self.listener = None
        self.threads = []
        self.accepting = True
        self.output_max = OUTPUT_MAX
        self.up_conns = set()  # told by whatever way, also if there is no Peer
        # Feature probe_path: what the path over an interface answers (None: the route's own). An RTT
        # in µs, an error's code, SILENT, or a function that is called with the request.
        self.paths = collections.defaultdict(lambda: 41200)
        self.interfaces = None  # a set: only these exist, a move or probe over another is -32007
        # Feature bind: where a move over an interface leads to, an address without port.
        self.addresses = collections.defaultdict(lambda: "127.0.0.1")

    # -- the socket ---------------------------------------------------------------------

    def report(self, column):
        """Rows have this column, too, from now on."""
        if column not in self.columns:
            self.columns = [*self.columns, column]

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if self.path.startswith("@"):
            self.listener.bind("\0" + self.path[1:])
            self.listener.listen(16)
        else:
            self.listener.bind(self.path + "~")
            os.chmod(self.path + "~", 0o660)
            self.listener.listen(16)
            os.rename(self.path + "~", self.path)
        thread = threading.Thread(target=self._accept, args=(self.listener,), daemon=True)
        thread.start()
        self.threads.append(thread)
        return self

    def stop(self):
        """Closes everything, as a node that ends does; start() serves again."""
        listener, self.listener = self.listener, None
        self.reading.set()
        if listener:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        for link in self.links:
            link.close()
        if not self.path.startswith("@") and os.path.exists(self.path):
            os.unlink(self.path)
        for thread in self.threads:
            thread.join(5)
        self.threads = []

    def restart(self, boot=None):
        self.stop()
        if boot:
            self.hello["boot"] = boot
        return self.start()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.cv:
                link = self.link_class(self, sock, len(self.links))
                older = [other for other in self.links if other.closed is None]
                self.links.append(link)
                self.cv.notify_all()
            self.replace_links(older)
            if not self.accepting:
                link.close()
            thread = threading.Thread(target=self._read, args=(link,), daemon=True)
            link.reader = thread
            thread.start()
            self.threads.append(thread)

    def replace_links(self, older):
        """A newer client replaces an older one."""
        for link in older:
            link.close()

    def _read(self, link):
        buffer = b""
        while True:
            self.reading.wait()
            try:
                data = link.sock.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                self._line(link, line)
        with self.cv:
            if link.closed is None:
                link.closed, link.closed_by = time.monotonic(), "pathdog"
            self.cv.notify_all()
        link.sock.close()

    def _line(self, link, line):
        try:
            message = json.loads(line.decode("utf-8"))
            if not isinstance(message, dict):
                raise ValueError("not an object")
        except ValueError as error:
            with self.cv:
                link.bad_lines.append((line[:200], str(error)))
                self.cv.notify_all()
            return
        if len(line) + 1 > 1 << 20:
            link.bad_lines.append((line[:200], "over 1 MiB"))
        if "method" not in message:
            with self.cv:
                link.answers.append(message)
                self.cv.notify_all()
            return
        request = Request(link, message)
        with self.cv:
            link.requests.append(request)
            if request.method == "summary":  # one at a time: the answers before have been read
                self.read_rounds = self.rounds
            self.cv.notify_all()
        self.serve(request)
        with self.cv:
            self.cv.notify_all()

    def serve(self, request):
        method, greeted = request.method, any(r.method == "hello" for r in request.link.requests)
        if "id" not in request.message:
            self.handlers.get(method, lambda r: None)(request)
            return  # a notification has no answer
        if not isinstance(method, str) or not greeted:
            request.error(-32600, "invalid request")
        elif request.params is not None and not isinstance(request.params, dict):
            request.error(-32602, "invalid params")
        else:
            handler = self.handlers.get(method) or getattr(
                self, f"do_{method}", lambda r: r.error(-32601, "unknown method"))
            handler(request)

    # -- what it does unless told otherwise ----------------------------------------------

    def on(self, method, handler):
        self.handlers[method] = handler
        return self

    def do_hello(self, request):
        if 1 not in request.params.get("protocol", ()):
            request.error(-32010, "unsupported_protocol")
            return
        request.answer({k: v for k, v in self.hello.items() if v is not None})

    def do_subscribe(self, request):
        for peer in list(self.peers.values()):
            self.tell_up(peer, request.link)
        request.answer({"peers": len(self.peers)})

    def do_summary(self, request):
        conns = request.params.get("conns") if request.params else None
        if conns is not None and not (isinstance(conns, list) and all(
                isinstance(conn, int) for conn in conns)):
            request.error(-32602, "invalid params")
            return
        with self.cv:
            chosen = [p for p in self.peers.values()
                      if (conns is None or p.conn in conns) and not p.silent]
            rows = [p.row(self.columns) for p in chosen]
        for i in range(0, len(rows), 256):
            request.link.notify("summaries", columns=self.columns, rows=rows[i:i + 256])
        self.finish_summary(request, len(rows))

    def finish_summary(self, request, rows):
        request.answer({"rows": rows})
        with self.cv:
            if request.params and "conns" in request.params:
                self.looks += 1
            else:
                self.rounds += 1
            self.cv.notify_all()

    def is_move_of(self, request, conns):
        """Answers with an error where it is not."""
        if not isinstance(request.conn, int):
            request.error(-32602, "invalid params")
        elif request.conn not in conns:
            request.error(-32001, "not_connected")
        elif self.interfaces is not None and request.params.get("interface") not in {None, *self.interfaces}:
            request.error(-32007, "no_path")
        else:
            return True
        return False

    def do_migrate_peer(self, request):
        if not self.is_move_of(request, self.up_conns | set(self.peers)):
            return
        request.answer({"local": self.bound(request, 40000), "validated": True})

    def do_reconnect_peer(self, request):
        if not self.is_move_of(request, self.peers):
            return
        old = self.peers[request.conn]
        bound = {"local": self.bound(request, 41000)} if any(self.where(request)) else {}
        new = self.replace(request.conn, request.link, **bound)
        request.answer({"conn": new.conn})
        assert old.name == new.name

    def do_probe(self, request):
        request.answer({})

    def do_probe_path(self, request):
        """As a real node: an RTT takes its time, and -32004 comes when the time is over."""
        if not self.is_move_of(request, self.peers):
            return
        path = self.paths[request.params.get("interface")]
        if callable(path):
            path(request)
        elif path == SILENT:
            pass
        elif path == -32004:
            self.later(request.params.get("timeout_ms", 0) / 1000, request.error, path)
        elif path < 0:
            request.error(path)
        else:
            self.later(path / 1e6, request.answer, {"rtt_us": path})

    def later(self, seconds, function, *arguments):
        timer = threading.Timer(seconds, function, arguments)
        timer.daemon = True
        timer.start()

    def where(self, request):
        """The interface and the local address that a move names."""
        bind = "bind" in (self.hello.get("features") or ())
        return (request.params.get("interface"), request.params.get("local")) if bind else (None, None)

    def bound(self, request, port):
        interface, local = self.where(request)
        host = local or (self.addresses[interface] if interface else "127.0.0.1")
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def replace(self, conn, link=None, **members):
        """The clean close and new dial of one peer, told in the contract's order."""
        link = link or self.link()
        with self.cv:
            old = self.peers.pop(conn)
            self.next_conn += 1
            new = Peer(old.name, self.next_conn, **{**old.told, **members})
            self.peers[new.conn] = new
        link.notify("peer_down", conn=conn, reason="reconnect")
        self.tell_up(new, link)
        return new

    # -- for the test --------------------------------------------------------------------

    def add(self, name, conn, tell=True, **members):
        """A peer; told at once when pathdog has subscribed already."""
        peer = Peer(name, conn, **members)
        with self.cv:
            self.peers[conn] = peer
            self.next_conn = max(self.next_conn, conn)
        link = self.link()
        if tell and link and any(r.answered_at for r in link.named("subscribe")):
            self.tell_up(peer, link)
        return peer

    def tell_up(self, peer, link=None):
        self.told.setdefault((self.hello["boot"], peer.conn), peer.up())
        (link or self.link()).notify("peer_up", **peer.up())

    def down(self, conn, reason="idle_timeout"):
        with self.cv:
            self.peers.pop(conn, None)
        self.notify("peer_down", conn=conn, reason=reason)

    def link(self):
        with self.cv:
            alive = [link for link in self.links if link.closed is None]
            return alive[-1] if alive else None

    def notify(self, method, **params):
        self.link().notify(method, **params)

    def send(self, what):
        self.link().send(what)

    def send_rows(self, rows, columns=None):
        self.notify("summaries", columns=list(columns or self.columns), rows=rows)

    def requests(self, method=None, conn=None):
        with self.cv:
            return [r for link in self.links for r in link.requests
                    if (method is None or r.method == method)
                    and (conn is None or r.conn == conn)]

    def moves(self, conn=None):
        return [r for r in self.requests(conn=conn) if r.method in MOVES]

    def wait_for(self, predicate, deadline=10, what="something"):
        """The predicate's first true value; it is asked whenever something happened."""
        end = time.monotonic() + deadline * PATIENCE
        while True:
            with self.cv:
                begin = time.monotonic()
                value = predicate()
                if value:
                    return value
                now = time.monotonic()
                if now >= end:
                    raise AssertionError(f"not within {deadline * PATIENCE} s: {what}\n"
                                         f"{self.story()}")
                self.cv.wait(min(end - now, 0.2))
            if now - begin > 0.002:  # a long look must not keep the readers from their work
                time.sleep(min(5 * (now - begin), 0.5))

    def wait_request(self, method, conn=None, nth=1, deadline=10):
        def found():
            seen = self.requests(method, conn)
            return seen[nth - 1] if len(seen) >= nth else None
        return self.wait_for(found, deadline, f"{method} number {nth} of conn {conn}")

    def wait_subscribed(self, links=1, deadline=10):
        """Until the links-th connection has its snapshot."""
        def found():
            done = [link for link in self.links
                    if any(r.answered_at for r in link.named("subscribe"))]
            return done[links - 1] if len(done) >= links else None
        return self.wait_for(found, deadline, f"subscription number {links}")

    def wait_links(self, number, deadline=10):
        return self.wait_for(lambda: len(self.links) >= number and self.links[number - 1],
                             deadline, f"connection number {number}")

    def pace(self, seconds, before=None):
        """Answers each summary no sooner than so long after it was asked. pathdog asks when it has
        the rows before: whoever of the two is late, to pathdog the rows lie so far apart. `before`
        is called with each request right before the rows are made."""
        def summary(request):
            time.sleep(max(0.0, request.time + seconds - time.monotonic()))
            if before:
                before(request)
            self.do_summary(request)
        return self.on("summary", summary)

    def quiet(self):
        """Holds a summary back, so that no answer lands in the middle of what a test writes."""
        held = []
        self.on("summary", held.append)
        self.wait_for(lambda: held, what="a summary to hold back")
        return held

    def wait_rounds(self, number=2, deadline=15):
        """So many more rounds that were asked and answered after this call, and the answers read
        by pathdog: what they brought about it has decided."""
        goal = self.rounds + number + 1  # one may be under way, with what was true before
        self.wait_for(lambda: self.read_rounds >= goal, deadline, f"{number} more rounds")

    def story(self, last=25):
        lines = [f"link {link.index}: {'closed by ' + link.closed_by if link.closed else 'open'}"
                 f"{' bad lines ' + repr(link.bad_lines) if link.bad_lines else ''}"
                 for link in self.links[-5:]]
        seen = [r for r in self.requests() if r.method != "summary"]
        lines += [f"  {r!r} {'answered ' + str(r.answer_code or 'ok') if r.answered_at else ''}"
                  for r in seen[-last:]]
        return "\n".join([f"node: {self.rounds} rounds, {self.looks} looks"] + lines)
