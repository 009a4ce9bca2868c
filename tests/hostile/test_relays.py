# SPDX-License-Identifier: Apache-2.0
"""Relays that flood whoever probes them, and a list of relays that does not answer or never rests."""

import os
import sys
import time

import measure
from faults import HANG
from hostile_case import HostileCase
from node import PATIENCE

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from relays import Relay  # noqa: E402 (it is found there)


class RelaysCase(HostileCase):
    def setUp(self):
        super().setUp()
        self.relays = []
        self.list_file = os.path.join(self.directory, "list-of-relays")
        self.cache_file = os.path.join(self.directory, "cache-of-relays")

    def tearDown(self):
        super().tearDown()
        for relay in self.relays:
            relay.close()

    def relay(self, **more):
        self.relays.append(Relay(**more))
        return self.relays[-1]

    def watch(self, start=None, **options):
        node = self.node(features=["relay"])
        node.add("p1@h", 1, local="127.0.0.1:9001", remote="192.0.2.44:443", via="direct")
        dog = self.dog(node, start=False, triggers={"tunnel": {}, "relay": {
            "refresh": "1s", "cache_file": self.cache_file, "direct_probe": "no", **options}})
        if start:
            start(dog)
        dog.start()
        dog.wait_record("peer", state="up", conn=1)
        return node, dog

    def write_list(self, number):
        with open(self.list_file + ".new", "w") as file:
            file.write(f"r{number}=198.51.100.{number % 254 + 1}:4433\n")
        os.chmod(self.list_file + ".new", 0o644)
        os.rename(self.list_file + ".new", self.list_file)


class Floods(RelaysCase):
    measured = True

    RUBBISH = [os.urandom(1200) for _ in range(16)]

    def test_64_relays_that_flood(self):
        for _ in range(64):
            self.relay().reply = lambda question: Floods.RUBBISH * 200
        node, dog = self.watch(relays=" ".join(r.entry(f"r{n}") for n, r in enumerate(self.relays)))
        before = measure.rss_kib(dog.process.pid)
        with measure.Lateness(dog) as late:
            dog.wait_for(lambda: all(len(r.asked) >= 3 for r in self.relays), 60, "three rounds")
        self.assertLess(late.worst_ms, 20)
        self.assertLess(measure.rss_kib(dog.process.pid), before + 8 * 1024)
        self.assert_alive(node, dog)

    def test_a_list_that_never_rests(self):
        self.write_list(0)
        node, dog = self.watch(list_file=self.list_file)
        end = time.monotonic() + 5
        number = 1
        before = measure.rss_kib(dog.process.pid)
        with measure.Lateness(dog) as late:
            while time.monotonic() < end or number < 500:
                self.assertLess(time.monotonic(), end + 30 * PATIENCE, number)
                self.write_list(number)
                number += 1
        self.assertLess(late.worst_ms, 20)
        self.assertLess(measure.rss_kib(dog.process.pid), before + 8 * 1024)
        self.assert_alive(node, dog)


class Files(RelaysCase):
    @staticmethod
    def waits_for_a_disk(dog):
        """Has one of its threads a child that the kernel does not let go?"""
        for task in os.listdir(f"/proc/{dog.process.pid}/task"):
            with open(f"/proc/{dog.process.pid}/task/{task}/children") as file:
                for child in file.read().split():
                    with open(f"/proc/{child}/stat") as stat:
                        if stat.read().rsplit(")", 1)[1].split()[0] == "D":
                            return True
        return False

    @staticmethod
    def no_leak_check(dog):
        """A sanitizer's would wait for the thread that hangs; pathdog does not."""
        options = dog.env.get("ASAN_OPTIONS") or os.environ.get("ASAN_OPTIONS", "exitcode=99")
        dog.env["ASAN_OPTIONS"] = f"{options}:detect_leaks=0"

    def hang(self, call, match):
        def begin(dog):
            self.faults = self.faulty(dog)
            self.no_leak_check(dog)
            self.faults.set(call, HANG, match=match)
        self.write_list(1)
        node, dog = self.watch(start=begin, list_file=self.list_file)
        dog.wait_for(lambda: self.faults.hit(call, match) > 0, 10 * PATIENCE, "it hangs")
        self.assert_alive(node, dog)
        dog.sections["trigger:relay"]["refresh"] = "2s"  # the source is made anew, beside the thread that hangs
        dog.write_config()
        self.client(dog).result("reload")
        dog.wait_for(lambda: self.faults.hit(call, match) > 1, 10 * PATIENCE, "the new one hangs, too")
        self.assert_alive(node, dog)
        self.assertEqual(self.stop_complaints(dog), [])
        self.faults.clear(call, match)

    def test_a_list_that_cannot_be_opened_in_time(self):
        self.hang("open", "list-of-relays")

    def test_a_list_that_cannot_be_read_in_time(self):
        self.hang("read", "list-of-relays")

    def test_a_cache_that_cannot_be_written_in_time(self):
        self.hang("fsync", "cache-of-relays")

    def test_a_cache_on_a_frozen_file_system(self):
        disk = self.disk()
        self.cache_file = os.path.join(disk.path, "cache-of-relays")
        self.write_list(1)
        node, dog = self.watch(start=self.no_leak_check, list_file=self.list_file)
        dog.wait_for(lambda: os.path.exists(self.cache_file), 10, "the cache")
        disk.freeze()
        self.write_list(2)
        dog.wait_for(lambda: self.waits_for_a_disk(dog), 10 * PATIENCE, "it writes")
        self.assert_alive(node, dog)
        self.assertEqual(self.stop_complaints(dog), [])
        disk.thaw()

    def test_no_thread_can_be_had(self):
        def begin(dog):
            self.faults = self.faulty(dog)
        self.write_list(1)
        node, dog = self.watch(start=begin, list_file=self.list_file)
        dog.wait_for(lambda: os.path.exists(self.cache_file), 10, "the cache")
        self.faults.set("pthread_create", "EAGAIN")
        self.write_list(2)
        self.assertIn("no thread can be had", dog.notice("relay-list")["text"])
        self.assert_alive(node, dog)
        self.faults.clear("pthread_create")
        dog.wait_for(lambda: b"198.51.100.3:4433" in open(self.cache_file, "rb").read(), 20,
                     "the list that came meanwhile")

    def test_a_source_without_sockets(self):
        relay = self.relay()

        def begin(dog):
            self.faults = self.faulty(dog)
        node, dog = self.watch(start=begin, relays=relay.entry("r"))
        dog.wait_for(lambda: relay.asked, 20, "it is probed")
        self.faults.set("socket", "EAFNOSUPPORT")
        text = dog.notice("relay-probe")["text"]
        self.assertIn("RestrictAddressFamilies=AF_INET AF_INET6", text)
        self.faults.clear("socket")
        self.assert_alive(node, dog)
        count = len(relay.asked)
        dog.wait_for(lambda: len(relay.asked) > count, 20, "it is probed again")
