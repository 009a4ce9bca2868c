#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks pathdog and its tools, several tests at once, and prints TAP. README.md says more.

NAME: test_control, test_control.Abuse, test_control.Abuse.test_mode, or a glob of such names.
The build to test: PATHDOG_BUILD (meson's build directory); PATHDOG_MEASURED is the build without
sanitizers that times and memory are measured with (without it: PATHDOG_BUILD).
E2E_PATIENCE: a factor for all deadlines.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "e2e"), os.path.join(TESTS, "lib")]

import plugins  # noqa: E402 (these are found there)
import runner  # noqa: E402


def main():
    # What a sanitizer keeps of freed memory is not the program's.
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:quarantine_size_mb=8")
    options = runner.arguments(__doc__).parse_args()
    measured = os.environ.setdefault("PATHDOG_MEASURED", os.environ.get("PATHDOG_BUILD", ""))
    with plugins.usable(os.path.join(measured, "plugins")) as usable:
        os.environ["PATHDOG_MEASURED_PLUGINS"] = usable
        return runner.main(HERE, options)


if __name__ == "__main__":
    sys.exit(main())
