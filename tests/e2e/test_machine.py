# SPDX-License-Identifier: Apache-2.0
"""The machine has no more to give: files that may not grow, what killed runs have left."""

import os
import signal
import socket
import subprocess

from case import Case, cases
from node import PATIENCE
from watchdog import daemon, environment


def leave_socket(path, kind):
    """As a process that was killed leaves it."""
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.bind(path)


class FileSize(Case):
    """RLIMIT_FSIZE: the signal of a file that may not grow ends nothing."""

    def limited(self, bytes_, peers):
        node = self.node()
        for conn in range(1, peers + 1):
            node.add(f"p{conn}@h", conn)
        self.finish_with = {"replay": False}  # the recording is not whole
        return node, self.dog(node, prefix=["prlimit", f"--fsize={bytes_}"])

    def test_a_recording_and_a_state_that_may_not_grow(self):
        node, dog = self.limited(16384, 600)
        notice = dog.notice("recording-stopped")
        self.assertIn("File too large", notice["text"])
        node.on("migrate_peer", lambda r: r.error(-32003))
        dog.moved()  # what each of them answers is kept
        notice = dog.notice("state-not-saved")
        self.assertIn("(write: File too large)", notice["text"])
        node.wait_rounds(2)  # the loop still turns
        self.assertEqual(dog.finish(replay=False), [])
        self.assertIn("could not be saved", dog.stderr())

    @cases({"text": "text", "json": "json"})
    def test_a_log_that_may_not_grow(self, form):
        node = self.node()
        for conn in range(1, 101):
            node.add(f"p{conn}@h", conn)
        dog = self.dog(node, start=False)
        dog.write_config()
        path = os.path.join(self.directory, "log")
        with open(path, "w") as log:
            process = subprocess.Popen(
                ["prlimit", "--fsize=4096", daemon(), "--config", dog.config, "--log", form],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.PIPE, env=environment())
        self.addCleanup(process.kill)
        node.wait_rounds(3)
        node.wait_for(lambda: os.path.getsize(path) == 4096, what="a log that is full")
        node.wait_rounds(6)  # the loop still turns
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30 * PATIENCE)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn(b"records could not be written", errors)


class LeftOver(Case):
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
