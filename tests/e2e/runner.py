# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of a directory, several at once, and prints TAP: for tests/e2e and tests/hostile."""

import argparse
import fnmatch
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import sys
import time
import traceback
import unittest

import plugins
import watchdog

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's modules, whichever Python this is


def names(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from names(entry)
        else:
            yield entry.id()


def discover(directory, wanted):
    loader = unittest.TestLoader()
    found = sorted(names(loader.discover(directory, pattern="test_*.py", top_level_dir=directory)))
    broken = [n for n in found if n.startswith("unittest.loader.")]  # could not be imported
    if not wanted:
        return found
    return broken + [n for n in found if any(
        n == w or n.startswith(w + ".") or fnmatch.fnmatchcase(n, w) or n.startswith(w + "__")
        for w in wanted)]


def overtime(signum, frame):
    raise AssertionError("the test took too long")


def run_one(name, timeout):
    """(failures, reasons for skipping) of one test, in this process."""
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName(name.split("_FailedTest.")[-1])
    except Exception:
        return [traceback.format_exc()], []
    result = unittest.TestResult()
    signal.signal(signal.SIGALRM, overtime)
    signal.alarm(timeout)
    try:
        suite.run(result)
    except BaseException as error:  # an alarm outside of the test proper
        result.errors.append((None, f"{type(error).__name__}: {error}"))
    finally:
        signal.alarm(0)
    bad = [text for _, text in result.failures + result.errors]
    skipped = [why for _, why in result.skipped]
    if not bad and not skipped and not result.testsRun:
        bad = ["no such test"]
    return bad, skipped


class Job:
    """One test in a process group of its own, so that nothing of it is left behind."""

    def __init__(self, name, timeout):
        self.name = name
        self.begin = time.monotonic()
        self.deadline = self.begin + timeout + 20
        self.answer, write = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=self.work, args=(write, timeout))
        self.process.start()
        write.close()

    def work(self, write, timeout):
        os.setpgid(0, 0)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
        write.send(run_one(self.name, timeout))

    def result(self):
        """None while it runs; else failures, reasons for skipping, seconds."""
        answer = None
        if self.answer.poll():
            try:
                answer = self.answer.recv()
            except EOFError:
                answer = [f"its process died: {self.process.exitcode}"], []
        elif time.monotonic() > self.deadline:
            answer = ["hung, and was killed"], []
        if answer is None:
            return None
        self.process.join(2)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # nobody is left
        self.process.join()
        self.answer.close()
        return (*answer, time.monotonic() - self.begin)


def run_all(tests, jobs, timeout):
    """Yields (name, failures, reasons for skipping, seconds), as they end."""
    waiting, running = list(reversed(tests)), []
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(Job(waiting.pop(), timeout))
        multiprocessing.connection.wait([job.answer for job in running], timeout=1)
        for job in list(running):
            result = job.result()
            if result:
                running.remove(job)
                yield (job.name, *result)


def arguments(text):
    parser = argparse.ArgumentParser(description=text,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one test")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    return parser


def main(directory, options):
    """The exit status: 0 if all that were wanted are good, and there were some."""
    # Containers begin with 1024, which a test with a thousand clients uses up.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536) if most > 0 else 65536, most))
    tests = discover(directory, options.names)
    if options.list:
        print("\n".join(tests))
        return 0
    with plugins.usable(watchdog.plugins()) as usable:
        os.environ["PATHDOG_PLUGINS"] = usable
        return report(tests, options)


def report(tests, options):
    """Runs them and prints; the exit status."""
    print("TAP version 13")
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, (name, bad, skipped, took) in enumerate(
            run_all(tests, options.jobs, options.timeout), 1):
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

