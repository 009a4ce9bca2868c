# SPDX-License-Identifier: Apache-2.0
"""pathdogctl: notices, decisions, the program itself, completion."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from case import cases
from control_case import ControlCase, ctl_program
from node import PATIENCE


class Notify(ControlCase):
    def test_by_the_control_socket(self):
        node, dog = self.pair()
        self.ctl(dog, "notify", "rebind", "--peers", "p1@h", "--reason", "tested")
        self.assertIn("tested", dog.decision("migrate")["reason"])

    def test_nobody_is_concerned(self):
        node, dog = self.pair()
        node.add("far@h", 7, local="127.0.0.1:4000", via="hub")
        dog.wait_record("peer", conn=7)
        for words, what in ((("wg0",), "TUNNEL=wg0"), (("lo", "--peers", "q* r*"), "PEERS=q* r*")):
            _, err = self.ctl(dog, "notify", "rebind", *words, status=1)
            self.assertIn(f"no peer matches {what}", err)
        for words in (("lo",), ("hub",), ("wg0", "--peers", "q* far@h")):
            self.ctl(dog, "notify", "rebind", *words)

    def test_of_an_instance(self):
        for words in (("status",), ("notify", "up", "wg0")):
            run = subprocess.run([ctl_program(), "--instance", "nowhere", *words],
                                 capture_output=True, text=True, timeout=30 * PATIENCE)
            self.assertEqual(run.returncode, 3)
            self.assertIn("/run/pathdog/nowhere/control.sock", run.stderr)

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
                                      "--peers", f"p1@h x{number}"], capture_output=True,
                                     timeout=20 * PATIENCE)
                self.assertIn(run.returncode, (0, 1))
                if run.returncode:
                    break
            self.assertEqual(run.returncode, 1, "a full queue is said")
            self.assertLess(time.monotonic() - begin, 20 * PATIENCE)
        finally:
            dog.process.send_signal(signal.SIGCONT)

    def test_asks_a_daemon_that_hangs_but_shortly(self):
        node, dog = self.pair()
        dog.process.send_signal(signal.SIGSTOP)
        try:
            _, err = self.ctl(dog, "notify", "rebind", "--peers", "*", status=3)
            self.assertIn("has not answered within 3 s", err)
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
        dog.effect(nth=2)  # nothing more comes by itself
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


class Explain(ControlCase):
    def test_the_proof_and_what_else_is_weighed(self):
        node = self.node(features=["reconnect"])
        for column in ("unacked_ms", "silent_ms"):
            node.report(column)
        node.on("migrate_peer", lambda r: None)
        peer = node.add("p1@h", 1)
        dog = self.dog(node, None, {"stall": {}})
        node.wait_rounds(2)
        with self.cv:
            peer.advance = False
            peer.set(in_flight_bytes=5000, unacked_ms=900, silent_ms=900)
        dog.decision("migrate")
        said = self.ctl(dog, "explain", "p1@h")[0]
        self.assertRegex(said, r"stall dead \(silent\): no progress for \d+ ms .* → migrate\n")
        self.assertIn("; the fallback closes it after 20 s without progress: nothing says that a new connection can work\n",
                      said)


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
        self.assertIn("did you mean status?)", run.stderr)

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

    def test_names_that_turn_the_direction_of_writing(self):
        """A node may use them; the terminal is shown none, and commands find them nevertheless."""
        name = "moc\u202e@h"
        node = self.node()
        node.add(name, 1, local="127.0.0.1:9001")
        node.on("migrate_peer", lambda r: r.answer({}))
        dog = self.dog(node, triggers={"tunnel": {}})
        node.wait_subscribed()
        dog.wait_record("peer", state="up", conn=1)
        for words in (("peers",), ("explain", name), ("hold", name), ("release", "moc"),
                      ("migrate", name), ("notify", "moved", "--peers", name), ("decisions",),
                      ("decisions", "--json"), ("peers", "--json"), ("status",)):
            out, err = self.ctl(dog, *words)
            for line in (out + err).split("\n"):
                self.assertTrue(line.isprintable(), repr(line))
        self.assertIn("moc\\u202e@h", self.ctl(dog, "peers")[0])
        self.assertEqual(json.loads(self.ctl(dog, "peers", "--json")[0])["peer"], name)

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
             line.replace("$S", dog.control), breaks], capture_output=True, text=True,
            timeout=30 * PATIENCE,
            env={**os.environ, "PATH": os.path.dirname(ctl_program()) + ":" + os.environ["PATH"]})
        self.assertEqual(run.stderr, "")
        return [word for word in run.stdout.split("\n") if word]

    def complete_fish(self, dog, line):
        """What fish would offer at the end of `line`."""
        script = 'source $argv[1]; complete -C $argv[2]'
        run = subprocess.run(
            ["fish", "--no-config", "-c", script, os.path.join(COMPLETION, "pathdogctl.fish"),
             line.replace("$S", dog.control)], capture_output=True, text=True,
            timeout=30 * PATIENCE,
            env={**os.environ, "PATH": os.path.dirname(ctl_program()) + ":" + os.environ["PATH"]})
        self.assertEqual(run.stderr, "")
        return [word.split("\t")[0] for word in run.stdout.split("\n") if word]

    @unittest.skipUnless(shutil.which("fish"), "there is no fish")
    def test_fish(self):
        node = self.node()
        for conn, name in enumerate(("bravo@10.0.0.2", "bravo@10.0.0.3", "char:lie@h"), 1):
            node.add(name, conn)
        dog = self.dog(node)
        dog.wait_record("peer", nth=3, state="up")
        line = "pathdogctl -s $S "
        self.assertEqual(self.complete_fish(dog, line + "st"), ["status"])
        self.assertEqual(self.complete_fish(dog, line + "explain br"),
                         ["bravo@10.0.0.2", "bravo@10.0.0.3"])
        self.assertEqual(self.complete_fish(dog, line + "hold char:l"), ["char:lie@h"])
        self.assertEqual(self.complete_fish(dog, line + "hold x char"), [])
        self.assertEqual(self.complete_fish(dog, line + "migrate x --by m"), ["migrate"])
        self.assertEqual(self.complete_fish(dog, line + "mode "), ["active", "observe"])
        self.assertEqual(self.complete_fish(dog, line + "notify re"), ["rebind"])
        self.assertIn("lo", self.complete_fish(dog, line + "notify rebind "))
        self.assertEqual(self.complete_fish(dog, line + "help rep"), ["report"])
        self.assertEqual(self.complete_fish(dog, line + "hold --ab"), ["--absent"])
        self.assertEqual(self.complete_fish(dog, line + "release --ab"), [])

    @unittest.skipUnless(shutil.which("fish"), "there is no fish")
    def test_fish_knows_all_that_bash_knows(self):
        node, dog = self.pair()
        for command in self.complete(dog, "pathdogctl -s $S help "):
            options = [o for o in self.complete(dog, f"pathdogctl -s $S {command} --")]
            offered = self.complete_fish(dog, f"pathdogctl -s $S {command} --")
            self.assertEqual([o for o in options if o not in offered], [], command)

    def test_uplinks(self):
        node = self.node()
        dog = self.dog(node, start=False)
        dog.sections.update({"uplink:home": {"interface": "nowhere0"}, "uplink:lte": {"interface": "nowhere1"}})
        dog.start()
        node.wait_subscribed()
        for words in ("hold --uplink ", "release --uplink ", "decisions --uplink ", "migrate x --to "):
            self.assertEqual(self.complete(dog, "pathdogctl -s $S " + words), ["home", "lte"], words)
            self.assertEqual(self.complete(dog, "pathdogctl -s $S " + words + "l"), ["lte"], words)
            if shutil.which("fish"):
                self.assertEqual(self.complete_fish(dog, "pathdogctl -s $S " + words), ["home", "lte"], words)

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
        self.assertEqual(self.complete(dog, line + "migrate bravo@10.0.0.3"), ["@10.0.0.3"])
        self.assertEqual(self.complete(dog, line + "migrate bravo@10.0.0.3", " "), ["bravo@10.0.0.3"])
        self.assertEqual(self.complete(dog, line + "hold char:l"), ["lie@h"])
        self.assertEqual(self.complete(dog, line + "hold a"), ["a\\ b@h"])
        self.assertEqual(self.complete(dog, line + "migrate x --by m"), ["migrate"])
        self.assertEqual(self.complete(dog, line + "mode "), ["active", "observe"])
        self.assertEqual(self.complete(dog, line + "peers --sort re"), ["remote"])
        self.assertEqual(self.complete(dog, line + "status --ch"), ["--check"])
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
            for verdict in message.split("allowed is ")[1].split(", "):
                self.assertIn(verdict, have, name)
