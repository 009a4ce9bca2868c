# SPDX-License-Identifier: Apache-2.0
"""A system bus of the test's own, with a NetworkManager and a logind of its own. Has no tests."""

import os
import subprocess

from watchdog import environment, program

YES, NO, GUESS_YES = 1, 2, 3

POLICY = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>{address}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow receive_sender="*"/></policy></busconfig>
"""


class Process:
    """A program that prints a line when it is ready, and after each line that it is given."""

    def __init__(self, *words):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=environment())
        assert self.process.stdout.readline(), f"{words[0]} ended with {self.process.wait()}"

    def ask(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def say(self, text):
        assert self.ask(text) == "done", text

    def finish(self):
        """Its input ends: what it says last."""
        return self.process.communicate()[0]

    def stop(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Bus:
    """To be cleaned up by `case`. `address` is there before it is started."""

    def __init__(self, case):
        self.case = case
        self.directory = case.directory
        self.address = f"unix:path={self.directory}/bus"

    def run(self, *words):
        process = Process(*words)
        self.case.addCleanup(process.stop)
        return process

    def start(self):
        config = os.path.join(self.directory, "bus.conf")
        with open(config, "w") as file:
            file.write(POLICY.format(address=self.address))
        self.run("dbus-daemon", "--nofork", "--nopidfile", "--print-address", f"--config-file={config}")
        return self

    def network_manager(self, **devices):
        """Knows these: name → Metered. Takes "add NAME VALUE", "set NAME VALUE", "remove NAME", "who"."""
        nm = self.run(program("network-manager", "NETWORK_MANAGER"), self.address)
        for name, value in devices.items():
            nm.say(f"add {name} {value}")
        return nm

    def logind(self):
        """Takes "before" and "after": a sleep; "others": who else is on the bus."""
        return self.run(program("logind", "LOGIND"), self.address)
