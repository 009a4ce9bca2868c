# SPDX-License-Identifier: Apache-2.0
"""hello, subscribe, and finding the node again."""

import os
import time

from case import Case, cases
from node import SLACK, ScriptedNode


class Hello(Case):
    def test_first_lines(self):
        node, dog = self.pair()
        node.wait_rounds(1)
        hello, subscribe, summary = node.links[0].requests[:3]
        self.assertEqual(hello.method, "hello")
        self.assertEqual(hello.params["protocol"], [1])
        self.assertRegex(hello.params["client"], r"\Apathdog/\d+\.\d+")
        self.assertEqual(set(hello.params), {"protocol", "client"})
        self.assertEqual(subscribe.method, "subscribe")
        self.assertEqual(summary.method, "summary")

    def test_nothing_before_the_answer(self):
        node = self.node()
        node.on("hello", lambda r: None)
        self.dog(node)
        first = node.wait_request("hello")
        node.wait_for(lambda: time.monotonic() - first.time > 0.5)
        self.assertEqual([r.method for r in node.requests()], ["hello"])
        node.do_hello(first)
        node.wait_rounds(1)

    def test_node_record(self):
        node, dog = self.pair(node="alpha@10.0.0.1", implementation="scripted/2", boot="b7")
        up = dog.wait_record("node")
        self.assertEqual((up["state"], up["node"], up["implementation"], up["boot"]),
                         ("up", "alpha@10.0.0.1", "scripted/2", "b7"))

    def test_down_and_up_again(self):
        node, dog = self.pair()
        node.restart(boot="boot-2")
        down = dog.wait_record("node", state="down")
        self.assertTrue(down["reason"])
        self.assertEqual(dog.wait_record("node", nth=2, state="up")["boot"], "boot-2")

    @cases({"absent options": {"features": None, "prefer": None, "implementation": None},
            "unknown members": {"colour": "green", "limits": {"a": [1]}},
            "unknown features": {"features": ["teleport", "migrate-all"]},
            "no max": {"max_in_flight": None, "netns": None},
            "empty features": {"features": []}})
    def test_accepted(self, hello):
        node, dog = self.pair(**hello)
        node.wait_rounds(1)
        dog.moved()
        dog.decision("migrate")

    @cases({"protocol 2": {"protocol": 2}, "protocol text": {"protocol": "1"},
            "protocol array": {"protocol": [1]}, "no protocol": {"protocol": None},
            "no boot": {"boot": None}, "boot number": {"boot": 7}})
    def test_a_spoiled_hello_is_no_hello(self, hello):
        node = self.node(**hello)
        dog = self.dog(node)
        node.wait_links(2, deadline=15)  # given up at once, or after 10 s
        self.assertEqual(node.requests("subscribe"), [])
        self.assertEqual(dog.records("node", state="up"), [])

    @cases({"result is a string": "fine", "result is null": None, "result is an array": []})
    def test_a_result_that_is_no_object(self, result):
        node = self.node()
        node.on("hello", lambda r: r.answer(result))
        self.dog(node)
        node.wait_links(2, deadline=15)
        self.assertEqual(node.requests("subscribe"), [])

    def test_another_error_is_tried_again(self):
        node = self.node()
        node.on("hello", lambda r: r.error(-32603, "not yet") if r.link.index < 2
                else node.do_hello(r))
        self.dog(node)
        node.wait_subscribed(1, deadline=15)

    def test_unanswered_for_ten_seconds(self):
        node = self.node()
        node.on("hello", lambda r: None if r.link.index == 0 else node.do_hello(r))
        begin = time.monotonic()
        self.dog(node)
        first = node.wait_links(1)
        node.wait_for(lambda: first.closed, deadline=15)
        self.assertGreaterEqual(first.closed - begin, 10)
        self.assertLess(first.closed - first.opened, 10 + SLACK)
        node.wait_subscribed(1)

    def test_subscribe_unanswered_for_ten_seconds(self):
        node = self.node()
        hello = []  # it subscribes when this is answered
        node.on("hello", lambda r: (hello.append(time.monotonic()), node.do_hello(r)))
        node.on("subscribe", lambda r: None if r.link.index == 0 else node.do_subscribe(r))
        self.dog(node)
        first = node.wait_links(1)
        node.wait_for(lambda: first.closed, deadline=15)
        self.assertGreaterEqual(first.closed - hello[0], 10)
        self.assertLess(first.closed - hello[0], 10 + SLACK)
        node.wait_rounds(1)

    def test_unsupported_protocol_every_ten_seconds(self):
        node = self.node()
        node.on("hello", lambda r: r.error(-32010, "unsupported_protocol")
                if r.link.index == 0 else node.do_hello(r))
        dog = self.dog(node)
        first = node.wait_links(1)
        node.wait_for(lambda: first.closed)
        self.assertEqual(first.closed_by, "pathdog")
        answered = first.requests[0].answered_at
        self.assertLess(first.closed - answered, 8)  # for that, and not for want of an answer
        second = node.wait_links(2, deadline=15)
        self.assertGreaterEqual(second.opened - answered, 10)
        self.assertLess(second.opened - answered, 10 + SLACK)
        node.wait_subscribed(1)
        dog.wait_record("node", state="up")

    def test_another_namespace_is_an_error(self):
        node, dog = self.pair(netns=1)
        dog.wait_for(lambda: dog.records("notice", level="error"), what="an error notice")

    def test_the_same_namespace_is_none(self):
        node, dog = self.pair(netns=os.stat("/proc/self/ns/net").st_ino)
        node.wait_rounds(1)
        self.assertEqual(dog.records("notice", level="error"), [])

    def test_max_in_flight_of_the_node(self):
        node, dog = self.pair(peers=3, max_in_flight=2)
        node.on("migrate_peer", lambda r: None)
        dog.moved()
        dog.decision("queued")
        self.assertEqual(len(dog.records("decision", verdict="migrate")), 2)

    def test_max_in_flight_of_the_config_wins(self):
        node, dog = self.pair(peers=3, max_in_flight=1, watchdog={"max_in_flight": "2"})
        node.on("migrate_peer", lambda r: None)
        dog.moved()
        dog.decision("queued")
        self.assertEqual(len(dog.records("decision", verdict="migrate")), 2)


class Finding(Case):
    def test_ready_without_a_node(self):
        node = self.node(start=False)
        self.dog(node)  # waits for READY=1
        node.start()
        node.wait_rounds(1)

    def test_a_late_node_is_found_within_the_backoff(self):
        node = self.node(start=False)
        self.dog(node)
        took = []
        for number in (1, 2, 3):  # one may be late for other reasons
            time.sleep(1.5)  # not a hope: the back-off must have grown to its end
            begin = time.monotonic()
            node.start()
            took.append(node.wait_links(number).opened - begin)
            node.stop()
        self.assertLess(min(took), 3.2)

    def test_backoff_doubles(self):
        node = self.node()
        node.accepting = False  # closes whatever it accepts
        self.dog(node)
        node.wait_links(6, deadline=20)
        gaps = [b.opened - a.opened for a, b in zip(node.links, node.links[1:])]
        for number, (gap, base) in enumerate(zip(gaps, (0.1, 0.2, 0.4, 0.8, 1.6))):
            self.assertGreater(gap, base * 0.45, f"gap {number} of {gaps}")
        self.assertLess(sum(gaps), 2 * 3.1 + SLACK)

    def test_backoff_has_an_end(self):
        node = self.node()
        node.accepting = False
        self.dog(node)
        node.wait_links(10, deadline=30)
        gaps = [b.opened - a.opened for a, b in zip(node.links, node.links[1:])][6:]
        # without an end 6.4, 12.8, 25.6 s, less some jitter; not each of them is late
        self.assertLess(min(gaps), 3.2)
        self.assertGreater(min(gaps), 0.9)

    def test_a_short_good_connection_does_not_reset_the_backoff(self):
        node = self.node()
        dog = self.dog(node)
        for number in range(1, 5):
            node.wait_subscribed(number)
            node.links[-1].close()
        node.wait_links(5)
        gaps = [b.opened - a.closed for a, b in zip(node.links, node.links[1:])]
        self.assertGreater(gaps[3], 0.35, gaps)
        dog.wait_record("node", nth=5, state="up")

    def test_a_regular_file_in_place_of_the_socket(self):
        node = self.node(start=False)
        with open(node.path, "w"):
            pass
        dog = self.dog(node)
        self.assertIsNone(dog.process.poll())
        os.unlink(node.path)
        node.start()
        node.wait_rounds(1)

    def test_a_new_socket_under_the_old_name(self):
        node, dog = self.pair()
        node.restart()
        node.wait_subscribed(2)
        node.wait_rounds(1)

    def test_abstract_address(self):
        node = ScriptedNode(f"@e2e-{os.getpid()}-{id(self)}", self.cv)
        self.nodes.append(node)
        node.start()
        self.dog(node, {"node_user": "root"})
        node.wait_rounds(1)

    def test_abstract_address_of_somebody_else(self):
        node = ScriptedNode(f"@e2e-{os.getpid()}-{id(self)}", self.cv)
        self.nodes.append(node)
        node.start()
        dog = self.dog(node, {"node_user": "nobody"})
        node.wait_links(2)
        self.assertEqual(node.requests(), [])
        self.assertIsNone(dog.process.poll())


class Snapshot(Case):
    def test_peers_told_in_the_snapshot_are_up(self):
        node, dog = self.pair(peers=5)
        self.assertEqual({r["conn"] for r in dog.records("peer", state="up")}, {1, 2, 3, 4, 5})

    def test_no_summary_before_the_snapshot_is_complete(self):
        node = self.node()
        node.on("subscribe", lambda r: None)
        self.dog(node)
        asked = node.wait_request("subscribe")
        node.wait_for(lambda: time.monotonic() - asked.time > 0.5)
        self.assertEqual(node.requests("summary"), [])
        node.do_subscribe(asked)
        node.wait_rounds(1)

    def test_what_is_not_told_again_is_forgotten(self):
        node, dog = self.pair(peers=3)
        node.stop()
        del node.peers[2]
        node.start()
        node.wait_subscribed(2)
        dog.wait_record("peer", state="down", conn=2)
        node.wait_rounds(1)
        dog.moved()
        dog.decision("migrate", conn=1)
        dog.decision("migrate", conn=3)
        self.assertEqual(dog.records("decision", conn=2), [])
        self.assertEqual(len(dog.records("peer", state="down", conn=2)), 1)

    def test_a_node_that_started_anew_knows_nobody(self):
        node, dog = self.pair(peers=3)
        node.stop()
        node.peers.clear()
        node.restart(boot="boot-2")
        node.wait_subscribed(2)
        for conn in (1, 2, 3):
            dog.wait_record("peer", state="down", conn=conn)

    def test_up_and_down_while_the_snapshot_is_told(self):
        node = self.node()
        node.add("p1@h", 1)

        def subscribe(request):
            node.tell_up(node.peers[1], request.link)
            request.link.notify("peer_up", peer="p2@h", conn=2)
            request.link.notify("peer_down", conn=1, reason="gone")
            node.peers.pop(1)
            request.answer({"peers": 1})
        node.on("subscribe", subscribe)
        dog = self.dog(node)
        dog.wait_record("peer", state="up", conn=2)
        dog.wait_record("peer", state="down", conn=1)

    def test_a_wrong_count_is_no_harm(self):
        node = self.node()
        node.add("p1@h", 1)

        def subscribe(request):
            node.tell_up(node.peers[1], request.link)
            request.answer({"peers": 77})
        node.on("subscribe", subscribe)
        dog = self.dog(node)
        dog.wait_record("peer", state="up", conn=1)
        node.wait_rounds(1)
        self.assertEqual(len(node.links), 1)

    def test_ten_thousand_peers(self):
        node = self.node()
        for conn in range(1, 10001):
            node.add(f"p{conn}@h", conn)
        dog = self.dog(node, {"sample_interval": "1s"})
        node.wait_rounds(1, deadline=60)
        dog.wait_for(lambda: len(dog.records("peer", state="up")) == 10000, 30, "10000 peers")
