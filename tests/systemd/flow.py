# SPDX-License-Identifier: Apache-2.0
"""flow-node under systemd: its own user, one capability, sandboxed; conntrack counts; nothing is left."""

import json
import os
import socket

import box
from box import sh, show, wait

UNIT, SOCKET = "flow-node.service", "/run/flow-node/node.sock"
DEFAULTS = "/etc/default/flow-node"
CAP_NET_ADMIN = 12


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what=""):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def sysctl(key):
    with open(f"/proc/sys/net/netfilter/nf_conntrack_{key}") as file:
        return file.read().strip()


def hello():
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(box.PATIENCE_S)
        client.connect(SOCKET)
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":[1],"client":"test"}}\n')
        return json.loads(client.makefile().readline())["result"]


def test_flow_unit_is_good_for_systemd():
    done = sh("systemd-analyze", "verify", "--man=no", UNIT)
    same([line for line in (done.stdout + done.stderr).splitlines() if "flow-node" in line], [], "complaints")


def test_flow_exposure_is_at_most_one_and_a_half():
    """It has CAP_NET_ADMIN in the host's network: that is what it is for."""
    text = sh("systemd-analyze", "security", "--no-pager", UNIT, check=False).stdout
    line = [line for line in text.splitlines() if "Overall exposure level" in line][0]
    print(f"# {line.strip()}")
    check(0 < float(line.split(":")[1].split()[0]) <= 1.5, line)


def test_flow_runs_with_one_capability_as_its_own_user():
    sh("systemctl", "start", UNIT)
    pid = show(UNIT, "MainPID")
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    uid = int(sh("id", "-u", "flow-node").stdout)
    same(status["Uid"].split(), [str(uid)] * 4, "user")
    for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        same(int(status[kind], 16), 1 << CAP_NET_ADMIN, kind)
    same(status["NoNewPrivs"], "1")
    same(status["Seccomp"], "2")
    same(hello()["implementation"].split("/")[0], "flow-node")


def test_flow_has_conntrack_count():
    same((sysctl("acct"), sysctl("timestamp")), ("1", "1"), "acct and timestamp")


def test_flow_socket_is_for_its_group():
    st = os.stat(SOCKET)
    same(oct(st.st_mode & 0o777), "0o660", "mode")
    same(st.st_gid, int(sh("id", "-g", "flow-node").stdout), "group")


def test_flow_is_stopped_and_leaves_nothing():
    check("pathdog_flows" in sh("nft", "list", "tables").stdout, "there is no table while it runs")
    sh("systemctl", "stop", UNIT)
    same(show(UNIT, "Result"), "success")
    check("pathdog_flows" not in sh("nft", "list", "tables").stdout, "the table is left")
    check("900:" not in sh("ip", "rule").stdout, "a rule is left")


def test_flow_bad_settings_are_said_and_not_tried_again():
    box.write(DEFAULTS, "FLOW_NODE_PORTS=all,\n")
    sh("systemctl", "start", UNIT, check=False)
    wait(lambda: show(UNIT, "ActiveState") == "failed", "the unit has failed")
    same(show(UNIT, "ExecMainStatus"), "2")
    check("FLOW_NODE_PORTS" in sh("journalctl", "-u", UNIT, "-o", "cat", "--no-pager").stdout, "it is not said")
    os.unlink(DEFAULTS)
    sh("systemctl", "reset-failed", UNIT)


TESTS = [test_flow_unit_is_good_for_systemd, test_flow_exposure_is_at_most_one_and_a_half,
         test_flow_runs_with_one_capability_as_its_own_user, test_flow_has_conntrack_count,
         test_flow_socket_is_for_its_group, test_flow_is_stopped_and_leaves_nothing,
         test_flow_bad_settings_are_said_and_not_tried_again]
