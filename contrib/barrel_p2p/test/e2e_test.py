#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real pathdog with the real bridge, on stand-ins for quic and barrel_p2p. TAP.

PATHDOG_BUILD: meson's build directory; BRIDGE_BUILD: where test/run has compiled the bridge.
What the daemon does is checked as tests/e2e checks it: records, exit status, invariants, replay.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "tests", "e2e"))

from node import PATIENCE  # noqa: E402
from watchdog import Watchdog, program  # noqa: E402
import bound  # noqa: E402

sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "tests", "lib"))
import schema  # noqa: E402

BUILD = os.path.abspath(os.environ["BRIDGE_BUILD"])


class Node:
    """A VM with the bridge. `tell` evaluates an expression there."""

    def __init__(self, directory, settings="[]", prefix=()):
        self.prefix = list(prefix)
        self.path = os.path.join(directory, "bridge")
        self.settings = settings
        self.log = open(os.path.join(directory, "node.log"), "ab")
        self.process = None

    def start(self):
        env = {**os.environ, "BRIDGE_SOCKET": self.path, "BRIDGE_SETTINGS": self.settings,
               "ERL_CRASH_DUMP": "/dev/null"}
        self.process = subprocess.Popen(
            self.prefix + ["erl", "-noshell", "-kernel", "logger_level", "notice",
             "-kernel", "logger", "[{handler, default, logger_std_h, "
             "#{config => #{type => standard_error}}}]",
             "-pa", os.path.join(BUILD, "pathdog_bridge", "ebin"),
             "-pa", os.path.join(BUILD, "tests"), "-s", "standin_node", "main"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=env, text=True)
        assert self.tell("ready") == "ready"
        return self

    def tell(self, expression):
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith(("{error,", "{exit,", "{throw,")):
            raise AssertionError(f"{expression}: {answer}")
        return answer

    def up(self, name, role="client"):
        self.tell(f"standin_net:up('{name}', {role})")

    def set(self, name, **changes):
        pairs = ", ".join(f"{key} => {value}" for key, value in changes.items())
        assert self.tell(f"quic_connection:set(standin_net:quic('{name}'), #{{{pairs}}})") == "ok"

    def info(self, name, key):
        return int(self.tell(
            f"maps:get({key}, quic_connection:info(standin_net:quic('{name}')))"))

    def stop(self, how="kill"):
        if self.process and self.process.poll() is None:
            getattr(self.process, how)()
        if self.process:
            self.process.wait(60)
            self.process.stdin.close()
            self.process.stdout.close()

    def story(self):
        with open(self.log.name, errors="replace") as file:
            return file.read()[-6000:]


class Together(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="bridge-")
        os.chmod(self.directory, 0o755)
        self.nodes, self.dogs, self.cv = [], [], threading.Condition()

    def node(self, settings="[]", peers=()):
        node = Node(self.directory, settings)
        self.nodes.append(node)
        node.start()
        for name, role in dict(peers).items():
            node.up(name, role)
        return node

    def dog(self, node, watchdog=None, triggers=None):
        dog = Watchdog(self.directory, node, self.cv, watchdog,
                       {"tunnel": {}} if triggers is None else triggers)
        self.dogs.append(dog)
        return dog.start()

    def pair(self, settings="[]", peers=(("b@h", "client"),), watchdog=None, triggers=None):
        node = self.node(settings, peers)
        dog = self.dog(node, watchdog, triggers)
        for name in dict(peers):
            dog.wait_record("peer", state="up", peer=name)
        return node, dog

    def conn(self, dog, name, nth=-1):
        return [r["conn"] for r in dog.records("peer", state="up", peer=name)][nth]

    def dies(self, node, *names):
        """Nothing comes in any more over what there is to these peers: without a proof of need nothing is closed."""
        for name in names:
            node.set(name, alive="false")

    def wait(self, predicate, what, deadline=20):
        end = time.monotonic() + deadline * PATIENCE
        while not predicate():
            self.assertLess(time.monotonic(), end, f"not in time: {what}")
            time.sleep(0.02)

    def tearDown(self):
        bad = []
        for dog in self.dogs:
            bad += dog.finish()
        for dog in self.dogs:
            dog.destroy()
        for node in self.nodes:
            node.stop()
            node.log.close()
        story = "\n".join([d.story() for d in self.dogs] + [n.story() for n in self.nodes])
        shutil.rmtree(self.directory, ignore_errors=True)
        if bad:
            self.fail("afterwards:\n" + "\n".join(bad[:20]) + "\n" + story)

    # -- what comes up ------------------------------------------------------------------------

    def test_the_node_and_its_peers(self):
        node, dog = self.pair(peers=(("b@h", "client"), ("c@h", "server")))
        up = dog.wait_record("node", state="up")
        self.assertEqual(up["node"], "alpha@127.0.0.1")
        self.assertIn("pathdog_bridge/", up["implementation"])
        self.assertEqual({r["peer"]: r["role"] for r in dog.records("peer", state="up")},
                         {"b@h": "client", "c@h": "server"})
        node.tell("quic:close(standin_net:quic('b@h'), idle_timeout)")
        self.assertEqual(dog.wait_record("peer", state="down", peer="b@h")["reason"],
                         "idle_timeout")
        node.up("d@h")
        self.assertGreater(dog.wait_record("peer", state="up", peer="d@h")["conn"],
                           self.conn(dog, "c@h"))
        self.assertEqual(dog.records("notice", what="cannot-judge"), [])
        self.assertEqual(dog.records("notice", level="error"), [])

    def test_no_bad_row_and_nothing_odd(self):
        node, dog = self.pair(peers=tuple((f"p{n}@h", "server") for n in range(300)))
        before = int(node.tell("element(2, lists:keyfind(reductions, 1, "
                               "process_info(whereis(pathdog_bridge_sampler))))"))
        self.wait(lambda: int(node.tell(
            "element(2, lists:keyfind(reductions, 1, process_info(whereis("
            "pathdog_bridge_sampler))))")) > before + 100000, "many rounds")
        self.assertEqual([r for r in dog.records("notice") if r["level"] != "info"], [])

    def test_the_bridge_conforms(self):
        node = self.node("[{prefer, migrate}]", {"b@h": "client", "c@h": "client", "d@h": "server"})
        trace = os.path.join(self.directory, "trace")
        done = subprocess.run([program("pathdog-node-check", "PATHDOG_NODE_CHECK"), "--moves",
                               "--reconnects", "--timeout", "60", "--trace", trace, node.path],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + node.story())
        for check in ("summary", "move", "reconnect"):
            self.assertRegex(done.stdout, rf"(?m)^ok +{check} ")
        if schema.jsonschema:
            bad, seen = schema.Schema().conversation(schema.read_trace(trace))
            self.assertEqual(bad[:5], [])
            self.assertIn("peer_up", seen)

    def test_the_relays_are_known(self):
        """Those of the bridge's relay module, to pathdogctl and to the trigger."""
        module = ("{pathdog_relay_reg, #{relays => [{<<\"home\">>, {{127,0,0,1}, 4433}}, "
                  "{<<\"away\">>, {{127,0,0,1}, 4434}}], peers => #{}}}")
        _, dog = self.pair(f"[{{relay, {module}}}]", triggers={"relay": {"probe": "no"}})

        def known():
            done = subprocess.run([program("pathdogctl", "PATHDOGCTL"), "--socket", dog.control,
                                   "--json", "relays"], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True)
            if done.returncode != 0:
                return []
            return [(one["relay"], one["address"], one["from"])
                    for one in json.loads(done.stdout)["relays"]]

        dog.wait_for(lambda: len(known()) == 2, what="two relays")
        self.assertEqual(known(), [("home", "127.0.0.1:4433", "node"),
                                   ("away", "127.0.0.1:4434", "node")])

    # -- samples, and a migration -------------------------------------------------------------

    def test_a_slow_path_is_migrated(self):
        node, dog = self.pair(triggers={"srtt": {"threshold": "200ms", "strikes": 2}})
        node.set("b@h", srtt=312000)
        decision = dog.decision("migrate", peer="b@h")
        self.assertEqual((decision["trigger"], decision["kind"]), ("srtt", "degraded"))
        outcome = dog.outcome("migrated", peer="b@h")
        self.assertTrue(outcome["validated"])
        self.assertNotEqual(outcome["local_before"], outcome["local_after"])
        self.assertEqual(node.info("b@h", "migrations"), 1)

    def test_what_was_never_measured_is_not_slow(self):
        node, dog = self.pair(triggers={"srtt": {"threshold": "50ms", "strikes": 1}},
                              peers=(("c@h", "client"),))
        node.set("c@h", measured="false")
        node.up("b@h")  # its verdict says that the rounds went on
        node.set("b@h", srtt=60000)
        dog.outcome("migrated", peer="b@h")
        self.assertEqual([r for r in dog.records("decision") if r["peer"] == "c@h"], [])

    def test_moved_is_migrated_where_that_is_preferred(self):
        node, dog = self.pair("[{prefer, migrate}]")
        dog.moved()
        outcome = dog.outcome("migrated", peer="b@h")
        self.assertTrue(outcome["validated"])
        self.assertEqual(dog.effect(peer="b@h")["effect"], "better")
        self.assertEqual(node.tell("standin_net:dialled()"), "[]")

    def test_inbound_is_never_migrated(self):
        node, dog = self.pair("[{prefer, migrate}]", peers=(("b@h", "server"),))
        dog.moved()
        dog.decision("inbound", peer="b@h")
        self.assertEqual(node.tell("standin_net:is_listener_open()"), "true")

    def test_forbidden_by_the_peer(self):
        node, dog = self.pair("[{prefer, migrate}]", watchdog={"fallback": "off"})
        node.set("b@h", on_migrate="{error, migration_disabled}")
        dog.moved()
        dog.outcome("disabled", peer="b@h")
        dog.moved()
        dog.decision("disabled", peer="b@h")
        self.assertEqual(node.info("b@h", "migrations"), 0)

    def test_a_black_hole_times_out(self):
        node, dog = self.pair("[{prefer, migrate}]",
                              watchdog={"migrate_timeout": "300ms", "fallback": "off"})
        node.set("b@h", on_migrate="black_hole")
        dog.moved()
        dog.outcome("timeout", peer="b@h")
        node.set("b@h", on_migrate="ok")
        dog.moved()  # all retries may have been used up by now
        dog.outcome("migrated", peer="b@h")

    # -- reconnects ---------------------------------------------------------------------------

    def test_moved_is_reconnected(self):
        node, dog = self.pair()
        first = self.conn(dog, "b@h")
        self.dies(node, "b@h")
        dog.moved()
        dog.decision("reconnect", peer="b@h", conn=first)
        outcome = dog.outcome("reconnected", peer="b@h")
        self.assertGreater(outcome["conn_new"], first)
        self.assertEqual(dog.wait_record("peer", state="down", conn=first)["reason"], "reconnect")
        dog.wait_record("peer", state="up", conn=outcome["conn_new"])
        self.assertEqual(dog.effect(peer="b@h")["effect"], "better")
        self.assertEqual(node.tell("lists:usort(standin_net:joined())"), "[b@h]")

    def test_one_that_lives_is_kept(self):
        """Moved, and the old path still works: nothing is closed, nothing is dialled."""
        node, dog = self.pair()
        first = self.conn(dog, "b@h")
        dog.moved()
        dog.decision("reconnect", peer="b@h", conn=first)
        dog.outcome("old-lives", peer="b@h", conn=first)
        self.assertEqual(node.tell("standin_net:dialled()"), "[]")
        self.assertEqual(dog.records("peer", state="down"), [])

    def test_inbound_is_reconnected(self):
        node, dog = self.pair(peers=(("b@h", "server"),))
        self.dies(node, "b@h")
        dog.moved()
        outcome = dog.outcome("reconnected", peer="b@h")
        up = dog.wait_record("peer", state="up", conn=outcome["conn_new"])
        self.assertEqual(up["role"], "client")

    def test_a_dead_one_falls_back(self):
        """A migration into a black hole, and the peer owes something: closed and dialled again."""
        node, dog = self.pair("[{prefer, migrate}]", watchdog={"migrate_timeout": "2s"})
        node.set("b@h", on_migrate="black_hole", in_flight=1200)
        dog.moved()
        dog.decision("reconnect", peer="b@h", trigger="fallback")
        dog.outcome("reconnected", peer="b@h")

    def test_a_stream_that_stands_still(self):
        """Packets come in all the time; only the hole shows that somebody waits for ever."""
        node, dog = self.pair("[{stuck_after, 200}]", triggers={"stall": {}})
        first = self.conn(dog, "b@h")
        node.set("b@h", hole=4212)
        dog.decision("reconnect", peer="b@h", conn=first, trigger="stall")
        outcome = dog.outcome("reconnected", peer="b@h")
        self.assertEqual(dog.effect(conn=outcome["conn_new"])["effect"], "better")

    def test_the_dial_fails(self):
        node, dog = self.pair(watchdog={"migrate_timeout": "2s"})
        node.tell("standin_net:dial('b@h', false)")
        self.dies(node, "b@h")
        dog.moved()
        error = dog.outcome("dial-failed", peer="b@h")["error"]
        self.assertEqual(error["code"], -32009)
        node.tell("standin_net:dial('b@h', ok)")
        dog.wait_record("peer", nth=2, state="up", peer="b@h")  # the bridge went on dialling

    def test_a_storm(self):
        names = [f"p{n}@h" for n in range(100)]
        node, dog = self.pair(peers=tuple((name, "client") for name in names))
        self.dies(node, *names)
        dog.moved()
        for name in names:
            dog.outcome("reconnected", peer=name, deadline=60)

    # -- what goes wrong beside it ------------------------------------------------------------

    def test_a_wedged_one_delays_nobody(self):
        node, dog = self.pair(triggers={"srtt": {"threshold": "200ms", "strikes": 2}},
                              peers=(("b@h", "client"), ("c@h", "client")))
        node.tell("sys:suspend(standin_net:quic('b@h'))")
        node.set("c@h", srtt=312000)
        dog.outcome("migrated", peer="c@h")
        node.tell("sys:resume(standin_net:quic('b@h'))")
        node.set("b@h", srtt=312000)
        dog.outcome("migrated", peer="b@h")

    def test_the_node_restarts(self):
        node, dog = self.pair()
        boot = dog.wait_record("node", state="up")["boot"]
        node.stop()
        dog.wait_record("node", state="down")
        node.start()
        self.assertNotEqual(dog.wait_record("node", nth=2, state="up")["boot"], boot)
        node.up("b@h")
        dog.wait_record("peer", nth=2, state="up", peer="b@h")
        self.dies(node, "b@h")
        dog.moved()
        dog.outcome("reconnected", peer="b@h")

    def test_the_application_restarts(self):
        node, dog = self.pair()
        boot = dog.wait_record("node", state="up")["boot"]
        first = self.conn(dog, "b@h")
        node.tell("application:stop(pathdog_bridge)")
        dog.wait_record("node", state="down")
        node.tell("application:start(pathdog_bridge)")
        self.assertEqual(dog.wait_record("node", nth=2, state="up")["boot"], boot)
        self.assertGreater(dog.wait_record("peer", nth=2, state="up", peer="b@h")["conn"], first)

    def test_the_bridge_crashes(self):
        node, dog = self.pair()
        node.tell("exit(whereis(pathdog_bridge_peers), kill)")
        dog.wait_record("node", nth=2, state="up")
        dog.wait_record("peer", nth=2, state="up", peer="b@h")
        self.dies(node, "b@h")
        dog.moved()
        dog.outcome("reconnected", peer="b@h")


def main():
    bound.Bound.node_type = Node
    chosen = [case(name) for case in (Together, bound.Bound)
              for name in unittest.defaultTestLoader.getTestCaseNames(case)
              if not sys.argv[1:] or name in sys.argv[1:]]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for case in chosen:
        name = case.id().rsplit(".", 1)[-1]
        result = unittest.TestResult()
        try:
            case.run(result)
        except BaseException:  # one test is not to take the others with it
            result.errors.append((name, traceback.format_exc()))
        bad = [text for _, text in result.failures + result.errors]
        failed += bool(bad)
        skip = "".join(f" # SKIP {why}" for _, why in result.skipped)
        print(f"{'not ok' if bad else 'ok'} - e2e {name}{skip}")
        for text in bad:
            print("\n".join("#   " + line for line in text.splitlines()[-80:]))
        sys.stdout.flush()
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
