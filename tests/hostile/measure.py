#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an attack costs: memory, descriptors, processor time, and how late the loop is. Also a
program: asks a control socket until its standard input ends, and prints what it saw.

    measure.py CONTROL_SOCKET PID
"""

import json
import os
import select
import socket
import subprocess
import sys
import time

from node import PATIENCE

PERIOD = 0.005
TICK_MS = 1000 // os.sysconf("SC_CLK_TCK")


def status(pid, member):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(member + ":"))


def rss_kib(pid):
    return status(pid, "VmRSS")


def peak_kib(pid):
    """The most that it ever had."""
    return status(pid, "VmHWM")


def threads(pid):
    return status(pid, "Threads")


def descriptors(pid):
    """number -> what it is, without what differs from run to run."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}").split(":")[0]
        except FileNotFoundError:
            pass  # closed meanwhile
    return found


def cpu_ms(pid):
    """Processor time of all its threads, so far."""
    with open(f"/proc/{pid}/stat") as file:
        return TICK_MS * sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))


def waited_s(pid):
    """How long its first thread was ready to run and had no processor: what a busy machine adds."""
    try:
        with open(f"/proc/{pid}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def stolen_s():
    """How long the machine itself had no processor, where it is a virtual one; in ticks, of all its processors."""
    try:
        with open("/proc/stat") as file:
            return TICK_MS * int(file.readline().split()[8]) / 1e3
    except (OSError, ValueError, IndexError):
        return 0.0


class Lateness:
    """Asks the control socket each 5 ms while the block runs; worst_ms is the longest answer, without
    what the machine took away from the two of them (gross_ms: with it).

        with Lateness(dog) as late:
            ...
        self.assertLess(late.worst_ms, 20)
    """

    def __init__(self, dog):
        self.dog = dog
        self.worst_ms = self.gross_ms = self.asked = None

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__, self.dog.control, str(self.dog.process.pid)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.abspath(sys.modules[
                "node"].__file__))})
        first = self.process.stdout.readline()
        assert first == "asks\n", f"the probe did not come to ask: {first!r}"
        return self

    def __exit__(self, *error):
        try:
            out, _ = self.process.communicate("", timeout=30 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError("a question to the control socket had no answer") from None
        found = json.loads(out or "{}")
        assert found, "the probe found the control socket closed"
        self.worst_ms, self.gross_ms, self.asked = (
            found["worst_ms"], found["gross_ms"], found["asked"])


def probe(path, pid):
    try:
        os.nice(-10)
    except OSError:
        pass  # not root
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    question = b'{"jsonrpc":"2.0","id":1,"method":"version"}\n'
    worst = gross = 0.0
    asked = 0
    while True:
        taken, begin = waited_s(pid) + waited_s("self") + stolen_s(), time.monotonic()
        sock.sendall(question)
        answer = b""
        while not answer.endswith(b"\n"):
            piece = sock.recv(65536)
            if not piece:
                return
            answer += piece
        took = time.monotonic() - begin
        gross = max(gross, took)
        worst = max(worst, took - (waited_s(pid) + waited_s("self") + stolen_s() - taken))
        if not asked:
            print("asks", flush=True)
        asked += 1
        if select.select([sys.stdin], [], [], max(0.0, begin + PERIOD - time.monotonic()))[0]:
            break
    print(json.dumps({"worst_ms": 1000 * worst, "gross_ms": 1000 * gross, "asked": asked}))


if __name__ == "__main__":
    probe(sys.argv[1], int(sys.argv[2]))
