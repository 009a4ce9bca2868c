# SPDX-License-Identifier: Apache-2.0
"""By reconnect: who prefers it, what the node may answer and in which order, and how often."""

from case import Case, cases
from node import SLACK

DEAD = {"send-errors": {}}
RECONNECT = {"features": ["reconnect"], "prefer": "reconnect"}


class By(Case):
    @cases({"node prefers": (RECONNECT, {}, {}, "reconnect"),
            "node prefers migrate": ({"features": ["reconnect"]}, {}, {}, "migrate"),
            "config says reconnect": ({"features": ["reconnect"]}, {"prefer": "reconnect"}, {},
                                      "reconnect"),
            "config says migrate": (RECONNECT, {"prefer": "migrate"}, {}, "migrate"),
            "config leaves it": (RECONNECT, {"prefer": "node"}, {}, "reconnect"),
            "no feature": ({"prefer": "reconnect"}, {}, {}, "migrate"),
            "no feature, config": ({}, {"prefer": "reconnect"}, {}, "migrate"),
            "not reconnectable": (RECONNECT, {}, {"reconnectable": False}, "migrate"),
            "inbound": (RECONNECT, {}, {"role": "server"}, "reconnect"),
            "not migratable": (RECONNECT, {}, {"migratable": False}, "reconnect"),
            "unknown preference": ({"features": ["reconnect"], "prefer": "teleport"}, {}, {},
                                   "migrate")})
    def test_moved(self, hello, watchdog, members, by):
        node = self.node(**hello)
        node.add("p1@h", 1, **members)
        dog = self.dog(node, watchdog)
        node.wait_rounds(1)
        dog.moved()
        decision = dog.wait_record("decision")
        self.assertEqual((decision["verdict"], decision["by"]), (by, by))
        self.assertEqual(node.wait_for(node.moves)[0].method, f"{by}_peer")
        dog.wait_record("outcome", by=by)

    @cases({"inbound": ({"role": "server"}, "inbound"),
            "forbidden": ({"migratable": False}, "disabled")})
    def test_where_neither_is_possible(self, members, verdict):
        node = self.node(**RECONNECT)
        node.add("p1@h", 1, reconnectable=False, **members)
        dog = self.dog(node)
        node.wait_rounds(1)
        dog.moved()
        decision = dog.wait_record("decision")
        self.assertEqual((decision["verdict"], decision["by"]), (verdict, "migrate"))

    def test_degraded_is_migrated(self):
        node = self.node(**RECONNECT)
        node.add("p1@h", 1).set(srtt_us=300000)
        dog = self.dog(node, None, {"srtt": {"threshold": "200ms", "strikes": "1"}})
        self.assertEqual(dog.wait_record("decision")["by"], "migrate")


class Answers(Case):
    def ask(self, handler=None, watchdog=None, **members):
        node = self.node(**RECONNECT)
        node.add("p1@h", 1, local="127.0.0.1:9001", **members)
        if handler:
            node.on("reconnect_peer", lambda r: handler(node, r))
        dog = self.dog(node, watchdog)
        node.wait_rounds(1)
        dog.moved()
        return node, dog

    def check(self, node, dog):
        outcome = dog.outcome("reconnected")
        new = max(node.peers)
        self.assertEqual((outcome["conn"], outcome["conn_new"], outcome["by"], outcome["peer"]),
                         (1, new, "reconnect", "p1@h"))
        dog.wait_record("peer", state="up", conn=new)
        dog.wait_record("peer", state="down", conn=1)
        self.assertEqual(dog.records("outcome", outcome="gone"), [])
        effect = dog.effect("better")
        self.assertEqual(effect["conn"], new)
        return outcome

    def test_in_the_contract_order(self):
        node, dog = self.ask()
        self.check(node, dog)
        asked = node.moves()[0]
        self.assertEqual(set(asked.params), {"conn", "timeout_ms", "reason"})

    def test_the_answer_first(self):
        def handler(node, request):
            new = node.peers[2] = type(node.peers[1])("p1@h", 2)
            request.answer({"conn": 2})
            request.link.notify("peer_down", conn=1, reason="reconnect")
            node.tell_up(new, request.link)
            node.peers.pop(1)
        self.check(*self.ask(handler))

    def test_up_before_down(self):
        def handler(node, request):
            new = node.peers[2] = type(node.peers[1])("p1@h", 2)
            node.tell_up(new, request.link)
            request.link.notify("peer_down", conn=1, reason="reconnect")
            node.peers.pop(1)
            request.answer({"conn": 2})
        self.check(*self.ask(handler))

    def test_up_without_down(self):
        def handler(node, request):
            new = node.peers[2] = type(node.peers[1])("p1@h", 2)
            node.tell_up(new, request.link)
            node.peers.pop(1)
            request.answer({"conn": 2})
        self.check(*self.ask(handler))

    def test_the_answer_long_after_the_down(self):
        held = []

        def handler(node, request):
            request.link.notify("peer_down", conn=1, reason="reconnect")
            node.peers.pop(1)
            held.append(request)
        node, dog = self.ask(handler)
        node.wait_for(lambda: held)
        node.wait_rounds()
        self.assertEqual(dog.records("outcome"), [])
        node.add("p1@h", 2)
        held[0].answer({"conn": 2})
        self.check(node, dog)

    def test_the_peer_reconnected_meanwhile(self):
        def handler(node, request):
            for conn in (2, 3):
                node.peers.pop(conn - 1)
                node.peers[conn] = type(node.peers.get(conn) or
                                        next(iter(node.peers.values()), None) or
                                        self.spare)("p1@h", conn)
                node.tell_up(node.peers[conn], request.link)
            request.answer({"conn": 3})
        from node import Peer
        self.spare = Peer("", 1)
        self.check(*self.ask(handler))

    def test_dial_failed(self):
        def handler(node, request):
            request.link.notify("peer_down", conn=1, reason="reconnect")
            node.peers.pop(1)
            request.error(-32009, "dial_failed")
        node, dog = self.ask(handler)
        outcome = dog.outcome("dial-failed")
        self.assertEqual((outcome["by"], outcome["error"]["code"]), ("reconnect", -32009))
        dog.wait_record("peer", state="down", conn=1)
        node.wait_rounds(6)
        self.assertEqual(len(node.moves()), 1)
        node.add("p1@h", 2)  # the node goes on by its own rules
        dog.wait_record("peer", state="up", conn=2)

    @cases({"not_connected": (-32001, "gone"), "no_conn": (-32002, "gone"),
            "timeout": (-32004, "timeout"), "busy": (-32006, "busy"),
            "other": (-32603, "failed")})
    def test_errors(self, code, outcome):
        node, dog = self.ask(lambda node, r: r.error(code), {"retries": "0"})
        self.assertEqual(dog.wait_record("outcome")["outcome"], outcome)

    @cases({"no conn": {}, "conn is text": {"conn": "2"}, "conn 0": {"conn": 0},
            "text": "fine"})
    def test_spoiled(self, result):
        node, dog = self.ask(lambda node, r: r.answer(result), {"retries": "0"})
        self.assertEqual(dog.wait_record("outcome")["outcome"], "failed")

    def test_unanswered(self):
        node, dog = self.ask(lambda node, r: None, {"migrate_timeout": "200ms", "retries": "0"})
        dog.outcome("unanswered")

    def test_the_new_connection_stalls(self):
        def handler(node, request):
            new = node.replace(1, request.link)
            new.advance = False
            new.set(srtt_us=None, latest_rtt_us=None, rtt_samples=0, in_flight_bytes=1200,
                    bytes_received=0)
            request.answer({"conn": new.conn})
        node, dog = self.ask(handler, {"effect_window": "3s"})
        self.assertEqual(dog.effect("stalled")["conn"], dog.outcome("reconnected")["conn_new"])

    def test_the_first_sign_of_life_of_the_new_one_is_enough(self):
        def handler(node, request):
            new = node.replace(1, request.link)
            new.advance = False
            new.script = [{"srtt_us": 30000, "rtt_samples": 1}]
            request.answer({"conn": new.conn})
        node, dog = self.ask(handler)  # long before the window is over
        self.assertEqual(dog.effect("better")["conn"],
                         dog.outcome("reconnected")["conn_new"])


class KeepOld(Case):
    """Feature make_before_break: the node dials first, and closes then."""

    @cases({"with the feature": (["reconnect", "make_before_break"], True),
            "without it": (["reconnect"], None)})
    def test_asked_by_rule(self, features, keep_old):
        node = self.node(features=features, prefer="reconnect")
        node.add("p1@h", 1)
        dog = self.dog(node)
        node.wait_rounds(1)
        dog.moved()
        dog.outcome("reconnected")
        self.assertEqual(node.moves()[0].params.get("keep_old"), keep_old)

    def test_the_old_one_lives(self):
        node = self.node(features=["reconnect", "make_before_break"], prefer="reconnect")
        node.add("p1@h", 1)
        node.on("reconnect_peer", lambda r: r.error(-32011, "old_lives"))
        dog = self.dog(node)
        node.wait_rounds(1)
        dog.moved()
        outcome = dog.outcome("old-lives")
        self.assertEqual((outcome["by"], outcome["conn_new"], outcome["error"]),
                         ("reconnect", None, {"code": -32011, "message": "old_lives"}))
        node.wait_rounds(6)
        self.assertEqual(len(node.moves()), 1)
        self.assertEqual(dog.records("effect"), [])


class Often(Case):
    def dead(self, node):
        node.report("send_errors")
        node.peers[max(node.peers)].set(send_errors=3)

    def test_the_gap_and_its_doubling(self):
        node = self.node(**RECONNECT)
        node.add("p1@h", 1)
        dog = self.dog(node, {"reconnect_gap": "4s"}, DEAD)
        node.wait_rounds(1)
        self.dead(node)
        dog.outcome("reconnected")
        for number in (2, 3):
            dog.wait_record("peer", state="up", conn=max(node.peers))
            self.dead(node)
            dog.decision("damped", nth=number - 1)
            dog.outcome("reconnected", nth=number)
        times = [r["time_us"] / 1e6 for r in dog.records("decision", verdict="reconnect")]
        for gap, least in zip((b - a for a, b in zip(times, times[1:])), (4, 8)):
            self.assertGreaterEqual(gap, least - 0.001)
            self.assertLess(gap, least + SLACK)
        self.assertEqual(len(times), 3)

    def test_of_one_name_only(self):
        node = self.node(**RECONNECT)
        node.add("p1@h", 1)
        node.add("p2@h", 2)
        dog = self.dog(node, {"reconnect_gap": "1min"})
        node.wait_rounds(1)
        dog.moved("p1@h")
        dog.outcome("reconnected", peer="p1@h")
        dog.moved("p2@h")
        dog.outcome("reconnected", peer="p2@h")

    def test_it_is_of_the_name_not_of_the_connection(self):
        node = self.node(**RECONNECT)
        node.add("p1@h", 1)
        dog = self.dog(node, {"reconnect_gap": "1min"}, DEAD)
        node.wait_rounds(1)
        self.dead(node)
        new = dog.outcome("reconnected")["conn_new"]
        node.down(new)
        node.add("p1@h", new + 5)
        dog.wait_record("peer", state="up", conn=new + 5)
        self.dead(node)
        dog.decision("damped", conn=new + 5)

    def test_a_change_of_the_route_does_not_wait_for_it(self):
        node = self.node(**RECONNECT)
        node.add("p1@h", 1)
        dog = self.dog(node, {"reconnect_gap": "10min"}, {**DEAD, "tunnel": {}})
        node.wait_rounds(1)
        self.dead(node)
        dog.outcome("reconnected")
        for number in (2, 3, 4):
            dog.wait_record("peer", state="up", conn=max(node.peers))
            dog.moved()
            dog.outcome("reconnected", nth=number)
        times = [r["time_us"] for r in dog.records("decision", verdict="reconnect")]
        for one, next_one in zip(times, times[1:]):
            self.assertGreaterEqual(next_one - one, 999000)


class LinkLost(Case):
    def test_in_the_middle_of_a_reconnect(self):
        node = self.node(**RECONNECT)
        node.add("p1@h", 1)
        node.on("reconnect_peer", lambda r: r.link.close() if r.link.index == 0
                else node.do_reconnect_peer(r))
        dog = self.dog(node)
        node.wait_rounds(1)
        dog.moved()
        dog.outcome("link-lost")
        self.assertEqual(dog.outcome("reconnected")["attempt"], 2)
