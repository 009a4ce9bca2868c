# SPDX-License-Identifier: Apache-2.0
"""Commands for the trigger `exec`: scripts in the test's directory. Has no tests."""

import os
import re
import time

from node import PATIENCE


def alive(pid):
    """Is there such a process, and not only its exit status?"""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Commands:
    """For a Case: writes scripts, and finds what they started."""

    def script(self, text, name="command", interpreter="/bin/sh"):
        path = os.path.join(self.directory, name)
        new = path + ".new"
        with open(new, "w") as file:
            file.write(f"#!{interpreter}\n{text}\n")
        os.chmod(new, 0o755)
        os.rename(new, path)
        return path

    def pids(self, dog, count):
        """The numbers behind pid= that the command wrote to its standard error."""
        def found():
            texts = [r["text"] for r in dog.records("notice", what="exec-stderr")]
            have = [int(n) for text in texts for n in re.findall(r"pid=(\d+)", text)]
            return have if len(have) >= count else None
        return dog.wait_for(found, what=f"{count} pids")

    def wait_gone(self, pids, deadline=10):
        end = time.monotonic() + deadline * PATIENCE
        while any(alive(pid) for pid in pids):
            left = [pid for pid in pids if alive(pid)]
            self.assertLess(time.monotonic(), end, f"still there: {left}")
            time.sleep(0.01)


# A command with a child, one that ignores SIGTERM in a session of its own, and one that was left by
# its parent; each says who it is. More may follow.
FAMILY = """
echo pid=$$ >&2
sleep 1000 & echo pid=$! >&2
setsid sh -c 'trap "" TERM HUP; echo pid=$$ >&2; while :; do sleep 1; done' &
(setsid sh -c 'sleep 1000 & echo pid=$! >&2; exit 0' &)
"""
