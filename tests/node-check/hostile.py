# SPDX-License-Identifier: Apache-2.0
"""Nodes that mean harm: whatever they send, pathdog-node-check comes to an end, with bounded memory
and the exit status of a node that does not conform.

Each is a function of a connection; it may raise OSError when the checker has gone.
"""

import json
import os
import socket
import threading

HELLO = {"protocol": 1, "boot": "b"}


def line(**message):
    return json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n"


class Hostile:
    """A server whose socket is as it should be, so that nothing else can be found wrong."""

    def __init__(self, path, serve):
        self.path, self.serve = path, serve
        self.n_connections = 0
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path + ".new")
        os.chmod(path + ".new", 0o660)
        os.rename(path + ".new", path)
        self.sock.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.sock.accept()
            except OSError:
                return
            self.n_connections += 1
            threading.Thread(target=self.one, args=(connection, self.n_connections),
                             daemon=True).start()

    def one(self, connection, number):
        with connection:
            try:
                self.serve(connection, number)
            except OSError:
                pass

    def stop(self):
        os.unlink(self.path)
        self.sock.close()


def requests(connection):
    for text in connection.makefile("rb"):
        try:
            message = json.loads(text)
        except ValueError:
            continue
        if isinstance(message, dict) and "id" in message:
            yield message


def answer(connection, message, hello=HELLO):
    method = message.get("method")
    results = {"hello": hello, "subscribe": {"peers": 0}, "summary": {"rows": 0}, "probe": {}}
    if isinstance(method, str) and method in results:
        connection.sendall(line(id=message["id"], result=results[method]))
    elif method:
        connection.sendall(line(id=message["id"], error={"code": -32601, "message": "no"}))


def for_ever(chunk):
    """Sends this without end, and does not read."""
    def serve(connection, _):
        while True:
            connection.sendall(chunk)
    return serve


def after(method, *lines, end=False):
    """Is a node until this request has been answered; what comes then is sent once, or without end."""
    def serve(connection, _):
        for message in requests(connection):
            answer(connection, message)
            if message.get("method") != method:
                continue
            for text in lines:
                connection.sendall(text)
            while end:
                connection.sendall(lines[-1])
    return serve


def many_ups():
    conn = 0
    while True:
        conn += 2000
        yield b"".join(line(method="peer_up", params={"peer": f"p{i}", "conn": i})
                       for i in range(conn - 1999, conn + 1))


def flood_of_peers():
    """On one connection after the other: the conns go on."""
    chunks, one_at_a_time = many_ups(), threading.Lock()

    def serve(connection, _):
        for message in requests(connection):
            answer(connection, message)
            while message.get("method") == "subscribe":
                with one_at_a_time:
                    chunk = next(chunks)
                connection.sendall(chunk)
    return serve


def one_byte_each(seconds):
    """Takes what is written byte by byte: always progress, and never done."""
    def serve(connection, _):
        pause = threading.Event()
        taken = b""
        while byte := connection.recv(1):
            taken += byte
            if byte != b"\n":
                if taken.count(b"\n") or b"hello" not in taken and len(taken) > 40:
                    pause.wait(seconds)
                continue
            try:
                answer(connection, json.loads(taken))
            except (ValueError, KeyError, AttributeError):
                pass
            taken = b""
    return serve


def late(seconds):
    def serve(connection, _):
        for message in requests(connection):
            threading.Event().wait(seconds)
            answer(connection, message)
    return serve


def refuses_from(number):
    def serve(connection, number_):
        for message in requests(connection):
            if message.get("method") == "hello" and number_ >= number:
                connection.sendall(line(id=message["id"], error={"code": 1, "message": "no"}))
            else:
                answer(connection, message)
    return serve


def terminal(connection, _):
    hello = {**HELLO, "node": "\x1b[2Jn\u202e", "implementation": "\x9b31m\u2066"}
    for message in requests(connection):
        answer(connection, message, hello)


COLUMNS = line(method="summaries", params={"columns": [f"{i:x}" for i in range(120000)],
                                           "rows": []})
NUMBERS = (b'{"jsonrpc":"2.0","id":1e400,"result":{}}\n'
           b'{"jsonrpc":"2.0","id":18446744073709551616,"result":{}}\n'
           b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 5000 + b"]" * 5000 + b"}\n")
LISTS = line(method="x", params=[[]] * 300000)
NOTIFICATIONS = line(method="x") * 4096

HOSTILE = {
    "lines without end": for_ever(NOTIFICATIONS),
    "empty lines without end": for_ever(b"\n" * 65536),
    "a line without end": for_ever(b"x" * 65536),
    "notifications without end after hello": after("hello", NOTIFICATIONS, end=True),
    "peers without end": flood_of_peers(),
    "10 MB without a line end": after("hello", b"x" * (10 << 20)),
    "many columns": after("summary", COLUMNS),
    "many columns without end": after("summary", COLUMNS, end=True),
    "many lists": after("subscribe", LISTS, LISTS, LISTS),
    "numbers that are too large, and lists that are too deep": after("hello", NUMBERS),
    "half a line": after("hello", b'{"jsonrpc":"2.0"'),
    "takes one byte now and then": one_byte_each(0.3),
    "answers just in time": late(0.9),
    "closes at once": lambda connection, number: None,
    "refuses hello later": refuses_from(8),
    "drives the terminal": terminal,
}
