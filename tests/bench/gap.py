# SPDX-License-Identifier: Apache-2.0
"""The gap in a real QUIC stream after the way out changed: two quic-nodes in a netshim lab, one of
them with two uplinks and pathdog beside it. The old uplink is dead from the moment of the change,
as it is in a real failover; what is measured is the longest time in which no bytes arrived.
Direct: the change and migrate_peer come from one hand, without anybody watching for it.
"""

import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

RATE = 500000  # bytes per second each way: a message every 2 ms
FAR = "10.9.0.2:9100"
CLONE_NEWNET = 0x40000000
UPLINKS = {"up0": "10.0.1.1", "up1": "10.0.2.1"}


class Failed(Exception):
    pass


class Rtnl:
    """Route and link changes in a namespace, by netlink: a process per change takes too long."""

    RTM_NEWLINK, RTM_NEWROUTE = 16, 24
    REQUEST, REPLACE, CREATE = 1, 0x100, 0x400

    def __init__(self, namespace):
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net") as own, open(f"/run/netns/{namespace}") as other:
            if libc.setns(other.fileno(), CLONE_NEWNET):
                raise Failed(f"setns {namespace}: {os.strerror(ctypes.get_errno())}")
            try:
                self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
                self.index = {name: socket.if_nametoindex(name) for name in UPLINKS}
            finally:
                libc.setns(own.fileno(), CLONE_NEWNET)
        self.socket.bind((0, 0))

    def _send(self, kind, flags, body):
        self.socket.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body)

    def default(self, uplink):
        attributes = struct.pack("=HH4s", 8, 5, socket.inet_aton(UPLINKS[uplink]))
        attributes += struct.pack("=HHI", 8, 4, self.index[uplink])
        # AF_INET, main table, boot, universe, unicast
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 3, 0, 1, 0) + attributes
        self._send(self.RTM_NEWROUTE, self.REQUEST | self.CREATE | self.REPLACE, body)

    def down(self, uplink):
        self._send(self.RTM_NEWLINK, self.REQUEST,
                   struct.pack("=BBHiII", 0, 0, 0, self.index[uplink], 0, 1))

    def close(self):
        self.socket.close()


class Lab:
    def __init__(self, script, netshim):
        self.script = script
        self.env = dict(os.environ, NETSHIM=netshim, LAB_PEERS="1")
        self.prefix = f"be-{os.getpid()}"
        self.directory = None

    def __enter__(self):
        self.directory = self._call("create", self.prefix).strip()
        self.rtnl = Rtnl(f"{self.prefix}-host")
        return self

    def __exit__(self, *_):
        if self.directory:
            self.rtnl.close()
            self("destroy")

    def _call(self, *args):
        # Its shims stay: they must not hold our pipes, nor get the terminal's Ctrl-C before us.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            status = subprocess.call(["bash", self.script, *args], env=self.env, stdout=out,
                                     stderr=err, stdin=subprocess.DEVNULL, start_new_session=True)
            out.seek(0)
            err.seek(0)
            if status:
                raise Failed(f"lab {' '.join(args)}: {err.read().strip()}")
            return out.read()

    def __call__(self, *args):
        return self._call(self.directory, *args)

    def prefix_of(self, part):
        return ["ip", "netns", "exec", f"{self.prefix}-{part}"]

    def shim(self, uplink, command):
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(os.path.join(self.directory, f"{uplink}.ctl"))
            control.sendall(command.encode() + b"\n")
            answer = control.recv(4096)
        if not answer.startswith(b"ok"):
            raise Failed(f"netshim {command}: {answer.decode()}")


class Process:
    """A child whose standard output is read line by line."""

    def __init__(self, argv, name):
        self.name = name
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors, start_new_session=True)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = b""

    def wait_line(self, accept, seconds, what):
        """The first line from now on that is accepted."""
        deadline = time.monotonic() + seconds
        while True:
            while b"\n" in self.text:
                line, self.text = self.text.split(b"\n", 1)
                if accept(line.decode(errors="replace")):
                    return
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failed(f"{self.name}: not within {seconds} s: {what}")
            if not select.select([self.process.stdout], [], [], left)[0]:
                continue
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                self.errors.seek(0)
                raise Failed(f"{self.name} ended: {self.errors.read().decode(errors='replace')}")
            self.text += more

    def discard(self):
        try:
            while os.read(self.process.stdout.fileno(), 65536):
                pass
        except BlockingIOError:
            pass

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class DirectCaller:
    """Asks the node itself, in the moment of the change: nothing can be sooner."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self._send({"id": 1, "method": "hello", "params": {"protocol": [1], "client": "bench"}})
        self._send({"id": 2, "method": "subscribe"})
        self.conn = None
        while True:
            message = json.loads(self.file.readline())
            if message.get("method") == "peer_up":
                self.conn = message["params"]["conn"]
            if message.get("id") == 2:
                break
        if not self.conn:
            raise Failed("the node has told no peer")

    def _send(self, message):
        self.socket.sendall(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def migrate(self):
        self._send({"id": 3, "method": "migrate_peer",
                    "params": {"conn": self.conn, "timeout_ms": 5000, "reason": "bench"}})

    def stop(self):
        self.file.close()
        self.socket.close()


class Trial:
    def __init__(self, lab, tools, directory):
        self.lab, self.tools, self.directory = lab, tools, directory
        self.running = []

    def _start(self, part, argv, name):
        process = Process(self.lab.prefix_of(part) + argv, name)
        self.running.append(process)
        return process

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _watchdog(self):
        config = self._path("pathdog.conf")
        os.makedirs(self._path("state"), exist_ok=True)
        with open(config, "w") as file:
            file.write(f"[watchdog]\nnode = {self._path('node')}\ncontrol = {self._path('ctl')}\n"
                       f"state_directory = {self._path('state')}\n"
                       f"plugin_directory = {self.tools['plugins']}\n[trigger:route]\n")
        process = self._start("host", [self.tools["pathdog"], "--config", config, "--log", "json"],
                              "pathdog")
        process.wait_line(lambda line: '"record":"peer"' in line and '"state":"up"' in line, 5,
                          "the peer is known")
        return process

    def _change(self, how, caller):
        rtnl = self.lab.rtnl
        if how == "flip":
            self.lab.shim("up0", "blackhole on")
        else:
            rtnl.down("up0")
        rtnl.default("up1")
        if caller:
            caller.migrate()

    def run(self, who, how, after_s):
        node, caller = self.tools["quic-node"], None
        try:
            far = self._start("peer", [node, "--name", "far", "--listen", FAR, "--rate", str(RATE),
                                       "--stats", self._path("far.json")], "far")
            far.wait_line(lambda line: line.startswith("ready"), 5, "ready")
            near = self._start("host", [node, "--name", "near", "--dial", f"far={FAR}", "--rate",
                                        str(RATE), "--socket", self._path("node"), "--stats",
                                        self._path("near.json")], "near")
            near.wait_line(lambda line: line.startswith("up "), 10, "up")
            if who == "pathdog":
                self._watchdog()
            elif who == "direct":
                caller = DirectCaller(self._path("node"))
                self.running.append(caller)
            time.sleep(0.5)  # traffic, and a few RTT samples
            self._change(how, caller)
            time.sleep(after_s)
            near.discard()
        finally:
            for process in reversed(self.running):
                process.stop()
            self.running = []
        return [self._gap(name) for name in ("far", "near")]

    def _gap(self, name):
        """The longest gap in milliseconds. Should it be another one than that of the change, that
        one was shorter: so it is never too good."""
        with open(self._path(f"{name}.json")) as file:
            peer = json.load(file)["peers"][0]
        if peer["bytes_corrupt"] or peer["bytes_lost"]:
            raise Failed(f"{name}: {peer['bytes_corrupt']} bytes corrupt, {peer['bytes_lost']} lost")
        return peer["longest_gap_ms"]


def measure(tools, rtts_ms, trials, say):
    """Yields one dict for each trial."""
    plan = [("direct", trials), ("pathdog", trials), ("nothing", 1)]
    with Lab(tools["lab"], tools["netshim"]) as lab, tempfile.TemporaryDirectory() as directory:
        for rtt_ms in rtts_ms:
            for uplink in UPLINKS:
                lab.shim(uplink, f"delay {rtt_ms * 500}us")
            for how in ("flip", "link-down"):
                for number in range(trials):
                    for who, count in plan:
                        if number >= count:
                            continue
                        lab("link", "up0", "up")
                        lab.shim("up0", "blackhole off")
                        lab.rtnl.default("up0")
                        after_s = 2.5 if who == "nothing" else 0.6 + rtt_ms * 6 / 1000
                        trial = Trial(lab, tools, directory)
                        try:
                            far_ms, near_ms = trial.run(who, how, after_s)
                        except Failed as error:
                            say(f"gap: {who}, {how}, RTT {rtt_ms} ms: {error}")
                            yield {"bench": "gap", "who": who, "how": how, "rtt_ms": rtt_ms,
                                   "failed": str(error)}
                            continue
                        yield {"bench": "gap", "who": who, "how": how, "rtt_ms": rtt_ms,
                               "far_ms": far_ms, "near_ms": near_ms}
