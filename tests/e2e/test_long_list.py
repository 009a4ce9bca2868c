# SPDX-License-Identifier: Apache-2.0
"""A snapshot of as many peers as pathdog knows, with long names, over a slow socket: it comes in one
piece of time, is not begun again, and neither end keeps much of it."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from node import PATIENCE
from slow import Slow
from watchdog import config_text, daemon, environment, program, sanitized

PEERS = 262144  # max_peers
NAME_BYTES = 200
RATE = 5 << 20  # bytes a second: it takes longer than the 10 s of `subscribe`
MIB = 1 << 20


def memory(process, what="VmHWM"):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(text.split()[1]) * 1024 for text in status if text.startswith(what + ":"))


class Reader(threading.Thread):
    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.lines = stream, []
        self.start()

    def run(self):
        for line in self.stream:
            self.lines.append(line.decode(errors="replace").rstrip())


def ask(path, method):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(30 * PATIENCE)
        sock.connect(path)
        sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode() + b"\n")
        with sock.makefile("rb") as answers:
            return json.loads(answers.readline())["result"]


class LongList(unittest.TestCase):
    """What serves them is the node kit here, and the bridge in contrib/barrel_p2p/test."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="e2e-")
        os.chmod(self.directory, 0o755)
        self.processes = []

    def tearDown(self):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def process(self, *command, **more):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=environment(), **more)
        self.processes.append(process)
        process.reader = Reader(process.stdout)
        return process

    def wait(self, predicate, seconds, what):
        end = time.monotonic() + seconds * PATIENCE
        while not (value := predicate()):
            if time.monotonic() > end or any(p.poll() is not None for p in self.processes):
                self.fail(f"{what}: not within {seconds * PATIENCE} s, or a process ended\n" + "\n".join(
                    line for p in self.processes for line in p.reader.lines[-30:]))
            time.sleep(0.05)
        return value

    def watch(self, slow):
        with open(self.path("conf"), "w", encoding="ascii") as file:
            file.write(config_text({"watchdog": {
                "node": slow.path, "control": self.path("control"),
                "sample_interval": "5s"}}))
        return self.process(daemon(), "--config", self.path("conf"), "--log", "json",
                            "--log-level", "notice")

    def check(self, slow, dog):
        """Until all are known: over one connection, by steps that took longer than 10 s in all."""
        self.wait(lambda: os.path.exists(self.path("control")), 10, "the control socket")
        self.wait(lambda: ask(self.path("control"), "status")["n_peers"] == PEERS, 90,
                  "all peers")
        self.assertEqual(slow.accepted, 1)
        self.assertGreater(slow.carried, PEERS * NAME_BYTES)
        self.assertGreater(time.monotonic() - slow.begin, 10)
        self.assertIsNone(dog.poll())

    def test_by_the_kit(self):
        node = self.process(program("many-node", "MANY_NODE"), self.path("node"), str(PEERS),
                            str(NAME_BYTES))
        self.wait(lambda: os.path.exists(self.path("node")), 10, "the node's socket")
        slow = Slow(self.path("slow"), self.path("node"), RATE)
        self.addCleanup(slow.close)
        dog = self.watch(slow)
        self.check(slow, dog)
        self.wait(lambda: "rounded" in node.reader.lines, 60, "a whole round of rows")
        self.assertEqual([line for line in node.reader.lines if line.startswith("went")], [])
        self.assertEqual(slow.accepted, 1)
        if not sanitized():  # which keeps what was freed
            self.assertLess(memory(node), 16 * MIB)
