# SPDX-License-Identifier: Apache-2.0
"""Who chooses the code that is run, and the files that are read and written: not a recording, and
nobody who only has the right to write in a directory on the way."""

import json
import os
import shutil
import signal
import subprocess

from case import cases
from hostile_case import HostileCase
from watchdog import (build_directory, config_text, daemon, environment, plugins, program, replay_program, run_tool)

STRANGER = 12345
LOUD = "the code of loud.so runs"


class Trust(HostileCase):
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


class Recording(Trust):
    """What --record may replace, and what the new file is."""

    def record(self, path, *args, **watchdog):
        return run_tool(daemon(), "--config", self.config(**watchdog), "--record", path, *args)

    def refused(self, path, words, expected=2, **watchdog):
        status, out, err = self.record(path, **watchdog)
        self.assertEqual((status, out), (expected, ""), err)
        self.assertIn(f"--record {path}: {words}", err)

    def test_over_its_configuration(self):
        path = self.config()
        with open(path) as file:
            before = file.read()
        self.refused(path, "is the configuration, too")
        with open(path) as file:
            self.assertEqual(file.read(), before)

    def test_over_any_other_file(self):
        for text in ("[watchdog]\n", "{\"format\":1}\n", "\0"):
            path = os.path.join(self.directory, "file")
            with open(path, "w") as file:
                file.write(text)
            self.refused(path, "is there and is not a recording")
            with open(path) as file:
                self.assertEqual(file.read(), text)

    @cases({"state": ("state/state.json", "a file of state_directory, state.json"),
            "new state": ("state/.state.json.new", "a file of state_directory, .state.json.new"),
            "control": ("ctl", "the control socket"), "node": ("node", "the node's socket"),
            "drop-in": ("p.conf.d/x.conf", "a drop-in of the configuration")})
    def test_in_place_of_what_is_made_later(self, name, what):
        os.mkdir(f"{self.directory}/state")
        os.mkdir(f"{self.directory}/p.conf.d")
        path = f"{self.directory}/{name}"
        self.refused(path, f"is {what}, too")
        self.assertFalse(os.path.lexists(path))
        os.symlink(os.path.dirname(path), f"{self.directory}/way")
        self.refused(f"{self.directory}/way/{os.path.basename(path)}", f"is {what}, too")

    def test_over_its_own_log(self):
        path = os.path.join(self.directory, "log")
        with open(path, "w") as file:
            done = subprocess.run([daemon(), "--config", self.config(), "--log", "json", "--record",
                                   path], stdout=file, stderr=subprocess.PIPE, text=True,
                                  stdin=subprocess.DEVNULL, env=environment(), timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("is standard output, too", done.stderr)

    def test_by_a_link_of_somebody_else(self):
        if os.geteuid():
            self.skipTest("only root can give a link away")
        os.mkdir(f"{self.directory}/there")
        os.symlink("there", f"{self.directory}/link")
        os.chown(f"{self.directory}/link", STRANGER, STRANGER, follow_symlinks=False)
        path = f"{self.directory}/link/recording"
        self.refused(path, f"{self.directory}/link, a symbolic link, is owned by uid {STRANGER}")

    def test_nothing_of_the_old_one_is_kept(self):
        old = self.recording(name="pathdog.recording")
        os.chmod(old, 0o666)
        os.link(old, f"{self.directory}/other")
        if not os.geteuid():
            os.chown(old, STRANGER, STRANGER)
        with open(old) as file:
            before = file.read()
        node, dog = self.pair()
        there = os.stat(dog.recording)
        self.assertEqual((there.st_uid, there.st_nlink, oct(there.st_mode & 0o7777)),
                         (os.geteuid(), 1, oct(0o640)))
        with open(f"{self.directory}/other") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual([n for n in os.listdir(self.directory) if n.startswith(".")], [])

    def test_two_do_not_share_one(self):
        node, dog = self.pair()
        self.refused(dog.recording, f"is being written by another process (pid {dog.process.pid})",
                     expected=75, state_directory=f"{self.directory}/other")
        dog.moved()
        dog.outcome("migrated")  # and the first goes on; its recording is replayed at the end


class Configuration(Trust):
    """Root takes its orders from root."""

    def setUp(self):
        if os.geteuid():
            self.skipTest("is about root")
        super().setUp()

    def refused(self, path, *words):
        status, out, err = run_tool(daemon(), "--config", path, "--check")
        self.assertEqual((status, out), (2, ""), err)
        for word in (*words, "pathdog of root reads no configuration that others can change"):
            self.assertIn(word, err)

    def test_a_file_that_others_may_write(self):
        path = self.config()
        os.chmod(path, 0o664)
        self.refused(path, f"{path} may be written by others than its owner (mode 0664)")

    def test_a_file_of_somebody_else(self):
        path = self.config()
        os.chown(path, STRANGER, STRANGER)
        self.refused(path, f"{path} is owned by uid {STRANGER}; it must be root")

    def test_in_a_directory_of_somebody_else(self):
        where = os.path.join(self.directory, "theirs")
        os.mkdir(where)
        path = os.path.join(where, "p.conf")
        os.rename(self.config(), path)
        os.chown(where, STRANGER, STRANGER)
        self.refused(path, f"{path}: {where} is owned by uid {STRANGER}; it must be root")

    def test_a_drop_in(self):
        path = self.config()
        os.mkdir(path + ".d")
        drop_in = path + ".d/x.conf"
        with open(drop_in, "w") as file:
            file.write("[watchdog]\nmode = observe\n")
        os.chown(drop_in, STRANGER, STRANGER)
        self.refused(path, f"{drop_in} is owned by uid {STRANGER}; it must be root")
        os.chown(drop_in, 0, 0)
        os.chmod(path + ".d", 0o777)
        self.refused(path, f"{path}.d may be written by others than its owner (mode 0777)")
        os.chmod(path + ".d", 0o755)
        self.assertEqual(run_tool(daemon(), "--config", path, "--check")[0], 0)

    def test_a_link_of_somebody_else(self):
        path, link = self.config(), f"{self.directory}/link"
        os.symlink(path, link)
        self.assertEqual(run_tool(daemon(), "--config", link, "--check")[0], 0)
        os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
        self.refused(link, f"{link}, a symbolic link, is owned by uid {STRANGER}")

    def test_list_triggers_does_not_go_where_it_says(self):
        where = self.place("loud")
        path = self.config(plugin_directory=where)
        status, out, err = run_tool(daemon(), "--config", path, "--list-triggers")
        self.assertEqual((status, err.strip()), (0, LOUD))
        os.chmod(path, 0o666)
        status, out, err = run_tool(daemon(), "--config", path, "--list-triggers")
        self.assertNotIn(LOUD, err)

    def test_a_reload(self):
        node, dog = self.pair()
        os.chmod(dog.config, 0o666)
        dog.process.send_signal(signal.SIGHUP)
        self.assertIn("may be written by others", dog.notice("reload-failed")["text"])

    def test_replay_reads_any(self):
        path = self.config()
        os.chmod(path, 0o666)
        recording = self.recording()
        self.assertEqual(run_tool(replay_program(), recording, "--config", path), (0, "", ""))


class Memory(Trust):
    """A replay needs memory for a line that pathdog can have written, and for no more."""
    measured = True
    SMALL, LARGE = 64, 200  # MiB

    def replay(self, pieces):
        """Writes them to its standard input as long as it reads; (status, what it said, peak MiB)."""
        with subprocess.Popen([replay_program(), "-"], stdin=subprocess.PIPE, text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env=environment()) as process:
            try:
                for piece in pieces:
                    process.stdin.write(piece)
                process.stdin.close()
            except BrokenPipeError:
                pass
            said = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, said, usage.ru_maxrss / 1024

    def head(self):
        with open(self.recording(**{"trigger:srtt": {}})) as file:
            return file.read()

    def line(self, event, text):
        """A line of 256 MiB, piece by piece."""
        yield self.head()
        yield '{"t":7,"rt":8,"event":"timer"}\n'
        yield f'{{"t":7,"rt":8,"event":"{event}","x":'
        for _ in range(256):
            yield text * (2**20 // len(text))

    @cases({"text": '"' + "x" * 1023, "no end": "x" * 1024, "objects": "[{},",
            "numbers": "[0,0,0,0", "escapes": '"\\"\\'})
    def test_a_line_without_end(self, text):
        status, said, peak = self.replay(self.line("notice", text))
        self.assertEqual(status, 1, said)
        self.assertIn("-: line 3: longer than 8 MiB", said)
        self.assertLess(peak, self.SMALL)

    @cases({"restore": "restore", "command": "command"})
    def test_a_line_of_a_long_kind(self, event):
        status, said, peak = self.replay(self.line(event, "[{},"))
        self.assertEqual(status, 1, said)
        self.assertIn("-: line 3: longer than 64 MiB", said)
        self.assertLess(peak, self.LARGE)

    def test_a_header_without_end(self):
        status, said, peak = self.replay(
            ['{"pathdog":"recording","config":"', *(["x" * 2**20] * 256)])
        self.assertEqual(status, 2, said)
        self.assertIn("longer than 64 MiB", said)
        self.assertLess(peak, self.LARGE)

    @cases({"notice": ("notice", 7), "restore": ("restore", 60), "command": ("command", 60)})
    def test_a_line_that_is_all_structure(self, event, mib):
        pieces = [self.head(), f'{{"t":7,"rt":8,"event":"{event}","x":[{{}}',
                  *([",{}" * (2**20 // 3)] * mib), "]}\n"]
        status, said, peak = self.replay(pieces)
        self.assertEqual(status, 1, said)
        self.assertRegex(said, "line 2: more than [0-9]+ objects and arrays")
        self.assertLess(peak, self.LARGE)

    def test_many_short_lines(self):
        lines = (json.dumps(line, separators=(",", ":")) + "\n" for i in range(20000) for line in (
            {"t": 10 + i, "rt": 10, "event": "timer"},
            {"t": 10 + i, "rt": 10, "event": "notice", "level": "info", "what": f"w{i}",
             "text": f"text {i}", "count": 1},
            {"t": 10 + i, "rt": 10, "event": "peer_up", "peer": f"p{i}@h", "conn": i + 1,
             "role": "client", "migratable": True, "reconnectable": True},
            {"t": 10 + i, "rt": 10, "event": "peer_down", "conn": i + 1, "reason": f"r{i}"}))
        status, said, peak = self.replay([self.head(), *lines])
        self.assertEqual((status, said), (0, ""))
        self.assertLess(peak, self.SMALL)


class State(Trust):
    """What a restart believes is where nobody else could have put it."""

    def state(self, mode=0o755, owner=None):
        """shared/state, with this mode or owner of `shared`."""
        path = os.path.join(self.directory, "shared", "state")
        os.makedirs(path, 0o755)
        os.chmod(os.path.dirname(path), mode)
        if owner:
            os.chown(os.path.dirname(path), owner, owner)
        return path

    def refused(self, path, words):
        status, out, err = run_tool(daemon(), "--config", self.config(state_directory=path))
        self.assertEqual((status, out), (2, ""), err)
        self.assertIn(f"[watchdog] state_directory: {words}", err)
        self.assertEqual(os.listdir(path), [])

    @cases({"all": 0o777, "group": 0o775})
    def test_below_a_directory_that_others_may_write(self, mode):
        path = self.state(mode)
        self.refused(path, f"{path}: {os.path.dirname(path)} may be written by others")

    def test_one_that_others_may_write(self):
        path = self.state()
        os.chmod(path, 0o1777)
        self.refused(path, f"{path} may be written by others")

    def test_below_a_directory_of_somebody_else(self):
        self.need_root()
        path = self.state(owner=STRANGER)
        self.refused(path, f"{path}: {os.path.dirname(path)} is owned by uid {STRANGER}")

    def test_by_a_link_of_somebody_else(self):
        self.need_root()
        path, link = self.state(), f"{self.directory}/link"
        os.symlink(path, link)
        os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
        self.refused(link, f"{link}, a symbolic link, is owned by uid {STRANGER}")
        link += "/new"
        status, out, err = run_tool(daemon(), "--config", self.config(state_directory=link))
        self.assertEqual((status, os.listdir(path)), (2, []), err)

    def test_one_that_is_made_where_all_may_write(self):
        node = self.node()
        path = os.path.join(self.public_directory(), "state")
        self.dog(node, {"state_directory": path}).wait_record("node", state="up")
        self.assertEqual(oct(os.stat(path).st_mode & 0o7777), oct(0o750))
        self.assertIn("state.json", os.listdir(path))

    def test_one_that_is_opened_to_all_while_it_runs(self):
        path = self.state()
        node = self.node()
        node.add("p1@h", 1, local="127.0.0.1:9001")
        dog = self.dog(node, {"state_directory": path})
        dog.wait_record("peer", state="up")
        before = os.stat(path + "/state.json").st_ino
        os.chmod(path, 0o777)
        dog.moved()
        self.assertIn("open the directory", dog.notice("state-not-saved")["text"])
        self.assertEqual(os.stat(path + "/state.json").st_ino, before)
        self.assert_alive(node, dog)


class Trace(Trust):
    """What pathdog-node-check writes to."""

    def trace(self, path, **more):
        program_path = program("pathdog-node-check", "PATHDOG_NODE_CHECK")
        return run_tool(program_path, "--trace", path, f"{self.directory}/nobody", **more)

    def test_over_another_file(self):
        path = self.config()
        with open(path) as file:
            before = file.read()
        status, _, err = self.trace(path)
        self.assertEqual(status, 2)
        self.assertIn(f"--trace {path}: is there and is not a trace", err)
        with open(path) as file:
            self.assertEqual(file.read(), before)

    def test_by_a_link(self):
        target, link = f"{self.directory}/target", f"{self.directory}/link"
        os.symlink(target, link)
        status, _, err = self.trace(link)
        self.assertEqual((status, os.path.exists(target)), (2, False))
        self.assertIn("is a symbolic link", err)

    def test_over_an_earlier_one(self):
        path, other = f"{self.directory}/trace", f"{self.directory}/other"
        with open(path, "w") as file:
            file.write("> {}\n")
        os.chmod(path, 0o666)
        os.link(path, other)
        self.assertEqual(self.trace(path)[0], 3)  # nobody is there
        there = os.stat(path)
        self.assertEqual((there.st_size, there.st_nlink, oct(there.st_mode & 0o7777)),
                         (0, 1, oct(0o640)))
        self.assertEqual(os.stat(other).st_size, 5)

    @cases({"null": "/dev/null", "stdout": "/dev/stdout", "stderr": "/dev/stderr"})
    def test_what_is_no_file(self, path):
        self.assertEqual(self.trace(path)[0], 3)
