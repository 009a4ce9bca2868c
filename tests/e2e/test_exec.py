# SPDX-License-Identifier: Apache-2.0
"""triggers.md, "exec": what a command writes moves peers; it is started again, changed by a reload,
and gone with pathdog. What it may not do is in tests/hostile/test_exec.py."""

import os
import signal
import subprocess

from control_case import ControlCase
from exec_case import FAMILY, Commands, alive
from watchdog import daemon, replay_program, run_tool

STAY = "exec sleep 1000"


class Exec(ControlCase, Commands):
    def start(self, text, command="", **options):
        node = self.node()
        node.add("a@eu-1", 1, local="127.0.0.1:4001", via="direct")
        node.add("b@eu-2", 2, local="192.0.2.7:4002", via="wg7")
        node.add("c@us-1", 3, local="192.0.2.8:4003")
        # It begins with its messages when it is told to: then the peers are there.
        self.go = os.path.join(self.directory, "go")
        path = self.script(f"until [ -e {self.go} ]; do sleep 0.02; done\n{text}")
        dog = self.dog(node, triggers={"exec": {"command": f"{path} {command}".strip(), **options}},
                       start=False)
        dog.start()
        node.wait_rounds(1)
        for conn in (1, 2, 3):
            dog.wait_record("peer", state="up", conn=conn)
        return node, dog

    def begin(self):
        with open(self.go, "w"):
            pass

    def conns(self, dog):
        return {r["conn"] for r in dog.records("decision")}

    def test_the_right_peers_are_moved(self):
        node, dog = self.start("printf 'EVENT=rebind\\nPEERS=*@eu-*\\nREASON=say %s\\n\\n' \"$1\"\n"
                               f"printf 'EVENT=down\\nTUNNEL=wg7\\n\\n'\n{STAY}", command="'it is so'")
        self.begin()
        first = dog.decision("migrate", conn=1)
        dog.decision("migrate", conn=2)
        self.assertEqual((first["trigger"], first["kind"], first["reason"]),
                         ("exec", "moved", "notice: rebind, say it is so"))
        self.assertTrue(alive(first["evidence"]["pid"]))
        node.wait_rounds(3)
        self.assertEqual(self.conns(dog), {1, 2})
        self.assertEqual(len(dog.records("cause")), 1)

    def test_by_the_address_of_an_interface_and_by_via(self):
        node, dog = self.start("printf 'EVENT=up\\nTUNNEL=lo\\n\\nEVENT=up\\nTUNNEL=wg7\\n\\n'\n" + STAY)
        self.begin()
        self.assertEqual(dog.decision("migrate", conn=1)["reason"], "tunnel lo: up")
        self.assertEqual(dog.decision("migrate", conn=2)["reason"], "tunnel wg7: up")
        self.assertEqual(self.conns(dog), {1, 2})

    def test_in_another_language(self):
        node, dog = self.start(STAY)
        dog.sections["trigger:exec"]["command"] = self.script(
            "import sys, time\nprint('EVENT=moved\\nPEERS=c@*\\nREASON=größer\\n', flush=True)\n"
            "time.sleep(1000)", "other", "/usr/bin/env python3")
        dog.write_config()
        dog.process.send_signal(signal.SIGHUP)
        self.assertEqual(dog.decision("migrate", conn=3)["reason"], "notice: moved, größer")

    def test_one_that_ends_is_named_and_started_again(self):
        node, dog = self.start("echo EVENT=rebind; echo PEERS=a@*; echo REASON=run $PATHDOG_START; echo\n"
                               "exit 7")
        self.begin()
        text = dog.notice("exec-ended")["text"]
        self.assertRegex(text, r"^exec: .*/command \(pid \d+\) has ended with status 7 after .* s; "
                               r"started again in 1 s$")
        dog.wait_record("decision", conn=1, reason="notice: rebind, run 2")

    def test_one_that_is_run_again_and_again(self):
        node, dog = self.start("echo EVENT=rebind; echo PEERS=a@*; echo REASON=run $PATHDOG_START",
                               interval="1s")
        self.begin()
        dog.wait_record("decision", conn=1, reason=lambda text: text.startswith("notice: rebind, run "))
        dog.wait_record("decision", nth=2, conn=1)
        self.assertEqual(dog.records("notice"), [])

    def test_explain(self):
        node, dog = self.start("printf 'EVENT=rebind\\nPEERS=a@*\\n\\n'; " + STAY)
        out, _ = self.ctl(dog, "explain", "a@eu-1")
        self.assertRegex(out, r"command runs, pid \d+; no message so far")
        self.begin()
        dog.decision("migrate", conn=1)
        out, _ = self.ctl(dog, "explain", "a@eu-1")
        self.assertRegex(out, r"command runs, pid \d+; a message matched this peer ")
        out, _ = self.ctl(dog, "explain", "c@us-1")
        self.assertRegex(out, r"command runs, pid \d+; none of 1 messages matched this peer")

    def test_a_reload_changes_the_command(self):
        node, dog = self.start(f"{FAMILY}\n{STAY}")
        self.begin()
        pids = self.pids(dog, 4)
        dog.sections["trigger:exec"]["command"] = self.script(
            "printf 'EVENT=rebind\\nPEERS=b@*\\nREASON=the new one\\n\\n'; " + STAY, "new")
        dog.write_config()
        dog.process.send_signal(signal.SIGHUP)
        dog.wait_record("decision", conn=2, reason="notice: rebind, the new one")
        self.wait_gone(pids)
        self.assertEqual(dog.records("notice", what="exec-ended"), [])
        # one that changes nothing leaves it alone
        new = dog.decision("migrate", conn=2)["evidence"]["pid"]
        dog.process.send_signal(signal.SIGHUP)
        dog.wait_record("notice", nth=2, what="reloaded")
        self.assertTrue(alive(new))
        # and without the section it is gone
        del dog.sections["trigger:exec"]
        dog.write_config()
        dog.process.send_signal(signal.SIGHUP)
        self.wait_gone([new])

    def test_no_zombies_are_left(self):
        """Nobody waits for what a reload ended, and it takes no place in the table of processes."""
        node, dog = self.start(STAY)
        for count in range(1, 6):
            dog.sections["trigger:exec"]["command"] = self.script(STAY, f"new{count}")
            dog.write_config()
            dog.process.send_signal(signal.SIGHUP)
            dog.wait_record("notice", nth=count, what="reloaded")
        def children():
            found = subprocess.run(["ps", "-o", "stat=", "--ppid", str(dog.process.pid)],
                                   capture_output=True, text=True).stdout.split()
            return found if len(found) == 1 else None
        self.assertNotIn("Z", dog.wait_for(children, what="one child")[0])

    def test_a_replay_does_not_run_it(self):
        ran = os.path.join(self.directory, "ran")
        node, dog = self.start(f"printf 'EVENT=rebind\\nPEERS=*\\n\\n'; {STAY}")
        self.begin()
        dog.decision("migrate", conn=3)
        dog.terminate()
        self.script(f"touch {ran}; {STAY}")  # what a replay would run now
        status, out, err = run_tool(replay_program(), dog.recording, "--log", "json")
        self.assertEqual(status, 0, err)
        self.assertIn('"notice: rebind"', out)
        self.assertFalse(os.path.exists(ran))

    def test_a_bad_command_is_named(self):
        node = self.node()
        node.add("a@eu-1", 1)
        dog = self.dog(node, triggers={"exec": {"command": "sleep 1"},
                                       "exec:two": {"match": "b@*"}})
        texts = {dog.notice("bad-option", nth=n)["text"] for n in (1, 2)}
        self.assertEqual(texts, {
            "exec: command: the program is not an absolute path",
            "exec:two: command is missing: set it to the program to run, by its absolute path"})
        dog.notice("trigger-closed")

    def test_options_are_listed(self):
        status, out, _ = run_tool(daemon(), "--config", self.dog(self.node(), triggers={}).config,
                                  "--list-triggers")
        self.assertEqual(status, 0)
        for option in ("command", "user", "interval", "timeout"):
            self.assertRegex(out, rf"(?m)^ +{option}\b")


class Gone(ControlCase, Commands):
    """However pathdog ends, nothing of the command is left."""

    def start(self, text):
        node = self.node()
        node.add("a@eu-1", 1)
        path = self.script(text)
        dog = self.dog(node, triggers={"exec": {"command": path}})
        return dog, self.pids(dog, 4)

    def test_stopped(self):
        dog, pids = self.start(f"trap '' TERM\n{FAMILY}\nwhile :; do sleep 1; done")
        self.assertEqual(dog.terminate(), 0)
        self.wait_gone(pids, deadline=2)

    def test_killed(self):
        dog, pids = self.start(f"trap '' TERM\n{FAMILY}\nwhile :; do sleep 1; done")
        dog.finished = True  # nothing can be asked of its records
        dog.process.kill()
        dog.process.wait()
        self.wait_gone(pids, deadline=2)
