#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks pathdog and its tools, several tests at once, and prints TAP. README.md says more.

NAME: test_control, test_control.Abuse, test_control.Abuse.test_mode, or a glob of such names.
The build to test: PATHDOG_BUILD (meson's build directory); PATHDOG_MEASURED is the build without
sanitizers that times and memory are measured with (without it: PATHDOG_BUILD).
E2E_PATIENCE: a factor for all deadlines.
"""

import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "e2e"), os.path.join(TESTS, "lib")]

import plugins  # noqa: E402 (these are found there)
import runner  # noqa: E402
import soak  # noqa: E402
import watchdog  # noqa: E402


def main():
    # What a sanitizer keeps of freed memory is not the program's.
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:quarantine_size_mb=8")
    parser = runner.arguments(__doc__)
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="a random mixture of attacks")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of --soak")
    options = parser.parse_args()
    if options.list:
        return runner.main(HERE, options)
    build = watchdog.build_directory()
    measured = os.environ.setdefault("PATHDOG_MEASURED", build)
    with plugins.usable(os.path.join(measured, "plugins")) as usable:
        os.environ["PATHDOG_MEASURED_PLUGINS"] = usable
        if not options.soak:
            return runner.main(HERE, options)
        with plugins.usable(os.path.join(build, "plugins")) as of_build:
            return soak.main(options.soak, options.seed, {
                "sanitized": (build, of_build), "optimised": (measured, usable)})


if __name__ == "__main__":
    sys.exit(main())
