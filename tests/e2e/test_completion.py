# SPDX-License-Identifier: Apache-2.0
"""Completion of the programs beside pathdogctl, which test_control_program.py has: in bash, zsh and fish each
option of --help, and no other; and what an option may be given."""

import os
import re
import shutil
import subprocess
import unittest

from case import Expand, cases
from node import PATIENCE
from watchdog import program

DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "completion")
PROGRAMS = ("pathdog", "pathdog-alert", "pathdog-replay", "pathdog-node-check", "pathdog-varlink", "udp-relay", "udp-relayctl",
            "flow-node")


def built(name):
    """pathdog-varlink and flow-node are built where their libraries are found."""
    try:
        return program(name, "PATHDOG_COMPLETED")
    except RuntimeError:
        return None


def file_of(name, shell):
    there = {"zsh": f"_{name}", "fish": f"{name}.fish"}.get(shell, f"{name.replace('relayctl', 'relay')}.bash")
    return os.path.join(DIRECTORY, there)


def output(*words):
    run = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30 * PATIENCE)
    assert run.returncode in (0, 1) and not run.stderr, f"{words}: {run.stderr}"  # 1: nothing is offered
    return run.stdout.splitlines()


def in_bash(name, line):
    script = ('source "$1"; COMP_LINE=$3; COMP_POINT=${#3}; read -ra COMP_WORDS <<<"$3"; '
              '[[ $3 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "_${2//-/_}" "$2"; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    return [word for word in output("bash", "--norc", "-c", script, "bash", file_of(name, "bash"), name, line) if word]


def in_fish(name, line):
    script = 'source $argv[1]; complete -C $argv[2]'
    return [word.split("\t")[0] for word in output("fish", "--no-config", "-c", script, file_of(name, "fish"), line)]


class Completion(unittest.TestCase, metaclass=Expand):
    @cases({name: name for name in PROGRAMS if built(name)})
    def test_has_each_option_of_help(self, name):
        options = set(re.findall(r"(?:^  |with )(--[a-z-]+)", "\n".join(output(built(name), "--help")), re.M))
        self.assertIn("--version", options)
        self.assertEqual(set(in_bash(name, f"{name} --")), options, "bash")
        with open(file_of(name, "zsh"), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(set(re.findall(r"(--[a-z-]+)(?==?\[)", text)) | set(re.findall(r"-h,(--help)", text)), options,
                         "zsh")
        self.assertTrue(text.startswith(f"#compdef {name}\n"))
        if shutil.which("fish"):
            self.assertEqual(set(in_fish(name, f"{name} --")), options, "fish")

    @cases({"log": ("pathdog --log ", ["auto", "journal", "json", "text"]),
            "level": ("pathdog --log-level e", ["error"]), "form": ("pathdog-replay --log ", ["json", "text"]),
            "what": ("udp-relayctl s", ["sessions", "status"]), "service": ("udp-relay --service ", ["no", "yes"]),
            "rebind": ("udp-relay --rebind r", ["register"]), "local": ("flow-node --local y", ["yes"])})
    def test_what_an_option_may_be_given(self, line, expected):
        name = line.split()[0]
        self.assertEqual(sorted(in_bash(name, line)), expected, "bash")
        if shutil.which("fish"):
            self.assertEqual(sorted(in_fish(name, line)), expected, "fish")

    @unittest.skipUnless(shutil.which("fish"), "there is no fish")
    def test_files_and_interfaces(self):
        self.assertIn("lo", in_fish("flow-node", "flow-node --lan l"))
        self.assertIn("lo", in_bash("flow-node", "flow-node --lan l"))
        self.assertIn("/etc/passwd", in_fish("pathdog", "pathdog --config /etc/passw"))
        self.assertIn("/etc/passwd", in_bash("pathdog", "pathdog --config /etc/passw"))
