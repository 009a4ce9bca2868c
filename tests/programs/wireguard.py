# SPDX-License-Identifier: Apache-2.0
"""A WireGuard tunnel of wireguard-go, and a TCP stream in it. Has no tests."""

import itertools
import os
import random
import socket
import subprocess
import threading
import time

from flow_lab import SERVER, within
from netns import run
from node import PATIENCE

PORT = 51820
COUNTER = itertools.count()
INSIDE = {"client": "10.99.0.1", "server": "10.99.0.2"}
BLOCK = 1000


def key():
    """(private, public)"""
    private = run("wg", "genkey").strip()
    return private, run("wg", "pubkey", text=private).strip()


class End:
    """One interface. Its name is unique: the sockets by which wg talks to it are in one directory for the machine."""

    def __init__(self, lab, directory, part, role):
        self.lab, self.part = lab, part
        self.name = f"wg{os.getpid() % 100000}{role[0]}{next(COUNTER)}"
        self.inside = INSIDE[role]
        self.private, self.public = key()
        self.path = os.path.join(directory, f"{self.name}.conf")
        self.log = open(os.path.join(directory, f"{self.name}.log"), "w+")
        self.process = subprocess.Popen(
            [*lab.prefix(part), "wireguard-go", "-f", self.name], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, env={**os.environ, "LOG_LEVEL": "verbose"})

    def configure(self, other, **peer):
        end = time.monotonic() + 10 * PATIENCE
        while not os.path.exists(f"/run/wireguard/{self.name}.sock"):
            assert time.monotonic() < end and self.process.poll() is None, self.story()
            time.sleep(0.02)
        lines = ["[Interface]", f"PrivateKey = {self.private}"]
        if not peer:
            lines.append(f"ListenPort = {PORT}")
        lines += ["[Peer]", f"PublicKey = {other.public}", f"AllowedIPs = {other.inside}/32"]
        lines += [f"{name} = {value}" for name, value in peer.items()]
        with open(self.path, "w") as file:
            file.write("\n".join(lines) + "\n")
        run(*self.lab.prefix(self.part), "wg", "setconf", self.name, self.path)
        self.lab.ip(self.part, "address", "add", f"{self.inside}/24", "dev", self.name)
        self.lab.ip(self.part, "link", "set", self.name, "mtu", "1400", "up")

    def endpoint(self):
        """Where the other end is, as this one knows it."""
        return run(*self.lab.prefix(self.part), "wg", "show", self.name, "endpoints").split()[-1]

    def story(self):
        self.log.flush()
        with open(self.log.name, errors="replace") as file:
            return f"{self.name}: {self.process.poll()}\n{file.read()[-2000:]}"

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Tunnel:
    """From a part of the lab to its peer."""

    def __init__(self, lab, directory, part, family):
        self.server = End(lab, directory, "peer", "server")
        self.client = End(lab, directory, part, "client")
        self.server.configure(self.client)
        host = SERVER[family] if family == 4 else f"[{SERVER[family]}]"
        self.client.configure(self.server, Endpoint=f"{host}:{PORT}")

    def stop(self):
        for end in (self.client, self.server):
            end.stop()


class Stream:
    """One TCP connection through a tunnel: a block every 10 ms, which the other end sends back; each byte of it must
    come back, in order."""

    def __init__(self, lab, tunnel):
        def listen():
            sock = socket.socket()
            sock.bind((tunnel.server.inside, 7))
            sock.listen(1)
            return sock
        self.listener = within(lab.names["peer"], listen)
        self.sock = lab.connect(tunnel.client.part, socket.SOCK_STREAM, tunnel.server.inside, 7)
        self.far, _ = self.listener.accept()
        self.ended = threading.Event()
        self.sent = self.echoed = 0
        self.wrong = None
        self.last = time.monotonic()
        self.longest = 0.0
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._echo, self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _bytes():
        bytes_of = random.Random(1)
        while True:
            yield bytes_of.randbytes(BLOCK)

    def _echo(self):
        while data := self.far.recv(1 << 16):
            self.far.sendall(data)
        self.far.shutdown(socket.SHUT_WR)

    def _send(self):
        for block in self._bytes():
            if self.ended.wait(0.01):
                break
            self.sock.sendall(block)
            self.sent += len(block)
        self.sock.shutdown(socket.SHUT_WR)

    def _receive(self):
        expected, wanted = self._bytes(), b""
        while data := self.sock.recv(1 << 16):
            while len(wanted) < len(data):
                wanted += next(expected)
            if not wanted.startswith(data):
                self.wrong = f"wrong bytes from {self.echoed} on"
                return
            wanted = wanted[len(data):]
            self.echoed += len(data)
            now = time.monotonic()
            self.longest, self.last = max(self.longest, now - self.last), now

    def gap_ms(self):
        return 1000 * max(self.longest, time.monotonic() - self.last)

    def finish(self):
        """Sends no more; (bytes sent, bytes that came back, what is wrong)."""
        self.ended.set()
        for thread in self.threads:
            thread.join(30 * PATIENCE)
        alive = [thread for thread in self.threads if thread.is_alive()]
        return self.sent, self.echoed, "the stream did not end" if alive else self.wrong

    def stop(self):
        self.ended.set()
        for sock in (self.sock, self.far, self.listener):
            sock.close()
