# SPDX-License-Identifier: Apache-2.0
"""decisions.md, "The newer word wins": `moved` advice that leads elsewhere does not wait for the answer to
the request that is open. Every run's recording is replayed with the same records (Watchdog.finish)."""

from case import Case
from control_case import ControlCase

KEEPS = {"features": ["reconnect", "make_before_break"]}
PATIENT = {"migrate_timeout": "30s"}


class Newer(Case):
    def start(self, watchdog=None, **hello):
        """The first request is open, and not answered; those that follow are. What is taken back is."""
        node, dog = self.pair(watchdog={**PATIENT, **(watchdog or {})}, **{**KEEPS, **hello})
        self.held = []
        for method in ("migrate_peer", "reconnect_peer"):
            node.on(method, lambda r: self.take(node, r))
        node.on("cancel", self.cancel)
        dog.moved(reason="one")
        node.wait_for(lambda: len(self.held) == 1, what="the first request")
        return node, dog

    def take(self, node, request):
        if self.held:
            getattr(node, f"do_{request.method}")(request)
        else:
            self.held.append(request)

    def cancel(self, request):
        for held in self.held:
            if held.id == request.params["id"] and held.answered_at is None:
                held.error(-32012, "cancelled")

    def test_the_node_is_told_first(self):
        node, dog = self.start()
        dog.moved(reason="two")
        cancelled = dog.outcome("cancelled")
        moved = dog.outcome("migrated")
        self.assertEqual((cancelled["request"], moved["request"], moved["attempt"]), (1, 2, 1))
        self.assertIsNone(cancelled["error"])
        order = [(r.method, r.params.get("id"), r.params.get("reason", "")[-3:])
                 for r in node.requests() if r.method in ("migrate_peer", "cancel")]
        self.assertEqual(order, [("migrate_peer", None, "one"), ("cancel", self.held[0].id, ""),
                                 ("migrate_peer", None, "two")])
        node.wait_rounds(2)
        self.assertEqual(len(dog.records("outcome")), 2)  # the late answer writes none

    def test_two_in_a_row(self):
        node, dog = self.start()
        node.on("migrate_peer", self.held.append)
        for number, reason in ((2, "two"), (3, "three")):
            dog.moved(reason=reason)
            node.wait_for(lambda: len(self.held) == number, what=f"request {number}")
        dog.outcome("cancelled", nth=2)
        node.do_migrate_peer(self.held[2])
        self.assertEqual(dog.outcome("migrated")["request"], 3)
        self.assertEqual([r.params["id"] for r in node.requests("cancel")],
                         [r.id for r in self.held[:2]])

    def test_the_same_word_waits(self):
        node, dog = self.start()
        dog.moved(reason="one")
        dog.decision("in-flight")
        self.held[0].answer({"local": "127.0.0.1:40001", "validated": True})
        dog.outcome("migrated", nth=2)
        self.assertEqual(node.requests("cancel"), [])

    def test_answer_and_cancel_cross(self):
        """It has moved when the cancel comes: the next one leaves that path."""
        node, dog = self.start()
        node.on("cancel", lambda r: self.held[0].answer({"local": "127.0.0.1:40001", "validated": True}))
        node.on("migrate_peer", self.held.append)
        dog.moved(reason="two")
        node.wait_for(lambda: len(self.held) == 2)
        self.held[1].answer({"local": "127.0.0.1:40002", "validated": True})
        moved = dog.outcome("migrated")
        self.assertEqual((moved["request"], moved["local_before"], moved["local_after"]),
                         (2, "127.0.0.1:40001", "127.0.0.1:40002"))
        self.assertEqual(dog.wait_record("effect")["decision"], 2)

    def test_a_node_that_does_not_know_it(self):
        """It is busy until the old one is over, and is asked again then."""
        node, dog = self.start(features=["reconnect"])
        node.on("migrate_peer", lambda r: node.do_migrate_peer(r) if self.held[0].answered_at
                else r.error(-32006, "busy"))
        dog.moved(reason="two")
        dog.outcome("cancelled")
        dog.outcome("busy")
        node.wait_rounds(3)
        self.assertEqual(len(node.moves()), 2)  # not again and again meanwhile
        self.held[0].error(-32004)
        moved = dog.outcome("migrated")
        self.assertEqual((moved["decision"], moved["attempt"]), (2, 2))
        self.assertEqual(node.requests("cancel"), [])

    def test_the_connection_ends_in_between(self):
        node, dog = self.start()
        node.on("migrate_peer", lambda r: node.down(1))
        dog.moved(reason="two")
        self.assertEqual(dog.outcome("gone")["request"], 2)
        node.wait_rounds(2)
        self.assertEqual(len(node.moves()), 2)

    def test_the_link_is_lost_in_between(self):
        node, dog = self.start()
        node.on("migrate_peer", lambda r: None if r.link.index == 0 else node.do_migrate_peer(r))
        dog.moved(reason="two")
        node.wait_request("migrate_peer", nth=2)
        node.restart()
        dog.outcome("link-lost")
        self.assertEqual(dog.outcome("migrated")["decision"], 2)

    def test_a_dial_is_dialled_anew(self):
        """It has closed nothing, so no gap lies between the two."""
        node, dog = self.start(prefer="reconnect")
        dog.moved(reason="two")
        dog.outcome("cancelled", by="reconnect")
        moved = dog.outcome("reconnected")
        self.assertLess(moved["time_us"] - dog.decision("reconnect", nth=2)["time_us"], 5000000)
        self.assertEqual([r.params.get("keep_old") for r in node.requests("reconnect_peer")], [True, True])

    def test_a_dial_that_went_too_far(self):
        """The peer took the new connection before the cancel came."""
        node, dog = self.start(prefer="reconnect")
        node.on("reconnect_peer", lambda r: r.error(-32002))

        def cancel(request):
            new = node.replace(1, request.link)
            self.held[0].answer({"conn": new.conn})
        node.on("cancel", cancel)
        dog.moved(reason="two")
        dog.outcome("cancelled")
        dog.outcome("gone")
        new = dog.wait_record("peer", state="up", nth=2)["conn"]
        node.wait_rounds(2)
        self.assertEqual(node.moves(new), [])


class Explained(ControlCase):
    def test_what_is_waited_for(self):
        node, dog = self.pair(watchdog=PATIENT, features=["reconnect"])
        node.on("migrate_peer", lambda r: None if len(node.moves()) == 1 else r.error(-32006))
        dog.moved(reason="one")
        node.wait_request("migrate_peer")
        dog.moved(reason="two")
        dog.outcome("busy")
        explained = self.client(dog).result("explain", peer="p1@h")
        self.assertEqual((explained["move"], explained["waits_for"], explained["decision"]),
                         ("waiting", 1, 2))
