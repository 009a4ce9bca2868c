# SPDX-License-Identifier: Apache-2.0
"""Calls of the running daemon that fail for ever: said once, by name, and tried again after a pause,
not thousands of times a second. When the fault is over all goes on."""

import errno
import os
import socket
import subprocess
import time

from hostile_case import HostileCase


class Persistent(HostileCase):
    def attacked(self, triggers=None, prefix=()):
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, triggers=triggers, start=False)
        dog.prefix = list(prefix)
        faults = self.faulty(dog)
        dog.start()
        node.wait_subscribed()
        dog.wait_record("peer", state="up")
        return node, dog, faults

    def assert_rare(self, faults, call, match):
        """At most 500 in a second; without the pause there are thousands."""
        before = faults.hit(call, match)
        time.sleep(1)  # this is a rate
        self.assertLess(faults.hit(call, match) - before, 500)

    def test_accept4_eacces(self):
        node, dog, faults = self.attacked()
        faults.set("accept4", "EACCES", "unix")
        waiting = socket.socket(socket.AF_UNIX)
        self.addCleanup(waiting.close)
        waiting.connect(dog.control)
        text = dog.notice("call-failed")["text"]
        self.assertIn("the control socket: accept4: Permission denied (EACCES)", text)
        self.assert_rare(faults, "accept4", "unix")
        faults.clear("accept4", "unix")
        self.assert_alive(node, dog)

    def test_recvmsg_eio_of_a_tunnels_message(self):
        node, dog, faults = self.attacked()
        faults.set("recvmsg", "EIO", "unix")
        dog.moved()
        text = dog.notice("tunnel-socket")["text"]
        self.assertIn("recvmsg: Input/output error (EIO)", text)
        self.assert_rare(faults, "recvmsg", "unix")
        faults.clear("recvmsg", "unix")
        self.assert_alive(node, dog)

    def rtnetlink(self, error):
        self.need_root()
        node, dog, faults = self.attacked({"route": {}, "tunnel": {}}, ["unshare", "--net"])
        faults.set("recvmmsg", error, "netlink")
        done = subprocess.run(["nsenter", "-t", str(dog.process.pid), "-n", "ip", "link", "set", "lo",
                               "up"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)  # the kernel tells of that
        text = dog.notice("netlink-failed")["text"]
        self.assertIn(f"rtnetlink: recvmmsg: {os.strerror(getattr(errno, error))} ({error})", text)
        self.assert_rare(faults, "recvmmsg", "netlink")
        faults.clear("recvmmsg", "netlink")
        self.assert_alive(node, dog)

    def test_recvmmsg_eio_of_rtnetlink(self):
        self.rtnetlink("EIO")

    def test_recvmmsg_enobufs_of_rtnetlink(self):
        self.rtnetlink("ENOBUFS")

    def test_send_enobufs_to_the_node(self):
        node, dog, faults = self.attacked()
        faults.set("send", "ENOBUFS", "unix")
        text = dog.notice("call-failed")["text"]
        self.assertIn("the node's socket: send: No buffer space available (ENOBUFS)", text)
        self.assert_rare(faults, "send", "unix")
        faults.clear("send", "unix")
        rounds = node.rounds
        node.wait_for(lambda: node.rounds > rounds, what="it asks again")
        self.assert_alive(node, dog)
