# SPDX-License-Identifier: Apache-2.0
"""The manual that is installed, against what the installed programs say of themselves."""

import json
import re

import box

PAGES = {"pathdog": 8, "pathdog-alert": 8, "pathdogctl": 1, "pathdog-replay": 1, "pathdog.conf": 5, "pathdog-trigger": 7,
         "pathdog-verdicts": 7, "pathdog-records": 7, "pathdog-journal-fields": 7,
         "pathdog-node-protocol": 7, "pathdog-node-check": 1, "udp-relay": 8, "udp-relayctl": 1,
         "flow-node": 8}


def text_of(name):
    path = f"/usr/share/man/man{PAGES[name]}/{name}.{PAGES[name]}"
    lint = box.sh("mandoc", "-T", "lint", "-W", "error", path, check=False)
    assert lint.returncode == 0 and not lint.stdout, lint.stdout
    text = box.sh("mandoc", "-T", "utf8", "-O", "width=300", path).stdout
    return re.sub("\u2010", "-", re.sub(".\b", "", text))


def missing(words, text):
    return [word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)]


def test_the_manual_has_every_option_of_the_programs():
    for program in ("pathdog", "pathdog-alert", "pathdogctl", "pathdog-replay", "pathdog-node-check", "udp-relay",
                    "udp-relayctl", "flow-node"):
        said = box.sh(program, "--help").stdout
        words = re.findall(r"--[a-z][a-z-]+", said)
        if program.endswith("ctl"):
            words += re.findall(r"^  ([a-z]+)", said, re.M)
        assert len(words) > 3, said
        assert not missing(words, text_of(program)), missing(words, text_of(program))


def test_the_manual_has_every_key_and_trigger():
    box.write("/tmp/manual.conf", "[watchdog]\nnode = /run/node\n")
    said = box.sh("pathdog", "--config", "/tmp/manual.conf", "--check").stdout
    keys = re.findall(r"^(?:# )?([a-z_]+) (?:=|is not set)", said, re.M)
    assert len(keys) > 20, said
    assert not missing(keys, text_of("pathdog.conf")), missing(keys, text_of("pathdog.conf"))
    triggers = json.loads(box.sh("pathdog", "--config", "/tmp/manual.conf", "--list-triggers",
                                 "--json").stdout)
    text = text_of("pathdog-trigger")
    assert len(triggers) >= 6, triggers
    for trigger in triggers:
        words = [trigger["name"], *(option["name"] for option in trigger["options"])]
        assert not missing(words, text), (trigger["name"], missing(words, text))


def test_every_page_is_installed_and_names_only_pages_that_are():
    """That they are right is asserted where they are built (tests/unit/names.py)."""
    for name in PAGES:
        text = text_of(name)
        assert "NAME" in text and len(text) > 1000, name
        named = set(re.findall(r"\b((?:pathdog|udp-relay|flow-node)[\w.-]*)\((\d)\)", text))
        wrong = [page for page, number in named if PAGES.get(page) != int(number)]
        assert not wrong, (name, wrong)


def test_the_queries_of_the_documentation_are_good():
    with open("/test/docs/journal.md") as file:
        queries = re.findall(r"^    (journalctl .*)$", file.read(), re.M)
    assert len(queries) > 20, queries
    found = 0
    for query in queries:
        if " -f" in query:
            continue  # goes on for ever
        done = box.sh("sh", "-c", query + " --no-pager" * ("|" not in query), check=False)
        assert done.returncode == 0 or "grep -c" in query, (query, done.stderr)
        assert not done.stderr, (query, done.stderr)
        found += "No entries" not in done.stdout and bool(done.stdout)
    assert found > 12, f"only {found} of {len(queries)} find anything"


TESTS = [test_every_page_is_installed_and_names_only_pages_that_are,
         test_the_queries_of_the_documentation_are_good,
         test_the_manual_has_every_option_of_the_programs,
         test_the_manual_has_every_key_and_trigger]
