# SPDX-License-Identifier: Apache-2.0
"""A node that floods and does not read. node-protocol.md, "Neither side blocks on the
other": it costs neither memory nor time, whatever it sends, and is closed for a reason with a name.
"""

import json
import socket
import threading
import time

import measure
from case import cases
from hostile_case import HostileCase
from node import PATIENCE

MIB = 1 << 20
MOST = 64 * MIB  # what a flood may cost, beyond what there was before
RECORDS = 48 * MIB  # and more where it makes records faster than the reader of the log takes them


def line(**message):
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


# What a node can send without end, many lines at a time.
FLOODS = {
    "requests of its own": line(id=7, method="x") * 2000,
    "requests with long ids": line(id="x" * 1000, method="x") * 64,
    "answers that nobody waits for": line(id=1 << 40, result={}) * 2000,
    "peers that come and go": b"".join(
        line(method="peer_up", params={"peer": f"p{n}", "conn": n})
        + line(method="peer_down", params={"conn": n}) for n in range(1, 1000)),
    "lines of very many objects": b'{"jsonrpc":"2.0","method":"x","params":['
                                  + b"{}," * 340000 + b"{}]}\n",
    "lines of very many rows": b'{"jsonrpc":"2.0","method":"summaries","params":'
                               b'{"columns":["conn"],"rows": [' + b"[1]," * 260000 + b"[1]]}}\n",
    "rows of connections that are not there": line(method="summaries", params={
        "columns": ["conn", "srtt_us"], "rows": [[n, 1] for n in range(1, 2000)]}),
}


def forget_peak(dog):
    with open(f"/proc/{dog.process.pid}/clear_refs", "w", encoding="ascii") as refs:
        refs.write("5")


class Flood(HostileCase):
    measured = True

    def deaf(self, flood, seconds):
        """The node stops reading, and floods: (node, daemon, bytes sent, bytes of memory)."""
        node, dog = self.pair(peers=1)
        self.node_rules = False
        node.reading.clear()
        link = node.link()
        link.sock.setblocking(True)
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bytes(16))
        before = measure.rss_kib(dog.process.pid) * 1024
        forget_peak(dog)
        sent = [0]

        def write():
            try:
                while True:
                    sent[0] += link.sock.send(flood)
            except OSError:
                pass

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and writer.is_alive():
            time.sleep(0.1)
        return node, dog, sent[0], measure.peak_kib(dog.process.pid) * 1024 - before

    @cases(FLOODS)
    def test_memory(self, flood):
        # records of so many peers are more than this reader reads before the end
        self.finish_with = {"replay": False, "whole": False}
        _, _, sent, more = self.deaf(flood, 5)
        self.assertGreater(sent, 0)
        records = RECORDS if b"peer_up" in flood else 0
        self.assertLess(more, MOST + records, f"{sent} bytes were sent")

    def test_a_node_that_only_writes_is_closed(self):
        """30 s after it read last, by a reason with a name; with a node that reads, all is well."""
        node, dog, sent, more = self.deaf(FLOODS["requests of its own"], 5)
        self.assertLess(sent, 8 * MIB)
        notice = dog.notice("node-stalled", deadline=40 / PATIENCE + 10)
        self.assertIn("the node read nothing from its socket for 30 s", notice["text"])
        self.assertLess(more, MOST)
        node.reading.set()
        dog.wait_record("node", state="up", nth=2, deadline=20)
