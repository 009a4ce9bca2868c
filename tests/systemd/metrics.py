# SPDX-License-Identifier: Apache-2.0
"""Metrics over TCP: pathdog-metrics.socket and the proxy behind it, as a scraper finds them."""

import os
import re
import socket
import urllib.error
import urllib.request

import box
from box import sh, show, wait

SOCKET, UNIT, URL = "pathdog-metrics.socket", "pathdog-metrics.service", "http://127.0.0.1:19433/metrics"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what=""):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def scrape(url=URL):
    with urllib.request.urlopen(url, timeout=box.PATIENCE_S) as answer:
        return answer.read().decode()


def test_metrics_units_are_good_for_systemd():
    done = sh("systemd-analyze", "verify", "--man=no", SOCKET, UNIT)
    same([line for line in (done.stdout + done.stderr).splitlines() if "metrics" in line], [], "complaints")
    same(sh("systemctl", "is-enabled", SOCKET, check=False).stdout.strip(), "disabled")


def test_metrics_exposure_is_at_most_one_and_a_half():
    text = sh("systemd-analyze", "security", "--no-pager", UNIT, check=False).stdout
    line = [line for line in text.splitlines() if "Overall exposure level" in line][0]
    print(f"# {line.strip()}")
    check(0 < float(line.split(":")[1].split()[0]) <= 1.5, line)


def test_metrics_the_socket_in_run_is_for_the_group():
    def ask(group):
        return sh("setpriv", "--reuid=nobody", "--regid=" + group, "--clear-groups", "pathdogctl", "metrics", check=False)
    check("permission denied" in ask("nogroup").stderr, "anybody may ask")
    done = ask("pathdog")
    check(done.returncode == 0 and done.stdout.endswith("# EOF\n"), done.stdout[-300:] + done.stderr)


def test_metrics_the_first_scrape_starts_the_proxy():
    sh("systemctl", "start", SOCKET)
    same(show(UNIT, "ActiveState"), "inactive")
    text = scrape()
    wait(lambda: show(UNIT, "ActiveState") == "active", "the proxy is active")
    check(text.endswith("# EOF\n"), text[-100:])
    check("\npathdog_node_up 1\n" in text, "the node is up")
    same(int(re.search(r"^pathdog_mode\{mode=\"active\"\} (\d)$", text, re.M)[1]), 1)
    version = sh("pathdog", "--version").stdout.split()[1]
    check(f'pathdog_build_info{{version="{version}"}} 1\n' in text, version)


def test_metrics_other_requests_get_their_answers():
    for url, status in ((URL.replace("/metrics", "/"), 404), (URL + "x", 404)):
        try:
            scrape(url)
            check(False, url)
        except urllib.error.HTTPError as error:
            same(error.code, status, url)


def test_metrics_the_proxy_runs_without_rights():
    pid = box.main_pid(UNIT)
    with open(f"/proc/{pid}/status") as file:
        told = dict(line.rstrip("\n").split(":\t") for line in file if ":\t" in line)
    check(told["Uid"].split()[0] != "0", told["Uid"])
    same((told["CapEff"], told["CapBnd"], told["CapAmb"]), ("0" * 16,) * 3)
    same((told["NoNewPrivs"], told["Seccomp"]), ("1", "2"))
    check(os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/1/ns/net"), "it has the host's network")


def test_metrics_survive_a_restart_of_pathdog():
    """The proxy goes on, and asks the new one."""
    before, pid = re.search(r"^process_start_time_seconds (\S+)$", scrape(), re.M)[1], box.main_pid(UNIT)
    sh("systemctl", "restart", "pathdog")
    after = wait(lambda: re.search(r"^process_start_time_seconds (\S+)$", scrape_or_nothing(), re.M), "a scrape")[1]
    check(float(after) > float(before), (before, after))
    same(box.main_pid(UNIT), pid, "the proxy")


def scrape_or_nothing():
    try:
        return scrape()
    except (OSError, urllib.error.URLError):
        return ""


def test_metrics_hanging_scrapers_are_closed():
    crowd = [socket.create_connection(("127.0.0.1", 19433)) for _ in range(20)]
    check(scrape().endswith("# EOF\n"), "a scrape beside them")
    for sock in crowd:
        sock.settimeout(box.PATIENCE_S)
        same(sock.recv(1), b"", "it is closed after 5 s")
        sock.close()


def test_metrics_another_port_by_a_drop_in():
    """As docs/metrics.md says."""
    sh("systemctl", "stop", SOCKET, UNIT)
    box.drop_in(SOCKET, "port", "[Socket]\nListenStream=\nListenStream=127.0.0.1:19434\n")
    sh("systemctl", "start", SOCKET)
    check(scrape(URL.replace("19433", "19434")).endswith("# EOF\n"), "a scrape")
    os.unlink(f"/etc/systemd/system/{SOCKET}.d/port.conf")
    sh("systemctl", "daemon-reload")
    sh("systemctl", "stop", SOCKET, UNIT)


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]
