# SPDX-License-Identifier: Apache-2.0
"""flow-node and pathdog on the gateway of gateway_lab, with and without a test around them."""

import os
import socket
import threading
import time

from gateway_lab import PORT, Program
from node import PATIENCE
from watchdog import Watchdog, program

UPLINKS = {"uplink:up0": {"class": "primary"}, "uplink:up1": {"class": "spare"}, "uplink:lte": {"class": "metered"}}
TRIGGERS = {"stall": {}, "route": {}, "send-errors": {}, "srtt": {}, "loss": {}}
DEFAULTS = {"sample_interval": "1s", "close_interval": None, "migrate_timeout": None, "effect_window": None,
            "fallback_after": None}


class FlowNode(Program):
    """Its socket is `path`. Flows of the LAN are told at once, however short they are."""

    def __init__(self, lab, *words, ports=str(PORT), wrap=(), env=None):
        self.path = os.path.join(lab.directory, "flow-node.sock")
        super().__init__(lab, "host", "flow-node", *wrap, program("flow-node", "FLOW_NODE"), "--socket", self.path,
                         "--ports", ports, "--lan", "lan", "--min-age", "0", "--min-bytes", "0", *words, env=env)

    def wait_ready(self):
        """It serves its socket."""
        end = time.monotonic() + 15 * PATIENCE
        while not self.serves():
            assert time.monotonic() < end and self.process.poll() is None, f"it does not serve: {self.lines[-20:]}"
            time.sleep(0.01)

    def serves(self):
        with socket.socket(socket.AF_UNIX) as sock:
            return sock.connect_ex(self.path) == 0

    def wait_said(self, text, deadline=15):
        """The first line with this text."""
        end = time.monotonic() + deadline * PATIENCE
        while not self.said(text):
            assert time.monotonic() < end, f"flow-node has not said {text!r}: {self.lines[-30:]}"
            time.sleep(0.02)
        return self.said(text)[0]


class GatewayPathdog:
    """Both of them, for who measures."""

    def __init__(self, lab):
        self.flow_node = FlowNode(lab)
        self.flow_node.wait_ready()
        self.dog = Watchdog(lab.directory, self.flow_node, threading.Condition(), DEFAULTS, TRIGGERS,
                            prefix=lab.prefix("host"))
        self.dog.sections.update(UPLINKS)
        self.dog.start()

    def wait_peers(self, count):
        self.dog.wait_for(lambda: len({r["peer"] for r in self.dog.records("peer", state="up")}) >= count, 30,
                          f"{count} flows are seen")

    @property
    def lines(self):
        """What both of them said, with seconds from the start of pathdog."""
        records, lines = self.dog.records(), []
        for r in records:
            at = f"{(r['time_us'] - records[0]['time_us']) / 1e6:8.3f} {r.get('peer', '')}"
            if r["record"] == "decision":
                lines.append(f"{at} {r['trigger']} {r['kind']} {r['verdict']} to {r.get('target')}: {r['reason']}")
            elif r["record"] == "outcome":
                lines.append(f"{at} {r['outcome']} after {r['elapsed_us'] / 1000:.0f} ms {r.get('error') or ''}")
            elif r["record"] == "uplink":
                lines.append(f"{at}{r['uplink']} is {r['change']}: {r['reason']}")
        return self.flow_node.lines + lines

    def stop(self):
        bad = self.dog.finish()
        self.dog.destroy()
        return bad + self.flow_node.stop()
