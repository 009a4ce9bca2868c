# SPDX-License-Identifier: Apache-2.0
"""contrib/udp-relay beside a bare forwarder, by turns in the same run: packets per second, latency,
memory of a session. The load is tests/bench/udp-relay.c; needs no root."""

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time

from report import say, verdict

PORTS = {"floor": 14003, "relay": 14004}
MANY = 10000
SMALL, TRAIN = (64, 1), (1200, 50)
RATE_SMALL, RATE_TRAIN, LATENCY = 0.9, 2, 1.2


def listens(port):
    """Is there a socket at this port?"""
    wanted = f":{port:04X} "
    for name in ("udp", "udp6"):
        with open(f"/proc/net/{name}") as file:
            if any(wanted in line for line in file):
                return True
    return False


@contextlib.contextmanager
def program(argv, port):
    """A process that serves the port; ended by its number."""
    with tempfile.TemporaryFile("w+") as said:
        # On the last core; the load is on the first.
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                   preexec_fn=lambda: os.sched_setaffinity(0, {os.cpu_count() - 1}))
        try:
            until = time.monotonic() + 10
            while not listens(port):
                if process.poll() is not None or time.monotonic() > until:
                    said.seek(0)
                    raise OSError(f"{argv[0]} does not serve port {port}: {said.read().strip()}")
                time.sleep(0.01)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Relay:
    def __init__(self, run):
        self.run = run
        self.bench = os.path.join(run.tools.directory, "tests/bench/udp-relay-bench")
        self.udp_relay = os.path.join(run.tools.directory, "contrib/udp-relay/udp-relay")

    def serve(self, who, *more, circuits=MANY):
        if who == "floor":
            return program([self.bench, "floor", str(PORTS[who])], PORTS[who])
        return program([self.udp_relay, "--port", str(PORTS[who]), "--control", "none",
                        "--max-data", "0", "--max-duration", "0",
                        "--max-circuits", str(circuits), *more], PORTS[who])

    def call(self, what, **options):
        argv = [self.bench, what]
        for key, value in options.items():
            argv += [f"--{key}", str(value)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise OSError(done.stderr.strip())
        row = {"bench": "udp-relay", **json.loads(done.stdout), **options}
        self.run.rows.append(row)
        return row

    def rates(self, who, rounds, ms, size, train, spread, *more):
        """Nanoseconds of CPU for a packet, packets per second: one of each for each round."""
        with self.serve(who, *more) as process:
            rows = [self.call("rate", port=PORTS[who], pid=process.pid, ms=ms, size=size, train=train,
                              spread=spread, sessions=0 if who == "floor" else spread)
                    for _ in range(rounds)]
        return [(row["cpu_ns"] / max(1, row["packets"]), row["packets"] * 1e9 / row["ns"])
                for row in rows]


def by_turns(turns, measure):
    """who → samples: the floor and the relay take turns, so that the machine's moods are of both."""
    samples = {"floor": [], "relay": []}
    for _ in range(turns):
        for who, some in samples.items():
            some += measure(who)
    return samples


def bench_rates(relay, table, quick):
    table.group("udp-relay: packets that a core forwards",
                "datagrams, sessions", "floor: each", "floor: in a second", "relay: each",
                "relay: in a second", "relay ÷ floor", "target", "target reached")
    turns, ms = (2, 300) if quick else (5, 600)
    no = ("--offload", "no")
    for label, (size, train), spread, more, target in (
            ("64 bytes, 1, --offload no", SMALL, 1, no, RATE_SMALL),
            ("1200 bytes, 1, --offload no", (1200, 1), 1, no, RATE_SMALL),
            ("64 bytes, 10 000, --offload no", SMALL, MANY, no, None),
            ("64 bytes, 1", SMALL, 1, (), None), ("64 bytes, 10 000", SMALL, MANY, (), None),
            ("1200 bytes in trains of 50, 1", TRAIN, 1, (), RATE_TRAIN),
            ("1200 bytes in trains of 50, 100", TRAIN, 100, (), RATE_TRAIN)):
        got = by_turns(turns, lambda who, a=(2, ms, size, train, spread, *more): relay.rates(who, *a))
        each = {who: statistics.median(cpu for cpu, _ in some) for who, some in got.items()}
        rate = {who: statistics.median(rate for _, rate in some) for who, some in got.items()}
        ratio = each["floor"] / each["relay"]
        table.row(label, f"{each['floor']:.0f} ns", f"{rate['floor'] / 1000:.0f} k",
                  f"{each['relay']:.0f} ns", f"{rate['relay'] / 1000:.0f} k", f"{ratio:.2f}",
                  f"≥ {target}" if target else "–", verdict(ratio >= target) if target else "–")


def bench_latency(relay, table, quick):
    table.group("udp-relay: what it adds to the time of one datagram of 64 bytes",
                "of 64 bytes, one at a time", "without", "floor adds", "relay adds", "relay ÷ floor", "target",
                "target reached")
    rounds = 2000 if quick else 10000

    def measure(who):
        with relay.serve(who):
            return [relay.call("latency", port=PORTS[who], rounds=rounds,
                               sessions=0 if who == "floor" else 1) for _ in range(2)]

    got = by_turns(2 if quick else 5, measure)
    got["none"] = [relay.call("latency", rounds=rounds) for _ in range(3)]
    for name in ("p50", "p99"):
        us = {who: statistics.median(row[f"{name}_ns"] for row in rows) / 1000
              for who, rows in got.items()}
        added = {who: us[who] - us["none"] for who in ("floor", "relay")}
        ratio = added["relay"] / added["floor"]
        table.row(name, f"{us['none']:.1f} µs", f"{added['floor']:.1f} µs", f"{added['relay']:.1f} µs",
                  f"{ratio:.2f}", f"≤ {LATENCY}", verdict(ratio <= LATENCY))


def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def bench_memory(relay, table):
    table.group("udp-relay: memory (proportional set size)", "what", "of all", "a session")
    with relay.serve("relay", circuits=64) as process:
        table.row("--max-circuits 64, none open", f"{pss_kb(process.pid) / 1024:.1f} MiB", "–")
    with relay.serve("relay") as process:
        before = pss_kb(process.pid)
        relay.call("register", port=PORTS["relay"], sessions=MANY)
        after = pss_kb(process.pid)
    table.row("--max-circuits 10 000, none open", f"{before / 1024:.1f} MiB", "–")
    table.row("10 000 open", f"{after / 1024:.1f} MiB", f"{(after - before) * 1024 / MANY:.0f} bytes")


def bench(run, table):
    relay = Relay(run)
    if not os.path.exists(relay.udp_relay):
        say("udp-relay: left out, it is not in this build")
        return
    try:
        bench_rates(relay, table, run.quick)
        bench_latency(relay, table, run.quick)
        bench_memory(relay, table)
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"udp-relay: {error}")
