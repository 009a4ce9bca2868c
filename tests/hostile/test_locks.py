# SPDX-License-Identifier: Apache-2.0
"""What keeps a pathdog from starting, or from opening: locks, and sockets that killed runs left."""

import errno
import fcntl
import os
import signal
import socket
import subprocess

from case import cases
from hostile_case import HostileCase
from node import PATIENCE
from others import NOBODY, Stranger

BUSY = 75


class StateLock(HostileCase):
    def ended(self, **more):
        """(status, stderr) of a pathdog that ends by itself."""
        dog = self.dog(None, start=False, name="other", **more)
        dog.finished = True
        dog.start(ready=False)
        dog.process.wait(30 * PATIENCE)
        return dog.terminate(), dog.stderr()

    def test_whoever_may_enter_the_directory_cannot_lock_it(self):
        self.need_root()
        state = os.path.join(self.directory, "state")
        os.mkdir(state, 0o755)
        node = self.node()
        node.add("p1@h", 1)

        def work(say):
            fd = os.open(state, os.O_RDONLY)
            fcntl.flock(fd, fcntl.LOCK_EX)
            say("locked")
            return fd
        with Stranger(work) as stranger:
            self.assertEqual(stranger.heard(), "locked")
            dog = self.dog(node)
            dog.wait_record("peer", state="up", conn=1)
            self.assert_alive(node, dog)
        self.assertEqual(os.stat(state + "/state.lock").st_mode & 0o7777, 0o600)

        def open_it(say):
            for flags in (os.O_RDONLY, os.O_WRONLY):
                try:
                    os.open(state + "/state.lock", flags)
                    say("opened")
                except PermissionError:
                    say("denied")
        with Stranger(open_it) as stranger:
            self.assertEqual([stranger.heard(), stranger.heard()], ["denied"] * 2)

    def test_busy_is_a_status_of_its_own_and_passes(self):
        node, dog = self.pair()
        status, errors = self.ended()
        self.assertEqual(status, BUSY, errors)
        self.assertIn(f"is in use by another pathdog (pid {dog.process.pid})", errors)
        self.assert_alive(node, dog)
        self.assertEqual(dog.finish(), [])
        second = self.dog(node, name="second")  # as the unit tries again
        second.wait_record("node", state="up")

    def test_a_file_that_another_user_made_is_no_lock(self):
        self.need_root()
        state = os.path.join(self.directory, "state")
        os.mkdir(state)
        with open(state + "/state.lock", "w"):
            pass
        os.chown(state + "/state.lock", NOBODY, NOBODY)
        status, errors = self.ended()
        self.assertEqual(status, 2, errors)
        self.assertIn(f"state.lock is owned by uid {NOBODY}, and this pathdog runs as uid 0", errors)
        self.assertEqual(os.listdir(state), ["state.lock"])

    def test_a_directory_that_was_removed_meanwhile(self):
        """The second pathdog has the new directory; the first one does not write into it."""
        node, dog = self.pair()
        state = os.path.join(self.directory, "state")
        dog.clear()
        second = self.dog(self.node(name="other"), triggers={}, name="second")  # shares no node
        second.wait_for(lambda: os.path.exists(state + "/state.json"), what="its file")
        node.on("migrate_peer", lambda r: r.error(-32003))  # something to be kept
        dog.moved()
        self.assertIn("another pathdog uses it", dog.notice("state-not-saved")["text"])
        with open(state + "/state.json") as file:
            self.assertNotIn("p1@h", file.read())
        self.assertEqual(second.finish(), [])


class Unreadable(HostileCase):
    """A hold is in a file that cannot be read: it is not replaced, and the hold is not lost."""

    def held(self):
        node, dog = self.pair()
        self.client(dog).result("hold", peer="p1@h")
        self.assertEqual(dog.finish(), [])
        return node, os.path.join(self.directory, "state", "state.json")

    @cases({f"{name} of {what}": (what, name, status) for what, name, status in (
        ("state.json", "EIO", 1), ("state.json", "EACCES", 2), ("state.json", "ENFILE", 1),
        ("boot_id", "EIO", 1))})
    def test_it_waits_for_whoever_can_mend_that(self, what, name, status):
        node, path = self.held()
        with open(path, "rb") as file:
            before = file.read()
        dog = self.dog(node, start=False, name="broken")
        faults = self.faulty(dog)
        faults.set("open", name, match=what)
        dog.finished = True
        dog.start(ready=False)
        self.assertEqual(dog.process.wait(30 * PATIENCE), status)
        self.assertIn(os.strerror(getattr(errno, name)), (dog.terminate(), dog.stderr())[1])
        self.assertIn(what, dog.stderr())
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertFalse(os.path.exists(path + ".bad"))
        dog = self.dog(node, name="mended")
        dog.wait_record("peer", state="up", conn=1)
        dog.moved()
        dog.decision("held")

    def test_what_is_malformed_is_kept_once(self):
        node, path = self.held()
        for data in (b"{", b"rubbish"):
            with open(path, "wb") as file:
                file.write(data)
            dog = self.dog(node)
            self.assertIn(f"kept as {path}.bad", dog.notice("state-spoiled")["text"])
            with open(path + ".bad", "rb") as file:
                self.assertEqual(file.read(), data)
            self.assertEqual(dog.finish(), [])
        self.assertEqual(sorted(os.listdir(os.path.dirname(path))),
                         ["state.json", "state.json.bad", "state.lock"])


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
