# SPDX-License-Identifier: Apache-2.0
"""Commands of the trigger `exec` that do everything wrong: each is bounded and named, the rest of
pathdog goes on, and nothing of them is left, however pathdog ends."""

import os
import signal
import subprocess
import time

import measure
from case import cases
from exec_case import FAMILY, Commands, alive
from hostile_case import HostileCase
from node import PATIENCE

LOOP = "while :; do sleep 1; done"
LINE = "head -c 1048576 /dev/zero | tr '\\0' "


class Commanded(HostileCase, Commands):
    def start(self, command, **options):
        self.runs = getattr(self, "runs", 0) + 1
        node = self.node(name=f"node-{self.runs}")
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, triggers={"tunnel": {}, "exec": {"command": command, **options}})
        node.wait_rounds(1)
        return node, dog

    def of_ours(self):
        """The processes that were started from this test's directory."""
        found = subprocess.run(["pgrep", "-f", self.directory + "/command"], capture_output=True,
                               text=True).stdout.split()
        return [int(pid) for pid in found if alive(pid)]

    def wait_none(self, deadline=2):
        end = time.monotonic() + deadline * PATIENCE
        while self.of_ours():
            self.assertLess(time.monotonic(), end, self.of_ours())
            time.sleep(0.02)


class Wrong(Commanded):
    COMMANDS = {
        "a gigabyte": ("head -c 1G /dev/zero", "exec-flood", "wrote more than 1 MiB within 10 s"),
        "a gigabyte of lines": ("yes | head -c 1G", "exec-flood", "within 10 s: it is stopped"),
        "a gigabyte of errors": ("yes error | head -c 1G >&2", "exec-flood",
                                 "wrote more than 1 MiB within 10 s"),
        "messages without end": (r"yes 'EVENT=down\nPEERS=p1@h\n' | sed 's/\\n/\n/g'", "exec-flood",
                                 "wrote more than 200 messages within 10 s"),
        "a flood that ignores SIGTERM": (
            "trap '' TERM; (trap '' TERM; cat /dev/zero); cat /dev/zero", "exec-flood",
            "it is stopped"),
        "it exits at once": ("exit 1", "exec-ended", "has ended with status 1 after 0."),
        "it kills itself": ("kill -SEGV $$", "exec-ended", "was killed by signal 11 (Segmentation"),
        "NULs": ("printf 'a\\0b\\n\\n'; exec sleep 1000", "bad-notice", "or has control characters"),
        "a long line": (f"{LINE} x; {LINE} x; exec sleep 1000", "exec-flood", "wrote more than 1 MiB"),
        "long lines": (f"{LINE} x | head -c 900000; echo; echo; exec sleep 1000", "bad-notice",
                       "longer than 4096 bytes"),
        "rubbish": ("head -c 100000 /dev/urandom; printf '\\n\\n'; exec sleep 1000", "bad-notice",
                    "was ignored: "),
        "a terminal's sequences": ("printf '\\033]0;x\\007\\033[2J\\n' >&2; exec sleep 1000",
                                   "exec-stderr", r"\x1b]0;x\x07\x1b[2J"),
        "half a line, and it hangs": ("printf 'EVENT=up\\nPEE'; exec sleep 1000", "exec-stuck",
                                      "has not ended it: an empty line ends a message"),
        "it closes its output": ("exec >&- 2>&-; exec sleep 1000", "exec-stuck",
                                 "closed its standard output and goes on"),
        "it leaves children": ("for i in 1 2 3; do setsid sleep 1000 & done; exit 0", "exec-ended",
                               "and has left processes, of which "),
    }

    @cases(COMMANDS)
    def test_named_and_bounded(self, text, what, said):
        node, dog = self.start(self.script(text))
        before_kib = measure.rss_kib(dog.process.pid)
        dog.wait_record("notice", what=what, text=lambda text: said in text, deadline=20)
        self.assert_alive(node, dog)
        self.assertLess(measure.rss_kib(dog.process.pid) - before_kib, 32 * 1024)
        self.assertLess(len(dog.records("notice")), 120)
        self.assertEqual(self.stop_complaints(dog), [])
        self.wait_none()

    @cases({"not there": ("/none/such", "No such file or directory"),
            "a directory": ("/usr", "Is a directory"),
            "a device": ("/dev/zero", "may be written by others"),
            "no program": ("a text", "Permission denied"),
            "no interpreter": ("a script", "No such file or directory")})
    def test_cannot_be_started(self, path, why):
        if path == "a text":
            path = self.script("exit 0")
            os.chmod(path, 0o644)
        elif path == "a script":
            path = self.script("exit 0", interpreter="/none/such")
        node, dog = self.start(path)
        self.assertIn(why, dog.notice("exec-failed", deadline=20)["text"])
        self.assert_alive(node, dog)

    def test_of_somebody_else(self):
        """Whoever may write the command would be pathdog."""
        path = self.script("exec sleep 1000")
        os.chmod(path, 0o777)
        node, dog = self.start(path)
        self.assertIn("may be written by others", dog.notice("exec-failed")["text"])

    def test_one_that_hangs_is_ended_by_its_timeout(self):
        node, dog = self.start(self.script(f"trap '' TERM\n{FAMILY}{LOOP}"), timeout="1s")
        pids = self.pids(dog, 4)
        text = dog.notice("exec-stuck")["text"]
        self.assertIn("wrote nothing for 1 s (its timeout): it is stopped, and started again", text)
        self.wait_gone(pids)
        self.pids(dog, 8)  # and it is started again


class Gone(Commanded):
    FAMILIES = {
        "a family": FAMILY,
        "all ignore SIGTERM": f"trap '' TERM HUP INT\n{FAMILY}",
        "it forks without end": "trap '' TERM\n(while :; do (sleep 1000 &) ; sleep 0.02; done) &\n"
                                f"{FAMILY}",
        "it floods": f"{FAMILY}yes >&2 & yes &",
    }

    @cases({f"{how}, {name}": (text, how) for name, text in FAMILIES.items()
            for how in ("SIGTERM", "SIGKILL")})
    def test_gone(self, text, how):
        node, dog = self.start(self.script(text + LOOP))
        pids = self.pids(dog, 1 if "yes" in text else 4)
        if how == "SIGTERM":
            self.assertEqual(self.stop_complaints(dog), [])
        else:
            dog.finished = True  # nothing can be asked of its records
            dog.process.kill()
            dog.process.wait()
        self.wait_gone(pids, deadline=2)
        self.wait_none()

    def test_the_helper_is_killed(self):
        node, dog = self.start(self.script(FAMILY + LOOP))
        pid = self.pids(dog, 4)[0]
        with open(f"/proc/{pid}/stat") as file:
            helper = int(file.read().rsplit(")", 1)[1].split()[1])
        os.kill(helper, signal.SIGKILL)
        self.assertIn("has ended with its helper, which was killed", dog.notice("exec-ended")["text"])
        self.wait_gone([pid])
        for left in self.pids(dog, 4)[1:4]:  # nobody is left who would know of these
            os.kill(left, signal.SIGKILL)
        self.assert_alive(node, dog)


class Late(Commanded):
    measured = True

    @cases({"output": "cat /dev/zero", "errors": "yes >&2",
            "messages": "yes '' | sed 's/^/EVENT=down\\nPEERS=*\\n/'"})
    def test_the_loop_goes_on(self, text):
        node, dog = self.start(self.script("sleep 0.5; " + text))
        with measure.Lateness(dog) as late:
            dog.notice("exec-flood", deadline=20)
            node.wait_rounds(20)
        self.assertLess(late.worst_ms, 20)
