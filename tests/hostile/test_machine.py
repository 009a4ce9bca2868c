# SPDX-License-Identifier: Apache-2.0
"""The machine has no more to give, at any moment of the start: files that may not grow, calls that
fail, too few descriptors. None of it is said to be the operator's fault (exit status 2)."""

import errno
import os
import shutil
import signal
import subprocess

from case import cases
from hostile_case import HostileCase
from node import PATIENCE
from watchdog import daemon, environment


class FileSize(HostileCase):
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

    def test_a_recording_that_has_no_room_for_its_head(self):
        dog = self.dog(None, start=False, prefix=["prlimit", "--fsize=10"])
        dog.start(ready=False)
        self.assertEqual(dog.process.wait(30 * PATIENCE), 1)
        dog.terminate()
        dog.finished = True
        self.assertIn("--record ", dog.stderr())
        self.assertIn("File too large", dog.stderr())

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


class Start(HostileCase):
    """Each call of a start fails once, and there are too few descriptors at each point of it."""

    def attempt(self, prefix):
        """(status, stderr) of a start; one that succeeds is ended: 0."""
        dog = self.dog(None, {"node_user": "nobody"},
                       {"tunnel": {"group": "root"}, "route": {}}, start=False,
                       prefix=prefix, env={"ASAN_OPTIONS": "detect_leaks=0:exitcode=99"})
        dog.finished = True  # no node, and the end of most is what is looked at here
        dog.clear()
        dog.start(ready=False)
        dog.wait_for(lambda: dog.process.poll() is not None or
                     any("READY=1" in s for s in dog.states), 60, "an end or a beginning")
        for child in subprocess.run(["ps", "-o", "pid=", "--ppid", str(dog.process.pid)], text=True,
                                    capture_output=True).stdout.split():
            try:
                os.kill(int(child), signal.SIGTERM)  # strace's
            except ProcessLookupError:
                pass
        return dog.terminate(), dog.stderr()

    def strace(self, *more):
        trace = os.path.join(self.directory, "trace")
        return ["strace", "-f", "-qq", "-o", trace, *more], trace

    @cases({f"{call} {name}": (call, name) for call, name in (
        ("openat", "ENFILE"), ("openat", "EIO"), ("read", "EIO"), ("newfstatat", "EIO"),
        ("socket", "ENFILE"), ("eventfd2", "EMFILE"), ("signalfd4", "ENOMEM"),
        ("epoll_ctl", "ENOMEM"))})
    def test_each_call_fails_once(self, call, name):
        whole, trace = self.strace("-e", f"trace=openat,{call}")
        if not shutil.which("strace"):
            self.skipTest("no strace")
        if subprocess.run([*whole, "true"], capture_output=True).returncode:
            self.skipTest("nothing can be traced here")
        self.assertEqual(self.attempt(whole)[0], 0)
        with open(trace) as file:
            lines = [line for line in file if f" {call}(" in line or ".conf\"" in line]
        begin = next(n for n, line in enumerate(lines) if ".conf\"" in line)  # before: the loader
        before, calls = (sum(f" {call}(" in line for line in part)
                         for part in (lines[:begin], lines))
        words = os.strerror(getattr(errno, name))
        self.assertGreater(calls, before)
        ends = []
        for n in range(before + 1, calls + 1):
            status, errors = self.attempt(self.strace(
                "-e", f"trace={call}", "-e", f"inject={call}:error={name}:when={n}")[0])
            ends.append(status)
            self.assertIn(status, (0, 1), f"number {n}: {errors}")
            if status == 1:
                self.assertIn(words, errors, f"number {n}")
        self.assertIn(1, ends)

    def test_too_few_descriptors(self):
        ends = {}
        for most in range(3, 64):
            status, errors = self.attempt(["prlimit", f"--nofile={most}"])
            ends[status] = ends.get(status, 0) + 1
            if status != 127:
                self.assertIn(status, (0, 1), f"{most} descriptors: {errors}")
            if status == 1:
                self.assertIn("Too many open files", errors)
            if ends.get(0, 0) > 3:
                break
        self.assertGreater(ends.get(1, 0), 5, ends)
        self.assertGreater(ends.get(0, 0), 3, ends)
