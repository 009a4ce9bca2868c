# SPDX-License-Identifier: Apache-2.0
"""Who chooses the code that is run, and the files that are read and written: not a recording, and
nobody who only has the right to write in a directory on the way."""

import json
import os
import shutil

from case import Case, cases
from watchdog import (build_directory, config_text, daemon, plugins, replay_program, run_tool)

STRANGER = 12345
LOUD = "the code of loud.so runs"


class Trust(Case):
    def recording(self, *events, config=None, name="recording", **sections):
        """A recording of a run with this configuration; its path."""
        text = config or config_text({"watchdog": {"node": "/n"}, **sections})
        path = os.path.join(self.directory, name)
        head = {"pathdog": "recording", "version": 1, "run": "r", "started_us": 5, "realtime_us": 6,
                "config": text}
        with open(path, "w") as file:
            for line in (head, *events):
                file.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
        return path

    def place(self, *names, directory="p"):
        """A directory of fixtures, good in itself."""
        path = os.path.join(self.directory, directory)
        os.makedirs(path, 0o755)
        for name in names:
            target = os.path.join(path, f"{name}.so")
            shutil.copyfile(os.path.join(build_directory(), "tests", "plugins", f"{name}.so"), target)
            os.chmod(target, 0o644)
        return path

    def config(self, **watchdog):
        path = os.path.join(self.directory, "p.conf")
        with open(path, "w") as file:
            file.write(config_text({"watchdog": {
                "node": f"{self.directory}/node", "control": f"{self.directory}/ctl",
                "state_directory": f"{self.directory}/state", "plugin_directory": plugins(),
                **watchdog}, "trigger:srtt": {}}))
        return path


class Replay(Trust):
    """Data chooses no code."""

    def loud(self, *args, config=None):
        where = self.place("loud")
        text = config_text({"watchdog": {"node": "/n", "plugin_directory": where},
                            "trigger:loud": {}})
        again = {"t": 7, "rt": 8, "event": "command", "command": "config", "by": "default",
                 "duration_us": 0, "observe": False, "config": text}
        plain = config_text({"watchdog": {"node": "/n"}, "trigger:srtt": {}})
        return run_tool(replay_program(), self.recording(
            *([again] if config == "reload" else []), config=plain if config else text),
            *(("--config", self.other(text)) if config == "file" else ()), *args)

    def other(self, text):
        path = os.path.join(self.directory, "other.conf")
        with open(path, "w") as file:
            file.write(text)
        return path

    @cases({"header": (None, 2, "configuration in line 1:5: [trigger:loud]"),
            "reload": ("reload", 1, "configuration in line 2:5: [trigger:loud]"),
            "config": ("file", 2, "other.conf:5: [trigger:loud]")})
    def test_no_code_from_a_recording(self, config, expected, place):
        status, _, err = self.loud(config=config)
        self.assertEqual(status, expected, err)
        self.assertNotIn(LOUD, err)
        self.assertIn(place, err)
        self.assertIn("the trigger loud is not built into pathdog-replay", err)
        self.assertIn("--plugins DIR", err)

    @cases({"header": None, "reload": "reload", "config": "file"})
    def test_code_from_where_the_reader_says(self, config):
        status, _, err = self.loud("--plugins", f"{self.directory}/p", config=config)
        self.assertEqual((status, err.strip()), (0, LOUD))

    def test_what_is_built_in_is_not_loaded(self):
        where = self.place("loud")
        os.rename(f"{where}/loud.so", f"{where}/srtt.so")
        path = self.recording(**{"trigger:srtt": {}})
        self.assertEqual(run_tool(replay_program(), path, "--plugins", where), (0, "", ""))

    def test_the_reader_s_directory_is_looked_at(self):
        path = self.recording(**{"trigger:loud": {}})
        where = self.place("loud", directory="open/p")
        os.chmod(os.path.dirname(where), 0o777)
        status, _, err = run_tool(replay_program(), path, "--plugins", where)
        self.assertEqual(status, 2)
        self.assertIn("open may be written by others than its owner (mode 0777)", err)
        self.assertNotIn(LOUD, err)


class Directories(Trust):
    """A directory of code that somebody else could exchange is none."""

    def check(self, directory, *args):
        return run_tool(daemon(), "--config", self.config(plugin_directory=directory),
                        *(args or ("--check",)))

    def refused(self, directory, *words):
        for args in (("--check",), ("--list-triggers",)):
            status, out, err = self.check(directory, *args)
            self.assertEqual((status, out), (2, ""), err)
            for word in words:
                self.assertIn(word, err)

    def built(self, directory):
        path = os.path.join(self.directory, directory)
        os.makedirs(path, 0o755)
        shutil.copy(os.path.join(plugins(), "srtt.so"), path)
        return path

    @cases({"for all": 0o777, "for the group": 0o775})
    def test_below_a_directory_that_others_may_write(self, mode):
        where = self.built("a/b/c")
        os.chmod(f"{self.directory}/a", mode)
        self.refused(where, f"{where}: {self.directory}/a may be written by others than its owner "
                            f"(mode 0{mode:o})")

    def test_below_a_directory_like_tmp(self):
        where = self.built("a/b")
        os.chmod(f"{self.directory}/a", 0o1777)
        self.assertEqual(self.check(where)[0], 0)

    def test_below_a_directory_of_somebody_else(self):
        if os.geteuid():
            self.skipTest("only root can give a directory away")
        where = self.built("a/b/c")
        os.chown(f"{self.directory}/a", STRANGER, STRANGER)
        self.refused(where, f"{where}: {self.directory}/a is owned by uid {STRANGER}")

    def test_by_a_link_of_somebody_else(self):
        if os.geteuid():
            self.skipTest("only root can give a link away")
        where, link = self.built("a/b"), f"{self.directory}/link"
        os.symlink(where, link)
        self.assertEqual(self.check(link)[0], 0)
        os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
        self.refused(link, f"{link}, a symbolic link, is owned by uid {STRANGER}")
