#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What gateways do today: ping a host over each uplink, and flip the default route when that fails.

failover.py [OPTIONS] HOST IFACE=GATEWAY ...      (the first uplink that is up gets the default route)

It stands for mwan3, pfSense's gateway groups and the scripts that people write. The defaults are those of mwan3's
tracker: a ping each 10 s, 4 s for its answer, 5 lost in a row are down, 5 answered are up, connection tracking is
not flushed. In mwan3 a connection that was marked stays on its uplink while that is up; here all of them follow the
default route, as masquerade has it. Needs root. Says "ready" when all uplinks have been pinged once.
"""
import argparse
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

METRIC = 10  # before the routes of whoever configures the uplinks


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class Uplink:
    def __init__(self, interface, gateway):
        self.interface, self.gateway = interface, gateway
        self.up, self.row, self.sequence = True, 0, 0

    def ping(self, host, timeout_s):
        """Was it answered?"""
        self.sequence = self.sequence % 0xffff + 1
        body = struct.pack("!HH", os.getpid() & 0xffff, self.sequence) + bytes(56)
        packet = struct.pack("!BBH", 8, 0, checksum(b"\x08\x00" + body)) + body
        end = time.monotonic() + timeout_s
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.interface.encode())
            try:
                sock.sendto(packet, (host, 0))
                while (left_s := end - time.monotonic()) > 0:
                    sock.settimeout(left_s)
                    got = sock.recv(2048)
                    answer = got[(got[0] & 15) * 4:]
                    if answer[0] == 0 and answer[4:8] == body[:4]:
                        return True
            except OSError:
                pass
        time.sleep(max(end - time.monotonic(), 0))
        return False

    def count(self, answered, down, up):
        """Has its state changed?"""
        self.row = self.row + 1 if answered != self.up else 0
        if self.row < (down if self.up else up):
            return False
        self.up, self.row = not self.up, 0
        return True


class Failover:
    def __init__(self, options):
        self.options, self.chosen, self.begun = options, None, time.monotonic()
        self.uplinks = [Uplink(*word.split("=", 1)) for word in options.uplinks]
        self.lock = threading.Lock()

    def say(self, text):
        print(f"{time.monotonic() - self.begun:8.3f} {text}", flush=True)

    def track(self, uplink, asked):
        options = self.options
        while True:
            begin = time.monotonic()
            answered = uplink.ping(options.host, options.timeout)
            with self.lock:
                if uplink.count(answered, options.down, options.up):
                    self.say(f"{uplink.interface} is {'up' if uplink.up else 'down'}")
                    self.choose()
            asked.set()
            # as there: the time for the answer comes before the pause
            time.sleep(options.interval if not options.no_drift else
                       max(begin + options.interval - time.monotonic(), 0))

    def choose(self):
        best = next((uplink for uplink in self.uplinks if uplink.up), self.uplinks[0])
        if best is self.chosen:
            return
        self.chosen = best
        self.say(f"the default route is over {best.interface}")
        subprocess.run(["ip", "route", "replace", "default", "via", best.gateway, "dev", best.interface,
                        "metric", str(METRIC)], check=True)
        if self.options.flush:
            subprocess.run(["conntrack", "-F"], check=True, capture_output=True)

    def run(self):
        with self.lock:
            self.choose()
        events = []
        for uplink in self.uplinks:
            events.append(threading.Event())
            threading.Thread(target=self.track, args=(uplink, events[-1]), daemon=True).start()
        for event in events:
            event.wait()
        print("ready", flush=True)
        signal.pause()

    def undo(self):
        subprocess.run(["ip", "route", "del", "default", "metric", str(METRIC)], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interval", type=float, default=10, help="seconds from one ping to the next")
    parser.add_argument("--timeout", type=float, default=4, help="seconds for an answer")
    parser.add_argument("--down", type=int, default=5, help="so many lost in a row: the uplink is down")
    parser.add_argument("--up", type=int, default=5, help="so many answered in a row: it is up")
    parser.add_argument("--flush", action="store_true", help="flush connection tracking when the route flips")
    parser.add_argument("--no-drift", action="store_true", help="the interval is from the start of a ping")
    parser.add_argument("host")
    parser.add_argument("uplinks", nargs="+", metavar="IFACE=GATEWAY")
    failover = Failover(parser.parse_args())

    def ended(number, _):
        raise KeyboardInterrupt(number)
    signal.signal(signal.SIGTERM, ended)
    try:
        failover.run()
    except KeyboardInterrupt:
        failover.undo()
    return 0


if __name__ == "__main__":
    sys.exit(main())
