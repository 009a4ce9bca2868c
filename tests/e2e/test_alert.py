# SPDX-License-Identifier: Apache-2.0
"""pathdog-alert(8): the program of [alert] is run for what is said there, once, with the record on
its standard input. What it may not do is in tests/hostile/test_alert.py."""

import json
import os
import signal
import socket
import subprocess

from alert_case import AlertCase
from case import cases
from watchdog import environment, program, run_tool


def alert_program():
    return program("pathdog-alert", "PATHDOG_ALERT")


class Told(AlertCase):
    def failing(self, peers=1, **hello):
        """A node that refuses every move."""
        node, dog = self.pair(peers=peers, watchdog={"retries": "0", "backoff_min": "1ms",
                                                     "backoff_max": "1ms", "move_burst": "1000"},
                              **hello)
        node.on("migrate_peer", lambda request: request.error(-32000, "internal"))
        return node, dog

    def test_a_record_is_given_whole(self):
        node, dog = self.failing()
        alert = self.follow(dog, on="failed")
        dog.moved()
        record = dog.wait_record("outcome", outcome=lambda text: text != "migrated")
        told = self.wait_told("failed")
        self.assertEqual({k: v for k, v in told.items() if k not in ("event", "sentence")}, record)
        self.assertRegex(told["sentence"], r"^p1@h: migrate failed after \d+ ms: ")
        self.wait_said(alert, r"failed: .*/alert has ended with status 0 after \d+\.\d s; told: p1@h: migrate failed")

    def test_the_environment_is_clean(self):
        os.environ["ALERT_SECRET"] = "x"
        self.addCleanup(os.environ.pop, "ALERT_SECRET")
        node, dog = self.failing()
        self.follow(dog, on="failed")
        dog.moved()
        told = self.wait_told("failed")
        self.wait_until(lambda: self.environments(), "an environment")
        env = self.environments()[0]
        shell = {"PWD", "OLDPWD", "SHLVL", "_"}
        self.assertEqual(set(env) - shell, {
            "PATH", "LANG", "HOME", "PATHDOG_EVENT", "PATHDOG_RECORD", "PATHDOG_SENTENCE",
            "PATHDOG_PEER", "PATHDOG_RUN", "PATHDOG_CONTROL"})
        self.assertEqual((env["PATHDOG_EVENT"], env["PATHDOG_RECORD"], env["PATHDOG_PEER"], env["PWD"],
                          env["PATHDOG_CONTROL"], env["PATHDOG_RUN"]),
                         ("failed", "outcome", "p1@h", "/", dog.control, told["run"]))
        self.assertEqual(env["PATHDOG_SENTENCE"], told["sentence"])

    def test_the_node_goes_and_comes(self):
        node, dog = self.pair()
        self.follow(dog, on="node-*")
        node.stop()
        down = self.wait_told("node-down")
        self.assertEqual((down["record"], down["state"]), ("node", "down"))
        node.start()
        up = self.wait_told("node-up")
        self.assertEqual((up["record"], up["state"]), ("node", "up"))

    def test_a_node_that_is_down_at_the_start(self):
        node = self.node(start=False)
        dog = self.dog(node)
        self.follow(dog, on="node-*")
        self.wait_told("node-down")

    def test_the_node_does_not_answer(self):
        node, dog = self.pair(triggers={"tunnel": {}, "stall": {}})
        self.follow(dog, on="node-silent node-answers broken")
        node.quiet()
        silent = self.wait_told("node-silent")
        self.assertEqual((silent["record"], silent["grade"]), ("check", "broken"))
        self.assertIn("node-silent", [reason["what"] for reason in silent["reasons"]])
        self.wait_told("broken")

    def test_an_uplink_is_held_and_released(self):
        node, dog = self.pair(features=["summaries_push", "bind"])
        self.follow(dog, on="uplink-*")
        names = [u["uplink"] for u in self.client(dog).result("uplinks")["uplinks"]]
        if not names:
            self.skipTest("this machine has no interface with a default route")
        self.ctl(dog, "hold", "--uplink", names[0])
        held = self.wait_told("uplink-held")
        self.assertEqual((held["record"], held["uplink"]), ("uplink", names[0]))
        self.ctl(dog, "release", "--uplink", names[0])
        self.wait_told("uplink-released")

    def test_only_what_is_wanted(self):
        node, dog = self.failing(peers=2)
        self.follow(dog, on="failed", match="p2@*")
        dog.moved("p1@h")
        dog.wait_record("outcome", conn=1)
        dog.moved("p2@h")
        self.assertEqual(self.wait_told()["peer"], "p2@h")

    def test_a_flood_is_summed_up(self):
        node, dog = self.failing(peers=60)
        self.follow(dog, on="failed", burst="3", every="1s")
        dog.moved()
        dog.wait_record("outcome", nth=60)
        self.wait_told("failed", nth=4)
        self.wait_until(lambda: sum(t.get("count", 1) for t in self.told()) >= 60, "all 60 are told")
        told = self.told()
        self.assertEqual([t["record"] for t in told[:4]], ["outcome"] * 3 + ["summary"])
        # None twice: what one moved() leads to is 60 records, and each is in one call.
        self.assertEqual(sum(t.get("count", 1) for t in told),
                         len(dog.records("outcome", outcome=lambda text: text != "migrated")))
        summary = told[3]
        self.assertEqual(summary["events"], {"failed": summary["count"]})
        self.assertRegex(summary["sentence"], r"^and \d+ more: \d+ failed; the gravest: p\d+@h")
        self.assertEqual(summary["worst"]["record"], "outcome")


class Broken(AlertCase):
    """Connections that end, daemons that go: nothing is told twice, and nothing left out that
    pathdog remembers."""

    def failing(self, **watchdog):
        node, dog = self.pair(watchdog={"retries": "0", "backoff_min": "1ms", "backoff_max": "1ms",
                                        "move_burst": "1000", **watchdog})
        node.on("migrate_peer", lambda request: request.error(-32000, "internal"))
        return node, dog

    def fail(self, dog, count):
        """So many outcomes more: their requests."""
        for _ in range(count):
            have = len(dog.records("outcome"))
            dog.moved()
            dog.wait_for(lambda: len(dog.records("outcome")) > have, what="an outcome")
        return self.requests(dog)

    def requests(self, dog):
        return [(r["run"], r["request"]) for r in dog.records("outcome")]

    def told_requests(self):
        return [(t["run"], t["request"]) for t in self.told("failed")]

    def test_it_stands_still_for_a_while(self):
        """Stopped, it reads nothing; what comes meanwhile is told afterwards, once."""
        node, dog = self.failing()
        alert = self.follow(dog, on="failed", burst="1000")
        self.fail(dog, 2)
        self.wait_told("failed", nth=2)
        alert.process.send_signal(signal.SIGSTOP)
        self.fail(dog, 3)
        alert.process.send_signal(signal.SIGCONT)
        self.wait_told("failed", nth=5)
        self.assertEqual(self.told_requests(), self.requests(dog))

    @cases({"ended": signal.SIGTERM, "killed": signal.SIGKILL})
    def test_it_is_restarted(self, how):
        node, dog = self.failing()
        keep = os.path.join(self.directory, "keep")
        os.mkdir(keep)
        alert = self.follow(dog, keep=keep, on="failed", burst="1000")
        self.fail(dog, 2)
        self.wait_told("failed", nth=2)
        last = self.requests(dog)[-1]
        if how == signal.SIGKILL:
            self.wait_until(lambda: self.kept(keep) == last, "how far it has read is kept")
        self.assertEqual(alert.stop(how), 0 if how == signal.SIGTERM else -how)
        self.assertEqual((os.listdir(keep), self.kept(keep)), (["position.json"], last))
        self.fail(dog, 3)
        self.follow(dog, keep=keep, on="failed", burst="1000")
        self.wait_told("failed", nth=5)
        self.fail(dog, 1)
        self.wait_told("failed", nth=6)
        self.assertEqual(self.told_requests(), self.requests(dog))

    def test_two_on_one_directory(self):
        """The first one keeps how far it has read; the other one says that it does not, and tells all the same."""
        node, dog = self.failing()
        keep = os.path.join(self.directory, "keep")
        os.mkdir(keep)
        first = self.follow(dog, keep=keep, on="failed", burst="1000")
        second = self.follow(dog, keep=keep, on="failed", burst="1000")
        self.wait_said(second, "another pathdog-alert keeps in .*/keep how far it has read")
        self.fail(dog, 2)
        self.wait_told("failed", nth=4)
        last = self.requests(dog)[-1]
        self.assertEqual(first.stop(), 0)
        self.assertEqual(self.kept(keep), last)
        self.fail(dog, 1)
        self.wait_told("failed", nth=5)
        self.assertEqual(second.stop(), 0)
        self.assertEqual(self.kept(keep), last, "it is the first one's")
        third = self.follow(dog, keep=keep, on="failed", burst="1000")
        self.wait_told("failed", nth=6)
        self.assertEqual(third.said("another pathdog-alert"), [])

    @staticmethod
    def kept(directory):
        """The run and the request of the last record that was read, by what was kept."""
        try:
            with open(os.path.join(directory, "position.json")) as file:
                saved = json.load(file)
        except FileNotFoundError:
            return None
        return saved["run"], saved.get("last", {}).get("request")

    def test_it_is_started_late(self):
        """Without a position what was before is history."""
        node, dog = self.failing()
        self.fail(dog, 3)
        self.follow(dog, on="failed")
        wanted = self.fail(dog, 1)[-1]
        self.wait_told("failed")
        self.assertEqual(self.told_requests(), [wanted])

    def test_pathdog_is_restarted(self):
        node, dog = self.failing()
        alert = self.follow(dog, on="failed pathdog-*", burst="1000")
        self.fail(dog, 2)
        self.wait_told("failed", nth=2)
        first = self.requests(dog)
        self.assertEqual(dog.finish(), [])
        self.wait_said(alert, "cannot follow pathdog: .*; it keeps trying")
        again = self.dog(node, name="again", watchdog={
            "retries": "0", "backoff_min": "1ms", "backoff_max": "1ms", "move_burst": "1000",
            "control": dog.control}, start=False)
        again.start()
        again.wait_record("peer", state="up", conn=1)
        self.fail(again, 2)
        self.wait_told("failed", nth=4)
        self.wait_said(alert, "follows pathdog", nth=2)
        self.assertEqual(self.told_requests(), first + self.requests(again))
        self.assertEqual(self.told("pathdog-down"), [])  # less than 10 s

    def test_pathdog_is_gone(self):
        node, dog = self.failing()
        self.follow(dog, on="pathdog-*")
        self.assertEqual(dog.finish(), [])
        down = self.wait_told("pathdog-down", deadline=30)
        self.assertEqual((down["record"], down["state"]), ("pathdog", "down"))
        self.assertIn(dog.control, down["sentence"])

    @cases({"no JSON": b"hello\n", "a strange answer": b'{"jsonrpc":"2.0","id":1,"result":3}\n',
            "an answer without a run": b'{"jsonrpc":"2.0","id":1,"result":{}}\n',
            "an error": b'{"jsonrpc":"2.0","id":null,"error":{"code":-32042,"message":"full"}}\n',
            "a number": b"7\n", "the end": b""})
    def test_somebody_else_listens_there(self, answer):
        node, dog = self.failing()
        path = os.path.join(self.directory, "other.ctl")
        dog.sections["watchdog"]["control"] = path
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen(8)
            alert = self.follow(dog, wait=False, on="failed")
            for _ in range(3):
                connection, _ = listener.accept()
                connection.sendall(answer)
                connection.close()
        self.wait_said(alert, "cannot follow pathdog: " + path)
        self.assertEqual(alert.stop(), 0)


class Configured(AlertCase):
    def test_a_reload_changes_what_is_told(self):
        node, dog = self.pair()
        alert = self.follow(dog, on="failed")
        node.stop()
        dog.wait_record("node", state="down")
        node.start()
        dog.wait_record("node", state="up", nth=2)
        self.section(dog, on="node-down")
        alert.process.send_signal(signal.SIGHUP)
        self.wait_said(alert, "reloaded ")
        node.stop()
        self.wait_told("node-down")
        self.assertEqual(len(self.told()), 1)

    def test_a_bad_reload_changes_nothing(self):
        node, dog = self.pair()
        alert = self.follow(dog, on="node-down")
        self.section(dog, on="nonsense")
        alert.process.send_signal(signal.SIGHUP)
        self.wait_said(alert, r'cannot reload, and goes on as before: .*\.conf:\d+: \[alert\] on: '
                              r'"nonsense" is no event')
        node.stop()
        self.wait_told("node-down")

    def test_without_a_section_it_waits_for_one(self):
        node, dog = self.pair()
        alert = self.follow(dog, wait=False, on="node-down")
        self.wait_said(alert, "follows pathdog")
        del dog.sections["alert"]
        dog.write_config()
        alert.process.send_signal(signal.SIGHUP)
        self.wait_said(alert, r"has no section \[alert\]: no program is run")
        self.section(dog, on="node-down")
        alert.process.send_signal(signal.SIGHUP)
        self.wait_said(alert, "follows pathdog", nth=2)
        node.stop()
        self.wait_told("node-down")

    def test_pathdog_takes_the_section(self):
        """It is checked, recorded and replayed, and a reload says what is new in it."""
        node, dog = self.pair()
        self.section(dog, on="node-down")
        dog.process.send_signal(signal.SIGHUP)
        self.assertIn("new: [alert]", dog.notice("reloaded")["text"])

    def test_check(self):
        node, dog = self.pair()
        self.section(dog, on="broken ok")
        status, out, err = run_tool(alert_program(), "--config", dog.config, "--check")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^\[alert\]  # .*\.conf:\d+\nprogram = .*/alert +# .*\non = broken ok ")
        status, out, err = run_tool(program("pathdog", "PATHDOG"), "--config", dog.config, "--check")
        self.assertEqual(status, 0, err)
        self.assertIn("\n[alert]  # ", out)

    @cases({"not there": (None, "No such file"), "not executable": (0o644, "is not executable"),
            "others may write it": (0o757, "may be written by others than its owner")})
    def test_a_bad_program(self, mode, said):
        node, dog = self.pair()
        self.section(dog)
        path = dog.sections["alert"]["program"]
        if mode is None:
            os.unlink(path)
        else:
            os.chmod(path, mode)
        for tool in (alert_program(), program("pathdog", "PATHDOG")):
            status, _, err = run_tool(tool, "--config", dog.config, "--check")
            self.assertEqual(status, 2, err)
            self.assertRegex(err, r"\.conf:\d+: \[alert\] program: ")
            self.assertIn(said, err)
        status, _, err = run_tool(alert_program(), "--config", dog.config)
        self.assertEqual(status, 2, err)

    def test_no_section(self):
        node, dog = self.pair()
        dog.write_config()
        for word in ("--check", "--test"):
            status, _, err = run_tool(alert_program(), "--config", dog.config, word)
            self.assertEqual(status, 2)
            self.assertIn("there is no section [alert]", err)

    @cases({"an unknown option": (["--nonsense"], "unknown option --nonsense"),
            "a word": (["word"], 'unexpected argument "word"'),
            "no such event": (["--test", "node-dwn"], "did you mean node-down?"),
            "two events": (["--test", "ok", "broken"], 'unexpected argument "broken"'),
            "a bad instance": (["--instance", "../x"], "--instance ../x: allowed is a name"),
            "a missing file": (["--config", "/nowhere"], "/nowhere: No such file")})
    def test_bad_arguments(self, words, said):
        status, _, err = run_tool(alert_program(), *words)
        self.assertEqual(status, 2, err)
        self.assertIn(said, err)

    def test_a_trial(self):
        node, dog = self.pair()
        dog.sections["alert"] = {"program": self.script("cat; echo to stderr >&2; exit ${1:-0}", "alert")}
        dog.write_config()
        status, out, err = run_tool(alert_program(), "--config", dog.config, "--test", "uplink-down")
        self.assertEqual((status, err), (0, ""))
        lines = out.splitlines()
        record = json.loads(lines[0].split(": ", 1)[1])
        self.assertEqual((record["record"], record["change"], record["event"]),
                         ("uplink", "down", "uplink-down"))
        self.assertIn("/alert: to stderr", out)
        self.assertRegex(lines[-1], r"/alert has ended with status 0 after \d\.\d s$")
        dog.sections["alert"]["program"] += " 7"
        dog.write_config()
        status, out, err = run_tool(alert_program(), "--config", dog.config, "--test")
        self.assertEqual(status, 1)
        self.assertIn("has ended with status 7", out)
