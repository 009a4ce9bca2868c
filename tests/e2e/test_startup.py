# SPDX-License-Identifier: Apache-2.0
"""What is refused before anything is done: accounts that are not there, a state directory that
another pathdog has, a recording that cannot be written; and how file names are shown."""

import os
import resource
import signal
import subprocess

from case import Case, cases
from node import PATIENCE
from watchdog import config_text, daemon, environment, plugins, run_tool


class StartCase(Case):
    def config(self, sections, name="p.conf"):
        path = os.path.join(self.directory, name)
        head = {"node": f"{self.directory}/node", "control": f"{self.directory}/ctl",
                "state_directory": f"{self.directory}/state",
                "plugin_directory": plugins()}
        with open(path, "w") as file:
            file.write(config_text({"watchdog": {**head, **sections.pop("watchdog", {})},
                                    **sections}))
        return path


class Checked(StartCase):
    @cases({
        "user": ({"watchdog": {"node_user": "no-such-user"}}, 6, "[watchdog] node_user",
                 "no-such-user"),
        "group": ({"trigger:tunnel": {"group": "no-such-group"}}, 8, "[trigger:tunnel] group",
                  "no-such-group"),
        "mode": ({"trigger:tunnel": {"mode": "0999"}}, 8, "[trigger:tunnel] mode", "0999"),
        "mode too large": ({"trigger:tunnel": {"mode": "4755"}}, 8, "[trigger:tunnel] mode",
                           "4755"),
        "socket": ({"trigger:tunnel": {"socket": "notify"}}, 8, "[trigger:tunnel] socket",
                   "notify"),
        "socket too long": ({"trigger:tunnel": {"socket": "/" + "x" * 100}}, 8,
                            "[trigger:tunnel] socket", "/xxx"),
        "also where it is switched off": (
            {"trigger:tunnel": {"group": "no-such-group", "enabled": "no"}}, 8,
            "[trigger:tunnel] group", "no-such-group"),
    })
    def test_refused_by_check_and_at_start(self, sections, line, place, value):
        path = self.config(sections)
        for more in (["--check"], []):
            status, out, err = run_tool(daemon(), "--config", path, *more, timeout=15 * PATIENCE)
            self.assertEqual((status, out), (2, ""))
            self.assertIn(f"{path}:{line}: {place}: \"{value}", err)

    def test_triggers_without_proc(self):
        without = ("unshare", "--mount", "sh", "-c", 'umount -l /proc && exec "$@"', "sh")
        if subprocess.run([*without, "true"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("/proc cannot be taken away here")
        path = self.config({"trigger:stall": {}})
        status, _, err = run_tool(*without, daemon(), "--config", path, "--check", timeout=15 * PATIENCE)
        self.assertIn("stall.so: cannot be loaded: /proc is not mounted", err)
        if "LeakSanitizer" not in err:  # which needs /proc, and has an exit status of its own without
            self.assertEqual(status, 2, err)

    def test_a_reload_refuses_them_too(self):
        node, dog = self.pair()
        dog.sections["trigger:tunnel"]["group"] = "no-such-group"
        dog.write_config()
        dog.process.send_signal(signal.SIGHUP)
        self.assertIn("no-such-group", dog.notice("reload-failed")["text"])
        dog.moved()
        dog.decision("migrate")

    def test_a_comment_is_of_the_file_too(self):
        path = self.config({})
        with open(path, "ab") as file:
            file.write(b"# gr\xf6\xdfer\n")
        status, out, err = run_tool(daemon(), "--config", path, "--check", timeout=15 * PATIENCE)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("not UTF-8, in a comment", err)

    def test_file_names_are_shown_without_control_characters(self):
        path = self.config({})
        os.mkdir(path + ".d")
        with open(os.path.join(path + ".d", "a\x1b[31m\n.conf"), "w") as file:
            file.write("[watchdog]\nmode = observe\n")
        status, out, err = run_tool(daemon(), "--config", path, "--check", timeout=15 * PATIENCE)
        self.assertEqual((status, err), (0, ""))
        self.assertNotIn("\x1b", out)
        self.assertIn("a\\x1b[31m\\x0a.conf:2", out)
        with open(os.path.join(path + ".d", "b\x1b]0;x\x07.conf"), "w") as file:
            file.write("[watchdog]\nmode = what\n")
        status, out, err = run_tool(daemon(), "--config", path, "--check", timeout=15 * PATIENCE)
        self.assertEqual(status, 2)
        self.assertNotIn("\x1b", err)
        self.assertIn("b\\x1b]0;x\\x07.conf:2", err)


    def test_an_example_is_pointed_to(self):
        path = os.path.join(self.directory, "pathdog.conf")
        status, out, err = run_tool(daemon(), "--config", path, timeout=15 * PATIENCE)
        self.assertEqual((status, err), (2, f"pathdog: {path}: No such file or directory\n"))
        with open(path + ".example", "w") as file:
            file.write("[watchdog]\n")
        status, out, err = run_tool(daemon(), "--config", path, timeout=15 * PATIENCE)
        self.assertEqual(status, 2)
        self.assertIn(f"({path}.example is an example to begin with)", err)

    def test_in_the_journal_it_is_an_error(self):
        """systemd says what it connected standard error to, and reads levels from there."""
        path = os.path.join(self.directory, "stderr")
        with open(path, "w+") as file:
            there = os.fstat(file.fileno())
            for stream, begins in ((f"{there.st_dev}:{there.st_ino}", "<3>pathdog: "),
                                   ("1:1", "pathdog: "), ("", "pathdog: ")):
                file.seek(0)
                file.truncate()
                run = subprocess.run(
                    [daemon(), "--config", os.path.join(self.directory, "none")], stderr=file,
                    stdin=subprocess.DEVNULL, env=environment(JOURNAL_STREAM=stream),
                    timeout=30 * PATIENCE)
                self.assertEqual(run.returncode, 2)
                file.seek(0)
                self.assertTrue(file.read().startswith(begins))


class Status(StartCase):
    def status(self, dog):
        lines = [line for state in dog.states for line in state.split("\n")
                 if line.startswith("STATUS=")]
        return lines[-1] if lines else None

    def test_peers_are_counted_once_all_are_told(self):
        node = self.node()
        node.add("p1@h", 1)
        node.add("p2@h", 2)
        held = []
        node.on("subscribe", held.append)
        dog = self.dog(node)
        node.wait_for(lambda: held, what="a subscribe")
        dog.wait_for(lambda: self.status(dog) == "STATUS=Node alpha@127.0.0.1 is up, waiting for its "
                     "first peer list", what="a status before the snapshot is whole")
        for peer in list(node.peers.values()):
            node.tell_up(peer, held[0].link)
        held[0].answer({"peers": 2})
        dog.wait_for(lambda: self.status(dog) == "STATUS=Node alpha@127.0.0.1 is up, 2 peers",
                     what="the status after it")


class Shared(StartCase):
    def test_a_state_directory_has_one_pathdog(self):
        node, dog = self.pair()
        path = self.config({"watchdog": {"control": f"{self.directory}/other"}})
        recording = os.path.join(self.directory, "other.recording")
        with open(recording, "w") as file:
            file.write("precious")
        status, out, err = run_tool(daemon(), "--config", path, "--record", recording,
                                    timeout=30 * PATIENCE)
        self.assertEqual((status, out), (75, ""), err)
        self.assertIn(f"{self.directory}/state\" is in use by another pathdog", err)
        self.assertIn(f"(pid {dog.process.pid})", err)
        self.assertIn("[watchdog] state_directory", err)
        with open(recording) as file:
            self.assertEqual(file.read(), "precious")
        dog.wait_for(lambda: sorted(os.listdir(os.path.join(self.directory, "state"))) ==
                     ["state.json", "state.lock"],
                     what="nothing but its files, when it does not write one just now")
        dog.moved()
        dog.decision("migrate")  # and nothing happened to the first

    def test_however_the_first_one_ended(self):
        node, dog = self.pair()
        dog.finished = True  # it leaves no records of its end
        dog.terminate(signal.SIGKILL)
        second = self.dog(node, name="second")
        second.wait_record("node", state="up")


class Recording(StartCase):
    def test_without_memory_for_a_thread(self):
        """A thread's stack is as large as the limit of stacks: one that cannot be had. The log has
        the first one; and what is said of it needs none."""
        path = self.config({})
        soft = 0x7f0000000000
        run = subprocess.run(
            [daemon(), "--config", path, "--log", "json", "--record",
             os.path.join(self.directory, "r")], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60 * PATIENCE, env=environment(),
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_STACK, (soft, resource.getrlimit(resource.RLIMIT_STACK)[1])))
        self.assertEqual((run.returncode, run.stdout), (1, ""), run.stderr)
        self.assertIn("pathdog: cannot open the log: Resource temporarily unavailable", run.stderr)

    @cases({"a link": ("link", "is a symbolic link"), "a directory": (".", "Is a directory"),
            "nowhere": ("none/r", "No such file or directory")})
    def test_what_is_wrong_with_it(self, name, words):
        path = self.config({})
        os.symlink("elsewhere", os.path.join(self.directory, "link"))
        status, out, err = run_tool(daemon(), "--config", path, "--record",
                                    os.path.join(self.directory, name), timeout=30 * PATIENCE)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("--record ", err)
        self.assertIn(words, err)
