# SPDX-License-Identifier: Apache-2.0
"""The collector: takes the journals of both machines, ends an uplink's network for both, and asks what it was.
Runs inside; prints TAP."""

import json
import os
import subprocess
import time
import traceback

import machine_tools as tools

REMOTE = "/var/log/journal/remote"
MACHINES = ["alpha", "bravo"]
SOCKET = """\
[Socket]
ListenStream=
ListenStream=10.0.9.1:19532
"""
SERVICE = """\
[Service]
ExecStart=
ExecStart=/lib/systemd/systemd-journal-remote --listen-http=-3 --output=/var/log/journal/remote/
"""
NODE = """\
[Service]
ExecStart=/test/quic-node --name hub --listen 10.9.0.2:4433 --rate 20000
"""


def pathdogctl(*words):
    return tools.sh("pathdogctl", *words, "--directory", REMOTE)


def report():
    """None: there are no journals yet."""
    run = subprocess.run(["pathdogctl", "--json", "report", "--directory", REMOTE], capture_output=True, text=True)
    return json.loads(run.stdout) if run.returncode == 0 else None


def test_the_journals_of_both_machines_come():
    tools.sh("cp", "-a", "/test/installed/.", "/")
    tools.write("/etc/systemd/system/systemd-journal-remote.socket.d/http.conf", SOCKET)
    tools.write("/etc/systemd/system/systemd-journal-remote.service.d/http.conf", SERVICE)
    tools.write("/etc/systemd/system/hub.service", NODE)
    tools.sh("install", "-d", "-o", "systemd-journal-remote", "-g", "systemd-journal-remote", REMOTE)
    tools.sh("systemctl", "daemon-reload")
    tools.sh("systemctl", "start", "hub", "systemd-journal-remote.socket")
    for name in MACHINES:
        tools.wait(lambda: os.path.exists(f"/test/{name}.ready"), f"{name} is ready")
    nodes = tools.wait(lambda: (lambda got: got and len(got["nodes"]) == 2 and got["nodes"])(report()),
                       "both have told of their node")
    assert sorted(node["node"] for node in nodes) == MACHINES, nodes
    assert sorted(node["unit"] for node in nodes) == [f"pathdog.service on {name}" for name in MACHINES], nodes
    assert sorted(machine["machine"] for machine in report()["machines"]) == MACHINES, report()["machines"]
    assert sum(run["restart"] for run in report()["runs"]) == 0, "of two machines none is a restart of the other"


def test_one_question_says_what_both_had():
    """telekom's network dies: carriers, addresses and routes stay."""
    tools.sh("ip", "link", "set", "telekom", "down")
    common = tools.wait(lambda: (lambda got: got["common"] and all(
        machine["dead"] for machine in got["machines"]) and got["common"])(report()), "both have found it dead")
    first = common[0]
    assert sorted(first["machines"]) == MACHINES, common
    shared = {(fact["what"], fact["value"]): fact["machines"] for fact in first["shared"]}
    assert shared[("uplink", "telekom")] == 2 and shared[("peer", "hub")] == 2, common
    assert next(iter(shared)) in (("uplink", "telekom"), ("gateway", "10.0.1.1")), common
    assert 0 <= first["until_us"] - first["from_us"] < 60_000_000, common


def test_the_text_says_it():
    text = pathdogctl("report")
    print("".join(f"# {line}\n" for line in text.splitlines()), end="")
    line = [line for line in text.splitlines() if line.startswith("common")][0]
    assert "2 of 2 machines" in line and "uplink telekom (2)" in line, text
    assert "alpha" in text and "bravo" in text


def test_both_went_to_the_other_uplink():
    """And the decisions of both are in one list, with whose they are."""
    def moved():
        records = [json.loads(line) for line in pathdogctl("--json", "decisions", "--everything", "-n", "1000").splitlines()]
        return {record["run"] for record in records
                if record.get("outcome") == "migrated" and record.get("target") == "lte"}

    runs = tools.wait(lambda: (lambda got: len(got) == 2 and got)(moved()), "both have moved")
    assert len(runs) == 2
    text = pathdogctl("decisions", "--since", "1h")
    for name in MACHINES:
        assert f"pathdog.service on {name}" in text, text


def main():
    tests = [value for name, value in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        begin = time.monotonic()
        try:
            test()
            good = "ok"
        except Exception:
            good = "not ok"
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
        name = test.__name__.removeprefix("test_").replace("_", " ")
        print(f"{good} {number} - {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    print("# all were run", flush=True)
    tools.write("/test/seen", "")


main()
