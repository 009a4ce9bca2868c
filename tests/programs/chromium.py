# SPDX-License-Identifier: Apache-2.0
"""Debian's Chromium without a window, by its DevTools protocol over two pipes. Has no tests."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time

from node import PATIENCE

PROGRAMS = ("chromium-headless-shell", "chromium")


def program():
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


def spki(certificate):
    """What --ignore-certificate-errors-spki-list wants of a certificate: SHA-256 of its public key."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], capture_output=True,
                         check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, capture_output=True,
                         check=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def http3(host, address, certificate):
    """Options: QUIC at once. Name and address are bound here, so no DNS is asked."""
    return ("--enable-quic", f"--origin-to-force-quic-on={host}:443", f"--host-resolver-rules=MAP {host} {address}",
            f"--ignore-certificate-errors-spki-list={spki(certificate)}")


class Chromium:
    """Each message is JSON and ends in NUL; Chromium reads them from descriptor 3 and writes to 4."""

    def __init__(self, prefix, directory, *options):
        self.directory = os.path.join(directory, "chromium")
        self.downloads = os.path.join(self.directory, "downloads")
        os.makedirs(self.downloads)
        self.cv = threading.Condition()
        self.number = 0
        self.answers = {}
        self.events = []
        theirs_in, self.output = os.pipe()
        self.input, theirs_out = os.pipe()
        self.errors = open(os.path.join(self.directory, "stderr"), "wb+")
        # All of the network that Chromium does by itself (updates, lists) is off, and would lead nowhere.
        words = [program(), "--remote-debugging-pipe", "--headless", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", f"--user-data-dir={self.directory}/profile",
                 *options, "about:blank"]
        self.process = subprocess.Popen(
            [*prefix, "bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out} {theirs_in}<&- {theirs_out}>&-',
             "chromium", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.errors, pass_fds=(theirs_in, theirs_out),
            start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        buffer = b""
        while True:
            data = os.read(self.input, 1 << 16)
            if not data:
                break
            *messages, buffer = (buffer + data).split(b"\0")
            with self.cv:
                for message in map(json.loads, messages):
                    if "id" in message:
                        self.answers[message["id"]] = message
                    else:
                        self.events.append(message)
                self.cv.notify_all()

    def story(self):
        self.errors.flush()
        with open(self.errors.name, errors="replace") as file:
            return f"chromium: {self.process.poll()}, {self.events[-5:]}\n" + file.read()[-3000:]

    def wait(self, predicate, what, deadline=30):
        end = time.monotonic() + deadline * PATIENCE
        with self.cv:
            while True:
                value = predicate()
                if value:
                    return value
                left = end - time.monotonic()
                assert left > 0 and self.process.poll() is None, f"not within {deadline} s: {what}\n{self.story()}"
                self.cv.wait(min(left, 0.2))

    def ask(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.output, data):]
        answer = self.wait(lambda: self.answers.pop(self.number, None), method)
        assert "result" in answer, answer
        return answer["result"]

    def tab(self):
        """The session of an empty one."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        return self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def download(self, url):
        """Begins; what comes of it is in progress()."""
        self.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=self.downloads, eventsEnabled=True)
        self.ask("Page.navigate", self.tab(), url=url)

    def progress(self):
        """(state, bytes) as last told; state is inProgress, completed or canceled. Called with the lock, or after."""
        told = [e["params"] for e in self.events if e["method"] == "Browser.downloadProgress"]
        return (told[-1]["state"], int(told[-1]["receivedBytes"])) if told else ("", 0)

    def wait_progress(self, least, deadline=60):
        self.wait(lambda: self.progress()[1] >= least or self.progress()[0] == "completed", f"{least} bytes", deadline)

    def wait_downloaded(self, deadline=120):
        """The path of the file."""
        state = self.wait(lambda: self.progress()[0] in ("completed", "canceled") and self.progress()[0],
                          "the download ends", deadline)
        assert state == "completed", self.story()
        name, = os.listdir(self.downloads)
        return os.path.join(self.downloads, name)

    def stop(self):
        if self.process.poll() is None:
            try:
                self.ask("Browser.close")
                self.process.wait(10 * PATIENCE)
            except (AssertionError, OSError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        os.close(self.output)
        self.reader.join(10)
        os.close(self.input)
        self.errors.close()
