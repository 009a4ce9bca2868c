# SPDX-License-Identifier: Apache-2.0
"""pathdogctl decisions and report, as far as there is no journal of the daemon: from its memory.
tests/systemd/history.py has the journal."""

import json
import os
import re
import struct
import subprocess
import unittest

from case import Case, cases
from control_case import ControlCase, ctl_program

KINDS = ("decision", "outcome", "effect")
STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d{4}  ")


class History(ControlCase):
    def night(self):
        """p1 is moved, p2 is held."""
        node, dog = self.pair(peers=2)
        node.on("migrate_peer", lambda r: r.answer({}))
        self.client(dog).result("hold", peer="p2@h")
        dog.moved()
        dog.effect(conn=1)
        dog.decision("held")
        return dog

    def kept(self, dog):
        return [r for r in dog.all if r["record"] in KINDS]

    def records(self, dog, *words):
        return [json.loads(line) for line in
                self.ctl(dog, "decisions", "--json", *words)[0].splitlines()]

    def test_in_order_with_zone_and_source(self):
        dog = self.night()
        out, err = self.ctl(dog, "decisions", env={"TZ": "Asia/Kolkata"})
        lines = out.splitlines()
        self.assertEqual(len(lines), 4, "one run: no line of it")
        for line in lines:
            self.assertRegex(line, STAMP)
            self.assertIn(" +0530  ", line)
        stamps = [line.partition("  ")[0] for line in lines]
        self.assertEqual(stamps, sorted(stamps))
        self.assertIn("from the running daemon's memory", err)
        self.assertEqual(self.records(dog), sorted(
            self.kept(dog), key=lambda r: (r["time_us"], r["decision"], KINDS.index(r["record"]))))

    def on_terminal(self, dog, *words):
        """What it says on standard error, where that is a terminal."""
        ours, its = os.openpty()
        try:
            subprocess.run([ctl_program(), "--socket", dog.control, *words], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=its)
            return os.read(ours, 65536).decode()
        finally:
            os.close(its)
            os.close(ours)

    def test_sources(self):
        dog = self.night()
        self.assertEqual(self.records(dog, "--source", "daemon"), self.records(dog))
        _, err = self.ctl(dog, "decisions", "--source", "daemon")
        self.assertEqual(err, "", "what was asked for was read: a cron job says nothing")
        self.assertIn("from the running daemon's memory",
                      self.on_terminal(dog, "decisions", "--source", "daemon"))
        empty = os.path.join(self.directory, "empty")
        os.mkdir(empty)
        for words in (("--directory", empty), ("--directory", empty, "--source", "journal")):
            _, err = self.ctl(dog, "decisions", *words, status=1)
            self.assertIn(f"{empty}: there is no journal in it", err)
        with open(os.path.join(self.directory, "export"), "w") as file:
            file.write("MESSAGE=hello\n\n" * 1000)
        _, err = self.ctl(dog, "report", "--file", file.name, status=1)
        self.assertIn("systemd-journal-remote", err)
        _, err = self.ctl(dog, "report", "--directory", file.name, status=1)
        self.assertIn("Not a directory", err)
        _, err = self.ctl(dog, "report", "--file", file.name + ".not", status=1)
        self.assertIn("No such file", err)

    def test_period_and_filters(self):
        dog = self.night()
        kept = self.kept(dog)
        last_us = max(r["time_us"] for r in kept)
        self.assertEqual(len(self.records(dog, "--since", f"@{last_us}us")),
                         len([r for r in kept if r["time_us"] == last_us]))
        self.assertEqual(len(self.records(dog, "--until", f"@{last_us - 1}us")),
                         len([r for r in kept if r["time_us"] < last_us]))
        self.assertEqual(self.records(dog, "--until", "1h"), [])
        self.assertEqual(len(self.records(dog, "--since", "yesterday")), len(kept))
        self.assertEqual([r["peer"] for r in self.records(dog, "--verdict", "held")], ["p2@h"])
        self.assertEqual([r["record"] for r in self.records(dog, "--verdict", "migrate")],
                         list(KINDS))
        self.assertEqual(len(self.records(dog, "-n", "1")), 1)

    @cases({"since": ("--since", "once"), "until": ("--until", "then"), "source": ("--source", "x"),
            "both": ("--directory", "/", "--file", "/x"), "backwards": ("--since", "1h", "--until", "2h"),
            "not of it": ("--source", "daemon", "--unit", "pathdog")})
    def test_usage(self, *words):
        for command in ("decisions", "report"):
            run = subprocess.run([ctl_program(), command, *words], capture_output=True, text=True)
            self.assertEqual((run.returncode, run.stdout), (2, ""), run.stderr)
            self.assertIn(words[0] if len(words) < 4 else "--", run.stderr)

    def test_until_and_follow(self):
        run = subprocess.run([ctl_program(), "decisions", "-f", "--until", "now"],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 2)
        self.assertIn("do not go together", run.stderr)

    def test_report(self):
        dog = self.night()
        report = json.loads(self.ctl(dog, "report", "--json")[0])
        self.assertEqual((report["journal"], report["daemon"]), (False, True))
        self.assertEqual(report["verdicts"], {"migrate": 1, "held": 1})
        self.assertEqual((report["decisions"], report["requests"], report["moves"]), (2, 1, 1))
        self.assertEqual(report["outcomes"], {"migrated": 1})
        self.assertEqual((report["effects"], report["restored"]), ({"better": 1}, 1))
        self.assertEqual([run["run"] for run in report["runs"]], [self.kept(dog)[0]["run"]])
        self.assertEqual(report["oldest_us"], self.kept(dog)[0]["time_us"])
        self.assertEqual(report["nodes"], [])
        self.assertEqual({peer["peer"] for peer in report["peers"]}, {"p1@h", "p2@h"})
        out, err = self.ctl(dog, "report")
        self.assertRegex(out, r"moves +1: 1 restored\n")  # the RTT is as it was
        self.assertEqual(err, "")
        self.assertLessEqual(len(out.splitlines()), 24, "a screen")
        self.assertIn("from the running daemon's memory", out.splitlines()[0])
        self.assertIn("older records are not there any more", out)
        self.assertIn("2: 1 held, 1 migrate" if "1 held, 1" in out else "2: 1 migrate, 1 held", out)
        self.assertIn("only the journal knows", out)
        nothing = self.ctl(dog, "report", "--until", "1h")[0]
        self.assertIn("no records of pathdog in that time", nothing)

    def test_without_a_daemon(self):
        path = os.path.join(self.directory, "nobody.sock")
        for command in ("decisions", "report"):
            run = subprocess.run([ctl_program(), "-s", path, command], capture_output=True, text=True)
            self.assertEqual((run.returncode, run.stdout), (3, ""))
            self.assertIn("no such socket", run.stderr)
            self.assertIn("--source journal", run.stderr)


JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"
IDS = {"decision": "MESSAGE_ID_DECISION", "outcome": "MESSAGE_ID_OUTCOME",
       "effect": "MESSAGE_ID_EFFECT", "cause": "MESSAGE_ID_CAUSE", "node": "MESSAGE_ID_NODE",
       "peer": "MESSAGE_ID_PEER", "notice": "MESSAGE_ID_NOTICE"}
# clears the screen, turns the direction of writing, begins a sequence in one byte; ends a line
DRIVES = "\x1b[2J\u202e\x9b31m\u2028\r"
TIME_US = 1764340000000000


@unittest.skipUnless(os.path.exists(JOURNAL_REMOTE), "systemd-journal-remote is not installed")
class Forged(Case):
    """Anybody may write to the journal, and the export of another machine may say anything."""

    def setUp(self):
        super().setUp()
        path = os.path.join(os.path.dirname(__file__), "..", "..", "watchdog", "out", "message-ids.h")
        with open(path, encoding="utf-8") as file:
            self.ids = dict(re.findall(r'#define (MESSAGE_ID_\w+)\s+"(\w+)"', file.read()))

    def field(self, name, value):
        value = value if isinstance(value, bytes) else str(value).encode()
        if value.isalnum():
            return name.encode() + b"=" + value + b"\n"
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"

    def entry(self, record, **members):
        fields = {"__REALTIME_TIMESTAMP": TIME_US, "_BOOT_ID": "1" * 32, "_MACHINE_ID": "2" * 32,
                  "__MONOTONIC_TIMESTAMP": TIME_US, "MESSAGE_ID": self.ids[IDS[record]],
                  "PATHDOG_RECORD": record}
        members = {"time_us": TIME_US, "run": "r1", "peer": "p", "conn": 1, **members}
        fields.update({k if k[0] == "_" else "PATHDOG_" + k.upper(): v for k, v in members.items()})
        return b"".join(self.field(*f) for f in fields.items()) + b"\n"

    def decision(self, number=1, **members):
        return self.entry("decision", **{
            "decision": number, "trigger": "stall", "kind": "dead", "by": "migrate", "reason": "r",
            "verdict": "migrate", **members})

    def read(self, entries, *words):
        """What is printed; no byte of it may drive a terminal."""
        path = os.path.join(self.directory, "forged.journal")
        if not os.path.exists(path):
            subprocess.run([JOURNAL_REMOTE, "-o", path, "-"], input=b"".join(entries), check=True,
                           stderr=subprocess.DEVNULL)
        done = subprocess.run([ctl_program(), *words, "--since", "2000-01-01", "--file", path],
                              capture_output=True, timeout=60)
        text = (done.stdout + done.stderr).decode()
        self.assertNotIn("Sanitizer", text)
        self.assertNotIn("runtime error", text)
        self.assertEqual(done.returncode, 0, text)
        for line in text.split("\n"):
            self.assertTrue(line.isprintable(), repr(line))
        return done.stdout.decode()

    def test_no_terminal_is_driven(self):
        entries = [
            self.decision(peer=DRIVES, verdict=DRIVES, reason=DRIVES, trigger=DRIVES, run=DRIVES,
                          _SYSTEMD_UNIT=DRIVES),
            self.decision(2, peer=b"\xff\xfe\x1b", kind=b"\x80"),
            self.entry("outcome", decision=1, request=1, attempt=1, by=DRIVES, outcome=DRIVES,
                       elapsed_us=1, local_before=DRIVES, local_after=DRIVES, error_code=-1,
                       error_message=DRIVES, peer=DRIVES),
            self.entry("effect", decision=1, effect=DRIVES, samples_before=1, samples_after=2),
            self.entry("cause", cause=1, trigger=DRIVES, reason=DRIVES, peers=5, advised=5,
                       verdicts_x=3),
            self.entry("node", state="up", node=DRIVES, boot=DRIVES),
            self.entry("peer", state=DRIVES, peer=DRIVES, role=DRIVES),
            self.entry("notice", level="error", what=DRIVES, text=DRIVES, count=1)]
        self.assertIn("\\x1b[2J", self.read(entries, "decisions", "--everything"))
        self.assertIn("\\x1b[2J", self.read(entries, "report"))
        records = [json.loads(line) for line in
                   self.read(entries, "decisions", "--everything", "--json").splitlines()]
        self.assertEqual(len(records), len(entries))
        self.assertIn(DRIVES, [r.get("verdict") for r in records], "for programs nothing is lost")

    def test_numbers(self):
        entries = [self.decision(1, repeats=2**63 - 1), self.decision(2, repeats=2**63 - 1),
                   self.decision(3, repeats=-4, evidence_silent_ms=2**63 - 1),
                   self.decision(4, time_us=2**63 - 1), self.decision(5, time_us=-5),
                   self.entry("cause", cause=1, trigger="t", reason="x", peers=5,
                              advised=2**63 - 1, verdicts_migrate=2**63 - 1,
                              verdicts_damped=-2**63)]
        self.read(entries, "decisions", "--everything")
        self.read(entries, "report")
        json.loads(self.read(entries, "report", "--json"))

    def test_a_unit_with_a_nul(self):
        self.read([self.decision(_SYSTEMD_UNIT=b"\0" + b"a" * 40 + b".service")], "report")

    def test_what_is_after_the_end_is_freed(self):
        self.assertIn("no decision", self.read([self.decision()], "decisions", "--until",
                                               "2001-01-01"))

    def test_long_texts_are_cut(self):
        out = self.read([self.decision(reason=b"x" * (4 << 20))], "decisions", "--json")
        self.assertLess(len(json.loads(out)["reason"]), 1 << 17)

    def of_machines(self, hosts, **members):
        """A dead path on each, with a run of its own."""
        return [self.decision(1, run=f"r{n}", _MACHINE_ID=f"{n:08x}".ljust(32, "0"), _HOSTNAME=host,
                              _SYSTEMD_UNIT="pathdog.service", uplink="telekom", **members)
                for n, host in enumerate(hosts)]

    def test_several_machines(self):
        entries = self.of_machines(["alpha", "bravo", "debian", "debian"])
        names = ["alpha", "bravo", "debian (00000002)", "debian (00000003)"]
        report = json.loads(self.read(entries, "report", "--json"))
        self.assertEqual([machine["machine"] for machine in report["machines"]], names)
        self.assertEqual([run["unit"] for run in report["runs"]], [f"pathdog.service on {name}" for name in names])
        self.assertFalse(any(run["restart"] for run in report["runs"]))
        self.assertEqual([incident["machines"] for incident in report["common"]], [names])
        self.assertEqual([(fact["what"], fact["value"], fact["machines"]) for fact in report["common"][0]["shared"]],
                         [("uplink", "telekom", 4), ("peer", "p", 4), ("reason", "stall dead: r", 4)])
        self.assertIn("4 of 4 machines, 4 decisions: uplink telekom (4); peer p (4);", self.read(entries, "report"))
        self.assertIn("of pathdog.service on debian (00000003)", self.read(entries, "decisions"))

    def test_machines_that_say_anything(self):
        """Of their hostname and their id."""
        entries = self.of_machines([DRIVES, b"\xff", "x" * 100_000, "a\0b", "%s%n", ""])
        entries += [self.decision(1, run="r9", _MACHINE_ID=DRIVES, _HOSTNAME=DRIVES), self.decision(1, run="r10")]
        report = json.loads(self.read(entries, "report", "--json"))
        self.assertEqual(sum(machine["decisions"] for machine in report["machines"]), len(entries))
        self.assertIn("telekom", self.read(entries, "report"))

    def test_thousands_of_machines(self):
        entries = self.of_machines([f"h{n % 700}" for n in range(3000)])
        common = json.loads(self.read(entries, "report", "--json"))["common"]
        self.assertEqual(common[0]["shared"][0]["value"], "telekom")

    def test_thousands_of_runs(self):
        runs = json.loads(self.read([self.decision(run=f"r{i}") for i in range(5000)], "report",
                                    "--json"))["runs"]
        self.assertEqual(len(runs), 5000)
        self.assertEqual(sum(run["restart"] for run in runs), 4999)
