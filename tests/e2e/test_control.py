# SPDX-License-Identifier: Apache-2.0
"""The control socket and pathdogctl: what operators ask and command, and who may not harm whom."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import unittest

from case import Case, cases
from node import PATIENCE
from watchdog import build_directory, daemon, program


def ctl_program():
    return program("pathdogctl", "PATHDOGCTL")


class Client:
    """A raw client of the socket: lines of JSON."""

    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout * PATIENCE)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")
        self.notices = []
        self.number = 0

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next line as JSON; None at the end."""
        try:
            line = self.file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def answer(self):
        while True:
            message = self.line()
            if message is None or "id" in message:
                return message
            self.notices.append(message)

    def ask(self, method, **params):
        """The whole answer, with "result" or "error"."""
        self.number += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method,
                              "params": params}) + "\n")
        answer = self.answer()
        if answer is not None and answer["id"] is not None:
            assert answer["id"] == self.number, answer
        return answer

    def result(self, method, **params):
        answer = self.ask(method, **params)
        assert "result" in answer, answer
        return answer["result"]

    def error(self, method, **params):
        answer = self.ask(method, **params)
        assert "error" in answer, answer
        return answer["error"]

    def notice(self, predicate=lambda params: True, method="record"):
        while True:
            for at, message in enumerate(self.notices):
                if message["method"] == method and predicate(message["params"]):
                    return self.notices.pop(at)["params"]
            message = self.line()
            assert message is not None, "the daemon closed the connection"
            self.notices.append(message)

    def close(self):
        self.file.close()
        self.sock.close()


class ControlCase(Case):
    def setUp(self):
        super().setUp()
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()
        super().tearDown()

    def client(self, dog, **more):
        client = Client(dog.control, **more)
        self.clients.append(client)
        return client

    def ctl(self, dog, *words, status=0, env=None, socket_path=None):
        """Runs pathdogctl: what it said, as (out, err)."""
        run = subprocess.run([ctl_program(), "--socket", socket_path or dog.control, *words],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=30 * PATIENCE, env={**os.environ, **(env or {})})
        self.assertEqual(run.returncode, status, f"{words}: {run.stdout}{run.stderr}")
        return run.stdout, run.stderr

    def wait_until(self, predicate, what, deadline=10):
        end = time.monotonic() + deadline * PATIENCE
        while not predicate():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.01)


class Status(ControlCase):
    def test_members(self):
        node, dog = self.pair(peers=3, features=["reconnect"])
        status = self.client(dog).result("status")
        self.assertEqual(status["node"]["state"], "up")
        self.assertEqual(status["node"]["features"], ["reconnect"])
        self.assertEqual(status["n_peers"], 3)
        self.assertEqual(status["peers"]["up"], 3)
        self.assertEqual(status["peers"]["next"], None)
        self.assertEqual([t["trigger"] for t in status["triggers"]], ["tunnel"])
        self.assertEqual(status["triggers"][0]["socket"], dog.notify_path)
        self.assertEqual(status["run"], dog.wait_record("node")["run"])

    def reasons(self, dog):
        return {r["what"]: r["text"] for r in self.client(dog).result("status")["reasons"]}

    def test_all_is_well(self):
        node, dog = self.pair()
        node.wait_rounds(3)
        self.assertEqual(self.reasons(dog), {})

    def test_node_is_not_there(self):
        dog = self.dog(self.node(start=False))
        dog.wait_record("node", state="down")
        self.assertIn("node-down", self.reasons(dog))
        out, _ = self.ctl(dog, "status")
        self.assertIn("is not there", out)

    def test_no_triggers(self):
        node, dog = self.pair(triggers={})
        self.assertIn("no-triggers", self.reasons(dog))

    def test_no_peers(self):
        node = self.node()
        dog = self.dog(node)
        node.wait_subscribed()
        dog.wait_record("node", state="up")
        self.wait_until(lambda: "no-peers" in self.reasons(dog), "no-peers")

    def test_observing_and_held(self):
        node, dog = self.pair()
        client = self.client(dog)
        client.result("mode", mode="observe")
        client.result("hold", all=True)
        self.assertLessEqual({"observing", "all-held"}, set(self.reasons(dog)))

    def test_no_columns(self):
        node = self.node()
        node.add("p1@h", 1).row = lambda columns: [1] + [None] * len(columns)
        node.on("summary", lambda r: node.finish_summary(r, []))
        dog = self.dog(node, triggers={"srtt": {}})
        node.wait_rounds(4)
        self.wait_until(lambda: "no-columns" in self.reasons(dog), self.reasons(dog))

    def test_only_inbound(self):
        node, dog = self.pair(peers=2, role="server")
        node.wait_rounds(2)
        self.assertIn("all-fixed", self.reasons(dog))

    def test_as_json(self):
        node, dog = self.pair()
        dog.moved()
        dog.outcome("migrated")
        out, _ = self.ctl(dog, "status", "--json")
        status = json.loads(out)
        self.assertEqual(out.count("\n"), 1)
        self.assertEqual(status["last"][-1]["verdict"], "migrate")


class Peers(ControlCase):
    def test_rows(self):
        node, dog = self.pair(peers=2)
        node.wait_rounds(2)
        page = self.client(dog).result("peers")
        self.assertEqual([p["peer"] for p in page["peers"]], ["p1@h", "p2@h"])
        self.assertEqual(page["peers"][0]["srtt_us"], 20000)
        self.assertEqual(page["peers"][0]["local"], "127.0.0.1:9001")
        self.assertIsNone(page["next"])

    def test_pages(self):
        node, dog = self.pair(peers=10)
        client = self.client(dog)
        names, after, pages = [], 0, 0
        while after is not None:
            page = client.result("peers", limit=3, after=after, names=True)
            names += page["peers"]
            after = page["next"]
            pages += 1
        self.assertEqual(sorted(names), sorted(f"p{i}@h" for i in range(1, 11)))
        self.assertEqual(pages, 4)

    def test_many_in_one_table(self):
        node = self.node()
        for conn in range(1, 701):
            node.add(f"peer-{conn}@h", conn)
        dog = self.dog(node)
        node.wait_subscribed()
        dog.wait_record("peer", nth=700, state="up")
        out, _ = self.ctl(dog, "peers")
        self.assertEqual(len(out.splitlines()), 701)
        out, _ = self.ctl(dog, "peers", "peer-1*@h", "--json")
        self.assertEqual(len([json.loads(line) for line in out.splitlines()]), 111)
        out, _ = self.ctl(dog, "names", "peer-69")
        self.assertEqual(len(out.splitlines()), 11)
        out, _ = self.ctl(dog, "peers", "-n", "5", "--json")
        self.assertEqual(len(out.splitlines()), 5)

    def test_none(self):
        node = self.node()
        dog = self.dog(node)
        self.assertIn("no peers", self.ctl(dog, "peers")[0])


class Names(ControlCase):
    def test_nearest(self):
        node, dog = self.pair(peers=3)
        out, err = self.ctl(dog, "explain", "q1@h", status=1)
        self.assertIn("Did you mean", err)
        self.assertIn("p1@h", err)

    def test_beginning_of_one(self):
        node, dog = self.pair(peers=2)
        out, err = self.ctl(dog, "hold", "p2")
        self.assertIn("p2@h", err)
        self.assertTrue(self.client(dog).result("explain", peer="p2@h")["held"])

    def test_beginning_of_several(self):
        node, dog = self.pair(peers=3)
        out, err = self.ctl(dog, "migrate", "p", status=1)
        for name in ("p1@h", "p2@h", "p3@h"):
            self.assertIn(name, err)
        self.assertEqual(dog.records("decision"), [])

    def test_nothing_like_it(self):
        node, dog = self.pair()
        error = self.client(dog).error("explain", peer="completely-different")
        self.assertEqual(error["code"], -32040)
        self.assertEqual(error["data"]["begins"] + error["data"]["near"], [])

    def test_name_that_needs_escapes(self):
        node = self.node()
        node.add('a"b\\c*[x]@h', 1)
        dog = self.dog(node)
        dog.wait_record("peer", state="up")
        out, _ = self.ctl(dog, "migrate", 'a"b\\c*[x]@h')
        self.assertIn("migrated", out)


class Explain(ControlCase):
    def verdicts(self, dog, peer="p1@h"):
        explained = self.client(dog).result("explain", peer=peer)
        return {("fallback" if g["fallback"] else g["kind"], g["by"]): g for g in explained["gate"]}

    def test_nothing_in_the_way(self):
        node, dog = self.pair()
        gate = self.verdicts(dog)
        self.assertEqual(gate["moved", "migrate"]["verdict"], "migrate")
        self.assertEqual(gate["degraded", "migrate"]["verdict"], "migrate")
        self.assertEqual(gate["operator", "reconnect"]["verdict"], "disabled")
        self.assertIn("does not offer", gate["operator", "reconnect"]["text"])

    def test_cooling(self):
        node, dog = self.pair()
        dog.moved()
        dog.outcome("migrated")
        gate = self.verdicts(dog)["degraded", "migrate"]
        self.assertIn(gate["verdict"], ("merged", "cooling"))
        self.assertIn("cooling", [row["verdict"] for row in gate["rows"]])

    def test_inbound_and_held(self):
        node, dog = self.pair(role="server")
        client = self.client(dog)
        client.result("hold", peer="p1@h", for_us=60_000_000)
        gate = self.verdicts(dog)["moved", "migrate"]
        self.assertEqual([row["verdict"] for row in gate["rows"]], ["inbound", "held"])
        self.assertIn("RFC 9000", gate["text"])

    def test_disabled_is_learned(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32003))
        dog.moved()
        dog.outcome("disabled")
        explained = self.client(dog).result("explain", peer="p1@h")
        self.assertTrue(explained["learned_disabled"])
        self.assertEqual(explained["gate"][0]["verdict"], "disabled")

    def test_in_flight(self):
        node, dog = self.pair(watchdog={"migrate_timeout": "10min", "timeout_max": "10min"})
        node.on("migrate_peer", lambda r: None)
        dog.moved()
        node.wait_request("migrate_peer")
        gate = self.verdicts(dog)["moved", "migrate"]
        self.assertEqual(gate["verdict"], "in-flight")
        self.assertIn("request 1", gate["text"])

    def test_says_what_the_gate_then_does(self):
        """Every verdict foretold is the one given, one state after the other."""
        node, dog = self.pair(peers=1)
        client = self.client(dog)
        steps = [lambda: None, lambda: client.result("hold", peer="p1@h"),
                 lambda: client.result("release", peer="p1@h"),
                 lambda: client.result("mode", mode="observe")]
        for nth, step in enumerate(steps, 1):
            step()
            foretold = self.verdicts(dog)["moved", "migrate"]["verdict"]
            dog.moved()
            self.assertEqual(dog.wait_record("decision", nth=nth, kind="moved")["verdict"], foretold)
            if foretold == "migrate":
                dog.outcome("migrated", nth=len(dog.records("decision", verdict="migrate")))

    def test_strikes(self):
        node = self.node()
        node.add("p1@h", 1).set(srtt_us=300000)
        dog = self.dog(node, None, {"srtt": {"threshold": "200ms", "strikes": "1000"}})
        node.wait_rounds(3)
        explained = self.client(dog).result("explain", peer="p1@h")
        self.assertRegex(explained["triggers"][0]["text"], r"^\d+ of 1000 strikes")

    def test_for_people(self):
        node, dog = self.pair()
        dog.moved()
        dog.outcome("migrated")
        node.wait_rounds(2)
        out, _ = self.ctl(dog, "explain", "p1@h")
        for word in ("SRTT 20 ms", "what advice would get now", "cool-down", "migrated", "tunnel"):
            self.assertIn(word, out)


class Commands(ControlCase):
    def test_migrate_waits_for_the_outcome(self):
        node, dog = self.pair()
        out, _ = self.ctl(dog, "migrate", "p1@h", "--json")
        decision, outcome = [json.loads(line) for line in out.splitlines()]
        self.assertEqual((decision["trigger"], decision["verdict"]), ("operator", "migrate"))
        self.assertEqual(decision["reason"], f"asked by uid {os.getuid()}")
        self.assertEqual(outcome["outcome"], "migrated")

    @cases({
        "interface": ((), {"interface": "up1"}, "bind"), "local": ((), {"local": "::1"}, "bind"),
        "via": (("bind",), {"via": "hub"}, "relay"),
        "no such name": (("bind",), {"interface": "../etc"}, "interface"),
        "by reconnect": (("bind", "reconnect"), {"local": "::1", "by": "reconnect"}, "migrate"),
    })
    def test_migrate_to_what_the_node_cannot_be_told(self, features, target, word):
        node, dog = self.pair(features=list(features))
        self.assertIn(word, self.client(dog).error("migrate", peer="p1@h", **target)["message"])
        self.assertEqual(node.moves(), [])

    @cases({"interface": {"interface": "up1"}, "local": {"local": "::1"}, "via": {"via": "hub"}})
    def test_migrate_to(self, target):
        node, dog = self.pair(features=["bind", "relay"])
        self.client(dog).result("migrate", peer="p1@h", **target)
        params = node.wait_request("migrate_peer").params
        self.assertEqual({**params, **target}, params)

    def test_migrate_by_reconnect(self):
        node, dog = self.pair(features=["reconnect"])
        out, _ = self.ctl(dog, "migrate", "p1@h", "--by", "reconnect")
        self.assertIn("reconnected", out)
        dog.outcome("reconnected")

    def test_migrate_that_fails(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32007))
        out, _ = self.ctl(dog, "migrate", "p1@h", status=1)
        self.assertIn("no-path", out)

    def test_migrate_that_is_refused(self):
        node, dog = self.pair(role="server")
        out, err = self.ctl(dog, "migrate", "p1@h", status=1)
        self.assertIn("inbound", out)
        self.assertIn("RFC 9000", err)
        self.assertEqual(node.moves(), [])

    def test_migrate_that_is_queued(self):
        node, dog = self.pair(peers=2, max_in_flight=1)
        asked = []
        node.on("migrate_peer", asked.append)
        dog.moved("p1@h")
        node.wait_request("migrate_peer")
        done = []
        thread = threading.Thread(target=lambda: done.append(self.ctl(dog, "migrate", "p2@h")))
        thread.start()
        dog.decision("queued", peer="p2@h")
        node.on("migrate_peer", lambda r: r.answer({}))
        asked[0].answer({})
        thread.join(20 * PATIENCE)
        self.assertIn("migrated", done[0][0])

    def test_hold_and_release(self):
        node, dog = self.pair()
        self.ctl(dog, "hold", "p1@h", "--for", "10min")
        dog.moved()
        dog.decision("held")
        self.ctl(dog, "release", "p1@h")
        dog.moved()
        dog.decision("migrate")

    def test_a_hold_ends(self):
        node, dog = self.pair()
        client = self.client(dog)
        client.result("hold", peer="p1@h", for_us=50_000)
        self.wait_until(lambda: not client.result("explain", peer="p1@h")["held"], "released")

    def test_hold_all(self):
        node, dog = self.pair(peers=2)
        self.ctl(dog, "hold", "--all")
        dog.moved()
        dog.decision("held", nth=2)
        self.ctl(dog, "release", "--all")
        dog.moved()
        dog.decision("migrate", nth=2)

    def test_hold_of_one_that_is_not_connected(self):
        node, dog = self.pair()
        self.ctl(dog, "hold", "later@h", status=1)
        self.ctl(dog, "hold", "later@h", "--absent")
        node.add("later@h", 7)
        dog.wait_record("peer", conn=7)
        dog.moved("later@h")
        dog.decision("held", conn=7)
        node.down(7)
        dog.wait_record("peer", state="down", conn=7)
        self.ctl(dog, "release", "later@h")
        self.ctl(dog, "release", "later@h", status=1)

    def test_mode(self):
        node, dog = self.pair()
        self.assertIn("observe", self.ctl(dog, "mode", "observe")[0])
        dog.moved()
        dog.decision("observing")
        self.assertIn("observe", self.ctl(dog, "mode")[0])
        self.ctl(dog, "mode", "active")
        dog.moved()
        dog.decision("migrate")

    def test_who_it_was_is_noticed(self):
        node, dog = self.pair()
        self.ctl(dog, "mode", "observe")
        self.assertIn(f"uid {os.getuid()}", dog.notice("mode")["text"])

    def test_reload(self):
        node, dog = self.pair()
        dog.sections["watchdog"]["mode"] = "observe"
        dog.write_config()
        self.ctl(dog, "reload")
        self.assertEqual(self.client(dog).result("mode")["mode"], "observe")

    def test_reload_of_a_bad_file(self):
        node, dog = self.pair()
        dog.sections["watchdog"]["colour"] = "red"
        dog.write_config()
        out, err = self.ctl(dog, "reload", status=1)
        self.assertIn("colour", err)
        self.assertIn(os.path.basename(dog.config), err)
        dog.notice("reload-failed")
        dog.moved()
        dog.decision("migrate")

    def test_check(self):
        node, dog = self.pair()
        env = {"PATH": os.path.dirname(daemon()) + ":" + os.environ["PATH"]}
        out, _ = self.ctl(dog, "check", dog.config, env=env)
        self.assertIn("[watchdog]", out)
        bad = os.path.join(self.directory, "bad.conf")
        with open(bad, "w") as file:
            file.write("[watchdog]\ncolour = red\n")
        out, err = self.ctl(dog, "check", bad, env=env, status=1)
        self.assertIn("bad.conf:2", err)


class Notify(ControlCase):
    def test_by_the_control_socket(self):
        node, dog = self.pair()
        self.ctl(dog, "notify", "rebind", "--peers", "p1@h", "--reason", "tested")
        self.assertIn("tested", dog.decision("migrate")["reason"])

    def test_straight_to_the_notify_socket(self):
        node, dog = self.pair()
        self.ctl(dog, "notify", "rebind", "--peers", "*", socket_path=dog.notify_path)
        dog.decision("migrate")

    def test_never_waits_for_a_daemon_that_hangs(self):
        node, dog = self.pair()
        dog.process.send_signal(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            for number in range(40):
                run = subprocess.run([ctl_program(), "--socket", dog.notify_path, "notify", "rebind",
                                      "--peers", f"p1@h x{number}"], capture_output=True, timeout=20)
                self.assertIn(run.returncode, (0, 1))
                if run.returncode:
                    break
            self.assertEqual(run.returncode, 1, "a full queue is said")
            self.assertLess(time.monotonic() - begin, 20 * PATIENCE)
        finally:
            dog.process.send_signal(signal.SIGCONT)

    def test_without_the_trigger(self):
        node, dog = self.pair(triggers={"srtt": {}})
        _, err = self.ctl(dog, "notify", "up", "wg0", status=1)
        self.assertIn("[trigger:tunnel]", err)

    @cases({"event": ("rebnd", "wg0"), "nobody": ("rebind",),
            "line end": ("rebind", "wg0\nPEERS=*")})
    def test_usage(self, *words):
        node, dog = self.pair()
        self.ctl(dog, "notify", *words, status=2)


class Decisions(ControlCase):
    def three(self):
        node, dog = self.pair(peers=3)
        node.on("migrate_peer", lambda r: r.answer({}))
        dog.moved("p1@h")
        dog.outcome("migrated")
        dog.moved("p2@h")
        dog.outcome("migrated", nth=2)
        self.client(dog).result("hold", peer="p3@h")
        dog.moved("p3@h")
        dog.decision("held")
        return node, dog

    def of(self, client, **params):
        return [(r["record"], r["peer"]) for r in client.result("decisions", **params)["records"]
                if r["record"] == "decision"]

    def test_filters(self):
        node, dog = self.three()
        client = self.client(dog)
        self.assertEqual(len(self.of(client)), 3)
        self.assertEqual(self.of(client, peer="p2*"), [("decision", "p2@h")])
        self.assertEqual(self.of(client, verdict="held"), [("decision", "p3@h")])
        self.assertEqual(len(self.of(client, trigger="tunnel")), 3)
        self.assertEqual(self.of(client, trigger="tunn"), [])
        self.assertEqual(self.of(client, since_us=int(time.time() * 1e6) + 60_000_000), [])
        error = client.error("decisions", verdict="no-such")
        self.assertIn("backing-off", error["message"])

    def test_pages_have_each_once(self):
        node, dog = self.three()
        client = self.client(dog)
        whole = client.result("decisions", limit=256)["records"]
        pages, before = [], 0
        while before is not None:
            page = client.result("decisions", limit=2, before=before)
            pages += page["records"]
            before = page["next"]
        self.assertEqual(pages, whole)
        self.assertEqual([r for r in dog.all if r["record"] in ("decision", "outcome", "effect")][
            :len(whole)], whole[::-1])

    def test_follow(self):
        node, dog = self.pair(peers=2)
        client = self.client(dog)
        client.result("decisions", follow=True, peer="p2@h")
        dog.moved()
        record = client.notice(lambda r: r["record"] == "decision")
        self.assertEqual((record["peer"], record["verdict"]), ("p2@h", "migrate"))
        self.assertEqual(record, dog.decision("migrate", peer="p2@h"))
        client.notice(lambda r: r["record"] == "outcome" and r["peer"] == "p2@h")
        self.assertEqual([n for n in client.notices if n["params"].get("peer") == "p1@h"], [])
        client.result("decisions", follow=False)

    def test_follow_with_the_program(self):
        node, dog = self.pair()
        run = subprocess.Popen([ctl_program(), "--socket", dog.control, "decisions", "-f", "--json"],
                               stdout=subprocess.PIPE, text=True)
        try:
            client = self.client(dog)
            self.wait_until(lambda: os.path.exists(f"/proc/{run.pid}"), "started")
            seen = []
            reader = threading.Thread(target=lambda: seen.append(run.stdout.readline()))
            reader.start()
            nth = 0
            while reader.is_alive():
                dog.moved()
                reader.join(0.3)
                nth += 1
                self.assertLess(nth, 100)
            self.assertEqual(json.loads(seen[0])["record"], "decision")
            client.result("version")
        finally:
            run.kill()
            run.wait()
            run.stdout.close()

    def test_of_the_stop(self):
        node, dog = self.pair(watchdog={"migrate_timeout": "10min", "timeout_max": "10min"})
        node.on("migrate_peer", lambda r: None)
        client = self.client(dog)
        client.result("decisions", follow=True)
        dog.moved()
        dog.decision("migrate")
        node.wait_request("migrate_peer")
        dog.terminate()
        client.notice(lambda r: r.get("outcome") == "unanswered")


class Program(ControlCase):
    def test_help_and_version(self):
        for word in ("--help", "--version"):
            run = subprocess.run([ctl_program(), word], capture_output=True, text=True)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertIn("pathdogctl", run.stdout)

    @cases({"nothing": (), "command": ("statsu",), "option": ("status", "--by", "x"),
            "too much": ("status", "now"), "too little": ("explain",), "hold whom": ("hold",),
            "both": ("hold", "p1", "--all"), "by": ("migrate", "p1@h", "--by", "magic"),
            "for": ("hold", "p1@h", "--for", "soon"), "limit": ("decisions", "-n", "0"),
            "since": ("decisions", "--since", "once"), "mode": ("mode", "lazy"),
            "unknown option": ("--colour", "status")})
    def test_usage(self, *words):
        run = subprocess.run([ctl_program(), *words], capture_output=True, text=True)
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertEqual(run.stdout, "")

    def test_did_you_mean(self):
        run = subprocess.run([ctl_program(), "statsu"], capture_output=True, text=True)
        self.assertIn("did you mean status", run.stderr)

    def test_no_daemon(self):
        path = os.path.join(self.directory, "nobody.sock")
        run = subprocess.run([ctl_program(), "-s", path, "status"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 3)
        self.assertIn("no such socket", run.stderr)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        run = subprocess.run([ctl_program(), "-s", path, "status"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 3)
        self.assertIn("not running", run.stderr)

    def test_no_colours_in_a_pipe(self):
        node, dog = self.pair()
        self.ctl(dog, "mode", "observe")
        self.assertNotIn("\033", self.ctl(dog, "status")[0])

    def in_a_terminal(self, dog, env):
        main, side = os.openpty()
        with subprocess.Popen([ctl_program(), "-s", dog.control, "status"], stdout=side,
                              env={**os.environ, "TERM": "xterm", **env}) as run:
            os.close(side)
            out = b""
            while True:
                try:
                    piece = os.read(main, 65536)
                except OSError:
                    break
                if not piece:
                    break
                out += piece
            run.wait()
        os.close(main)
        return out

    def test_colours_in_a_terminal(self):
        node, dog = self.pair()
        self.assertIn(b"\033[", self.in_a_terminal(dog, {"NO_COLOR": ""}))
        self.assertNotIn(b"\033[", self.in_a_terminal(dog, {"NO_COLOR": "1"}))


COMPLETION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib",
                          "completion")


class Completion(ControlCase):
    def complete(self, dog, line, breaks=" \t\n\"'><=;|&(:@"):
        """What bash would offer at the end of `line`."""
        script = ('source "$1"; COMP_LINE=$2; COMP_POINT=${#2}; COMP_WORDBREAKS=$3; _pathdogctl; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        run = subprocess.run(
            ["bash", "--norc", "-c", script, "bash", os.path.join(COMPLETION, "pathdogctl.bash"),
             line.replace("$S", dog.control), breaks], capture_output=True, text=True, timeout=30,
            env={**os.environ, "PATH": os.path.dirname(ctl_program()) + ":" + os.environ["PATH"]})
        self.assertEqual(run.stderr, "")
        return [word for word in run.stdout.split("\n") if word]

    def test_bash(self):
        node = self.node()
        for conn, name in enumerate(("bravo@10.0.0.2", "bravo@10.0.0.3", "char:lie@h", "a b@h"), 1):
            node.add(name, conn)
        dog = self.dog(node)
        dog.wait_record("peer", nth=4, state="up")
        line = "pathdogctl -s $S "
        self.assertIn("explain", self.complete(dog, line))
        self.assertEqual(self.complete(dog, line + "st"), ["status"])
        self.assertEqual(self.complete(dog, line + "explain br"), ["bravo@10.0.0.2", "bravo@10.0.0.3"])
        self.assertEqual(self.complete(dog, line + "migrate bravo@10.0.0.3"), ["10.0.0.3"])
        self.assertEqual(self.complete(dog, line + "migrate bravo@10.0.0.3", " "), ["bravo@10.0.0.3"])
        self.assertEqual(self.complete(dog, line + "hold char:l"), ["lie@h"])
        self.assertEqual(self.complete(dog, line + "hold a"), ["a\\ b@h"])
        self.assertEqual(self.complete(dog, line + "migrate x --by m"), ["migrate"])
        self.assertEqual(self.complete(dog, line + "mode "), ["active", "observe"])
        self.assertEqual(self.complete(dog, line + "notify re"), ["rebind"])
        self.assertIn("lo", self.complete(dog, line + "notify rebind "))
        self.assertIn("--absent", self.complete(dog, line + "hold --a"))
        self.assertEqual(self.complete(dog, line + "decisions --verdict coo"), ["cooling"])

    def test_bash_without_a_daemon(self):
        dog = self.dog(self.node(start=False), start=False)
        self.assertEqual(self.complete(dog, "pathdogctl -s $S explain "), [])

    def test_every_command_and_option_is_there(self):
        """What --help says is in both files."""
        text = subprocess.run([ctl_program(), "--help"], capture_output=True, text=True).stdout
        words = set(re.findall(r"--[a-z-]+", text)) | set(re.findall(r"^  ([a-z]+)", text, re.M))
        self.assertIn("migrate", words)
        for name in ("pathdogctl.bash", "_pathdogctl"):
            with open(os.path.join(COMPLETION, name)) as file:
                have = file.read()
            self.assertEqual([word for word in words if word not in have], [], name)

    def test_verdicts_are_those_of_the_daemon(self):
        dog = self.dog(self.node(start=False))
        message = self.client(dog).error("decisions", verdict="x")["message"]
        for name in ("pathdogctl.bash", "_pathdogctl"):
            with open(os.path.join(COMPLETION, name)) as file:
                have = file.read().split("verdicts=", 1)[1][:300]
            for verdict in message.split("there are ")[1].split(", "):
                self.assertIn(verdict, have, name)


class Socket(ControlCase):
    def test_mode(self):
        dog = self.dog(self.node(start=False))
        self.assertEqual(stat.S_IMODE(os.stat(dog.control).st_mode), 0o660)

    def test_gone_at_the_end(self):
        dog = self.dog(self.node(start=False))
        self.assertEqual(dog.terminate(), 0)
        self.assertFalse(os.path.exists(dog.control))

    def test_a_stale_one_is_replaced(self):
        node = self.node(start=False)
        dog = self.dog(node, start=False)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(dog.control)
        dog.start()
        self.client(dog).result("version")

    def test_one_that_lives_is_not(self):
        dog = self.dog(self.node(start=False), start=False)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(dog.control)
            other.listen(1)
            dog.start()
            self.assertIn("somebody else", dog.notice("control-socket")["text"])
            self.assertEqual(dog.terminate(), 0)
            self.assertTrue(os.path.exists(dog.control))
        self.finish_with = {}

    def test_a_file_is_not(self):
        dog = self.dog(self.node(start=False), start=False)
        with open(dog.control, "w") as file:
            file.write("precious")
        dog.start()
        self.assertEqual(dog.notice("control-socket")["level"], "error")
        with open(dog.control) as file:
            self.assertEqual(file.read(), "precious")

    def test_without_a_directory_all_else_goes_on(self):
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, {"control": os.path.join(self.directory, "none", "c.sock")})
        dog.notice("control-socket")
        dog.wait_record("peer", state="up")
        dog.moved()
        dog.outcome("migrated")

    def test_passed_by_systemd(self):
        node = self.node(start=False)
        path = os.path.join(self.directory, "passed.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(8)
        dog = self.dog(node, start=False)
        # what systemd does: descriptor 3, and the pid that it is meant for
        dog.prefix = [sys.executable, "-c", "import os, sys; os.dup2(%d, 3); os.environ.update("
                      "LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='control'); "
                      "os.execv(sys.argv[1], sys.argv[1:])" % listener.fileno()] + dog.prefix
        popen = subprocess.Popen
        os.set_inheritable(listener.fileno(), True)
        try:
            subprocess.Popen = lambda *a, **k: popen(*a, close_fds=False, **k)
            dog.start()
        finally:
            subprocess.Popen = popen
        client = Client(path)
        self.clients.append(client)
        client.result("version")
        self.assertFalse(os.path.exists(dog.control))
        self.assertEqual(dog.terminate(), 0)
        self.assertTrue(os.path.exists(path), "it is systemd's to remove")
        listener.close()


class Abuse(ControlCase):
    """Whatever clients do, the daemon does its work, and answers the next one."""

    def alive(self, node, dog):
        count = len(dog.records("outcome"))
        dog.moved()
        dog.wait_for(lambda: len(dog.records("outcome")) > count, what="a further outcome")
        self.assertEqual(self.client(dog).result("status")["n_peers"], 1)

    @cases({"text": b"hello\n", "array": b"[]\n", "number": b"7\n", "no id":
            b'{"jsonrpc":"2.0","method":"status"}\n', "an answer": b'{"jsonrpc":"2.0","id":1,'
            b'"result":{}}\n', "object id": b'{"jsonrpc":"2.0","id":{},"method":"status"}\n',
            "params": b'{"jsonrpc":"2.0","id":1,"method":"status","params":[1]}\n',
            "nul": b"\0\0\0\n", "bytes": bytes(range(128, 256)) + b"\n", "deep": b"[" * 60000 + b"\n",
            "method": b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 60000 + b'"}\n'})
    def test_rubbish(self, line):
        node, dog = self.pair()
        client = self.client(dog)
        client.send(line)
        self.assertIn("error", client.answer())
        self.assertIn("result", client.ask("version"))
        client.send(b"rubbish\n" * 10)
        while client.line() is not None:
            pass
        self.alive(node, dog)

    @cases({"unknown": ("status", {"x": 1}), "type": ("explain", {"peer": 7}),
            "empty": ("explain", {"peer": ""}), "missing": ("explain", {}),
            "long": ("explain", {"peer": "x" * 256}), "control": ("explain", {"peer": "a\nb"}),
            "nul": ("explain", {"peer": "a\0b"}), "negative": ("peers", {"after": -1}),
            "fraction": ("peers", {"limit": 1.5}), "huge": ("hold", {"peer": "p1@h", "for_us": 2**70}),
            "flag": ("hold", {"all": "yes"}), "by": ("migrate", {"peer": "p1@h", "by": "magic"}),
            "zero": ("hold", {"peer": "p1@h", "for_us": 0}), "mode": ("mode", {"mode": "lazy"})})
    def test_bad_arguments(self, method, params):
        node, dog = self.pair()
        client = self.client(dog)
        error = client.error(method, **params)
        self.assertEqual(error["code"], -32602, error)
        self.assertGreater(len(error["message"]), 10)
        self.alive(node, dog)

    def test_a_line_without_end(self):
        node, dog = self.pair()
        client = self.client(dog)
        try:
            for _ in range(64):
                client.send(b"x" * 65536)
        except OSError:
            pass
        try:
            answer = client.line()
        except OSError:
            answer = None
        if answer is not None:
            self.assertIn("longer", answer["error"]["message"])
            self.assertIsNone(client.line())
        self.alive(node, dog)

    def test_one_byte_at_a_time(self):
        node, dog = self.pair()
        client = self.client(dog)
        for byte in b'{"jsonrpc":"2.0","id":1,"method":"version"}\n':
            client.send(bytes([byte]))
        self.assertIn("result", client.answer())

    def test_many_in_one_piece(self):
        node, dog = self.pair()
        client = self.client(dog)
        client.send(b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"version"}\n' % i
                             for i in range(1, 1001)))
        self.assertEqual([client.answer()["id"] for _ in range(1000)], list(range(1, 1001)))

    def test_asks_and_closes_its_end(self):
        node, dog = self.pair()
        client = self.client(dog)
        client.send(b'{"jsonrpc":"2.0","id":1,"method":"status"}\n' * 20)
        client.sock.shutdown(socket.SHUT_WR)
        for _ in range(20):
            self.assertIn("result", client.answer())
        self.assertIsNone(client.line())

    def test_one_that_does_not_read(self):
        node, dog = self.pair()
        client = self.client(dog)
        client.sock.setblocking(False)
        sent = 0
        line = b'{"jsonrpc":"2.0","id":1,"method":"explain","params":{"peer":"p1@h"}}\n' * 100
        try:
            while sent < 64 << 20:
                sent += client.sock.send(line)
        except BlockingIOError:
            pass
        self.assertLess(sent, 64 << 20, "it is not read without end")
        self.alive(node, dog)
        with open(f"/proc/{dog.process.pid}/status") as file:
            memory = next(int(word.split()[1]) for word in file if word.startswith("VmRSS"))
        self.assertLess(memory, 400_000, "kB")

    def test_a_follower_that_does_not_read(self):
        node, dog = self.pair(role="server")
        client = self.client(dog)
        client.result("decisions", follow=True)
        other = self.client(dog)
        asked = 0
        for _ in range(100):  # more bytes than are kept for one client
            lines = [json.dumps({"jsonrpc": "2.0", "id": asked + i, "method": "migrate",
                                 "params": {"peer": "p1@h"}}) for i in range(100)]
            other.send("\n".join(lines) + "\n")
            for _ in lines:
                self.assertEqual(other.answer()["result"]["decision"]["verdict"], "inbound")
            asked += len(lines)
        dog.wait_record("decision", nth=asked)
        seen, dropped = 0, 0
        while seen + dropped < asked:
            message = client.line()
            if message["method"] == "dropped":
                dropped += message["params"]["count"]
            else:
                seen += 1
        self.assertEqual((seen, dropped), (asked, 0), "they waited as records")

    def test_a_thousand_clients(self):
        node, dog = self.pair()
        crowd, refused = [], 0
        for _ in range(1000):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(dog.control)  # waits while the queue of the listener is full
            sock.settimeout(10 * PATIENCE)
            crowd.append(sock)
        for sock in crowd:
            try:
                sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"version"}\n')
            except OSError:
                pass
        for sock in crowd:
            line = b""
            while not line.endswith(b"\n"):
                try:
                    piece = sock.recv(65536)
                except ConnectionResetError:
                    break
                if not piece:
                    break
                line += piece
            message = json.loads(line)
            refused += "error" in message
            if "error" in message:
                self.assertIn("64 clients", message["error"]["message"])
        self.assertEqual(refused, 1000 - 64)
        for sock in crowd:
            sock.close()
        self.wait_until(lambda: "result" in (Client(dog.control).ask("version") or {}), "room again")
        self.alive(node, dog)

    def test_no_descriptors_left(self):
        """It cannot let anybody in, then it can: nothing is lost but time."""
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, start=False)
        dog.prefix = ["prlimit", "--nofile=40:40"] + dog.prefix
        dog.start()
        dog.wait_record("peer", state="up")
        crowd = []
        for _ in range(50):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(10 * PATIENCE)
            sock.connect(dog.control)
            crowd.append(sock)
        dog.moved()
        dog.outcome("migrated")
        with open(f"/proc/{dog.process.pid}/stat") as file:
            before = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
        time.sleep(0.5)  # a loop that spins would show
        with open(f"/proc/{dog.process.pid}/stat") as file:
            after = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
        self.assertLess(after - before, 25, "ticks of 10 ms")
        for sock in crowd:
            sock.close()
        self.alive(node, dog)

    def test_gone_in_the_middle(self):
        node, dog = self.pair()
        for cut in (1, 10, 30, 43):
            client = Client(dog.control)
            client.send(b'{"jsonrpc":"2.0","id":1,"method":"version"}\n'[:cut])
            client.close()
        for _ in range(50):
            client = Client(dog.control)
            client.send(b'{"jsonrpc":"2.0","id":1,"method":"peers"}\n' * 50)
            client.close()
        follower = Client(dog.control)
        follower.result("decisions", follow=True)
        follower.close()
        self.alive(node, dog)


if __name__ == "__main__":
    unittest.main()
