# SPDX-License-Identifier: Apache-2.0
"""pathdogctl top, in a terminal: what is seen, what keys do, and what goes wrong."""

import os
import re
import signal
import subprocess
import unittest

from case import cases
from control_case import ControlCase, ctl_program
from node import PATIENCE
from terminal import Terminal


def has_top():
    """Was it built with ncurses?"""
    run = subprocess.run([ctl_program(), "top"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=20 * PATIENCE)
    return "built without top" not in run.stderr


@unittest.skipUnless(has_top(), "built without ncurses")
class Top(ControlCase):
    def top(self, dog, *words, **more):
        terminal = Terminal(ctl_program(), "--socket", dog.control, "top", *words, **more)
        self.addCleanup(terminal.close)
        return terminal

    def started(self, peers=3, wait=None, **more):
        node, dog = self.pair(peers=peers)
        top = self.top(dog, **more)
        top.wait(wait or f"{peers} peers", "the peers")
        return node, dog, top

    def row_of(self, screen, name):
        """The line of a peer in the table; "" where it is not in sight."""
        lines = screen.text().split("\n")
        end = next((n for n, line in enumerate(lines) if "LAST DECISIONS" in line), len(lines))
        return next((line for line in lines[3:end] if line.split()[:1] == [name]), "")

    def wait_row(self, top, name, part):
        return top.wait(lambda screen: part in self.row_of(screen, name), f"{part} of {name}")

    # -- what is seen ------------------------------------------------------------------------

    def test_the_flip_is_seen(self):
        node, dog, top = self.started()
        top.wait(lambda s: "node alpha@127.0.0.1 up  mode active" in s.line(0), "the node")
        self.wait_row(top, "p1@h", "▁")
        self.wait_row(top, "p1@h", "20 ms")
        dog.moved("p1@h", "the flip")
        top.wait(lambda s: any("migrated" in line and "p1@h" in line for line in s.text().split("\n")),
                 "the outcome")
        top.wait(lambda s: re.search(r"migrate +p1@h +tunnel moved: .*the flip", s.text()), "why")
        self.assertEqual(top.end("q"), 0)
        self.assertFalse(top.screen.alternate)
        self.assertTrue(top.screen.cursor)
        self.assertTrue(top.settings_are_as_before())

    def test_trouble_comes_first(self):
        node, dog = self.pair(peers=30, triggers={"tunnel": {}, "stall": {}})
        top = self.top(dog)
        top.wait("30 peers", "all of them")
        self.assertEqual(self.row_of(top.screen, "p27@h"), "")
        node.peers[27].advance = False
        node.peers[27].set(in_flight_bytes=5000, pto_count=3)
        self.wait_row(top, "p27@h", "p27@h")
        node.down(27)
        top.wait("29 peers", "it is gone")

    # -- keys --------------------------------------------------------------------------------

    def test_hold_and_release(self):
        node, dog, top = self.started()
        top.send("\x1b[B")
        top.wait(lambda s: "p2@h" in self.selected(s), "the second one")
        top.send("h")
        top.wait("hold p2@h for (empty: until released): 10min", "the question")
        top.send("\r")
        self.wait_row(top, "p2@h", "held")
        top.wait("p2@h is held", "the answer")
        dog.moved("p2@h")
        dog.decision("held", peer="p2@h")
        top.send("r")
        top.wait("p2@h is released", "the answer")
        dog.decision("migrate", peer="p2@h")
        top.send("r")
        top.wait(lambda s: "not held" in s.text() or "no hold" in s.text(), "there is none")

    def selected(self, screen):
        """The line that the cursor is on."""
        rows = [row for row in range(2, screen.rows) if screen.is_reversed(row, 1)]
        return screen.line(rows[0]) if rows else ""

    def test_move(self):
        node, dog, top = self.started()
        top.send("m")
        top.wait("move p1@h to (empty: pathdog chooses", "the first question")
        top.send("\r")
        top.wait("move p1@h now? y/n", "the second one")
        top.send("n")
        top.wait("not moved", "the answer")
        top.send("m\ry")
        top.wait("p1@h: migrated after", "the outcome")
        self.assertEqual(len(node.moves()), 1)
        top.send("mnowhere\ry")
        top.wait('there is no uplink "nowhere"', "the refusal")

    def test_filter_sort_pause(self):
        node, dog, top = self.started(peers=12)
        top.send("/p1\r")
        top.wait('4 peers of "p1"', "p1, p10, p11, p12")
        top.send("/")
        top.wait("all): p1", "what it was")
        top.send("\x7f\x7fzz\r")
        top.wait('no peer matches "zz"', "none")
        top.send("\x1b")
        top.wait("12 peers", "all of them again")
        top.send("sss")
        top.wait("by name", "the third one after worst")
        top.send("p")
        top.wait("PAUSED", "the pause")
        dog.moved("p3@h")
        dog.outcome("migrated")
        top.wait("2 more since the pause", "what happened meanwhile")
        self.assertNotIn("migrated ", top.screen.text())
        top.send(" ")
        top.wait("migrated ", "what was missed")

    def test_explain_help_log(self):
        node, dog, top = self.started()
        top.send("\r")
        top.wait("what advice would get now", "the explanation")
        top.wait("EXPLAIN p1@h", "the heading")
        node.down(1)
        top.wait('no peer "p1@h" is known', "it went while it was explained")
        top.send("q?")
        top.wait("asks for how long", "help")
        top.send("\x1b")
        top.wait("LAST DECISIONS", "back")
        dog.moved("p2@h", "a reason that is longer than a line of a terminal with eighty columns: enormous")
        top.wait("migrated ", "the move")
        top.send("d")
        top.wait("enormous", "all of the reason")

    # -- terminals ---------------------------------------------------------------------------

    def test_resize(self):
        node, dog, top = self.started(peers=40)
        self.assertEqual(self.row_of(top.screen, "p35@h"), "")
        top.resize(60, 150)
        self.wait_row(top, "p35@h", "up")
        top.resize(5, 20)
        top.wait("20x5 is too small", "that it is")
        top.resize(1, 1)
        top.wait(lambda s: s.text() == "…", "all that fits")
        top.resize(24, 80)
        top.wait("40 peers", "all is well again")
        top.wait(lambda s: "q quit" in s.line(23), "the keys")

    def test_20_5(self):
        node, dog, top = self.started(wait="20x5 is too small", rows=5, cols=20)
        top.wait("0 of 3 silent", "what fits")
        top.send("hhm/\x1b[A\x1b[6~")
        self.assertEqual(top.end("\x1b" + "\x03"), 0)

    def test_in_ascii(self):
        node = self.node()
        node.add("zoë@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node)
        node.wait_subscribed()
        top = self.top(dog, env={"LC_ALL": "C"})
        self.wait_row(top, "zo?@h", "_")
        dog.moved("*", "up0 → up1")
        top.wait("up0 -> up1", "the reason")
        self.assertTrue(top.screen.text().isascii())
        self.assertTrue(top.raw.isascii())

    def test_a_locale_that_is_not_there(self):
        node, dog, top = self.started(env={"LC_ALL": "xx_XX.UTF-8"})
        self.wait_row(top, "p1@h", "▁")

    @cases({"colours": ({}, True), "no colours": ({"NO_COLOR": "1"}, False),
            "a terminal without": ({"TERM": "vt220"}, False)})
    def test_colours(self, env, wanted):
        node, dog, top = self.started(env=env)
        colours = {n for n in top.screen.sgr if 30 <= n <= 49 and n not in (39, 49)}
        self.assertEqual(bool(colours), wanted, colours)

    def test_hostile_names(self):
        node = self.node()
        node.add("a\u202egpj", 1, local="127.0.0.1:9001")
        node.add("界界e\u0301", 2, local="127.0.0.1:9002")
        dog = self.dog(node)
        node.wait_subscribed()
        top = self.top(dog)  # the terminal refuses what it must not be sent
        top.wait("a\\u202egpj", "the name")
        top.wait(lambda s: self.row_of(s, "界界e\u0301"), "the other")
        top.send("s" * 3)
        top.wait("by name", "the order")
        top.send("h\r")
        self.wait_row(top, "a\\u202egpj", "held")  # the name itself was sent

    # -- the daemon --------------------------------------------------------------------------

    def test_the_daemon_comes_back(self):
        node, dog, top = self.started()
        dog.moved("p1@h")
        top.wait("migrated ", "the move")
        self.assertEqual(dog.finish(), [])
        top.wait("pathdog is away for", "that it is")
        top.wait(lambda s: "trying again" in s.line(0), "what it does")
        top.wait("p1@h", "what was known")
        again = self.dog(node)
        top.wait(lambda s: "node alpha@127.0.0.1 up" in s.line(0), "it is there again")
        top.wait("none yet in this run", "its records are of the new run")
        again.moved("p2@h")
        top.wait("migrated ", "they are followed again")

    def test_the_daemon_hangs(self):
        node, dog, top = self.started()
        dog.process.send_signal(signal.SIGSTOP)
        try:
            top.wait("pathdog has not answered for", "that it does not")
            top.send("?")
            top.wait("asks for how long", "keys work all the same")
        finally:
            dog.process.send_signal(signal.SIGCONT)
        top.wait("node alpha@127.0.0.1 up", "it answers")

    def test_the_node_goes(self):
        node, dog, top = self.started()
        node.stop()
        top.wait("node alpha@127.0.0.1 down", "that it is down")
        top.wait(lambda s: "broken" in s.line(1), "what it means")
        top.wait("3 untold", "its peers")

    # -- the end -----------------------------------------------------------------------------

    @cases({"interrupt": signal.SIGINT, "term": signal.SIGTERM, "hangup": signal.SIGHUP})
    def test_signals_give_the_terminal_back(self, number):
        node, dog, top = self.started()
        top.process.send_signal(number)
        self.assertEqual(top.end(), 0)
        self.assertFalse(top.screen.alternate)
        self.assertTrue(top.settings_are_as_before())

    def test_the_terminal_goes(self):
        node, dog, top = self.started()
        top.hang_up()
        top.process.wait(10 * PATIENCE)

    @cases({"none": {"TERM": ""}, "dumb": {"TERM": "dumb"}, "unknown": {"TERM": "no-such"}})
    def test_unfit_terminals(self, env):
        node, dog = self.pair()
        top = self.top(dog, env=env)
        self.assertEqual(top.end(), 1)
        self.assertIn(b"TERM", top.process.stderr.read())
        self.assertNotIn(b"\x1b", top.raw)

    def test_no_terminal(self):
        node, dog = self.pair()
        _, err = self.ctl(dog, "top", status=1)
        self.assertIn("top needs a terminal", err)

    @cases({"json": ("--json", "top"), "sort": ("top", "--sort", "remote"), "words": ("top", "a", "b"),
            "long": ("top", "x" * 300)})
    def test_usage(self, *words):
        node, dog = self.pair()
        self.ctl(dog, *words, status=2)

    def test_no_daemon(self):
        terminal = Terminal(ctl_program(), "--socket", os.path.join(self.directory, "none"), "top")
        self.addCleanup(terminal.close)
        self.assertEqual(terminal.end(), 3)
        self.assertIn(b"there is no such socket", terminal.process.stderr.read())
        self.assertEqual(terminal.raw, b"")
