# SPDX-License-Identifier: Apache-2.0
"""pathdogctl where things are not as they should be: a daemon that hangs, a socket that may not
be opened, holds that are left over, decisions with what came of them."""

import grp
import os
import signal
import socket
import subprocess
import time

from control_case import ControlCase, ctl_program
from node import PATIENCE

# A root that may only what others may: what files forbid is forbidden.
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search",
                "--inh-caps=-dac_override,-dac_read_search"]  # a container's root has these as well


class Unreachable(ControlCase):
    def test_a_daemon_that_hangs(self):
        node, dog = self.pair()
        dog.process.send_signal(signal.SIGSTOP)
        try:
            begin = time.monotonic()
            out, err = self.ctl(dog, "status", status=3)
            took = time.monotonic() - begin
        finally:
            dog.process.send_signal(signal.SIGCONT)
        self.assertIn("has not answered within 10 s", err)
        self.assertIn("systemctl status pathdog", err)
        self.assertEqual(out, "")
        self.assertGreaterEqual(took, 9.9)
        self.ctl(dog, "status")  # and it goes on

    def test_a_daemon_that_lets_nobody_in(self):
        node, dog = self.pair()
        dog.process.send_signal(signal.SIGSTOP)
        try:
            waiting = []
            while True:  # until its queue is full
                client = self.raw(dog.control)
                if not client:
                    break
                waiting.append(client)
            _, err = self.ctl(dog, "status", status=3)
        finally:
            dog.process.send_signal(signal.SIGCONT)
            for client in waiting:
                client.close()
        self.assertIn("accepts no connections", err)
        self.wait_until(lambda: self.works(dog), "it answers again")

    def raw(self, path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.connect(path)
        except BlockingIOError:
            sock.close()
            return None
        return sock

    def works(self, dog):
        return subprocess.run([ctl_program(), "--socket", dog.control, "version"],
                              capture_output=True, timeout=30 * PATIENCE).returncode == 0

    def denied(self, dog, *words):
        command = [ctl_program(), "--socket", dog.control, *words]
        if os.geteuid() == 0:
            command = UNPRIVILEGED + command
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=30 * PATIENCE)
        self.assertEqual(run.returncode, 3, run.stderr)
        return run.stderr

    def test_permission_denied_names_the_group(self):
        node, dog = self.pair()
        os.chmod(dog.control, 0o060)  # not even its owner
        err = self.denied(dog, "status")
        self.assertIn("permission denied", err)
        self.assertIn(grp.getgrgid(os.stat(dog.control).st_gid).gr_name, err)
        self.assertIn("usermod -aG", err)

    def test_permission_denied_on_the_way(self):
        node, dog = self.pair()
        os.chmod(self.directory, 0)
        try:
            err = self.denied(dog, "status")
        finally:
            os.chmod(self.directory, 0o755)
        self.assertIn("the directory may not be entered", err)


class Words(ControlCase):
    def test_no_peer_is_known_at_all(self):
        node = self.node(start=False)
        dog = self.dog(node)
        for command in ("explain", "migrate", "hold"):
            _, err = self.ctl(dog, command, "bravo", status=1)
            self.assertIn("the node is down", err)
            self.assertNotIn("lists them", err)
        node.start()
        node.wait_rounds(1)
        self.assertIn("the node has none", self.ctl(dog, "explain", "bravo", status=1)[1])
        node.add("charlie@h", 1)
        dog.wait_record("peer", state="up")
        self.assertIn("\"pathdogctl peers\" lists them",
                      self.ctl(dog, "explain", "no-such-name-at-all", status=1)[1])

    def test_what_an_operator_asked_is_said_once(self):
        node, dog = self.pair()
        out, _ = self.ctl(dog, "migrate", "p1@h")
        self.assertIn("  operator: asked by uid", out)
        self.assertNotIn("operator operator", out)

    def test_how_long_a_mode_lasts(self):
        node, dog = self.pair()
        out, _ = self.ctl(dog, "mode", "observe")
        self.assertIn("until \"mode\" in the configuration changes, or a restart", out)


class Holds(ControlCase):
    def test_what_is_still_held_is_named(self):
        node, dog = self.pair(peers=3)
        self.ctl(dog, "hold", "p1@h")
        self.ctl(dog, "hold", "--all")
        out, _ = self.ctl(dog, "release", "--all")
        self.assertIn("all peers are released", out)
        self.assertIn("1 is still held by name: p1@h", out)
        self.assertIn("pathdogctl release PEER", out)
        dog.moved("p*")
        dog.decision("held", peer="p1@h")
        dog.decision("migrate", peer="p2@h")
        out, _ = self.ctl(dog, "release", "p1@h")
        self.assertEqual(out.splitlines()[0], "p1@h is released")
        self.assertIn("1 peer missed a \"moved\" or \"dead\" meanwhile", out)
        dog.decision("migrate", peer="p1@h")
        self.ctl(dog, "hold", "p1@h")
        self.assertEqual(self.ctl(dog, "release", "p1@h")[0], "p1@h is released\n")

    def test_all_are_held_besides(self):
        node, dog = self.pair(peers=2)
        self.ctl(dog, "hold", "--all")
        self.ctl(dog, "hold", "p1@h")
        out, _ = self.ctl(dog, "release", "p1@h")
        self.assertIn("all peers are held; \"pathdogctl release --all\" ends the hold", out)
        dog.moved("p1@h")
        dog.decision("held")

    def test_for_programs(self):
        node, dog = self.pair(peers=2)
        client = self.client(dog)
        client.result("hold", peer="p2@h")
        self.assertEqual(client.result("release", all=True),
                         {"peer": None, "held": False, "all_held": False, "n_held": 1,
                          "names": ["p2@h"]})


class Decisions(ControlCase):
    def two(self):
        node, dog = self.pair(peers=2)
        self.ctl(dog, "hold", "p2@h")
        dog.moved()
        dog.effect(conn=1)
        dog.decision("held")
        return node, dog

    def test_outcomes_and_effects_belong_to_their_decisions(self):
        node, dog = self.two()
        client = self.client(dog)

        def kinds(**params):
            return sorted(r["record"] for r in client.result("decisions", **params)["records"])
        self.assertEqual(kinds(verdict="migrate"), ["decision", "effect", "outcome"])
        self.assertEqual(kinds(trigger="tunnel"), ["decision", "decision", "effect", "outcome"])
        self.assertEqual(kinds(verdict="held"), ["decision"])
        self.assertEqual(kinds(trigger="route"), [])
        self.assertEqual(kinds(trigger="tunnel", verdict="migrate", peer="p2@h"), [])
        whole = client.result("decisions", verdict="migrate")["records"]
        pages, before = [], 0
        while before is not None:  # also where the decision is on a later page
            page = client.result("decisions", verdict="migrate", limit=1, before=before)
            pages += page["records"]
            before = page["next"]
        self.assertEqual(pages, whole)

    def test_followed(self):
        node, dog = self.pair(peers=2)
        self.ctl(dog, "hold", "p2@h")
        asked = []
        node.on("migrate_peer", asked.append)
        dog.moved()
        dog.decision("migrate")
        client = self.client(dog)  # begins between a decision and its outcome
        first = client.result("decisions", verdict="migrate", follow=True)["records"]
        self.assertEqual([r["record"] for r in first], ["decision"])
        node.wait_for(lambda: asked, what="a request")
        asked[0].answer({})
        for record in ("outcome", "effect"):
            said = client.notice()
            self.assertEqual((said["record"], said["decision"]), (record, first[0]["decision"]))
        node.on("migrate_peer", lambda r: r.answer({}))
        dog.moved()  # p2 is held: not wanted
        for record in ("decision", "outcome", "effect"):
            self.assertEqual(client.notice()["record"], record)
