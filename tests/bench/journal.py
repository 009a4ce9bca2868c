# SPDX-License-Identifier: Apache-2.0
"""What the journal costs, how long it holds the loop, and how long saving what was learnt does: the
tables of pathdog-bench entry, late and saving."""

import statistics

from report import count_text, quantile, time_text, verdict

JOURNALD = {"works": "works", "slow": "takes 100 a second", "stands": "stands still",
            "gone": "is not there"}


def bench(run, table):
    rounds = 3 if run.quick else 8
    rows = run.bench("entry", rounds=rounds)
    counted = run.bench("entry", rounds=2, counted=True)
    if rows and counted:
        journal_cost(rows, counted, table)
        journal_hold(rows, table)
    journal_late(run, table)


def journal_cost(rows, counted, table):
    table.group("Journal: cost of an entry (a decision with evidence, 24 fields)", "how",
                "loop's thread", "÷ floor", "writing thread", "÷ floor", "allocations in the loop",
                "in the writing thread")

    def middle(some, who, what):
        return statistics.median(r[what] / r["entries"] for r in some if r["who"] == who)

    floor = middle(rows, "sendv", "loop_ns")
    table.row("sd_journal_sendv, the floor", f"{floor:.0f} ns", "1.00", "–", "–", "–", "–")
    for who, label in (("burst", "4000 in one turn"), ("single", "one, the thread sleeps")):
        loop, writer = middle(rows, who, "loop_ns"), middle(rows, who, "writer_ns")
        table.row(label, f"{loop:.0f} ns", f"{loop / floor:.2f}", f"{writer:.0f} ns",
                  f"{writer / floor:.2f}", f"{middle(counted, who, 'loop_allocations'):.2f}",
                  f"{middle(counted, who, 'writer_allocations'):.2f}")


def journal_hold(rows, table):
    table.group("Journal: how long the log holds the loop, in one turn of it",
                "40 000 entries, 100 each ms; journald", "taken", "longest, CPU", "longest, wall clock",
                "times it waited", "CPU ≤ 5 ms, no waiting")
    for row in rows:
        if row["who"] == "hold":
            table.row(JOURNALD[row["journald"]], row["taken"], time_text(row["cpu_ns"] / 1000),
                      time_text(row["wall_ns"] / 1000), row["waits"],
                      verdict(row["cpu_ns"] <= 5e6 and not row["waits"]))


def worst_of(windows, who):
    return statistics.median(w[who]["worst"] for w in windows)


def journal_late(run, table):
    table.group("Journal: the daemon, 4000 records a second and a flip of 1000 peers each 250 ms",
                "journald", "control: median", "99.9 %", "worst of a second", "later than without log",
                "≤ 5 ms", "echo: worst", "flip → first request: median", "worst", "entries taken",
                "dropped and said")
    floor = None
    for level, mode in (("error", "works"), ("info", "works"), ("info", "slow"),
                        ("info", "stands"), ("info", "gone")):
        rows = run.bench("late", peers=1000, records=4000, rounds=3 if run.quick else 7,
                         triggers="route", interval=3600000, journald=mode, log_level=level)
        windows = [r for r in rows if r["what"] == "window"]
        sums = [r for r in rows if r["what"] == "sums"]
        if not windows or not sums:
            continue
        worst = worst_of(windows, "control_us")
        floor = worst if level == "error" else floor
        table.row("nothing is logged" if level == "error" else JOURNALD[mode],
                  time_text(statistics.median(w["control_us"]["p50"] for w in windows)),
                  time_text(statistics.median(w["control_us"]["p999"] for w in windows)),
                  time_text(worst),
                  *(("–", "–") if level == "error" or not floor else
                    (f"{(worst - floor) / 1000:+.1f} ms", verdict(worst - floor <= 5000))),
                  time_text(worst_of(windows, "echo_us")),
                  time_text(quantile(sums[0]["first_us"], .5)), time_text(max(sums[0]["first_us"])),
                  sums[0]["taken"], sums[0]["said"])


def bench_clients(run, table):
    table.group("The control socket: 63 clients that ask what costs the most", "peers, clients",
                "a node's report → its record: mean", "worst", "one more client: median", "99 %",
                "worst", "echo: worst")
    rows = run.bench("clients", peers=100000, rounds=1 if run.quick else 3, triggers="route",
                     interval=3600000)
    for crowd in sorted({r["clients"] for r in rows}):
        windows = [r for r in rows if r["clients"] == crowd]
        table.row(f"{count_text(100000)}, {crowd}",
                  *(time_text(statistics.median(w["record_us"][q] for w in windows))
                    for q in ("mean", "worst")),
                  *(time_text(statistics.median(w["control_us"][q] for w in windows))
                    for q in ("p50", "p99", "worst")),
                  time_text(worst_of(windows, "echo_us")))


def bench_scrape(run, table):
    table.group("A scrape", "peers", "CPU of a request for nothing", "of a scrape", "90 %", "÷ for nothing",
                "bytes", "control while it is made: worst of each, median", "worst", "echo: worst", "below 5 ms")
    for peers in (1000, 10000, 100000):
        rows = run.bench("scrape", peers=peers, rounds=5 if run.quick else 20, triggers="srtt,stall",
                         interval=3600000)
        if not rows:
            continue
        cpu = {what: [r["cpu_us"] for r in rows if r["what"] == what] for what in ("nothing", "metrics", "late")}
        late = [r for r in rows if r["what"] == "late"]
        ours, nothing = statistics.median(cpu["metrics"]), statistics.median(cpu["nothing"])
        table.row(count_text(peers), time_text(nothing), time_text(ours), time_text(quantile(cpu["metrics"], .9)),
                  f"{ours / nothing:.1f}", max(r["bytes"] for r in rows),
                  time_text(statistics.median(r["control_us"]["worst"] for r in late)),
                  time_text(max(r["control_us"]["worst"] for r in late)),
                  time_text(max(r["echo_us"]["worst"] for r in late)), verdict(ours < 5000))


def bench_saving(run, table):
    table.group("Saving what was learnt: how long it holds the loop", "peers",
                "control: median", "99 %", "worst of 3 s", "while it saves: median", "99 %",
                "worst of 3 s", "echo: worst")
    for peers in (10000, 100000):
        rows = run.bench("saving", peers=peers, rounds=1 if run.quick else 3, triggers="route",
                         interval=3600000)
        cells = []
        for saves in (False, True):
            windows = [r for r in rows if r["saves"] == saves]
            if windows:
                cells += [time_text(statistics.median(w["control_us"][q] for w in windows))
                          for q in ("p50", "p99", "worst")]
        if cells:
            table.row(count_text(peers), *cells, time_text(worst_of(rows, "echo_us")))
