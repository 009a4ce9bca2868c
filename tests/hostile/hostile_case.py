# SPDX-License-Identifier: Apache-2.0
"""The test case that all of tests/hostile shares. Has no tests.

Whatever was done to pathdog: SIGTERM ends it within two seconds, with status 0; its records keep
their promises and are replayed to the byte. tearDown checks that for each daemon that still runs.
"""

import os
import shutil
import signal
import tempfile
import time

import measure
from control_case import ControlCase
from faults import Faults
from node import PATIENCE
from others import Disk
from watchdog import sanitized

STOP_S = 2.0


class HostileCase(ControlCase):
    measured = False  # True in a class that measures times or memory: without sanitizers, if possible
    stop_s = STOP_S

    def setUp(self):
        if self.measured:  # each test has a process of its own
            os.environ["PATHDOG_BUILD"] = os.environ["PATHDOG_MEASURED"]
            os.environ["PATHDOG_PLUGINS"] = os.environ["PATHDOG_MEASURED_PLUGINS"]
        super().setUp()
        self.disks = []

    def tearDown(self):
        bad = []
        for dog in self.dogs:
            if dog.process and dog.process.poll() is None:
                bad += self.stop_complaints(dog)
        for disk in self.disks:
            disk.thaw()
        try:
            super().tearDown()
        finally:
            for disk in self.disks:
                disk.__exit__()
            shutil.rmtree(self.directory, ignore_errors=True)
        self.assertEqual(bad, [], "afterwards")

    def stop_complaints(self, dog):
        """Ends it by SIGTERM: complaints if that took longer than stop_s. What a busy machine takes
        away from pathdog does not count."""
        pid, begin = dog.process.pid, time.monotonic()
        taken = waited = measure.waited_s(pid)
        dog.process.send_signal(signal.SIGTERM)
        while dog.process.poll() is None and time.monotonic() - begin < 15 * PATIENCE:
            waited = max(waited, measure.waited_s(pid))
            time.sleep(0.01)
        took = time.monotonic() - begin - (waited - taken)
        if dog.process.returncode is None:
            return [f"still there {took:.1f} s after SIGTERM"]
        most = self.stop_s * (2 if sanitized() else 1)
        return [f"SIGTERM took {took:.2f} s, at most {most}"] if took > most else []

    def assert_alive(self, node, dog):
        """It moves a peer when told to (it has the trigger `tunnel`), and answers a new client."""
        count = len(dog.records("outcome"))
        dog.moved()
        dog.wait_for(lambda: len(dog.records("outcome")) > count, what="a further outcome")
        self.assertIn("n_peers", self.client(dog).result("status"))

    def faulty(self, dog):
        """A daemon that is not started yet gets a table of faults (faults.py)."""
        faults = Faults(self.directory, f"faults-{len(self.dogs)}")
        dog.env.update(faults.environment)
        return faults

    def need_root(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")

    def disk(self, **more):
        """A file system that can be frozen, until the test ends; skips where there is none."""
        self.need_root()
        disk = Disk(self.directory, **more)
        try:
            disk.__enter__()
        except (RuntimeError, OSError) as error:
            self.skipTest(f"no file system of one's own here: {error}")
        self.disks.append(disk)
        return disk

    def public_directory(self):
        """A directory that everybody may write, as /tmp."""
        path = tempfile.mkdtemp(prefix="public-", dir=self.directory)
        os.chmod(path, 0o1777)
        return path
