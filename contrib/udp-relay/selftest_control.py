#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket of a real udp-relay, and udp-relayctl.

    selftest_control.py UDP_RELAY UDP_RELAYCTL [TEST ...]      needs no root
"""
import contextlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
import unittest

import relay_case
from relay_case import RelayCase

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, whichever Python this is
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

CTL = "./udp-relayctl"
CLIENTS_MAX = 16
SAMPLE = re.compile(r'(?P<name>[a-z][a-z0-9_]*)(?:\{(?P<label>[a-z_]+)="(?P<value>[^"\\\n]*)"\})? (?P<number>[0-9]+)$')


def openmetrics(text):
    """(name, label's value) → number. By the letter of OpenMetrics 1.0, as far as it is used: families are not
    mixed and come once; TYPE stands first; counters end in _total, infos in _info; a unit ends the name."""
    assert text.endswith("# EOF\n"), text[-100:]
    family, kind, seen, samples = None, None, set(), {}
    for line in text.splitlines()[:-1]:
        words = line.split(" ", 3)
        if words[:2] == ["#", "TYPE"]:
            family, kind = words[2], words[3]
            assert family not in seen and kind in ("counter", "gauge", "info"), line
            assert not family.endswith(("_total", "_info")), line
            seen.add(family)
        elif words[:2] == ["#", "UNIT"]:
            assert words[2] == family and family.endswith("_" + words[3]), line
        elif words[:2] == ["#", "HELP"]:
            assert words[2] == family and words[3].strip(), line
        else:
            found = SAMPLE.match(line)
            assert found, line
            assert found["name"] == family + {"counter": "_total", "info": "_info", "gauge": ""}[kind], line
            key = (found["name"], found["value"])
            assert key not in samples, line
            samples[key] = int(found["number"])
    return samples


class Control(RelayCase):
    def setUp(self):
        self.path = os.path.join(self.directory(), "c")

    def served(self, *args):
        return self.relay("--control", self.path, *args)

    def ctl(self, *args, status=0, env=None):
        done = subprocess.run([CTL, "--socket", self.path, *args], capture_output=True, text=True,
                              timeout=relay_case.PATIENCE, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def connect(self, what=b""):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(self.path)  # waits where many do; with a timeout it would not
        client.settimeout(relay_case.PATIENCE)
        if what:  # of nothing, too, a client whose place is taken would hear EPIPE
            client.sendall(what)
        return client

    @staticmethod
    def read(client):
        parts = []
        while True:
            part = client.recv(1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)

    def ask(self, what):
        return self.read(self.connect(what))

    # ---- what it says ----

    def test_status_counts_what_happened(self):
        relay = self.served("--max-data", "100", "--max-duration", "0", "--members", "none")
        before = json.loads(self.ctl("--json"))
        self.assertEqual((before["circuits"], before["pending"]), (0, 0))
        self.assertTrue(before["address"].endswith(f":{relay.port}"))
        self.assertEqual(before["limits"]["max_data_bytes"], 100)
        self.assertIsNone(before["limits"]["max_duration_ms"])
        self.assertTrue(before["members"]["open"])
        a, b = self.pair(relay)
        self.passes(a, b, b"x" * 60)
        a.send(b"x" * 60)
        self.assertEqual(a.receive(), b"ERR:limit\n")
        self.client(relay).register("alone")
        after = json.loads(self.ctl("status", "--json"))
        self.assertEqual((after["circuits"], after["pending"]), (1, 1))
        counters = after["counters"]
        self.assertEqual(counters["forwarded_bytes"], 60)
        self.assertEqual(counters["forwarded_datagrams"], 1)
        self.assertEqual(counters["opened"], 1)
        self.assertEqual(counters["dropped_limit"], 1)
        self.assertEqual(after["sockets"]["received_datagrams"], 5)
        self.assertEqual(after["limits"]["max_pending"], 4 * 64)
        text = self.ctl()
        for words in ("circuits   1 of 64; 1 of 256 waiting for a peer", "forwarded  1 datagram, 60 bytes",
                      "dropped    limit 1", "limits     100 bytes each way; any duration", "all may register"):
            self.assertIn(words, text)

    def test_sessions_with_what_is_left(self):
        relay = self.served("--max-data", "1K")
        a, b = self.pair(relay, one="127.0.0.1", other="127.0.0.2")
        self.passes(a, b, b"x" * 24)
        session, = json.loads(self.ctl("--json", "sessions"))["sessions"]
        self.assertEqual(session["id"], "room")
        one, other = session["members"]
        self.assertEqual(one["address"], "127.0.0.1:%d" % a.socket.getsockname()[1])
        self.assertEqual((one["bytes"], one["left_bytes"], one["ended"]), (24, 1000, False))
        self.assertEqual((other["bytes"], other["left_bytes"]), (0, 1024))
        self.assertLessEqual(session["left_ms"], 30 * 60 * 1000)
        text = self.ctl("sessions")
        self.assertRegex(text, r"room: open for .*\n +127\.0\.0\.1:\d+ +sent 24 bytes +left 1000 bytes")

    def test_an_id_does_nothing_to_a_terminal(self):
        relay = self.served()
        self.client(relay).ask(b"REG:\x1b[2Ja\xe2\x80\xaeb" + relay_case.PAD)
        self.assertEqual(json.loads(self.ctl("--json", "sessions"))["sessions"][0]["id"], "\x1b[2Ja\u202eb")
        text = self.ctl("sessions")
        self.assertIn("\\x1b[2Ja\\u202eb: waits for its peer", text)
        self.assertNotIn("\x1b", text)

    def test_members_are_told(self):
        list_path = os.path.join(self.directory(), "members")
        with open(list_path, "w") as file:
            file.write("127.0.0.1\nid:x*\nnonsense\n")
        self.served("--members", list_path)
        members = json.loads(self.ctl("--json"))["members"]
        self.assertEqual((members["path"], members["entries"], members["bad_lines"], members["open"]),
                         (list_path, 2, 1, False))
        self.assertIn("2 in the list, taken", self.ctl())

    # ---- metrics ----

    def test_metrics_are_openmetrics_and_agree_with_the_status(self):
        relay = self.served()
        a, b = self.pair(relay)
        self.passes(a, b)
        text = self.ctl("metrics")
        samples, status = openmetrics(text), json.loads(self.ctl("--json"))
        self.assertEqual(samples["udp_relay_circuits", None], 1)
        self.assertEqual(samples["udp_relay_forwarded_bytes_total", None], len("as it was"))
        for name, number in status["counters"].items():
            for prefix, metric in (("refused_", "refused"), ("dropped_", "dropped_datagrams"), ("ended_", "ended"),
                                   ("moved_by_", "moved")):
                if name.startswith(prefix):
                    key = f"udp_relay_{metric}_total", name[len(prefix):]
                    break
            else:
                key = f"udp_relay_{name}_total", None
            self.assertEqual(samples[key], number, name)
        self.assertEqual(samples["udp_relay_build_info", status["version"]], 1)

    @unittest.skipUnless(text_string_to_metric_families, "no prometheus_client here")
    def test_metrics_by_the_parser_of_prometheus(self):
        relay = self.served()
        a, b = self.pair(relay)
        self.passes(a, b)
        text = self.ctl("metrics")
        theirs = {(sample.name, next(iter(sample.labels.values()), None)): sample.value
                  for family in text_string_to_metric_families(text) for sample in family.samples}
        self.assertEqual(theirs, openmetrics(text))

    def test_http(self):
        self.served()
        head, body = self.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n").split(b"\r\n\r\n", 1)
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"), head)
        self.assertIn(b"application/openmetrics-text; version=1.0.0", head)
        openmetrics(body.decode())
        body = self.ask(b"GET /sessions?x=1 HTTP/1.0\r\n\r\n").split(b"\r\n\r\n", 1)[1]
        self.assertEqual(json.loads(body), {"sessions": []})
        self.assertTrue(self.ask(b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 404 "))

    # ---- bad clients ----

    def test_a_bad_request_is_answered(self):
        self.served()
        for what in (b"\n", b"statu\n", b"status sessions\n", b"\0\xff\n"):
            self.assertTrue(self.ask(what).startswith(b"error: unknown request; known are"), what)
        client = self.connect(b"status")
        client.shutdown(socket.SHUT_WR)  # its end is the line's
        self.assertIn(b'"circuits":0', self.read(client))

    def test_a_request_without_end_is_cut_off(self):
        self.served()
        client = self.connect()
        try:
            for _ in range(100):
                client.sendall(b"x" * 4096)
        except OSError:
            pass
        else:
            self.fail("400 KiB were read")
        self.assertIn("circuits", self.ctl())

    def test_hanging_clients_harm_nobody(self):
        """Those who ask nothing, half, and all but read nothing; more than there are places."""
        relay = self.served("--max-circuits", "2000", "--max-circuits-per-address", "2000")
        a, b = self.pair(relay)
        self.many(relay, 300)
        before = relay.memory_kb()
        hanging = [self.connect() for _ in range(4 * CLIENTS_MAX)]
        for client, what in zip(hanging, (b"", b"stat", b"sessions\n", b"GET /x HTTP/1.1\r\n") * CLIENTS_MAX):
            with contextlib.suppress(OSError):  # its place may be taken already
                client.sendall(what)
        for i in range(50):
            self.passes(a, b, b"%d" % i)
            self.passes(b, a, b"%d" % i)
        # The places of those who do nothing are taken by who comes; until one has done nothing for a second, it
        # is told so.
        self.assertTrue(self.patiently(lambda: b'"circuits":' in self.ask(b"status\n")))
        self.assertLess(relay.memory_kb() - before, 4096)
        self.assertEqual(len(hanging), 4 * CLIENTS_MAX)
        self.assertEqual(relay.stop(), 0)

    @staticmethod
    def patiently(condition):
        until = time.monotonic() + relay_case.PATIENCE
        while time.monotonic() < until:
            try:
                if condition():
                    return True
            except OSError:
                pass
            time.sleep(0.05)
        return False

    def many(self, relay, count):
        """Waiting registrations, of 127.0.1.x, 16 of each."""
        for i in range(count):
            client = self.client(relay, "127.0.1.%d" % (1 + i // 16))
            self.assertEqual(client.register("many %d" % i), b"ACK\n")

    def test_a_long_list_is_whole_however_slowly_it_is_read(self):
        relay = self.served("--max-circuits", "500")
        self.many(relay, 600)
        client, parts = self.connect(b"sessions\n"), []
        while True:
            part = client.recv(997)
            if not part:
                break
            parts.append(part)
        ids = [session["id"] for session in json.loads(b"".join(parts))["sessions"]]
        self.assertEqual(sorted(ids), sorted("many %d" % i for i in range(600)))

    # ---- the socket itself ----

    def test_the_socket_is_for_owner_and_group_and_goes_with_the_relay(self):
        relay = self.served()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o660)
        self.assertEqual(relay.stop(), 0)
        self.assertFalse(os.path.exists(self.path))

    def test_one_that_was_left_is_replaced(self):
        relay = self.served()
        relay.process.kill()
        relay.process.wait()
        self.assertTrue(os.path.exists(self.path))
        self.served()
        self.assertIn("circuits", self.ctl())

    def test_one_that_is_in_use_is_left_alone(self):
        self.served()
        other = relay_case.Relay("--port", "0", "--control", self.path)
        self.addCleanup(other.close)
        other.line(re.escape(self.path) + ": another process listens there")
        self.assertNotEqual(other.process.wait(relay_case.PATIENCE), 0)
        self.assertIn("circuits", self.ctl())

    def test_a_file_is_left_alone(self):
        with open(self.path, "w") as file:
            file.write("mine")
        other = relay_case.Relay("--port", "0", "--control", self.path)
        self.addCleanup(other.close)
        other.line("a file that is not a socket exists there")
        self.assertEqual(other.process.wait(relay_case.PATIENCE), 2)
        with open(self.path) as file:
            self.assertEqual(file.read(), "mine")

    def test_ctl_says_what_is_wrong(self):
        self.assertIn("No such file or directory: does udp-relay run?", self.ctl(status=1))
        self.assertIn('unknown command "statsu"; did you mean status', self.ctl("statsu", status=2))
        self.assertIn("unknown option --jso; did you mean --json", self.ctl("--jso", status=2))
        self.assertIn("metrics are OpenMetrics text", self.ctl("--json", "metrics", status=2))
        self.assertIn("one of status, sessions, metrics at a time", self.ctl("status", "status", status=2))
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(self.path)
            server.listen()
            os.chmod(self.path, 0o600)
            process = subprocess.Popen([CTL, "--socket", self.path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       text=True)
            client, _ = server.accept()
            client.recv(100)
            client.sendall(b"[1]\n")
            client.close()
            self.assertIn("the answer is not that of a udp-relay", process.communicate(timeout=relay_case.PATIENCE)[0])
            self.assertEqual(process.returncode, 1)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    relay_case.PROGRAM, CTL = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
