#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every program says its name and the project's version, and all say the same.

version.py VERSION PROGRAM …"""
import os
import re
import subprocess
import sys


def main():
    version, programs = sys.argv[1], sys.argv[2:]
    told, wrong = set(), []
    for program in programs:
        name = os.path.basename(program)
        done = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60)
        # A checkout adds its commit.
        said = re.fullmatch(rf"{name} ({re.escape(version)}(\+g[0-9a-f]+)?)\n", done.stdout)
        if done.returncode != 0 or done.stderr or not said:
            wrong.append(f"{name}: exit status {done.returncode}: {done.stdout!r} {done.stderr!r}")
        else:
            told.add(said[1])
        text = subprocess.run([program, "--help"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60).stdout
        if "--version" not in text:
            wrong.append(f"{name}: --help does not say --version")
    if len(told) > 1:
        wrong.append(f"several versions: {sorted(told)}")
    print("\n".join(wrong) or f"{len(programs)} programs are {', '.join(told)}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
