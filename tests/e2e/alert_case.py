# SPDX-License-Identifier: Apache-2.0
"""pathdog-alert beside a daemon, with a program that writes down what it is given. Has no tests."""

import json
import os
import re
import signal
import subprocess
import threading
import time

from control_case import ControlCase
from exec_case import Commands
from node import PATIENCE
from watchdog import environment, program

# Each run writes a file of its own, whole or not at all.
NOTE = """
out=$(mktemp {told}/new.XXXXXX)
cat > $out
env > $out.env
mv $out.env $out.done-env
mv $out {told}/$(date +%s.%N).$$.json
"""


class Alert:
    """A running pathdog-alert, and what it says."""

    def __init__(self, arguments, env):
        self.lines = []
        self.process = subprocess.Popen([program("pathdog-alert", "PATHDOG_ALERT")] + arguments,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace",
                                        env=environment(**env))
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def said(self, pattern):
        return [line for line in list(self.lines) if re.search(pattern, line)]

    def stop(self, how=signal.SIGTERM, deadline=10):
        """The exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(deadline * PATIENCE)
        self.reader.join(5 * PATIENCE)
        return status


class AlertCase(ControlCase, Commands):
    def setUp(self):
        super().setUp()
        self.alerts = []
        self.told_directory = os.path.join(self.directory, "told")
        os.mkdir(self.told_directory)
        os.chmod(self.told_directory, 0o777)  # of root it runs as nobody

    def tearDown(self):
        bad = []
        for alert in self.alerts:
            running = alert.process.poll() is None
            status = alert.stop()
            if running and status != 0:
                bad.append(f"pathdog-alert: exit status {status}")
            bad += [line for line in alert.lines if "Sanitizer" in line or "runtime error" in line]
        super().tearDown()
        self.assertEqual(bad, [])

    def note(self, more=""):
        """The path of the program that writes down what it is given, and does more."""
        return self.script(NOTE.format(told=self.told_directory) + more, "alert")

    def section(self, dog, **keys):
        """Sets [alert], without a reload."""
        dog.sections["alert"] = {"program": self.note(), "check_interval": "100ms", **keys}
        dog.write_config()

    def follow(self, dog, keep=None, wait=True, env=None, **keys):
        """Starts pathdog-alert with this section, and waits until it follows."""
        self.section(dog, **keys)
        env = {**(env or {}), **({"RUNTIME_DIRECTORY": keep} if keep else {})}
        alert = Alert(["--config", dog.config], env)
        self.alerts.append(alert)
        if wait:
            self.wait_said(alert, "follows pathdog")
        return alert

    def wait_said(self, alert, pattern, nth=1, deadline=20):
        self.wait_until(lambda: len(alert.said(pattern)) >= nth,
                        f"{pattern} number {nth} in {alert.lines}", deadline)
        return alert.said(pattern)[nth - 1]

    def told(self, event=None):
        """What the program was given, in its order."""
        names = sorted(n for n in os.listdir(self.told_directory) if n.endswith(".json"))
        objects = []
        for name in names:
            with open(os.path.join(self.told_directory, name)) as file:
                text = file.read()
            assert text.endswith("\n") and text.count("\n") == 1, text
            objects.append(json.loads(text))
        return [o for o in objects if event is None or o["event"] == event]

    def environments(self):
        """Of each run: {name: value}."""
        found = []
        for name in os.listdir(self.told_directory):
            if name.endswith(".done-env"):
                with open(os.path.join(self.told_directory, name)) as file:
                    found.append(dict(line.split("=", 1) for line in file.read().splitlines()))
        return found

    def wait_told(self, event=None, nth=1, deadline=20):
        end = time.monotonic() + deadline * PATIENCE
        while len(self.told(event)) < nth:
            lines = [alert.lines for alert in self.alerts]
            self.assertLess(time.monotonic(), end, f"{event} number {nth}: {self.told()}, {lines}")
            time.sleep(0.01)
        return self.told(event)[nth - 1]
