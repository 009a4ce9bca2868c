#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the recording of a day that never was: connections over two uplinks, of which one gets slow or goes
silent every hour. The same bytes each time. To be replayed and reported on; nothing in it was decided by anybody.

day.py FILE [EVENTS [PEERS]]"""

import json
import random
import sys

DAY_US = 86_400_000_000
START_US, START_WALL_US = 1_000_000_000, 1_795_993_200_000_000
CONFIG = """\
[watchdog]
node = /run/node/pathdog.sock

[uplink:home]
interface = eth0
class = primary

[uplink:lte]
interface = wwan0
class = spare

[trigger:srtt]
threshold = 200ms
strikes = 2

[trigger:stall]
"""
COLUMNS = ["srtt_us", "latest_rtt_us", "rtt_samples", "in_flight_bytes", "bytes_sent", "bytes_received", "silent_ms",
           "unacked_ms", "unacked_bytes", "acked_bytes", "pto_us"]
PLACES = {"eth0": "10.0.1.2", "wwan0": "10.0.2.2"}


class Day:
    def __init__(self, file, events, peers):
        self.file = file
        self.random = random.Random(7)
        self.now_us = START_US
        self.step_us = DAY_US // events
        self.left = events
        self.peers = peers
        self.samples = [0] * peers
        self.bytes = [0] * peers

    def line(self, **members):
        self.file.write(json.dumps(members, separators=(",", ":"), ensure_ascii=False) + "\n")

    def event(self, name, **members):
        self.line(t=self.now_us, rt=START_WALL_US + self.now_us - START_US, event=name, **members)
        self.now_us += self.step_us
        self.left -= 1

    def interfaces(self, lte=True):
        self.event("interfaces", interfaces=[
            {"name": name, "addresses": address, "carrier": lte or name == "eth0", "modem": False, "route4": True,
             "route6": False} for name, address in PLACES.items()])

    def begin(self):
        self.line(pathdog="recording", version=1, run="da1" * 10 + "da", started_us=START_US,
                  realtime_us=START_WALL_US, config=CONFIG)
        self.interfaces()
        self.event("node_up", node="alpha@10.0.0.1", implementation="day/1", boot="b1", features=["reconnect", "bind"],
                   prefer_reconnect=False, max_in_flight=0, uid=0)
        for i in range(self.peers):
            self.event("peer_up", peer=f"peer{i:03}@10.9.{i // 250}.{i % 250}", conn=i + 1, role="client",
                       local=f"10.0.1.2:{40000 + i}", remote=f"10.9.{i // 250}.{i % 250}:4433", migratable=True,
                       reconnectable=True, interface="eth0")
        self.event("snapshot")

    def row(self, i, slow, silent_us):
        if not silent_us:
            self.samples[i] += 1
            self.bytes[i] += 1000
        rtt = int(self.random.gauss(18_000 + 3_000 * (i % 7), 1_500)) + (slow and 290_000)
        return [i + 1, max(rtt, 1000), max(rtt, 1000), self.samples[i], 1200, self.bytes[i] + 5000, self.bytes[i],
                silent_us // 1000, silent_us // 1000, 1200 if silent_us else 0, self.bytes[i], 60_000]

    def play(self):
        self.begin()
        turn, hour = 0, 0
        while self.left > 0:
            in_hour = (self.now_us - START_US) % 3_600_000_000
            hour = (self.now_us - START_US) // 3_600_000_000
            begun = in_hour - 1_200_000_000
            slow, silent = 0 <= begun < 60_000_000 and hour % 3 == 1, 0 <= begun < 40_000_000 and hour % 3 == 2
            # the answers to whatever was asked: those that nobody waits for are ignored
            if (slow or silent) and turn % 97 == 0:
                for request in range(1 + 14 * max(hour - 6, 0), 14 * (hour + 1)):
                    self.event("answer", request=request, ok=request % 11 != 0, spoiled=False,
                               validated=request % 11 != 0, local=f"10.0.2.2:{41000 + request}", conn=0,
                               code=0 if request % 11 else -32007)
            bad = range(self.peers // 2)
            rows = [(turn * 4 + k) % self.peers for k in range(min(4, self.peers))]
            self.event("samples", columns=COLUMNS,
                       rows=[self.row(i, slow and i in bad, begun if silent and i in bad else 0) for i in rows])
            turn += 1


def main():
    path, events, peers = sys.argv[1], *([int(word) for word in sys.argv[2:]] + [1_000_000, 24])[:2]
    if len(sys.argv) == 3:
        peers = 24
    with open(path, "w") as file:
        Day(file, events, peers).play()


if __name__ == "__main__":
    main()
