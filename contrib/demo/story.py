# SPDX-License-Identifier: Apache-2.0
"""Tells what happened in words: one line for each record of pathdog that matters to the story."""
import os
import sys
import time

BOLD, DIM, GREEN, RED, PLAIN = "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"


def milliseconds(us):
    return f"{us / 1000:.1f} ms" if us < 100000 else f"{us / 1000:.0f} ms"


def decision(r):
    what = {
        "migrate": "asks the node to migrate it to a new path",
        "reconnect": "asks the node to dial it anew",
        "inbound": "cannot migrate it: the peer opened the connection, and only a client "
                   "may migrate (RFC 9000 §9)",
        "disabled": "cannot migrate it: the peer forbids migration",
        "cooling": "does not move it: the last move was a moment ago",
        "queued": "waits: too many requests are open",
        "in-flight": "does not ask again: a request for the connection is open",
        "merged": "merges this into the decision before",
        "damped": "waits: the peer was moved too often",
        "backing-off": "waits: the last attempt failed",
        "probing": "asks first which other uplinks work",
    }.get(r["verdict"], f"decides {r['verdict']}")
    if r.get("target") and r["verdict"] in ("migrate", "reconnect"):
        what += f", over {r['target']}"
    return f"{r['peer']}: {r['reason']} ({r['trigger']} says {r['kind']}); pathdog {what}"


def outcome(r):
    took = milliseconds(r["elapsed_us"])
    if r["outcome"] == "migrated":
        how = "validated" if r["validated"] else "begun"
        return f"{r['peer']}: migrated in {took}, {r['local_before']} → {r['local_after']}, {how}"
    if r["outcome"] == "reconnected":
        return f"{r['peer']}: reconnected in {took}, connection {r['conn']} → {r['conn_new']}"
    error = r.get("error") or {}
    return f"{r['peer']}: {r['outcome']} after {took}" + (
        f" ({error['message']})" if error.get("message") else "")


def effect(r):
    words = {"better": "the move helped", "same": "the move changed nothing",
             "worse": "the new path is slower",
             "stalled": "nothing gets through on the new path",
             "unknown": "the node reports too little to evaluate the move"}[r["effect"]]
    before, after = r["rtt_before_us"], r["rtt_after_us"]
    if r["effect"] == "better" and (before is None or after is None or after > 0.8 * before):
        words = "restored, data flows again"
    else:
        words = f"{words} ({r['effect']})"
    rtt = (f", RTT {milliseconds(before)} → {milliseconds(after)}"
           if before is not None and after is not None else "")
    return f"{r['peer']}: {words}{rtt}"


def uplink(r):
    return f"uplink {r['uplink']} is {r['change']}: {r['reason']}"


SAY = {"decision": decision, "outcome": outcome, "effect": effect, "uplink": uplink}


class Story:
    def __init__(self, verbose):
        self.verbose = verbose
        self.colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.start = time.time()
        self.failures = []

    def paint(self, colour, text):
        return f"{colour}{text}{PLAIN}" if self.colours else text

    def say(self, text=""):
        print(text, flush=True)

    def act(self, number, title, *explanation):
        self.say()
        self.say(self.paint(BOLD, f"{number}. {title}"))
        for line in explanation:
            self.say(f"   {line}")

    def line(self, at_s, who, text):
        self.say(f"   {self.paint(DIM, f'{at_s - self.start:7.3f} s')}  {who:<8} {text}")

    def record(self, r):
        at_s = r["time_us"] / 1e6
        if r["record"] in SAY:
            self.line(at_s, "pathdog", SAY[r["record"]](r))
        elif r["record"] == "cause":
            counts = ", ".join(f"{name} {count}" for name, count in r["verdicts"].items())
            self.line(at_s, "pathdog",
                      f"{r['reason']}: {r['advised']} of {r['peers']} connections ({counts})")
        elif r["record"] == "notice":
            self.line(at_s, "pathdog", f"notice: {r['text']}")
        elif self.verbose:
            self.line(at_s, "pathdog", str(r))

    def check(self, good, text):
        """One thing that must hold; said, and counted if it does not."""
        mark = self.paint(GREEN, "✓") if good else self.paint(RED, "✗")
        self.say(f"   {mark} {text}")
        if not good:
            self.failures.append(text)
