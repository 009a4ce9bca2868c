# SPDX-License-Identifier: Apache-2.0
"""What the attacks are made of does what it says: otherwise a test may pass because nothing attacked."""

import errno
import os
import signal
import socket
import threading
import time

import measure
from faults import HANG
from hostile_case import HostileCase
from node import PATIENCE
from others import NOBODY, Stranger, as_user, lock_flock, redirected, stopped_reader


class Users(HostileCase):
    def test_a_stranger_is_another_user_and_stays(self):
        self.need_root()

        def work(say):
            say([os.geteuid(), os.getegid(), len(os.getgroups())])
            return lock_flock(self.directory)(say)

        with Stranger(work) as stranger:
            self.assertEqual(stranger.heard(), [NOBODY, NOBODY, 0])
            self.assertEqual(stranger.heard(), "locked")
            self.assertEqual(lock_flock(self.directory)(None), os.strerror(errno.EWOULDBLOCK))
        self.assertEqual(lock_flock(self.directory)(None), "locked")

    def test_a_stranger_says_why_not(self):
        self.need_root()
        os.chmod(self.directory, 0o700)
        self.assertIn("PermissionError", as_user(os.listdir, self.directory))
        os.chmod(self.directory, 0o755)
        self.assertEqual(as_user(os.listdir, self.directory), [])


class Streams(HostileCase):
    def test_a_stopped_reader_takes_nothing(self):
        path = os.path.join(self.directory, "fifo")
        fd = stopped_reader(path)
        other = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        self.assertRaises(BlockingIOError, os.write, other, b"x")
        os.close(other)
        os.close(fd)

    def test_the_stream_of_a_daemon_goes_there(self):
        path = os.path.join(self.directory, "errors")
        dog = self.dog(self.node(), start=False)
        dog.prefix = redirected(2, path)
        dog.start()
        self.assertEqual(os.readlink(f"/proc/{dog.process.pid}/fd/2"), path)

    def test_a_disk_stands_still(self):
        disk, wrote = self.disk(), threading.Event()

        def write():
            with open(os.path.join(disk.path, "file"), "w") as file:
                file.write("x")
            wrote.set()

        disk.freeze()
        writer = threading.Thread(target=write)
        writer.start()
        self.assertFalse(wrote.wait(0.2))
        disk.thaw()
        self.assertTrue(wrote.wait(10 * PATIENCE))
        writer.join()


class Shim(HostileCase):
    def attacked(self):
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, start=False)
        faults = self.faulty(dog)
        return node, dog, faults

    def test_counts_and_fails_while_it_is_told_to(self):
        node, dog, faults = self.attacked()
        faults.count("accept4", "unix")
        dog.start()
        self.client(dog).result("version")
        before = faults.seen("accept4", "unix")
        self.assertGreater(before, 0)
        faults.set("accept4", "EMFILE", "unix", times=3)
        self.client(dog).result("version")  # let in when the three have failed
        self.assertEqual(faults.hit("accept4", "unix"), 3)
        self.assert_alive(node, dog)

    def test_matches_paths_and_not_others(self):
        node, dog, faults = self.attacked()
        faults.set("open", "EIO", match="no-such-file-that-is-opened")
        faults.count("open", "plugins")
        dog.start()
        self.assertEqual(faults.seen("open", "no-such-file-that-is-opened"), 0)
        self.assertGreater(faults.seen("open", "plugins"), 0)

    def test_holds_a_call_until_it_is_cleared(self):
        node, dog, faults = self.attacked()
        dog.start()
        dog.wait_record("peer", state="up")
        faults.set("fsync", HANG, match="state")
        dog.process.send_signal(signal.SIGTERM)
        dog.wait_for(lambda: faults.hit("fsync", "state"), what="the state is to be written")
        self.assertIsNone(dog.process.poll())
        faults.clear("fsync", "state")
        self.assertEqual(dog.terminate(), 0)


class Probes(HostileCase):
    measured = True

    def test_a_loop_that_stands_still_is_seen(self):
        _, dog = self.pair()
        with measure.Lateness(dog) as late:
            time.sleep(0.2)
        self.assertGreater(late.asked, 5)
        usual = late.worst_ms
        with measure.Lateness(dog) as late:
            os.kill(dog.process.pid, signal.SIGSTOP)
            time.sleep(0.5)
            os.kill(dog.process.pid, signal.SIGCONT)
        self.assertGreater(late.worst_ms, 400)
        self.assertGreater(late.worst_ms, usual)

    def test_memory_and_descriptors(self):
        _, dog = self.pair()
        pid = dog.process.pid
        self.assertGreater(measure.rss_kib(pid), 1000)
        self.assertGreaterEqual(measure.peak_kib(pid), measure.rss_kib(pid))
        before = measure.descriptors(pid)
        client = self.client(dog)
        client.result("version")
        more = set(measure.descriptors(pid)) - set(before)
        self.assertEqual([measure.descriptors(pid)[n] for n in more], ["socket"])

    def test_one_that_does_not_end_is_seen(self):
        _, dog = self.pair()
        os.kill(dog.process.pid, signal.SIGSTOP)
        threading.Timer(2 * self.stop_s + 1, os.kill, (dog.process.pid, signal.SIGCONT)).start()
        self.assertIn("SIGTERM took", "".join(self.stop_complaints(dog)))


class Nodes(HostileCase):
    def test_the_socket_of_a_stranger_is_one(self):
        """What a node is checked by is who serves the socket."""
        self.need_root()
        path = os.path.join(self.public_directory(), "s")

        def work(say):
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(path)
            sock.listen(1)
            say("listens")
            self.kept = sock

        with Stranger(work) as stranger:
            self.assertEqual(stranger.heard(), "listens")
            self.assertEqual(os.stat(path).st_uid, NOBODY)
