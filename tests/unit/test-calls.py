#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""calls.py finds what it is there for, in trees that are made here.

test-calls.py COMPILER ..."""
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from calls import check

COMPILER = sys.argv[1:]


def calls(files):
    """files: path → (target, text). Compiles them, returns the exit status and what was printed."""
    with tempfile.TemporaryDirectory() as root:
        commands = []
        for path, (target, text) in files.items():
            source, output = os.path.join(root, path), os.path.join(target, path.replace("/", "_") + ".o")
            os.makedirs(os.path.dirname(source), exist_ok=True)
            os.makedirs(os.path.join(root, target), exist_ok=True)
            with open(source, "w") as file:
                file.write(text)
            subprocess.run(COMPILER + ["-c", source, "-o", os.path.join(root, output)], check=True)
            commands.append({"directory": root, "file": path, "output": output})
        with open(os.path.join(root, "compile_commands.json"), "w") as file:
            json.dump(commands, file)
        with contextlib.redirect_stdout(io.StringIO()) as text:
            status = check(root, root)
        return status, text.getvalue()


def uses(name, *others):
    return (f"int {name}(void);\n" + "".join(f"int {other}(void);\n" for other in others) +
            f"int {name}(void) {{ return 1{''.join(f' + {other}()' for other in others)}; }}\n")


class Calls(unittest.TestCase):
    def test_a_tree_is_fine(self):
        status, text = calls({"plugins/a.c": ("p.so.p", uses("a", "b", "c")),
                              "plugins/b.c": ("p.so.p", uses("b", "c")), "plugins/c.c": ("p.so.p", uses("c"))})
        self.assertEqual((status, text), (0, "3 files, 3 arrows, no circle\n"))

    def test_a_circle_is_named_with_what_closes_it(self):
        status, text = calls({"plugins/a.c": ("p.so.p", uses("a", "b")),
                              "plugins/b.c": ("p.so.p", uses("b", "c")), "plugins/c.c": ("p.so.p", uses("c", "a"))})
        self.assertEqual(status, 1)
        for line in ("plugins/a.c uses b of plugins/b.c", "plugins/b.c uses c of plugins/c.c",
                     "plugins/c.c uses a of plugins/a.c"):
            self.assertIn(line, text)

    def test_a_circle_through_two_libraries(self):
        status, text = calls({"watchdog/a.c": ("one.a.p", uses("a", "b")), "watchdog/b.c": ("two.a.p", uses("b", "a"))})
        self.assertEqual(status, 1)
        self.assertIn("watchdog/b.c uses a of watchdog/a.c", text)

    def test_a_variable_is_an_arrow(self):
        status, _ = calls({"plugins/a.c": ("p.so.p", "extern int b; int *a(void); int *a(void) { return &b; }\n"),
                           "plugins/b.c": ("p.so.p", "int *a(void); int b; int *c(void); int *c(void) { return a(); }\n")})
        self.assertEqual(status, 1)

    def test_another_program_of_that_name_is_not_meant(self):
        status, text = calls({"watchdog/a.c": ("one.p", uses("a", "b")), "watchdog/b.c": ("one.p", uses("b")),
                              "watchdog/c.c": ("two.p", uses("b", "a")), "watchdog/d.c": ("two.p", uses("a"))})
        self.assertEqual(status, 0, text)

    def test_a_room_above(self):
        status, text = calls({"watchdog/engine/base/text.c": ("base.a.p", uses("text", "gate")),
                              "watchdog/engine/stages/gate.c": ("stages.a.p", uses("gate"))})
        self.assertEqual(status, 1)
        self.assertIn("watchdog/engine/base/text.c uses gate of watchdog/engine/stages/gate.c", text)

    def test_a_room_beside(self):
        status, text = calls({"watchdog/engine/triggers/host.c": ("t.a.p", uses("host", "effect")),
                              "watchdog/engine/liveness/effect.c": ("l.a.p", uses("effect"))})
        self.assertEqual(status, 1)
        self.assertIn("triggers may use base, peers, moves", text)

    def test_above_the_rooms_all_are_free(self):
        status, text = calls({"watchdog/engine/engine.c": ("e.a.p", uses("engine", "effect")),
                              "watchdog/engine/liveness/effect.c": ("l.a.p", uses("effect", "text")),
                              "watchdog/engine/base/text.c": ("b.a.p", uses("text"))})
        self.assertEqual(status, 0, text)


unittest.main(argv=sys.argv[:1])
