#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The names that are public (verdicts, outcomes, effects, kinds, members of records, journal
fields, message ids) are the same in the program, on the pages, in the manual, in the catalog and in
the completions.

names.py SOURCE_ROOT [PAGE …]        PAGE: pages of the manual as built"""
import os
import re
import sys
import unittest

TOP, BUILT = sys.argv[1], {os.path.basename(path): path for path in sys.argv[2:]}


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as file:
        return file.read()


def names_of(table):
    """A table of engine/base/names.c, in its order."""
    body = re.search(rf"{table}_names\[\w+\] = {{(.*?)}};", read("watchdog/engine/base/names.c"), re.S)
    return re.findall(r'\] = "([a-z-]+)"', body[1])


def section(page, heading):
    return read(page).split(f"\n## {heading}\n")[1].split("\n## ")[0]


def first_cells(text):
    """The words in code of the first cells of all tables."""
    return [word for line in re.findall(r"^\| (.*?) \|", text, re.M)
            for word in re.findall(r"`([^`]+)`", line)]


def row(text, name):
    return re.search(rf"^\| `{name}` \|.*", text, re.M)[0]


def functions(path):
    """name → body of what is defined in a C file."""
    return {name: body for name, body in
            re.findall(r"^[\w ]*\b(\w+)\([^;{]*\)\n{\n(.*?)^}$", read(path), re.M | re.S)}


def members():
    """record → its members, as watchdog/out/format.c writes them."""
    there = functions("watchdog/out/format.c")

    def of(body):
        found = re.findall(r'member_\w+\(buffer, form, "(\w+)"', body)
        found += re.findall(r'put_\w+\(buffer, "(\w+)"', body)
        for called in re.findall(r"\b(\w+)\(", body):
            if called in there and (called == "member_subject" or
                                    not called.startswith(("member_", "put_", "field_"))):
                found += of(there[called])
        return found
    return {name[5:]: set(of(body)) - {"message"}  # that is within `error`
            for name, body in there.items() if name.startswith("walk_") and name != "walk_record"
            and name[5:] in RECORDS}


RECORDS = ("decision", "outcome", "effect", "cause", "node", "peer", "uplink", "notice")
TABLES = {"verdict": ["The gate", "The queue"], "outcome": ["Outcomes and retries"],
          "effect": ["Effect"], "kind": ["Advice"]}


class Names(unittest.TestCase):
    def test_decisions_md_explains_each(self):
        for table, headings in TABLES.items():
            told = set()
            for heading in headings:
                text = section("docs/decisions.md", heading)
                head = rf"^\| {table}\b[^\n]*\n\| ---.*?(?=\n\n|\n?\Z)"
                told |= set(first_cells(re.search(head, text, re.M | re.S)[0]))
            self.assertEqual(told, set(names_of(table)), table)

    def test_records_md_lists_each(self):
        for record, member in (("decision", "verdict"), ("outcome", "outcome"),
                               ("effect", "effect"), ("decision", "kind")):
            words = re.findall(r"`([a-z-]+)`", row(section("docs/records.md", record), member))
            self.assertEqual(set(words[1:]), set(names_of(member)), member)

    def test_records_md_explains_each_change_of_an_uplink(self):
        text = section("docs/records.md", "uplink").split("\n| `change` | means |\n")[1]
        self.assertEqual(set(first_cells(text)), set(names_of("uplink_change")))

    def test_records_md_has_each_member(self):
        found = members()
        self.assertEqual(set(found), set(RECORDS))
        for record, names in found.items():
            self.assertGreaterEqual(len(names), 4, record)
            text = re.split(r"\n\| `(?:what|change)` \| (?:level|means)", section("docs/records.md", record))[0]
            self.assertEqual(set(first_cells(text)), names, record)

    def test_records_md_has_each_field_and_id(self):
        text = section("docs/records.md", "In the journal")
        told = set(re.findall(r"`PATHDOG_([A-Z_]+)(?:_…|…)?`", text))
        wanted = {"ERROR_CODE", "ERROR_MESSAGE", "LOG_DROPPED", "RECORD", "TIME_US", "RUN"}
        for names in members().values():
            wanted |= {name.upper() for name in names - {"error"}}
        self.assertEqual({name.rstrip("_") for name in told} - {"VERDICTS_NO_TARGET"}, wanted)
        ids = re.findall(r'"([0-9a-f]{32})"', read("watchdog/out/message-ids.h"))
        self.assertEqual(len(ids), len(RECORDS))
        for number in ids:
            self.assertIn(number, text)
            self.assertIn(f"-- {number}", read("contrib/systemd/pathdog.catalog"))

    def test_the_catalog_explains_each(self):
        entries = read("contrib/systemd/pathdog.catalog").split("\n-- ")
        for table, field in (("verdict",) * 2, ("outcome",) * 2, ("effect",) * 2, ("uplink_change", "change")):
            entry = [entry for entry in entries if f"@PATHDOG_{field.upper()}@" in entry][0]
            missing = [name for name in names_of(table)
                       if not re.search(rf"(?<![\w-]){name}(?![\w-])", entry)]
            self.assertEqual(missing, [], table)

    def test_completions_know_each_verdict(self):
        for name in sorted(os.listdir(os.path.join(TOP, "contrib/completion"))):
            if "pathdogctl" in name:  # the others know no verdicts
                words = set(re.findall(r"[a-z][a-z-]*", read(f"contrib/completion/{name}")))
                self.assertEqual(set(names_of("verdict")) - words, set(), name)

    @unittest.skipUnless(BUILT, "there is no scdoc, and so no manual")
    def test_the_manual_has_each(self):
        def terms(page):
            """What is bold there."""
            with open(BUILT[page], encoding="utf-8") as file:
                text = file.read().replace("\\-", "-").replace("\\&", "")
            return set(re.findall(r"\\fB(.*?)\\fR", text)), text

        bold, _ = terms("pathdog-verdicts.7")
        for table in TABLES:
            self.assertEqual(set(names_of(table)) - bold, set(), table)
        bold, _ = terms("pathdog-records.7")
        for names in members().values():
            self.assertEqual(names - bold, set())
        for table in TABLES:
            self.assertEqual(set(names_of(table)) - bold, set(), table)
        bold, text = terms("pathdog-journal-fields.7")
        for names in members().values():
            fields = {"PATHDOG_" + name.upper() for name in names} - {
                "PATHDOG_EVIDENCE", "PATHDOG_VERDICTS", "PATHDOG_ERROR"}
            self.assertEqual(fields - bold, set())
        for number in re.findall(r'"([0-9a-f]{32})"', read("watchdog/out/message-ids.h")):
            self.assertIn(number, text)
        bold, _ = terms("pathdog-node-protocol.7")
        told = first_cells(section("docs/node-protocol.md", "Columns of `summaries`"))
        self.assertGreater(len(told), 10)
        self.assertEqual(set(told) - bold, set())

    def test_events_of_alerts(self):
        there = re.findall(r'\[ALERT_\w+\] = {"([a-z-]+)", "', read("watchdog/config/alert.c"))
        there = [name for name in there if name in ("ok", "broken") or name not in first_cells(
            section("docs/configuration.md", "[alert]"))]
        there = there[there.index("broken"):]
        self.assertGreater(len(there), 20)
        self.assertEqual(first_cells(section("contrib/alert/README.md", "Events")), there)
        words = re.search(r'--test\).*?-W "(.*?)"', read("contrib/completion/pathdog-alert.bash"), re.S)[1]
        self.assertEqual(words.split(), there)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
