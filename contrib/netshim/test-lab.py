#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""netshim and lab.sh for real: sockets in namespaces, and what arrives at their other side.

Needs root and network namespaces; skipped (77) without. $NETSHIM is the built program.
"""
import ctypes
import errno
import fcntl
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

from lab_case import LAB_SH, NETSHIM, PATIENCE_S, PREFIX, LabCase, has_ended, namespace, run, wait_for

UDP_SEGMENT = 103


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class WireTest(LabCase):
    def test_delay_each_way(self):
        near, far = self.pair()
        self.lab("delay", "up0", "a", "30ms")
        self.lab("delay", "up0", "b", "80ms")
        for sender, receiver, delay_s in ((near, far, 0.030), (far, near, 0.080)):
            took_s = [self.one_way_s(sender, receiver) for _ in range(10)]
            while len(took_s) < 200 and min(took_s) >= delay_s + 0.005:
                took_s.append(self.one_way_s(sender, receiver))  # not each of them is late
            self.assertGreaterEqual(min(took_s), delay_s)
            self.assertLess(min(took_s), delay_s + 0.005)

    def test_delay_is_of_one_uplink_only(self):
        near, far = self.pair(host="10.0.2.2")
        self.lab("default_route", "up1")
        self.lab("delay", "up0", "500ms")
        self.assertLess(min(self.one_way_s(near, far) for _ in range(10)), 0.4)

    def test_loss(self):
        near, far = self.pair()
        for loss_permille, sigmas in ((20, 5), (200, 5)):
            count = 5000
            self.lab("loss", "up0", "a", f"{loss_permille}permille")
            before = self.stats("up0")
            self.send_all(near, [struct.pack("!I", i) for i in range(count)], "up0", "a")
            lost = self.grown("up0", "a", before, "lost")
            arrived = len(self.drain(far, count - lost - 2))
            expected = count * loss_permille / 1000
            deviation = (expected * (1 - loss_permille / 1000)) ** 0.5
            self.assertLess(abs(lost - expected), sigmas * deviation)
            # An ARP frame may be among the lost; nothing else explains a difference.
            self.assertLessEqual(abs(count - arrived - lost), 2)
            self.assertEqual(self.grown("up0", "a", before, "kernel_drops"), 0)

    def test_blackhole(self):
        near, far = self.pair()
        self.lab("delay", "up0", "a", "30s")
        near.send(b"under way")
        self.lab("blackhole", "up0", "on")
        before = self.stats("up0")
        for _ in range(100):
            near.send(b"swallowed")
        wait_for("100 frames swallowed",
                 lambda: self.grown("up0", "a", before, "blackholed") >= 100)
        self.lab("delay", "up0", "0")
        self.lab("blackhole", "up0", "off")
        near.send(b"after")
        self.assertEqual(far.recv(64), b"after")
        self.assertEqual(self.drain(far), [])

    def test_blackhole_one_way(self):
        near, far = self.pair()
        self.lab("blackhole", "up0", "b", "on")
        before = self.stats("up0")
        near.send(b"there")
        self.assertEqual(far.recv(64), b"there")
        far.send(b"not back")
        wait_for("the answer swallowed",
                 lambda: self.grown("up0", "b", before, "blackholed") >= 1)
        self.assertEqual(self.drain(near), [])

    def test_jitter_and_order(self):
        near, far = self.pair()
        self.lab("jitter", "up0", "20ms")
        for reorder in (False, True):
            self.lab("shim", "up0", "reorder", "on" if reorder else "off")
            for i in range(500):
                near.send(struct.pack("!I", i))
            arrived = [struct.unpack("!I", far.recv(64))[0] for _ in range(500)]
            self.assertEqual(sorted(arrived), list(range(500)))
            self.assertEqual(arrived != list(range(500)), reorder)

    def test_rate(self):
        near, far = self.pair()
        self.lab("rate", "up0", "a", "10mbit")
        took_s = [self.two_hundred(near, far)]
        while len(took_s) < 20 and took_s[-1] >= 0.3:
            took_s.append(self.two_hundred(near, far))  # not each of them is late
        self.assertGreater(min(took_s), 0.199)
        self.assertLess(min(took_s), 0.3)

    @staticmethod
    def two_hundred(near, far):
        """How long so many frames take."""
        begin = time.monotonic()
        for _ in range(200):
            near.send(b"x" * 1208)  # with its headers 1250 bytes: 1 ms
        for _ in range(200):
            far.recv(2048)
        return time.monotonic() - begin

    def test_queue_overflow_is_counted(self):
        near, far = self.pair()
        self.lab("delay", "up0", "a", "15s")  # all are there before the first goes on
        near.send(b"x")
        wait_for("one is under way", lambda: self.stats("up0")["a"]["queued"])
        before = self.stats("up0")
        self.send_all(near, [b"x"] * 9000, "up0", "a")
        now = self.stats("up0")
        grown = {counter: now["a"][counter] - before["a"][counter] for counter in now["a"]}
        self.assertEqual(grown["overflowed"] + grown["queued"] + grown["sent"], grown["received"])
        self.assertGreater(grown["overflowed"], 0)
        self.assertLessEqual(now["a"]["queued"], 8192)
        self.assertGreaterEqual(now["a"]["queued"] + grown["sent"], 8192)
        wait_for("the queue sent", lambda: self.stats("up0")["a"]["queued"] == 0)
        self.assertGreaterEqual(len(self.drain(far, 8180)), 8180)

    def test_nothing_is_left_to_the_next_test(self):
        near, far = self.pair()
        self.lab("delay", "up0", "600s")
        near.send(b"left")
        wait_for("it is under way", lambda: self.stats("up0")["a"]["queued"])
        self.reset()
        self.exchange(near, far)

    def test_packets_of_full_size(self):
        for host, peer, bytes_max in (("10.0.1.2", "10.9.0.2", 1472),
                                      ("fd00:1::2", "fd00:9::2", 1452)):
            near, far = self.pair(host, peer)
            if ":" not in host:
                near.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: DO
            data = os.urandom(bytes_max)
            near.send(data)
            self.assertEqual(far.recv(65536), data)
            far.send(data)
            self.assertEqual(near.recv(65536), data)
            if ":" not in host:
                with self.assertRaises(OSError) as caught:
                    near.send(data + b"x")
                self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
            fragmented = os.urandom(9000)
            far.send(fragmented)
            self.assertEqual(near.recv(65536), fragmented)

    def test_all_peers_and_both_families(self):
        for i in (2, 9):
            self.pair("10.0.1.2", f"10.9.0.{i}")
            self.pair("fd00:1::2", f"fd00:9::{i}")

    def test_neighbour_discovery_crosses(self):
        near, far = self.pair("fd00:1::2", "fd00:9::2")
        for part in ("host", "net"):
            self.lab("exec", part, "ip", "neigh", "flush", "dev", "up0")
        self.exchange(near, far)
        router = self.lab("exec", "net", "cat", "/sys/class/net/up0/address").stdout.strip()
        neighbours = self.lab("exec", "host", "ip", "-6", "neigh", "show", "dev", "up0").stdout
        self.assertIn(router, neighbours)

    def test_vlan_tag_survives(self):
        # Written and read raw, since a kernel need not know VLANs; the tag is taken out of a
        # frame wherever one is received, so in the shim and once more here.
        taps = {}
        for part in ("host", "net"):
            with namespace(f"{PREFIX}-{part}"):
                taps[part] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sockets.append(taps[part])
            taps[part].bind(("up0", 3))
            taps[part].settimeout(PATIENCE_S)
            taps[part].setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
        for sender, receiver in (("host", "net"), ("net", "host")):
            payload = os.urandom(1496)
            addresses = b"\xff" * 6 + b"\x02\0\0\0\0\x01"
            taps[sender].send(addresses + struct.pack("!HHH", 0x8100, 0x2005, 0x88B5) + payload)
            data = b""
            while not data.endswith(payload):
                data, extra, _, _ = taps[receiver].recvmsg(2048, 256)
            self.assertEqual(data, addresses + b"\x88\xb5" + payload)
            status, _, _, _, _, tag, protocol = struct.unpack("IIIHHHH", extra[0][2])
            self.assertEqual((status & 0x50, tag, protocol), (0x50, 0x2005, 0x8100))

    def test_address_tells_the_uplink_back(self):
        near, far = self.pair(host="10.0.2.2")
        for rules, out in (("off", "up0"), ("on", "up1")):
            self.lab("source_rules", rules)
            self.exchange(near, far)  # neighbours are known
            before = {u: self.stats(u) for u in ("up0", "up1")}
            for _ in range(50):
                self.exchange(near, far)
            self.assertGreaterEqual(self.grown(out, "a", before[out], "sent"), 50)
            self.assertGreaterEqual(self.grown("up1", "b", before["up1"], "sent"), 50)
            self.assertLess(self.grown("up0", "b", before["up0"], "sent"), 10)
        self.lab("source_rules", "off")

    def test_default_route(self):
        for uplink, source in (("up1", "10.0.2.2"), ("up0", "10.0.1.2")):
            self.lab("default_route", uplink)
            route = self.lab("exec", "host", "ip", "route", "get", "10.9.0.2").stdout
            self.assertIn(f"dev {uplink} src {source}", route)
            self.assertIn(f"dev {uplink}",
                          self.lab("exec", "host", "ip", "route", "get", "fd00:9::2").stdout)
        self.lab("default_route", "none")
        self.assertEqual("", self.lab("exec", "host", "ip", "route", "show", "default").stdout)

    def test_control_refuses(self):
        for words in (["delay", "10"], ["dely", "1ms"], ["loss", "a", "2000"], ["x" * 300]):
            done = self.lab("shim", "up0", *words, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("netshim: ", done.stderr)
        shown = self.lab("shim", "up0", "show").stdout
        self.assertIn("delay_us=0 ", shown)


class FlapTest(LabCase):
    def said(self, text, since):
        with open(f"{self.directory}/up0.err") as file:
            return text in file.read()[since:]

    def said_so_far(self):
        return os.path.getsize(f"{self.directory}/up0.err")

    def test_host_end_down_and_up(self):
        near, far = self.pair()
        for _ in range(3):
            since = self.said_so_far()
            self.lab("link", "up0", "down")
            wait_for("said down", lambda: self.said("up0-h is up without carrier\n", since))
            self.lab("link", "up0", "up")
            self.lab("default_route", "up0")
            wait_for("said up", lambda: self.said("up0-h is up\n", since))
            self.exchange(near, far)
        self.pair("fd00:1::2", "fd00:9::2")

    def test_carrier(self):
        near, far = self.pair()
        since = self.said_so_far()
        self.lab("carrier", "up0", "off")
        wait_for("said down", lambda: self.said("up0-h is down\n", since))
        # The kernel gathers changes of carrier for up to a second before it tells of them.
        wait_for("no carrier at the host", lambda: "linkdown" in self.lab(
            "exec", "host", "ip", "route", "show", "default").stdout)
        self.lab("carrier", "up0", "on")
        wait_for("said up", lambda: self.said("up0-h is up\n", since))
        self.exchange(near, far)

    def test_fast_flaps(self):
        near, far = self.pair()
        for _ in range(20):
            self.lab("carrier", "up0", "off")
            self.lab("carrier", "up0", "on")
        # the shim may be about to open its end again: then nothing gets through yet
        wait_for("the way is open", lambda: near.send(b"open?") and self.drain(far))
        near.send(b"there")
        while far.recv(65536) == b"open?":
            pass
        far.send(b"back")
        self.assertEqual(near.recv(65536), b"back")

    def test_interface_deleted_and_made_again(self):
        since = self.said_so_far()
        host, wire = f"{PREFIX}-host", f"{PREFIX}-wire"
        run("ip", "-n", wire, "link", "del", "up0-h")
        wait_for("said missing", lambda: self.said("up0-h is missing\n", since))
        self.lab("shim", "up0", "stats")
        run("ip", "-n", wire, "link", "add", "name", "up0-h", "type", "veth", "peer", "name",
            "up0", "netns", host)
        run("ip", "-n", wire, "link", "set", "up0-h", "up")
        self.lab("link", "up0", "up")
        self.lab("default_route", "up0")
        wait_for("said up", lambda: self.said("up0-h is up\n", since))
        self.pair()


class BulkTest(LabCase):
    """The kernel's offloads: super-frames, and checksums that are made after the shim."""
    gso = "on"

    def offload(self, part, interface, on):
        """ethtool -K INTERFACE tx on|off"""
        value = ctypes.create_string_buffer(struct.pack("II", 0x17, on))
        with namespace(f"{PREFIX}-{part}"):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            fcntl.ioctl(sock, 0x8946, struct.pack("16sP8x", interface.encode(),
                                                  ctypes.addressof(value)))

    def errors(self):
        total = 0
        for part in ("host", "peer", "net"):
            lines = self.lab("exec", part, "cat", "/proc/net/snmp").stdout.splitlines()
            for names, values in zip(lines[::2], lines[1::2]):
                fields = dict(zip(names.split(), values.split()))
                total += int(fields.get("InCsumErrors", 0))
            six = self.lab("exec", part, "cat", "/proc/net/snmp6").stdout
            total += sum(int(n) for n in re.findall(r"InCsumErrors\s+(\d+)", six))
        return total

    def transfer(self, sender, receiver, megabytes):
        block = os.urandom(1 << 20)
        sent, received = hashlib.sha256(), hashlib.sha256()
        total = 0

        def send():
            for _ in range(megabytes):
                sent.update(block)
                sender.sendall(block)
            sender.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=send)
        begin = time.monotonic()
        thread.start()
        while data := receiver.recv(1 << 18):
            received.update(data)
            total += len(data)
        thread.join()
        self.assertEqual(total, megabytes << 20)
        self.assertEqual(sent.digest(), received.digest())
        return (megabytes << 20) * 8e-6 / (time.monotonic() - begin)

    def bulk(self, host, peer, megabytes=24):
        server = self.socket("peer", peer, socket.SOCK_STREAM)
        server.listen()
        near = self.socket("host", host, socket.SOCK_STREAM)
        near.connect(server.getsockname())
        far, _ = server.accept()
        self.sockets.append(far)
        far.settimeout(PATIENCE_S)
        before, errors = self.stats("up0"), self.errors()
        up = self.transfer(near, far, megabytes)
        sizes = self.grown("up0", "a", before, "received_bytes") / \
            self.grown("up0", "a", before, "received")
        down = self.transfer(far, near, megabytes)
        self.assertEqual(self.errors(), errors)
        self.assertEqual(self.grown("up0", "a", before, "unsent"), 0)
        self.assertEqual(self.grown("up0", "a", before, "unreadable"), 0)
        print(f"\nTCP {host}: {up:.0f} Mbit/s up, {down:.0f} down, {sizes:.0f} bytes a frame up",
              file=sys.stderr)
        return sizes

    def test_tcp_super_frames(self):
        for host, peer in (("10.0.1.2", "10.9.0.2"), ("fd00:1::2", "fd00:9::2")):
            self.assertGreater(self.bulk(host, peer), 3000)

    def test_tcp_checksums_made_behind_the_shim(self):
        # The router must make the checksums itself from what the shim handed on, and the
        # peer must check them; a wrong start or offset ends here.
        self.offload("net", "peers", 0)
        self.addCleanup(self.offload, "net", "peers", 1)
        for host, peer in (("10.0.1.2", "10.9.0.2"), ("fd00:1::2", "fd00:9::2")):
            self.assertGreater(self.bulk(host, peer), 3000)

    def test_tcp_with_delay_and_loss(self):
        self.lab("delay", "up0", "2ms")
        self.lab("loss", "up0", "5permille")
        self.bulk("10.0.1.2", "10.9.0.2", megabytes=2)

    def test_udp_checksum_bytes(self):
        self.offload("net", "peers", 0)
        self.addCleanup(self.offload, "net", "peers", 1)
        with namespace(f"{PREFIX}-peer"):
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.ntohs(3))
        self.sockets.append(tap)
        tap.settimeout(PATIENCE_S)
        for host, peer in (("10.0.1.2", "10.9.0.2"), ("fd00:1::2", "fd00:9::2")):
            near, far = self.pair(host, peer)
            payload = os.urandom(1001)
            near.send(payload)
            self.assertEqual(far.recv(2048), payload)
            packet = b""
            while not packet.endswith(payload):
                packet = tap.recv(65536)
            header = 40 if ":" in host else 20
            addresses = packet[8:40] if ":" in host else packet[12:20]
            udp = packet[header:]
            pseudo = addresses + struct.pack("!HH", 17, len(udp))
            self.assertNotEqual(udp[6:8], b"\0\0")
            self.assertEqual(checksum(pseudo + udp), 0xFFFF)

    def test_udp_segments(self):
        for host, peer in (("10.0.1.2", "10.9.0.2"), ("fd00:1::2", "fd00:9::2")):
            near, far = self.pair(host, peer)
            data = os.urandom(12 * 1200 + 7)
            before = self.stats("up0")
            near.sendmsg([data], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", 1200))])
            parts = [far.recv(65536) for _ in range(13)]
            self.assertEqual(b"".join(parts), data)
            self.assertEqual({len(p) for p in parts}, {1200, 7})
            frames = self.grown("up0", "a", before, "received")
            self.assertEqual(frames > 12, self.gso == "off")


class PlainFrameTest(BulkTest):
    """The same with frames of wire size, as a lab has by default."""
    gso = "off"

    def test_tcp_super_frames(self):
        self.assertLess(self.bulk("10.0.1.2", "10.9.0.2"), 1515)

    test_tcp_checksums_made_behind_the_shim = None


class ProgramTest(unittest.TestCase):
    """The program alone, between two veths of a namespace of its own."""

    def setUp(self):
        self.name = f"{PREFIX}-own"
        run("ip", "netns", "add", self.name)
        self.addCleanup(run, "ip", "netns", "del", self.name)
        for end in ("a", "b"):
            run("ip", "-n", self.name, "link", "add", "name", f"{end}0", "type", "veth", "peer",
                "name", f"{end}1")

    def shim(self, *words):
        return ["ip", "netns", "exec", self.name, NETSHIM, *words]

    def test_ready_then_counters_and_a_clean_end(self):
        path = f"/tmp/{self.name}.ctl"
        for how in (signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen(self.shim("--seed", "42", "--delay", "a:10ms", "--loss",
                                                 "20permille", "--control", path, "a0", "b0"),
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(process.stdout.readline(), "seed 42\n")
            self.assertEqual(process.stdout.readline(), "ready\n")
            shown = run(NETSHIM, "ctl", path, "show").stdout
            self.assertIn("a: delay_us=10000 jitter_us=0 loss_ppm=20000", shown)
            self.assertIn("b: delay_us=0 jitter_us=0 loss_ppm=20000", shown)
            second = run(*self.shim("--control", path, "a0", "b0"), check=False)
            self.assertEqual(second.returncode, 1)
            self.assertIn(path, second.stderr)
            process.send_signal(how)
            out, err = process.communicate(timeout=PATIENCE_S)
            self.assertEqual(process.returncode, 0)
            self.assertIn("a: a0->b0 received=", out)
            self.assertIn("a0 is down", err)
            self.assertFalse(os.path.exists(path))

    def test_control_socket_left_behind_is_taken_over(self):
        path = f"/tmp/{self.name}.ctl"
        for how, status in ((signal.SIGKILL, -9), (signal.SIGTERM, 0)):
            process = subprocess.Popen(self.shim("--control", path, "a0", "b0"), text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.readline()
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(how)
            process.communicate(timeout=PATIENCE_S)
            self.assertEqual(process.returncode, status)

    def test_wrong_arguments(self):
        for words, status, told in (
                (["a0"], 2, "two interfaces"),
                (["a0", "a0"], 2, "must differ"),
                (["a0", "nowhere"], 1, "nowhere"),
                (["a0", "a-name-that-is-too-long"], 2, "a-name-that-is-too-long"),
                (["--delay", "10", "a0", "b0"], 2, "--delay: '10'"),
                (["--loss", "2000", "a0", "b0"], 2, "--loss: '2000'"),
                (["--seed", "x", "a0", "b0"], 2, "--seed: 'x'"),
                (["--queue", "0", "a0", "b0"], 2, "--queue: '0'"),
                (["--control", "/nowhere/ctl", "a0", "b0"], 1, "/nowhere/ctl"),
                (["--unknown", "a0", "b0"], 2, "--unknown"),
                (["ctl", "/nowhere/ctl", "stats"], 1, "/nowhere/ctl"),
                (["ctl", "/nowhere/ctl"], 2, "ctl PATH COMMAND")):
            done = run(*self.shim(*words), check=False)
            self.assertEqual((done.returncode, told in done.stderr), (status, True),
                             f"{words}: {done.returncode}: {done.stderr}")
        self.assertIn("--blackhole", run(NETSHIM, "--help").stdout)


class LabLifeTest(unittest.TestCase):
    def test_destroy_leaves_nothing(self):
        directory = run(LAB_SH, "create", f"{PREFIX}-x").stdout.strip()
        self.addCleanup(run, LAB_SH, directory, "destroy")
        with open(f"{directory}/processes") as file:
            pids = [int(line.split()[0]) for line in file]
        self.assertEqual(len(pids), 2)
        again = run(LAB_SH, "create", f"{PREFIX}-x", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("exists already", again.stderr)
        run(LAB_SH, directory, "destroy")
        run(LAB_SH, directory, "destroy")
        self.assertFalse(os.path.exists(directory))
        for pid in pids:
            self.assertTrue(has_ended(pid))
        self.assertNotIn(f"{PREFIX}-x", run("ip", "netns").stdout)

    def test_spawned_processes_end_and_others_do_not(self):
        script = f'. "{LAB_SH}"; lab_create {PREFIX}-s || exit 1; lab_spawn host sleep 600;' \
                 'a=$LAB_SPAWNED; lab_spawn peer true; sleep 600 & other=$!; lab_destroy;' \
                 'kill -0 $other && kill $other && echo "$a"'
        done = run("bash", "-c", script)
        self.assertTrue(has_ended(int(done.stdout)))
        self.assertNotIn(f"{PREFIX}-s", run("ip", "netns").stdout)

    def test_creation_that_fails_cleans_up(self):
        environment = dict(os.environ, LAB_SHIM_OPTIONS="--delay nonsense")
        done = run(LAB_SH, "create", f"{PREFIX}-y", check=False, env=environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nonsense", done.stderr)
        self.assertNotIn(f"{PREFIX}-y", run("ip", "netns").stdout)

    def test_interrupt_with_a_trap(self):
        script = f'. "{LAB_SH}"; trap "lab_destroy; exit 3" INT; lab_create {PREFIX}-z || exit 1;' \
                 'echo "$LAB_DIR"; while :; do sleep 0.05; done'
        process = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True,
                                   start_new_session=True)
        directory = process.stdout.readline().strip()
        self.assertTrue(os.path.isdir(directory))
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: the whole group
        process.communicate(timeout=PATIENCE_S)
        self.assertEqual(process.returncode, 3)
        self.assertFalse(os.path.exists(directory))
        self.assertNotIn(f"{PREFIX}-z", run("ip", "netns").stdout)


def can_run():
    if os.geteuid() != 0:
        return False
    made = subprocess.run(["ip", "netns", "add", f"{PREFIX}-probe"], stderr=subprocess.DEVNULL)
    if made.returncode == 0:
        subprocess.run(["ip", "netns", "del", f"{PREFIX}-probe"], check=True)
    return made.returncode == 0


if __name__ == "__main__":
    if not can_run():
        print("skipped: needs root and network namespaces")
        sys.exit(77)
    unittest.main(verbosity=2)
