# SPDX-License-Identifier: Apache-2.0
"""What keeps a pathdog from starting, or from opening: locks, and sockets that killed runs left."""

import os
import signal
import socket
import subprocess

from hostile_case import HostileCase
from node import PATIENCE


def leave_socket(path, kind):
    """As a process that was killed leaves it."""
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.bind(path)


class LeftOver(HostileCase):
    """In a container every run has the same pid: here it is 1."""

    def test_of_a_run_with_the_same_pid(self):
        alone = ["unshare", "--pid", "--fork", "--kill-child"]
        if subprocess.run([*alone, "true"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no namespaces of processes here")
        node = self.node()
        node.add("p1@h", 1)
        dog = self.dog(node, start=False, prefix=alone)
        for path, kind in ((dog.control, socket.SOCK_STREAM), (dog.notify_path, socket.SOCK_DGRAM)):
            leave_socket(path, kind)
            leave_socket(f"{path}.1", kind)
        dog.start()
        dog.wait_record("peer", state="up", conn=1)
        dog.moved()  # by the tunnel's socket
        dog.outcome("migrated")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(dog.control)
        self.assertEqual(dog.records("notice", what="control-socket"), [])
        self.assertEqual([n for n in os.listdir(self.directory) if n.endswith(".1")], [])
        inner = int(subprocess.run(["ps", "-o", "pid=", "--ppid", str(dog.process.pid)], text=True,
                                   capture_output=True, check=True).stdout)
        os.kill(inner, signal.SIGTERM)
        self.assertEqual(dog.process.wait(30 * PATIENCE), 0)
