#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests, several at once, and prints TAP.

    run.py [--jobs N] [--timeout SECONDS] [--list] [--match GLOB] [NAME ...]

NAME: test_gate, test_gate.Gate, test_gate.Gate.test_inbound, or a glob of such names.
The build to test: PATHDOG_BUILD (meson's build directory), or PATHDOG, PATHDOG_REPLAY.
E2E_PATIENCE: a factor for all deadlines.
"""

import argparse
import fnmatch
import io
import multiprocessing
import os
import signal
import sys
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


def names(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from names(entry)
        else:
            yield entry.id()


def discover(wanted):
    loader = unittest.TestLoader()
    found = sorted(names(loader.discover(HERE, pattern="test_*.py", top_level_dir=HERE)))
    broken = [n for n in found if n.startswith("unittest.loader.")]  # could not be imported
    if not wanted:
        return found
    return broken + [n for n in found if any(
        n == w or n.startswith(w + ".") or fnmatch.fnmatchcase(n, w) or n.startswith(w + "__")
        for w in wanted)]


def overtime(signum, frame):
    raise AssertionError("the test took too long")


def run_one(job):
    name, timeout = job
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(name.split("_FailedTest.")[-1])
    except Exception:
        return name, [traceback.format_exc()], [], 0
    result = unittest.TestResult()
    begin = time.monotonic()
    signal.signal(signal.SIGALRM, overtime)
    signal.alarm(timeout)
    out, sys.stdout = sys.stdout, io.StringIO()
    try:
        suite.run(result)
    except BaseException as error:  # an alarm outside of the test proper
        result.errors.append((None, f"{type(error).__name__}: {error}"))
    finally:
        signal.alarm(0)
        sys.stdout = out
    bad = [text for _, text in result.failures + result.errors]
    skipped = [why for _, why in result.skipped]
    if not bad and not skipped and not result.testsRun:
        bad = ["no such test"]
    if result.unexpectedSuccesses:
        bad.append("expected to fail, but passed")
    return name, bad, skipped, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--timeout", type=int, default=90, help="seconds for one test")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    tests = discover(options.names)
    if options.list:
        print("\n".join(tests))
        return 0
    print("TAP version 13")
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    with multiprocessing.Pool(options.jobs, maxtasksperchild=50) as pool:
        jobs = [(name, options.timeout) for name in tests]
        for number, (name, bad, skipped, took) in enumerate(
                pool.imap_unordered(run_one, jobs), 1):
            if bad:
                failed += 1
                print(f"not ok {number} - {name} ({took:.1f} s)")
                for text in bad:
                    print("\n".join("#   " + line for line in text.splitlines()))
            elif skipped:
                print(f"ok {number} - {name} # SKIP {skipped[0]}")
            else:
                print(f"ok {number} - {name} ({took:.1f} s)")
            sys.stdout.flush()
    print(f"# {len(tests) - failed} of {len(tests)} good")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
