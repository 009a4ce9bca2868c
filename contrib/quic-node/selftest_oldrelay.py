#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A relay that behaves as quic-relay does, its faults included, for the tests.

    selftest_oldrelay.py ADDRESS PORT

REG:<id> is answered with ACK whoever asks; two members a session; everything else is forwarded to the other
member. No ERR, no LEASE. A third member, or one that registers again from a new port, is acknowledged and its data
goes nowhere; data from a new port of a member's address moves that member. Sessions end after 300 s.
"""
import socket
import sys
import time

TIMEOUT_S = 300


class Relay:
    def __init__(self, address, port):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, port))
        self.sessions = {}  # id: [members, last activity]
        self.of = {}        # address and port: id

    def register(self, source, session_id):
        members = self.sessions.setdefault(session_id, [[], 0])
        members[1] = time.monotonic()
        if source not in members[0] and len(members[0]) < 2:
            members[0].append(source)
            self.of[source] = session_id
        self.sock.sendto(b"ACK\n", source)

    def find(self, source):
        """By address and port; else a member's address alone, which then has a new port."""
        if source in self.of:
            return self.of[source]
        for session_id, (members, _) in self.sessions.items():
            for i, member in enumerate(members):
                if member[0] == source[0] and self.of.get(member) == session_id:
                    del self.of[member]
                    members[i] = source
                    self.of[source] = session_id
                    return session_id
        return None

    def turn(self):
        data, source = self.sock.recvfrom(65536)
        if data.startswith(b"REG:"):
            session_id = data[4:].decode(errors="replace").strip()
            if session_id:
                self.register(source, session_id)
            return
        session_id = self.find(source)
        if session_id is None:
            return
        session = self.sessions[session_id]
        session[1] = time.monotonic()
        for member in session[0]:
            if member != source:
                self.sock.sendto(data, member)

    def expire(self):
        for session_id in [i for i, s in self.sessions.items() if time.monotonic() - s[1] > TIMEOUT_S]:
            for member in self.sessions.pop(session_id)[0]:
                self.of.pop(member, None)


def main():
    relay = Relay(sys.argv[1], int(sys.argv[2]))
    print("ready", flush=True)
    while True:
        relay.turn()
        relay.expire()


if __name__ == "__main__":
    main()
