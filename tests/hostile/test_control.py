# SPDX-License-Identifier: Apache-2.0
"""The control socket in bad hands: rubbish, floods, slow readers, many clients."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
import unittest

import measure
from case import cases
from control_case import Client
from hostile_case import HostileCase
from node import PATIENCE
from others import as_user
from watchdog import daemon


class Socket(HostileCase):
    def test_mode(self):
        dog = self.dog(self.node(start=False))
        self.assertEqual(stat.S_IMODE(os.stat(dog.control).st_mode), 0o660)

    def test_another_user_may_neither_connect_nor_read(self):
        self.need_root()
        node, dog = self.pair()
        state = os.path.join(self.directory, "state", "state.json")
        self.client(dog).result("hold", peer="p1@h", for_us=10**9)
        self.wait_until(lambda: os.path.exists(state), "the hold is in the state file")

        def tried(kind, path):
            try:
                if kind:
                    with socket.socket(socket.AF_UNIX, kind) as sock:
                        sock.connect(path)
                else:
                    os.close(os.open(path, os.O_RDONLY))
                return f"{path}: opened"
            except PermissionError:
                return "refused"

        files = [os.path.join(self.directory, "state", name)
                 for name in os.listdir(os.path.dirname(state))]
        for kind, path in [(socket.SOCK_STREAM, dog.control), (socket.SOCK_DGRAM, dog.notify_path),
                           (None, dog.recording)] + [(None, path) for path in files]:
            self.assertEqual(as_user(tried, kind, path), "refused")

    def test_gone_at_the_end(self):
        dog = self.dog(self.node(start=False))
        self.assertEqual(dog.terminate(), 0)
        self.assertFalse(os.path.exists(dog.control))

    def test_a_stale_one_is_replaced(self):
        node = self.node(start=False)
        dog = self.dog(node, start=False)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(dog.control)
        dog.start()
        self.client(dog).result("version")

    def test_one_that_lives_is_not(self):
        dog = self.dog(self.node(start=False), start=False)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(dog.control)
            other.listen(1)
            dog.start()
            self.assertIn("another process", dog.notice("control-socket")["text"])
            self.assertEqual(dog.terminate(), 0)
            self.assertTrue(os.path.exists(dog.control))
        self.finish_with = {}

    def test_a_file_is_not(self):
        dog = self.dog(self.node(start=False), start=False)
        with open(dog.control, "w") as file:
            file.write("precious")
        dog.start()
        self.assertEqual(dog.notice("control-socket")["level"], "error")
        with open(dog.control) as file:
            self.assertEqual(file.read(), "precious")

    def test_without_a_directory_all_else_goes_on(self):
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, {"control": os.path.join(self.directory, "none", "c.sock")})
        dog.notice("control-socket")
        dog.wait_record("peer", state="up")
        dog.moved()
        dog.outcome("migrated")

    def test_passed_by_systemd(self):
        node = self.node(start=False)
        path = os.path.join(self.directory, "passed.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(8)
        dog = self.dog(node, start=False)
        # what systemd does: descriptor 3, and the pid that it is meant for
        dog.prefix = [sys.executable, "-c", "import os, sys; os.dup2(%d, 3); os.environ.update("
                      "LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='control'); "
                      "os.execv(sys.argv[1], sys.argv[1:])" % listener.fileno()] + dog.prefix
        popen = subprocess.Popen
        os.set_inheritable(listener.fileno(), True)
        try:
            subprocess.Popen = lambda *a, **k: popen(*a, close_fds=False, **k)
            dog.start()
        finally:
            subprocess.Popen = popen
        client = Client(path)
        self.clients.append(client)
        client.result("version")
        self.assertFalse(os.path.exists(dog.control))
        self.assertEqual(dog.terminate(), 0)
        self.assertTrue(os.path.exists(path), "it is systemd's to remove")
        listener.close()


class Abuse(HostileCase):
    """Whatever clients do, the daemon does its work, and answers the next one."""

    def alive(self, node, dog):
        count = len(dog.records("outcome"))
        dog.moved()
        dog.wait_for(lambda: len(dog.records("outcome")) > count, what="a further outcome")
        self.assertEqual(self.client(dog).result("status")["n_peers"], 1)

    @cases({"text": b"hello\n", "array": b"[]\n", "number": b"7\n", "no id":
            b'{"jsonrpc":"2.0","method":"status"}\n', "an answer": b'{"jsonrpc":"2.0","id":1,'
            b'"result":{}}\n', "object id": b'{"jsonrpc":"2.0","id":{},"method":"status"}\n',
            "params": b'{"jsonrpc":"2.0","id":1,"method":"status","params":[1]}\n',
            "nul": b"\0\0\0\n", "bytes": bytes(range(128, 256)) + b"\n", "deep": b"[" * 60000 + b"\n",
            "method": b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 60000 + b'"}\n'})
    def test_rubbish(self, line):
        node, dog = self.pair()
        client = self.client(dog)
        client.send(line)
        self.assertIn("error", client.answer())
        self.assertIn("result", client.ask("version"))
        client.send(b"rubbish\n" * 10)
        while client.line() is not None:
            pass
        self.alive(node, dog)

    @cases({"unknown": ("status", {"x": 1}), "type": ("explain", {"peer": 7}),
            "empty": ("explain", {"peer": ""}), "missing": ("explain", {}),
            "long": ("explain", {"peer": "x" * 256}), "control": ("explain", {"peer": "a\nb"}),
            "nul": ("explain", {"peer": "a\0b"}), "negative": ("peers", {"after": -1}),
            "fraction": ("peers", {"limit": 1.5}), "huge": ("hold", {"peer": "p1@h", "for_us": 2**70}),
            "flag": ("hold", {"all": "yes"}), "by": ("migrate", {"peer": "p1@h", "by": "magic"}),
            "zero": ("hold", {"peer": "p1@h", "for_us": 0}), "mode": ("mode", {"mode": "lazy"})})
    def test_bad_arguments(self, method, params):
        node, dog = self.pair()
        client = self.client(dog)
        error = client.error(method, **params)
        self.assertEqual(error["code"], -32602, error)
        self.assertGreater(len(error["message"]), 10)
        self.alive(node, dog)

    def test_a_line_without_end(self):
        node, dog = self.pair()
        client = self.client(dog)
        try:
            for _ in range(64):
                client.send(b"x" * 65536)
        except OSError:
            pass
        try:
            answer = client.line()
        except OSError:
            answer = None
        if answer is not None:
            self.assertIn("longer", answer["error"]["message"])
            self.assertIsNone(client.line())
        self.alive(node, dog)

    def test_one_byte_at_a_time(self):
        node, dog = self.pair()
        client = self.client(dog)
        for byte in b'{"jsonrpc":"2.0","id":1,"method":"version"}\n':
            client.send(bytes([byte]))
        self.assertIn("result", client.answer())

    def test_many_in_one_piece(self):
        node, dog = self.pair()
        client = self.client(dog)
        client.send(b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"version"}\n' % i
                             for i in range(1, 1001)))
        self.assertEqual([client.answer()["id"] for _ in range(1000)], list(range(1, 1001)))

    def test_asks_and_closes_its_end(self):
        node, dog = self.pair()
        client = self.client(dog)
        client.send(b'{"jsonrpc":"2.0","id":1,"method":"status"}\n' * 20)
        client.sock.shutdown(socket.SHUT_WR)
        for _ in range(20):
            self.assertIn("result", client.answer())
        self.assertIsNone(client.line())

    def test_one_that_does_not_read(self):
        node, dog = self.pair()
        client = self.client(dog)
        client.sock.setblocking(False)
        sent = 0
        line = b'{"jsonrpc":"2.0","id":1,"method":"explain","params":{"peer":"p1@h"}}\n' * 100
        try:
            while sent < 64 << 20:
                sent += client.sock.send(line)
        except BlockingIOError:
            pass
        self.assertLess(sent, 64 << 20, "it is not read without end")
        self.alive(node, dog)
        with open(f"/proc/{dog.process.pid}/status") as file:
            memory = next(int(word.split()[1]) for word in file if word.startswith("VmRSS"))
        self.assertLess(memory, 400_000, "kB")

    def test_a_follower_that_does_not_read(self):
        node, dog = self.pair(role="server")
        client = self.client(dog)
        client.result("decisions", follow=True)
        other = self.client(dog)
        asked = 0
        for _ in range(100):  # more bytes than are kept for one client
            lines = [json.dumps({"jsonrpc": "2.0", "id": asked + i, "method": "migrate",
                                 "params": {"peer": "p1@h"}}) for i in range(100)]
            other.send("\n".join(lines) + "\n")
            for _ in lines:
                self.assertEqual(other.answer()["result"]["decision"]["verdict"], "inbound")
            asked += len(lines)
        dog.wait_record("decision", nth=asked)
        seen, dropped = 0, 0
        while seen + dropped < asked:
            message = client.line()
            if message["method"] == "dropped":
                dropped += message["params"]["count"]
            else:
                seen += 1
        self.assertEqual((seen, dropped), (asked, 0), "they waited as records")

    def test_a_thousand_clients(self):
        node, dog = self.pair()
        crowd, refused = [], 0
        for _ in range(1000):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(dog.control)  # waits while the queue of the listener is full
            sock.settimeout(10 * PATIENCE)
            crowd.append(sock)
        for sock in crowd:
            try:
                sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"version"}\n')
            except OSError:
                pass
        for sock in crowd:
            line = b""
            while not line.endswith(b"\n"):
                try:
                    piece = sock.recv(65536)
                except ConnectionResetError:
                    break
                if not piece:
                    break
                line += piece
            message = json.loads(line)
            refused += "error" in message
            if "error" in message:
                self.assertIn("64 clients", message["error"]["message"])
        self.assertEqual(refused, 1000 - 64 - 8, "of the daemon's own user")
        for sock in crowd:
            sock.close()
        self.wait_until(lambda: "result" in (Client(dog.control).ask("version") or {}), "room again")
        self.alive(node, dog)

    def test_one_user_has_all_places(self):
        """Those that root asks for (pathdog-varlink) get in as they would by themselves: whoever has
        the most makes room, and the reserved places stay free."""
        node, dog = self.pair()
        greedy = [self.client(dog) for _ in range(64)]
        for client in greedy:
            client.result("as", uid=70001)
        late = [self.client(dog) for _ in range(8)]
        for number, client in enumerate(late):
            self.assertEqual(client.result("as", uid=70002 + number), {"uid": 70002 + number})
        for client in greedy[:8]:
            self.assertEqual(client.answer()["error"]["code"], -32042)
        self.assertIn("result", greedy[8].ask("version"))
        self.alive(node, dog)

    def test_no_descriptors_left(self):
        """It cannot let anybody in, then it can: nothing is lost but time."""
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, start=False)
        dog.prefix = ["prlimit", "--nofile=40:40"] + dog.prefix
        dog.start()
        dog.wait_record("peer", state="up")
        crowd = []
        for _ in range(50):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(10 * PATIENCE)
            sock.connect(dog.control)
            crowd.append(sock)
        dog.moved()
        dog.outcome("migrated")
        with open(f"/proc/{dog.process.pid}/stat") as file:
            before = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
        time.sleep(0.5)  # a loop that spins would show
        with open(f"/proc/{dog.process.pid}/stat") as file:
            after = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
        self.assertLess(after - before, 25, "ticks of 10 ms")
        for sock in crowd:
            sock.close()
        self.alive(node, dog)

    def test_gone_in_the_middle(self):
        node, dog = self.pair()
        for cut in (1, 10, 30, 43):
            client = Client(dog.control)
            client.send(b'{"jsonrpc":"2.0","id":1,"method":"version"}\n'[:cut])
            client.close()
        for _ in range(50):
            client = Client(dog.control)
            client.send(b'{"jsonrpc":"2.0","id":1,"method":"peers"}\n' * 50)
            client.close()
        follower = Client(dog.control)
        follower.result("decisions", follow=True)
        follower.close()
        self.alive(node, dog)


class Expensive(HostileCase):
    """Sixty-three clients ask what costs the most, and read the answers, or read nothing."""
    measured = True
    WORST = [("peers", {"match": "*a*a*a*a*a*a*a*a*a*b"}),
             ("peers", {"match": "*?*?*?*?*?*[a-z]*[a-z]*[a-z]*b"}),
             ("decisions", {"peer": "*a*a*a*a*a*b", "trigger": "tunnel", "limit": 256,
                            "follow": True, "all": True}),
             ("resolve", {"peer": "a" * 255}), ("explain", {"peer": "a" * 254 + "b"}),
             ("status", {}), ("count", {}), ("peers", {}),
             ("hold", {"peer": "a" * 254 + "c"}), ("mode", {"mode": "active"})]

    def crowd(self, dog):
        clients = []
        for i in range(63):
            client = self.client(dog)
            method, params = self.WORST[i % len(self.WORST)]
            client.lines = (json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                        "params": params}) + "\n").encode() * 40
            client.sock.setblocking(False)
            clients.append(client)
        return clients

    def flood(self, clients, ends, reads):
        """Each always has requests that wait; `ends` is an event."""
        while not ends.is_set():
            for client in clients:
                try:
                    client.sock.send(client.lines)
                except BlockingIOError:
                    pass
                except OSError:
                    continue
                try:
                    while reads and client.sock.recv(1 << 20):
                        pass
                except OSError:
                    pass
            ends.wait(0.002)

    def lateness_ms(self, node, dog, conn):
        """From when the node says something until pathdog takes it: the record has the time."""
        taken, begin = measure.waited_s(dog.process.pid), time.time()
        node.add(f"p{conn}@h", conn, local="127.0.0.1:9001")
        record = dog.wait_record("peer", state="up", conn=conn)
        return 1000 * (record["time_us"] / 1e6 - begin - measure.waited_s(dog.process.pid) + taken)

    @cases({"that read": (True,), "that read nothing": (False,)})
    def test_sixty_three_clients(self, reads):
        node = self.node()
        for conn in range(1, 1501):
            node.add("a" * 245 + f"{conn:05}", conn, local="127.0.0.1:9001", role="server")
        dog = self.dog(node)
        dog.wait_record("peer", state="up", conn=1500)
        ends = threading.Event()
        thread = threading.Thread(target=self.flood, args=(self.crowd(dog), ends, reads))
        thread.start()
        try:
            late = sorted(self.lateness_ms(node, dog, 4000 + number) for number in range(30))
            self.assertLess(late[-3], 20, late)  # two may be the machine's
            self.assertLess(late[-1], 500, late)
            self.assertIn("result", self.client(dog).ask("version"))  # and a client of its own
            self.assertLess(measure.peak_kib(dog.process.pid), 160 * 1024)
        finally:
            self.stop = self.stop_complaints(dog)  # while they go on
            ends.set()
            thread.join()
        self.assertEqual(self.stop, [])


if __name__ == "__main__":
    unittest.main()
