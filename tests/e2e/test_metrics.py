# SPDX-License-Identifier: Apache-2.0
"""The metrics socket: docs/metrics.md."""

import collections
import json
import os
import socket
import stat
import subprocess
import sys

from case import cases
from control_case import ControlCase
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from scrape import GET, ask, samples, value


class Page(ControlCase):
    def test_both_formats(self):
        node, dog = self.pair(peers=3)
        node.wait_rounds(2)
        status, headers, body = ask(dog.metrics)
        self.assertEqual((status, headers["Content-Type"]),
                         (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"))
        families = {family.name: family for family in openmetrics(body)}
        self.assertEqual(families["pathdog_decisions"].type, "counter")
        status, headers, body = ask(dog.metrics, GET.replace(b"\r\n\r\n", b"\r\nAccept: text/plain\r\n\r\n"))
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertEqual({sample.name for family in prometheus(body) for sample in family.samples},
                         {sample.name for family in families.values() for sample in family.samples})

    def test_counters_are_the_records(self):
        """Moves that succeed, that fail and are tried again, refusals: each record counts, each label."""
        node, dog = self.pair(peers=4, watchdog={"cooldown": "10min"})
        node.on("migrate_peer", lambda request: request.error(-32007, "no_path") if request.conn == 2
                else node.do_migrate_peer(request))
        dog.moved()
        dog.outcome("no-path", conn=2, nth=3)
        dog.outcome("migrated", conn=4)
        self.ctl(dog, "migrate", "p1@h")
        node.down(4)
        dog.wait_record("peer", state="down", conn=4)
        for record, name, labels in (
                ("decision", "pathdog_decisions_total", ("kind", "verdict")),
                ("decision", "pathdog_trigger_decisions_total", ("trigger",)),
                ("outcome", "pathdog_outcomes_total", ("by", "outcome")),
                ("effect", "pathdog_effects_total", ("effect",)),
                ("cause", "pathdog_causes_total", ("trigger",)),
                ("peer", "pathdog_peer_changes_total", ("state",)),
                ("node", "pathdog_node_changes_total", ("state",)),
                ("notice", "pathdog_notices_total", ("level", "what"))):
            with self.subTest(name):
                self.assert_counts(dog, record, name, labels)

    def assert_counts(self, dog, record, name, labels):
        """More may come between the two looks: then it is looked again."""
        def same():
            before = len(dog.records(record))
            found = collections.Counter({
                tuple(dict(have)[label] for label in labels): number
                for (sample, have), number in samples(dog.metrics).items() if sample == name and number})
            wanted = collections.Counter()
            for one in dog.records(record):
                wanted[tuple(one[label] for label in labels)] += one.get("repeats", one.get("count", 1))
            return wanted and (found == wanted or (len(dog.records(record)) == before and
                                                   self.fail(f"{found} and not {wanted}")))
        if dog.records(record):
            self.wait_until(same, f"{name} is as the records")

    def test_times(self):
        node, dog = self.pair()
        node.wait_rounds(2)
        dog.moved()
        outcome = dog.outcome("migrated")
        there = samples(dog.metrics)
        self.assertEqual(value(there, "pathdog_requests_total", by="migrate"), 1)
        self.assertEqual(value(there, "pathdog_migration_seconds_count", by="migrate"), 1)
        self.assertAlmostEqual(value(there, "pathdog_migration_seconds_sum", by="migrate"),
                               outcome["elapsed_us"] / 1e6)
        self.assertEqual(value(there, "pathdog_reaction_seconds_count", kind="moved"), 1)
        self.assertLess(value(there, "pathdog_reaction_seconds_sum", kind="moved"), 30)
        self.assertGreater(value(there, "pathdog_reaction_seconds_sum", kind="moved"), 0)

    def test_an_outage(self):
        """From the beginning of the silence to the move that helped."""
        node = self.node()
        peer = node.add("p1@h", 1).set(srtt_us=20000, rttvar_us=1000)
        dog = self.dog(node, {"effect_window": "5s"}, {"stall": {}})
        node.wait_rounds(2)
        self.assertEqual(value(samples(dog.metrics), "pathdog_outage_seconds_count"), 0)
        with self.cv:
            peer.advance = False
            peer.set(in_flight_bytes=5000)
        moved = dog.outcome("migrated")
        there = samples(dog.metrics)
        self.assertEqual(value(there, "pathdog_outages_open"), 1)
        with self.cv:
            peer.advance = True
            peer.set(in_flight_bytes=0)
        dog.effect()
        decision = dog.wait_record("decision", kind="dead")
        there = samples(dog.metrics)
        self.assertEqual(value(there, "pathdog_outages_open"), 0)
        self.assertEqual(value(there, "pathdog_outage_seconds_count"), 1)
        seconds = value(there, "pathdog_outage_seconds_sum")
        self.assertAlmostEqual(
            seconds, (moved["time_us"] - decision["time_us"] + decision["evidence"]["stalled_us"]) / 1e6, 3)
        self.assertLess(value(there, "pathdog_reaction_seconds_sum", kind="dead"), seconds + 30)
        self.assertGreater(value(there, "pathdog_reaction_seconds_sum", kind="dead"),
                           decision["evidence"]["stalled_us"] / 1e6 - 1e-6)
        # The report has its own look at the same records, and says the same.
        no_path = json.loads(self.ctl(dog, "--json", "report", "--source", "daemon")[0])["no_path"]
        longest = no_path["longest"]
        self.assertEqual((no_path["ended"], longest["peer"]), (1, "p1@h"))
        self.assertAlmostEqual(seconds, (longest["until_us"] - longest["from_us"]) / 1e6, 3)

    def test_gauges(self):
        node, dog = self.pair(peers=5)
        node.wait_rounds(2)
        self.ctl(dog, "hold", "p1@h")
        self.ctl(dog, "mode", "observe")
        there = samples(dog.metrics)
        self.assertEqual(value(there, "pathdog_peers"), 5)
        self.assertEqual(value(there, "pathdog_peers_held"), 1)
        self.assertEqual(value(there, "pathdog_mode", mode="observe"), 1)
        self.assertEqual(value(there, "pathdog_mode", mode="active"), 0)
        self.assertEqual(value(there, "pathdog_node_up"), 1)
        self.assertEqual(value(there, "pathdog_triggers", state="open"), 1)
        self.assertGreater(value(there, "process_resident_memory_bytes"), 1e6)
        node.stop()
        dog.wait_record("node", state="down")
        there = samples(dog.metrics)
        self.assertEqual(value(there, "pathdog_node_up"), 0)
        self.assertEqual(value(there, "pathdog_peers", state="untold"), 5)

    def test_names_of_peers_are_not_told(self):
        node, dog = self.pair(peers=3)
        dog.moved()
        dog.outcome("migrated", nth=3)
        self.assertNotIn("p1@h", ask(dog.metrics)[2])

    @cases({"another path": (b"GET / HTTP/1.0\r\n\r\n", 404), "POST": (b"POST /metrics HTTP/1.0\r\n\r\n", 405),
            "no HTTP": (b"hello\r\n", 400), "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            "HEAD": (b"HEAD /metrics HTTP/1.0\r\n\r\n", 200)})
    def test_answers(self, request, status):
        node, dog = self.pair()
        self.assertEqual(ask(dog.metrics, request)[0], status)
        self.assertEqual(value(samples(dog.metrics), "pathdog_scrapes_total", result="bad"), status != 200)


class Socket(ControlCase):
    def test_pathdogctl(self):
        node, dog = self.pair()
        out, _ = self.ctl(dog, "metrics")
        self.assertEqual({family.name for family in openmetrics(out)},
                         {family.name for family in openmetrics(ask(dog.metrics)[2])})
        out, _ = self.ctl(dog, "--json", "metrics")
        self.assertEqual(json.loads(out)["socket"], dog.metrics)
        self.assertIn("# EOF\n", json.loads(out)["text"])

    def test_none(self):
        node, dog = self.pair(watchdog={"metrics": ""})
        self.assertEqual(self.client(dog).result("metrics"), {"socket": None})
        self.assertFalse(os.path.exists(dog.metrics))
        self.assertIn("has no metrics socket", self.ctl(dog, "metrics", status=1)[1])

    def test_mode_and_a_stale_one(self):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(os.path.join(self.directory, "pathdog.metrics"))
        node, dog = self.pair()
        self.assertEqual(stat.S_IMODE(os.stat(dog.metrics).st_mode), 0o660)
        self.assertEqual(ask(dog.metrics)[0], 200)
        self.assertEqual(dog.terminate(), 0)
        self.assertFalse(os.path.exists(dog.metrics))

    def test_a_file_in_the_way(self):
        path = os.path.join(self.directory, "pathdog.metrics")
        with open(path, "w") as file:
            file.write("mine")
        node, dog = self.pair()
        notice = dog.notice("metrics-socket")
        self.assertEqual(notice["level"], "warning")
        self.assertIn(f"{path}: a file that is not a socket exists there", notice["text"])
        with open(path) as file:
            self.assertEqual(file.read(), "mine")
        dog.moved()
        dog.outcome("migrated")

    def test_another_place_takes_a_restart(self):
        node, dog = self.pair()
        dog.sections["watchdog"]["metrics"] = dog.metrics + "2"
        dog.write_config()
        self.assertIn("metrics is still", self.ctl(dog, "reload", status=1)[0])
        self.assertEqual(ask(dog.metrics)[0], 200)

    def test_passed_by_systemd(self):
        path = os.path.join(self.directory, "passed.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(8)
            dog = self.dog(self.node(), start=False)
            dog.prefix = [sys.executable, "-c", "import os, sys; os.dup2(%d, 3); os.environ.update("
                          "LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='metrics'); "
                          "os.execv(sys.argv[1], sys.argv[1:])" % listener.fileno()] + dog.prefix
            popen = subprocess.Popen
            os.set_inheritable(listener.fileno(), True)
            try:
                subprocess.Popen = lambda *a, **k: popen(*a, close_fds=False, **k)
                dog.start()
            finally:
                subprocess.Popen = popen
        self.assertEqual(ask(path)[0], 200)
        self.assertEqual(self.client(dog).result("metrics"), {"socket": path})
        self.assertFalse(os.path.exists(dog.metrics))
        self.assertEqual(dog.terminate(), 0)
        self.assertTrue(os.path.exists(path), "it is systemd's to remove")
