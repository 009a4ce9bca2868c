# SPDX-License-Identifier: Apache-2.0
"""The control socket: what it tells and what it takes. docs/control.md."""

import json
import os
import subprocess
import threading

from case import cases
from control_case import ControlCase, ctl_program
from node import PATIENCE
from watchdog import daemon


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
        node, dog = self.pair(triggers={"tunnel": {}, "stall": {}})
        node.wait_rounds(3)
        self.assertEqual(self.reasons(dog), {})

    @cases({"tunnel": ({"tunnel": {}}, True), "send errors": ({"send-errors": {}}, True),
            "stall": ({"srtt": {}, "stall": {}}, False),
            "stall for some": ({"srtt": {}, "stall:some": {"match": "x*"}}, False)})
    def test_no_trigger_notices_a_dead_path(self, triggers, said):
        node, dog = self.pair(triggers=triggers)
        self.assertEqual("no-dead-trigger" in self.reasons(dog), said)
        self.assertEqual("no enabled trigger can notice a dead path" in self.ctl(dog, "status")[0],
                         said)

    def test_node_is_not_there(self):
        dog = self.dog(self.node(start=False))
        dog.wait_record("node", state="down")
        self.assertIn("node-down", self.reasons(dog))
        out, _ = self.ctl(dog, "status")
        self.assertEqual(out.count("there is no "), 1, out)  # why, and only once
        self.assertTrue(out.splitlines()[0].startswith("Node "), out)
        self.assertIn("there is no ", out.splitlines()[0])

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
        out, _ = self.ctl(dog, "hold", "p2")
        self.assertIn("p2@h", out)
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
        self.assertIn("taken back if the advice leads elsewhere", gate["text"])

    def test_says_what_the_gate_then_does(self):
        """Every verdict foretold is the one given, one state after the other."""
        node, dog = self.pair(peers=1)
        client = self.client(dog)

        def released():
            client.result("release", peer="p1@h")
            dog.outcome("migrated", nth=2)  # what it missed

        steps = [(1, lambda: None), (2, lambda: client.result("hold", peer="p1@h")),
                 (4, released), (5, lambda: client.result("mode", mode="observe"))]
        for nth, step in steps:
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
        "by reconnect": (("bind", "relay", "reconnect"), {"via": "hub", "by": "reconnect"}, "migrate"),
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
        dog.decision("migrate")  # without another word: what it missed
        dog.outcome("migrated")

    def held_and_dead(self):
        """A peer whose path died while it was held, so that its move was refused."""
        node, dog = self.pair(triggers={"stall": {}, "tunnel": {}},
                              watchdog={"sample_interval": "100ms"})
        client = self.client(dog)
        client.result("hold", peer="p1@h")
        with self.cv:
            node.columns = ["conn", "srtt_us", "rtt_samples", "in_flight_bytes"]
            node.peers[1].advance = False
            node.peers[1].set(srtt_us=20000, in_flight_bytes=5000)
        self.assertEqual(dog.decision("held")["kind"], "dead")
        return node, dog, client

    def test_a_dead_path_is_left_when_the_hold_ends(self):
        node, dog, client = self.held_and_dead()
        client.result("hold", peer="p1@h", for_us=50_000)  # in the place of the one without end
        self.assertEqual(dog.decision("migrate")["kind"], "dead")

    def test_what_has_recovered_is_left_alone(self):
        node, dog, client = self.held_and_dead()
        with self.cv:
            node.peers[1].advance = True
        self.wait_until(lambda: client.result("explain", peer="p1@h")["remembered"] is None,
                        "progress")
        self.assertNotIn("n_missed", client.result("release", peer="p1@h"))

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
        self.assertIn("2 peers missed", self.ctl(dog, "release", "--all")[0])
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
        self.assertIn("1 peer missed", self.ctl(dog, "mode", "active")[0])
        dog.decision("migrate")

    def test_who_it_was_is_noticed(self):
        node, dog = self.pair()
        self.ctl(dog, "mode", "observe")
        self.assertIn(f"uid {os.getuid()}", dog.notice("mode")["text"])

    def test_who_it_was_for(self):
        """root and pathdog's own user say for whom they ask; there is no way back from there."""
        node, dog = self.pair()
        client = self.client(dog)
        self.assertEqual(client.result("as", uid=70001), {"uid": 70001})
        client.result("mode", mode="observe")
        self.assertIn("uid 70001", dog.notice("mode")["text"])
        client.result("mode", mode="active")
        self.assertEqual(client.result("migrate", peer="p1@h")["decision"]["reason"], "asked by uid 70001")
        error = client.error("as", uid=0)
        self.assertEqual(error["code"], -32041)
        for uid in (2**32 - 1, 2**40, -1, "0"):
            self.assertEqual(self.client(dog).error("as", uid=uid)["code"], -32602, uid)
        self.finish_with = {"whole": False}  # the move is on its way

    def test_reload(self):
        node, dog = self.pair()
        dog.sections["watchdog"]["mode"] = "observe"
        dog.write_config()
        self.ctl(dog, "reload")
        self.assertEqual(self.client(dog).result("mode")["mode"], "observe")

    def test_reload_of_what_only_a_restart_can_change(self):
        node, dog = self.pair()
        here = dog.sections["watchdog"]["node"]
        dog.sections["watchdog"].update(node="/run/elsewhere.sock", mode="observe")
        dog.write_config()
        for _ in range(2):  # the second time it has not come into force either
            out, _ = self.ctl(dog, "reload", status=1)
            self.assertIn(f"not in force before a restart (systemctl restart pathdog): node is "
                          f"still {here}, and not /run/elsewhere.sock\n", out)
        self.assertEqual(self.client(dog).result("mode")["mode"], "observe")  # all else is
        dog.sections["watchdog"]["node"] = here
        dog.write_config()
        self.ctl(dog, "reload")
        self.assertEqual(self.client(dog).result("reload"), {"reloaded": True})

    def test_release_of_what_is_not_held(self):
        node, dog = self.pair(peers=2)
        _, err = self.ctl(dog, "release", "p1@h", status=1)
        self.assertIn("nothing to release: p1@h is not held by name\n", err)
        self.ctl(dog, "hold", "p2@h")
        _, err = self.ctl(dog, "release", "--all", status=1)
        self.assertIn("\"hold --all\" is not in force; 1 peer is held by name", err)
        self.ctl(dog, "hold", "--all")
        _, err = self.ctl(dog, "release", "p1@h", status=1)
        self.assertIn("p1@h is not held by name, but all peers are", err)
        self.ctl(dog, "release", "--all")
        self.assertFalse(self.client(dog).result("release", peer="p1@h")["held"])  # for programs

    def test_a_prefix_is_said_on_a_terminal_only(self):
        node, dog = self.pair()
        out, err = self.ctl(dog, "explain", "p1")
        self.assertIn("p1@h", out)
        self.assertEqual(err, "")
        main, terminal = os.openpty()
        self.addCleanup(os.close, main)
        subprocess.run([ctl_program(), "--socket", dog.control, "explain", "p1"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=terminal)
        os.close(terminal)
        self.assertIn(b"\"p1\" is taken for p1@h", os.read(main, 4096))

    def test_help(self):
        node, dog = self.pair()
        out, _ = self.ctl(dog, "help", socket_path="/nowhere")
        self.assertIn("release PEER|--uplink NAME|--all", out)
        self.assertIn("help [COMMAND]", out)
        out, _ = self.ctl(dog, "help", "hold", socket_path="/nowhere")
        self.assertIn("hold PEER|--uplink NAME|--all [--for 10min]", out)
        self.assertNotIn("release", out)
        _, err = self.ctl(dog, "help", "hodl", status=2)
        self.assertIn("did you mean hold?", err)
        self.assertEqual(self.ctl(dog, "hold", "p1@h", "--help", socket_path="/nowhere")[0],
                         self.ctl(dog, "help", "hold", socket_path="/nowhere")[0])
        self.assertIn("--source auto|journal|daemon",
                      self.ctl(dog, "report", "--help", socket_path="/nowhere")[0])
        self.assertIn("1 something needs attention",
                      self.ctl(dog, "help", "status", socket_path="/nowhere")[0])

    def test_globs_of_peers(self):
        node, dog = self.pair(peers=12)
        dog.moved()
        dog.decision("migrate", nth=12)
        out, _ = self.ctl(dog, "decisions", "--peer", "p1*@h", "--json")
        self.assertEqual({json.loads(line)["peer"] for line in out.splitlines()},
                         {"p1@h", "p10@h", "p11@h", "p12@h"})

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
