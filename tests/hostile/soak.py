# SPDX-License-Identifier: Apache-2.0
"""The soak: a random mixture of all attacks against a daemon with sanitizers and an optimised one at
the same time, for minutes or hours. A daemon lives for about a minute; then SIGTERM must end it
within two seconds, its records keep their promises, and a replay write the same bytes. Meanwhile:
descriptors, memory, and how late the loop is. Prints what it did, and what did not hold."""

import contextlib
import os
import random
import shutil
import tempfile
import threading
import time
import traceback

import attacks
import measure
from control_case import Client
from faults import Faults
from hostile_case import STOP_S, sanitized
from node import PATIENCE, ScriptedNode
from watchdog import Watchdog

LIFE_S = (45, 75)
PEERS = 30
LATE_MS = 20
GROWTH_KIB = 64 * 1024  # beyond what the peers need
BUILD = threading.Lock()
SANITIZED = 4  # so much more of time and memory a build with sanitizers may take


@contextlib.contextmanager
def build_of(build, plugins):
    """The environment of one daemon's build: it is the process's, so one at a time."""
    with BUILD:
        os.environ.update(PATHDOG_BUILD=build, PATHDOG_PLUGINS=plugins)
        yield


class Target:
    """A daemon and its node."""

    def __init__(self, name, build, plugins, say):
        self.name, self.build, self.plugins, self.say_out = name, build, plugins, say
        self.bad = []
        self.cv = threading.Condition()
        self.restarts = threading.Lock()
        self.lives = 0

    def complain(self, text):
        self.bad.append(f"{self.name}, life {self.lives}: {text}")
        self.say_out(f"not ok - {self.bad[-1]}")

    # -- a life ---------------------------------------------------------------------------

    def start(self):
        self.lives += 1
        self.directory = tempfile.mkdtemp(prefix="soak-")
        os.chmod(self.directory, 0o755)
        self.node = ScriptedNode(os.path.join(self.directory, "node"), self.cv,
                                 features=["reconnect"])
        for conn in range(1, PEERS + 1):
            self.node.add(f"p{conn}@h", conn, local=f"127.0.0.1:{9000 + conn}")
        self.node.start()
        with build_of(self.build, self.plugins):
            self.factor = SANITIZED if sanitized() else 1
            self.faults = Faults(self.directory)
            self.dog = Watchdog(self.directory, self.node, self.cv, {"migrate_timeout": "1s"},
                                {"tunnel": {}, "srtt": {}, "stall": {}, "route": {}},
                                env=self.faults.environment)
            self.dog.start()
        self.pid, self.control, self.metrics = self.dog.process.pid, self.dog.control, self.dog.metrics
        self.conn = 10**6
        self.node.wait_subscribed()
        self.dog.wait_record("peer", state="up", conn=PEERS)
        self.settle()
        self.at_first = measure.descriptors(self.pid)
        self.first_kib = measure.rss_kib(self.pid)

    def settle(self):
        """A client is answered and a peer is moved: it works."""
        count = len(self.dog.records("outcome", outcome="migrated"))

        def moved():
            self.dog.moved("p1@h")
            return len(self.dog.records("outcome", outcome="migrated")) > count
        self.dog.wait_for(moved, 30, "a further move")
        with Client(self.control) as client:
            client.result("status")

    def end(self):
        if self.dog.process.poll() is not None:
            self.complain(f"it ended by itself: {self.dog.process.returncode}\n{self.dog.stderr()[-4000:]}")
            self.forget()
            return
        self.check_resources()
        begin, waited = time.monotonic(), measure.waited_s(self.pid)
        last = waited
        self.dog.process.terminate()
        while self.dog.process.poll() is None and time.monotonic() - begin < 15 * PATIENCE:
            last = max(last, measure.waited_s(self.pid))
            time.sleep(0.01)
        took = time.monotonic() - begin - (last - waited)
        if took > STOP_S * (2 if self.factor > 1 else 1):
            self.complain(f"SIGTERM took {took:.2f} s")
        stopped = self.dog.records("notice", what="recording-stopped")
        with build_of(self.build, self.plugins):
            bad = self.dog.finish(replay=not stopped)
        for text in bad:
            self.complain(text[-3000:])
        self.say_out(f"# {self.name}: life {self.lives} ended after {took:.2f} s: {len(self.dog.all)} "
                     f"records{', the recording stopped' if stopped else ', replayed'}; "
                     f"{self.first_kib >> 10} MiB at first, {self.peak_kib >> 10} at most")
        self.forget()

    def forget(self):
        self.dog.destroy()
        self.node.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def check_resources(self):
        end = time.monotonic() + 20 * PATIENCE
        while True:  # clients that are gone are noticed a moment later
            now = measure.descriptors(self.pid)
            more = sorted(what for number, what in now.items() if number not in self.at_first)
            if len(now) <= len(self.at_first) or time.monotonic() > end:
                break
            time.sleep(0.1)
        if len(now) > len(self.at_first):
            self.complain(f"{len(now)} descriptors, at first {len(self.at_first)}; more: {more}")
        self.peak_kib = measure.peak_kib(self.pid)
        if self.peak_kib > self.first_kib + GROWTH_KIB * self.factor:
            self.complain(f"{self.peak_kib >> 10} MiB at most, {self.first_kib >> 10} at first")

    # -- what attacks use -----------------------------------------------------------------

    def say(self, data):
        """What the node writes, if it is taken at once."""
        link = self.node.link()
        if not link or link.pending:
            return False
        link.send(data)
        return True

    def next_conn(self, number):
        self.conn += number
        return self.conn - number

    def node_again(self):
        """Whatever it did: the node starts again, and pathdog comes back."""
        with self.restarts:  # of two attacks at the same time, one after the other
            self.node.handlers.clear()
            self.node.stop()
            self.node.hello["boot"] = f"boot-{random.random()}"
            self.node.start()

    def reload(self):
        try:
            with Client(self.control, timeout=20) as client:
                client.ask("reload")
        except (OSError, ValueError):
            pass  # too many clients, most likely

    def back_to_normal(self):
        try:
            with Client(self.control, timeout=20) as client:
                client.ask("mode", mode="active")
                client.ask("release", all=True)
                for conn in range(1, PEERS + 1):
                    client.ask("release", peer=f"p{conn}@h")
        except (OSError, ValueError):
            pass


class Soak:
    """All that is done to one target."""

    def __init__(self, seconds, seed, target):
        self.rng = random.Random(f"{seed} {target.name}")
        self.end = time.monotonic() + seconds
        self.target = target
        self.done = {name: 0 for name in attacks.ALL}
        self.worst = {}  # attack -> the latest answer, in ms

    def attack(self, names, seconds):
        """Some attacks at the same time, and how late the loop was meanwhile."""
        target, ended, said = self.target, threading.Event(), []

        def work(name, seed):
            try:
                said.append(f"{name}: {attacks.ALL[name](target, random.Random(seed), ended)}")
            except Exception as error:  # an attack that cannot go on has shown nothing
                said.append(f"{name}: {type(error).__name__}: {error}")

        threads = [threading.Thread(target=work, args=(name, self.rng.random())) for name in names]
        late = self.probe()
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        ended.set()
        for thread in threads:
            thread.join(30 * PATIENCE)
            if thread.is_alive():
                target.complain(f"an attack does not end: {names}")
        if late:
            try:
                late.__exit__()
            except AssertionError as error:
                target.complain(f"{names}: {error}")
        if late and late.worst_ms is not None:
            for name in names:
                self.worst[name] = max(self.worst.get(name, 0), late.worst_ms)
            if late.worst_ms > LATE_MS and target.factor == 1:
                target.complain(f"{names}: the loop was {late.worst_ms:.1f} ms late, at most {LATE_MS}")
            said.append(f"late {late.worst_ms:.1f} ms ({late.gross_ms:.1f} with what the machine took)")
        for name in names:
            self.done[name] += 1
        target.say_out(f"# {target.name}: " + "; ".join(said))

    def probe(self):
        try:
            return measure.Lateness(self.target.dog).__enter__()
        except (OSError, AssertionError):
            return None

    def life(self):
        target = self.target
        target.start()
        end = min(self.end, time.monotonic() + self.rng.uniform(*LIFE_S))
        while time.monotonic() < end and target.dog.process.poll() is None:
            names = self.rng.sample(sorted(attacks.ALL), self.rng.choice((1, 1, 2, 3)))
            self.attack(names, self.rng.uniform(0.5, 3))
            if target.dog.process.poll() is None:
                try:
                    target.settle()
                except (AssertionError, OSError) as error:
                    target.complain(f"after {names}: {str(error)[:3000]}")
                    break
        target.end()

    def run(self):
        try:
            while time.monotonic() < self.end:
                self.life()
        except Exception:
            self.target.complain(traceback.format_exc())


def main(seconds, seed, builds):
    """`builds`: name -> (build directory, its triggers). The exit status."""
    lock = threading.Lock()

    def say(text):
        with lock:
            print(text, flush=True)

    say(f"# {seconds:.0f} s of attacks, --seed {seed}")
    soaks = [Soak(seconds, seed, Target(name, *where, say)) for name, where in builds.items()]
    threads = [threading.Thread(target=soak.run) for soak in soaks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for soak in soaks:
        for name, worst in sorted(soak.worst.items(), key=lambda entry: -entry[1]):
            say(f"# {soak.target.name}: {name}: {worst:.1f} ms late at most, {soak.done[name]} times")
    bad = [text for soak in soaks for text in soak.target.bad]
    never = [name for name in attacks.ALL if not any(soak.done[name] for soak in soaks)]
    if never:
        say(f"# never tried, for lack of time: {' '.join(never)}")
    say(f"# {sum(sum(soak.done.values()) for soak in soaks)} attacks of {len(attacks.ALL)} kinds, "
        f"{sum(soak.target.lives for soak in soaks)} daemons, {len(bad)} complaints")
    say(f"{'not ok' if bad else 'ok'} - soak")
    return 1 if bad else 0
