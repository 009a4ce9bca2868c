#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts tests one by one: in TAP files, in meson's testlog.json whose programs print TAP, or by the
sums and the names at the end of what tests/run printed.

    count.py tap STEP STATUS FILE        count.py meson STEP STATUS FILE
    count.py run STEP STATUS FILE

Prints "PASSED FAILED SKIPPED" and, after it, one line per failure, and then what was said about the
failures, each line with a '#' before it: the logs are not where the numbers are read. A program that crashed, printed
no test, or fewer than it had planned, counts as one failed test more. (A script without a plan that
says something and ends with 0 is one test.) STATUS is the exit status of
what wrote FILE: not 0 without a failure seen is one as well.
"""

import json
import re
import sys

MAX_WORDS = 12  # lines that are repeated of what one failure says
POINT = re.compile(r"(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*)")


def count_tap(text, name, status):
    """(passed, [failures], skipped) of one program's standard output."""
    passed, failures, skipped, planned, plans = 0, [], 0, 0, 0
    for line in text.splitlines():
        plan = re.match(r"1\.\.(\d+)\s*(#\s*skip.*)?", line, re.I)
        if plan:
            plans += 1
            planned += int(plan.group(1))
            if plan.group(2) and plan.group(1) == "0":
                skipped += 1
            continue
        if line.startswith("Bail out!"):
            failures.append(f"{name}: {line}")
            continue
        point = POINT.match(line)
        if not point:
            continue
        words = point.group(3)
        if re.search(r"#\s*skip\b", words, re.I):
            skipped += 1
        elif point.group(1) and not re.search(r"#\s*todo\b", words, re.I):
            failures.append(f"{name}: {words}")
        else:
            passed += 1
    seen = passed + len(failures) + skipped
    if not seen:
        failures.append(f"{name}: no test was run (exit status {status})")
    elif plans and seen < planned:
        failures.append(f"{name}: only {seen} of {planned} tests were run")
    elif status and not failures:
        failures.append(f"{name}: exit status {status} after its tests")
    return passed, failures, skipped


def count_unittest(text, name, status):
    """The same of Python's own runner, or None if this is not its output."""
    ran = re.search(r"^Ran (\d+) tests? in", text, re.M)
    if not ran:
        return None
    number = {word: int((re.search(rf"\b{word}=(\d+)", text) or [0, 0])[1])
              for word in ("failures", "errors", "skipped")}
    bad = re.findall(r"^(?:FAIL|ERROR): (.*)$", text, re.M)
    bad += ["more failed"] * (number["failures"] + number["errors"] - len(bad))
    if status and not bad or not int(ran[1]):
        bad.append(f"exit status {status}, {ran[1]} tests")
    passed = max(0, int(ran[1]) - len(bad) - number["skipped"])
    return passed, [f"{name}: {b}" for b in bad], number["skipped"]


def words_tap(text):
    """The comments that follow a point that failed."""
    words, left = [], 0
    for line in text.splitlines():
        if POINT.match(line):
            left = MAX_WORDS if line.startswith("not ok") else 0
            if left:
                words.append(line)
        elif left and line.lstrip().startswith("#"):
            words.append(line.strip(" #"))
            left -= 1
    return words


def words_meson(path):
    """What a program that failed wrote to its standard error, the end of it."""
    words = []
    with open(path) as file:
        for line in file:
            entry = json.loads(line)
            if entry["result"] in ("OK", "SKIP", "EXPECTEDFAIL"):
                continue
            words.append(f"{entry['name']}: {entry['result']}")
            words += (entry.get("stderr") or entry.get("stdout") or "").splitlines()[-MAX_WORDS:]
    return words


def words_run(text):
    """What the other run repeated."""
    return re.findall(r"^    \| # (.*)$", text, re.M)


def count_meson(path, status):
    passed, failures, skipped, programs = 0, [], 0, 0
    with open(path) as file:
        for line in file:
            entry = json.loads(line)
            programs += 1
            name, result = entry["name"], entry["result"]
            if result == "SKIP":
                skipped += 1
                continue
            bad = entry.get("returncode") or (0 if result in ("OK", "EXPECTEDFAIL") else result)
            out = entry.get("stdout") or ""
            p, f, s = (count_unittest(entry.get("stderr") or "", name, bad)
                       or count_tap(out, name, bad))
            # a script or the simulator is one test: it says something, but has no plan
            if not bad and out.strip() and not re.search(r"^1\.\.\d", out, re.M) and len(f) == 1:
                p, f, s = 1, [], 0
            passed, skipped = passed + p, skipped + s
            failures += f
    if not programs:
        failures.append("meson test ran nothing")
    elif status and not failures:
        failures.append(f"meson test: exit status {status}")
    return passed, failures, skipped


def count_run(text, status):
    sums = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M)
    if len(sums) != 1:
        return 0, [f"it did not get to its sums (exit status {status})"], 0
    passed, failed, skipped = map(int, sums[0])
    failures = re.search(r"^Failed:\n((?:  .*\n)*)", text, re.M)
    names = [line.strip() for line in failures[1].splitlines()] if failures else []
    names += ["one more failed"] * (failed - len(names))
    if status and not names:
        names = [f"exit status {status}"]
    return passed, names, skipped


def main():
    kind, step, status, path = sys.argv[1:]
    words = []
    try:
        if kind == "meson":
            passed, failures, skipped = count_meson(path, int(status))
            words = words_meson(path)
        else:
            with open(path, errors="replace") as file:
                text = file.read()
            passed, failures, skipped = (count_run(text, int(status)) if kind == "run"
                                         else count_tap(text, step, int(status)))
            words = words_run(text) if kind == "run" else words_tap(text)
    except (OSError, ValueError) as error:
        passed, failures, skipped = 0, [f"{step}: {error}"], 0
    print(passed, len(failures), skipped)
    for failure in failures:
        print(failure if failure.startswith(step) else f"{step}: {failure}")
    for line in words[:80] if failures else []:
        print("#", line)


if __name__ == "__main__":
    main()
