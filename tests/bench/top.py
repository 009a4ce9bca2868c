# SPDX-License-Identifier: Apache-2.0
"""What pathdogctl top takes, in a terminal of 80 × 24: its own CPU time, and what the daemon needs
for it beyond its usual work. The floor of the first is top with one peer, that of the second the
same daemon without top."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import tempfile
import termios
import threading
import time

from report import count_text, say, verdict

START_S = 3  # until it has connected and drawn
LIMIT_S = 60


def ran_ns(pid):
    """The CPU time of a process; it has one thread."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0])


class Screen:
    """top, and somebody who reads what it writes."""

    def __init__(self, program, socket):
        ours, theirs = pty.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.ours, self.written = ours, 0
        self.process = subprocess.Popen([program, "--socket", socket, "top"], stdin=theirs, stdout=theirs,
                                        stderr=subprocess.PIPE, start_new_session=True,
                                        env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
        os.close(theirs)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while select.select([self.ours], [], [], LIMIT_S)[0]:
            try:
                self.written += len(os.read(self.ours, 65536))
            except OSError:
                return

    def end(self):
        self.process.terminate()
        status = self.process.wait(10)
        self.reader.join(10)
        os.close(self.ours)
        return status, self.process.stderr.read().decode()


def measure(run, peers, seconds, wanted):
    """The daemon's CPU time a second in ns, and top's, and the bytes that it wrote a second."""
    with tempfile.TemporaryDirectory(prefix="pathdog-bench-") as directory:
        argv = [run.tools.bench, "idle", "--daemon", run.tools.pathdog, "--plugins", run.tools.plugins,
                "--directory", directory, "--peers", str(peers), "--seconds", str(seconds + START_S),
                "--interval", "5000", "--triggers", ",".join(run.tools.triggers())]
        bench = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        top = None
        try:
            control = os.path.join(directory, "control")
            end = time.monotonic() + LIMIT_S
            while not os.path.exists(control) and bench.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            row = {}
            if wanted:
                top = Screen(os.path.join(run.tools.directory, "watchdog/ctl/pathdogctl"), control)
                time.sleep(START_S)
                ns, written, begun = ran_ns(top.process.pid), top.written, time.monotonic()
                time.sleep(seconds)
                took = time.monotonic() - begun
                row = {"top_ns": (ran_ns(top.process.pid) - ns) / took, "bytes": (top.written - written) / took}
            out, err = bench.communicate(timeout=LIMIT_S)
        finally:
            if top:
                status, said = top.end()
            if bench.poll() is None:
                bench.kill()
                bench.wait()
    if bench.returncode or (top and status):
        say(f"top: {err.strip()}{said if top else ''}")
        return None
    idle = json.loads(out)
    return {"bench": "top", "peers": peers, "daemon_ns": idle["cpu_ns"] / idle["seconds"], **row}


def bench(run, table):
    table.group("pathdogctl top: 80 × 24, a table sorted by trouble, each second", "what", "of a core", "÷ floor",
                "written a second", "target reached")
    program = os.path.join(run.tools.directory, "watchdog/ctl/pathdogctl")
    asked = subprocess.run([program, "top"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if "built without top" in asked.stderr:
        say("top: left out, there is no ncurses in this build")
        return
    seconds = 5 if run.quick else 15
    floor = measure(run, 1, seconds, True)
    for peers in (10000, 100000):
        without, seen = measure(run, peers, seconds, False), measure(run, peers, seconds, True)
        if not floor or not without or not seen:
            continue
        run.rows += [without, seen]
        table.row(f"top, {count_text(peers)}", f"{seen['top_ns'] / 1e7:.3f} %",
                  f"{seen['top_ns'] / floor['top_ns']:.2f}", f"{seen['bytes']:.0f} bytes",
                  verdict(seen["top_ns"] <= 5e7))
        more = max(0, seen["daemon_ns"] - without["daemon_ns"])
        table.row(f"the daemon, for it, {count_text(peers)}", f"{more / 1e7:.3f} %",
                  f"{seen['daemon_ns'] / without['daemon_ns']:.2f}", "–", "–")
