# SPDX-License-Identifier: Apache-2.0
"""Starts the real pathdog with a generated config, reads its records, stops it, and checks after
every test what always holds: exit status, invariants, and that a replay writes the same bytes.
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import invariants
from node import PATIENCE

F_SETPIPE_SZ = 1031  # fcntl has it only from Python 3.10 on
# Short is what a test waits for; long is what must not end while a slow node still answers.
WATCHDOG = {
    "sample_interval": "100ms", "close_interval": "50ms", "migrate_timeout": "20s",
    "effect_window": "1min", "fallback_after": "300ms",
}


def build_directory():
    build = os.environ.get("PATHDOG_BUILD")
    if not build:
        raise RuntimeError("PATHDOG_BUILD is not set: the meson build directory to test")
    return os.path.abspath(build)


def plugins():
    """The directory of the built triggers, or run.py's copy of it."""
    return os.environ.get("PATHDOG_PLUGINS") or os.path.join(build_directory(), "plugins")


def program(name, variable):
    """The built program: from the environment, else found in the build directory."""
    if os.environ.get(variable):
        return os.environ[variable]
    for place, folders, files in os.walk(build_directory()):
        folders[:] = [f for f in folders if not f.endswith(".p") and not f.startswith("meson-")]
        path = os.path.join(place, name)
        if name in files and os.access(path, os.X_OK):
            return path
    raise RuntimeError(f"no {name} in {build_directory()}")


def sanitized():
    """Is the build to test one with AddressSanitizer, which needs time for leaks and memory?"""
    with open(daemon(), "rb") as file:
        return b"__asan_init" in file.read()


def daemon():
    return program("pathdog", "PATHDOG")


def replay_program():
    return program("pathdog-replay", "PATHDOG_REPLAY")


def config_text(sections):
    """{"watchdog": {...}, "trigger:srtt": {...}} as a file; a value may be a list of lines."""
    lines = []
    for name, keys in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {value}" for key, value in keys.items() if value is not None]
        lines.append("")
    return "\n".join(lines)


def environment(**more):
    env = {k: v for k, v in os.environ.items()
           if k not in ("NOTIFY_SOCKET", "INVOCATION_ID", "WATCHDOG_USEC", "WATCHDOG_PID",
                        "JOURNAL_STREAM", "RUNTIME_DIRECTORY", "STATE_DIRECTORY")}
    env["PATHDOG_EXEC_HELPER"] = os.path.join(build_directory(), "plugins/exec/pathdog-exec")
    env["DBUS_SYSTEM_BUS_ADDRESS"] = ""  # no bus: what this machine's NetworkManager says is no test's matter
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:exitcode=99")
    env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1:exitcode=98")
    env.update(more)
    return env


def run_tool(*args, timeout=30, **kwargs):
    """A program that ends by itself: (status, stdout, stderr)."""
    done = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=timeout * PATIENCE, env=environment(), text=True,
                          errors="replace", **kwargs)
    return done.returncode, done.stdout, done.stderr


class Watchdog:
    def __init__(self, directory, node, cv, watchdog=None, triggers=None, args=(), prefix=(),
                 env=None, read=True, name="pathdog"):
        self.directory = directory
        self.node = node
        self.cv = cv
        self.args = list(args)
        self.prefix = list(prefix)  # for example ip netns exec NAME
        self.env = dict(env or {})
        self.reads = threading.Event()
        if read:
            self.reads.set()
        self.config = os.path.join(directory, f"{name}.conf")
        self.recording = os.path.join(directory, f"{name}.recording")
        self.control = os.path.join(directory, f"{name}.ctl")
        self.metrics = os.path.join(directory, f"{name}.metrics")
        self.notify_path = os.path.join(directory, "notify")  # of the tunnel trigger
        self.sections = {"watchdog": {
            "node": node.path if node else os.path.join(directory, "node"), **WATCHDOG,
            "control": self.control, "metrics": self.metrics, "state_directory": os.path.join(directory, "state"),
            "plugin_directory": plugins(), **(watchdog or {})}}
        for trigger, options in (triggers or {}).items():
            self.sections[f"trigger:{trigger}"] = dict(options)
            if trigger == "tunnel":
                self.sections["trigger:tunnel"].setdefault("socket", self.notify_path)
        self.process = None
        self.leave = False  # the reader of the records closes the pipe at the next one
        self.raw = []
        self.all = []
        self.garbage = []
        self.states = []  # what came over NOTIFY_SOCKET
        self.errors = b""
        self.finished = False
        self.status = None

    # -- starting and stopping --------------------------------------------------------------

    def write_config(self):
        with open(self.config, "w") as file:
            file.write(config_text(self.sections))

    def start(self, ready=True):
        self.write_config()
        os.makedirs(os.path.join(self.directory, "state"), exist_ok=True)
        path = os.path.join(self.directory, "sd-notify")
        if os.path.exists(path):
            os.unlink(path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        self.process = subprocess.Popen(
            self.prefix + [daemon(), "--config", self.config, "--log", "json",
                           "--record", self.recording] + self.args,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(**{"NOTIFY_SOCKET": path, **self.env}))
        if self.reads.is_set():
            self._widen()
        self.readers = [threading.Thread(target=work, daemon=True) for work in
                        (self._read_records, self._read_errors, self._read_states)]
        for reader in self.readers:
            reader.start()
        if ready:
            self.wait_for(self._is_ready, 15, "READY=1")
        return self

    def _widen(self):
        """At its end pathdog waits no more than two seconds for its reader: a late one finds all
        of its records in the pipe nevertheless."""
        for size in (1 << 24, 1 << 20):
            try:
                fcntl.fcntl(self.process.stdout, F_SETPIPE_SZ, size)
                return
            except OSError:
                pass  # not root: less is allowed

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode} before READY=1:\n"
                                 f"{self.stderr()}")
        return any("READY=1" in s.split("\n") for s in self.states)

    def _read_records(self):
        self.reads.wait()
        for line in self.process.stdout:
            if self.leave:
                break
            self.reads.wait()
            with self.cv:
                self.raw.append(line)
                try:
                    self.all.append(json.loads(line))
                except ValueError:
                    self.garbage.append(line)
                self.cv.notify_all()
        self.process.stdout.close()

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors += line

    def _read_states(self):
        while True:
            try:
                data = self.notify.recv(4096)
            except OSError:
                return
            if not data:
                return
            with self.cv:
                self.states.append(data.decode(errors="replace"))
                self.cv.notify_all()

    def stderr(self):
        return self.errors.decode(errors="replace")

    def terminate(self, how=signal.SIGTERM, deadline=15):
        """Asks it to end, and waits: the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.status = self.process.wait(deadline * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still there {deadline * PATIENCE} s after signal {how}") from None
        finally:
            self.reads.set()
            self.readers[0].join(10 * PATIENCE)
            self.readers[1].join(10 * PATIENCE)
            try:
                self.notify.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.notify.close()
        return self.status

    def finish(self, replay=True, whole=True, status=0):
        """The end of every test. Complaints, as a list. `whole`: all records were read."""
        if self.finished or self.process is None:
            return []
        self.finished = True
        try:
            got = self.terminate()
        except AssertionError as error:
            return [str(error)]
        bad = []
        if got != status:
            bad.append(f"exit status {got}:\n{self.stderr()[-6000:]}")
        elif "ERROR: AddressSanitizer" in self.stderr() or "runtime error:" in self.stderr():
            bad.append(self.stderr()[-6000:])
        if whole:
            bad += [f"not a record on standard output: {line[:200]!r}" for line in self.garbage]
            bad += invariants.check_records(self.all, stopped=got == 0)
        if replay and got == 0:
            bad += self.check_replay()
        return bad

    def check_replay(self):
        done = subprocess.run([replay_program(), self.recording, "--log", "json"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=30 * PATIENCE,
                              env=environment())
        if done.returncode != 0:
            return [f"pathdog-replay: exit status {done.returncode}: "
                    f"{done.stderr.decode(errors='replace')[-2000:]}"]
        # By line ends alone: a name may have what text calls the end of a line.
        said, again = b"".join(self.raw).split(b"\n"), done.stdout.split(b"\n")
        for number, (a, b) in enumerate(zip(said, again)):
            if a != b:
                return [f"replay differs at record {number}:\n  ran:      "
                        f"{a.decode(errors='replace')}\n  replayed: {b.decode(errors='replace')}"]
        if len(said) == len(again):
            return []
        longer, more = ("replay", again) if len(again) > len(said) else ("daemon", said)
        return [f"{len(said) - 1} records, {len(again) - 1} replayed; the {longer} has also: "
                f"{more[min(len(said), len(again)) - 1].decode(errors='replace')}"]

    def destroy(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # -- looking at records ------------------------------------------------------------------

    def wait_for(self, predicate, deadline=10, what="something"):
        end = time.monotonic() + deadline * PATIENCE
        while True:
            with self.cv:
                begin = time.monotonic()
                value = predicate()
                if value:
                    return value
                now = time.monotonic()
                if now >= end:
                    raise AssertionError(f"not within {deadline * PATIENCE} s: {what}\n"
                                         f"{self.story()}")
                self.cv.wait(min(end - now, 0.2))
            if now - begin > 0.002:  # a long look must not keep the readers from their work
                time.sleep(min(5 * (now - begin), 0.5))

    def records(self, record=None, **members):
        with self.cv:
            return [r for r in self.all if (record is None or r.get("record") == record)
                    and all(m in r and (want(r[m]) if callable(want) else r[m] == want)
                            for m, want in members.items())]

    def wait_record(self, record, nth=1, deadline=10, **members):
        def found():
            have = self.records(record, **members)
            return have[nth - 1] if len(have) >= nth else None
        return self.wait_for(found, deadline, f"{record} number {nth} with {members}")

    def decision(self, verdict, nth=1, deadline=10, **members):
        return self.wait_record("decision", nth, deadline, verdict=verdict, **members)

    def outcome(self, outcome, nth=1, deadline=10, **members):
        return self.wait_record("outcome", nth, deadline, outcome=outcome, **members)

    def effect(self, effect=None, nth=1, deadline=10, **members):
        more = {"effect": effect} if effect else {}
        return self.wait_record("effect", nth, deadline, **more, **members)

    def notice(self, what=None, nth=1, deadline=10, **members):
        more = {"what": what} if what else {}
        return self.wait_record("notice", nth, deadline, **more, **members)

    def story(self, last=30):
        with self.cv:
            tail = [line.decode(errors="replace").rstrip() for line in self.raw[-last:]]
            return "\n".join([f"pathdog: {len(self.raw)} records"] + tail +
                             ["stderr:", self.stderr()[-3000:]])

    # -- the tunnel trigger's notices -----------------------------------------------------

    def tell(self, *lines, raw=None):
        """One datagram to the notify socket: tell("EVENT=rebind", "PEERS=*")."""
        data = raw if raw is not None else ("\n".join(lines) + "\n").encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(self.notify_path)
            sock.send(data)

    def moved(self, peers="*", reason=None):
        """`moved` for the peers. The text differs each time, else it would count as a repeat."""
        self.told = getattr(self, "told", 0) + 1
        self.tell("EVENT=rebind", f"PEERS={peers} nobody-{self.told}",
                  f"REASON={reason or f'rebind {self.told}'}")

    def clear(self):
        shutil.rmtree(os.path.join(self.directory, "state"), ignore_errors=True)
