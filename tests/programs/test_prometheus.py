# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus scrapes pathdog through an outage; its promtool takes the metrics, the rules with their tests, and
each expression of the dashboard."""

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import unittest
import urllib.parse
import urllib.request

from control_case import ControlCase
from node import PATIENCE
from scrape import GET, ask, samples, value

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/prometheus")
UNUSABLE = None if shutil.which("prometheus") and shutil.which("promtool") else "there is no Prometheus"


def promtool(*words, stdin=None, directory=HERE):
    return subprocess.run(["promtool", *words], input=stdin, capture_output=True, text=True, cwd=directory,
                          timeout=60 * PATIENCE)


def dashboard():
    with open(os.path.join(HERE, "dashboard.json"), encoding="utf-8") as file:
        return json.load(file)


class Forwarder:
    """From a TCP port to a UNIX socket, as systemd-socket-proxyd does it (tests/systemd has that one)."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                outer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(outer,), daemon=True).start()

    def carry(self, outer):
        with outer, socket.socket(socket.AF_UNIX) as inner:
            try:
                inner.connect(self.path)
                inner.sendall(outer.recv(1 << 16))
                while True:
                    data = inner.recv(1 << 16)
                    if not data:
                        return
                    outer.sendall(data)
            except OSError:
                return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Prometheus:
    """One of its own, with the rules of contrib/prometheus, whose alerts wait for a second and not for minutes."""

    def __init__(self, directory, target):
        self.directory = os.path.join(directory, "prometheus")
        os.mkdir(self.directory)
        for name in ("recording.yml", "alerts.yml"):
            with open(os.path.join(HERE, name), encoding="utf-8") as file:
                text = file.read()
            self.write(name, re.sub(r"^( +for:) .*", r"\1 1s", text, flags=re.M))
        self.write("prometheus.yml", f"""\
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: [recording.yml, alerts.yml]
scrape_configs:
  - job_name: pathdog
    static_configs: [{{targets: ["127.0.0.1:{target}"], labels: {{region: here}}}}]
""")
        self.log = open(os.path.join(self.directory, "log"), "w+")
        self.port = free_port()
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn",
             f"--web.listen-address=127.0.0.1:{self.port}"], cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
            file.write(text)

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10 * PATIENCE) as answer:
                return answer.read()
        except OSError:
            return b""

    def query(self, expression):
        """{labels that were asked for: number}"""
        answer = json.loads(self.get("/api/v1/query", query=expression) or "{}")
        return [(one["metric"], float(one["value"][1])) for one in answer.get("data", {}).get("result", [])]

    def number(self, expression):
        found = self.query(expression)
        return found[0][1] if found else None

    def firing(self):
        return {labels["alertname"] for labels, _ in self.query('ALERTS{alertstate="firing"}')}

    def said(self):
        self.log.seek(0)
        return self.log.read()[-3000:]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Outage(ControlCase):
    """Ten peers; half of them fall silent and cannot be moved, then they can; then the node dies."""

    def setUp(self):
        super().setUp()
        self.blocked = True
        self.scripted = self.node()
        self.peers = [self.scripted.add(f"p{conn}@h", conn, local="127.0.0.1:9001").set(srtt_us=20000, rttvar_us=1000)
                      for conn in range(1, 11)]
        self.scripted.on("migrate_peer", self.migrate)
        self.watchdog = self.dog(self.scripted, {"effect_window": "5s", "fallback": "off"}, {"stall": {}})
        self.scripted.wait_rounds(2)
        self.forwarder = Forwarder(self.watchdog.metrics)
        self.addCleanup(self.forwarder.stop)
        self.prometheus = Prometheus(self.directory, self.forwarder.port)
        self.addCleanup(self.prometheus.stop)

    def migrate(self, request):
        if self.blocked:
            request.error(-32007, "no_path")
            return
        with self.cv:
            peer = self.peers[request.conn - 1]
            peer.advance = True
            peer.set(in_flight_bytes=0)
        self.scripted.do_migrate_peer(request)

    def until(self, predicate, what, deadline=30):
        try:
            self.wait_until(predicate, what, deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.prometheus.query('ALERTS')}\n{self.prometheus.said()}\n"
                                 f"{ask(self.watchdog.metrics)[2]}") from None

    def test_an_outage_is_seen(self):
        prometheus, dog = self.prometheus, self.watchdog
        self.until(lambda: prometheus.number('pathdog_peers{state="up"}') == 10, "a scrape")
        self.assertEqual(prometheus.query("instance:pathdog_fault:where"), [])
        # half of them are silent, and nothing helps
        with self.cv:
            for peer in self.peers[:5]:
                peer.advance = False
                peer.set(in_flight_bytes=5000)
        self.until(lambda: "PathdogPeersSilent" in prometheus.firing(), "the alert")
        self.assertGreaterEqual(prometheus.number("instance:pathdog_peers_silent:ratio"), 0.2)
        self.assertEqual(prometheus.number('count(up{job="pathdog"} == 1)'), 1)
        self.until(lambda: [labels["where"] for labels, _ in prometheus.query("instance:pathdog_fault:where")] == ["us"],
                   "it is us")
        # now the node can move them
        self.blocked = False
        self.until(lambda: dog.records("effect", effect="better")[4:], "five that were moved", 60)
        self.until(lambda: "PathdogPeersSilent" not in prometheus.firing(), "the end of the alert")
        self.until(lambda: prometheus.number("pathdog_outage_seconds_count") == 5, "five outages")
        self.assertGreater(prometheus.number("pathdog_outage_seconds_sum"), 5 * 0.1)
        self.as_the_records("decision", "pathdog_decisions_total", "verdict")
        self.as_the_records("outcome", "pathdog_outcomes_total", "outcome")
        self.as_the_records("effect", "pathdog_effects_total", "effect")
        # and the node dies
        self.scripted.stop()
        self.until(lambda: "PathdogNodeDown" in prometheus.firing(), "the alert of the node")
        self.assertEqual(prometheus.number('pathdog_peers{state="untold"}'), 10)

    def as_the_records(self, record, name, label):
        def same():
            wanted = {}
            for one in self.watchdog.records(record):
                wanted[one[label]] = wanted.get(one[label], 0) + one.get("repeats", 1)
            found = {labels[label]: number for labels, number in
                     self.prometheus.query(f"sum by ({label}) ({name}) > 0")}
            return wanted and found == wanted
        self.until(same, f"{name} is as the records")

    def test_promtool_takes_the_page(self):
        _, _, page = ask(self.watchdog.metrics, GET.replace(b"\r\n\r\n", b"\r\nAccept: text/plain\r\n\r\n"))
        done = promtool("check", "metrics", stdin=page)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(value(samples(self.watchdog.metrics), "pathdog_peers"), 10)


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Files(unittest.TestCase):
    def check(self, *words):
        done = promtool(*words)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("FAILED", done.stdout + done.stderr)

    def test_the_rules(self):
        self.check("check", "rules", "recording.yml", "alerts.yml")

    def test_the_rules_do_what_they_say(self):
        self.check("test", "rules", "rules-test.yml")

    def test_the_example_of_a_configuration(self):
        self.check("check", "config", "prometheus.yml")

    def test_each_alert_is_tested(self):
        def read(name):
            with open(os.path.join(HERE, name), encoding="utf-8") as file:
                return file.read()
        alerts = re.findall(r"- alert: (\w+)", read("alerts.yml"))
        self.assertGreater(len(alerts), 15)
        for alert in alerts:
            self.assertIn(alert, read("rules-test.yml"))
            self.assertIn(f"`{alert}`", read("README.md"))

    def test_promtool_parses_each_expression_of_the_dashboard(self):
        expressions = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
        expressions += [one["expr"] for one in dashboard()["annotations"]["list"]]
        self.assertGreater(len(expressions), 40)
        rules = []
        for number, text in enumerate(expressions):
            for name, instead in (("$__rate_interval", "5m"), ("$job", ".*"), ("$region", ".*"), ("$instance", ".*")):
                text = text.replace(name, instead)
            self.assertNotIn("$", text)
            rules.append({"record": f"dashboard:expression:{number}", "expr": text})
        done = promtool("check", "rules", "/dev/stdin", stdin=json.dumps({"groups": [{"name": "g", "rules": rules}]}))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{len(expressions)} rules found", done.stdout)


if __name__ == "__main__":
    unittest.main()
