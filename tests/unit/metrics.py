#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/metrics.md lists what is printed, no more and no less: each metric with its type and labels; and
the text is as both formats want it (also by the parsers of python3-prometheus-client, where it is there).

metrics.py SOURCE_ROOT METRICS_PRINT"""
import json
import os
import re
import subprocess
import sys
import unittest

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's modules, whichever Python this is
TOP, PRINT = sys.argv[1:3]
SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? ([0-9.]+|\+Inf)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
SUFFIXES = {"counter": ["_total"], "info": ["_info"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


def page(form):
    return subprocess.run([PRINT, form], check=True, capture_output=True).stdout.decode()


def labels_of(text):
    found = LABEL.findall(text or "")
    assert "".join(f'{name}="{value}",' for name, value in found).rstrip(",") == (text or ""), text
    return dict(found)


def families(text):
    """name → (type, unit, help, [(sample's name, labels, value)])"""
    there, name = {}, None
    for line in text.splitlines():
        if line.startswith("# EOF"):
            continue
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            there.setdefault(name, {"samples": []})[what] = rest
            continue
        match = SAMPLE.match(line)
        assert match, line
        there[name]["samples"].append((match[1], labels_of(match[2]), match[3]))
    return there


def listed():
    """name of the samples → (type, labels) as the page says."""
    with open(os.path.join(TOP, "docs/metrics.md"), encoding="utf-8") as file:
        table = file.read().split("\n## All metrics\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| (\w+) \|(.*?)\| .+ \|$", table, re.M)
    assert len(rows) > 40
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


class Metrics(unittest.TestCase):
    def setUp(self):
        self.open, self.plain = page("openmetrics"), page("prometheus")

    def test_the_list_is_what_is_printed(self):
        printed, silent = {}, set()
        for name, family in families(self.open).items():
            kind = family["TYPE"]
            shown = name + (SUFFIXES[kind][0] if kind in ("counter", "info") else "")
            labels = set().union(*(labels for _, labels, _ in family["samples"])) - {"le"}
            printed[shown] = (kind, labels)
            if not family["samples"]:  # nothing was measured
                silent.add(shown)
        wanted = listed()
        self.assertEqual(set(printed), set(wanted))
        for name, (kind, labels) in printed.items():
            self.assertEqual(kind, wanted[name][0], name)
            if name not in silent:
                self.assertEqual(labels, wanted[name][1], name)

        self.assertLessEqual(silent, {"pathdog_uplink_rtt_seconds", "pathdog_uplink_heard_timestamp_seconds"})

    def test_samples_have_the_suffix_of_their_type(self):
        for text in (self.open, self.plain):
            for name, family in families(text).items():
                base = re.sub("_(total|info)$", "", name)
                for sample, _, _ in family["samples"]:
                    self.assertIn(sample, [name] + [base + s for kind in SUFFIXES.values() for s in kind])

    def test_units(self):
        for name, family in families(self.open).items():
            if "UNIT" in family:
                self.assertTrue(name.endswith("_" + family["UNIT"]), name)
            else:
                self.assertFalse(name.endswith(("_seconds", "_bytes")), name)
        self.assertNotIn("# UNIT", self.plain)

    def test_help_ends_with_a_full_stop(self):
        for name, family in families(self.open).items():
            self.assertRegex(family["HELP"], r"^[A-Z1].*\.$", name)

    def test_both_say_the_same(self):
        def samples(text):
            return [line for line in text.splitlines() if not line.startswith("#")]
        self.assertEqual(samples(self.open), samples(self.plain))
        self.assertTrue(self.open.endswith("\n# EOF\n"))
        self.assertNotIn("# EOF", self.plain)

    def test_no_sample_comes_twice(self):
        lines = [line.rsplit(" ", 1)[0] for line in self.open.splitlines() if not line.startswith("#")]
        self.assertEqual(len(lines), len(set(lines)))

    def test_hostile_names(self):
        self.assertIn('interface="odd\\"\\\\\\n\ufffd"', self.open)

    def test_histograms(self):
        for name, family in families(self.open).items():
            if family["TYPE"] != "histogram":
                continue
            rows = {}
            for sample, labels, value in family["samples"]:
                key = tuple((k, v) for k, v in labels.items() if k != "le")
                rows.setdefault(key, {}).setdefault(sample[len(name):], []).append((labels.get("le"), value))
            for parts in rows.values():
                counts = [int(value) for _, value in parts["_bucket"]]
                self.assertEqual(counts, sorted(counts))
                self.assertEqual(parts["_bucket"][-1], ("+Inf", parts["_count"][0][1]))
                bounds = [float(le) for le, _ in parts["_bucket"]]
                self.assertEqual(bounds, sorted(set(bounds)))

    def test_what_was_fed_is_counted(self):
        self.assertIn('pathdog_notices_total{level="warning",what="bad-row"} 3\n', self.open)
        self.assertIn('pathdog_peer_changes_total{state="up"} 1\n', self.open)
        self.assertIn('pathdog_node_changes_total{state="up"} 1\n', self.open)
        self.assertIn("pathdog_node_up 1\n", self.open)

    def test_other_parsers_take_it(self):
        try:
            from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict
            from prometheus_client.parser import text_string_to_metric_families as loose
        except ImportError:
            self.skipTest("there is no python3-prometheus-client")
        names = {family.name for family in strict(self.open)}
        self.assertEqual(names, set(families(self.open)))
        self.assertGreaterEqual(len(list(loose(self.plain))), len(names))


class Prometheus(unittest.TestCase):
    """The rules and the dashboard of contrib/prometheus ask for nothing that does not exist."""

    def setUp(self):
        def read(name):
            with open(os.path.join(TOP, "contrib/prometheus", name), encoding="utf-8") as file:
                return file.read()
        self.texts = {name: read(name) for name in ("recording.yml", "alerts.yml", "rules-test.yml", "dashboard.json")}
        self.dashboard = json.loads(self.texts["dashboard.json"])
        self.recorded = set(re.findall(r"- record: (\S+)", self.texts["recording.yml"]))

    def test_metrics_exist(self):
        there = set(listed())
        used = set()
        for name, text in self.texts.items():
            found = set(re.findall(r"(?<![\w:-])(?:pathdog|process)_[a-z_]+(?![\w:.-])", text))
            base = {re.sub("_(bucket|sum|count)$", "", metric) if metric not in there else metric for metric in found}
            self.assertEqual(base - there, set(), name)
            used |= base
        self.assertGreater(len(used), 25)

    def test_recorded_ones_exist(self):
        self.assertGreater(len(self.recorded), 10)
        for name, text in self.texts.items():
            found = set(re.findall(r"\b(?:instance|instance_uplink|region|uplink|job):\w+:\w+", text))
            self.assertEqual(found - self.recorded, set(), name)

    def test_labels_exist(self):
        """Each label that a metric is asked by is one that it has, or one that Prometheus gives."""
        known = {"job", "region", "instance"}
        there = listed()
        for name, text in self.texts.items():
            for metric, labels in re.findall(r"\b((?:pathdog|process)_[a-z_]+)\{([^{}]*)\}", text.replace('\\"', '"')):
                base = metric if metric in there else re.sub("_(bucket|sum|count)$", "", metric)
                asked = set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', labels))
                self.assertEqual(asked - known - there[base][1], set(), f"{name}: {metric}")

    def test_panels(self):
        panels = self.dashboard["panels"]
        ids = [panel["id"] for panel in panels]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertGreater(len(panels), 25)
        variables = {one["name"] for one in self.dashboard["templating"]["list"]}
        self.assertEqual(variables, {"datasource", "job", "region", "instance"})
        for panel in panels:
            self.assertTrue(panel["title"])
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            if panel["type"] == "row":
                continue
            self.assertIn(panel["type"], ("stat", "timeseries", "state-timeline"))
            self.assertTrue(panel["description"], panel["title"])
            self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
            self.assertTrue(panel["targets"], panel["title"])
            refs = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(refs), len(set(refs)))
            for target in panel["targets"]:
                self.assertEqual(target["datasource"]["uid"], "${datasource}")
                self.assertTrue(target["legendFormat"])
                self.assertLessEqual(set(re.findall(r"\$(\w+)", target["expr"])), variables | {"__rate_interval"})

    def test_panels_do_not_lie_upon_each_other(self):
        taken = {}
        for panel in self.dashboard["panels"]:
            place = panel["gridPos"]
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, f'{panel["title"]} and {taken.get((x, y))}')
                    taken[x, y] = panel["title"]


unittest.main(argv=sys.argv[:1])
