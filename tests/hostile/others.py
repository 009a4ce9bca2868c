# SPDX-License-Identifier: Apache-2.0
"""Others on the machine: a local user, a reader that stopped, a disk that stands still."""

import fcntl
import multiprocessing
import os
import subprocess
import traceback

from node import PATIENCE

NOBODY = 65534


def become(uid, gid, groups=()):
    os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


class Stranger:
    """Another user's process. It calls work(say), and stays, with all that it has opened and
    locked, until the block ends. `heard` is the next thing that it said, or what it ended with.

        def work(say):
            fd = os.open("/run/pathdog", os.O_RDONLY)
            fcntl.flock(fd, fcntl.LOCK_EX)
            say("locked")

        with Stranger(work) as stranger:
            self.assertEqual(stranger.heard(), "locked")
    """

    def __init__(self, work, uid=NOBODY, gid=NOBODY, groups=()):
        self.work, self.who = work, (uid, gid, groups)
        context = multiprocessing.get_context("fork")
        self.heard_at, self.says_at = context.Pipe(duplex=False)
        self.stay, self.go = context.Pipe(duplex=False)
        self.process = context.Process(target=self._run, daemon=True)

    def _run(self):
        self.go.close()
        try:
            become(*self.who)
            kept = self.work(self.says_at.send)
            self.says_at.send(kept if isinstance(kept, (str, int, bytes, list)) else None)
        except BaseException as error:
            self.says_at.send(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        try:
            self.stay.recv()
        except EOFError:
            pass
        os._exit(0)

    def heard(self, deadline=10):
        if not self.heard_at.poll(deadline * PATIENCE):
            raise AssertionError("the other user's process says nothing")
        return self.heard_at.recv()

    def __enter__(self):
        self.process.start()
        self.says_at.close()
        self.stay.close()
        return self

    def __exit__(self, *error):
        self.go.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.heard_at.close()


def as_user(work, *args, **who):
    """What work(*args) gives or raises (as text) in another user's process."""
    with Stranger(lambda say: say(work(*args)), **who) as stranger:
        return stranger.heard()


def stopped_reader(path):
    """A FIFO at `path`, full, with somebody at its other end who never reads: the descriptor that
    keeps it open. What is left to write into is nothing."""
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    for size in (4096, 1):
        try:
            while True:
                os.write(fd, b"x" * size)
        except BlockingIOError:
            pass
    return fd


def redirected(number, path):
    """For Watchdog.prefix: starts it with that descriptor at the file."""
    return ["sh", "-c", f'file=$1; shift; exec "$@" {number}>"$file"', "sh", path]


class Disk:
    """A file system of its own, which can stand still: every write to it then waits."""

    def __init__(self, directory, name="disk", mib=16):
        self.image = os.path.join(directory, name + ".img")
        self.path = os.path.join(directory, name)
        self.mib = mib
        self.frozen = self.mounted = False

    def __enter__(self):
        with open(self.image, "wb") as file:
            file.truncate(self.mib << 20)
        os.mkdir(self.path)
        self._run("mkfs.ext4", "-q", "-F", self.image)
        self._run("mount", "-o", "loop", self.image, self.path)
        self.mounted = True
        os.chmod(self.path, 0o755)
        return self

    def __exit__(self, *error):
        self.thaw()
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.path], check=False)
            self.mounted = False

    @staticmethod
    def _run(*words):
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")

    def freeze(self):
        self._run("fsfreeze", "--freeze", self.path)
        self.frozen = True

    def thaw(self):
        if self.frozen:
            self._run("fsfreeze", "--unfreeze", self.path)
            self.frozen = False


def lock_flock(path, flags=os.O_RDONLY):
    """Work for a Stranger: opens the file and locks it; what came of it."""
    def work(say):
        try:
            fd = os.open(path, flags | os.O_CLOEXEC)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.strerror
        return "locked"
    return work
