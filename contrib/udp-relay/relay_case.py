# SPDX-License-Identifier: Apache-2.0
"""A real udp-relay and clients on this machine's loopback addresses, for the tests beside this."""
import contextlib
import os
import queue
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAM = "./udp-relay"
QUIC_NODE = None
# A machine may be slow: what must come is waited for that long, and nothing waits for its end.
PATIENCE = 20 * float(os.environ.get("PATIENCE", "1"))
PAD = b" " * 64


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.bind(("::1", 0))
        return True
    except OSError:
        return False


class Relay:
    """One process; its lines are read all the time, unless `read` is false."""

    def __init__(self, *args, env=None, read=True, **popen):
        self.process = subprocess.Popen([PROGRAM, "--control", "none", "--log", "text", *args],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, env={**os.environ, **(env or {})},
                                        **popen)
        self.lines, self.queue, self.port = [], queue.Queue(), None
        if read:
            self.thread = threading.Thread(target=self._read, daemon=True)
            self.thread.start()

    def _read(self):
        for line in self.process.stderr:
            self.queue.put(line.decode().rstrip("\n"))
        self.queue.put(None)

    def line(self, pattern, seconds=PATIENCE):
        """Waits for a line with that; looks at each line once."""
        until = time.monotonic() + seconds
        while True:
            try:
                line = self.queue.get(timeout=max(0.001, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError("no line with %r: %s" % (pattern, self.lines)) from None
            if line is None:
                raise AssertionError("it ended without a line with %r: %s" % (pattern, self.lines))
            self.lines.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    def said(self, pattern):
        """Whether a line with that has come by now."""
        while not self.queue.empty():
            line = self.queue.get()
            if line is None:
                raise AssertionError("it ended: %s" % self.lines)
            self.lines.append(line)
        return any(re.search(pattern, line) for line in self.lines)

    def ready(self):
        self.port = int(self.line(r"relays at .*:(\d+),").group(1))
        return self

    def stop(self):
        """Returns its status."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if hasattr(self, "thread"):
            self.thread.join(PATIENCE)
        self.process.stderr.close()

    def memory_kb(self):
        with open("/proc/%d/status" % self.process.pid) as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


class Client:
    """A socket of its own, at `address`, that speaks to the relay's address `asks` only."""

    def __init__(self, port, address="127.0.0.1", asks=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        asks = asks or ("::1" if ":" in address else "127.0.0.1")
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((address, 0))
        # Connected: what comes from another address of the relay than the one asked is not seen.
        self.socket.connect((asks, port))

    def send(self, data):
        self.socket.send(data)

    def receive(self, seconds=PATIENCE):
        """None where nothing came."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        return self.socket.recv(1 << 17)

    def ask(self, data, seconds=PATIENCE):
        self.send(data)
        return self.receive(seconds)

    def register(self, session):
        """With a padded question, so that every refusal may be told."""
        return self.ask(b"REG:" + session.encode() + PAD)

    def lease(self, session):
        return self.ask(("LEASE:" + session).encode().ljust(64))

    def close(self):
        self.socket.close()


@unittest.skipUnless(hasattr(socket, "SO_REUSEPORT"), "not Linux")
class RelayCase(unittest.TestCase):
    def relay(self, *args, **how):
        relay = Relay("--port", "0", *args, **how)
        self.addCleanup(relay.close)
        return relay.ready()

    def client(self, relay, address="127.0.0.1", **how):
        client = Client(relay.port, address, **how)
        self.addCleanup(client.close)
        return client

    def pair(self, relay, session="room", one="127.0.0.1", other="127.0.0.1"):
        a, b = self.client(relay, one), self.client(relay, other)
        self.assertEqual(a.register(session), b"ACK\n")
        self.assertEqual(b.register(session), b"ACK\n")
        return a, b

    def passes(self, one, other, data=b"as it was"):
        one.send(data)
        self.assertEqual(other.receive(), data)

    def silence(self, client, marker):
        """Nothing came to the client: what is asked now is answered first."""
        self.assertEqual(client.lease(marker)[:6], b"LEASE:")

    def drained(self, client, session):
        """The relay's socket for this client has been read: no flood is left in it in which something could be lost."""
        until = time.monotonic() + PATIENCE
        while (client.ask(("LEASE:" + session).encode().ljust(64), 1) or b"")[:6] != b"LEASE:":
            self.assertLess(time.monotonic(), until)
        while client.receive(0.1) is not None: # it may have been asked twice
            pass

    def directory(self):
        path = tempfile.mkdtemp(prefix="udp-relay-")
        self.addCleanup(shutil.rmtree, path)
        return path


@contextlib.contextmanager
def in_background(work):
    """work(stop) runs until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
