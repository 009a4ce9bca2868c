#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests, several at once, and prints TAP.

NAME: test_gate, test_gate.Gone, test_gate.Gone.test_after_the_answer, or a glob of such names.
The build to test: PATHDOG_BUILD (meson's build directory), or PATHDOG, PATHDOG_REPLAY.
E2E_PATIENCE: a factor for all deadlines.
test_uplinks_live prints what it measured to standard error: gaps, moves, bytes; with E2E_STORY also what was recorded.
E2E_FLAP="30 30 3600" has its flapping primary away for 30 s and back for 30 s, for an hour.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lib")]

import runner  # noqa: E402 (it is found there)

if __name__ == "__main__":
    sys.exit(runner.main(HERE, runner.arguments(__doc__).parse_args()))
