# SPDX-License-Identifier: Apache-2.0
"""decisions.md, "The gate": every verdict that can be reached from outside, and what each one
lets happen afterwards; those that make advice wait are in test_gate_waits.py."""

import time

from case import Case, cases

SLOW = {"srtt": {"threshold": "200ms", "strikes": "1"}, "tunnel": {}}
HIGH = 300000


class Migrate(Case):
    def test_what_is_asked_and_recorded(self):
        node, dog = self.pair(watchdog={"migrate_timeout": "1500ms"})
        dog.moved(reason="endpoint changed")
        asked = node.wait_request("migrate_peer")
        self.assertEqual(set(asked.params), {"conn", "timeout_ms", "reason"})
        self.assertEqual((asked.params["conn"], asked.params["timeout_ms"]), (1, 1500))
        decision = dog.decision("migrate")
        self.assertEqual(
            (decision["decision"], decision["request"], decision["attempt"],
             decision["timeout_ms"], decision["peer"], decision["conn"], decision["trigger"],
             decision["kind"], decision["by"]),
            (1, 1, 1, 1500, "p1@h", 1, "tunnel", "moved", "migrate"))
        self.assertEqual(asked.params["reason"], decision["reason"])
        self.assertIn("endpoint changed", decision["reason"])
        outcome = dog.outcome("migrated")
        self.assertEqual((outcome["decision"], outcome["request"], outcome["attempt"],
                          outcome["by"], outcome["validated"], outcome["error"],
                          outcome["conn_new"]), (1, 1, 1, "migrate", True, None, None))
        self.assertGreaterEqual(outcome["time_us"], decision["time_us"])

    def test_many_at_once_one_per_connection(self):
        node, dog = self.pair(peers=50)
        held = []
        node.on("migrate_peer", held.append)
        dog.moved()
        node.wait_for(lambda: len(held) == 50, what="50 open requests")
        for request in reversed(held):
            node.do_migrate_peer(request)
        dog.wait_for(lambda: len(dog.records("outcome", outcome="migrated")) == 50)

    def test_elapsed(self):
        node, dog = self.pair()
        held = []
        node.on("migrate_peer", held.append)
        begin = time.monotonic()
        dog.moved()
        asked = node.wait_request("migrate_peer")
        node.wait_for(lambda: time.monotonic() - asked.time > 0.3)
        node.do_migrate_peer(held[0])
        elapsed = dog.outcome("migrated")["elapsed_us"]
        self.assertGreaterEqual(elapsed, 300000)
        self.assertLess(elapsed, (time.monotonic() - begin) * 1e6)


class Gone(Case):
    @cases({"not_connected": -32001, "no_conn": -32002})
    def test_after_the_answer(self, code):
        node, dog = self.pair()
        node.peers[1].advance = False
        node.wait_rounds(1)
        node.on("migrate_peer", lambda r: r.error(code))
        dog.moved()
        self.assertEqual(dog.outcome("gone")["error"]["code"], code)
        dog.moved()
        dog.decision("gone")
        self.assertEqual(len(node.moves()), 1)

    def test_told_again_it_is_back(self):
        node, dog = self.pair(peers=2)
        node.peers[1].advance = False
        node.wait_rounds(1)
        node.on("migrate_peer", lambda r: r.error(-32001) if len(node.moves(1)) == 1
                else node.do_migrate_peer(r))
        dog.moved("p1@h")
        dog.outcome("gone")
        node.tell_up(node.peers[1])
        node.add("p3@h", 3)
        dog.wait_record("peer", state="up", conn=3)
        dog.moved("p1@h")
        dog.outcome("migrated", conn=1)

    def test_a_fresh_row_brings_it_back(self):
        node, dog = self.pair()
        peer = node.peers[1]
        peer.advance = False
        node.wait_rounds(1)
        node.on("migrate_peer", lambda r: r.error(-32002) if len(node.moves()) == 1
                else node.do_migrate_peer(r))
        dog.moved()
        dog.outcome("gone")
        node.wait_rounds(1)
        dog.moved()
        dog.decision("gone")
        peer.advance = True
        node.wait_rounds(1)
        dog.moved()
        dog.outcome("migrated")

    def test_while_the_node_is_away(self):
        # "While the node's socket is down every connection is gone."
        node, dog = self.pair(peers=2)
        node.stop()
        dog.wait_record("node", state="down")
        dog.moved()
        dog.decision("gone", conn=1)
        dog.decision("gone", conn=2)

    def test_gone_comes_before_inbound(self):
        node, dog = self.pair(role="server")
        node.stop()
        dog.wait_record("node", state="down")
        dog.moved()
        self.assertEqual(dog.wait_record("decision")["verdict"], "gone")


class Disabled(Case):
    @cases({"peer_disable_migration": (-32003, "disabled"),
            "not_migratable": (-32005, "not-migratable")})
    def test_cached(self, code, outcome):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(code))
        dog.moved()
        self.assertEqual(dog.outcome(outcome)["error"]["code"], code)
        dog.moved()
        dog.decision("disabled")
        node.wait_rounds()
        self.assertEqual(len(node.moves()), 1)

    @cases({"peer_disable_migration": -32003, "not_migratable": -32005})
    def test_a_new_connection_is_a_new_chance(self, code):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(code) if r.conn == 1
                else node.do_migrate_peer(r))
        dog.moved()
        dog.wait_record("outcome", conn=1)
        node.down(1)
        node.add("p1@h", 2)
        dog.wait_record("peer", state="up", conn=2)
        dog.moved()
        dog.outcome("migrated", conn=2)

    def test_kept_over_a_lost_link_with_the_same_boot(self):
        node, dog = self.pair()
        node.on("migrate_peer", lambda r: r.error(-32003))
        dog.moved()
        dog.outcome("disabled")
        node.link().close()
        node.wait_subscribed(2)
        node.wait_rounds(1)
        dog.moved()
        dog.decision("disabled")

    def test_degraded_too(self):
        node, dog = self.pair(triggers=SLOW)
        node.peers[1].told["migratable"] = False
        node.tell_up(node.peers[1])
        node.add("q@h", 7, migratable=False).set(srtt_us=HIGH)
        dog.decision("disabled", conn=7, kind="degraded")


class InFlight(Case):
    def test_moved_is_remembered_and_advised_again(self):
        node, dog = self.pair()
        held = []
        node.on("migrate_peer", held.append)
        dog.moved(reason="one")
        node.wait_request("migrate_peer")
        dog.moved(reason="one")
        dog.decision("in-flight")
        dog.moved(reason="one")
        dog.tell("EVENT=rebind", "PEERS=nobody-at-all")
        dog.notice()  # the notices are read in order: the third has been judged
        self.assertEqual(len(node.moves()), 1)
        node.do_migrate_peer(held[0])
        again = dog.decision("migrate", nth=2)
        self.assertIn("one", again["reason"])
        third = max(r["cause"] for r in dog.records("decision"))
        self.assertEqual(again["cause"], third)  # the latest
        node.wait_request("migrate_peer", nth=2)
        node.do_migrate_peer(held[1])
        dog.outcome("migrated", nth=2)
        node.wait_rounds()
        self.assertEqual(len(node.moves()), 2)

    def test_same_cause(self):
        node, dog = self.pair()
        held = []
        node.on("migrate_peer", held.append)
        dog.moved(reason="one")
        node.wait_request("migrate_peer")
        dog.moved(reason="one")
        refused = dog.decision("in-flight")
        node.do_migrate_peer(held[0])
        again = dog.decision("migrate", nth=2)
        self.assertEqual(again["cause"], refused["cause"])
        self.assertNotEqual(again["decision"], refused["decision"])
        self.assertEqual(again["trigger"], "tunnel")
        node.do_migrate_peer(node.wait_request("migrate_peer", nth=2))

    def test_degraded_is_not_remembered(self):
        node, dog = self.pair(triggers=SLOW)
        held = []
        node.on("migrate_peer", held.append)
        dog.moved()
        node.wait_request("migrate_peer")
        node.peers[1].set(srtt_us=HIGH)
        dog.decision("in-flight", kind="degraded")
        node.peers[1].set(srtt_us=1000)
        node.wait_rounds(1)
        node.do_migrate_peer(held[0])
        dog.outcome("migrated")
        node.wait_rounds()
        self.assertEqual(len(node.moves()), 1)

    def test_advised_again_after_a_failure(self):
        node, dog = self.pair(watchdog={"retries": "0"})
        held = []
        node.on("migrate_peer", lambda r: held.append(r) if len(node.moves()) == 1
                else node.do_migrate_peer(r))
        dog.moved(reason="one")
        node.wait_request("migrate_peer")
        dog.moved(reason="one")
        dog.decision("in-flight")
        held[0].error(-32007)
        dog.outcome("no-path")
        dog.decision("migrate", nth=2)
        dog.outcome("migrated")


class Observing(Case):
    @cases({"config": ({"mode": "observe"}, ()), "option": ({}, ("--observe",))})
    def test_nothing_is_asked(self, watchdog, args):
        node = self.node()
        node.add("p1@h", 1)
        dog = self.dog(node, watchdog, args=args)
        node.wait_rounds(1)
        dog.moved()
        seen = dog.decision("observing")
        self.assertEqual((seen["kind"], seen["by"]), ("moved", "migrate"))
        node.wait_rounds()
        self.assertEqual(node.moves(), [])

    def test_refusals_come_first(self):
        node, dog = self.pair(watchdog={"mode": "observe"}, role="server")
        dog.moved()
        self.assertEqual(dog.wait_record("decision")["verdict"], "inbound")

    def test_the_cooldown_starts_as_if(self):
        node, dog = self.pair(triggers=SLOW, watchdog={"mode": "observe", "merge_window": "1ms"})
        node.peers[1].set(srtt_us=HIGH)
        dog.decision("observing", kind="degraded")
        dog.decision("cooling")
