# SPDX-License-Identifier: Apache-2.0
"""Programs of [alert] that do everything wrong: each is bounded and named, nothing of it is left, the
next one is run, and pathdog does not notice. And a pathdog that tells more than anybody can read."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import measure
from alert_case import Alert, AlertCase
from case import cases
from exec_case import FAMILY, alive
from hostile_case import HostileCase
from node import PATIENCE
from test_tools import Server

LOOP = "while :; do sleep 1; done\n"
FORKS = "(while :; do (sleep 1000 &) ; sleep 0.02; done) &\n"


class Alerted(AlertCase, HostileCase):
    def start(self, text, env=None, **keys):
        """Its program does this, when its name is still there; the node refuses every move."""
        node, dog = self.pair(peers=2, watchdog={"retries": "0", "backoff_min": "1ms",
                                                 "backoff_max": "1ms", "move_burst": "1000"})
        node.on("migrate_peer", lambda request: request.error(-32000, "internal"))
        self.text = text
        alert = self.follow(dog, on="failed", env=env, **{"timeout": "1s", "burst": "1000", **keys})
        return node, dog, alert

    def note(self, more=""):
        return self.script(self.text, "alert")

    def of_ours(self):
        found = subprocess.run(["pgrep", "-f", self.directory + "/alert"], capture_output=True,
                               text=True).stdout.split()
        return [int(pid) for pid in found if alive(pid)]

    def wait_none(self, deadline=3):
        end = time.monotonic() + deadline * PATIENCE
        while self.of_ours():
            self.assertLess(time.monotonic(), end, self.of_ours())
            time.sleep(0.02)

    def pids_said(self, alert, count):
        def found():
            return [int(n) for line in list(alert.lines) for n in re.findall(r"pid=(\d+)", line)]
        self.wait_until(lambda: len(found()) >= count, f"{count} pids in {alert.lines}")
        return found()


class Wrong(Alerted):
    TIMEOUT = r"failed: .*/alert took longer than its timeout, and was ended: it "
    FLOOD = r"failed: .*/alert wrote more than 1 MiB, and was ended: it "
    PROGRAMS = {
        "it hangs": (LOOP, TIMEOUT + r"was killed by signal 15 \(Terminated\) after 1\.\d s"),
        "it ignores SIGTERM": ("trap '' TERM HUP INT\n" + LOOP,
                               TIMEOUT + r"was killed by signal 9 \(Killed\)"),
        "it forks without end": ("trap '' TERM\n" + FORKS + LOOP, TIMEOUT + "was killed by signal 9"),
        "its children detach": (f"{FAMILY}exit 0", r"has ended with status 0 and left processes, of which"),
        "a family that hangs": (f"trap '' TERM\n{FAMILY}{LOOP}", TIMEOUT),
        "a gigabyte": ("head -c 1G /dev/zero", FLOOD),
        "a gigabyte of lines": ("yes | head -c 1G", FLOOD),
        "a gigabyte of errors": ("yes error | head -c 1G >&2", FLOOD),
        "a flood that ignores SIGTERM": ("trap '' TERM; (trap '' TERM; cat /dev/zero); cat /dev/zero", FLOOD),
        "it dies by a signal": ("kill -SEGV $$", r"was killed by signal 11 \(Segmentation fault\)"),
        "it reads nothing": ("exec <&-; exit 0", "has ended with status 0 after"),
        "it reads a byte": ("head -c 1 >/dev/null; exit 5", "has ended with status 5 after"),
        "it closes all": ("exec <&- >&- 2>&-\n" + LOOP, TIMEOUT),
        "a terminal's sequences": (r"printf '\033]0;x\007\033[2J\n'", r"/alert: \\x1b\]0;x\\x07\\x1b\[2J$"),
        "no end of the line": ("printf 'half a line'", "/alert: half a line$"),
        "many lines": ("seq 1000", r"/alert: \(980 more lines are left out\)$"),
    }

    @cases(PROGRAMS)
    def test_named_and_bounded(self, text, said):
        node, dog, alert = self.start(text)
        before_kib = measure.rss_kib(alert.process.pid)
        dog.moved("p1@h")
        self.wait_said(alert, said)
        self.wait_said(alert, "; told: p1@h")
        self.wait_none()
        self.assertLess(measure.rss_kib(alert.process.pid) - before_kib, 16 * 1024)
        self.assertLess(len(alert.lines), 60)
        # the next one is run, and pathdog has not noticed
        dog.moved("p2@h")
        self.wait_said(alert, "; told: p2@h")
        self.assert_alive(node, dog)

    @cases({"vanishes": lambda path: os.unlink(path), "can be written": lambda path: os.chmod(path, 0o757),
            "is a directory": lambda path: (os.unlink(path), os.mkdir(path)),
            "is no program": lambda path: os.chmod(path, 0o644),
            "is a device": lambda path: (os.unlink(path), os.symlink("/dev/zero", path)),
            "has no interpreter": lambda path: open(path, "w").write("#!/none/such\n")})
    def test_replaced(self, change):
        node, dog, alert = self.start("echo it runs")
        dog.moved("p1@h")
        self.wait_said(alert, "/alert: it runs")
        change(os.path.join(self.directory, "alert"))
        dog.moved("p2@h")
        self.wait_said(alert, r"failed: .*/alert could not be started: .*; told: p2@h")
        if os.path.isdir(os.path.join(self.directory, "alert")):
            os.rmdir(os.path.join(self.directory, "alert"))
        elif os.path.lexists(os.path.join(self.directory, "alert")):
            os.unlink(os.path.join(self.directory, "alert"))
        self.script("echo it is back", "alert")
        dog.moved("p1@h")
        self.wait_said(alert, "/alert: it is back")
        self.assert_alive(node, dog)

    def test_not_more_than_at_once(self):
        """Those that hang hold up no more than their places, and what waits is bounded."""
        node, dog, alert = self.start("echo pid=$$ >&2\n" + LOOP, at_once="2", timeout="1h", burst="4")
        for _ in range(30):
            dog.moved("p1@h")
            dog.moved("p2@h")
            node.wait_rounds(1)
        pids = self.pids_said(alert, 2)
        self.assertEqual([alive(pid) for pid in pids], [True, True])
        self.assertEqual(alert.stop(), 0)
        self.assertRegex("\n".join(alert.lines), r"ends; \d+ waiting events are dropped")
        self.wait_none()

    def test_its_section_is_taken_away(self):
        """What waits for its time then is not told any more: that program is nobody's wish now."""
        path = os.path.join(self.directory, "notify.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as status:
            status.bind(path)
            status.settimeout(20 * PATIENCE)
            node, dog, alert = self.start("cat", env={"NOTIFY_SOCKET": path}, burst="1", every="1h")
            for number in range(3):
                dog.moved("p1@h")
                dog.wait_record("outcome", nth=number + 1)
            while b"; 2 events waiting" not in status.recv(4096):
                pass
        del dog.sections["alert"]
        dog.write_config()
        alert.process.send_signal(signal.SIGHUP)
        self.wait_said(alert, "2 events that wait are told to nobody")
        self.assertEqual(alert.stop(), 0)
        self.assertEqual(len(alert.said("told to nobody")), 1, alert.lines)


class Rubbish(AlertCase, HostileCase):
    """Another program listens where pathdog should."""

    STATUS = {"run": "a", "node": {"state": "up", "name": "n@h"}, "reasons": []}

    def answered(self, **answers):
        """Starts pathdog-alert, which is answered so."""
        def talk(sock):
            for line in sock.makefile("rb"):
                asked = json.loads(line)
                answer = answers.get(asked["method"], {"records": []})
                sock.sendall(json.dumps({"id": asked["id"], "result": answer}).encode() + b"\n")
        path = os.path.join(self.directory, "rubbish.sock")
        server = Server(path, talk)
        self.addCleanup(server.close)
        config = os.path.join(self.directory, "rubbish.conf")
        with open(config, "w") as file:
            file.write(f"[watchdog]\nnode = {self.directory}/none.sock\ncontrol = {path}\n[alert]\n"
                       f"program = {self.note()}\ncheck_interval = 100ms\non = broken\n")
        self.alerts.append(Alert(["--config", config], {}))

    def test_reasons_without_end(self):
        reason = {"what": "x", "grade": "broken", "text": "bad " * 20}
        self.answered(status={**self.STATUS, "reasons": [reason] * 30000})
        told = self.wait_told("broken")
        self.assertLessEqual(len(told["text"]), 8192)


class Gone(Alerted):
    FAMILIES = {"a family": FAMILY, "all ignore SIGTERM": f"trap '' TERM HUP INT\n{FAMILY}",
                "it forks without end": f"trap '' TERM\n{FORKS}{FAMILY}"}

    @cases({f"{how}, {name}": (text, how) for name, text in FAMILIES.items()
            for how in ("SIGTERM", "SIGKILL")})
    def test_gone(self, text, how):
        node, dog, alert = self.start(text + LOOP, timeout="1h")
        dog.moved("p1@h")
        pids = self.pids_said(alert, 4)
        begin = time.monotonic()
        status = alert.stop(getattr(signal, how))
        self.assertEqual(status, 0 if how == "SIGTERM" else -signal.SIGKILL)
        self.assertLess(time.monotonic() - begin, 4 * PATIENCE)
        self.wait_gone(pids, deadline=3)
        self.wait_none()
        self.assert_alive(node, dog)


class Floods(Alerted):
    @staticmethod
    def drain(client):
        try:
            while client.sock.recv(1 << 20):
                pass
        except OSError:
            pass  # the test is over

    def test_more_than_can_be_read(self):
        """pathdog leaves records out for a reader that stands still; what it remembers is looked
        up, and nothing is told twice."""
        node, dog, alert = self.start("cat >/dev/null", burst="1", every="1s", timeout="30s")
        for conn in range(100, 1100):
            node.add(f"q{conn}@h{'x' * 200}", conn)
        dog.wait_record("peer", state="up", conn=1099)
        reader = self.client(dog)  # for one that keeps up nothing is held back
        reader.result("decisions", follow=True)
        threading.Thread(target=self.drain, args=(reader,), daemon=True).start()
        alert.process.send_signal(signal.SIGSTOP)
        for nth in range(1, 4):
            dog.moved("q*")
            dog.wait_record("outcome", nth=1000 * nth, deadline=30)
        alert.process.send_signal(signal.SIGCONT)
        self.wait_said(alert, "cannot follow pathdog: .* records came faster than they were read")
        self.wait_said(alert, "follows pathdog at .*; records of the time in between were looked up")
        self.wait_said(alert, "; told: and [0-9]+ more: [0-9]+ failed; the gravest: q[0-9]+@h")
        told = [int(n) for line in alert.lines for n in re.findall("told: and ([0-9]+) more", line)]
        one_by_one = len(alert.said("; told: q[0-9]+@h"))
        self.assertLessEqual(sum(told) + one_by_one, len(dog.records("outcome")))
        self.assertLess(measure.rss_kib(alert.process.pid), 128 * 1024)
        self.assert_alive(node, dog)

    def test_records_instead_of_an_answer(self):
        """Whoever serves the socket sends records without end, and never the page that was asked for."""
        node, dog, alert = self.start("cat >/dev/null")
        path = os.path.join(self.directory, "other.ctl")
        dog.sections["watchdog"]["control"] = path
        record = b'{"jsonrpc":"2.0","method":"record","params":{"record":"notice","text":"%s"}}\n' % (b"x" * 500)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen(8)
            dog.write_config()
            alert.process.send_signal(signal.SIGHUP)
            connection, _ = listener.accept()
            connection.settimeout(10 * PATIENCE)
            connection.recv(4096)
            connection.sendall(b'{"jsonrpc":"2.0","id":1,"result":{"run":"r"}}\n')
            connection.recv(4096)
            with self.assertRaises(OSError):
                for _ in range(100000):
                    connection.sendall(record)
            connection.close()
        self.wait_said(alert, "cannot follow pathdog: .*: too many records came while older ones were looked up")
        self.assertLess(measure.rss_kib(alert.process.pid), 64 * 1024)
        self.assert_alive(node, dog)

    def test_hostile_names(self):
        """A peer's name is the program's input: escaped in the environment and in the log."""
        node, dog, alert = self.start('printf "%s\\n" "$PATHDOG_PEER"; cat')
        node.add("a'; touch x; `touch x` $(touch x) \u202e\U000e0041@h", 7)
        dog.wait_record("peer", state="up", conn=7)
        dog.moved("a'*")
        shown = "a'; touch x; `touch x` $(touch x) \\u202e\\U000e0041@h"
        self.wait_said(alert, re.escape("/alert: " + shown) + "$")
        self.wait_said(alert, re.escape("; told: " + shown))
        self.assertEqual(alert.said("[\u202e\U000e0041]"), [])
