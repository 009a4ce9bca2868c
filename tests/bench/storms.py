# SPDX-License-Identifier: Apache-2.0
"""Storms: the first one of a daemon, and connections that get slow together. The tables of pathdog-bench
storm and together."""

import statistics

from report import count_text, time_text, verdict

PEERS = 100000
LAST_US, CONTROL_US, MEMORY, BACK_S = 60000, 20000, 1.2, 60
TOGETHER_MOVES = 2
LOGS = (("nothing is logged", "json", "error"), ("json", "json", "info"), ("journal", "journal", "info"))


def bench(run, table):
    table.group("The first storm, cold: all connections are moved", "begun by, log, peers", "first request",
                "last", "raw: last", "÷ raw", "control: worst until then", "until all is answered",
                "echo: worst", "last ≤ 60 ms, control ≤ 20 ms")
    rows = {}
    for storm in ("route", "tunnel"):
        for label, log, level in LOGS:
            some = [row for _ in range(1 if run.quick else 3)
                    for row in run.bench("storm", peers=PEERS, storm=storm, log=log, log_level=level,
                                         triggers="route,tunnel", interval=3600000, seconds=1, rounds=1)]
            if some:
                rows[storm, label] = some
                table.row(f"{storm}, {label}, {count_text(PEERS)}", *cells(some))
    table.group("The first storm: memory (proportional set size), sample_interval 5 s", "begun by, log, peers",
                "before", "most", "after", "÷ before", "back to 1.2 × after", "within a minute")
    for storm, (label, log, level) in (("route", LOGS[2]), ("tunnel", LOGS[1])):
        some = run.bench("storm", peers=PEERS, storm=storm, log=log, log_level=level,
                         triggers="route,tunnel", interval=5000, seconds=65, rounds=1)
        for row in some:
            back = row["after_kb"] <= row["before_kb"] * MEMORY
            table.row(f"{storm}, {label}, {count_text(PEERS)}",
                      *(f"{row[what] / 1024:.1f} MiB" for what in ("before_kb", "peak_kb", "after_kb")),
                      f"{row['after_kb'] / row['before_kb']:.2f}", f"{row['back_s']:.0f} s" if back else "–",
                      verdict(back and row["back_s"] <= BACK_S))


def cells(rows):
    def middle(what):
        return statistics.median(row[what] for row in rows)

    last, control = middle("last_us"), max(middle("control_us"), middle("control_all_us"))
    return (time_text(middle("first_us")), time_text(last), time_text(middle("floor_us")),
            f"{last / middle('floor_us'):.2f}", time_text(middle("control_us")),
            time_text(middle("control_all_us")), time_text(middle("echo_us")),
            verdict(last <= LAST_US and control <= CONTROL_US))


def bench_together(run, table):
    table.group("All connections over an uplink get slow in the same round", "peers, uplinks", "moved",
                "records of the uplink", "journal entries", "CPU", "control: worst", "echo: worst",
                "memory: ÷ before", "at most 2 moves, one record")
    for peers in (200, 10000):
        for uplinks in (1, 2):
            for row in run.bench("together", peers=peers, uplinks=uplinks, triggers="srtt", interval=1000,
                                 seconds=10 if run.quick else 25, rounds=1):
                table.row(f"{count_text(peers)}, {uplinks}", row["moves"], row["causes"], row["entries"],
                          time_text(row["cpu_us"]), time_text(row["control_us"]), time_text(row["echo_us"]),
                          f"{row['after_kb'] / row['before_kb']:.2f}",
                          verdict(row["moves"] <= TOGETHER_MOVES and row["causes"] == 1))
