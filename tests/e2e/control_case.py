# SPDX-License-Identifier: Apache-2.0
"""A client of the control socket, and a case whose daemons have one. Has no tests."""

import json
import os
import socket
import subprocess
import time

from case import Case
from node import PATIENCE
from watchdog import daemon, program


def ctl_program():
    return program("pathdogctl", "PATHDOGCTL")


class Client:
    """A raw client of the socket: lines of JSON."""

    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout * PATIENCE)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")
        self.notices = []
        self.number = 0

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next line as JSON; None at the end."""
        try:
            line = self.file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def answer(self):
        while True:
            message = self.line()
            if message is None or "id" in message:
                return message
            self.notices.append(message)

    def ask(self, method, **params):
        """The whole answer, with "result" or "error"."""
        self.number += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method,
                              "params": params}) + "\n")
        answer = self.answer()
        if answer is not None and answer["id"] is not None:
            assert answer["id"] == self.number, answer
        return answer

    def result(self, method, **params):
        answer = self.ask(method, **params)
        assert "result" in answer, answer
        return answer["result"]

    def error(self, method, **params):
        answer = self.ask(method, **params)
        assert "error" in answer, answer
        return answer["error"]

    def notice(self, predicate=lambda params: True, method="record"):
        while True:
            for at, message in enumerate(self.notices):
                if message["method"] == method and predicate(message["params"]):
                    return self.notices.pop(at)["params"]
            message = self.line()
            assert message is not None, "the daemon closed the connection"
            self.notices.append(message)

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class ControlCase(Case):
    def setUp(self):
        super().setUp()
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()
        super().tearDown()

    def client(self, dog, **more):
        client = Client(dog.control, **more)
        self.clients.append(client)
        return client

    def ctl(self, dog, *words, status=0, env=None, socket_path=None):
        """Runs pathdogctl: what it said, as (out, err)."""
        run = subprocess.run([ctl_program(), "--socket", socket_path or dog.control, *words],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=30 * PATIENCE, env={**os.environ, **(env or {})})
        self.assertEqual(run.returncode, status, f"{words}: {run.stdout}{run.stderr}")
        return run.stdout, run.stderr

    def wait_until(self, predicate, what, deadline=10):
        end = time.monotonic() + deadline * PATIENCE
        while not predicate():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.01)
