# SPDX-License-Identifier: Apache-2.0
"""What the page of a recording costs (pathdogctl report --html), beside a bare replay of the same recording: that is
what any look at one costs."""

import os
import subprocess
import tempfile
import time

from day import Day, Storm
from report import quantile, verdict

LIMIT_S, LIMIT_BYTES = 10, 5 << 20
OTHER = "[watchdog]\nnode = /run/x\n\n[trigger:srtt]\nthreshold = 100ms\nstrikes = 1\n\n[trigger:stall]\n"


def timed(words, env):
    """(wall seconds, CPU seconds, most resident bytes of any process of it)."""
    begin = time.monotonic()
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, (words, status)
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def measure(build, recording, page, *more):
    replay = os.path.join(build, "watchdog/replay/pathdog-replay")
    env = {**os.environ, "PATH": f"{os.path.dirname(replay)}:{os.environ['PATH']}"}
    floor_s, *_ = timed([replay, recording, "--log", "json"], env)
    page_s, cpu_s, most = timed([os.path.join(build, "watchdog/ctl/pathdogctl"), "report", "--html", "-o", page, recording,
                          *more], env)
    return floor_s, page_s, cpu_s, most, os.path.getsize(page)


def bench(run, table):
    events, rounds = (100_000, 1) if run.quick else (1_000_000, 3)
    table.group(f"The page of a recording of {events:,} events".replace(",", "\u202f"), "what", "recording",
                "a replay, the floor", "the page", "÷ replay", "CPU, both processes", "memory, at most", "page", "≤ 10 s and 5 MB")
    with tempfile.TemporaryDirectory(prefix="pathdog-bench-") as directory:
        recording, page, other = (os.path.join(directory, name) for name in ("recording", "page.html", "other.conf"))
        with open(other, "w") as file:
            file.write(OTHER)
        for name, kind, peers, more in (("a day of 24 peers, 4 rows a line", Day, 24, ()),
                                        ("the same, and --config", None, 24, ("--config", other)),
                                        ("storms of 1000 peers: two records an event", Storm, 1000, ())):
            if kind:
                with open(recording, "w") as file:
                    kind(file, events, peers).play()
            samples = [measure(run.tools.directory, recording, page, *more) for _ in range(rounds)]
            floor_s, page_s, cpu_s, most, size = (quantile([s[i] for s in samples], 0.5) for i in range(5))
            run.rows.append({"bench": "pages", "what": name, "samples": samples})
            table.row(name, f"{os.path.getsize(recording) / 1e6:.0f} MB", f"{floor_s:.1f} s", f"{page_s:.1f} s",
                      f"{page_s / floor_s:.2f}", f"{cpu_s:.1f} s", f"{most / 2**20:.0f} MiB", f"{size / 2**20:.2f} MiB",
                      verdict(page_s <= LIMIT_S and size <= LIMIT_BYTES))
