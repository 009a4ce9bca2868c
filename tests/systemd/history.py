# SPDX-License-Identifier: Apache-2.0
"""pathdogctl decisions and report, read from the journal: over two runs of pathdog@flood, with and
without it, by those who may read the journal and by those who may not."""

import json
import os

import box
import flood
from flood import UNIT, node, tell

SOCKET = "/run/pathdog/flood/control.sock"
OURS = ("--source", "journal", "--unit", "pathdog@flood")


def ctl(*words, status=0, before=()):
    done = box.sh(*before, "pathdogctl", *words, check=False)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done


def records(*words, since):
    done = ctl("--json", "decisions", "--since", f"@{since}us", *words)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def source(*words, since):
    return json.loads(ctl("--json", *words, "report", "--since", f"@{since}us").stdout)["source"]


def decide(reason):
    """One more decision, with its outcome and effect, all of them in the journal. Its run."""
    since = box.mark()
    # Never twice the same peers, because notices about the same ones within a second are one.
    tell(f"EVENT=rebind\nPEERS=one@flood {reason.replace(' ', '-')}\nREASON={reason}")
    entry = box.wait_entry(f"_SYSTEMD_UNIT={UNIT}", "PATHDOG_RECORD=decision", since=since)
    box.wait_entry("PATHDOG_RECORD=effect", "PATHDOG_RUN=" + entry["PATHDOG_RUN"],
                   "PATHDOG_DECISION=" + entry["PATHDOG_DECISION"])
    return entry["PATHDOG_RUN"]


def two_runs():
    """(when it began, the two runs): a decision in each."""
    node().on("migrate_peer", lambda request: request.answer({}))
    decide("what was open before is over")
    since = box.mark()
    first = decide("before the restart")
    again = box.mark()
    box.sh("systemctl", "restart", UNIT)
    box.wait_node("up", again, UNIT)
    box.wait_entry("PATHDOG_PEER=one@flood", "PATHDOG_STATE=up", since=again)
    return since, (first, decide("after the restart"))


def shape(some):
    return [(r["run"], r["record"]) for r in some if r["peer"] == "one@flood"]


KINDS = ("decision", "outcome", "effect")


def test_history_is_of_all_runs_and_has_each_record_once():
    since, runs = two_runs()
    flood.SHARED["runs"] = since, runs
    wanted = [(run, kind) for run in runs for kind in KINDS]
    both, said = records("--socket", SOCKET, since=since)
    assert shape(both) == wanted, shape(both)
    assert "from the" not in said, f"a program is told where it is from: {said}"
    assert source("--socket", SOCKET, since=since) == f"from the journal of {UNIT}"
    journal, said = records(*OURS, since=since)
    assert journal == both, (journal, both)
    memory, said = records("--socket", SOCKET, "--source", "daemon", since=since)
    assert memory == [r for r in both if r["run"] == runs[1]], (memory, both)
    assert "from the" not in said, said
    text = ctl("--socket", SOCKET, "decisions", "--since", f"@{since}us").stdout
    assert [line for line in text.splitlines() if line.startswith("run ")] == [
        f"run {run} of {UNIT}" for run in runs], text


def test_history_filters_what_is_in_the_journal():
    since, runs = flood.SHARED["runs"]
    for words, count in ((("--verdict", "migrate"), 6), (("--verdict", "held"), 0),
                         (("--trigger", "tunnel"), 6), (("--trigger", "route"), 0), (("--uplink", "nowhere"), 0),
                         (("--peer", "one@*"), 6), (("--peer", "one@flood"), 6),
                         (("--peer", "two*"), 0), (("--until", f"@{since}us"), 0), (("-n", "2"), 2)):
        got, _ = records(*OURS, *words, since=since)
        assert len(got) == count, (words, got)
    last = ctl("--json", "decisions", *OURS, "-n", "1", "--peer", "one@flood").stdout.splitlines()
    assert [(json.loads(line)["run"], json.loads(line)["record"]) for line in last] == [
        (runs[1], "effect")], last
    everything, _ = records(*OURS, "--everything", since=since)
    assert {r["record"] for r in everything} >= {"node", "peer", "cause", *KINDS}, everything
    done = ctl("decisions", *OURS, "--verdict", "migrat", status=1)
    assert "unknown verdict" in done.stderr, done.stderr


def test_history_is_reported_over_the_restart():
    since, runs = flood.SHARED["runs"]
    done = ctl("--json", "--socket", SOCKET, "report", "--since", f"@{since}us")
    report = json.loads(done.stdout)
    assert [(run["run"], run["unit"], run["restart"]) for run in report["runs"]] == [
        (runs[0], UNIT, False), (runs[1], UNIT, True)], report["runs"]
    assert report["verdicts"] == {"migrate": 2} and report["outcomes"] == {"migrated": 2}, report
    assert (report["moves"], sum(report["effects"].values())) == (2, 2), report
    assert report["nodes"][0]["restarts"] == 0, report["nodes"]
    text = ctl("--socket", SOCKET, "report", "--since", f"@{since}us").stdout
    assert "2 runs, restarted 1 time" in text and len(text.splitlines()) <= 24, text


def test_history_from_a_directory_and_a_file():
    since, runs = flood.SHARED["runs"]
    box.sh("journalctl", "--sync")
    wanted, _ = records(*OURS, since=since)
    machine = open("/etc/machine-id").read().strip()
    places = [place for place in ("/var/log/journal", "/run/log/journal")
              if os.path.exists(f"{place}/{machine}/system.journal")]
    copies = "/tmp/journals"
    os.makedirs(copies, exist_ok=True)
    box.sh("sh", "-c", f"cp {places[0]}/{machine}/system*.journal {copies}/")
    got, _ = records("--directory", copies, "--unit", "pathdog@flood", since=since)
    assert got == wanted, (got, wanted)
    got, _ = records("--file", f"{copies}/system.journal", "--unit", UNIT, since=since)
    assert got and got == wanted[-len(got):], (got, wanted)


def test_history_without_the_daemon():
    since, runs = flood.SHARED["runs"]
    before, _ = records("--socket", SOCKET, since=since)
    box.sh("systemctl", "stop", UNIT)
    try:
        done = ctl("--socket", SOCKET, "decisions", status=3)
        assert "--source journal, or --unit UNIT" in done.stderr, done.stderr
        got, said = records("--socket", SOCKET, "--unit", "pathdog@flood", since=since)
        assert got == before and "from the" not in said, (got, before, said)
        done = ctl("--socket", SOCKET, "report", "--unit", UNIT, "--since", f"@{since}us")
        assert "2 runs" in done.stdout, done.stdout
    finally:
        again = box.mark()
        box.sh("systemctl", "start", UNIT)
        box.wait_node("up", again, UNIT)


def test_history_for_whom_may_not_read_the_journal():
    """mynode in the group pathdog: the socket is open to it, the journal is not."""
    since, _ = flood.SHARED["runs"]
    groups = ("setpriv", "--reuid=mynode", "--regid=pathdog")
    decide("after the start")
    words = ("--socket", SOCKET, "decisions", "--since", f"@{since}us")
    done = ctl(*words, before=(*groups, "--clear-groups"))
    assert "systemd-journal and adm" in done.stderr, done.stderr
    assert "from the running daemon's memory" in done.stderr, done.stderr
    assert "after the start" in done.stdout and "before the restart" not in done.stdout, done.stdout
    done = ctl(*words, "--source", "journal", status=1, before=(*groups, "--clear-groups"))
    assert "systemd-journal and adm" in done.stderr and not done.stdout, done.stderr
    done = ctl(*words, before=(*groups, "--groups=systemd-journal"))
    assert "before the restart" in done.stdout, (done.stdout, done.stderr)


def test_history_goes_on_in_the_journal():
    """-f where the journal is the source: what comes later is shown, once."""
    since = box.mark()
    out = "/tmp/followed"
    box.sh("systemd-run", "--quiet", "--unit=follow", f"--property=StandardOutput=file:{out}",
           "--property=StandardError=journal",
           "pathdogctl", "--json", "decisions", "-f", "--since", f"@{since}us", *OURS)
    try:
        decide("followed")

        def lines():
            return open(out).read().splitlines() if os.path.exists(out) else []
        box.wait(lambda: len(lines()) >= 3, "decision, outcome, effect")
        assert [json.loads(line)["record"] for line in lines()] == list(KINDS), lines()
    finally:
        box.sh("systemctl", "stop", "follow")


TESTS = [test_history_is_of_all_runs_and_has_each_record_once,
         test_history_filters_what_is_in_the_journal,
         test_history_is_reported_over_the_restart,
         test_history_from_a_directory_and_a_file,
         test_history_without_the_daemon,
         test_history_for_whom_may_not_read_the_journal,
         test_history_goes_on_in_the_journal]
