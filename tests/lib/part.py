# SPDX-License-Identifier: Apache-2.0
"""Some of the tests of a unittest module, so that meson can run the others at the same time:
PART=2/3 in the environment is every third test, from the second on; without PART it is all of them."""
import os
import unittest


def _flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flat(test)
        else:
            yield test


def of(suite, part=None):
    part = part or os.environ.get("PART") or "1/1"
    number, _, of_all = part.partition("/")
    if not (number.isdigit() and of_all.isdigit() and 1 <= int(number) <= int(of_all)):
        raise SystemExit(f"PART={part}: not a part, as 2/3 is")
    return unittest.TestSuite(list(_flat(suite))[int(number) - 1::int(of_all)])
