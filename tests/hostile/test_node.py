# SPDX-License-Identifier: Apache-2.0
"""A node that says so much that pathdog could read it for ever: the loop is there for others, too."""

import itertools
import threading

import measure
from case import cases
from hostile_case import HostileCase

LATE_MS = 20
QUESTIONS = 50


def unknown_requests(number):
    """Each is refused, and that is read."""
    return b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"what"}\n' % number for _ in range(3000))


def peers(number):
    return b"".join(b'{"jsonrpc":"2.0","method":"peer_up","params":{"peer":"n%d","conn":%d}}\n'
                    b'{"jsonrpc":"2.0","method":"peer_down","params":{"conn":%d}}\n' % (conn, conn, conn)
                    for conn in range(1500 * number, 1500 * number + 1500))


def malformed(number):
    return b'{"jsonrpc":"2.0","method":"peer_up","params":{"peer":7}}\n' * 3000


class Late(HostileCase):
    measured = True

    @cases({"requests": unknown_requests, "peers": peers, "malformed": malformed})
    def test_a_node_that_never_ends(self, flood):
        """It is always ready to be read; the control socket has its turns nevertheless."""
        node, dog = self.pair()
        link, enough = node.link(), threading.Event()

        def work():
            for number in itertools.count(1):
                if enough.is_set():
                    return
                link.send(flood(number))

        writer = threading.Thread(target=work)
        with measure.Lateness(dog) as late:
            writer.start()
            with self.client(dog) as client:
                for _ in range(QUESTIONS):
                    client.result("version")
            enough.set()
            writer.join()
        self.assertLess(late.worst_ms, LATE_MS)
        self.assert_alive(node, dog)
