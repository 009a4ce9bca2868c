# SPDX-License-Identifier: Apache-2.0
"""pathdogctl report of recordings and as a page. How the page looks in a browser: tests/programs/test_report.py."""

import json
import os
import re
import resource
import stat
import subprocess
import unittest

from case import cases
from control_case import ControlCase, ctl_program
from node import PATIENCE
from watchdog import environment, replay_program

MAGIC = b"<!doctype html><!--pathdog-->"
OTHER = "[watchdog]\nnode = /run/nothing.sock\nmode = observe\n\n[trigger:tunnel]\nsocket = /run/nothing.notify\n"
NAME = 'p1"><script>x</script>@h'


class Report(ControlCase):
    def setUp(self):
        super().setUp()
        node = self.node()
        node.add(NAME, 1, local="127.0.0.1:9001")
        node.add("p2@h", 2, local="127.0.0.1:9002")
        self.watched = self.dog(node)
        node.wait_subscribed()
        for conn in (1, 2):
            self.watched.wait_record("peer", state="up", conn=conn)
        node.on("migrate_peer", lambda r: r.answer({}))
        self.client(self.watched).result("hold", peer="p2@h")
        self.watched.moved(reason="the <b>tunnel</b> & its path")
        self.watched.effect(conn=1)
        self.watched.decision("held")

    def recorded(self):
        """The recording, when it is whole."""
        self.assertEqual(self.watched.finish(), [])
        return self.watched.recording

    def report(self, *words, status=0, env=None, limit=None, stdin=None):
        """(out, err) as bytes."""
        directory = os.path.dirname(replay_program())
        run = subprocess.run(
            [ctl_program(), "report", *words], stdin=stdin or subprocess.DEVNULL, capture_output=True,
            timeout=60 * PATIENCE, cwd=self.directory,
            env={**environment(), "PATH": f"{directory}:{os.environ['PATH']}", **(env or {})},
            preexec_fn=limit and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))))
        self.assertEqual(run.returncode, status, f"{words}: {run.stdout[-2000:]}{run.stderr}")
        self.assertNotIn(b"Sanitizer", run.stderr)
        return run.stdout, run.stderr.decode()

    def write(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def check_page(self, page):
        self.assertTrue(page.startswith(MAGIC) and page.endswith(b"</html>\n"), page[:100])
        text = page.decode()
        self.assertNotIn("<script", text)
        self.assertNotRegex(text, r"(?:https?:)?//|url\((?!#)|src=|@import|<link|<iframe|\son[a-z]+=")
        self.assertIn("p1&quot;&gt;&lt;script&gt;x&lt;/script&gt;@h", text)
        self.assertIn("the &lt;b&gt;tunnel&lt;/b&gt; &amp; its path", text)
        return text

    def test_of_the_running_daemon(self):
        page, err = self.report("--socket", self.watched.control, "--source", "daemon", "--html")
        text = self.check_page(page)
        self.assertEqual(err, "")
        self.assertIn("from the running daemon's memory", text.replace("&#39;", "'"))
        self.assertIn("Records hold no samples", text)
        self.assertIn("moved connections <b>1 time</b>", text)

    def test_a_recording(self):
        path = self.recorded()
        report = json.loads(self.report("--json", path)[0])
        self.assertEqual(report["recording"], path)
        self.assertIsNone(report["remark"])
        self.assertEqual(report["decisions"], len(self.watched.records("decision")))
        self.assertEqual(report["outcomes"], {"migrated": 1})
        self.assertEqual({peer["peer"] for peer in report["peers"]}, {NAME, "p2@h"})
        self.assertEqual(report["nodes"][0]["node"], self.watched.records("node")[0]["node"])
        out, err = self.report(path)
        self.assertIn(f"from the recording {path}".encode(), out.splitlines()[0])
        self.assertRegex(out.decode(), r"moves +1: 1 restored\n")
        self.assertEqual(err, "")
        text = self.check_page(self.report("--html", path)[0])
        self.assertIn('<path class="rtt" d="M', text)
        with open(path, "rb") as file:
            self.assertEqual(self.report("--html", "-", stdin=file)[0].decode(),
                             text.replace(f"the recording {path}", "the recording on standard input"))

    def test_of_a_time(self):
        path = self.recorded()
        at = self.watched.records("outcome")[0]["time_us"]
        before = json.loads(self.report("--json", "--until", f"@{at - 1}us", path)[0])
        after = json.loads(self.report("--json", "--since", f"@{at}us", path)[0])
        self.assertEqual((before["requests"], after["requests"]), (0, 1))
        self.assertEqual(before["until_us"], at - 1)
        self.assertEqual(after["from_us"], at)
        text = self.report("--html", "--until", "2001-01-01", path)[0].decode()
        self.assertIn("There is no record of pathdog in that time.", text)

    def test_another_configuration(self):
        path = self.recorded()
        other = self.write("other <b>.conf", OTHER.encode())
        what_if = json.loads(self.report("--json", path, "--config", other)[0])["what_if"]
        self.assertEqual(what_if["config"], other)
        self.assertEqual((what_if["recording"]["moves"], what_if["other"]["moves"]), (1, 0))
        self.assertEqual(what_if["other"]["verdicts"].get("observing"), 1, what_if)
        self.assertEqual([(row["in"], row["peer"]) for row in what_if["rows"]], [("recording", NAME)])
        text = self.check_page(self.report("--html", path, "--config", other)[0])
        self.assertIn("What would have been", text)
        self.assertIn("other &lt;b&gt;.conf", text)
        self.assertIn("instead of 1: <b>1 fewer</b>", text)
        same = self.write("same.conf", json.loads(open(path, "rb").readline())["config"].encode())
        what_if = json.loads(self.report("--json", path, "--config", same)[0])["what_if"]
        self.assertEqual((what_if["both"], what_if["rows"], what_if["earlier"]), (1, [], 0))
        self.assertEqual(what_if["recording"], what_if["other"])

    def test_a_bad_configuration(self):
        path = self.recorded()
        for name, data in (("bad.conf", b"[watchdog]\nnode = /x\nnonsense = 1\n"), ("none.conf", None)):
            other = self.write(name, data) if data else os.path.join(self.directory, name)
            out, err = self.report("--html", path, "--config", other, status=1)
            self.assertEqual(out, b"")
            self.assertIn(name, err)

    def test_a_file(self):
        path = self.recorded()
        for _ in range(2):  # a page may be overwritten
            self.assertEqual(self.report("--html", "-o", "night.html", path), (b"", ""))
        page = os.path.join(self.directory, "night.html")
        with open(page, "rb") as file:
            text = self.check_page(file.read())
        self.assertEqual(stat.S_IMODE(os.stat(page).st_mode), 0o644 & ~self.umask())
        self.assertEqual(self.report("--html", "--output=-", path)[0].decode(), text)

    def umask(self):
        mask = os.umask(0)
        os.umask(mask)
        return mask

    def test_a_file_that_cannot_be(self):
        path = self.recorded()
        mine = self.write("mine.html", b"<html>mine</html>")
        os.symlink(mine, os.path.join(self.directory, "link.html"))
        before = sorted(os.listdir(self.directory))
        for where, why in (("mine.html", "not a report of pathdog"), (self.directory, "Is a directory"), ("link.html", "symbolic link"),
                           ("none/x.html", "No such file"), ("mine.html/x", "Not a directory"), ("/proc/x.html", "/proc/x.html"),
                           ("", "--output")):
            out, err = self.report("--html", "-o", where, path, status=1)
            self.assertEqual(out, b"")
            self.assertIn(why, err)
        out, err = self.report("--html", "-o", "big.html", path, status=1, limit=4096)
        self.assertIn("big.html", err)
        self.assertIn("File too large", err)
        self.assertEqual(sorted(os.listdir(self.directory)), before, "nothing is left of what could not be written")
        with open(mine, "rb") as file:
            self.assertEqual(file.read(), b"<html>mine</html>")

    def test_standard_output_that_is_full(self):
        path = self.recorded()
        with open("/dev/full", "wb") as full:
            run = subprocess.run([ctl_program(), "report", "--html", path], stdout=full, stderr=subprocess.PIPE,
                                 env={**environment(), "PATH": os.path.dirname(replay_program())}, timeout=60 * PATIENCE)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"cannot write the output", run.stderr)

    def test_a_broken_recording(self):
        with open(self.recorded(), "rb") as file:
            lines = file.read().splitlines(keepends=True)
        cut = self.write("cut", b"".join(lines[:-1]) + lines[-1][:20])
        report = json.loads(self.report("--json", cut)[0])
        self.assertIn("the last line is cut off", report["remark"])
        broken = self.write("broken", b"".join(lines[:len(lines) - 2]) + b"{nonsense}\n" + lines[-1])
        out, err = self.report("--html", broken, status=1)
        self.assertIn(f"line {len(lines) - 1}", err)
        self.assertIn("could not be read to its end", self.check_page(out))

    def test_no_recording(self):
        for path, why in ((self.write("empty", b""), "not a recording"), (self.write("text", b"hello\n"), "not a recording"),
                          (self.write("binary", bytes(range(256)) * 100), "not a recording"),
                          (os.path.join(self.directory, "none"), "No such file"), (self.directory, "directory")):
            for form in ((), ("--html",), ("--json",)):
                out, err = self.report(*form, path, status=1)
                self.assertEqual(out, b"")
                self.assertIn(why, err)
                self.assertEqual(len(err.splitlines()), 1, err)

    def test_without_pathdog_replay(self):
        path = self.recorded()
        env = {"PATH": self.directory}
        if os.path.exists(os.path.join(os.path.dirname(os.path.realpath(ctl_program())), "pathdog-replay")):
            self.skipTest("it is installed beside pathdogctl")
        out, err = self.report("--html", path, status=1, env=env)
        self.assertIn("cannot run pathdog-replay", err)
        # one that is killed, and one that speaks nonsense
        for what, why in (("kill -9 $$", "signal 9"), ("echo hello", "no JSON"), ("echo no good >&2; exit 1", "no good"),
                          ('echo \'{"record":\'; kill -9 $$', "signal 9")):
            script = self.write("pathdog-replay", f"#!/bin/sh\n{what}\n".encode())
            os.chmod(script, 0o755)
            self.assertIn(why, self.report(path, status=1, env=env)[1])

    @cases({"output alone": ("-o", "x"), "config alone": ("--html", "--config", "x"), "both forms": ("--html", "--json"),
            "two recordings": ("a", "b"), "and a source": ("a", "--source", "journal"), "and a unit": ("a", "--unit", "x"),
            "and a file": ("a", "--file", "x"), "read twice": ("-", "--config", "x"), "times": ("a", "--since", "once")})
    def test_usage(self, *words):
        out, err = self.report(*words, status=2)
        self.assertEqual(out, b"")
        self.assertIn("see \"pathdogctl --help\"", err)
        self.assertTrue(re.match(r"pathdogctl: \S", err), err)


if __name__ == "__main__":
    unittest.main()
