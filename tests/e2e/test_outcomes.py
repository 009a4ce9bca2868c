# SPDX-License-Identifier: Apache-2.0
"""decisions.md, "Outcomes": one per request, whatever the node answers, and the retries."""

import time

from case import Case, cases
from node import SLACK

SLOW = {"srtt": {"threshold": "200ms", "strikes": "1"}, "tunnel": {}}

CODES = {
    "not_connected": (-32001, "gone"), "no_conn": (-32002, "gone"),
    "peer_disable_migration": (-32003, "disabled"), "timeout": (-32004, "timeout"),
    "not_migratable": (-32005, "not-migratable"), "busy": (-32006, "busy"),
    "no_path": (-32007, "no-path"), "unknown_via": (-32008, "failed"),
    "dial_failed": (-32009, "dial-failed"), "unsupported_protocol": (-32010, "failed"),
    "method not found": (-32601, "failed"), "internal": (-32603, "failed"), "zero": (0, "failed"),
    "positive": (7, "failed"), "far": (-2147483648, "failed"),
}


class Codes(Case):
    @cases(CODES)
    def test_code(self, code, outcome):
        node, dog = self.pair(watchdog={"retries": "0"})
        node.on("migrate_peer", lambda r: r.error(code, "because €"))
        dog.moved()
        record = dog.wait_record("outcome")
        self.assertEqual(record["outcome"], outcome)
        self.assertEqual(record["error"], {"code": code, "message": "because €"})
        node.wait_rounds()
        self.assertEqual(len(node.moves()), 1)

    @cases({name: value for name, value in CODES.items()
            if value[1] in ("gone", "disabled", "not-migratable", "dial-failed")
            or name == "unknown_via"})
    def test_never_retried(self, code, outcome):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(code))
        dog.moved()
        dog.outcome(outcome)
        node.wait_rounds(6)  # well over the 100 ms of a first retry
        self.assertEqual(len(node.moves()), 1)

    def test_unknown_via_is_noticed(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32008))
        dog.moved()
        dog.notice()

    @cases({"result is text": {"result": "done"}, "result is null": {"result": None},
            "result is an array": {"result": []}, "result is true": {"result": True},
            "neither": {}, "error is text": {"error": "no"}, "error is null": {"error": None},
            "error without code": {"error": {"message": "no"}},
            "code is text": {"error": {"code": "-32001", "message": "no"}},
            "local is a number": {"result": {"local": 7, "validated": True}},
            "validated is text": {"result": {"local": "127.0.0.1:1", "validated": "yes"}}})
    def test_spoiled_is_failed(self, answer):
        node, dog = self.pair(watchdog={"retries": "0"})
        node.on("migrate_peer", lambda r: r.send({"jsonrpc": "2.0", "id": r.id, **answer}))
        dog.moved()
        self.assertEqual(dog.wait_record("outcome")["outcome"], "failed")
        self.assertEqual(len(node.links), 1)

    @cases({"true": ({"local": "127.0.0.1:5", "validated": True}, True),
            "false": ({"local": "127.0.0.1:5", "validated": False}, False),
            "absent": ({"local": "127.0.0.1:5"}, False), "empty": ({}, False),
            "more": ({"validated": True, "colour": "red"}, True)})
    def test_validated(self, result, validated):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.answer(result))
        dog.moved()
        self.assertEqual(dog.outcome("migrated")["validated"], validated)

    def test_an_error_without_a_message(self):
        node, dog = self.pair(watchdog={"retries": "0"})
        node.on("migrate_peer", lambda r: r.send(
            {"jsonrpc": "2.0", "id": r.id, "error": {"code": -32007}}))
        dog.moved()
        # the message is missing: the answer is spoiled, or the code counts; one outcome either way
        self.assertIn(dog.wait_record("outcome")["outcome"], ("no-path", "failed"))


class Answers(Case):
    def test_twice(self):
        node, dog = self.pair()

        def twice(request):
            request.answer({"validated": True})
            request.error(-32003)
        node.on("migrate_peer", twice)
        dog.moved()
        dog.outcome("migrated")
        node.wait_rounds()
        self.assertEqual(len(dog.records("outcome")), 1)

    def test_wrong_id_first(self):
        node, dog = self.pair()

        def wrong(request):
            request.link.send({"jsonrpc": "2.0", "id": request.id + 1000,
                               "error": {"code": -32003, "message": "x"}})
            request.answer({"validated": True})
        node.on("migrate_peer", wrong)
        dog.moved()
        dog.outcome("migrated")
        self.assertEqual(len(dog.records("outcome")), 1)

    def test_in_any_order(self):
        node, dog = self.pair(peers=5)
        held = []
        node.on("migrate_peer", held.append)
        dog.moved()
        node.wait_for(lambda: len(held) == 5)
        codes = {1: None, 2: -32003, 3: -32005, 4: None, 5: -32001}
        for request in sorted(held, key=lambda r: (r.conn * 3) % 5):
            code = codes[request.conn]
            node.do_migrate_peer(request) if code is None else request.error(code)
        want = {1: "migrated", 2: "disabled", 3: "not-migratable", 4: "migrated", 5: "gone"}
        for conn, outcome in want.items():
            dog.outcome(outcome, conn=conn)

    def test_down_while_open_is_gone(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: None)
        dog.moved()
        asked = node.wait_request("migrate_peer")
        node.down(1)
        dog.outcome("gone")
        asked.answer({"validated": True})
        node.wait_rounds()
        self.assertEqual(len(dog.records("outcome")), 1)
        self.assertEqual(len(node.moves()), 1)

    def test_replaced_while_open_is_gone(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: None if r.conn == 1 else node.do_migrate_peer(r))
        dog.moved()
        node.wait_request("migrate_peer")
        node.add("p1@h", 2)
        dog.outcome("gone", conn=1)

    def test_unanswered_a_second_after_the_timeout(self):
        node, dog = self.pair(watchdog={"migrate_timeout": "500ms", "retries": "0"})
        node.on("migrate_peer", lambda r: None)
        dog.moved()
        elapsed_us = dog.outcome("unanswered")["elapsed_us"]
        self.assertGreaterEqual(elapsed_us, 1500000)
        self.assertLess(elapsed_us, (1.5 + SLACK) * 1e6)

    def test_a_late_answer_changes_nothing_but_is_learnt_from(self):
        node, dog = self.pair(watchdog={"migrate_timeout": "200ms", "retries": "0"})
        node.on("migrate_peer", lambda r: None)
        dog.moved()
        dog.outcome("unanswered")
        node.wait_request("migrate_peer").error(-32003)
        node.wait_rounds(1)
        dog.moved()
        dog.decision("disabled")
        self.assertEqual(len(dog.records("outcome")), 1)

    def test_open_at_the_end_is_unanswered(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: None)
        dog.moved()
        node.wait_request("migrate_peer")
        self.assertEqual(dog.terminate(), 0)
        self.assertEqual(dog.records("outcome")[0]["outcome"], "unanswered")


class Retries(Case):
    @cases({"busy": (-32006, "busy"), "no_path": (-32007, "no-path"),
            "other": (-32603, "failed"), "spoiled": (None, "failed")})
    def test_spacing(self, code, outcome):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(code) if code else r.answer("rubbish"))
        dog.moved()
        asked = [node.wait_request("migrate_peer", nth=n) for n in (1, 2, 3)]
        last = dog.outcome(outcome, nth=3)
        node.wait_rounds(20)  # a fourth would have come 1.6 s later
        self.assertEqual(len(node.moves()), 3)
        for a, b, least in zip(asked, asked[1:], (0.1, 0.4)):
            self.assertGreaterEqual(b.time - a.time, least)
            self.assertLess(b.time - a.time, least + SLACK)
        outcomes = dog.records("outcome")
        self.assertEqual([r["attempt"] for r in outcomes], [1, 2, 3])
        self.assertEqual([r["request"] for r in outcomes], [1, 2, 3])
        self.assertEqual({r["decision"] for r in outcomes}, {last["decision"]})
        self.assertEqual(len(dog.records("decision", verdict="migrate")), 1)

    @cases({"none": 0, "one": 1, "two": 2, "four": 4})
    def test_so_many(self, retries):
        node, dog = self.pair(watchdog={"retries": str(retries)})
        node.on("migrate_peer", lambda r: r.error(-32007) if len(node.moves()) <= retries
                else node.do_migrate_peer(r))
        dog.moved()
        self.assertEqual(dog.outcome("migrated", deadline=30)["attempt"], retries + 1)

    def test_timeouts_double_at_once(self):
        node, dog = self.pair(watchdog={"migrate_timeout": "1s", "timeout_max": "3s"})
        node.on("migrate_peer", lambda r: r.error(-32004))
        dog.moved()
        asked = [node.wait_request("migrate_peer", nth=n) for n in (1, 2, 3)]
        self.assertEqual([r.params["timeout_ms"] for r in asked], [1000, 2000, 3000])
        dog.outcome("timeout", nth=3)
        outcomes = dog.records("outcome")
        for answered, again in zip(outcomes, outcomes[1:]):  # at once: by pathdog's own clock
            self.assertLess(again["time_us"] - again["elapsed_us"] - answered["time_us"], 500000)
        node.wait_rounds(5)
        self.assertEqual(len(node.moves()), 3)

    def test_unanswered_is_retried(self):
        node, dog = self.pair(watchdog={"migrate_timeout": "2s"})
        node.on("migrate_peer", lambda r: None if len(node.moves()) == 1
                else node.do_migrate_peer(r))
        dog.moved()
        dog.outcome("unanswered")
        self.assertEqual(dog.outcome("migrated")["attempt"], 2)

    def test_a_retry_that_succeeds_is_the_last(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32006) if len(node.moves()) == 1
                else node.do_migrate_peer(r))
        dog.moved()
        self.assertEqual(dog.outcome("migrated")["attempt"], 2)
        node.wait_rounds(8)
        self.assertEqual(len(node.moves()), 2)

    def test_down_between_retries(self):
        node, dog = self.pair()

        def migrate(request):  # the peer goes right after the second answer
            request.error(-32006)
            if len(node.moves()) == 2:
                node.down(1)
        node.on("migrate_peer", migrate)
        dog.moved()
        dog.outcome("busy", nth=2)
        dog.wait_record("peer", state="down", conn=1)
        node.wait_rounds(8)
        self.assertEqual(len(node.moves()), 2)

    def test_disabled_on_a_retry_ends_them(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32006 if len(node.moves()) == 1 else -32003))
        dog.moved()
        dog.outcome("disabled")
        node.wait_rounds(8)
        self.assertEqual(len(node.moves()), 2)

    @cases({"busy": -32006, "timeout": -32004, "no_path": -32007, "other": -1})
    def test_degraded_is_asked_once(self, code):
        node, dog = self.pair(triggers=SLOW, watchdog={"backoff_min": "1min"})
        node.on("migrate_peer", lambda r: r.error(code))
        node.peers[1].set(srtt_us=300000)
        dog.wait_record("outcome")
        node.wait_rounds(8)
        self.assertEqual(len(node.moves()), 1)

    def test_retries_take_no_tokens(self):
        node, dog = self.pair(watchdog={"move_burst": "2", "move_refill": "1min"})
        node.on("migrate_peer", lambda r: r.error(-32006) if len(node.moves()) < 3
                else node.do_migrate_peer(r))
        dog.moved()
        dog.outcome("migrated")
        dog.moved()
        dog.outcome("migrated", nth=2)


class Again(Case):
    """A `moved` that failed for good: nobody else would ask again."""

    def test_ten_seconds_after_the_last_attempt(self):
        node, dog = self.pair(watchdog={"retries": "1"})
        node.peers[1].advance = False
        node.on("migrate_peer", lambda r: r.error(-32007) if len(node.moves()) < 3
                else node.do_migrate_peer(r))
        dog.moved(reason="the cable")
        first = dog.decision("migrate")
        refused = dog.decision("backing-off")
        self.assertIn("the cable", refused["reason"])
        again = dog.decision("migrate", nth=2)
        self.assertIn("the cable", again["reason"])
        self.assertEqual(again["cause"], first["cause"])
        self.assertEqual(dog.outcome("migrated")["decision"], again["decision"])
        times = [move.time for move in node.moves()]
        self.assertEqual(len(times), 3)
        self.assertGreaterEqual(times[2] - times[1], 9.9)
        self.assertLess(times[2] - times[1], 10 + SLACK)

    def test_not_where_it_progresses(self):
        node, dog = self.pair(watchdog={"retries": "0"})
        node.on("migrate_peer", lambda r: r.error(-32007))
        dog.moved()
        dog.outcome("no-path")
        begin = node.moves()[0].time
        node.wait_for(lambda: time.monotonic() - begin > 11)
        self.assertEqual(len(node.moves()), 1)


class LinkLost(Case):
    def lose(self, watchdog=None, **more):
        node, dog = self.pair(peers=2, watchdog=watchdog, **more)
        node.on("migrate_peer", lambda r: None if r.link.index == 0 else node.do_migrate_peer(r))
        dog.moved("p1@h")
        node.wait_request("migrate_peer")
        return node, dog

    def test_asked_again_after_the_next_subscribe(self):
        node, dog = self.lose()
        node.restart()
        lost = dog.outcome("link-lost")
        again = dog.outcome("migrated")
        self.assertEqual((again["decision"], again["attempt"]), (lost["decision"], 2))
        self.assertNotEqual(again["request"], lost["request"])
        subscribe = node.links[1].named("subscribe")[0]
        self.assertGreater(node.wait_request("migrate_peer", nth=2).time, subscribe.answered_at)

    def test_another_boot_ends_it(self):
        node, dog = self.lose()
        node.restart(boot="boot-2")
        dog.outcome("link-lost")
        node.wait_subscribed(2)
        node.wait_rounds(3)
        self.assertEqual(len(node.moves()), 1)

    def test_a_connection_not_told_again_ends_it(self):
        node, dog = self.lose()
        node.stop()
        del node.peers[1]
        node.start()
        dog.outcome("link-lost")
        node.wait_subscribed(2)
        node.wait_rounds(3)
        self.assertEqual(len(node.moves()), 1)

    def test_once_more_only(self):
        node, dog = self.lose()
        node.on("migrate_peer", lambda r: None)
        node.restart()
        node.wait_request("migrate_peer", nth=2)
        node.restart()
        dog.outcome("link-lost", nth=2)
        node.wait_subscribed(3)
        node.wait_rounds(3)
        self.assertEqual(len(node.moves()), 2)

    def test_degraded_is_not_asked_again(self):
        node, dog = self.pair(triggers=SLOW, watchdog={"backoff_min": "1min"})
        node.on("migrate_peer", lambda r: None)
        node.peers[1].set(srtt_us=300000)
        node.wait_request("migrate_peer")
        node.restart()
        dog.outcome("link-lost")
        node.wait_subscribed(2)
        node.wait_rounds(3)
        self.assertEqual(len(node.moves()), 1)

    def test_many_at_once(self):
        node, dog = self.pair(peers=20)
        node.on("migrate_peer", lambda r: None if r.link.index == 0 else node.do_migrate_peer(r))
        dog.moved()
        node.wait_for(lambda: len(node.moves()) == 20)
        node.restart()
        dog.outcome("link-lost", nth=20)
        dog.outcome("migrated", nth=20)

    def test_a_broken_line_while_one_is_open(self):
        node, dog = self.lose()
        node.send(b"rubbish\n")
        dog.outcome("link-lost")
        dog.outcome("migrated")

    def test_the_answer_on_the_new_link_is_of_nobody(self):
        node, dog = self.lose()
        old = node.moves()[0]
        node.on("migrate_peer", lambda r: None)
        node.restart()
        node.wait_request("migrate_peer", nth=2)
        node.send({"jsonrpc": "2.0", "id": old.id + 5000, "result": {"validated": True}})
        node.wait_rounds()
        self.assertEqual(dog.records("outcome", outcome="migrated"), [])

    def test_time_away_does_not_matter(self):
        node, dog = self.lose()
        node.stop()
        dog.outcome("link-lost")
        begin = time.monotonic()
        node.wait_for(lambda: time.monotonic() - begin > 1)
        node.start()
        dog.outcome("migrated")
