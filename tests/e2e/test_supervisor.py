# SPDX-License-Identifier: Apache-2.0
"""A systemd that does not read its notification socket holds nothing up."""

import os
import signal
import socket
import time

from case import Case
from node import PATIENCE


class Supervisor(Case):
    def full(self):
        """A socket that nobody reads, full: (socket, how many messages are in it)."""
        path = os.path.join(self.directory, "full")
        theirs = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(theirs.close)
        theirs.bind(path)
        count = 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            try:
                while True:
                    filler.sendto(b"X=1", path)
                    count += 1
            except BlockingIOError:
                return path, theirs, count

    def stuck_dog(self, **env):
        path, theirs, count = self.full()
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, start=False, env={"NOTIFY_SOCKET": path, **env})
        dog.start(ready=False)
        node.wait_subscribed()
        dog.wait_record("peer", state="up", conn=1)
        return node, dog, theirs, count

    def stop_within(self, dog, seconds):
        begin = time.monotonic()
        dog.process.send_signal(signal.SIGTERM)
        self.assertEqual(dog.process.wait(15 * PATIENCE), 0)
        self.assertLess(time.monotonic() - begin, seconds * PATIENCE)

    def test_a_socket_that_nobody_reads(self):
        node, dog, _, _ = self.stuck_dog()
        dog.notice("notify-failed")
        dog.moved()
        dog.outcome("migrated")
        dog.process.send_signal(signal.SIGHUP)
        dog.notice("reloaded")
        dog.moved()
        dog.outcome("migrated", nth=2)
        self.stop_within(dog, 2)

    def test_what_was_kept_is_told_when_it_is_read(self):
        _, dog, theirs, count = self.stuck_dog()
        dog.notice("notify-failed")
        theirs.settimeout(10 * PATIENCE)
        messages = [theirs.recv(4096).decode() for _ in range(count)]
        self.assertEqual(set(messages), {"X=1"})
        while not any(m.startswith("READY=1\nSTATUS=") for m in messages):
            messages.append(theirs.recv(4096).decode())
        dog.notice("notify-works-again")

    def test_the_watchdog_is_fed_from_the_loop(self):
        _, dog, theirs, count = self.stuck_dog(WATCHDOG_USEC="400000")
        theirs.settimeout(10 * PATIENCE)
        for _ in range(count):
            theirs.recv(4096)

        def pings(seconds):
            theirs.settimeout(0.1)
            end, n = time.monotonic() + seconds, 0
            while time.monotonic() < end:
                try:
                    n += theirs.recv(4096) == b"WATCHDOG=1"
                except TimeoutError:
                    pass
            return n

        dog.wait_for(lambda: pings(0.5), what="WATCHDOG=1")
        self.assertGreaterEqual(pings(1), 2)
        dog.process.send_signal(signal.SIGSTOP)  # a loop that does not turn is noticed
        try:
            pings(0.2)
            self.assertEqual(pings(1), 0)
        finally:
            dog.process.send_signal(signal.SIGCONT)
        self.stop_within(dog, 2)
