# SPDX-License-Identifier: Apache-2.0
"""A machine that sleeps, as one process sees it (suspend.c). Has no tests."""

import mmap
import os
import struct

from watchdog import build_directory


class Suspend:
    """CLOCK_BOOTTIME of a process that is started with `environment`."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "suspended")
        with open(self.path, "w+b") as file:
            file.write(bytes(8))
            file.flush()
            self.map = mmap.mmap(file.fileno(), 8)
        self.total_us = 0

    @property
    def environment(self):
        options = os.environ.get("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
        return {"LD_PRELOAD": os.path.join(build_directory(), "tests", "suspend.so"),
                "SUSPENDED": self.path, "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"}

    def sleep(self, seconds):
        self.total_us += int(seconds * 1e6)
        self.map[:] = struct.pack("<q", self.total_us)
