# SPDX-License-Identifier: Apache-2.0
"""Two acts of the demo, and what the nodes say about their bytes: flip.py BUILD"""
import os
import sys

sys.dont_write_bytecode = True
TOP = os.getcwd()
sys.path.insert(0, os.path.join(TOP, "contrib/demo"))

from demo import Play, perform  # noqa: E402
from stage import CONFIG, Stage  # noqa: E402
from story import Story  # noqa: E402


class Quick(Stage):
    config = CONFIG.replace("effect_window = 10s", "effect_window = 4s")


class Flip(Play):
    def run(self, stay):
        for act in (self.prologue, self.flip, self.back, self.epilogue):
            act()


if __name__ == "__main__":
    sys.exit(perform(Flip(Quick(TOP, sys.argv[1]), Story(False)), False,
                     "The default route flipped twice, and no connection lost a byte."))
