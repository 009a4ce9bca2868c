# SPDX-License-Identifier: Apache-2.0
"""The stage of the demo: a lab of namespaces, QUIC nodes and pathdog in it, and their lines.

Starts and ends processes and reads what they print; tells no story.
"""
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

PATIENCE_S = 60

CONFIG = """\
[watchdog]
node = {directory}/alpha.sock
control = {directory}/control.sock
state_directory = {directory}
plugin_directory = {directory}/plugins
sample_interval = 1s
close_interval = 200ms
fallback_after = 1s
migrate_timeout = 2s
timeout_max = 10s
cooldown = 5s
effect_window = 10s
choose = {choose}

[trigger:srtt]
threshold = 200ms
strikes = 2

[trigger:route]
settle = 500ms

[trigger:stall]

[trigger:tunnel]
socket = {directory}/notify
"""

UPLINKS = """
[uplink:up0]
class = primary

[uplink:up1]
class = spare
"""


class StageError(Exception):
    """Something on the stage did not do what the play needs."""


class Metronome:
    """How much this machine stood still, or was busy otherwise: what happens on it meanwhile is
    late by as much, whatever pathdog and the nodes do."""

    BEAT_S = 0.01

    def __init__(self):
        self.late_s = 0.0
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self):
        last = time.monotonic()
        while True:
            time.sleep(self.BEAT_S)
            now = time.monotonic()
            if now - last > 3 * self.BEAT_S:
                self.late_s += now - last - self.BEAT_S
            last = now

    def take_ms(self):
        """All since the last call."""
        late_s, self.late_s = self.late_s, 0.0
        return late_s * 1000


class Process:
    """A program in a part of the lab; its lines go to `sink(name, line)`."""

    def __init__(self, name, words, sink):
        self.name = name
        self.errors = []
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        self.threads = [
            threading.Thread(target=self._read, args=(self.child.stdout, sink), daemon=True),
            threading.Thread(target=self._read, args=(self.child.stderr, self._error), daemon=True)]
        for thread in self.threads:
            thread.start()

    def _read(self, stream, sink):
        for line in stream:
            sink(self.name, line.rstrip("\n"))

    def _error(self, _, line):
        self.errors.append(line)

    def signal(self, number):
        if self.child.poll() is None:
            self.child.send_signal(number)

    def stop(self):
        self.signal(signal.SIGTERM)
        try:
            status = self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            status = self.child.wait()
        for thread in self.threads:
            thread.join(5)
        return status


class Stage:
    config = CONFIG

    def __init__(self, top, build):
        self.build = build
        self.lab_script = os.path.join(top, "contrib/netshim/lab.sh")
        self.prefix = f"demo-{os.getpid()}"
        self.directory = tempfile.mkdtemp(prefix="pathdog-demo-")
        self.environment = dict(os.environ,
                                NETSHIM=os.path.join(build, "contrib/netshim/netshim"))
        self.lab_directory = None
        self.processes = []
        self.lines = queue.Queue()  # (name, text): everything that anybody printed
        self.records = []
        self.kept = []  # lines already read, not waited for yet
        self.metronome = Metronome()

    # ---- the network ----

    def open(self):
        done = subprocess.run([self.lab_script, "create", self.prefix], env=self.environment,
                              stdin=subprocess.DEVNULL, text=True, capture_output=True)
        if done.returncode != 0:
            raise StageError(f"the network could not be made: {done.stderr.strip()}")
        self.lab_directory = done.stdout.strip()
        self.configure(self.config, choose="no")
        # The build may be below a directory of another user, where pathdog of root takes none.
        os.umask(0o022)
        shutil.copytree(os.path.join(self.build, "plugins"), os.path.join(self.directory, "plugins"),
                        ignore=lambda _, names: [n for n in names if not n.endswith(".so")],
                        copy_function=shutil.copyfile)

    def configure(self, text, **values):
        with open(os.path.join(self.directory, "pathdog.conf"), "w") as file:
            file.write(text.format(directory=self.directory, build=self.build, **values))

    def lab(self, *words):
        done = subprocess.run([self.lab_script, self.lab_directory, *words],
                              env=self.environment, stdin=subprocess.DEVNULL, text=True, capture_output=True)
        if done.returncode != 0:
            raise StageError(f"lab {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    # ---- the programs ----

    def start(self, name, part, *words):
        process = Process(name, ["ip", "netns", "exec", f"{self.prefix}-{part}", *words],
                          lambda who, line: self.lines.put((who, line)))
        self.processes.append(process)
        return process

    def start_node(self, name, part, *words):
        self.start(name, part, os.path.join(self.build, "contrib/quic-node/quic-node"), "--name",
                   name, "--stats", os.path.join(self.directory, f"{name}.json"), *words)
        self.wait_for(name, lambda line: line.startswith("ready"), "being ready")

    def start_pathdog(self):
        self.start("pathdog", "host", os.path.join(self.build, "watchdog/pathdog"), "--config",
                   os.path.join(self.directory, "pathdog.conf"), "--log", "json", "--record",
                   os.path.join(self.directory, "recording"))

    def let_choose(self):
        """From now on pathdog knows the uplinks, and chooses among them."""
        self.configure(self.config + UPLINKS, choose="yes")
        self.process("pathdog").signal(signal.SIGHUP)

    def process(self, name):
        return next(process for process in self.processes if process.name == name)

    # ---- what they say ----

    def next_line(self, timeout_s):
        """(name, line), a record as a dict; None if nobody said anything for so long."""
        try:
            name, line = self.lines.get(timeout=max(timeout_s, 0.001))
        except queue.Empty:
            return None
        if name == "pathdog":
            line = json.loads(line)
            self.records.append(line)
        return name, line

    def wait_for(self, name, condition, what, patience_s=PATIENCE_S):
        """Reads lines until one of `name` fits; all that were read are kept for the story."""
        deadline = time.monotonic() + patience_s
        while True:
            said = self.next_line(deadline - time.monotonic())
            if said:
                self.kept.append(said)
                if said[0] == name and condition(said[1]):
                    return said[1]
            elif time.monotonic() >= deadline:
                raise StageError(f"{name}: {what}: not within {patience_s} s; it said on stderr: "
                                 + " / ".join(self.process(name).errors[-5:]))

    def uplink(self, name):
        """What pathdogctl says of it, an object; empty if there is none of that name."""
        done = subprocess.run([os.path.join(self.build, "watchdog/ctl/pathdogctl"), "--socket",
                               os.path.join(self.directory, "control.sock"), "--json", "uplinks"],
                              stdin=subprocess.DEVNULL, text=True, capture_output=True)
        if done.returncode != 0:
            raise StageError(f"pathdogctl uplinks: {done.stderr.strip()}")
        uplinks = map(json.loads, done.stdout.splitlines())
        return next((uplink for uplink in uplinks if uplink["uplink"] == name), {})

    def notify(self, text):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(text.encode(), os.path.join(self.directory, "notify"))

    def stats(self, name):
        """The node's account of its bytes; the gaps are those since the last call."""
        path = os.path.join(self.directory, f"{name}.json")
        if os.path.exists(path):
            os.unlink(path)
        self.process(name).signal(signal.SIGUSR1)
        deadline = time.monotonic() + PATIENCE_S
        while not os.path.exists(path):
            if time.monotonic() > deadline:
                raise StageError(f"{name} wrote no statistics")
            time.sleep(0.01)
        with open(path) as file:
            return json.load(file)

    def close(self):
        for process in reversed(self.processes):
            process.stop()
        if self.lab_directory:
            self.lab("destroy")
        shutil.rmtree(self.directory, ignore_errors=True)
