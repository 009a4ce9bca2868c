# SPDX-License-Identifier: Apache-2.0
"""Numbers as a reader wants them, and the tables. Measures nothing."""

import sys


def say(text):
    print(text, file=sys.stderr, flush=True)


def quantile(samples, q):
    samples = sorted(samples)
    return samples[min(len(samples) - 1, int(q * len(samples)))]


def time_text(us):
    if us < 1000:
        return f"{us:.0f} µs"
    return f"{us / 1000:.1f} ms" if us < 100000 else f"{us / 1000:.0f} ms"


def count_text(peers):
    return f"{peers:,} peer{'s' if peers > 1 else ''}".replace(",", "\u202f")


def verdict(reached):
    return "yes" if reached else "no"


class Table:
    def __init__(self):
        self.groups = []

    def group(self, title, *columns):
        self.groups.append((title, columns, []))

    def row(self, *cells):
        self.groups[-1][2].append([str(c) for c in cells])

    def markdown(self):
        text = []
        for title, columns, rows in self.groups:
            if not rows:
                continue
            text += [f"### {title}", "", "| " + " | ".join(columns) + " |",
                     "| " + " | ".join(["---"] + ["---:"] * (len(columns) - 1)) + " |"]
            text += ["| " + " | ".join(row) + " |" for row in rows] + [""]
        return "\n".join(text)

    def plain(self):
        text = []
        for title, columns, rows in self.groups:
            if not rows:
                continue
            width = [max(len(r[i]) for r in [columns, *rows]) for i in range(len(columns))]
            text += [title]
            for row in [columns, *rows]:
                text.append("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                                             for i, (c, w) in enumerate(zip(row, width))))
            text.append("")
        return "\n".join(text)
