# SPDX-License-Identifier: Apache-2.0
"""The page of pathdogctl report, opened in Chromium: of a recording whose names and reasons would be markup. No script
runs, nothing is fetched, every text is there, and it fits on a telephone."""

import json
import os
import subprocess
import unittest

from case import Case, cases
from chromium import Chromium, program
from control_case import ctl_program
from node import PATIENCE
from watchdog import environment, replay_program

START_US, WALL_US = 1_000_000, 1_795_993_200_000_000
BAD = "\"><script>document.title='pwned'</script><img src=http://192.0.2.1/x onerror=document.title='pwned'>]]>--></style>'"
# The parser of names leaves no control characters in; a reason may have them, and bytes that are no UTF-8.
LONG = (BAD + "\u202e\u2066 \x1b[2J ") * 40
PEERS = [BAD, "</title></svg><svg onload=document.title='pwned'>", "javascript:document.title='pwned'", "&lt;b&gt;&#60;",
         "]]><![CDATA[<script>", "{{7*7}} ${7*7}", "p" * 255, "<" * 60]
CONFIG = """\
[watchdog]
node = /run/node.sock

[trigger:srtt]
threshold = 200ms
strikes = 2

[trigger:tunnel]
socket = /run/node.notify

[trigger:stall]
"""


def hexed(data):
    return {"hex": data.hex()}


class Recording:
    """Of a run with bad names: made by hand, since a node and a kernel would have to agree to them."""

    def __init__(self, path):
        self.now_us = START_US
        with open(path, "w", encoding="utf-8") as self.file:
            self.line(pathdog="recording", version=1, run="<b>" + "r" * 29, started_us=START_US, realtime_us=WALL_US,
                      config=CONFIG)
            self.play()

    def line(self, **members):
        self.file.write(json.dumps(members) + "\n")

    def event(self, name, **members):
        self.now_us += 200_000
        self.line(t=self.now_us, rt=WALL_US + self.now_us, event=name, **members)

    def interfaces(self, carrier):
        self.event("interfaces", interfaces=[
            {"name": name, "addresses": address, "carrier": carrier or address == "10.0.2.2", "modem": False,
             "route4": True, "route6": False} for name, address in ((BAD, "10.0.1.2"), ("<u>lte", "10.0.2.2"))])

    def play(self):
        self.interfaces(True)
        self.event("node_up", node=BAD, implementation=BAD, boot="b", features=["reconnect", "bind"],
                   prefer_reconnect=False, max_in_flight=0, uid=0)
        for conn, peer in enumerate(PEERS, 1):
            self.event("peer_up", peer=peer, conn=conn, role="client", local="10.0.1.2:4433", remote="10.9.0.2:4433",
                       migratable=True, reconnectable=True, interface=BAD)
        self.event("snapshot")
        self.event("notice", level="error", what="bad-line", text=LONG, count=1)
        for turn in range(60):
            slow = 300_000 if 20 < turn < 40 else 0
            self.event("samples", columns=["srtt_us", "rtt_samples", "bytes_received"],
                       rows=[[conn, 20_000 + slow + 100 * turn, turn + 1, turn * 1000] for conn in range(1, len(PEERS) + 1)])
            if turn == 30:
                self.interfaces(False)
            if turn == 35:
                for request in range(1, 40):
                    good = request % 2 == 0
                    self.event("answer", request=request, ok=good, spoiled=False, validated=good, conn=0,
                               **({"local": "10.0.2.2:99", "code": 0} if good else {"code": -32007, "message": LONG}))
            if turn in (10, 45):
                self.event("signal", trigger="tunnel", kind="notice", query=0, fields=[
                    {"name": "event", "text": "rebind"}, {"name": "tunnel", "text": ""}, {"name": "peers", "text": "*"},
                    {"name": "reason", "text": LONG if turn == 10 else hexed(b"\xff\xfe<script>\x80" * 100)},
                    {"name": "addresses", "text": ""}, {"name": "pid", "number": 1}, {"name": "uid", "number": 0},
                    {"name": "gid", "number": 0}])
        self.event("peer_down", conn=1, reason=LONG)
        self.event("node_down", reason=LONG)


@unittest.skipUnless(program(), "no chromium")
class Report(Case):
    def setUp(self):
        super().setUp()
        recording, self.page = (os.path.join(self.directory, name) for name in ("recording", "page.html"))
        other = os.path.join(self.directory, "<i>other.conf")
        Recording(recording)
        with open(other, "w") as file:
            file.write(CONFIG.replace("200ms", "500ms"))
        done = subprocess.run([ctl_program(), "report", "--html", "-o", self.page, recording, "--config", other],
                              capture_output=True, text=True, timeout=60 * PATIENCE, env={
                                  **environment(), "PATH": f"{os.path.dirname(replay_program())}:{os.environ['PATH']}"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.browser = Chromium([], self.directory)
        self.session = self.browser.tab()
        for domain in ("Page", "Network", "Log", "Runtime", "Security"):
            self.browser.ask(f"{domain}.enable", self.session)

    def tearDown(self):
        self.browser.stop()
        super().tearDown()

    def told(self, method):
        return [event["params"] for event in self.browser.events if event["method"] == method]

    def open(self, width=1200, scheme="light"):
        self.browser.ask("Emulation.setDeviceMetricsOverride", self.session, width=width, height=900, deviceScaleFactor=1,
                         mobile=False)
        self.browser.ask("Emulation.setEmulatedMedia", self.session,
                         features=[{"name": "prefers-color-scheme", "value": scheme}])
        before = len(self.told("Page.loadEventFired"))
        self.browser.ask("Page.navigate", self.session, url=f"file://{self.page}")
        self.browser.wait(lambda: len(self.told("Page.loadEventFired")) > before, "the page is loaded")

    def value(self, expression):
        answer = self.browser.ask("Runtime.evaluate", self.session, expression=expression, returnByValue=True)
        self.assertNotIn("exceptionDetails", answer)
        return answer["result"].get("value")

    def test_nothing_of_it_is_obeyed(self):
        self.open()
        self.assertEqual([request["request"]["url"] for request in self.told("Network.requestWillBeSent")],
                         [f"file://{self.page}"])
        self.assertEqual(self.told("Log.entryAdded"), [], "nothing was refused either: there was nothing to refuse")
        self.assertEqual(self.told("Runtime.exceptionThrown"), [])
        self.assertTrue(self.value("document.title").startswith("pathdog: "))
        self.assertEqual(self.value("document.scripts.length"), 0)
        self.assertEqual(self.value("document.querySelectorAll('img,iframe,link,object,embed,form,a,base,image').length"), 0)
        self.assertEqual(self.value(
            "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => /^on/i.test(a.name)).length"), 0)
        self.assertEqual(self.value("[...document.querySelectorAll('use')].filter(u => "
                                    "!document.querySelector(u.getAttribute('href'))).length"), 0)
        self.assertEqual(self.value("document.querySelectorAll('main').length"), 1, "nothing ended what it stands in")
        self.assertEqual(self.value("document.body.lastElementChild.tagName"), "FOOTER")
        for width in (1200, 400):  # the policy holds whatever was in it
            self.assertIsNone(self.value("(() => { const s = document.createElement('script'); s.text = 'window.ran = 1';"
                                         "document.head.append(s); return window.ran; })()"), width)

    def test_every_text_is_there(self):
        self.open()
        self.value("document.querySelectorAll('details').forEach(d => d.open = true)")
        text = self.value("document.body.innerText")
        for peer in PEERS:
            self.assertIn(peer, text)
        for some in ("\\x1b[2J", "\\u202e\\u2066", "\ufffd\ufffd<script>", "<u>lte", "<i>other.conf", "What would have been"):
            self.assertIn(some, text)
        for none in "\u202e\u2066\x1b":
            self.assertNotIn(none, self.value("document.documentElement.outerHTML"))

    @cases({"wide": (1200,), "narrow": (400,), "very narrow": (320,)})
    def test_it_fits(self, width):
        self.open(width)
        self.assertLessEqual(self.value("document.documentElement.scrollWidth"), width)
        self.assertGreater(self.value("document.querySelectorAll('path.rtt').length"), 3)
        self.assertTrue(self.value(
            "[...document.querySelectorAll('path.rtt')].every(p => p.getBoundingClientRect().width > innerWidth / 3)"))

    def test_dark_and_light(self):
        colours = {}
        for scheme in ("light", "dark"):
            self.open(scheme=scheme)
            colours[scheme] = [sum(map(int, self.value(f"getComputedStyle(document.body).{what}")[4:-1].split(",")))
                               for what in ("backgroundColor", "color")]
        self.assertGreater(colours["light"][0], colours["light"][1] + 300)
        self.assertGreater(colours["dark"][1], colours["dark"][0] + 300)


if __name__ == "__main__":
    unittest.main()
