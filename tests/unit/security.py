#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/security.md is true as far as a program can tell: each promise has a test that exists, and
each bound has the number of the source.

security.py SOURCE_ROOT"""
import os
import re
import sys
import unittest

TOP = sys.argv[1]
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))

from named import TEST, rows, exists  # noqa: E402

UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "bytes": 1, "": 1}
TIMES_US = {"ms": 1000, "s": 10**6}


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        return file.read()


def section(heading):
    return read("docs/security.md").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def constant(path, name):
    text = re.search(rf"^#define {name}\s+(.*?)(?:\s*/[*/].*)?$", read(path), re.M)[1]
    text = re.sub(r"UINT64_C|\(size_t\)", "", text)
    text = re.sub(r"\b(\d+)[uUlL]+\b", r"\1", text)
    assert re.fullmatch(r"[\d\s()*<+-]+", text), f"{path}: {name} is {text}"
    return eval(text)  # digits and operators, as was checked


class Security(unittest.TestCase):
    def test_each_promise_has_tests_that_exist(self):
        promises = rows(section("Promises"))
        self.assertGreater(len(promises), 20)
        for promise, *tests in promises:
            names = TEST.findall(" ".join(tests))
            self.assertTrue(names, f"no test: {promise}")
            self.assertEqual([name for name in names if not exists(TOP, name)], [], promise)

    def test_nothing_else_exists(self):
        for name in ("hostile/test_control.Abuse.test_that_is_not_there", "hostile/test_none.A.b",
                     "unit/test-none", "hostile/test_control.Nobody"):
            self.assertFalse(exists(TOP, name), name)

    def test_each_bound_is_the_one_of_the_source(self):
        bounds = rows(section("Bounds"))
        self.assertGreater(len(bounds), 20)
        for what, most, where, page in bounds:
            path, name = re.findall(r"`([^`]+)`", where)
            number, unit = re.fullmatch(r"(\d+) ?(\w*)", most).groups()
            factor = TIMES_US.get(unit) if name.endswith("_US") else UNITS.get(unit)
            self.assertIsNotNone(factor, f"{what}: {most}")
            self.assertEqual(int(number) * factor, constant(path, name), what)
            target = re.fullmatch(r"\[([\w-]+\.md)\]\(([\w-]+\.md)(?:#([\w-]+))?\)", page)
            self.assertTrue(target and target[1] == target[2], page)
            headings = re.findall(r"^#+ (.*)$", read(f"docs/{target[1]}"), re.M)
            anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            self.assertTrue(target[3] is None or target[3] in anchors, page)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
