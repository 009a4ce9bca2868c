# SPDX-License-Identifier: Apache-2.0
"""Uplinks: a node that answers probes and moves with nonsense, interfaces and sections that come and go
without end, hostile names, and thousands of connections on an uplink that dies without a word."""

import collections
import itertools
import json
import os
import signal
import subprocess
import time
import unittest

import measure
import netns
from hostile_case import HostileCase
from node import PATIENCE, SILENT
from others import redirected
from watchdog import environment, replay_program

UNUSABLE = netns.usable()
SECTIONS = {"uplink:home": {"interface": "up0"}, "uplink:fibre": {"interface": "up1", "class": "spare"},
            "uplink:sat": {"interface": "up2", "class": "spare"}}
ADDRESSES = {"up0": "10.77.1.2", "up1": "10.77.2.2", "up2": "10.77.3.2"}
REMOTE = "203.0.113.1:443"
HOSTILE_NAMES = ("", "no", "home ", "HOME", "a" * 4000, "up0\0", "\u202eemoh", "%s%n", "../home", "*", "\n", "home\n")


@unittest.skipIf(UNUSABLE, UNUSABLE)
class UplinksCase(HostileCase):
    def begin(self, locals_, sections=SECTIONS, features=("bind", "probe_path"), watchdog=None, written=None,
              before=None):
        """Three uplinks; connections 1, 2, … with these local addresses. The records go to the file
        `written`, if there is one: that is as quick as pathdog."""
        self.host = netns.Host()
        self.addCleanup(self.host.stop)
        self.host.start()
        self.third()
        self.host.default("up1", "metric", "700", action="add")
        node = self.node(features=list(features))
        node.addresses.update(ADDRESSES)
        if before:
            before(node)
        for conn, local in enumerate(locals_, 1):
            node.add(f"p{conn}@h", conn, local=local, remote=REMOTE)
        dog = self.dog(node, start=False, prefix=self.host.prefix, watchdog=watchdog,
                       triggers={"stall": {}, "tunnel": {}})
        dog.sections.update(sections)
        if written:
            dog.prefix += redirected(1, written)
        dog.start()
        node.wait_subscribed()
        node.wait_rounds(1)
        return node, dog

    def third(self):
        """up2 with a default route."""
        self.host.ip("link", "add", "up2", "type", "veth", "peer", "name", "r2", "netns", self.host.far)
        netns.run("ip", "-n", self.host.far, "link", "set", "r2", "up")
        self.host.batch(["addr add 10.77.3.2/24 dev up2", "link set up2 up",
                         "route add default via 10.77.3.1 dev up2 metric 800"])

    def wait_up(self, dog, names):
        def up():
            out, _ = self.ctl(dog, "--json", "uplinks")
            return {u["uplink"] for u in map(json.loads, out.splitlines()) if u["condition"] == "up"}
        self.wait_until(lambda: up() >= set(names), f"{names} are up")

    def set_dead(self, node, dead):
        with self.cv:
            for peer in node.peers.values():
                peer.advance = not dead
                peer.set(in_flight_bytes=5000 if dead else 0)

    def turns(self, node, seconds):
        """All connections die and live by turns for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.set_dead(node, True)
            time.sleep(0.9)
            self.set_dead(node, False)
            time.sleep(0.1)


class Answers(UplinksCase):
    def test_probes(self):
        """Wrong, late, twice, huge, none, of requests that never were."""
        node, dog = self.begin([f"10.77.1.2:{9000 + i}" for i in range(20)])
        self.wait_up(dog, ("home", "fibre", "sat"))
        wrong = itertools.cycle((
            lambda r: r.answer({"rtt_us": 2**64}), lambda r: r.answer({"rtt_us": -1}),
            lambda r: r.answer({"rtt_us": 2**63 - 1}), lambda r: r.answer({"rtt_us": None}),
            lambda r: r.answer([]), lambda r: r.answer(None), lambda r: r.answer({"rtt_us": 1.5}),
            lambda r: (r.answer({"rtt_us": 9}), r.answer({"rtt_us": 9}), r.error(-32004)),
            lambda r: (r.error(-32004), r.answer({"rtt_us": 9})),
            lambda r: r.error(-2**63, "x" * 5000), lambda r: r.answer({"rtt_us": 0}),
            lambda r: r.send({"jsonrpc": "2.0", "id": r.id + 1000, "result": {"rtt_us": 9}}),
            lambda r: node.later(2.5, r.answer, {"rtt_us": 9}),
            lambda r: (r.link.notify("peer_down", conn=r.conn, reason="x"), r.answer({"rtt_us": 9}),
                       node.tell_up(node.peers[r.conn])),
            lambda r: None))
        self.node_rules = False
        for name in ("up0", "up1", "up2"):
            node.paths[name] = lambda r: next(wrong)(r)
        self.turns(node, 4)
        self.assertGreater(len(node.requests("probe_path")), 3)
        node.paths.clear()
        self.assert_alive(node, dog)

    def test_moves_that_are_told_wrongly(self):
        """Every migrate succeeds and is said to have led elsewhere; then none is answered well."""
        node, dog = self.begin([f"10.77.1.2:{9000 + i}" for i in range(20)], watchdog={"migrate_timeout": "1s"})
        self.wait_up(dog, ("home", "fibre", "sat"))
        said = itertools.cycle(("10.77.1.2:1", "10.77.2.2:1", "192.0.2.77:1", "[::ffff:10.77.3.2]:1",
                                "[fe80::1%up9]:1", "", "nonsense", "0.0.0.0:0"))
        node.on("migrate_peer", lambda r: r.answer({"local": next(said), "validated": True}))
        self.turns(node, 2)
        refusals = itertools.cycle((-32007, -32004, -32006, None))

        def refuse(request):
            code = next(refusals)
            if code:
                request.error(code)
        node.on("migrate_peer", refuse)
        self.turns(node, 2)
        moves = collections.Counter(r.conn for r in node.moves())
        self.assertLess(max(moves.values()), 80, "moves of one connection in four seconds")
        del node.handlers["migrate_peer"]
        self.assert_alive(node, dog)


class Names(UplinksCase):
    def test_addresses_and_holds(self):
        """Local addresses of no uplink, of two, mapped, with a scope; holds of names that are none."""
        locals_ = ("10.77.1.2:1", "192.0.2.1:1", "[::ffff:10.77.1.2]:1", "[fd77:1::2]:1", "[fe80::1%up1]:1",
                   "[fe80::1%nowhere]:1", "10.99.0.1:1", "[::1]:1")
        node, dog = self.begin(locals_)
        self.host.batch([f"addr add 10.99.0.1/32 dev up{i}" for i in (0, 1)])
        self.wait_up(dog, ("home", "fibre", "sat"))
        client = self.client(dog)
        end = time.monotonic() + 2
        for i in itertools.count():
            name = HOSTILE_NAMES[i % len(HOSTILE_NAMES)]
            for method in ("hold", "release"):
                self.assertIn("error", client.ask(method, uplink=name), repr(name))
            client.ask("hold", uplink="home", duration_ms=1 + i % 50)
            client.ask("hold", uplink=("fibre", "sat")[i % 2])
            client.ask("release", uplink=("fibre", "sat")[i % 3 % 2])
            if time.monotonic() > end:
                break
        for name in ("home", "fibre", "sat"):
            client.ask("release", uplink=name)
        peers, _ = self.ctl(dog, "--json", "peers")
        used = {p["peer"]: p["uplink"] for p in map(json.loads, peers.splitlines())}
        self.assertIsNone(used["p7@h"], "an address of two uplinks")
        self.assert_alive(node, dog)


class Changes(UplinksCase):
    def test_interfaces_that_come_and_go(self):
        """Made, renamed, emptied, deleted while probes and moves are open."""
        node, dog = self.begin([f"10.77.{1 + i % 3}.2:{9000 + i}" for i in range(20)], sections={})
        node.paths.update({"up0": SILENT, "up1": 300000, "up2": -32004})
        node.on("migrate_peer", lambda r: node.later(0.3, node.do_migrate_peer, r))
        self.node_rules = False
        end = time.monotonic() + 4
        for i in itertools.count():
            self.set_dead(node, i % 2 == 0)
            self.host.batch([
                "link del up2", "link set up1 down", "link set up1 name other", "addr flush dev up0",
                "link set other up", "addr add 10.77.1.2/24 dev up0", "link set other down", "link set other name up1",
                "link set up1 up", "route replace default via 10.77.1.1 dev up0"])
            netns.run("ip", "-n", self.host.far, "link", "set", "r1", "up")
            time.sleep(0.15)
            self.third()
            self.host.default("up1", "metric", "700", action="replace")
            time.sleep(0.15)
            if time.monotonic() > end:
                break
        node.paths.clear()
        del node.handlers["migrate_peer"]
        self.set_dead(node, False)
        self.assert_alive(node, dog)

    def test_sections_that_come_and_go(self):
        """Reloads with no section, with three under changing names, with 64."""
        node, dog = self.begin([f"10.77.{1 + i % 3}.2:{9000 + i}" for i in range(20)])
        node.paths.update({"up0": SILENT, "up1": 200000, "up2": -32004})
        base = {k: v for k, v in dog.sections.items() if not k.startswith("uplink:")}
        many = {f"uplink:u{i}": {"interface": f"up{i}"} for i in range(64)}
        renamed = {f"uplink:{name}": {"interface": f"up{i}", "class": kind} for i, (name, kind) in enumerate(
            (("a", "metered"), ("home", "spare"), ("c", "primary")))}
        sets = (SECTIONS, {}, many, renamed, dict(reversed(many.items())), {"uplink:only": {"interface": "up1"}})
        end = time.monotonic() + 3
        for i in itertools.count():
            self.set_dead(node, i % 4 < 2)
            dog.sections = {**base, **sets[i % len(sets)]}
            dog.write_config()
            dog.process.send_signal(signal.SIGHUP)
            time.sleep(0.1)
            if time.monotonic() > end:
                break
        node.paths.clear()
        self.set_dead(node, False)
        self.ctl(dog, "reload")
        self.assert_alive(node, dog)


class Silence(UplinksCase):
    measured = True
    PEERS = 20000
    HEAD = b'{"jsonrpc":"2.0","method":"summaries","params":{"columns":["conn","srtt_us","rtt_samples",' \
           b'"in_flight_bytes","pto_count","bytes_sent","bytes_received"],"rows":['

    def rows(self, request):
        """All of them, quickly; the samples of those that live grow."""
        asked = request.params and request.params.get("conns")
        self.samples += 1
        conns_ = asked or range(1, self.PEERS + 1)
        for conns in (conns_[i:i + 2000] for i in range(0, len(conns_), 2000)):
            request.link.send(self.HEAD + b",".join(
                b"[%d,20000,%d,%d,%d,%d,%d]" % ((conn, self.samples, 0, 0, 1000 * self.samples, 1000 * self.samples)
                                                if not self.dead or conn in self.away else
                                                (conn, self.dead, 5000, 3, 1000 * self.dead, 1000 * self.dead))
                for conn in conns) + b"]}}\n")
        self.nodes[0].finish_summary(request, len(conns_))

    def prepare(self, node):
        def subscribe(request):
            for first in range(1, self.PEERS, 2000):
                request.link.send(b"".join(
                    b'{"jsonrpc":"2.0","method":"peer_up","params":{"peer":"p%d@h","conn":%d,"local":"10.77.1.2:9",'
                    b'"remote":"%s"}}\n' % (conn, conn, REMOTE.encode()) for conn in range(first, first + 2000)))
            request.answer({"peers": self.PEERS})

        def migrate(request):
            self.away.add(request.conn)
            request.answer({"local": f"{ADDRESSES[request.params['interface']]}:1", "validated": True})
        node.paths.update({"up1": SILENT, "up2": lambda r: node.later(0.03, r.answer, {"rtt_us": 30000})})
        node.on("subscribe", subscribe)
        node.on("summary", self.rows)
        node.on("migrate_peer", migrate)
        node.is_move_of = lambda request, conns: True

    def test_very_many_on_an_uplink_that_dies(self):
        """Few probes; every connection is asked; the loop answers meanwhile."""
        self.samples, self.dead, self.away = 1, 0, set()
        self.finish_with = {"replay": False, "whole": False}
        written = os.path.join(self.directory, "records")
        node, dog = self.begin([], written=written, before=self.prepare)
        self.wait_up(dog, ("home", "fibre", "sat"))
        node.wait_rounds(2)
        with measure.Lateness(dog) as late:
            self.dead, begin = self.samples, time.monotonic()
            node.wait_for(lambda: len(self.away) == self.PEERS, 60, "all were asked")
            took = time.monotonic() - begin
        probes = collections.Counter(r.params["interface"] for r in node.requests("probe_path"))
        found = f"{took:.1f} s, {dict(probes)}, {late.worst_ms:.1f} ms ({late.gross_ms:.1f})"
        self.assertLess(sum(probes.values()), 100, found)
        self.assertEqual({r.params["interface"] for r in node.moves()}, {"up2"})
        self.assertLess(late.worst_ms, 100, found)
        self.assertEqual(self.stop_complaints(dog), [])
        again = subprocess.run([replay_program(), dog.recording, "--log", "json"], stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=60 * PATIENCE, env=environment())
        with open(written, "rb") as file:
            self.assertTrue(again.stdout == file.read(), "the replay differs")
