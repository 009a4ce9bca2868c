# SPDX-License-Identifier: Apache-2.0
"""pathdog-varlink with varlinkctl, systemd's own client. docs/varlink.md. Where the program is not built, the
tests are not in the list: varlink_case.py says why."""

import os
import subprocess
import threading

from case import cases
from node import PATIENCE
from varlink_case import INTERFACE, VarlinkCase, listed, varlink_program

HERE = os.path.dirname(os.path.abspath(__file__))


def load_tests(loader, tests, pattern):
    return listed(tests)


def members(value, path=""):
    """The names of all members, as paths; of a list, those of its first element."""
    if isinstance(value, dict):
        return {p for k, v in value.items() for p in {f"{path}.{k}"} | members(v, f"{path}.{k}")}
    return members(value[0], path + "[]") if isinstance(value, list) and value else set()


class Interface(VarlinkCase):
    def test_is_what_the_program_says(self):
        node, dog, path = self.three()
        there = self.varlinkctl("introspect", path, INTERFACE)
        said = subprocess.run([varlink_program(), "--interface"], capture_output=True, text=True, check=True).stdout
        with open(os.path.join(HERE, "..", "..", "contrib", "varlink", f"{INTERFACE}.varlink")) as file:
            self.assertEqual(file.read(), said, "contrib/varlink has what the program prints")
        self.assertIn("method FollowDecisions(", there)
        self.assertEqual([line for line in there.splitlines() if line.startswith(("method", "type", "error"))],
                         [line for line in said.splitlines() if line.startswith(("method", "type", "error"))])
        self.varlinkctl("validate-idl", os.path.join(HERE, "..", "..", "contrib", "varlink", f"{INTERFACE}.varlink"))

    def test_methods(self):
        node, dog, path = self.three()
        listed = self.varlinkctl("list-methods", path, INTERFACE).split()
        self.assertEqual(sorted(name.rsplit(".", 1)[-1] for name in listed),
                         ["Explain", "FollowDecisions", "GetStatus", "Hold", "ListPeers", "ListRelays", "ListUplinks",
                          "Migrate", "Release", "Reload", "SetMode"])
        self.assertIn("pathdog", self.varlinkctl("info", path))

    @cases({"option": (("--nothing",), 2), "value": (("--socket",), 2), "argument": (("x",), 2),
            "idle": (("--idle", "-1"), 2), "no socket": ((), 2), "socket": (("--listen", "/"), 2),
            "help": (("--help",), 0), "version": (("--version",), 0)})
    def test_arguments(self, words, status):
        run = subprocess.run([varlink_program(), *words], capture_output=True, text=True, timeout=20 * PATIENCE)
        self.assertEqual(run.returncode, status, run.stderr)
        self.assertEqual(bool(run.stderr), bool(status))


class Questions(VarlinkCase):
    def test_status(self):
        node, dog, path = self.three(peers=3)
        status, told = self.call(path, "GetStatus")["status"], self.client(dog).result("status")
        self.assertEqual(status["n_peers"], 3)
        self.assertEqual(status["run"], told["run"])
        # All that the control socket has: what is new there belongs into the interface, too.
        self.assertEqual(members(status), members(told))

    def test_explain(self):
        node, dog, path = self.three()
        explanation = self.call(path, "Explain", {"peer": "p1@h"})["explanation"]
        self.assertEqual(members(explanation), members(self.client(dog).result("explain", peer="p1@h")))
        self.assertEqual(explanation["peer"], "p1@h")

    def test_uplinks_and_relays(self):
        node, dog, path = self.three(features=["relay"])
        node.notify("relays", relays=[{"relay": "fra", "address": "198.51.100.7:4433"}])
        client = self.client(dog)
        self.wait_until(lambda: client.result("relays")["relays"], "the relay is known")
        for method, name in (("ListUplinks", "uplinks"), ("ListRelays", "relays")):
            told, reply = client.result(name), self.call(path, method)
            self.assertEqual(members(told[name]), members(reply[name]))
            self.assertEqual([row[name[:-1]] for row in told[name]], [row[name[:-1]] for row in reply[name]])

    def test_peers_in_pages(self):
        node, dog, path = self.three(peers=600)
        pages = self.call(path, "ListPeers", more=True)
        self.assertGreaterEqual(len(pages), 3)
        names = [peer["peer"] for page in pages for peer in page["peers"]]
        self.assertEqual(sorted(names), sorted(f"p{n}@h" for n in range(1, 601)))
        self.assertEqual([page["next"] is None for page in pages], [False] * (len(pages) - 1) + [True])
        self.assertEqual(members(pages[0]["peers"][0]), members(self.client(dog).result("peers")["peers"][0]))
        found, page = [], {"next": None}
        while not found or page["next"] is not None:  # one page a call
            page = self.call(path, "ListPeers", {"after": page["next"], "match": "p59?@h"})
            found += [peer["peer"] for peer in page["peers"]]
        self.assertEqual(sorted(found), sorted(f"p59{n}@h" for n in range(10)))

    def test_no_peers(self):
        node, dog, path = self.three(peers=0)
        self.assertEqual(self.call(path, "ListPeers", more=True), [{"peers": [], "next": None}])


class Commands(VarlinkCase):
    def test_migrate_waits(self):
        node, dog, path = self.three()
        node.on("migrate_peer", lambda r: r.answer({"local": "127.0.0.1:9999"}))
        outcome = self.call(path, "Migrate", {"peer": "p1@h"})["outcome"]
        self.assertEqual((outcome["outcome"], outcome["local_after"]), ("migrated", "127.0.0.1:9999"))
        self.assertEqual(dog.decision("migrate")["reason"], f"asked by uid {os.getuid()}")

    def test_migrate_tells_how_far_it_is(self):
        node, dog, path = self.three()
        answer = threading.Event()
        node.on("migrate_peer", lambda r: (answer.wait(20 * PATIENCE), r.answer({})))
        client = self.raw(path)
        client.send("Migrate", {"peer": "p1@h"}, more=True)
        first = client.reply()
        self.assertTrue(first["continues"])
        self.assertEqual(first["parameters"]["decision"]["verdict"], "migrate")
        answer.set()
        last = client.reply()
        self.assertFalse(last.get("continues"))
        self.assertEqual(last["parameters"]["outcome"]["outcome"], "migrated")
        self.assertEqual(last["parameters"]["outcome"]["decision"], first["parameters"]["decision"]["decision"])

    def test_migrate_need_not_wait(self):
        node, dog, path = self.three()
        node.on("migrate_peer", lambda r: None)
        self.assertEqual(self.call(path, "Migrate", {"peer": "p1@h", "wait": False})["decision"]["verdict"], "migrate")
        self.finish_with = {"whole": False}

    def test_migrate_that_is_refused(self):
        node, dog, path = self.three(role="server")
        error = self.call(path, "Migrate", {"peer": "p1@h"}, status=1)
        self.assertIn(f"{INTERFACE}.NotMoved", error)
        values, name = self.raw(path).call("Migrate", peer="p1@h")
        self.assertEqual((name, values["decision"]["verdict"]), (f"{INTERFACE}.NotMoved", "inbound"))
        self.assertIn("RFC 9000", values["message"])

    def test_migrate_that_fails(self):
        node, dog, path = self.three()
        node.on("migrate_peer", lambda r: r.error(-32007, "no_path"))
        values, name = self.raw(path).call("Migrate", peer="p1@h")
        self.assertEqual((name, values["outcome"]["outcome"]), (f"{INTERFACE}.MoveFailed", "no-path"))
        self.assertEqual(values["outcome"]["error"], {"code": -32007, "message": "no_path"})

    def test_hold_and_release(self):
        node, dog, path = self.three()
        held = self.call(path, "Hold", {"peer": "p1@h", "for_us": 600_000_000})
        self.assertEqual((held["held"], held["n_held"], held["names"]), (True, 1, ["p1@h"]))
        dog.notice("hold")
        self.assertFalse(self.call(path, "Release", {"peer": "p1@h"})["held"])
        self.assertIn("Refused", self.call(path, "Release", {"peer": "p1@h"}, status=1))
        self.assertTrue(self.call(path, "Hold", {"all": True})["all_held"])

    def test_mode(self):
        node, dog, path = self.three()
        self.assertEqual(self.call(path, "SetMode", {"mode": "observe"}), {"mode": "observe", "before": "active"})
        self.assertEqual(self.call(path, "SetMode", {"mode": "active"})["before"], "observe")

    def test_reload(self):
        node, dog, path = self.three()
        self.assertTrue(self.call(path, "Reload")["reloaded"])
        with open(dog.config, "a") as file:
            file.write("[nonsense\n")
        self.assertIn("Refused", self.call(path, "Reload", status=1))
        values, name = self.raw(path).call("Reload")
        self.assertIn(os.path.basename(dog.config), values["message"])

    @cases({"peer": ("Explain", {"peer": "p1"}, "NoSuchPeer", "p1@h"),
            "two": ("Hold", {"peer": "p1@h", "all": True}, "BadParameter", "exactly one"),
            "none": ("Hold", {}, "BadParameter", "exactly one"),
            "uplink": ("Hold", {"uplink": "nowhere"}, "Refused", "there is no uplink"),
            "verdict": ("FollowDecisions", {"verdict": "no-such"}, "BadParameter", "backing-off"),
            "last": ("FollowDecisions", {"last": 257}, "BadParameter", "256"),
            "long": ("Explain", {"peer": "x" * 70_000}, "BadParameter", "longer"),
            "control": ("Explain", {"peer": "a\u001bb"}, "BadParameter", "printable")})
    def test_errors(self, method, parameters, error, what):
        node, dog, path = self.three()
        client = self.raw(path)
        client.send(method, parameters, more=method == "FollowDecisions")
        reply = client.reply()
        self.assertEqual(reply["error"], f"{INTERFACE}.{error}", reply)
        self.assertIn(what, str(reply["parameters"]))

    @cases({"type": ("Explain", {"peer": 1}, "peer"), "missing": ("Explain", {}, "peer"),
            "word": ("SetMode", {"mode": "fast"}, "mode")})
    def test_parameters(self, method, parameters, bad):
        node, dog, path = self.three()
        values, error = self.raw(path).call(method, **parameters)
        self.assertEqual((error, values["parameter"]), ("org.varlink.service.InvalidParameter", bad))

    def test_follow_needs_more(self):
        node, dog, path = self.three()
        self.assertEqual(self.raw(path).call("FollowDecisions")[1], "org.varlink.service.ExpectedMore")


class Follow(VarlinkCase):
    def follow(self, path, **parameters):
        """(the client, what came before it was ready)"""
        client, before = self.raw(path), []
        client.send("FollowDecisions", parameters, more=True)
        while True:
            reply = client.reply()
            self.assertTrue(reply.get("continues"), reply)
            if reply["parameters"].get("ready"):
                return client, before
            before.append(reply["parameters"])

    def test_what_is_kept_then_what_comes(self):
        node, dog, path = self.three(peers=3)
        node.on("migrate_peer", lambda r: r.answer({}))
        for number, name in enumerate(("p1@h", "p2@h"), 1):
            dog.moved(name)
            dog.outcome("migrated", nth=number)
            dog.effect(nth=number)
        client, before = self.follow(path, last=256)
        kept = self.client(dog).result("decisions", limit=256)["records"]
        self.assertEqual([list(values)[0] for values in before], [r["record"] for r in reversed(kept)])
        self.assertEqual([values["decision"]["peer"] for values in before if "decision" in values], ["p1@h", "p2@h"])
        dog.moved("p3@h")
        self.assertEqual(client.reply()["parameters"]["decision"]["peer"], "p3@h")
        self.assertEqual(client.reply()["parameters"]["outcome"]["outcome"], "migrated")
        self.assertIn("effect", client.reply()["parameters"])

    def test_only_what_was_asked_for(self):
        node, dog, path = self.three(peers=2)
        client, before = self.follow(path, peer="p2*", last=10)
        self.assertEqual(before, [])
        self.ctl(dog, "hold", "--all")
        dog.moved("p1@h")
        dog.moved("p2@h")
        self.assertEqual(client.reply()["parameters"]["decision"]["peer"], "p2@h")

    def test_all(self):
        node, dog, path = self.three()
        client, _ = self.follow(path, all=True)
        self.ctl(dog, "hold", "--all")
        self.assertEqual(client.reply()["parameters"]["other"]["what"], "hold")

    def test_pathdog_ends(self):
        node, dog, path = self.three()
        client, _ = self.follow(path)
        self.kill_dog(dog)
        reply = client.reply()
        self.assertEqual(reply["error"], f"{INTERFACE}.NotRunning")
        self.assertIn(dog.control, reply["parameters"]["message"])
        self.assertIn("NotRunning", self.call(path, "GetStatus", status=1))  # and it goes on, and says so


class Activation(VarlinkCase):
    def test_by_systemd(self):
        """As systemd does it; it ends when nobody needs it, and the next client finds a new one."""
        node, dog = self.pair()
        path = os.path.join(self.directory, "activated")
        starter = subprocess.Popen(["systemd-socket-activate", "-l", path, "--fdname=varlink", varlink_program(),
                                    "--socket", dog.control, "--idle", "1"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            self.wait_until(lambda: os.path.exists(path), "it listens")
            self.assertEqual(self.call(path, "GetStatus")["status"]["n_peers"], 1)
            self.assertEqual(starter.wait(20 * PATIENCE), 0)  # it has become pathdog-varlink
        finally:
            if starter.poll() is None:
                starter.kill()
            starter.communicate()
