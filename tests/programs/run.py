#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flows of real programs that know nothing of pathdog, with flow-node and pathdog beside them: Debian's Chromium,
ngtcp2, nginx and wireguard-go. Several tests at once; prints TAP. README.md says more.

NAME: test_http3, test_http3.Browser, test_wireguard.Tunnel.test_silent_death, or a glob of such names.
The build to test: PATHDOG_BUILD (meson's build directory). E2E_PATIENCE: a factor for all deadlines.
What was measured is printed to standard error; with E2E_STORY also what was recorded.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "e2e"), os.path.join(TESTS, "lib")]

import runner  # noqa: E402 (it is found there)

if __name__ == "__main__":
    sys.exit(runner.main(HERE, runner.arguments(__doc__).parse_args()))
