# SPDX-License-Identifier: Apache-2.0
"""The metrics socket in bad hands: scrapers that hang, too many of them, slow readers, rubbish."""

import os
import random
import socket
import threading
import unittest

import measure
from case import cases
from hostile_case import HostileCase
from node import PATIENCE
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from scrape import GET, ask, connect, read_all, samples, value
from watchdog import sanitized

MOST = 32


class Scrapers(HostileCase):
    """Whatever they do, the others are answered, and pathdog moves what it must."""

    def crowd(self, dog, number, data=b""):
        crowd = []
        for _ in range(number):
            sock = connect(dog.metrics)
            self.addCleanup(sock.close)
            try:
                sock.sendall(data)
            except OSError:
                pass  # it was told that there is no room
            crowd.append(sock)
        return crowd

    @cases({"that say nothing": (b"",), "that never end": (b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ",)})
    def test_all_places_are_taken_by_those_who_hang(self, data):
        node, dog = self.pair()
        self.crowd(dog, MOST, data)
        self.alive_for_others(node, dog)

    def alive_for_others(self, node, dog):
        """A good one gets in: at first it is refused, a second later somebody made room."""
        self.wait_until(lambda: ask(dog.metrics)[0] == 200, "a scrape")
        self.assert_alive(node, dog)

    def test_a_hundred_at_once(self):
        """Those that there is room for are answered, and all others are told."""
        node, dog = self.pair()
        crowd = self.crowd(dog, 100)
        for sock in crowd:
            try:
                sock.sendall(GET)
            except OSError:
                pass
        found = {}
        for sock in crowd:
            answer = read_all(sock)
            status = int(answer.split(b" ")[1])
            found[status] = found.get(status, 0) + 1
            if status == 200:
                self.assertTrue(answer.endswith(b"# EOF\n"))
        self.assertEqual(sum(found.values()), 100)
        self.assertEqual(set(found), {200, 503})
        self.assertGreaterEqual(found[200], MOST)
        there = samples(dog.metrics)
        self.assertEqual(value(there, "pathdog_scrapes_total", result="refused"), found[503])
        self.assertEqual(dog.notice("metrics-full")["count"], 1)
        self.assert_alive(node, dog)

    def test_a_hundred_one_after_another(self):
        node, dog = self.pair()
        for _ in range(100):
            self.assertEqual(ask(dog.metrics)[0], 200)
        self.assertEqual(value(samples(dog.metrics), "pathdog_scrapes_total", result="ok"), 100)

    def test_those_who_do_not_read(self):
        """A page waits in the kernel, or is kept once for all of them (unit/test-scraper)."""
        node, dog = self.pair()
        before = measure.rss_kib(dog.process.pid)
        for sock in self.crowd(dog, MOST):
            sock.sendall(GET)
        self.alive_for_others(node, dog)
        grown = measure.rss_kib(dog.process.pid) - before
        self.assertLess(grown, 65536 if sanitized() else 4096)

    def test_those_who_go(self):
        node, dog = self.pair()
        descriptors = len(measure.descriptors(dog.process.pid))
        for i in range(200):
            with connect(dog.metrics) as sock:
                if i % 2:
                    sock.sendall(GET[:i % len(GET)])
        self.alive_for_others(node, dog)
        self.wait_until(lambda: len(measure.descriptors(dog.process.pid)) <= descriptors + 1, "all are closed")

    def test_rubbish(self):
        node, dog = self.pair()
        chance = random.Random(15)
        for i in range(60):
            data = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 20000)))
            if i % 3 == 0:
                data = b"GET /metrics HTTP/1.1\r\n" + data
            with connect(dog.metrics) as sock:
                try:
                    sock.sendall(data)
                    sock.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                answer = read_all(sock)
                self.assertIn(answer[:12], (b"", b"HTTP/1.1 400", b"HTTP/1.1 431", b"HTTP/1.1 404"))
        self.assert_alive(node, dog)
        self.assertEqual(value(samples(dog.metrics), "pathdog_scrapes_total", result="ok"), 0)

    def test_another_user(self):
        self.need_root()
        node, dog = self.pair()
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                connect(dog.metrics)
            except PermissionError:
                os._exit(0)
            os._exit(1)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_names_of_the_node_are_escaped(self):
        node = self.node(node='x"} 1\n# EOF\n\\', implementation="\u2028\x7f{}")
        dog = self.dog(node)
        self.wait_until(lambda: value(samples(dog.metrics), "pathdog_node_up") or dog.records("node"), "a node")
        list(openmetrics(ask(dog.metrics)[2]))


class Late(HostileCase):
    """Eight that scrape without end, with two thousand peers: nobody else is late."""
    measured = True

    def scrape(self, dog, ends, counts):
        while not ends.is_set():
            try:
                counts.append(ask(dog.metrics)[0])
            except (OSError, AssertionError, ValueError):
                pass

    def test_without_end(self):
        node = self.node()
        for conn in range(1, 2001):
            node.add(f"p{conn}@h", conn, local="127.0.0.1:9001")
        dog = self.dog(node, {"sample_interval": "1s"})
        dog.wait_record("peer", state="up", conn=2000)
        ends, counts = threading.Event(), []
        threads = [threading.Thread(target=self.scrape, args=(dog, ends, counts)) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            with measure.Lateness(dog) as late:
                self.wait_until(lambda: len(counts) > 400, "four hundred scrapes", 30)
                dog.moved("p1@h")
                dog.outcome("migrated", conn=1)
        finally:
            ends.set()
            for thread in threads:
                thread.join(10 * PATIENCE)
        self.assertLess(late.worst_ms, 50, f"gross {late.gross_ms} ms, {late.asked} asked")
        self.assertEqual(set(counts), {200})


if __name__ == "__main__":
    unittest.main()
