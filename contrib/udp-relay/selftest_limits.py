# SPDX-License-Identifier: Apache-2.0
"""Limits, and the list of members, of a real udp-relay."""
import os
import time

import relay_case
from relay_case import RelayCase


class Limits(RelayCase):
    def test_max_data_is_cut_to_the_datagram(self):
        relay = self.relay("--max-data", "100K")
        a, b = self.pair(relay)
        passed = 0
        while True:
            a.send(bytes(1000))
            if passed + 1000 > 100 << 10:
                break
            self.assertEqual(len(b.receive()), 1000)
            passed += 1000
        self.assertEqual(passed, 102000)
        self.assertEqual(a.receive(), b"ERR:limit\n")
        a.send(b"small, but late")
        self.passes(b, a) # the other direction goes on
        self.silence(b, "room")
        self.assertEqual(a.lease("room")[:8], b"LEASE:0,")
        relay.line("has sent all that it may")

    def test_max_data_is_cut_in_a_flood_too(self):
        relay = self.relay("--max-data", "1M")
        a, b = self.pair(relay)
        until, got = time.monotonic() + relay_case.PATIENCE, 0
        while not relay.said("has sent all that it may"): # what is too much for its socket is lost
            self.assertLess(time.monotonic(), until)
            for _ in range(10):
                a.send(bytes(1200))
            while b.receive(0):
                pass
        b.send(b"LEASE:room".ljust(64))
        while (answer := b.receive()) == bytes(1200): # what was on its way
            pass
        self.assertEqual(answer[:8], b"LEASE:0,")
        a, b = self.pair(relay, "other")
        for _ in range(1048576 // 16384):
            a.send(bytes(16384))
            got += len(b.receive())
        self.assertEqual(got, 1 << 20) # to the last byte
        self.assertEqual(a.ask(bytes(12)), b"ERR:limit\n")

    def test_it_warns_when_as_many_wait_as_may(self):
        relay = self.relay("--max-circuits", "1")
        for i in range(4):
            self.assertEqual(self.client(relay).register("waits %d" % i), b"ACK\n")
        late = self.client(relay, "127.0.0.2")
        self.assertEqual(late.register("late"), b"ERR:limit\n")
        relay.line(r"127\.0\.0\.2:\d+ was refused \(pending\)")
        relay.line("as many registrations wait for a peer as may, 4: 1 more were refused, and 0")
        peer = self.client(relay, "127.0.0.2")
        self.assertEqual(peer.register("waits 0"), b"ACK\n") # who has a peer may come
        self.assertEqual(late.register("late"), b"ACK\n")

    def test_max_duration_ends_it(self):
        relay = self.relay("--max-duration", "2s")
        began = time.monotonic()
        a, b = self.pair(relay)
        while True:
            answer = a.ask(b"are we still here", 0.05) # from the relay; else it went to b
            if answer:
                break
            self.assertLess(time.monotonic(), began + relay_case.PATIENCE)
        self.assertEqual(answer, b"ERR:unknown\n")
        self.assertGreater(time.monotonic(), began + 1.9)
        self.assertGreaterEqual(float(relay.line(r"ended after (\d+\.\d) s \(duration\)").group(1)), 2)
        self.assertEqual(a.register("room"), b"ACK\n") # anew

    def test_session_timeout(self):
        relay = self.relay("--session-timeout-secs", "3")
        a, b = self.pair(relay)
        began = last = time.monotonic()
        while last < began + 3.5: # activity keeps it
            last = time.monotonic()
            self.passes(a, b)
            time.sleep(0.1)
        relay.line(r"ended after .* \(timeout\)")
        self.assertGreater(time.monotonic(), last + 2.9)
        self.assertEqual(b.ask(b"is there anybody"), b"ERR:unknown\n")

    def test_reservation_ttl(self):
        relay = self.relay("--reservation-ttl", "2s", "--session-timeout-secs", "1")
        a, b = self.client(relay), self.client(relay, "127.0.0.2")
        began = time.monotonic()
        self.assertEqual(a.register("x"), b"ACK\n")
        relay.line(r"ended without a peer .* \(reservation\)")
        self.assertGreater(time.monotonic(), began + 1.9)
        self.assertEqual(b.register("x"), b"ACK\n") # the first one now
        self.assertEqual(b.lease("x")[:6], b"LEASE:")
        self.assertEqual(a.ask(b"I was the first"), b"ERR:unknown\n")

    def test_max_circuits(self):
        relay = self.relay("--max-circuits", "2")
        self.pair(relay, "1")
        self.pair(relay, "2")
        a, b = self.client(relay), self.client(relay)
        self.assertEqual(a.register("3"), b"ACK\n")
        self.assertEqual(b.register("3"), b"ERR:limit\n")

    def test_max_circuits_per_address(self):
        relay = self.relay("--max-circuits-per-address", "1")
        self.pair(relay, "1", "127.0.0.1", "127.0.0.2")
        a, b = self.client(relay, "127.0.0.3"), self.client(relay, "127.0.0.2")
        self.assertEqual(a.register("2"), b"ACK\n")
        self.assertEqual(b.register("2"), b"ERR:limit\n")
        self.pair(relay, "3", "127.0.0.4", "127.0.0.5")

    def test_buffer_size_is_the_largest_datagram(self):
        relay = self.relay("--buffer-size", "2K")
        a, b = self.pair(relay)
        self.passes(a, b, bytes(2048))
        a.send(bytes(2049))
        self.passes(a, b, b"only this")

    def test_rate_of_registrations(self):
        relay = self.relay()
        a = self.client(relay)
        for _ in range(200): # as many as its socket holds, and as fast as can be
            a.send(b"REG:x" + relay_case.PAD)
        answers = [a.receive()]
        while answers[-1] == b"ACK\n":
            answers.append(a.receive())
        self.assertGreaterEqual(answers.count(b"ACK\n"), 100)
        self.assertEqual(answers[-1], b"ERR:limit\n")
        other = self.client(relay, "127.0.0.2")
        self.assertEqual(other.register("x"), b"ACK\n")

    def test_lease(self):
        relay = self.relay("--max-data", "10K", "--max-duration", "60s")
        a, b = self.pair(relay)
        self.passes(a, b, bytes(240))
        left, ms = a.lease("room")[6:-1].split(b",")
        self.assertEqual(int(left), 10000)
        self.assertTrue(60000 - relay_case.PATIENCE * 1000 < int(ms) <= 60000)
        a.send(b"LEASE:room") # not padded: data
        self.assertEqual(b.receive(), b"LEASE:room")
        relay = self.relay("--max-data", "0", "--max-duration", "0")
        a, b = self.pair(relay)
        self.assertEqual(a.lease("room"), b"LEASE:-,-\n")


class Members(RelayCase):
    def setUp(self):
        self.path = os.path.join(self.directory(), "members")

    def write(self, text):
        """As an editor does: another file, renamed over."""
        with open(self.path + ".new", "w") as file:
            file.write(text)
        os.rename(self.path + ".new", self.path)

    def bootstrap(self):
        relay = self.relay("--members", self.path, "--acl-refresh", "200ms")
        self.assertIn("No such file or directory; all may register until there is a list", relay.lines[0])
        a, b = self.pair(relay, "running", "127.0.0.1", "127.0.0.2")
        self.write("# nobody yet\n")
        relay.line("it has no entry; all may register")
        self.assertEqual(self.client(relay, "127.0.0.4").register("y"), b"ACK\n")
        self.write("127.0.0.3\nid:open-*\nrubbish here\n10.0.0.0/99\n")
        relay.line("members:3: \"rubbish here\" is no address")
        relay.line("members:4: .*prefix length")
        relay.line("2 members, 2 bad lines")
        self.assertEqual(self.client(relay, "127.0.0.5").register("z"), b"ERR:denied\n")
        self.assertEqual(self.client(relay, "127.0.0.3").register("z"), b"ACK\n")
        self.assertEqual(self.client(relay, "127.0.0.5").register("open-1"), b"ACK\n")
        self.passes(a, b) # was never cut
        self.assertEqual(a.register("running"), b"ACK\n")
        return relay

    def test_bootstrap_then_members_only(self):
        self.bootstrap()

    def test_no_list_keeps_the_last_one(self):
        relay = self.bootstrap()

        def strict():
            self.assertEqual(self.client(relay, "127.0.0.5").register("z"), b"ERR:denied\n")

        os.unlink(self.path)
        relay.line("No such file.*the list before stays")
        strict()
        self.write("")
        relay.line("it has no entry; the list before stays")
        strict()
        self.write("127.0.0.0/8\n127.0") # half of one
        relay.line("half written; the list before stays")
        strict()
        os.unlink(self.path)
        os.mkdir(self.path)
        relay.line("no regular file.*the list before stays")
        strict()
        os.rmdir(self.path)
        self.write("127.0.0.0/8\n")
        relay.line("1 members, 0 bad lines")
        self.assertEqual(self.client(relay, "127.0.0.6").register("zz"), b"ACK\n")

    def test_written_in_place(self):
        self.write("127.0.0.1\n")
        relay = self.relay("--members", self.path, "--acl-refresh", "200ms")
        self.assertEqual(self.client(relay, "127.0.0.2").register("x"), b"ERR:denied\n")
        with open(self.path, "a") as file:
            file.write("127.0.0.2\n")
        relay.line("2 members")
        self.assertEqual(self.client(relay, "127.0.0.2").register("x"), b"ACK\n")
