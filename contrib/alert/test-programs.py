#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs of contrib/alert, as pathdog-alert runs them: its environment, and a record on their
standard input. What they talk to is a stand-in: a sendmail, an SMTP server, a web server, notify-send."""

import email
import email.policy
import http.server
import json
import os
import shutil
import socketserver
import subprocess
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SENTENCE = 'a "b" \\x1b <i>&amp; Ärger → no progress after its move'
RECORD = {"record": "effect", "effect": "stalled", "peer": 'a "b" \x1b <i>', "event": "stalled",
          "sentence": SENTENCE}


class Programs(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="alert-")
        self.addCleanup(shutil.rmtree, self.directory)

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.directory, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def stand_in(self, name):
        """A program that writes down its arguments and its input."""
        return self.file(name, f'#!/bin/sh\nprintf "%s\\n" "$@" > {self.directory}/arguments\n'
                               f"cat > {self.directory}/input\n", 0o755)

    def read(self, name):
        with open(os.path.join(self.directory, name)) as file:
            return file.read()

    def run_program(self, name, *words, status=0, event="stalled"):
        done = subprocess.run(
            [os.path.join(HERE, name), *words], input=json.dumps(RECORD) + "\n", text=True, timeout=60,
            capture_output=True, cwd="/",
            env={"PATH": f"{self.directory}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/",
                 "PATHDOG_EVENT": event, "PATHDOG_RECORD": "effect", "PATHDOG_SENTENCE": SENTENCE,
                 "PATHDOG_PEER": "a", "PATHDOG_CONTROL": "/run/pathdog/control.sock"})
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def check_mail(self, text, to):
        message = email.message_from_string(text, policy=email.policy.default)
        self.assertEqual(message["To"], to)
        self.assertEqual(message["Subject"], f"[pathdog] stalled on {os.uname().nodename}")
        self.assertEqual(message["Auto-Submitted"], "auto-generated")
        body = message.get_content()
        self.assertTrue(body.startswith(SENTENCE + "\n\n"), body)
        self.assertEqual(json.loads(body.splitlines()[2]), RECORD)
        self.assertTrue(all(len(line) < 200 for line in text.splitlines()))

    def test_mail(self):
        self.run_program("mail", "--sendmail", self.stand_in("sendmail"), "root", "ops@example.org")
        self.assertEqual(self.read("arguments").splitlines(), ["-i", "--", "root", "ops@example.org"])
        self.check_mail(self.read("input"), "root, ops@example.org")

    def test_mail_to_nobody(self):
        self.run_program("mail", status=2)
        self.assertIn("is no address", self.run_program("mail", "-oQ/tmp", status=2).stderr)
        self.assertIn("is no address", self.run_program("mail", "a\nBcc: b", status=2).stderr)

    @unittest.skipUnless(shutil.which("curl"), "there is no curl")
    def test_mail_smtp(self):
        got = {"rcpt": []}

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 test\r\n")
                for line in self.rfile:
                    word = line.decode().strip()
                    if word == "DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = []
                        for part in iter(self.rfile.readline, b".\r\n"):
                            lines.append(part)
                        got["data"] = b"".join(lines)
                    elif word.startswith("RCPT"):
                        got["rcpt"].append(word)
                    elif word.startswith("MAIL"):
                        got["from"] = word
                    self.wfile.write(b"221 bye\r\n" if word == "QUIT" else b"250 good\r\n")
                    if word == "QUIT":
                        return

        with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            config = self.file("smtp", f'url = "smtp://127.0.0.1:{server.server_address[1]}"\n')
            self.run_program("mail-smtp", config, "me@example.org", "a@example.org", "b@example.org")
            server.shutdown()
        self.assertIn("<me@example.org>", got["from"])
        self.assertEqual([w.split(":", 1)[1] for w in got["rcpt"]], ["<a@example.org>", "<b@example.org>"])
        self.assertNotIn(b"\n", got["data"].replace(b"\r\n", b""))
        self.check_mail(got["data"].decode().replace("\r\n", "\n"), "a@example.org, b@example.org")

    @unittest.skipUnless(shutil.which("curl"), "there is no curl")
    def test_webhook(self):
        got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            status = 200

            def do_POST(self):
                got.append((self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(404 if "missing" in self.path else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            base = f"http://127.0.0.1:{server.server_address[1]}"
            config = self.file("hook", f'url = "{base}/hook"\nheader = "Authorization: Bearer x"\n')
            self.run_program("webhook", config)
            self.run_program("webhook", "--text", config)
            missing = self.run_program("webhook", self.file("no", f'url = "{base}/missing"\n'), status=22)
            server.shutdown()
        self.assertIn("404", missing.stderr)
        path, headers, body = got[0]
        self.assertEqual((path, headers["Content-Type"], headers["Authorization"]),
                         ("/hook", "application/json", "Bearer x"))
        self.assertEqual(json.loads(body), RECORD)
        self.assertEqual(json.loads(got[1][2]), {"text": f"[pathdog] {SENTENCE}"})

    def test_webhook_is_within_the_timeout(self):
        """A server that hangs: curl gives up before pathdog-alert ends it, and says why."""
        self.stand_in("curl")
        self.run_program("webhook", "file")
        words = self.read("arguments").splitlines()
        max_time, retries = (int(words[words.index(name) + 1]) for name in ("--max-time", "--retry"))
        waits = sum(2 ** n for n in range(retries))
        self.assertGreater(retries, 0)
        self.assertLess((retries + 1) * max_time + waits, 30)

    def test_webhook_without_a_file(self):
        self.assertIn("needs FILE", self.run_program("webhook", status=2).stderr)

    def test_desktop(self):
        self.stand_in("notify-send")
        self.run_program("desktop", event="uplink-down")
        words = self.read("arguments").splitlines()
        self.assertEqual(words[:5], ["--app-name", "pathdog", "--urgency", "critical", "pathdog: uplink-down"])
        self.assertEqual(words[5], 'a "b" \\x1b &lt;i&gt;&amp;amp; Ärger → no progress after its move')
        self.run_program("desktop")
        self.assertIn("normal", self.read("arguments").splitlines())

    def test_shells_read_them(self):
        for name in sorted(os.listdir(HERE)):
            if "." in name:
                continue
            subprocess.run(["sh", "-n", os.path.join(HERE, name)], check=True)
            if shutil.which("shellcheck"):
                subprocess.run(["shellcheck", os.path.join(HERE, name)], check=True)


if __name__ == "__main__":
    unittest.main()
