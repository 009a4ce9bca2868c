# SPDX-License-Identifier: Apache-2.0
"""Files that are not what they should be: nothing waits for them, nothing dies of them."""

import os
import signal
import struct

from case import cases
from hostile_case import HostileCase
from watchdog import config_text, daemon, plugins, replay_program, run_tool


def end_of_segments(elf):
    """The first byte of a 64-bit ELF file behind all that is loaded (PT_LOAD)."""
    offset, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    end = 0
    for i in range(count):
        kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", elf, offset + i * size)
        if kind == 1:
            end = max(end, at + length)
    return end


class Files(HostileCase):
    def check(self, path):
        return run_tool(daemon(), "--config", path, "--check", timeout=15)

    def write(self, name, directory=None, **sections):
        path = os.path.join(self.directory, name)
        head = {"node": f"{self.directory}/node", "plugin_directory":
                directory or plugins()}
        with open(path, "w") as file:
            file.write(config_text({"watchdog": head, **sections}))
        return path

    def test_a_fifo_as_config(self):
        path = os.path.join(self.directory, "fifo.conf")
        os.mkfifo(path)
        status, out, err = self.check(path)
        self.assertEqual((status, out), (2, ""))
        self.assertIn(f"{path}: is not a regular file", err)

    def test_a_fifo_as_drop_in(self):
        path = self.write("p.conf")
        os.mkdir(path + ".d")
        os.mkfifo(path + ".d/x.conf")
        status, out, err = self.check(path)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("x.conf: is not a regular file", err)

    def test_a_file_in_place_of_the_drop_ins(self):
        path = self.write("p.conf")
        with open(path + ".d", "w") as file:
            file.write("[watchdog]\nmode = observe\n")
        status, out, err = self.check(path)
        self.assertEqual((status, out), (2, ""))
        self.assertIn(f"{path}.d: Not a directory", err)

    def test_a_fifo_as_drop_in_does_not_hold_a_reload(self):
        node, dog = self.pair()
        os.mkdir(dog.config + ".d")
        os.mkfifo(dog.config + ".d/x.conf")
        dog.process.send_signal(signal.SIGHUP)
        self.assertIn("x.conf", dog.notice("reload-failed")["text"])
        dog.moved()
        dog.outcome("migrated")

    def test_a_trigger_that_is_cut_off_anywhere(self):
        with open(os.path.join(plugins(), "srtt.so"), "rb") as file:
            whole = file.read()
        directory = os.path.join(self.directory, "plugins")
        os.mkdir(directory)
        path = self.write("p.conf", directory, **{"trigger:srtt": {}})
        loaded = end_of_segments(whole)  # what comes after it, debug information, is not missed
        for share in range(0, 16):
            with open(os.path.join(directory, "srtt.so"), "wb") as file:
                file.write(whole[:loaded * share // 16])
            status, out, err = self.check(path)
            self.assertEqual((status, out), (2, ""), f"{share}/16: {err}")
            self.assertIn("srtt.so: ", err)

    @cases({"zero": "/dev/zero", "full": "/dev/full", "null": "/dev/null"})
    def test_a_device_as_recording(self, path):
        status, out, err = run_tool(replay_program(), path, timeout=15)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("not a recording", err)

    def test_a_directory_as_recording(self):
        status, out, err = run_tool(replay_program(), self.directory)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("Is a directory", err)
