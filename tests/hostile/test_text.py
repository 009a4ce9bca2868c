# SPDX-License-Identifier: Apache-2.0
"""Names and words that deceive a reader: from the node, its peers, an operator, a tunnel. Whatever
pathdog and its tools print has none of it, and says which characters there were."""

import json
import os
import subprocess
import unicodedata
import unittest

from case import cases
from control_case import ctl_program
from hostile_case import HostileCase
from node import PATIENCE
from watchdog import daemon, program, replay_program

# Bidirectional, without width, line separator, byte order mark, tag, variation selectors, private
# use, noncharacters, soft hyphen, filler, blank.
BAD = ("\u202e\u2066\u200b\u2028\ufeff\U000e0041\ufe0f\U000e0100\ue000\U0010ffff\ufdd0\ufffe\u00ad"
       "\u3164\u061c\u2800")
NAME = f"a{BAD}b@h"
CONTROL = "\x1b]0;x\x07\x9b31m\r"  # no name may have these; other words may


def harmful(data):
    """The first character that must not be printed, if there is one."""
    for character in data.decode():
        if character in BAD or (unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Co")
                                and character != "\n"):
            return f"U+{ord(character):04X} in {data[:2000]!r}"
    return None


class Text(HostileCase):
    def setUp(self):
        super().setUp()
        self.node_rules = False
        self.env = {"LC_ALL": "C.UTF-8"}

    def assert_harmless(self, data, what, *expected):
        self.assertIsNone(harmful(data), what)
        for text in expected:
            self.assertIn(text, data.decode(), what)

    def scene(self, *args):
        """A node, a peer, a move that fails, a tunnel and an operator, all with such words."""
        node = self.node(node=f"n{BAD}", implementation=f"i{BAD}{CONTROL}", boot=f"b{BAD}")
        node.add(NAME, 1, local="127.0.0.1:9001")
        node.on("migrate_peer", lambda r: r.error(-32099, f"e{BAD}{CONTROL}"))
        dog = self.dog(node, {},
                       triggers={"tunnel": {"match": f"a{BAD}* *"}}, args=args)
        node.wait_subscribed()
        if not args:
            dog.wait_record("peer", state="up", conn=1)
        return node, dog

    def stir(self, node, dog):
        dog.tell("EVENT=rebind", f"TUNNEL=t{BAD}", f"PEERS={NAME}", f"REASON=r{BAD}")
        dog.outcome("failed")
        dog.tell("EVENT=rebind", f"TUNNEL=t{BAD}", "PEERS=nobody", f"REASON=r{BAD}")
        dog.notice("tunnel-nobody")
        node.notify("peer_down", conn=1, reason=f"d{BAD}{CONTROL}")
        dog.wait_record("peer", state="down", conn=1)
        node.send(f"rubbish {BAD}{CONTROL}\n".encode())
        dog.notice("bad-line")

    def tool(self, *argv):
        done = subprocess.run(argv, capture_output=True, timeout=30 * PATIENCE,
                              env={**os.environ, **self.env}, stdin=subprocess.DEVNULL)
        return done.stdout + done.stderr

    def test_records_and_replay(self):
        node, dog = self.scene()
        self.stir(node, dog)
        self.assertEqual(dog.terminate(), 0)
        out = b"".join(dog.raw)
        self.assert_harmless(out, "standard output", "\\u202e", "\\udb40\\udc41")
        self.assertEqual(dog.records("peer", state="up")[0]["peer"], NAME)
        self.assert_harmless(dog.errors, "standard error")
        self.assert_harmless("\n".join(dog.states).encode(), "systemctl status", "\\u202e",
                             "\\U000e0041")
        for form in ("text", "json"):
            self.assert_harmless(self.tool(replay_program(), dog.recording, "--log", form),
                                 f"replay, {form}", "\\u202e", "\\ufeff")

    def test_text_log(self):
        node, dog = self.scene("--log", "text")
        dog.wait_for(lambda: any(b"u202e" in line for line in dog.garbage) or b"u202e" in dog.errors,
                     what="the peer in the log")
        dog.tell("EVENT=rebind", f"TUNNEL=t{BAD}", f"PEERS={NAME}", f"REASON=r{BAD}")
        node.wait_request("migrate_peer")
        self.assertEqual(dog.terminate(), 0)
        self.assert_harmless(b"".join(dog.garbage) + dog.errors, "the log", "a\\u202e", "t\\u202e",
                             "\\U000e0041", "\\x1b")
        self.finish_with = {"whole": False, "replay": False}

    def test_control_socket_and_ctl(self):
        node, dog = self.scene()
        dog.tell("EVENT=rebind", f"TUNNEL=t{BAD}", f"PEERS={NAME}", f"REASON=r{BAD}")
        dog.outcome("failed")
        for words in (("status",), ("peers",), ("peers", "--json"), ("explain", NAME),
                      ("explain", NAME, "--json"), ("hold", NAME), ("release", NAME),
                      ("decisions", "--source", "daemon"), ("explain", f"x{BAD}"),
                      ("decisions", "--json", "--source", "daemon"), ("status", "--json"),
                      ("status", "--check"), ("notify", "moved", f"t{BAD}"),
                      ("report", "--source", "daemon"), ("hold", f"x{BAD}{CONTROL}"),
                      (f"x{BAD}",), (f"--x{BAD}",), ("mode", f"x{BAD}")):
            out = self.tool(ctl_program(), "--socket", dog.control, *words)
            self.assert_harmless(out, words)
        self.assertIn(b"a\\u202e", self.tool(ctl_program(), "--socket", dog.control, "peers"))
        client = self.client(dog)
        for method, params in (("status", {}), ("peers", {}), ("explain", {"peer": NAME}),
                               ("explain", {"peer": f"x{BAD}"}), ("decisions", {"all": True}),
                               ("peers", {"match": f"{BAD}*", "limit": 1}), (f"x{BAD}", {}),
                               ("mode", {"mode": f"x{BAD}"}), ("status", {f"x{BAD}": 1})):
            client.send(json.dumps({"jsonrpc": "2.0", "id": f"q{BAD}", "method": method,
                                    "params": params}) + "\n")
            answer = client.file.readline()
            self.assert_harmless(answer, method, "\\u202e")
            self.assertEqual(json.loads(answer)["id"], f"q{BAD}")

    @cases({"unknown key": f"x{BAD} = 1\n", "bad value": f"mode = x{BAD}\n",
            "no such user": f"node_user = x{BAD}\n", "garbage": f"x{BAD}\n"})
    def test_configuration(self, line):
        path = os.path.join(self.directory, f"c{BAD}.conf")
        with open(path, "w") as file:
            file.write("[watchdog]\n" + line)
        out = self.tool(daemon(), "--config", path, "--check")
        self.assert_harmless(out, line, "\\u202e")

    def test_configuration_as_it_is_in_force(self):
        path = os.path.join(self.directory, f"c{BAD}.conf")
        with open(path, "w") as file:
            file.write(f"[watchdog]\nnode = /run/x{BAD}\n[trigger:tunnel]\nmatch = {NAME}\n")
        for argv in ((daemon(), "--config", path, "--check"),
                     (daemon(), "--config", f"{path}{BAD}"), (daemon(), f"--x{BAD}"),
                     (replay_program(), f"x{BAD}"),
                     (program("pathdog-node-check", "PATHDOG_NODE_CHECK"), f"x{BAD}")):
            self.assert_harmless(self.tool(*argv), argv, "\\u202e")

    @cases({"escape": "\x1b", "c1": "\x9b", "delete": "\x7f", "nul": "\0", "newline": "\n"})
    def test_no_name_has_control_characters(self, character):
        node = self.node()
        node.add(f"a{character}b@h", 1, local="127.0.0.1:9001")
        node.add("p2@h", 2, local="127.0.0.1:9002")
        dog = self.dog(node)
        dog.wait_record("peer", state="up", conn=2)
        self.assertIn("control characters", dog.notice("bad-peer-up")["text"])
        self.assertEqual(len(dog.records("peer")), 1)


if __name__ == "__main__":
    unittest.main()
