#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does pathdog-node-check see what is wrong with a node, and nothing where nothing is? TAP.

    run.py PATHDOG_NODE_CHECK [FAULT ...]

Every fault of faults.py is tried alone: each check that it names must fail. Every check must be
named by a fault. A node without a fault, and the exit status, are tried too.
"""

import concurrent.futures
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import traceback

from faults import FAULTS, GOOD, Node
from hostile import HOSTILE, Hostile, refuses_from

PROGRAM = os.path.abspath(sys.argv[1])
TIMEOUT = 120
# This node has a MiB to read before it shows its fault, beside others that keep the machine busy.
PATIENT = {"dies of a long line": "15", "no long lines": "15"}
# Of the wait for one answer, in a hostile node's tests; all waits together are 30 times as long.
HOSTILE_TIMEOUT = 1
with open(PROGRAM, "rb") as binary:
    INSTRUMENTED = b"__asan_init" in binary.read()
# AddressSanitizer puts something around each block, and keeps what was freed: that is not the program's.
MEMORY_MAX = (1400 if INSTRUMENTED else 700) << 20
LEAN = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=16"}


def check(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=TIMEOUT,
                          stdin=subprocess.DEVNULL)
    if "Sanitizer" in done.stderr or "runtime error" in done.stderr:
        raise AssertionError(done.stderr[-4000:])
    return done.returncode, done.stdout, done.stderr


def report_of(how, *arguments):
    with tempfile.TemporaryDirectory(prefix="nc-") as directory:
        node = Node(os.path.join(directory, "node"))
        how(node)
        node.start()
        try:
            status, out, err = check("--json", "--moves", "--reconnects", *arguments, node.path)
        finally:
            node.stop()
    return status, json.loads(out), err


def one(name):
    """Complaints about what is said of a node with this fault."""
    how, expected = {**GOOD, **FAULTS}[name]
    try:
        status, report, err = report_of(how, *(
            ("--timeout", PATIENT.get(name, "2"), "--only", ",".join(expected)) if expected else ()))
    except Exception:
        return [traceback.format_exc()]
    checks = {c["check"]: c for c in report["checks"]}
    failed = {c for c, told in checks.items() if told["status"] == "fail"}
    bad = [f"{c} is {checks[c]['status']}: {checks[c].get('reason')}"
           for c in sorted(expected - failed)]
    if name in GOOD:
        bad += [f"{c} failed: {checks[c]['reason']}" for c in sorted(failed)]
        bad += [f"{c} was skipped: {told['reason']}" for c, told in checks.items()
                if told["status"] == "skip"]
    bad += [f"{c} failed without a reason" for c in failed if not checks[c].get("reason")]
    if status != (1 if failed else 0) or report["conforms"] != (not failed):
        bad.append(f"exit status {status}, conforms {report['conforms']}")
    if err:
        bad.append(err)
    return bad


def every_check_has_a_fault():
    status, out, _ = check("--list")
    names = {line.split()[0] for line in out.splitlines()}
    seen = set().union(*(expected for _, expected in FAULTS.values()))
    return ([f"--list: exit status {status}"] if status else []) + [
        f"no fault is seen by {n}" for n in sorted(names - seen)] + [
        f"there is no check {n}" for n in sorted(seen - names)]


def exit_status():
    bad = []
    with tempfile.TemporaryDirectory(prefix="nc-") as directory:
        nobody = os.path.join(directory, "nobody")
        stale = os.path.join(directory, "stale")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(stale)
        for expected, *arguments in (
                (0, "--help"), (0, "--version"), (0, "--list"), (2,), (2, nobody, nobody), (2, ""),
                (2, "--timeout"), (2, "--timeout", "0", nobody), (2, "--timeout", "601", nobody),
                (2, "--timeout", "1s", nobody), (2, "--nothing", nobody), (2, "--only", "hello,", nobody), (2, "x" * 200),
                (2, "--trace", directory, nobody), (3, nobody), (3, stale), (3, directory),
                (3, "@pathdog-node-check-nobody")):
            status, out, err = check(*arguments)
            if status != expected or bool(err) != (expected > 0) or bool(out) != (expected == 0):
                bad.append(f"{arguments}: exit status {status}, {out!r}, {err!r}")
    return bad


def a_silent_server():
    """Somebody who accepts and says nothing is no node: that takes a few seconds, not for ever."""
    with tempfile.TemporaryDirectory(prefix="nc-") as directory, socket.socket(
            socket.AF_UNIX) as sock:
        path = os.path.join(directory, "silent")
        sock.bind(path)
        sock.listen(64)
        status, out, _ = check("--timeout", "1", path)
    lines = out.splitlines()
    return [] if status == 1 and any(line.startswith("FAIL  hello ") for line in lines) and any(
        line.startswith("skip  summary ") for line in lines) else [f"{status}: {out}"]


def hostile(name):
    """In bounded time, with bounded memory: exit status 1, and nothing of the node's drives a terminal."""
    with tempfile.TemporaryDirectory(prefix="nc-") as directory:
        node = Hostile(os.path.join(directory, "node"), HOSTILE[name])
        trace = os.path.join(directory, "out")
        with open(trace, "wb") as out, subprocess.Popen(
                [PROGRAM, "--timeout", str(HOSTILE_TIMEOUT), "--moves", "--reconnects", node.path],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=LEAN) as program:
            killer = threading.Timer(30 * HOSTILE_TIMEOUT + 60, program.kill)
            killer.start()
            _, status, usage = os.wait4(program.pid, 0)
            killer.cancel()
            program.returncode = os.waitstatus_to_exitcode(status)
        node.stop()
        with open(trace, encoding="utf-8") as file:
            text = file.read()
    bad = [] if program.returncode == 1 else [f"exit status {program.returncode}"]
    if usage.ru_maxrss << 10 > MEMORY_MAX:
        bad.append(f"{usage.ru_maxrss >> 10} MiB of memory")
    if not text.replace("\n", "").isprintable():
        bad.append("what is printed is not printable")
    return bad + [text] if bad else []


def not_tried():
    """A check that could not be tried is not passed: who is asked for it alone does not conform."""
    bad = []
    with tempfile.TemporaryDirectory(prefix="nc-") as directory:
        node = Hostile(os.path.join(directory, "node"), refuses_from(2))
        status, out, _ = check("--timeout", "1", "--only", "half-line", "--json", node.path)
        node.stop()
        if status != 1 or json.loads(out)["conforms"]:
            bad.append(f"refused: exit status {status}: {out}")
        node = Hostile(os.path.join(directory, "leaves"), lambda connection, number: node.stop())
        status, out, _ = check("--timeout", "1", "--only", "half-line", node.path)
        if status != 1 or "# not all was tried" not in out:
            bad.append(f"it left: exit status {status}: {out}")
    return bad


def main():
    names = sys.argv[2:] or [*GOOD, *FAULTS]
    single = [] if sys.argv[2:] else [every_check_has_a_fault, exit_status, a_silent_server,
                                       not_tried]
    harmful = [name for name in sys.argv[2:] or HOSTILE if name in HOSTILE]
    names = [name for name in names if name not in HOSTILE]
    print(f"1..{len(names) + len(single) + len(harmful)}", flush=True)
    number = failed = 0
    # Floods last: whoever runs beside them is slow.
    for calls in ([(f.__name__, f) for f in single] + [(name, one, name) for name in names],
                  [(name, hostile, name) for name in harmful]):
        with concurrent.futures.ProcessPoolExecutor(2) as pool:
            jobs = [(name, pool.submit(*call)) for name, *call in calls]
            for name, job in jobs:
                number += 1
                bad = job.result()
                failed += bool(bad)
                print(f"{'not ok' if bad else 'ok'} {number} - {name}")
                for line in "\n".join(bad).splitlines():
                    print(f"# {line}")
                sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
