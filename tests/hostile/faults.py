# SPDX-License-Identifier: Apache-2.0
"""Makes system calls of a running program fail, wait, or only be counted (fault.c does it).

    faults = Faults(directory)
    dog.env.update(faults.environment)          # before start()
    faults.set("accept4", errno.EACCES)         # from now on, each
    faults.set("write", HANG, match="records.json")   # until faults.clear("write")
    faults.seen("sendto")                       # how often it was called since count("sendto")
"""

import errno
import mmap
import os
import struct

from watchdog import build_directory

ENTRIES = 64
HANG = -1  # the call waits until there is another error, or none
ALWAYS = 2**32 - 1
LAYOUT = struct.Struct("<60siIIIIIIQ32x")
assert LAYOUT.size == 128
CALL = 88  # where in a row the call's hash is


def number_of(call):
    value = 0xcbf29ce484222325
    for byte in call.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return value


class Faults:
    """A table of faults; each pair of call and match has one row."""

    def __init__(self, directory, name="faults"):
        self.path = os.path.join(directory, name)
        with open(self.path, "wb") as file:
            file.truncate(ENTRIES * LAYOUT.size)
        os.chmod(self.path, 0o666)
        with open(self.path, "r+b") as file:
            self.table = mmap.mmap(file.fileno(), 0)
        self.rows = {}

    @property
    def environment(self):
        shim = os.path.join(build_directory(), "tests", "hostile", "fault.so")
        options = os.environ.get("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
        return {"LD_PRELOAD": shim, "FAULT_TABLE": self.path,
                "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"}

    def set(self, call, error=0, match="", after=0, times=ALWAYS, delay=0.0):
        """From now on: `after` so many matching calls, so many times, fails with the errno (a
        number or a name), after a delay of so many seconds. Its counts begin again."""
        error = getattr(errno, error) if isinstance(error, str) else error
        row = self.rows.setdefault((call, match), len(self.rows))
        assert row < ENTRIES, "too many faults"
        at = row * LAYOUT.size
        struct.pack_into("<Q", self.table, at + CALL, 0)
        LAYOUT.pack_into(self.table, at, match.encode(), error, after, times,
                         int(delay * 1e6), 0, 0, 0, 0)
        struct.pack_into("<Q", self.table, at + CALL, number_of(call))
        return self

    def count(self, call, match=""):
        """Only counts: `seen`."""
        return self.set(call, 0, match)

    def clear(self, call, match=""):
        """The call is good again, and goes on being counted."""
        struct.pack_into("<iIII", self.table, self.rows[call, match] * LAYOUT.size + 60, 0, 0, 0, 0)

    def seen(self, call, match=""):
        """Matching calls since set() or count()."""
        return struct.unpack_from("<I", self.table, self.rows[call, match] * LAYOUT.size + 76)[0]

    def hit(self, call, match=""):
        """How many of them were made to fail or to wait."""
        return struct.unpack_from("<I", self.table, self.rows[call, match] * LAYOUT.size + 80)[0]
