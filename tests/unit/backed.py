#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each cell of the table "What happened, and which trigger sees it" is backed by tests that exist.

backed.py SOURCE_ROOT"""
import os
import re
import sys
import unittest

TOP = sys.argv[1]
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))

from named import TEST, exists, read, rows  # noqa: E402


def section(heading):
    return re.split(r"\n#+ ", read(TOP, "docs", "triggers.md").split(f"# {heading}\n")[1])[0]


class Backed(unittest.TestCase):
    def test_each_cell_has_tests_that_exist(self):
        what = rows(section("What happened, and which trigger sees it"))
        tests = rows(section("The tests of that table"))
        self.assertGreater(len(what), 15)
        self.assertEqual([re.match(r"\*\*(.+?)\*\*", row[0])[1] for row in what], [row[0] for row in tests])
        for name, *cells in tests:
            self.assertEqual(len(cells), 2, name)
            for cell in cells:
                found = TEST.findall(cell)
                self.assertTrue(found, f"no test: {name}")
                self.assertEqual([test for test in found if not exists(TOP, test)], [], name)

    def test_nothing_else_exists(self):
        for name in ("unit/test-stall.test_that_is_not_there", "unit/test-none.test_idle",
                     "e2e/test_reach.Reach.test_none", "quic-node/selftest.Net.test_none"):
            self.assertFalse(exists(TOP, name), name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
