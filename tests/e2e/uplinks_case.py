# SPDX-License-Identifier: Apache-2.0
"""A case with the real pathdog on a host with three uplinks, whatever its node is. Has no tests."""

import json
import time

from control_case import ControlCase
from node import PATIENCE
from three_uplinks import Lab

SAMPLE_S = 1
WATCHDOG = {"sample_interval": f"{SAMPLE_S}s", "close_interval": None, "migrate_timeout": None,
            "effect_window": None, "fallback_after": None}  # None: pathdog's default
TRIGGERS = {"stall": {}, "route": {}, "send-errors": {}, "srtt": {}}
SECTIONS = {"uplink:up0": {"class": "primary"}, "uplink:up1": {"class": "spare"},
            "uplink:lte": {"class": "metered"}}
MOVED = ("migrated", "reconnected")


class UplinksCase(ControlCase):
    LAB = Lab

    def setUp(self):
        super().setUp()
        self.lab = self.LAB(self.directory)
        self.addCleanup(self.lab.stop)
        self.lab.start()

    def begin(self):
        """From here on records count."""
        self.before = len(self.pathdog.records())
        self.begun, self.begun_real_s = time.monotonic(), time.time()

    # -- what pathdog says -------------------------------------------------------------------

    def uplinks(self):
        out, _ = self.ctl(self.pathdog, "--json", "uplinks")
        return {u["uplink"]: u for u in map(json.loads, out.splitlines())}

    def said(self, record, **members):
        """Records since begin()."""
        return [r for r in self.pathdog.records()[self.before:] if r["record"] == record
                and all(r.get(key) == value for key, value in members.items())]

    def wait_said(self, record, what, deadline=10, **members):
        self.wait_until(lambda: self.said(record, **members), f"{what}: {record} with {members}", deadline)
        return self.said(record, **members)[0]

    def since_s(self, record):
        """How long after begin() it was written."""
        return record["time_us"] / 1e6 - self.begun_real_s

    def moves(self, peer):
        return [r for r in self.said("outcome", peer=peer) if r["outcome"] in MOVED]

    def asked(self, peer):
        """The decisions that led to a request."""
        return [r for r in self.said("decision", peer=peer) if r["verdict"] in ("migrate", "reconnect")]

    def wait_until(self, predicate, what, deadline=10):
        end = time.monotonic() + deadline * PATIENCE
        while not predicate():
            self.assertLess(time.monotonic(), end, f"not within {deadline * PATIENCE} s: {what}\n{self.story()}")
            time.sleep(0.05)

    def story(self):
        return self.pathdog.story(60)
