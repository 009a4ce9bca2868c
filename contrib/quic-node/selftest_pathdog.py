# SPDX-License-Identifier: Apache-2.0
"""What selftest.py plays to its nodes: pathdog's end of the node's socket."""
import json
import select
import socket
import time

# A factor for all deadlines: more than a slow and busy machine needs. It costs nothing.
PATIENCE = 6


class Pathdog:
    """One client of a node's socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.buffer = b""
        self.next_id = 0
        self.peers = {}
        self.rows = {}
        self.pushed = []  # those that came while none was asked for
        self.asked_rows = set()
        self.downs = {}
        self.answers = {}
        self.order = []
        self.relays = None

    def close(self):
        self.sock.close()

    def send(self, method, params=None):
        self.next_id += 1
        message = {"jsonrpc": "2.0", "id": self.next_id, "method": method}
        if params is not None:
            message["params"] = params
        if method == "summary":
            self.asked_rows.add(self.next_id)
        self.sock.sendall(json.dumps(message).encode() + b"\n")
        return self.next_id

    def cancel(self, id):
        message = {"jsonrpc": "2.0", "method": "cancel", "params": {"id": id}}
        self.sock.sendall(json.dumps(message).encode() + b"\n")

    def take(self, message):
        if "id" in message:
            self.answers[message["id"]] = message
            self.asked_rows.discard(message["id"])
            self.order.append("answer")
            return
        params = message["params"]
        self.order.append(message["method"])
        if message["method"] == "relays":
            self.relays = params
        elif message["method"] == "peer_up":
            self.peers[params["conn"]] = params
        elif message["method"] == "peer_down":
            self.downs[params["conn"]] = self.peers.pop(params["conn"], None)
        elif message["method"] == "peer_path":
            self.peers[params["conn"]].pop("interface", None)  # as docs/node-protocol.md has it
            self.peers[params["conn"]].update(params)
        elif message["method"] == "summaries":
            for row in params["rows"]:
                row = dict(zip(params["columns"], row))
                self.rows[row["conn"]] = row
                if not self.asked_rows:
                    self.pushed.append(row)

    def pump(self, until, seconds, what):
        deadline = time.monotonic() + seconds * PATIENCE
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError("not within %s s: %s" % (seconds * PATIENCE, what))
            # `until` may ask by itself: what it waits for need not come on this socket
            if not select.select([self.sock], [], [], min(left, 0.02))[0]:
                continue
            data = self.sock.recv(65536)
            if not data:
                raise AssertionError("the node closed the socket")
            self.buffer += data
            *lines, self.buffer = self.buffer.split(b"\n")
            for line in lines:
                self.take(json.loads(line))

    def wait(self, id, seconds=10):
        self.pump(lambda: id in self.answers, seconds, "the answer to request %d" % id)
        return self.answers[id]

    def ask(self, method, params=None, seconds=10):
        return self.wait(self.send(method, params), seconds)

    def start(self):
        hello = self.ask("hello", {"protocol": [1], "client": "selftest"})["result"]
        self.hello = hello
        self.ask("subscribe")
        return hello

    def live(self, peer):
        conns = [c for c, p in self.peers.items() if p["peer"] == peer]
        return max(conns) if conns else None

    def wait_up(self, peer, after=0, seconds=10):
        self.pump(lambda: (self.live(peer) or 0) > after, seconds, "%s up" % peer)
        return self.live(peer)

    def row(self, conn):
        self.rows.pop(conn, None)
        self.ask("summary", {"conns": [conn]})
        return self.rows.get(conn)
