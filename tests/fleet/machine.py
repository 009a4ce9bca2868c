# SPDX-License-Identifier: Apache-2.0
"""A machine of the fleet: its node, its pathdog, and its journal on the way to the collector, as docs/fleet.md
says. Runs inside; stays until the collector has seen enough."""

import json
import os
import subprocess
import sys
import time

from machine_tools import sh, wait, write

NAME = sys.argv[1]
CONFIG = """\
[watchdog]
node = /run/quic-node/node.sock

[uplink:telekom]
interface = telekom

[uplink:lte]
interface = lte
class = spare

[trigger:route]
[trigger:stall]
"""
NODE = """\
[Service]
ExecStart=/test/quic-node --name {name} --listen 0.0.0.0:4433 --dial hub=10.9.0.2:4433 --socket /run/quic-node/node.sock --rate 20000
RuntimeDirectory=quic-node
Group=pathdog
UMask=0007
"""


def is_measured():
    """The connection to the hub is up, over telekom, and its RTT is known."""
    run = subprocess.run(["pathdogctl", "--json", "peers"], capture_output=True, text=True)
    return run.returncode == 0 and any(
        peer["uplink"] == "telekom" and peer["srtt_us"] is not None
        for peer in map(json.loads, run.stdout.splitlines()))


sh("cp", "-a", "/test/installed/.", "/")
sh("systemd-sysusers")
write("/etc/pathdog/pathdog.conf", CONFIG)
write("/etc/systemd/system/quic-node.service", NODE.format(name=NAME))
write("/etc/systemd/journal-upload.conf.d/collector.conf", "[Upload]\nURL=http://10.0.9.1:19532\n")
sh("systemctl", "daemon-reload")
sh("systemctl", "start", "quic-node", "pathdog", "systemd-journal-upload")
wait(is_measured, "the connection is measured")
write(f"/test/{NAME}.ready", "")
while not os.path.exists("/test/seen"):
    time.sleep(0.2)
