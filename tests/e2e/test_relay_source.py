# SPDX-License-Identifier: Apache-2.0
"""triggers.md, "relay": relays are probed from sockets and with ids of their own, the list file is watched, the cache
is used; whatever relays answer and files hold."""

import json
import os
import re
import subprocess
import sys
import time
import unittest

import netns
from case import Case, cases
from control_case import Client
from watchdog import environment, program, run_tool

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from relays import Relay  # noqa: E402 (it is found there)

UNUSABLE = netns.usable()


class RelayCase(Case):
    def setUp(self):
        super().setUp()
        self.relays = []
        self.clients = []
        self.list_file = os.path.join(self.directory, "relays")
        self.cache_file = os.path.join(self.directory, "relays.json")

    def tearDown(self):
        for client in self.clients:
            client.close()
        super().tearDown()
        for relay in self.relays:
            relay.close()

    def relay(self, *args, **more):
        self.relays.append(Relay(*args, **more))
        return self.relays[-1]

    def watch(self, prefix=(), **options):
        """A node whose one connection is direct, and a daemon with the trigger relay."""
        self.options = {"refresh": "1s", "cache_file": self.cache_file, "direct_probe": "no", **options}
        node = self.nodes[0] if self.nodes else None
        if not node:
            node = self.node(features=["relay"])
            node.add("a@eu-1", 1, local="127.0.0.1:4001", remote="192.0.2.44:443", via="direct")
        dog = self.dog(node, triggers={"relay": self.options}, prefix=prefix,
                       name=f"pathdog-{len(self.dogs)}", start=False)
        # At the end a file may be read just then, by a process that has pathdog's memory; a sanitizer that looks
        # for leaks stops everybody in the middle of that, and waits for ever. pathdog does not.
        dog.env["ASAN_OPTIONS"] = f"{dog.env.get('ASAN_OPTIONS', 'exitcode=99')}:detect_leaks=0"
        dog.start()
        dog.wait_record("peer", state="up", conn=1)
        return node, dog

    def signals(self, dog, kind, **members):
        """What the source emitted so far, from the recording: a list of lists of (name, value)."""
        found = []
        with open(dog.recording, "rb") as file:
            for line in file:
                if not line.endswith(b"\n") or b'"event":"signal"' not in line:
                    continue
                event = json.loads(line)
                if event["kind"] == kind:
                    fields = [(f["name"], f.get("text", f.get("number"))) for f in event["fields"]]
                    if all((name, value) in fields for name, value in members.items()):
                        found.append(fields)
        return found

    def signal(self, dog, kind, nth=1, **members):
        def come():
            have = self.signals(dog, kind, **members)
            return have[nth - 1] if len(have) >= nth else None
        return dog.wait_for(come, 20, f"signal {kind} number {nth} with {members}")

    def rtts(self, dog, which):
        """The first round for which this holds: {name: ms, or the error}."""
        def come():
            for fields in self.signals(dog, "rtts"):
                names = [value for name, value in fields if name == "name"]
                values = [v / 1e6 if name == "rtt_ns" else v for name, v in fields if name != "name"]
                result = dict(zip(names, values))
                if which(result):
                    return result
            return None
        return dog.wait_for(come, 20, "a round of probes")

    def explained(self, dog):
        if not self.clients:
            self.clients.append(Client(dog.control))
        return json.dumps(self.clients[0].result("explain", peer="a@eu-1"))

    def write_list(self, *lines):
        with open(self.list_file + ".new", "w") as file:
            file.write("".join(f"{line}\n" for line in lines))
        os.chmod(self.list_file + ".new", 0o644)
        os.rename(self.list_file + ".new", self.list_file)


class Probes(RelayCase):
    def test_rtts_are_measured(self):
        near, far = self.relay(delay=0.0), self.relay("pilot", delay=0.15)
        six = self.relay(address="::1", delay=0.03)
        node, dog = self.watch(relays=" ".join([near.entry("near"), far.entry("far"), six.entry("six")]))
        rtts = self.rtts(dog, lambda r: len(r) == 3 and all(isinstance(v, float) for v in r.values())
                         and r["near"] < r["far"])  # a busy machine may be late itself for once
        self.assertGreaterEqual(rtts["far"], 150)
        self.assertGreaterEqual(rtts["six"], 30)

    def test_ids_and_sockets_of_its_own(self):
        text, beacon = self.relay(), self.relay("pilot")
        node, dog = self.watch(relays=f"{text.entry('t')} {beacon.entry('b')}")
        dog.wait_for(lambda: len(text.asked) >= 3 and len(beacon.asked) >= 3, 20, "three rounds")
        # One registration at a relay: the id stays. No node's: it says whose it is, and a node's number is small.
        self.assertEqual(len(set(text.ids())), 1)
        self.assertRegex(text.ids()[0], r"^pathdog-probe-[0-9a-f]{32}$")
        self.assertEqual(len(set(beacon.ids())), 1)
        self.assertGreaterEqual(beacon.ids()[0], 1 << 31)
        # Its own port for each, that is the same each time: for a relay it is one member.
        ports = [{source[1] for _, _, source in relay.asked} for relay in (text, beacon)]
        self.assertEqual([len(own) for own in ports], [1, 1])
        self.assertEqual(len(set.union(*ports, {4001})), 3)

    def test_the_faster_one_is_picked(self):
        slow, fast = self.relay(delay=0.2), self.relay(delay=0.0)
        node, dog = self.watch(relays=f"{slow.entry('slow')} {fast.entry('fast')}", key=self.key_for(0))
        dog.wait_for(lambda: "relay fast" in self.explained(dog), 20, "the faster one is picked")

    def test_the_key_picks_where_times_are_alike(self):
        first, second = self.relay(delay=0.1), self.relay(delay=0.11)
        node, dog = self.watch(relays=f"{first.entry('first')} {second.entry('second')}", key=self.key_for(1))
        self.rtts(dog, lambda r: len(r) == 2 and all(isinstance(v, float) for v in r.values()))
        self.assertIn("relay second", self.explained(dog))

    def key_for(self, index):
        """FNV-1a 32 of a key of one byte, modulo two relays."""
        for byte in range(256):
            if ((0x811c9dc5 ^ byte) * 0x01000193 & 0xffffffff) % 2 == index:
                return f"{byte:02x}"
        return None

    def test_a_relay_that_is_not_there(self):
        gone, there = self.relay(), self.relay()
        entry = gone.entry("gone")
        gone.close()
        self.relays.remove(gone)
        node, dog = self.watch(relays=f"{entry} {there.entry('there')}", key=self.key_for(0))
        rtts = self.rtts(dog, lambda r: len(r) == 2)
        self.assertEqual(rtts["gone"], "refused: Connection refused")
        dog.wait_for(lambda: "relay there" in self.explained(dog), 20, "the one that answers is picked")

    def test_no_probe(self):
        relay = self.relay()
        node, dog = self.watch(relays=relay.entry("r"), probe="no")
        node.wait_rounds(25)
        self.assertEqual(relay.asked, [])

    FLOOD = [os.urandom(64) for _ in range(64)]
    ANSWERS = {
        "nothing": (None, "no answer to 2 tries"),
        "rubbish": (b"\x00\xff rubbish", "what came was no answer"),
        "an empty datagram": (b"", "what came was no answer"),
        "a great one": (b"A" * 60000, "what came was no answer"),
        "the question": (lambda question: [question], "what came was no answer"),
        "full": (b"ERR:full\n", "ERR:full"),
        "a terminal's": (b"ERR:\x1b[31m\n", "what came was no answer"),
        "a flood": (lambda question: Probes.FLOOD * 1000, "what came was no answer"),
    }

    @cases(ANSWERS)
    def test_answers(self, reply, error):
        bad, good = self.relay(), self.relay()
        bad.reply = reply
        if reply is None:
            bad.delay = None
        node, dog = self.watch(relays=f"{bad.entry('bad')} {good.entry('good')}")
        rtts = self.rtts(dog, lambda r: len(r) == 2)
        self.assertIn(error, rtts["bad"])
        self.assertIsInstance(rtts["good"], float)
        if "no answer:" in error or error.startswith("what came"):
            self.assertIn(f"bad ({bad.text})", dog.notice("relay-answer")["text"])
        begin = node.rounds
        node.wait_for(lambda: node.rounds > begin + 3)  # it goes on


class RealRelay(RelayCase):
    """contrib/udp-relay, where this build has it (or UDP_RELAY and UDP_RELAYCTL say where it is)."""

    def setUp(self):
        super().setUp()
        try:
            relay, self.ctl = program("udp-relay", "UDP_RELAY"), program("udp-relayctl", "UDP_RELAYCTL")
        except RuntimeError as error:
            self.skipTest(str(error))
        self.control = os.path.join(self.directory, "relay.sock")
        self.process = subprocess.Popen(
            [relay, "--bind", "127.0.0.1", "--port", "0", "--control", self.control, "--log", "text"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
        self.address = re.search(r"127\.0\.0\.1:\d+", self.process.stdout.readline())[0]

    def tearDown(self):
        self.process.terminate()
        self.process.communicate()
        super().tearDown()

    def sessions(self):
        return json.loads(run_tool(self.ctl, "--socket", self.control, "--json", "sessions")[1])["sessions"]

    def test_it_is_probed_and_holds_one_registration(self):
        node, dog = self.watch(relays=f"real={self.address}")
        self.signal(dog, "rtts", 5)
        for fields in self.signals(dog, "rtts"):
            self.assertEqual([name for name, _ in fields], ["name", "rtt_ns"])
        session, = self.sessions()
        self.assertRegex(session["id"], "^pathdog-probe-")
        self.assertEqual(len(session["members"]), 1)


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Lists(RelayCase):
    """In a network of its own: a discovered relay has an address of the Internet."""

    def setUp(self):
        super().setUp()
        self.host = netns.Host().start()
        for number in (1, 2, 3):
            self.host.ip("addr", "add", f"203.0.113.{number}/32", "dev", "lo")

    def tearDown(self):
        super().tearDown()
        self.host.stop()

    def public(self, number, delay=0.0):
        return self.relay(delay=delay, address=f"203.0.113.{number}", namespace=self.host.name)

    def listed(self, *lines, **more):
        self.write_list(*lines)
        return self.watch(prefix=self.host.prefix, list_file=self.list_file, **more)

    def test_a_list_file(self):
        one, two = self.public(1), self.public(2, delay=0.05)
        node, dog = self.listed("# relays", one.entry("one", comma=False), two.entry("two", comma=False))
        rtts = self.rtts(dog, lambda r: set(r) == {"one", "two"})
        self.assertGreaterEqual(rtts["two"], 50)
        self.assertEqual(self.signal(dog, "list")[1:],
                         [("relay", f"one={one.text} reg-ack"), ("relay", f"two={two.text} reg-ack")])

    def test_replaced(self):
        one, two = self.public(1), self.public(2)
        node, dog = self.listed(one.entry("one", comma=False), refresh="1h")
        self.signal(dog, "list")
        self.write_list(two.entry("two", comma=False))
        self.assertEqual(self.signal(dog, "list", 2), [("from", "file"), ("relay", f"two={two.text} reg-ack")])
        dog.wait_for(lambda: "relay two" in self.explained(dog), 20, "it is picked")

    def test_gone_and_back(self):
        one = self.public(1)
        node, dog = self.listed(one.entry("one", comma=False))
        self.rtts(dog, lambda r: isinstance(r.get("one"), float))
        os.unlink(self.list_file)
        self.assertIn("the list before it stays", dog.notice("relay-list")["text"])
        self.assertIn("relay one", self.explained(dog))
        asked = len(one.asked)
        dog.wait_for(lambda: len(one.asked) > asked, 20, "it is still probed")

    def test_bad_lines_are_said(self):
        one = self.public(1)
        node, dog = self.listed("what is this", one.entry("one", comma=False), "two=relay.example:4433")
        self.rtts(dog, lambda r: isinstance(r.get("one"), float))
        text = dog.notice("relay-list")["text"]
        self.assertIn("line 1: ", text)
        self.assertIn("line 3: ", text)

    def test_a_hundred_thousand_lines(self):
        one = self.public(1)
        node, dog = self.listed(one.entry("one", comma=False),
                                *[f"r{n}=198.51.100.{n % 254 + 1}:{n % 60000 + 1}" for n in range(100000)])
        self.assertIn("are left out: a list has at most 64", dog.notice("relay-list")["text"])
        self.assertEqual(len(self.signal(dog, "list")), 1 + 64)
        rtts = self.rtts(dog, lambda r: len(r) == 64)
        self.assertIsInstance(rtts["one"], float)
        begin = node.rounds
        node.wait_for(lambda: node.rounds > begin + 3)

    def test_a_pipe_and_a_directory(self):
        os.mkfifo(self.list_file)
        node, dog = self.watch(prefix=self.host.prefix, list_file=self.list_file)
        self.assertIn("is a pipe, not a regular file", dog.notice("relay-list")["text"])
        dog.terminate()
        os.unlink(self.list_file)
        os.mkdir(self.list_file)
        node, dog = self.watch(prefix=self.host.prefix, list_file=self.list_file)
        self.assertIn("is a directory, not a regular file", dog.notice("relay-list")["text"])

    # -- the cache ----------------------------------------------------------------------

    def test_the_cache_after_a_failed_fetch(self):
        one = self.public(1)
        node, dog = self.listed(one.entry("one", comma=False))
        dog.wait_for(lambda: os.path.exists(self.cache_file), 20, "the cache")
        self.assertEqual(os.stat(self.cache_file).st_mode & 0o7777, 0o600)
        with open(self.cache_file) as file:
            self.assertEqual(json.load(file)["addrs"], [one.text])
        self.assertEqual(dog.terminate(), 0)
        os.unlink(self.list_file)
        node, dog = self.watch(prefix=self.host.prefix, list_file=self.list_file)
        fields = self.signal(dog, "list")
        self.assertEqual(fields[0], ("from", "cache"))
        self.assertLess(fields[1][1], 3600_000_000)
        self.assertEqual(fields[2:], [("relay", f"one={one.text} reg-ack")])
        self.assertIn("are taken from", dog.notice("relay-cache")["text"])
        self.rtts(dog, lambda r: isinstance(r.get("one"), float))
        self.write_list(one.entry("uno", comma=False))
        self.assertEqual(self.signal(dog, "list", 2)[0], ("from", "file"))

    def cached(self, content, mode=0o600, age=10):
        saved = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age))
        with open(self.cache_file, "w") as file:
            file.write(content.replace("SAVED", saved))
        os.chmod(self.cache_file, mode)
        node, dog = self.watch(prefix=self.host.prefix, list_file=self.list_file)
        return dog, dog.notice("relay-cache")["text"]

    GOOD = '{"saved_at":"SAVED","addrs":["203.0.113.1:4433"]}'
    BAD = {
        "older than an hour": (GOOD, {"age": 3700}, "and is good for 3600 s"),
        "from the future": (GOOD, {"age": -3600}, "in the future"),
        "written by others": (GOOD, {"mode": 0o666}, "may be written by others than its owner"),
        "cut off": (GOOD[:40], {}, "it is no JSON"),
        "binary": ("\x00\x01\x02", {}, "it is no JSON"),
        "empty": ("", {}, "it is no JSON"),
        "of another version": (GOOD.replace("{", '{"version":9,'), {}, "it is of another version"),
        "of names": (GOOD.replace("203.0.113.1", "relay.example"), {}, "relay 1 of it: not an IP address"),
        "deep": ("[" * 100000, {}, "it is no JSON"),
        "large": (GOOD + " " * 300000, {}, "is longer than 262144 bytes"),
    }

    @cases(BAD)
    def test_a_cache_that_is_refused(self, content, more, why):
        dog, text = self.cached(content, **more)
        self.assertIn("there are no relays from the cache either", text)
        self.assertIn(why, text)
        self.assertEqual(self.signals(dog, "list"), [])

    def test_a_cache_of_somebody_else(self):
        with open(self.cache_file, "w"):
            pass
        os.chown(self.cache_file, 12345, 12345)
        dog, text = self.cached(self.GOOD)
        self.assertIn("is owned by uid 12345", text)


if __name__ == "__main__":
    unittest.main()
