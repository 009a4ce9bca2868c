# SPDX-License-Identifier: Apache-2.0
"""A node that conforms, whose messages can be twisted."""

import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from node import Link, ScriptedNode  # noqa: E402

MIB = 1 << 20


class TwistedLink(Link):
    """Every message passes `node.twist`, which may change it, drop it (None), or give several."""

    def send(self, what):
        if isinstance(what, dict) and self.node.twist:
            what = self.node.twist(self, what)
        for one in what if isinstance(what, list) else [what]:
            if one is not None:
                super().send(one)


class Node(ScriptedNode):
    link_class = TwistedLink

    def __init__(self, path):
        super().__init__(path, features=["reconnect", "bind", "probe", "probe_path", "push",
                                         "make_before_break", "relay"],
                         netns=os.stat("/proc/self/ns/net").st_ino)
        self.twist = None
        self.output_max = MIB
        self.interfaces = {"up0", "up1"}
        for conn, name, role in ((17, "bravo", "client"), (18, "charlie", "server")):
            peer = self.add(name, conn, tell=False, role=role, local=f"192.0.2.1:{9000 + conn}",
                            remote="[2001:db8::1]:443", migratable=role == "client", via="direct")
            peer.set(rtt_samples=200, unacked_ms=12, unacked_bytes=900, acked_bytes=70000,
                     packets_sent=300, packets_lost=2, pto_us=50000,
                     lease_bytes=4000, lease_sent_bytes=4000, lease_received_bytes=None)
        self.columns += ["unacked_ms", "unacked_bytes", "acked_bytes", "packets_sent", "packets_lost", "pto_us",
                         "lease_bytes", "lease_sent_bytes", "lease_received_bytes"]
        self.on("migrate_peer", self.migrate)
        self.on("cancel", self.cancel)

    def do_subscribe(self, request):
        request.link.notify("relays", key="616c706861", relays=[
            {"relay": "home", "address": "192.0.2.9:4433"},
            {"relay": "away", "address": "[2001:db8::9]:4433", "speaks": "pilot"}])
        super().do_subscribe(request)

    def wait_moved(self, request, seconds=0.05):
        """A move takes a little, and the reader goes on meanwhile."""
        thread = threading.Timer(seconds, self.moved, (request,))
        thread.start()

    def moved(self, request):
        if request.answered_at is not None:  # it was taken back
            return
        (self.moving or set()).discard(request.conn)
        peer = self.peers[request.conn]
        peer.set(rtt_samples=0)
        peer.told["local"] = "198.51.100.1:40000"
        request.answer({"local": "198.51.100.1:40000", "validated": True})

    moving = None

    def migrate(self, request):
        if not self.is_move_of(request, self.peers):
            return
        self.moving = self.moving or set()
        if request.conn in self.moving:
            request.error(-32006, "busy")
            return
        self.moving.add(request.conn)
        self.wait_moved(request)


    def taken_back(self, request):
        """The open move of that id."""
        return next((r for r in request.link.named("migrate_peer")
                     if r.id == request.params["id"] and r.answered_at is None), None)

    def cancel(self, request):
        move = self.taken_back(request)
        if move and self.moving:
            self.moving.discard(move.conn)
            move.error(-32012, "cancelled")
