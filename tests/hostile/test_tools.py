# SPDX-License-Identifier: Apache-2.0
"""The tools and the node kit in bad company: a daemon that talks and does not answer, a recording
without an end, clients of a node that come without end, datagrams of a stranger."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from case import cases
from control_case import ctl_program
from hostile_case import HostileCase
from faults import Faults
from node import PATIENCE
from others import NOBODY, become
from terminal import Terminal
from test_top import has_top
from watchdog import environment, program, replay_program


class Server:
    """What listens instead of a daemon: `talk(sock)` for the first client, or so many, in a thread."""

    def __init__(self, path, talk, clients=1):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        self.talk = talk
        self.clients = clients
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        for _ in range(self.clients):
            try:
                sock, _ = self.listener.accept()
                with sock:
                    self.talk(sock)
            except OSError:
                pass  # the client has gone

    def close(self):
        self.listener.close()
        self.thread.join(10 * PATIENCE)


def until_gone(data, gap):
    def talk(sock):
        while True:
            sock.sendall(data)
            time.sleep(gap)  # the pace of the attack, nothing is waited for
    return talk


class Ctl(HostileCase):
    def served(self, talk, *words):
        path = os.path.join(self.directory, "ctl.sock")
        server = Server(path, talk)
        try:
            begin = time.monotonic()
            run = subprocess.run([ctl_program(), "--socket", path, *words], stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, timeout=60 * PATIENCE, env=environment())
            return run, time.monotonic() - begin
        finally:
            server.close()

    @cases({"records": b'{"jsonrpc":"2.0","method":"record","params":{}}\n', "bytes": b"x"})
    def test_a_daemon_that_talks_and_does_not_answer(self, data):
        """`status --check` is what monitoring runs: it ends, whatever comes."""
        run, took = self.served(until_gone(data, 0.05), "status", "--check")
        self.assertEqual(run.returncode, 3, run.stdout + run.stderr)
        self.assertIn("has not answered within 3 s", run.stdout + run.stderr)
        self.assertLess(took, 3 * PATIENCE)

    def test_a_line_without_an_end(self):
        run, _ = self.served(until_gone(b"x" * (1 << 20), 0), "peers")
        self.assertEqual(run.returncode, 3)
        self.assertIn("Message too long", run.stderr)

    @cases({"nothing": b"{}\n", "null": b"null\n", "array": b"[1]\n", "deep": b"[" * 100000 + b"\n",
            "strange": b'{"id":1,"result":[[],7,{"peer":{}}]}\n', "wrong": b'{"id":1,"result":{"peers":7,'
            b'"triggers":{},"node":[],"next":"x","n_peers":-1}}\n', "nul": b"\0\n"})
    def test_an_answer_that_is_none(self, data):
        for words in (["status"], ["peers"], ["explain", "p"], ["decisions", "--source", "daemon"]):
            os.path.exists(f"{self.directory}/ctl.sock") and os.unlink(f"{self.directory}/ctl.sock")
            run, _ = self.served(lambda sock: (sock.recv(4096), sock.sendall(data)), *words)
            self.assertIn(run.returncode, (0, 1, 3), f"{words}: {run}")
            self.assertNotIn("Sanitizer", run.stderr)
            self.assertNotIn("runtime error", run.stderr)


@unittest.skipUnless(has_top(), "built without ncurses")
class Top(HostileCase):
    """A terminal is not left behind as it should not be, whatever the daemon says."""

    ANSWERS = {"version": {"version": "1"}, "status": {"run": "a", "node": {"state": "up", "name": "n@h"}, "reasons": []},
               "peers": {"peers": [{"peer": "p1@h", "conn": 1, "condition": "up"}], "conditions": {"up": 1}},
               "uplinks": {"uplinks": []}, "decisions": {"records": []}}

    def top(self, **answers):
        """Its terminal, with a daemon that answers so."""
        def talk(sock):
            for line in sock.makefile("rb"):
                asked = json.loads(line)
                self.asked.append(asked["method"])
                result = answers.get(asked["method"], self.ANSWERS.get(asked["method"], {}))
                sock.sendall(json.dumps({"id": asked["id"], "result": result}).encode() + b"\n")
                while asked["method"] == "decisions" and "flood" in answers:
                    sock.sendall(answers["flood"])
        self.asked = []
        path = os.path.join(self.directory, "ctl.sock")
        server = Server(path, talk, clients=2)
        self.addCleanup(server.close)
        terminal = Terminal(ctl_program(), "--socket", path, "top", env=environment())
        self.addCleanup(terminal.close)
        return terminal

    def check_end(self, top, how):
        if isinstance(how, str):
            top.send(how)
        else:
            top.process.send_signal(how)
        self.assertEqual(top.end(), 0, top.story())
        self.assertTrue(top.settings_are_as_before())

    @cases({"null": None, "number": 7, "array": [[]], "nothing": {}, "no name": {"peer": 7}})
    def test_an_explanation_that_is_none(self, answer):
        top = self.top(explain=answer)
        top.wait("p1@h", "the peer")
        top.send("e")
        top.wait(lambda _: self.asked.count("explain") > 1, "the answer was taken")
        top.send("\x1b")
        top.wait("1 peer", "the peers")
        self.check_end(top, "q")

    def test_counts_beyond_all_bounds(self):
        top = self.top(peers={"peers": [], "conditions": {"up": 2**63 - 1}, "next": 1})
        top.wait("n@h", "the node")
        self.check_end(top, "q")

    @cases({"q": "q", "interrupt": signal.SIGINT})
    def test_records_that_come_faster_than_they_are_read(self, how):
        top = self.top(flood=b'{"method":"record","params":{}}\n' * 30000)
        top.wait("LAST DECISIONS", "the screen")
        self.check_end(top, how)


class Words(HostileCase):
    """What cannot be asked for is not left out of what is asked for."""

    @cases({"peers": ("peers", b"\xff"), "top": ("top", b"a\xc3"), "hold": ("hold", b"p\xff"), "explain": ("explain", b"\xff"),
            "target": ("migrate", "p1@h", "--to", b"\xff"), "via": ("migrate", "p1@h", b"--via=\xc0\x80"),
            "uplink": ("release", "--uplink", b"\xed\xa0\x80"), "reason": ("notify", "down", "wg0", "--reason", b"\xff")})
    def test_that_are_no_text(self, *words):
        node, dog = self.pair()
        run = subprocess.run([ctl_program(), "--socket", dog.control, *words], stdin=subprocess.DEVNULL, capture_output=True,
                             timeout=20 * PATIENCE, env=environment())
        self.assertEqual((run.returncode, run.stdout), (2, b""), run.stderr)
        self.assertIn(b"is not UTF-8", run.stderr)


class Replay(HostileCase):
    def bounded(self, feed):
        """pathdog-replay of what `feed` writes into its standard input."""
        process = subprocess.Popen(
            [replay_program(), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=environment())
        try:
            try:
                feed(process.stdin)
                process.stdin.close()
            except BrokenPipeError:
                pass
            error = process.stderr.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, error, usage.ru_maxrss
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
            process.stderr.close()

    def recording(self):
        _, dog = self.pair()
        dog.moved()
        dog.outcome("migrated")
        dog.terminate()
        with open(dog.recording, "rb") as file:
            return file.read().splitlines(keepends=True)

    def test_times_that_leap(self):
        """A deadline that is due a thousand years ago is due once."""
        lines = self.recording()
        event = json.loads(lines[-1])
        for leap in (10**9, 10**12, 10**15, 2**52):
            event["t"] += leap
            lines.append(json.dumps(event).encode() + b"\n")
        status, error, _ = self.bounded(lambda pipe: pipe.write(b"".join(lines)))
        self.assertIn(status, (0, 1), error)


class Kit(HostileCase):
    """Strangers at the socket of a node: they cost it no more than their share."""

    def node_process(self, address, **env):
        process = subprocess.Popen([program("node-kit-example", "NODE_KIT_EXAMPLE"), address],
                                   stdin=subprocess.DEVNULL, env=environment(**env))
        self.addCleanup(lambda: (process.kill(), process.wait()))
        end = time.monotonic() + 10 * PATIENCE
        while True:
            try:
                self.hello(address).close()
                return process
            except OSError:
                self.assertIsNone(process.poll())
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)

    def hello(self, address):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10 * PATIENCE)
        try:
            sock.connect("\0" + address[1:] if address.startswith("@") else address)
            sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":[1],'
                         b'"client":"test"}}\n')
            if b"boot" not in sock.recv(4096):
                raise ConnectionError("no hello")
        except OSError:
            sock.close()
            raise
        return sock

    def let_in(self, address):
        """As pathdog does: tries again while so many wait that there is no place to wait."""
        end = time.monotonic() + 20 * PATIENCE
        while True:
            try:
                return self.hello(address)
            except OSError:
                self.assertLess(time.monotonic(), end)

    def test_strangers_that_come_without_end(self):
        """An abstract socket lets everybody connect: who may not is closed, and the node goes on."""
        self.need_root()
        address = f"@pathdog-hostile-{os.getpid()}"
        process = self.node_process(address)
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                become(NOBODY, NOBODY)
                while True:
                    with socket.socket(socket.AF_UNIX) as sock:
                        try:
                            sock.connect("\0" + address[1:])
                        except OSError:
                            pass
            children.append(child)
        try:
            with self.let_in(address) as sock:
                for number in range(2, 20):
                    sock.sendall(b'{"jsonrpc":"2.0","id":%d,"method":"summary"}\n' % number)
                    while b'"id":%d' % number not in sock.recv(65536):
                        pass
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        self.assertIsNone(process.poll())

    @cases({"EMFILE": "EMFILE", "EACCES": "EACCES", "ENOMEM": "ENOMEM"})
    def test_nobody_can_be_let_in(self, error):
        """Persistent errors of accept4 do not make the node spin."""
        faults = Faults(self.directory)
        path = os.path.join(self.directory, "kit")
        process = self.node_process(path, **faults.environment)
        faults.set("accept4", error)
        with socket.socket(socket.AF_UNIX) as waits:
            waits.connect(path)
            begin = time.monotonic()
            while time.monotonic() < begin + 1:
                time.sleep(0.05)  # what is measured is calls in a second
            self.assertLess(faults.hit("accept4"), 200)
        faults.clear("accept4")
        self.hello(path).close()
        self.assertIsNone(process.poll())
