# SPDX-License-Identifier: Apache-2.0
"""QUIC through the relay: two real QUIC nodes that know nothing of relays, each with a socket beside it
that registers for it and passes on what comes.

    selftest_quic.py UDP_RELAY QUIC_NODE [TEST ...]      needs no root
"""
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import relay_case
from relay_case import Client, RelayCase


class Side:
    """Between a node on this machine and the relay; the node's address is learnt where it is None."""

    def __init__(self, relay, address, session, node=None):
        self.session, self.node, self.address, self.port = session, node, address, relay.port
        self.local = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.local.bind(("127.0.0.1", 0))
        self.outside = Client(relay.port, address)
        if self.outside.register(session) != b"ACK\n":
            raise AssertionError("not registered")
        self.end, self.fresh = False, None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.end:
            if self.fresh:
                self.outside.close()
                self.outside, self.fresh = self.fresh, None
            outside = self.outside
            for one in select.select([self.local, outside.socket], [], [], 0.05)[0]:
                if one is self.local:
                    data, self.node = one.recvfrom(65536)
                    outside.send(data)
                elif self.node:
                    self.local.sendto(one.recv(65536), self.node)

    def new_port(self):
        """What a NAT does that has forgotten the mapping."""
        self.fresh = Client(self.port, self.address)
        while self.fresh: # the thread takes it, and closes the old one
            if not self.thread.is_alive():
                raise AssertionError("its thread has ended")
            time.sleep(0.01)

    def close(self):
        self.end = True
        self.thread.join()
        self.local.close()
        self.outside.close()


class Node:
    def __init__(self, name, directory, *args):
        self.stats = os.path.join(directory, name + ".json")
        self.process = subprocess.Popen([relay_case.QUIC_NODE, "--name", name, "--stats", self.stats, *args],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []

    def line(self, begin, seconds=relay_case.PATIENCE):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            line = self.process.stdout.readline()
            if not line:
                break
            self.lines.append(line)
            if line.startswith(begin):
                return line
        raise AssertionError("no %r: %s" % (begin, "".join(self.lines)))

    def total(self):
        if os.path.exists(self.stats):
            os.unlink(self.stats)
        self.process.send_signal(signal.SIGUSR1)
        self.line("stats")
        with open(self.stats) as file:
            return json.load(file)["total"]

    def close(self):
        self.process.terminate()
        self.process.communicate(timeout=relay_case.PATIENCE)


class Quic(RelayCase):
    def test_handshake_stream_and_nat_port_change(self):
        relay, directory = self.relay(), self.directory()
        server = Node("server", directory, "--listen", "127.0.0.1:0", "--rate", "200000")
        self.addCleanup(server.close)
        address = server.line("ready").split("listen=")[1].split()[0]
        host, port = address.rsplit(":", 1)
        far = Side(relay, "127.0.0.2", "quic", (host, int(port)))
        self.addCleanup(far.close)
        near = Side(relay, "127.0.0.3", "quic")
        self.addCleanup(near.close)
        client = Node("client", directory, "--rate", "200000",
                      "--dial", "server=127.0.0.1:%d" % near.local.getsockname()[1])
        self.addCleanup(client.close)
        client.line("up ")

        def grows(past):
            until = time.monotonic() + relay_case.PATIENCE
            while True:
                now = client.total()
                if now["bytes_received"] > past + 100000:
                    return now["bytes_received"]
                self.assertLess(time.monotonic(), until, now)

        got = grows(0)
        near.new_port() # is heeded when the old one has been silent for 2 s: QUIC goes on sending
        got = grows(got)
        relay.line("data from a new port")
        far.new_port()
        grows(got)
        for node in (client, server):
            total = node.total()
            self.assertEqual((total["bytes_lost"], total["bytes_corrupt"]), (0, 0))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    relay_case.PROGRAM, relay_case.QUIC_NODE = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
