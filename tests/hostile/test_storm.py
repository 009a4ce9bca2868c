# SPDX-License-Identifier: Apache-2.0
"""Notices, routes and addresses that change without end; everything at once."""

import socket

import measure
from hostile_case import HostileCase

# In a network namespace of its own, with 5000 addresses on an interface beside lo.
MANY_ADDRESSES = ["unshare", "--net", "sh", "-c", """
    ip link set lo up && ip link add many type veth peer name far || exit 1
    for i in $(seq 20); do for k in $(seq 250); do echo "addr add 10.77.$i.$k/32 dev many"; done; done |
        ip -batch - || exit 1
    exec "$@"
""", "--"]


class Notices(HostileCase):
    measured = True

    def test_a_notice_does_not_ask_for_all_addresses(self):
        """Each did: 220 a second were enough for 15 s of silence."""
        self.need_root()
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, start=False)
        dog.prefix = MANY_ADDRESSES
        dog.start()
        node.wait_rounds(1)
        before_ms = measure.cpu_ms(dog.process.pid)
        with measure.Lateness(dog) as late, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(dog.notify_path)
            for i in range(400):  # none is a repeat of one before
                sock.send(f"EVENT=rebind\nTUNNEL=many\nPEERS=nobody{i}".encode())
            self.assert_alive(node, dog)  # by a notice, behind those
        self.assertLess(measure.cpu_ms(dog.process.pid) - before_ms, 400)
        self.assertLess(late.worst_ms, 20)
