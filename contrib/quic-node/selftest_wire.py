# SPDX-License-Identifier: Apache-2.0
"""What selftest.py sees on a link and sends over it as it likes: datagrams with any source."""
import os
import select
import socket
import struct
import sys
import time

from selftest_pathdog import PATIENCE

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netshim"))
from lab_case import namespace  # noqa: E402

ETH_P_IP = 0x0800


class Probe:
    """A packet of an unknown version, RFC 9000 §17.2.1, as the peer gets it."""

    def __init__(self, source, port, data):
        self.source, self.port = source, port
        at = 5  # the first byte, and the version
        self.destination_id = data[at + 1:at + 1 + data[at]]
        at += 1 + data[at]
        self.source_id = data[at + 1:at + 1 + data[at]]


def negotiation(destination_id, source_id, first=0x80, version=0):
    """A Version Negotiation packet, which offers version 1."""
    return (bytes([first]) + struct.pack("!I", version) + bytes([len(destination_id)]) + destination_id
            + bytes([len(source_id)]) + source_id + struct.pack("!I", 1))


class Tap:
    """The IPv4 datagrams of UDP that come in over a device; the device has them before any filter."""

    def __init__(self, ns, device):
        with namespace(ns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self.sock.bind((device, ETH_P_IP))

    def next(self, wanted, what):
        """The first thing that `wanted(source, port, destination, port, payload)` makes of one."""
        deadline = time.monotonic() + 10 * PATIENCE
        while select.select([self.sock], [], [], max(0, deadline - time.monotonic()))[0]:
            packet, address = self.sock.recvfrom(65536)
            head = (packet[0] & 15) * 4
            if address[2] == socket.PACKET_OUTGOING or packet[9] != socket.IPPROTO_UDP:
                continue
            ports = struct.unpack("!HH", packet[head:head + 4])
            found = wanted(socket.inet_ntoa(packet[12:16]), ports[0], socket.inet_ntoa(packet[16:20]),
                           ports[1], packet[head + 8:])
            if found:
                return found
        raise AssertionError("not seen: %s" % what)

    def probe(self):
        """The next packet of an unknown version."""
        def wanted(source, port, _to, _to_port, data):
            if len(data) >= 1200 and data[0] & 0x80 and data[1] & 0x0f == 0x0a:
                return Probe(source, port, data)
            return None
        return self.next(wanted, "a probe")

    def arrival(self, payload):
        self.next(lambda source, port, to, to_port, data: data == payload, "a forged datagram")

    def close(self):
        self.sock.close()


class Forger:
    """Sends datagrams with any source address and port."""

    def __init__(self, ns):
        with namespace(ns):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, source, port, to, to_port, payload):
        udp = struct.pack("!HHHH", port, to_port, 8 + len(payload), 0) + payload  # no checksum
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0,
                           socket.inet_aton(source), socket.inet_aton(to))
        self.sock.sendto(head + udp, (to, 0))

    def close(self):
        self.sock.close()
