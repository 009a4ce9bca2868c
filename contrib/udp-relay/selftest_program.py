# SPDX-License-Identifier: Apache-2.0
"""The process: its end, its sockets, its memory."""
import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import termios
import time
import unittest

import relay_case
from relay_case import Client, Relay, RelayCase, in_background

F_SETPIPE_SZ = 1031


def instrumented():
    with open(relay_case.PROGRAM, "rb") as file:
        return b"__asan_init" in file.read()


class Program(RelayCase):
    def flood(self, relay, addresses=("127.0.0.1", "127.0.0.2", "127.0.0.3")):
        """Of anything, with much that looks like something."""
        dice = random.Random(11)
        clients = [self.client(relay, one) for one in addresses for _ in range(4)]
        kinds = [lambda: dice.randbytes(dice.randrange(1500)), lambda: b"",
                 lambda: b"REG:" + dice.randbytes(dice.randrange(150)),
                 lambda: b"REG:%d" % dice.randrange(1 << 30), lambda: b"REG:room" + relay_case.PAD,
                 lambda: b"LEASE:" + dice.randbytes(70)]
        ready = [dice.choice(kinds)() for _ in range(2000)]

        def work(stop):
            while not stop.is_set():
                for one in random.sample(ready, 200):
                    try:
                        random.choice(clients).send(one)
                    except OSError:
                        pass

        return work

    def test_sigterm_ends_with_0_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            relay = self.relay()
            self.pair(relay)
            relay.process.send_signal(number)
            self.assertEqual(relay.process.wait(relay_case.PATIENCE), 0)

    def test_sigterm_in_a_flood(self):
        relay = self.relay()
        with in_background(self.flood(relay)):
            self.pair(relay, "ours", "127.0.0.9", "127.0.0.8")
            self.assertEqual(relay.stop(), 0)

    def test_flood_of_strangers_stops_nobody_and_takes_no_memory(self):
        relay = self.relay()
        a, b = self.pair(relay, "ours", "127.0.0.9", "127.0.0.8")
        self.passes(a, b)
        with in_background(self.flood(relay)):
            time.sleep(0.5) # the tables that it may fill are full
            before = relay.memory_kb()
            passed, began = 0, time.monotonic()
            while passed < 20 or time.monotonic() < began + 2:
                self.assertLess(time.monotonic(), began + 2 * relay_case.PATIENCE, passed)
                a.send(b"through all that %d" % passed)
                passed += b.receive(1) is not None
        if not instrumented():
            self.assertLess(relay.memory_kb() - before, 8192)
        self.drained(a, "ours")
        while b.receive(0) is not None: # what came late
            pass
        self.passes(a, b)
        self.assertEqual(relay.stop(), 0)

    def test_nobody_reads_what_it_says(self):
        relay = Relay("--port", "0", "--session-timeout-secs", "1", read=False)
        self.addCleanup(relay.close)
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(relay.process.stderr.fileno(), 1)
        relay.port = int(line.split(b"]:")[1].split(b",")[0])
        stderr, waiting = relay.process.stderr.fileno(), bytearray(4)
        fcntl.fcntl(stderr, F_SETPIPE_SZ, 4096) # one line, and it is full
        client, until = self.client(relay), time.monotonic() + relay_case.PATIENCE
        while not any(waiting):
            self.assertLess(time.monotonic(), until)
            client.ask(b"REG:session %d" % random.randrange(1 << 30), 0.05)
            fcntl.ioctl(stderr, termios.FIONREAD, waiting)
        for i in range(10): # and more to say
            client.send(b"REG:session %d" % i)
        a, b = self.pair(relay, "x", "127.0.0.2", "127.0.0.3")
        self.passes(a, b)
        self.assertEqual(relay.stop(), 0)

    def test_a_second_one_at_the_same_port_says_so(self):
        relay = self.relay()
        other = Relay("--port", str(relay.port))
        self.addCleanup(other.close)
        other.line(r"cannot bind to \[::\]:%d: Address already in use" % relay.port)
        self.assertEqual(other.process.wait(relay_case.PATIENCE), 1)
        self.passes(*self.pair(relay))

    def test_an_address_that_is_not_here(self):
        other = Relay("--port", "0", "--bind", "192.0.2.1")
        self.addCleanup(other.close)
        other.line(r"cannot bind to 192\.0\.2\.1:0: Cannot assign requested address")
        self.assertEqual(other.process.wait(relay_case.PATIENCE), 1)

    @unittest.skipUnless(os.geteuid() == 0, "needs a raw socket")
    def test_spoofed_members(self):
        """Somebody writes other addresses as his own, the relay's too."""
        relay = self.relay()
        a, b = self.pair(relay, "ours", "127.0.0.9", "127.0.0.8")
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
            raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)

            def say(one, port, other, data):
                udp = struct.pack("!HHHH", port, relay.port, 8 + len(data), 0) + data
                raw.sendto(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                                       socket.inet_aton(one), socket.inet_aton(other)) + udp, (other, 0))

            # two addresses of the relay as the members of a session: what is between them goes round
            say("127.0.0.2", relay.port, "127.0.0.1", b"REG:loop")
            say("127.0.0.1", relay.port, "127.0.0.2", b"REG:loop")
            say("127.0.0.2", relay.port, "127.0.0.1", b"round and round")
            say("127.0.0.1", relay.port, "127.0.0.1", b"REG:self")
            # one of them, and an answer that would be answered
            say("127.0.0.3", relay.port, "127.0.0.1", b"no member at all")
            # a member's address with another port, and a port with another address
            say("127.0.0.9", 9, "127.0.0.1", b"in the name of a member")
            say("127.0.0.7", a.socket.getsockname()[1], "127.0.0.1", b"in the name of a member")
            for i in range(1000): # many who never come back
                say("127.9.%d.%d" % (i >> 8, i & 255), 1 + i, "127.0.0.1", b"REG:%d" % i)
        self.drained(a, "ours")
        self.drained(b, "ours")
        self.passes(a, b)
        self.passes(b, a)
        opened = [line for line in relay.lines if "opened" in line]
        while not relay.queue.empty():
            opened += [line for line in [relay.queue.get()] if line and "opened" in line]
        self.assertNotIn("loop", " ".join(opened))
        with open("/proc/%d/stat" % relay.process.pid) as file:
            before = sum(map(int, file.read().split()[13:15]))
        time.sleep(0.5)
        with open("/proc/%d/stat" % relay.process.pid) as file:
            self.assertLess(sum(map(int, file.read().split()[13:15])) - before, 25) # of 50 or 100

    def activated(self, sockets, *args):
        """As systemd starts it: descriptors from 3 on, and their number in the environment."""
        def set_up():
            for i, one in enumerate(sockets):
                os.dup2(one.fileno(), 20 + i)
            for i in range(len(sockets)):
                os.dup2(20 + i, 3 + i)
            os.environ["LISTEN_PID"] = str(os.getpid())

        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            os.dup2(write_end, 2)
            set_up()
            os.environ["LISTEN_FDS"] = str(len(sockets))
            os.execv(relay_case.PROGRAM, [relay_case.PROGRAM, "--control", "none", "--log", "text", *args])
        os.close(write_end)
        return pid, os.fdopen(read_end)

    def test_socket_activation(self):
        sockets = []
        for _ in range(2): # ReusePort=yes
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.setblocking(False)
            one.bind(("127.0.0.1", sockets[0].getsockname()[1] if sockets else 0))
            sockets.append(one)
        port = sockets[0].getsockname()[1]
        early = Client(port, "127.0.0.2")
        self.addCleanup(early.close)
        early.send(b"REG:x" + relay_case.PAD) # before there is a relay
        pid, said = self.activated(sockets)
        try:
            self.assertRegex(said.readline(), r"relays at 127\.0\.0\.1:%d, 2 sockets" % port)
            self.assertEqual(early.receive(), b"ACK\n")
            late = Client(port)
            self.addCleanup(late.close)
            self.assertEqual(late.register("x"), b"ACK\n")
            self.passes(early, late)
        finally:
            os.kill(pid, signal.SIGTERM)
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
            said.close()
            for one in sockets:
                one.close()

    def test_socket_activation_with_a_wrong_socket(self):
        wrong = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(wrong.close)
        pid, said = self.activated([wrong])
        with said:
            self.assertIn("descriptor 3, handed over by systemd, is no UDP socket", said.read())
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 2)

    def test_bad_settings_are_named(self):
        for args in (["--port", "70000"], ["--max-data", "1X"], ["--rebind", "maybe"], ["--nonsense"]):
            done = subprocess.run([relay_case.PROGRAM, *args], capture_output=True, text=True,
                                  timeout=relay_case.PATIENCE)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(args[0].lstrip("-"), done.stderr)
