# SPDX-License-Identifier: Apache-2.0
"""The process: start, stop, reload, restart, and who may stand still without stopping it."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from case import Case, cases
from node import PATIENCE, SLACK
from watchdog import replay_program, run_tool

SRTT = {"srtt": {"threshold": "200ms", "strikes": "1"}}
PATIENT = {"migrate_timeout": "10min", "timeout_max": "10min"}


class Stop(Case):
    def test_sigterm(self):
        node, dog = self.pair()
        self.assertEqual(dog.terminate(), 0)
        dog.wait_for(lambda: "STOPPING=1" in "\n".join(dog.states), what="STOPPING=1")

    def test_without_a_node(self):
        dog = self.dog(self.node(start=False))
        self.assertEqual(dog.terminate(), 0)

    def test_while_the_node_says_nothing(self):
        node = self.node()
        node.on("hello", lambda r: None)
        dog = self.dog(node)
        node.wait_request("hello")
        self.assertEqual(dog.terminate(), 0)

    def test_with_open_requests_and_a_queue(self):
        node, dog = self.pair(peers=5, max_in_flight=2)
        node.on("migrate_peer", lambda r: None)
        dog.moved()
        dog.decision("queued", nth=3)
        self.assertEqual(dog.terminate(), 0)
        self.assertEqual([r["outcome"] for r in dog.records("outcome")], ["unanswered"] * 2)

    def test_nothing_but_records_on_standard_output(self):
        node, dog = self.pair()
        dog.moved()
        dog.outcome("migrated")
        self.assertEqual(dog.terminate(), 0)
        self.assertEqual(dog.garbage, [])
        self.assertTrue(dog.raw[-1].endswith(b"\n"))

    def test_status_says_whether_the_node_is_there(self):
        def status():
            lines = [line for state in dog.states for line in state.split("\n")]
            return [line for line in lines if line.startswith("STATUS=")][-1:]
        node = self.node(start=False)
        dog = self.dog(node)
        without = dog.wait_for(status, what="a status")
        node.start()
        dog.wait_record("node", state="up")
        dog.wait_for(lambda: status() != without, what="another status")
        with_it = status()
        node.stop()
        dog.wait_for(lambda: status() != with_it, what="another status again")

    def test_the_watchdog_of_systemd_is_fed(self):
        dog = self.dog(self.node(), env={"WATCHDOG_USEC": "400000"})
        dog.wait_for(lambda: sum("WATCHDOG=1" in state for state in dog.states) >= 3)

    def test_run_is_the_invocation(self):
        node = self.node()
        dog = self.dog(node, env={"INVOCATION_ID": "0123456789abcdef0123456789abcdef"})
        self.assertEqual(dog.wait_record("node")["run"], "0123456789abcdef0123456789abcdef")

    def test_run_is_another_each_time(self):
        node = self.node()
        first = self.dog(node)
        run = first.wait_record("node")["run"]
        self.assertEqual(first.finish(), [])
        second = self.dog(node)
        self.assertNotEqual(second.wait_record("node")["run"], run)


class Replay(Case):
    def test_as_text(self):
        node, dog = self.pair()
        dog.moved()
        dog.outcome("migrated")
        self.assertEqual(dog.terminate(), 0)
        status, out, err = run_tool(replay_program(), dog.recording, "--log", "text")
        self.assertEqual(status, 0, err)
        self.assertIn("p1@h", out)

    def test_under_another_config(self):
        node = self.node()
        node.add("p1@h", 1).set(srtt_us=300000)
        dog = self.dog(node, None, SRTT)
        dog.outcome("migrated")
        self.assertEqual(dog.terminate(), 0)
        other = os.path.join(self.directory, "other.conf")
        dog.sections["trigger:srtt"]["threshold"] = "400ms"
        dog.config, mine = other, dog.config
        dog.write_config()
        dog.config = mine
        status, out, err = run_tool(replay_program(), dog.recording, "--config", other, "--log",
                                    "json")
        self.assertEqual(status, 0, err)
        self.assertNotIn('"decision"', out)

    def test_a_recording_that_was_cut_off(self):
        node, dog = self.pair()
        dog.moved()
        dog.outcome("migrated")
        dog.wait_for(lambda: b'"event":"answer"' in open(dog.recording, "rb").read(),
                     what="the answer, written to the recording by its thread")
        dog.destroy()
        dog.finished = True
        whole = open(dog.recording, "rb").read()
        with open(dog.recording, "wb") as file:
            file.write(whole[:-7])
        status, out, err = run_tool(replay_program(), dog.recording, "--log", "json")
        self.assertIn(status, (0, 1), err)
        self.assertIn('"decision"', out)


class Reload(Case):
    def reload(self, dog):
        dog.write_config()
        count = len(dog.states)
        dog.process.send_signal(signal.SIGHUP)
        dog.wait_for(lambda: any("READY=1" in s for s in dog.states[count:]), what="reloaded")

    def test_a_new_threshold(self):
        node = self.node()
        peer = node.add("p1@h", 1).set(srtt_us=300000)
        dog = self.dog(node, None, {"srtt": {"threshold": "500ms", "strikes": "1"}})
        node.wait_rounds(4)
        self.assertEqual(dog.records("decision"), [])
        dog.sections["trigger:srtt"]["threshold"] = "200ms"
        self.reload(dog)
        self.assertEqual(dog.decision("migrate")["conn"], peer.conn)
        self.assertEqual(len(node.links), 1)
        notice = dog.wait_record("notice", what="reloaded")
        self.assertEqual(notice["text"], "[trigger:srtt] threshold: 500ms → 200ms")

    def test_a_trigger_more_and_one_less(self):
        node = self.node()
        node.add("p1@h", 1).set(srtt_us=300000)
        dog = self.dog(node)
        node.wait_rounds(1)
        dog.sections["trigger:srtt"] = {"threshold": "200ms", "strikes": "1"}
        del dog.sections["trigger:tunnel"]
        self.reload(dog)
        dog.decision("migrate", trigger="srtt")
        self.assertFalse(os.path.exists(dog.notify_path))

    def test_observe(self):
        node, dog = self.pair()
        dog.sections["watchdog"]["mode"] = "observe"
        self.reload(dog)
        dog.moved()
        dog.decision("observing")

    @cases({"unknown key": ("watchdog", "colour", "red"),
            "bad value": ("trigger:tunnel", "enabled", "perhaps"),
            "unknown trigger": ("trigger:nothing", "x", "1")})
    def test_a_bad_file_leaves_it_in_force(self, section, key, value):
        node, dog = self.pair()
        dog.sections.setdefault(section, {})[key] = value
        self.reload(dog)
        notice = dog.wait_record("notice", text=lambda text: dog.config in text)
        self.assertEqual(notice["level"], "error")
        dog.moved()
        dog.decision("migrate")


class Restart(Case):
    def again(self, node, kill=False, boot=None, watchdog=None, triggers=None):
        """Ends the first daemon, lets a second one start in the same state directory."""
        first = self.dogs[-1]
        if kill:
            first.process.kill()
            first.process.wait()
            first.finished = True
        else:
            self.assertEqual(first.finish(), [])
        if boot:
            node.restart(boot)
        second = self.dog(node, watchdog, triggers)
        node.wait_rounds(1)
        return second

    def test_disabled_is_kept(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32003))
        dog.moved()
        dog.outcome("disabled")
        second = self.again(node)
        second.moved()
        second.decision("disabled")
        self.assertEqual(len(node.moves()), 1)

    def test_not_for_another_boot_of_the_node(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32003))
        dog.moved()
        dog.outcome("disabled")
        second = self.again(node, boot="boot-2")
        second.moved()
        second.decision("migrate")

    def test_tokens_are_kept(self):
        watchdog = {"move_burst": "1", "move_refill": "1h"}
        dead = {"send-errors": {}}
        node, dog = self.pair(watchdog=watchdog, triggers=dead)
        node.report("send_errors")
        node.peers[1].set(send_errors=3)
        dog.outcome("migrated")
        second = self.again(node, watchdog=watchdog, triggers=dead)
        node.peers[1].set(send_errors=0)
        node.wait_rounds(2)
        node.peers[1].set(send_errors=3)
        second.decision("damped")

    def test_after_a_kill_it_is_said_once(self):
        node, dog = self.pair()
        second = self.again(node, kill=True)
        second.wait_record("notice", text=lambda text: "unclean" in text)
        third = self.again(node)
        self.assertEqual([r for r in third.records("notice") if "unclean" in r["text"]], [])

    def test_after_a_kill_nothing_is_sent_again(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: None)
        dog.moved()
        node.wait_request("migrate_peer")
        second = self.again(node, kill=True)
        node.wait_rounds(5)
        self.assertEqual(len(node.moves()), 1)
        self.assertEqual(second.records("decision"), [])

    def test_holds_are_kept(self):
        def hold(dog, **params):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(10 * PATIENCE)
                sock.connect(dog.control)
                sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "hold",
                                         "params": params}).encode() + b"\n")
                self.assertIn("result", json.loads(sock.makefile().readline()))
        node, dog = self.pair(peers=2)
        hold(dog, peer="p1@h", for_us=3600 * 10**6)
        second = self.again(node)
        second.moved()
        second.decision("held", conn=1)
        second.decision("migrate", conn=2)
        hold(second, all=True)
        third = self.again(node, boot="boot-2")  # by name: another boot of the node is no matter
        third.moved("p1@h")
        third.decision("held", conn=1)
        third.moved("p2@h")
        third.decision("held", conn=2)

    def state_file(self):
        with open(os.path.join(self.directory, "state", "state.json")) as file:
            return file.read()

    def test_disabled_is_kept_after_a_kill(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32003))
        dog.moved()
        dog.outcome("disabled")
        dog.wait_for(lambda: '"disabled":true' in self.state_file(), what="it is in the file")
        second = self.again(node, kill=True)
        second.notice("unclean-stop")
        second.moved()
        second.decision("disabled")

    def test_killed_at_any_moment(self):
        node, dog = self.pair(peers=300, max_in_flight=1000)
        node.on("migrate_peer", lambda r: r.error(-32003))
        for number in range(6):
            dog.moved()
            dog.wait_for(lambda: len(dog.records("decision")) >= 1 + 40 * number)
            dog = self.again(node, kill=True)
            dog.notice("unclean-stop")
            self.assertEqual(dog.records("notice", what="state-spoiled"), [])
        self.assertEqual(json.loads(self.state_file())["clean"], False)
        self.assertEqual(dog.finish(), [])
        self.assertEqual(json.loads(self.state_file())["clean"], True)
        self.node_rules = False  # the last second before a kill is forgotten

    def test_not_for_another_boot_of_the_machine(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32003))
        dog.moved()
        dog.outcome("disabled")
        self.assertEqual(dog.finish(), [])
        state = json.loads(self.state_file())
        state["kernel_boot"] = "another"
        with open(os.path.join(self.directory, "state", "state.json"), "w") as file:
            json.dump(state, file)
        self.node_rules = False  # it is another machine as far as pathdog can know
        second = self.dog(node)
        node.wait_rounds(1)
        second.notice("state-not-used")
        second.moved()
        second.decision("migrate")

    def test_a_full_disk(self):
        place = os.path.join(self.directory, "small")
        os.mkdir(place)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=0755", "small", place], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", place], check=True)
        with open(os.path.join(place, "filler"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(512))
            except OSError:
                pass
        node, dog = self.pair(watchdog={"state_directory": place})
        notice = dog.notice("state-not-saved")
        self.assertIn("No space left", notice["text"])
        dog.moved()
        dog.outcome("migrated")  # it goes on
        os.unlink(os.path.join(place, "filler"))
        dog.notice("state-saved-again", deadline=20)
        self.assertEqual(len(dog.records("notice", what="state-not-saved")), 1)
        self.assertEqual(dog.finish(), [])
        self.assertEqual(sorted(os.listdir(place)), ["state.json", "state.lock"])

    def test_no_state_directory(self):
        place = os.path.join(self.directory, "not", "there")
        node, dog = self.pair(watchdog={"state_directory": place})
        self.assertIn(place, dog.notice("state-not-saved")["text"])
        dog.moved()
        dog.outcome("migrated")
        self.assertEqual(dog.finish(), [])
        self.assertIn("could not be saved", dog.stderr())

    @cases({"empty": b"", "rubbish": b"\xff\x00rubbish{", "half": b'{"version":1,"peers":['})
    def test_a_spoiled_state(self, data):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32003))
        dog.moved()
        dog.outcome("disabled")
        self.assertEqual(dog.finish(), [])
        state = os.path.join(self.directory, "state", "state.json")
        with open(state, "wb") as file:
            file.write(data)
        self.node_rules = False  # that it must not ask again was in the file
        second = self.dog(node)
        node.wait_rounds(1)
        notice = second.notice("state-spoiled")
        self.assertIn(f"{state} is malformed", notice["text"])
        self.assertIn(f"kept as {state}.bad", notice["text"])
        with open(state + ".bad", "rb") as file:
            self.assertEqual(file.read(), data)
        second.moved()
        second.decision("migrate")
        self.assertEqual(len(second.records("notice", what="state-spoiled")), 1)
        self.assertEqual(second.records("notice", what="unclean-stop"), [])


class StandingStill(Case):
    def test_a_node_that_stops_reading(self):
        node = self.node(max_in_flight=10000)
        for conn in range(1, 4001):
            node.add(f"p{conn}@h", conn)
        dog = self.dog(node, {"sample_interval": "500ms", **PATIENT})
        node.wait_rounds(1, deadline=30)
        node.reading.clear()
        dog.moved(reason="one")
        dog.wait_for(lambda: len(dog.records("decision", verdict="migrate")) == 4000, 30)
        dog.moved("p3999@h", reason="one")  # the loop still turns
        dog.decision("in-flight", conn=3999)
        self.assertEqual(dog.terminate(), 0)
        self.node_rules = False  # what it was asked lies unread

    def test_which_is_closed_after_thirty_seconds(self):
        node = self.node(max_in_flight=10000)
        for conn in range(1, 6001):
            node.add(f"p{conn}@h", conn)
        dog = self.dog(node, {"sample_interval": "1s", **PATIENT, "retries": "0"})
        node.wait_rounds(1, deadline=30)
        first = node.link()
        node.reading.clear()
        begin_us = time.time_ns() // 1000
        dog.moved()
        down = dog.wait_record("node", state="down", deadline=45)
        self.assertGreaterEqual(down["time_us"] - begin_us, 30000000)
        self.assertLess(down["time_us"] - begin_us, (30 + 2 * SLACK) * 1e6)
        self.assertTrue(down["reason"])
        node.reading.set()
        node.wait_for(lambda: first.closed)
        self.node_rules = False

    def test_a_node_that_takes_its_time_is_not_closed(self):
        node = self.node(max_in_flight=10000)
        for conn in range(1, 6001):
            node.add(f"p{conn}@h", conn)
        dog = self.dog(node, {"sample_interval": "1s", **PATIENT})
        node.wait_rounds(1, deadline=30)
        node.reading.clear()
        dog.moved()
        dog.wait_for(lambda: len(dog.records("decision", verdict="migrate")) == 6000, 30)
        node.reading.set()
        # also the effects: at the end a late reader would have two seconds for all of them
        dog.wait_for(lambda: len(dog.records("effect")) == 6000, 60)
        self.assertEqual(len(dog.records("outcome", outcome="migrated")), 6000)
        self.assertEqual(len(node.links), 1)

    def flooded(self):
        """Records nobody reads, more than are kept; the loop goes on: (node, daemon, how many)."""
        self.finish_with = {"replay": False, "whole": False}
        node = self.node()
        dog = self.dog(node, {"sample_interval": "200ms"}, read=False)
        node.wait_rounds(1, deadline=30)
        pairs = 260000
        for first in range(1, pairs + 1, 1000):
            node.send(b"".join(
                b'{"jsonrpc":"2.0","method":"peer_up","params":{"peer":"p%d@h","conn":%d}}\n'
                b'{"jsonrpc":"2.0","method":"peer_down","params":{"conn":%d}}\n' % (c, c, c)
                for c in range(first, first + 1000)))
        node.add("last@h", 500000, role="client", local="127.0.0.1:9001")
        rounds = node.rounds
        node.wait_for(lambda: node.rounds > rounds + 1, 60)

        def moved():
            dog.moved("last@h")
            return node.moves(500000)
        node.wait_for(moved, 60)
        return node, dog, 2 * pairs

    def test_a_reader_of_the_records_that_stops(self):
        _, dog, count = self.flooded()
        dog.reads.set()
        dropped = dog.notice("log-dropped", deadline=60)
        self.assertIn("the reader of the log was stopped", dropped["text"])
        dog.wait_record("peer", state="up", peer="last@h", deadline=60)
        self.assertGreater(len(dog.records("peer")), 100000)
        self.assertLess(len(dog.records("peer")), count)

    def test_a_reader_that_never_reads_again(self):
        node = self.node(max_in_flight=10000)
        for conn in range(1, 8001):
            node.add(f"p{conn}@h", conn)
        dog = self.dog(node, {"sample_interval": "500ms"}, read=False)
        node.wait_rounds(1, deadline=30)
        dog.moved()
        node.wait_for(lambda: len(node.moves()) >= 8000, 30)
        dog.process.send_signal(signal.SIGTERM)
        self.assertEqual(dog.process.wait(15 * PATIENCE), 0)
        self.finish_with = {"replay": False, "whole": False}

    def test_what_was_dropped_is_said_at_the_stop_at_the_latest(self):
        _, dog, _ = self.flooded()
        dog.process.send_signal(signal.SIGTERM)
        dog.reads.set()  # it is read on, for the time that is given at the end
        self.assertEqual(dog.terminate(), 0)
        said = sum(int(count) for count in re.findall(r"(\d+) records", dog.stderr()))
        said += sum(r["count"] for r in dog.records("notice", what="log-dropped"))
        lines = [line for line in dog.raw if line.endswith(b"\n")]
        _, out, _ = run_tool(replay_program(), dog.recording, "--log", "json")
        # Nothing is unsaid. A piece that the reader takes in the very last moment was counted already.
        twice = len(lines) + said - out.count("\n")
        self.assertGreaterEqual(twice, 0)
        self.assertLessEqual(twice, 4096 // min(len(line) for line in lines))

    def test_a_reader_that_goes_away(self):
        node, dog = self.pair(peers=3)
        dog.leave = True
        dog.moved()
        dog.readers[0].join(10 * PATIENCE)
        self.assertFalse(dog.readers[0].is_alive())
        dog.moved()
        node.wait_for(lambda: len(node.moves()) >= 6)
        node.wait_rounds(2)
        self.assertIsNone(dog.process.poll())
        self.finish_with = {"replay": False, "whole": False}
