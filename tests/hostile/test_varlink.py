# SPDX-License-Identifier: Apache-2.0
"""pathdog-varlink in bad hands: rubbish, floods, slow readers, many clients, clients that go away in the middle.
Where the program is not built, the tests are not in the list: tests/e2e/varlink_case.py says why."""

import json
import os
import signal
import socket
import time

from case import cases
from hostile_case import HostileCase
from node import PATIENCE
from others import as_user
from varlink_case import INTERFACE, Client, VarlinkCase, listed

PER_USER = 16
SOME = 30  # seconds in which a thing that takes none is over


def load_tests(loader, tests, pattern):
    return listed(tests)


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Hostile(VarlinkCase, HostileCase):
    def assert_serves(self, node, dog, path, moves=True):
        with Client(path) as client:
            values, error = client.call("GetStatus")
            self.assertIsNone(error, values)
            self.assertEqual(values["status"]["run"], dog.wait_record("node")["run"])
        if moves:
            self.assert_alive(node, dog)


class Rubbish(Hostile):
    @cases({"bytes": (b"\xff\xfe\x00",), "no json": (b"hello\0",), "no object": (b"[1,2]\0",), "number": (b"7\0",),
            "no method": (b"{}\0",), "method": (b'{"method":7}\0',), "deep": (b'{"method":' + b"[" * 5000 + b"\0",),
            "text": (b'{"method":"' + INTERFACE.encode() + b'.Explain","parameters":{"peer":"\xff"}}\0',),
            "nothing": (b"\0",), "unknown": (b'{"method":"' + INTERFACE.encode() + b'.Nothing"}\0',),
            "reply": (b'{"parameters":{}}\0',), "oneway": (b'{"method":"' + INTERFACE.encode() +
                                                       b'.SetMode","parameters":{"mode":"observe"},"oneway":true}\0',)})
    def test_is_refused(self, data):
        node, dog, path = self.three()
        client = self.raw(path)
        client.sock.sendall(data)
        client.sock.shutdown(socket.SHUT_WR)
        replies = []
        while (reply := client.reply()) is not None:
            replies.append(reply)
        self.assertTrue(all("error" in reply for reply in replies), replies)
        self.assertEqual(self.client(dog).result("mode")["mode"], "active")
        self.assert_serves(node, dog, path)

    def test_a_message_without_end(self):
        """At most 16 MiB of it are kept; then its client is closed."""
        node, dog, path = self.three()
        before, sent = self.resident(), 0
        client = self.raw(path)
        try:
            client.sock.sendall(b'{"method":"' + INTERFACE.encode() + b'.Explain","parameters":{"peer":"')
            while sent < 64 << 20:
                client.sock.sendall(b"x" * (1 << 20))
                sent += 1 << 20
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.assertLess(sent, 40 << 20)
        self.assert_serves(node, dog, path)
        self.assertLess(self.resident() - before, 64 << 20)

    def test_parameters_that_are_too_long_for_pathdog(self):
        node, dog, path = self.three()
        client = self.raw(path)
        for _ in range(3):
            self.assertEqual(client.call("Explain", peer="x" * (1 << 20))[1], f"{INTERFACE}.BadParameter")
        self.assert_serves(node, dog, path)


class Clients(Hostile):
    def test_many_of_one_user(self):
        """Each user has so many connections; those of others go on, and it is as before when they have gone."""
        self.need_root()
        node, dog, path = self.three()
        at_rest = open_files(self.services[-1].pid)
        os.chmod(path, 0o666)

        def crowd():
            clients, let_in = [Client(path) for _ in range(4 * PER_USER)], 0
            for client in clients:
                try:
                    client.send("GetStatus")
                    let_in += client.reply() is not None
                except (BrokenPipeError, ConnectionResetError):
                    pass
            return let_in

        let_in = as_user(crowd)
        self.assertLessEqual(let_in, PER_USER)
        self.assertGreater(let_in, 0)
        self.assert_serves(node, dog, path)
        self.wait_at_rest(at_rest)

    def wait_at_rest(self, at_rest):
        pid = self.services[-1].pid
        self.wait_until(lambda: open_files(pid) == at_rest, "all are closed again", SOME)

    def test_who_asked_is_who_called(self):
        """Not pathdog-varlink's own user: in the reason of the decision, and in the notice."""
        self.need_root()
        node, dog, path = self.three()
        os.chmod(path, 0o666)
        node.on("migrate_peer", lambda r: r.answer({}))

        def move():
            with Client(path) as client:
                return [os.getuid(), client.call("Migrate", peer="p1@h")[1], client.call("Hold", all=True)[1]]

        uid, *errors = as_user(move)
        self.assertEqual(errors, [None, None])
        self.assertNotEqual(uid, 0)
        self.assertEqual(dog.decision("migrate")["reason"], f"asked by uid {uid}")
        self.assertIn(f"uid {uid}", dog.notice("hold")["text"])

    def test_come_and_go(self):
        """In every state of a call, two hundred times: nothing is left of them, and pathdog is not full of them."""
        node, dog, path = self.three()
        node.on("migrate_peer", lambda r: r.answer({}))
        at_rest = open_files(self.services[-1].pid)
        calls = [("GetStatus", {}, {}), ("ListPeers", {}, {"more": True}), ("FollowDecisions", {}, {"more": True}),
                 ("Migrate", {"peer": "p1@h"}, {"more": True})]
        for number in range(200):
            method, parameters, flags = calls[number % len(calls)]
            with Client(path) as client:
                client.send(method, parameters, **flags)
                if number % 3 == 0:
                    client.reply()
        self.wait_at_rest(at_rest)  # with those to the control socket, of which each call has one
        self.assert_serves(node, dog, path)
        self.finish_with = {"whole": False}  # a move may still be on its way

    def test_asked_again_before_the_answer(self):
        """Many calls at once on one connection: each is answered, in their order."""
        node, dog, path = self.three()
        client = self.raw(path)
        for number in range(50):
            client.send("GetStatus" if number % 2 else "ListUplinks")
        for number in range(50):
            self.assertIn("status" if number % 2 else "uplinks", client.reply()["parameters"])


class Slow(Hostile):
    measured = True
    def test_a_follower_that_does_not_read(self):
        """pathdog-varlink keeps little for it: what it does not take waits in pathdog, or is counted there."""
        node, dog, path = self.three(role="server")
        follower, other, asked = self.raw(path), self.client(dog), 4000
        follower.send("FollowDecisions", {}, more=True)
        self.assertTrue(follower.reply()["parameters"]["ready"])
        before = self.resident()
        for _ in range(asked // 100):  # more bytes than are kept for one client
            line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "migrate", "params": {"peer": "p1@h"}}) + "\n"
            other.send(line * 100)
            for _ in range(100):
                self.assertEqual(other.answer()["result"]["decision"]["verdict"], "inbound")
        self.assertLess(self.resident() - before, 4 << 20)
        self.assert_serves(node, dog, path, moves=False)
        seen, dropped = 0, 0
        while seen + dropped < asked:
            values = follower.reply()["parameters"]
            seen += "decision" in values
            dropped += values.get("dropped") or 0
        self.assertEqual(seen + dropped, asked)

    def test_one_that_never_reads_is_closed(self):
        node, dog, path = self.three(peers=1000)
        pid = self.services[-1].pid
        at_rest = open_files(pid)
        client, begin = self.raw(path), time.monotonic()
        client.send("ListPeers", {}, more=True)
        self.wait_until(lambda: open_files(pid) > at_rest, "it came in", SOME)
        self.wait_until(lambda: open_files(pid) == at_rest, "it is closed", 90)
        self.assertGreater(time.monotonic() - begin, 15)
        self.assert_serves(node, dog, path)

    def test_pathdog_hangs(self):
        """Its client is told after ten seconds, and others wait for nobody."""
        node, dog, path = self.three()
        with Stopped(dog):
            with Client(path, timeout=60) as client:
                values, error = client.call("GetStatus")
        self.assertEqual(error, f"{INTERFACE}.NotAnswering", values)
        self.assert_serves(node, dog, path)


class Stopped:
    def __init__(self, dog):
        self.dog = dog

    def __enter__(self):
        self.dog.process.send_signal(signal.SIGSTOP)

    def __exit__(self, *error):
        self.dog.process.send_signal(signal.SIGCONT)
