# SPDX-License-Identifier: Apache-2.0
"""A unittest case that owns a lab (lab.sh), and sockets inside its namespaces.

$NETSHIM is the built program, $LAB_SH the library (default: beside this file). Has no tests.
"""
import contextlib
import ctypes
import os
import re
import select
import socket
import struct
import subprocess
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
LAB_SH = os.environ.get("LAB_SH", os.path.join(HERE, "lab.sh"))
NETSHIM = os.environ.get("NETSHIM", "netshim")
PREFIX = f"ns-{os.getpid()}"
PATIENCE_S = 60  # more than a slow and busy machine needs; costs nothing
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def namespace(name):
    """Sockets that are made inside belong to the namespace also afterwards."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {name}")
        try:
            yield
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)


def run(*words, check=True, **options):
    done = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=5 * PATIENCE_S, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.returncode}: {done.stderr}")
    return done


def wait_for(what, condition, patience_s=PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_s} s: {what}")
        time.sleep(0.01)


def has_ended(pid):
    """Also when nobody has reaped it: its parent, a shell, is gone already."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class LabCase(unittest.TestCase):
    gso = "off"

    @classmethod
    def setUpClass(cls):
        environment = dict(os.environ, LAB_GSO=cls.gso, LAB_SHIM_OPTIONS="--seed 1")
        cls.directory = run(LAB_SH, "create", PREFIX, env=environment).stdout.strip()

    @classmethod
    def tearDownClass(cls):
        cls.lab("destroy")

    def setUp(self):
        self.reset()
        self.sockets = []

    def reset(self):
        for uplink in ("up0", "up1"):
            self.lab("blackhole", uplink, "on")  # what a test left on its way is forgotten
            wait_for("an empty wire", lambda: not any(
                way["queued"] for way in self.stats(uplink).values()))
            for command in ("delay 0", "jitter 0", "loss 0", "rate off", "reorder off",
                            "blackhole off"):
                self.lab("shim", uplink, *command.split())
            self.lab("carrier", uplink, "on")
            self.lab("link", uplink, "up")
        self.lab("default_route", "up0")

    def tearDown(self):
        for sock in self.sockets:
            sock.close()

    @classmethod
    def lab(cls, *words, check=True):
        return run(LAB_SH, cls.directory, *words, check=check)

    def socket(self, part, address, kind=socket.SOCK_DGRAM, port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with namespace(f"{PREFIX}-{part}"):
            sock = socket.socket(family, kind)
        self.sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        sock.bind((address, port))
        sock.settimeout(PATIENCE_S)
        return sock

    def pair(self, host="10.0.1.2", peer="10.9.0.2"):
        """Two UDP sockets that have already exchanged a datagram (so ARP and ND are done)."""
        near, far = self.socket("host", host), self.socket("peer", peer)
        near.connect(far.getsockname())
        far.connect(near.getsockname())
        self.exchange(near, far)
        return near, far

    def exchange(self, near, far):
        near.send(b"there")
        self.assertEqual(far.recv(65536), b"there")
        far.send(b"back")
        self.assertEqual(near.recv(65536), b"back")

    def stats(self, uplink):
        """{'a': {'received': 1, …}, 'b': {…}}"""
        result = {}
        done = run(NETSHIM, "ctl", f"{self.directory}/{uplink}.ctl", "stats")
        for line in done.stdout.splitlines():
            result[line[0]] = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}
        return result

    def grown(self, uplink, direction, before, counter):
        return self.stats(uplink)[direction][counter] - before[direction][counter]

    @staticmethod
    def drain(sock, least=0):
        """All that is there, and at least so many."""
        received = []
        while select.select([sock], [], [], 0.05 if len(received) >= least else PATIENCE_S)[0]:
            received.append(sock.recv(65536))
        return received

    def send_all(self, sender, frames, uplink, direction):
        """No more at a time than the kernel queues before a shim that is late."""
        before = self.stats(uplink)
        for at in range(0, len(frames), 500):
            for frame in frames[at:at + 500]:
                sender.send(frame)
            wait_for("the frames seen by the shim", lambda: self.grown(
                uplink, direction, before, "received") >= min(at + 500, len(frames)))

    def one_way_s(self, sender, receiver):
        begin = time.monotonic()
        sender.send(b"x")
        receiver.recv(64)
        return time.monotonic() - begin
