#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tests of pathdog under systemd; runs inside the container that run.py boots, as root.

    inside.py [NAME …]      parts of names of tests

Prints TAP. The tests are run in this order and go on from what the one before has left, as an
operator does; each says what it needs by bringing it about.
"""

import os
import re
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../e2e"))

import alert
import box
import commands
import flood
import flow
import history
import manual
import metrics
import relay
import sandbox
import shells
from box import configure, drop_in, journal, main_pid, mark, sh, show, wait, wait_entry, wait_node

UNIT = "pathdog.service"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what=""):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def flip(peer="bravo"):
    """Flips the default route; returns the decision about a peer that comes of it."""
    since = mark()
    box.way_out(1 - box.way_out_now())
    return wait_entry(f"_SYSTEMD_UNIT={UNIT}", "PATHDOG_TRIGGER=route", "PATHDOG_RECORD=decision",
                      "PATHDOG_PEER=" + peer, since=since)


def run_id():
    return show(UNIT, "InvocationID")


# ---- installed ----

def test_an_unpacked_install_is_enough():
    sh("cp", "-a", "/test/installed/.", "/")
    sh("systemd-sysusers")
    sh("journalctl", "--update-catalog")
    sh("systemctl", "daemon-reload")
    uid, gid = sh("id", "-u", "pathdog").stdout, sh("id", "-g", "pathdog").stdout
    check(0 < int(uid) < 1000 and 0 < int(gid) < 1000, f"a system user: {uid} {gid}")
    same(sh("id", "-nG", "pathdog").stdout.strip(), "pathdog", "its groups")


def test_units_are_good_for_systemd():
    for unit in (UNIT, "pathdog@x.service", alert.UNIT, "pathdog-alert@x.service"):
        done = sh("systemd-analyze", "verify", "--man=no", unit)
        said = [line for line in (done.stdout + done.stderr).splitlines() if "pathdog" in line]
        same(said, [], unit)


def exposure_is_at_most_one():
    for unit in (UNIT, "pathdog@x.service"):
        text = sh("systemd-analyze", "security", "--no-pager", unit, check=False).stdout
        line = [line for line in text.splitlines() if "Overall exposure level" in line][0]
        score = float(line.split(":")[1].split()[0])
        check(0 < score <= 1.0, line)


def test_exposure_is_at_most_one():
    exposure_is_at_most_one()


def test_without_a_configuration_it_fails_and_is_not_tried_again():
    done = sh("systemctl", "start", UNIT, check=False)
    check(done.returncode != 0, "started")
    same((show(UNIT, "Result"), show(UNIT, "ExecMainStatus")), ("exit-code", "2"))
    same((show(UNIT, "ActiveState"), show(UNIT, "NRestarts")), ("failed", "0"))
    said = [entry["MESSAGE"] for entry in journal(f"_SYSTEMD_UNIT={UNIT}", "PRIORITY=3")]
    check(any("/etc/pathdog/pathdog.conf: No such file" in text for text in said),
          f"an error in the journal says why: {said}")


def test_the_example_says_what_is_missing():
    sh("cp", "/etc/pathdog/pathdog.conf.example", "/etc/pathdog/pathdog.conf")
    done = sh("pathdog", "--check", check=False)
    same(done.returncode, 2, "exit status")
    check("node" in done.stderr, done.stderr)
    with open("/etc/pathdog/pathdog.conf") as file:
        text = file.read()
    box.write("/tmp/example.conf", text.replace("#node =", "node =").replace("#[", "["))
    same(sh("pathdog", "--config", "/tmp/example.conf", "--check").stderr, "", "it is good then")


def readme_lines():
    """What README.md says to do once all is installed, line by line."""
    with open("/test/README.md") as file:
        section = file.read().split("\n## Install\n")[1].split("\n## ")[0]
    lines = re.findall(r"^    (\S.*)$", section, re.M)
    return lines[lines.index("meson install -C build") + 1:]


def status_says(*words):
    def said():
        text = sh("pathdogctl", "status", check=False).stdout
        return all(word in text for word in words) and text
    return wait(said, f"pathdogctl status says {words}")


def test_the_readmes_lines_lead_to_a_first_start_that_works():
    box.write("/etc/sysusers.d/mynode.conf", 'u mynode - "a node"\n')
    sh("systemd-sysusers")
    box.network()
    box.start_nodes()
    wait(lambda: os.path.exists("/run/mynode/pathdog.sock"), "the node's socket")
    lines = readme_lines()
    for line in lines:
        sh("sh", "-c", line)
    same(lines[-1], "pathdogctl status", "the last line")
    status_says("/run/mynode/pathdog.sock: up", "alpha", "2 up", "stall")
    same(show(UNIT, "ActiveState"), "active")
    sh("systemctl", "stop", UNIT)
    os.unlink(f"/etc/systemd/system/{UNIT}.d/node.conf")


def test_a_first_start_without_the_group_says_what_to_do():
    for line in readme_lines():
        if "SupplementaryGroups" not in line:
            sh("sh", "-c", line)
    text = status_says("Permission denied")
    for words in ("user pathdog may not write to the socket /run/mynode/pathdog.sock",
                  "owner mynode, group mynode, mode 0660", f'"systemctl edit {UNIT}"',
                  "SupplementaryGroups=mynode", f'"systemctl restart {UNIT}"'):
        check(words in text, (words, text))
    wait(lambda: "SupplementaryGroups=mynode" in show(UNIT, "StatusText"), "STATUS= as well")
    sh("systemctl", "stop", "alpha")
    status_says("No such file or directory: there is no /run/mynode")
    sh("systemctl", "start", "alpha")
    sh("systemctl", "stop", UNIT)


# ---- beside a node ----

def test_ready_while_the_node_may_not_be_reached():
    wait(lambda: os.path.exists("/run/mynode/pathdog.sock"), "the node's socket")
    configure()
    since = mark()
    sh("systemctl", "start", UNIT)
    entry = wait_node("down", since)
    check("SupplementaryGroups=mynode" in entry["PATHDOG_REASON"], entry)
    wait(lambda: "Waiting for the node" in show(UNIT, "StatusText"), "STATUS=")
    same(show(UNIT, "ActiveState"), "active")


def test_the_nodes_group_is_all_it_needs():
    drop_in(UNIT, "node", "[Service]\nSupplementaryGroups=mynode\n")
    exposure_is_at_most_one()
    since = mark()
    sh("systemctl", "restart", UNIT)
    entry = wait_node("up", since)
    same(entry["PATHDOG_NODE"], "alpha")
    same((entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"]), ("pathdog", "5"))
    same(entry["PATHDOG_RUN"], run_id(), "the run is systemd's")
    wait_entry("PATHDOG_RECORD=peer", "PATHDOG_PEER=bravo", "PATHDOG_STATE=up", since=since)
    wait(lambda: show(UNIT, "StatusText") == "Node alpha is up, 2 peers", "STATUS=")


def test_the_control_socket_is_for_the_group():
    def status(group):
        return sh("setpriv", "--reuid=mynode", "--regid=" + group, "--clear-groups", "pathdogctl",
                  "status", check=False)
    check(status("mynode").returncode != 0, "anybody may ask")
    done = status("pathdog")
    check(done.returncode == 0 and "alpha" in done.stdout, done.stdout + done.stderr)


def test_a_flip_is_found_by_its_fields():
    decision = flip()
    same((decision["PATHDOG_VERDICT"], decision["PATHDOG_KIND"]), ("migrate", "moved"))
    same(decision["MESSAGE_ID"], box.IDS["decision"])
    same(decision["PATHDOG_EVIDENCE_OIF_AFTER"], "up1", "evidence")
    outcome = wait_entry("MESSAGE_ID=" + box.IDS["outcome"],
                         "PATHDOG_DECISION=" + decision["PATHDOG_DECISION"],
                         "PATHDOG_RUN=" + decision["PATHDOG_RUN"])
    same((outcome["PATHDOG_OUTCOME"], outcome["PATHDOG_VALIDATED"]), ("migrated", "true"))
    check(outcome["PATHDOG_LOCAL_AFTER"].startswith("10.0.2.2:"), outcome)
    check("migrated" in outcome["MESSAGE"] and "bravo" in outcome["MESSAGE"], outcome["MESSAGE"])
    wait_entry("PATHDOG_RECORD=effect", "PATHDOG_DECISION=" + decision["PATHDOG_DECISION"])


def test_the_catalog_explains_each_kind():
    text = sh("journalctl", "-x", "--no-pager", "_SYSTEMD_UNIT=" + UNIT,
              "MESSAGE_ID=" + box.IDS["decision"]).stdout
    check("Subject: A decision about the path to peer bravo: migrate" in text, text[-1500:])
    listed = sh("journalctl", "--list-catalog", "--no-pager").stdout
    for kind, number in box.IDS.items():
        check(f"{number} pathdog: " in listed, f"{kind} has no entry")
    for entry in journal(f"_SYSTEMD_UNIT={UNIT}", "SYSLOG_IDENTIFIER=pathdog"):
        check("MESSAGE_ID" not in entry or entry["MESSAGE_ID"] in listed, entry)
    text = sh("journalctl", "-x", "--no-pager", "_SYSTEMD_UNIT=" + UNIT).stdout
    check("@PATHDOG" not in text, "a field that is not there")


# ---- reload ----

def test_a_good_reload_is_taken():
    pid = main_pid()
    before = box.way_out_now()
    configure("mode = observe")
    sh("systemctl", "reload", UNIT)
    same(flip()["PATHDOG_VERDICT"], "observing", "at once")
    box.way_out(before)  # the connection has stayed where it was
    configure()
    sh("systemctl", "reload", UNIT)
    same(flip()["PATHDOG_VERDICT"], "migrate", "at once")
    same(main_pid(), pid, "the process")


def test_a_bad_reload_fails_and_changes_nothing():
    pid, since = main_pid(), mark()
    configure("cooldown = 5 fortnights")
    done = sh("systemctl", "reload", UNIT, check=False)
    check(done.returncode != 0, "systemctl reload said that all is well")
    same((main_pid(), show(UNIT, "ActiveState")), (pid, "active"), "what runs")
    said = " ".join(entry["MESSAGE"] for entry in journal(f"_SYSTEMD_UNIT={UNIT}", since=since)
                    if isinstance(entry["MESSAGE"], str))
    check("/etc/pathdog/pathdog.conf:8" in said and "fortnights" in said, said)
    configure()
    check(journal(f"_SYSTEMD_UNIT={UNIT}", "PATHDOG_WHAT=reload-failed", since=since), "a notice")
    same(flip()["PATHDOG_VERDICT"], "migrate", "the old configuration")
    sh("systemctl", "reload", UNIT)


# ---- ends ----

def delta_is_asked_to_move():
    """delta stays where it was dialled, so only one of the two ways gives advice."""
    while box.way_out_now() != 0:
        flip()
    flip()


def test_killed_it_is_started_again_and_knows_what_it_knew():
    about = (f"_SYSTEMD_UNIT={UNIT}", "PATHDOG_PEER=delta")
    delta_is_asked_to_move()
    wait_entry(*about, "PATHDOG_VERDICT=disabled")
    same(len(journal(*about, "PATHDOG_OUTCOME=disabled")), 1, "it was asked once")
    wait(lambda: '"disabled":true' in open("/run/pathdog/state.json").read().replace(" ", ""),
         "what was learnt is kept: a second later at most")
    pid, restarts, since = main_pid(), int(show(UNIT, "NRestarts")), mark()
    os.kill(pid, 9)
    wait(lambda: int(show(UNIT, "NRestarts")) == restarts + 1 and main_pid() not in (0, pid),
         "systemd starts it again")
    entry = wait_node("up", since)
    same(entry["PATHDOG_RUN"], run_id(), "a run of its own")
    wait_entry(f"_SYSTEMD_UNIT={UNIT}", "PATHDOG_WHAT=unclean-stop", since=since)
    delta_is_asked_to_move()
    decision = wait_entry(*about, "PATHDOG_RECORD=decision", since=since)
    same(decision["PATHDOG_VERDICT"], "disabled", "it still knows")
    same(journal(*about, "PATHDOG_RECORD=outcome", since=since), [], "requests")


def test_hung_it_is_started_again():
    pid, restarts, since = main_pid(), int(show(UNIT, "NRestarts")), mark()
    begin = time.monotonic()
    os.kill(pid, 19)
    wait(lambda: int(show(UNIT, "NRestarts")) == restarts + 1, "the watchdog fires")
    check(time.monotonic() - begin > 5, "that was not the watchdog")
    wait_node("up", since)
    check(journal("_PID=1", f"UNIT={UNIT}", since=since) and any(
        "atchdog" in entry["MESSAGE"] for entry in journal("_PID=1", f"UNIT={UNIT}", since=since)),
        "systemd says why")


def test_a_second_one_with_the_same_state_waits_for_the_first():
    second = "pathdog@second.service"
    box.write("/etc/pathdog/second.conf", "[watchdog]\nnode = /run/mynode/pathdog.sock\n"
              "state_directory = /run/pathdog\n[trigger:stall]\n")
    pid, since = main_pid(), mark()
    sh("systemctl", "start", "--no-block", second)
    wait(lambda: int(show(second, "NRestarts")) >= 2, "it is tried again")
    said = [entry["MESSAGE"] for entry in journal(f"_SYSTEMD_UNIT={second}", "PRIORITY=3",
                                                  since=since)]
    check(any("is in use by another pathdog" in text for text in said), said)
    same(main_pid(), pid, "the first one")
    sh("systemctl", "stop", UNIT)
    wait(lambda: show(second, "ActiveState") == "active", "the second one has it then")
    sh("systemctl", "stop", second)
    os.unlink("/etc/pathdog/second.conf")
    since = mark()
    sh("systemctl", "start", UNIT)
    wait_node("up", since)


def test_what_an_operator_must_change_is_not_tried_again():
    """Who may not read its state waits for an operator: no hold of it is lost."""
    sh("systemctl", "stop", UNIT)
    os.chown("/run/pathdog/state.json", 0, 0)
    with open("/run/pathdog/state.json", "rb") as file:
        before = file.read()
    done = sh("systemctl", "start", UNIT, check=False)
    check(done.returncode != 0, "started")
    same((show(UNIT, "ExecMainStatus"), show(UNIT, "ActiveState")), ("2", "failed"))
    with open("/run/pathdog/state.json", "rb") as file:
        same(file.read(), before, "the state")
    sh("chown", "pathdog:pathdog", "/run/pathdog/state.json")
    since = mark()
    sh("systemctl", "start", UNIT)
    wait_node("up", since)


def test_the_node_comes_and_goes():
    pid, since = main_pid(), mark()
    sh("systemctl", "restart", "alpha")
    wait_node("down", since)
    wait_node("up", since)
    wait_entry("PATHDOG_RECORD=peer", "PATHDOG_STATE=up", "PATHDOG_PEER=bravo", since=since)
    same(main_pid(), pid, "the process")
    same(flip()["PATHDOG_VERDICT"], "migrate", "it moves the new connection")


def test_a_stop_is_clean():
    since = mark()
    sh("systemctl", "stop", UNIT)
    same((show(UNIT, "Result"), show(UNIT, "ExecMainStatus")), ("success", "0"))
    check(os.path.isdir("/run/pathdog"), "the runtime directory is kept")
    check(not os.path.exists("/run/pathdog/notify"), "its socket is gone")
    check(not journal(f"_SYSTEMD_UNIT={UNIT}", "PRIORITY=3", since=since), "no error")
    sh("systemctl", "start", UNIT)
    wait_node("up", since)


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]
# Beside the first one: others, and then what is left of it at the end.
TESTS[-1:-1] = (sandbox.TESTS + commands.TESTS + flood.TESTS[:-1] + history.TESTS + shells.TESTS + flood.TESTS[-1:] +
               manual.TESTS + metrics.TESTS + relay.TESTS + flow.TESTS + alert.TESTS)


def main():
    wanted = [test for test in TESTS
              if not sys.argv[1:] or any(word in test.__name__ for word in sys.argv[1:])]
    print(f"1..{len(wanted)}", flush=True)
    for number, test in enumerate(wanted, 1):
        begin, words = time.monotonic(), test.__name__[5:].replace("_", " ")
        try:
            test()
            print(f"ok {number} - {words}")
        except Exception: # pylint: disable=broad-except
            print(f"not ok {number} - {words}")
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
        print(f"# {time.monotonic() - begin:.1f} s", flush=True)
    with open("/test/journal", "w") as file:
        file.write(sh("journalctl", "--no-pager", "-o", "short-precise", "-n", "20000").stdout)
    print("# all were run", flush=True)


if __name__ == "__main__":
    main()
