# SPDX-License-Identifier: Apache-2.0
"""interface.md: options, --check, --list-triggers, and what is refused, with file and line."""

import json
import os
import re
import subprocess

from case import Case, cases
from node import PATIENCE
from watchdog import config_text, daemon, plugins, replay_program, run_tool

# Options of each trigger that must be listed, if it is built; those always built first.
ALWAYS = ("srtt", "route", "tunnel", "stall", "congestion", "loss", "send-errors", "resume", "lease", "exec", "relay")
OPTIONS = {
    "srtt": ("threshold", "strikes", "recover", "factor"), "route": ("settle", "ignore"),
    "tunnel": ("socket",), "resume": ("min_sleep",),
    "stall": ("pto_multiple", "silence", "misses"), "congestion": ("cwnd_fraction",),
    "relay": ("flip_after", "clear_after", "max_relayed"), "send-errors": (), "loss": ("threshold", "strikes"), "lease": ("max_data", "max_duration", "relays", "lead", "repeat", "stay"),
    "exec": ("command", "user", "interval", "timeout"),
}


def built():
    """The triggers of this build: the modules that lie in its plugin directory."""
    names = os.listdir(plugins())
    return sorted(name[:-3] for name in names if name.endswith(".so"))


class Cli(Case):
    def config(self, text=None, **watchdog):
        path = os.path.join(self.directory, "pathdog.conf")
        head = {"watchdog": {
            "node": f"{self.directory}/node", "control": f"{self.directory}/ctl",
            "state_directory": f"{self.directory}/state",
            "plugin_directory": plugins(), **watchdog}}
        with open(path, "w", newline="") as file:
            file.write(config_text(head) if text is None else text)
        return path

    def run_daemon(self, *args):
        return run_tool(daemon(), *args)


class Instances(Cli):

    def places(self, *args, **env):
        path = self.config("[watchdog]\nnode = /run/n.sock\nplugin_directory = "
                           f"{plugins()}\n[trigger:tunnel]\n")
        run = subprocess.run([daemon(), "--config", path, *args, "--check"], capture_output=True,
                             text=True, env={**os.environ, **env}, timeout=30 * PATIENCE)
        self.assertEqual(run.returncode, 0, run.stderr)
        return dict(re.findall(r"^(control|state_directory|socket) = (\S+)", run.stdout, re.M))

    @cases({"alone": ((), {}, "/run/pathdog"),
            "of its unit": ((), {"RUNTIME_DIRECTORY": "/run/pathdog/x"}, "/run/pathdog/x"),
            "the first of several": ((), {"RUNTIME_DIRECTORY": "/run/a:/run/b"}, "/run/a"),
            "by name": (("--instance", "x"), {}, "/run/pathdog/x"),
            "both": (("--instance", "x"), {"RUNTIME_DIRECTORY": "/run/u"}, "/run/u")})
    def test_defaults_are_its_own(self, args, env, directory):
        self.assertEqual(self.places(*args, **env),
                         {"control": f"{directory}/control.sock", "state_directory": directory,
                          "socket": f"{directory}/notify"})

    def test_its_configuration(self):
        status, out, err = self.run_daemon("--instance", "nowhere", "--check")
        self.assertEqual(status, 2)
        self.assertIn("/etc/pathdog/nowhere.conf", err)

    @cases({"empty": "", "a path": "a/b", "dots": "..", "long": "x" * 65})
    def test_bad_names(self, name):
        self.assertEqual(self.run_daemon("--instance", name, "--check")[0], 2)


class Options(Cli):
    def test_version(self):
        status, out, err = self.run_daemon("--version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"pathdog\D+\d+\.\d+")

    def test_help(self):
        status, out, err = self.run_daemon("--help")
        self.assertEqual((status, err), (0, ""))
        for option in ("--config", "--log", "--log-level", "--observe", "--record", "--check",
                       "--list-triggers", "--json", "--version", "--help"):
            self.assertIn(option, out)

    @cases({"unknown option": ("--colour",), "unknown short option": ("-Z",),
            "an argument": ("start",), "config without a file": ("--config",),
            "log without a word": ("--log",), "log unknown": ("--log", "xml"),
            "level unknown": ("--log-level", "shout"), "record without a file": ("--record",),
            "an empty argument": ("",)})
    def test_bad_arguments(self, *args):
        status, out, err = self.run_daemon(*args)
        self.assertEqual((status, out), (2, ""))
        self.assertTrue(err)

    def test_no_such_config(self):
        status, out, err = self.run_daemon("--config", f"{self.directory}/nothing.conf")
        self.assertEqual(status, 2)
        self.assertIn("nothing.conf", err)

    def test_a_directory_as_config(self):
        self.assertEqual(self.run_daemon("--config", self.directory)[0], 2)

    def test_list_triggers(self):
        status, out, err = self.run_daemon("--config", self.config(), "--list-triggers")
        self.assertEqual((status, err), (0, ""))
        self.assertLessEqual(set(ALWAYS), set(built()))
        for name in built():
            self.assertRegex(out, rf"(?m)^\W*{name}\b")
            for option in OPTIONS.get(name, ()):
                self.assertIn(option, out)

    def test_list_triggers_json(self):
        status, out, err = self.run_daemon("--config", self.config(), "--list-triggers", "--json")
        self.assertEqual((status, err), (0, ""))
        listed = json.loads(out)
        text = json.dumps(listed)
        for name in built():
            self.assertIn(f'"{name}"', text)
        self.assertIn('"threshold"', text)
        self.assertIn("200ms", text)

    def test_check(self):
        path = self.config(config_text({
            "watchdog": {"node": "/run/n.sock", "sample_interval": "1min 30s",
                         "plugin_directory": plugins()},
            "trigger:srtt": {"threshold": "150ms"}}))
        status, out, err = self.run_daemon("--config", path, "--check")
        self.assertEqual((status, err), (0, ""))
        for part in ("1min 30s", "150ms", f"{path}:3", "[trigger:srtt]", "strikes", "default"):
            self.assertIn(part, out)

    def test_check_warns_and_does_not_refuse(self):
        path = self.config(config_text({
            "watchdog": {"node": "/run/n.sock", "choose": "no", "return": "never",
                         "plugin_directory": plugins()},
            "uplink:home": {"interface": "eth0"}}))
        status, out, err = self.run_daemon("--config", path, "--check")
        self.assertEqual(status, 0)
        self.assertRegex(out, rf"(?m)^return = never +# {path}:4$")
        self.assertRegex(out, rf"(?m)^class = primary +# default$")
        first, second = err.splitlines()
        self.assertIn(f"pathdog: warning: {path}:7: [uplink:home]: is the only uplink", first)
        self.assertIn(f"pathdog: warning: {path}:4: [watchdog] return: has no effect", second)

    def test_check_needs_no_node_and_starts_nothing(self):
        path = self.config()
        self.assertEqual(self.run_daemon("--config", path, "--check")[0], 0)
        self.assertFalse(os.path.exists(f"{self.directory}/ctl"))

    def test_drop_ins_in_name_order(self):
        path = self.config()
        os.mkdir(path + ".d")
        for name, value in (("20-b.conf", "3s"), ("10-a.conf", "2s"), ("30-c.txt", "4s"),
                            (".hidden.conf", "5s")):
            with open(f"{path}.d/{name}", "w") as file:
                file.write(f"[watchdog]\nsample_interval = {value}\n")
        status, out, err = self.run_daemon("--config", path, "--check")
        self.assertEqual(status, 0, err)
        line = [text for text in out.splitlines() if "sample_interval" in text][0]
        self.assertIn("3s", line)
        self.assertIn("20-b.conf:2", line)

    def test_a_drop_in_adds_a_trigger(self):
        path = self.config()
        os.mkdir(path + ".d")
        with open(f"{path}.d/x.conf", "w") as file:
            file.write("[trigger:srtt]\nthreshold = 123ms\n")
        self.assertIn("123ms", self.run_daemon("--config", path, "--check")[1])

    def test_a_bad_drop_in_is_named(self):
        path = self.config()
        os.mkdir(path + ".d")
        with open(f"{path}.d/x.conf", "w") as file:
            file.write("\n[watchdog]\nsample_interval = never\n")
        status, out, err = self.run_daemon("--config", path, "--check")
        self.assertEqual(status, 2)
        self.assertIn("x.conf:3", err)

    @cases({"no file": (), "unknown option": ("--colour",), "log unknown": ("x", "--log", "xml")})
    def test_replay_bad_arguments(self, *args):
        self.assertEqual(run_tool(replay_program(), *args)[0], 2)

    def test_replay_of_nothing(self):
        status, out, err = run_tool(replay_program(), f"{self.directory}/nothing")
        self.assertNotEqual(status, 0)
        self.assertTrue(err)

    @cases({"empty": b"", "rubbish": b"rubbish\n", "other json": b'{"a":1}\n', "binary": b"\0\xff"})
    def test_replay_of_rubbish(self, data):
        path = f"{self.directory}/recording"
        with open(path, "wb") as file:
            file.write(data)
        status, out, err = run_tool(replay_program(), path)
        self.assertIn(status, (1, 2))
        self.assertTrue(err)


# (section, key, value) that must be refused; the message names FILE:LINE.
VALUES = {
    "mode": ("watchdog", "mode", "aggressive"),
    "mode empty": ("watchdog", "mode", ""),
    "interval 0": ("watchdog", "sample_interval", "0"),
    "interval negative": ("watchdog", "sample_interval", "-1s"),
    "interval decimal": ("watchdog", "sample_interval", "1.5s"),
    "interval without number": ("watchdog", "sample_interval", "s"),
    "interval unit": ("watchdog", "sample_interval", "5 fortnights"),
    "interval unit in capitals": ("watchdog", "sample_interval", "5S"),
    "interval text": ("watchdog", "sample_interval", "often"),
    "interval empty": ("watchdog", "sample_interval", ""),
    "interval huge": ("watchdog", "sample_interval", "99999999999999999999s"),
    "interval overflow": ("watchdog", "sample_interval", "18446744073709552000us"),
    "interval with exponent": ("watchdog", "sample_interval", "1e3ms"),
    "interval hex": ("watchdog", "sample_interval", "0x10s"),
    "bare number after a unit": ("watchdog", "sample_interval", "1min 30"),
    "close interval 0": ("watchdog", "close_interval", "0s"),
    "timeout 0": ("watchdog", "migrate_timeout", "0ms"),
    "timeout max 0": ("watchdog", "timeout_max", "0"),
    "max in flight 0": ("watchdog", "max_in_flight", "0"),
    "max in flight text": ("watchdog", "max_in_flight", "many"),
    "max in flight with unit": ("watchdog", "max_in_flight", "10s"),
    "max in flight decimal": ("watchdog", "max_in_flight", "2.5"),
    "retries negative": ("watchdog", "retries", "-1"),
    "burst 0": ("watchdog", "move_burst", "0"),
    "refill 0": ("watchdog", "move_refill", "0"),
    "peers 0": ("watchdog", "max_peers", "0"),
    "close max 0": ("watchdog", "close_max", "0"),
    "close max over the protocol's": ("watchdog", "close_max", "4097"),
    "kept 0": ("watchdog", "decisions_kept", "0"),
    "prefer": ("watchdog", "prefer", "teleport"),
    "fallback": ("watchdog", "fallback", "pray"),
    "choose": ("watchdog", "choose", "perhaps"),
    "return": ("watchdog", "return", "sometimes"),
    "effect window 0": ("watchdog", "effect_window", "0"),
    "fallback after 0": ("watchdog", "fallback_after", "0"),
    "backoff 0": ("watchdog", "backoff_min", "0"),
    "node relative": ("watchdog", "node", "run/node.sock"),
    "node empty": ("watchdog", "node", ""),
    "node too long": ("watchdog", "node", "/" + "x" * 108),
    "unknown key": ("watchdog", "sample_intervall", "5s"),
    "key in capitals": ("watchdog", "Mode", "active"),
    "srtt threshold 0": ("trigger:srtt", "threshold", "0"),
    "srtt threshold text": ("trigger:srtt", "threshold", "slow"),
    "srtt strikes 0": ("trigger:srtt", "strikes", "0"),
    "srtt strikes time": ("trigger:srtt", "strikes", "2s"),
    "srtt unknown key": ("trigger:srtt", "treshold", "200ms"),
    "srtt enabled": ("trigger:srtt", "enabled", "perhaps"),
    "settle text": ("trigger:route", "settle", "soon"),
    "unknown trigger": ("trigger:sert", "threshold", "200ms"),
    "unknown section": ("watchdogs", "mode", "active"),
    "trigger without a name": ("trigger:", "x", "1"),
    "trigger with a path": ("trigger:../srtt", "threshold", "200ms"),
    "trigger with an empty label": ("trigger:srtt:", "threshold", "200ms"),
}

GOOD = {
    "us": ("watchdog", "sample_interval", "500000us"),
    "ms": ("watchdog", "sample_interval", "50ms"),
    "s": ("watchdog", "sample_interval", "5s"), "min": ("watchdog", "sample_interval", "2min"),
    "h": ("watchdog", "sample_interval", "1h"), "d": ("watchdog", "cooldown_max", "1d"),
    "bare": ("watchdog", "sample_interval", "7"),
    "several": ("watchdog", "sample_interval", "1min 30s"),
    "several without a space": ("watchdog", "sample_interval", "1min30s"),
    "space before the unit": ("watchdog", "sample_interval", "5 s"),
    "comment behind": ("watchdog", "sample_interval", "5s     # five"),
    "observe": ("watchdog", "mode", "observe"), "prefer": ("watchdog", "prefer", "reconnect"),
    "no retries": ("watchdog", "retries", "0"), "abstract": ("watchdog", "node_user", "root"),
    "uplink": ("uplink:lte", "class", "metered"),
    "yes": ("trigger:srtt", "enabled", "yes"), "no": ("trigger:srtt", "enabled", "no"),
    "true": ("trigger:srtt", "enabled", "true"), "false": ("trigger:srtt", "enabled", "false"),
    "on": ("trigger:srtt", "enabled", "on"), "off": ("trigger:srtt", "enabled", "off"),
    "1": ("trigger:srtt", "enabled", "1"), "0": ("trigger:srtt", "enabled", "0"),
    "globs": ("trigger:srtt:overseas", "match", "*@au-* *@nz-*"),
    "factor 0": ("trigger:srtt", "factor", "0"),
    "settle 0": ("trigger:route", "settle", "0"),
    "ignore": ("trigger:route", "ignore", "docker* veth*"),
    "fraction": ("trigger:congestion", "cwnd_fraction", "1/8"),
}


class Config(Cli):
    def text(self, section, key, value):
        base = {"node": f"{self.directory}/node", "control": f"{self.directory}/ctl",
                "plugin_directory": plugins(),
                "state_directory": f"{self.directory}/state"}
        if section == "watchdog":
            base.pop(key, None)
            return config_text({"watchdog": {**base, key: value}}), len(base) + 2
        return config_text({"watchdog": base, section: {key: value}}), len(base) + 4

    @cases(VALUES)
    def test_refused(self, section, key, value):
        text, line = self.text(section, key, value)
        path = self.config(text)
        status, out, err = self.run_daemon("--config", path, "--check")
        self.assertEqual((status, out), (2, ""), err)
        # a section's error may stand at the section's own line, one before the key
        self.assertRegex(err, rf"{path}:({line}|{line - 1})\b")
        without = self.run_daemon("--config", path)
        self.assertEqual(without[0], 2)
        self.assertEqual(without[2], err)

    @cases({"time": ("sample_interval", "never", ("1h",)), "mode": ("mode", "x", ("observe",)),
            "prefer": ("prefer", "x", ("migrate", "reconnect")),
            "count": ("close_max", "0", ("1", "4096"))})
    def test_says_what_was_read_and_what_is_allowed(self, key, value, allowed):
        text, line = self.text("watchdog", key, value)
        err = self.run_daemon("--config", self.config(text), "--check")[2]
        for part in (key, value) + allowed:
            self.assertIn(part, err)

    @cases(GOOD)
    def test_accepted(self, section, key, value):
        text, _ = self.text(section, key, value)
        status, out, err = self.run_daemon("--config", self.config(text), "--check")
        errors = [line for line in err.splitlines() if not line.startswith("pathdog: warning: ")]
        self.assertEqual((status, errors), (0, []))
        self.assertIn(key, out)

    BROKEN = {
        "the same section twice": ("[watchdog]\nnode=/a\n[watchdog]\nmode=active\n", 3),
        "the same trigger twice": ("[watchdog]\nnode=/a\n[trigger:srtt]\n[trigger:srtt]\n", 4),
        "a key before any section": ("mode = active\n[watchdog]\nnode=/a\n", 1),
        "no equals": ("[watchdog]\nnode=/a\nmode active\n", 3),
        "section without its end": ("[watchdog\nnode=/a\n", 1),
        "no key": ("[watchdog]\nnode=/a\n= 5\n", 3),
    }

    @cases(BROKEN)
    def test_broken(self, text, line):
        if "trigger:" in text:
            directory = plugins()
            text = text.replace("node=/a\n", f"node=/a\nplugin_directory={directory}\n")
            line += 1
        path = self.config(text)
        status, out, err = self.run_daemon("--config", path, "--check")
        self.assertEqual((status, out), (2, ""))
        self.assertIn(f"{path}:{line}", err)

    def test_no_node(self):
        status, out, err = self.run_daemon("--config", self.config("[watchdog]\nmode=active\n"))
        self.assertEqual(status, 2)
        self.assertIn("node", err)

    def test_abstract_without_a_user(self):
        path = self.config("[watchdog]\nnode=@x\n")
        status, out, err = self.run_daemon("--config", path, "--check")
        self.assertEqual(status, 2)
        self.assertIn("node_user", err)

    def test_comments_and_blanks(self):
        directory = plugins()
        path = self.config("# a comment\n; another\n\n  [watchdog]\nnode = /a   ; why\n"
                           f"\tmode=observe\nplugin_directory={directory}\n\n")
        status, out, err = self.run_daemon("--config", path, "--check")
        self.assertEqual((status, err), (0, ""))

    def test_no_such_plugin_directory(self):
        path = self.config(config_text({"watchdog": {"node": "/a", "plugin_directory": "/nope"},
                                        "trigger:srtt": {}}))
        status, out, err = self.run_daemon("--config", path, "--check")
        self.assertEqual(status, 2)
        self.assertIn("/nope", err)

    def test_a_plugin_directory_that_others_may_write(self):
        path = os.path.join(self.directory, "plugins")
        os.mkdir(path)
        with open(os.path.join(plugins(), "srtt.so"), "rb") as source:
            with open(os.path.join(path, "srtt.so"), "wb") as file:
                file.write(source.read())
        os.chmod(path, 0o777)
        config = self.config(config_text({"watchdog": {"node": "/a", "plugin_directory": path},
                                          "trigger:srtt": {}}))
        self.assertEqual(self.run_daemon("--config", config, "--check")[0], 2)
        os.chmod(path, 0o755)
        self.assertEqual(self.run_daemon("--config", config, "--check")[0], 0)
        os.chmod(os.path.join(path, "srtt.so"), 0o666)
        self.assertEqual(self.run_daemon("--config", config, "--check")[0], 2)
