# SPDX-License-Identifier: Apache-2.0
"""Relays as far as a probe sees them: one that answers REG, as quic-relay and udp-relay do, and a beacon of the
Pilot Protocol that answers Discover; after a given time, wrongly, or not at all. Carries no traffic.

    relays.py [--speaks reg-ack|pilot] [--delay MS] ADDRESS PORT      # to try it by hand
"""

import argparse
import ctypes
import os
import socket
import struct
import threading
import time

CLONE_NEWNET = 0x40000000


def socket_in(namespace, family):
    """A UDP socket that lives in the network namespace of that name (None: in ours)."""
    if not namespace:
        return socket.socket(family, socket.SOCK_DGRAM)
    made = []

    def make():  # a thread may leave its namespace, and ends there
        fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) == 0:
            made.append(socket.socket(family, socket.SOCK_DGRAM))
        os.close(fd)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not made:
        raise RuntimeError(f"cannot enter the namespace {namespace}")
    return made[0]


class Relay:
    """Answers on a thread of its own. What was asked is in `asked`: (time, bytes, (address, port))."""

    def __init__(self, speaks="reg-ack", delay=0.0, address="127.0.0.1", port=0, namespace=None):
        self.speaks = speaks
        self.delay = delay  # seconds; None: never
        self.reply = None  # bytes, or a function of the question that returns a list of them: in the answer's stead
        self.asked = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket_in(namespace, family)
        self.sock.bind((address, port))
        self.address, self.port = self.sock.getsockname()[:2]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def text(self):
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def entry(self, name, comma=True):
        """As the option `relays` has it, or a line of a list."""
        return f"{name}={self.text}{',' if comma else ' '}{self.speaks}"

    def ids(self):
        return [self.id_of(question) for _, question, _ in list(self.asked)]

    def id_of(self, question):
        if self.speaks == "pilot":
            return struct.unpack(">I", question[1:5])[0]
        return question[4:].strip().decode()

    def _answers(self, question, source):
        if callable(self.reply):
            return self.reply(question)
        if self.reply is not None:
            return [self.reply]
        if self.speaks == "pilot":
            if len(question) != 5 or question[0] != 1:
                return []
            family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
            packed = socket.inet_pton(family, source[0])
            return [struct.pack("BB", 2, len(packed)) + packed + struct.pack(">H", source[1])]
        return [b"ACK\n"] if question.startswith(b"REG:") and question[4:].strip() else []

    def _send(self, answers, source):
        try:
            for answer in answers:
                self.sock.sendto(answer, source)
        except OSError:
            pass  # closed, or nobody listens there any more

    def _serve(self):
        while True:
            try:
                question, source = self.sock.recvfrom(65536)
            except ConnectionRefusedError:
                continue
            except OSError:
                return
            if self.thread is None:
                return
            self.asked.append((time.monotonic(), question, source))
            if self.delay is None:
                continue
            answers = self._answers(question, source)
            if self.delay:
                threading.Timer(self.delay, self._send, (answers, source)).start()
            else:
                self._send(answers, source)

    def close(self):
        thread, self.thread = self.thread, None
        try:
            self.sock.shutdown(socket.SHUT_RD)  # wakes it
        except OSError:
            pass
        thread.join(5)
        self.sock.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--speaks", choices=("reg-ack", "pilot"), default="reg-ack")
    parser.add_argument("--delay", type=float, default=0, help="milliseconds")
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    relay = Relay(options.speaks, options.delay / 1000, options.address, options.port)
    print(f"answers at {relay.text}", flush=True)
    seen = 0
    while True:
        time.sleep(0.1)
        for _, question, source in relay.asked[seen:]:
            print(source, question, flush=True)
            seen += 1


if __name__ == "__main__":
    main()
