# SPDX-License-Identifier: Apache-2.0
"""Whoever reads pathdog's streams stopped, or the disk below them stands still: the loop goes on, and
SIGTERM ends it within two seconds (tearDown of HostileCase looks at that)."""

import os
import pty
import signal
import subprocess

from faults import HANG
from hostile_case import HostileCase
from node import PATIENCE
from others import redirected, stopped_reader


class StreamsCase(HostileCase):
    def attacked(self, *prefix, peers=1, **more):
        node = self.node()
        for conn in range(1, peers + 1):
            node.add(f"p{conn}@h", conn, local=f"127.0.0.1:{9000 + conn}")
        dog = self.dog(node, start=False, **more)
        for words in prefix:
            dog.prefix += words
        self.finish_with = {"replay": False, "whole": False}
        dog.start()
        node.wait_subscribed()
        return node, dog

    def assert_goes_on(self, node, dog):
        """As assert_alive, of a daemon whose records nobody sees."""
        for _ in range(3):
            count = len(node.moves())
            dog.moved()
            node.wait_for(lambda: len(node.moves()) > count, what="a further request")
            self.assertIn("n_peers", self.client(dog).result("status"))

    def stopped(self, number):
        path = os.path.join(self.directory, f"fifo-{number}")
        self.addCleanup(os.close, stopped_reader(path))
        return redirected(number, path)

    def assert_ends(self, dog):
        self.assertEqual(self.stop_complaints(dog), [])
        self.assertEqual(dog.process.returncode, 0, dog.stderr())


class Streams(StreamsCase):
    def test_standard_output_that_nobody_reads(self):
        node, dog = self.attacked(self.stopped(1), peers=200)
        self.assert_goes_on(node, dog)
        self.assert_ends(dog)
        dog.readers[1].join(10 * PATIENCE)
        self.assertRegex(dog.stderr(), r"^pathdog: \d+ records could not be written to the log\n$")

    def test_standard_error_that_nobody_reads(self):
        node, dog = self.attacked(self.stopped(2))
        self.assert_alive(node, dog)
        self.assert_ends(dog)

    def test_neither_is_read(self):
        """At the end it has something to say on standard error, and cannot."""
        node, dog = self.attacked(self.stopped(1), self.stopped(2))
        self.assert_goes_on(node, dog)
        self.assert_ends(dog)

    def test_an_error_at_the_start_that_nobody_reads(self):
        dog = self.dog(self.node(), {"sample_interval": "never"}, start=False)
        dog.prefix = self.stopped(2)
        dog.start(ready=False)
        self.assertEqual(dog.process.wait(15 * PATIENCE), 2)
        self.finish_with = {"replay": False, "whole": False, "status": 2}

    def test_a_terminal_that_nobody_reads(self):
        for number in 1, 2:
            with self.subTest(number):
                master, slave = pty.openpty()
                self.addCleanup(os.close, master)
                node, dog = self.attacked(redirected(number, os.ttyname(slave)), peers=200,
                                          name=f"tty-{number}")
                os.close(slave)
                self.assert_goes_on(node, dog)
                self.assert_ends(dog)

    def test_a_reader_that_is_stopped(self):
        reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        reader.send_signal(signal.SIGSTOP)
        end = f"/proc/{os.getpid()}/fd/{reader.stdin.fileno()}"
        node, dog = self.attacked(redirected(1, end), redirected(2, end), peers=400)
        self.assert_goes_on(node, dog)
        self.assert_ends(dog)
        reader.stdin.close()


class Disks(StreamsCase):
    """A real file system that is frozen: nothing ends a write to it, not even SIGKILL."""

    def frozen(self, **more):
        disk = self.disk()
        node, dog = more.pop("begin")(disk)
        dog.wait_for(lambda: os.listdir(disk.path), what="a file there")
        disk.freeze()
        self.assert_goes_on(node, dog)
        self.assert_ends(dog)
        disk.thaw()
        return dog

    def test_the_log_is_on_a_frozen_file_system(self):
        dog = self.frozen(begin=lambda disk: self.attacked(
            redirected(1, os.path.join(disk.path, "log")), peers=200))
        dog.readers[1].join(10 * PATIENCE)
        self.assertRegex(dog.stderr(), r"^pathdog: \d+ records could not be written to the log\n$")

    def test_standard_error_is_on_a_frozen_file_system(self):
        self.frozen(begin=lambda disk: self.attacked(
            redirected(2, os.path.join(disk.path, "errors")), self.stopped(1)))

    def test_the_state_is_on_a_frozen_file_system(self):
        def begin(disk):
            state = os.path.join(disk.path, "state")
            os.mkdir(state)
            return self.attacked(watchdog={"state_directory": state})
        dog = self.frozen(begin=begin)
        dog.readers[1].join(10 * PATIENCE)
        self.assertIn("the learnt state could not be saved: Connection timed out", dog.stderr())

    def test_the_recording_is_on_a_frozen_file_system(self):
        def begin(disk):
            path = os.path.join(disk.path, "recording")
            return self.attacked(args=["--record", path])
        dog = self.frozen(begin=begin)
        dog.readers[1].join(10 * PATIENCE)
        self.assertIn("the recording is not complete: Connection timed out", dog.stderr())


class Calls(StreamsCase):
    """The same where no file system can be frozen: the call itself hangs."""

    def test_calls_that_write_files_hang(self):
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, start=False)
        faults = self.faulty(dog)
        dog.start()
        dog.wait_record("peer", state="up")
        for call, match in ("fsync", "state"), ("write", "recording"), ("rename", "state"):
            faults.set(call, HANG, match=match)
        self.assert_goes_on(node, dog)
        self.finish_with = {"replay": False, "whole": False}
        self.assert_ends(dog)
        for call, match in ("fsync", "state"), ("write", "recording"), ("rename", "state"):
            faults.clear(call, match)
