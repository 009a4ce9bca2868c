# SPDX-License-Identifier: Apache-2.0
"""pathdog-varlink beside a pathdog, and clients of it: varlinkctl, and raw ones. Has no tests.

The program is built where libsystemd has sd-varlink (257 and newer, Debian 13). Where it is not built, which
is how Debian 12 is meant to be, its tests are not in the list of tests, and so none of them is skipped.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import unittest

from control_case import ControlCase
from node import PATIENCE
from watchdog import environment, program

INTERFACE = "io.pathdog.Watchdog"


def varlink_program():
    """None: it is not built here."""
    try:
        return program("pathdog-varlink", "PATHDOG_VARLINK")
    except RuntimeError:
        return None


def listed(tests):
    """For load_tests of a module whose tests need the program."""
    return tests if varlink_program() else unittest.TestSuite()


class Client:
    """A raw client: objects, each ended by a NUL."""

    def __init__(self, path, timeout=20):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout * PATIENCE)
        self.sock.connect(path)
        self.data = b""

    def send(self, method, parameters=None, **flags):
        call = {"method": f"{INTERFACE}.{method}", "parameters": parameters or {}, **flags}
        self.sock.sendall(json.dumps(call).encode() + b"\0")

    def reply(self):
        """The next one as it came; None at the end."""
        while b"\0" not in self.data:
            try:
                more = self.sock.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not more:
                return None
            self.data += more
        text, _, self.data = self.data.partition(b"\0")
        return json.loads(text)

    def call(self, method, **parameters):
        """(parameters, error's name or None)"""
        self.send(method, parameters)
        reply = self.reply()
        assert reply is not None, f"{method}: the connection was closed"
        return reply.get("parameters", {}), reply.get("error")

    def ended(self):
        """It has been closed; what still came does not matter."""
        while self.reply() is not None:
            pass
        return True

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class VarlinkCase(ControlCase):
    def setUp(self):
        super().setUp()
        self.services = []

    def tearDown(self):
        bad = []
        for service in self.services:
            service.terminate()
            out = service.communicate(timeout=20 * PATIENCE)[0]
            if service.returncode != 0 or "ERROR" in out:
                bad.append(f"pathdog-varlink: exit status {service.returncode}: {out}")
        super().tearDown()
        self.assertEqual(bad, [])

    def service(self, control, *words, prefix=(), name="varlink"):
        """pathdog-varlink, ready: the path of its socket."""
        path = os.path.join(self.directory, name)
        self.services.append(subprocess.Popen(
            [*prefix, varlink_program(), "--socket", control, "--listen", path, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environment()))
        self.wait_until(lambda: os.path.exists(path), "pathdog-varlink listens")
        return path

    def three(self, **more):
        node, dog = self.pair(**more)
        return node, dog, self.service(dog.control)

    def raw(self, path, **more):
        client = Client(path, **more)
        self.clients.append(client)
        return client

    def varlinkctl(self, *words, status=0):
        self.assertTrue(shutil.which("varlinkctl"), "varlinkctl comes with systemd 257")
        run = subprocess.run(["varlinkctl", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=30 * PATIENCE)
        self.assertEqual(run.returncode, status, f"{words}: {run.stdout}{run.stderr}")
        return run.stdout if status == 0 else run.stderr

    def call(self, path, method, parameters=None, more=False, status=0):
        """By varlinkctl: the reply; with `more` all of them; with a status what was complained of."""
        text = self.varlinkctl("call", "--json=short", *(["--more"] if more else []), path,
                               f"{INTERFACE}.{method}", json.dumps(parameters or {}), status=status)
        if status:
            return text
        replies = [json.loads(part) for part in text.replace("\x1e", "").splitlines() if part.strip()]
        return replies if more else replies[0]

    def resident(self):
        """Of the last service, in bytes."""
        with open(f"/proc/{self.services[-1].pid}/status") as file:
            return 1024 * int(next(line for line in file if line.startswith("VmRSS:")).split()[1])

    def kill_dog(self, dog):
        dog.terminate(signal.SIGTERM)
