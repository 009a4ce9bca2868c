# SPDX-License-Identifier: Apache-2.0
"""The harness against itself: the scripted node serves the contract, and the invariants notice
what they are there to notice. Needs no pathdog.
"""

import copy
import json
import os
import re
import socket
import tempfile
import unittest

import invariants
from case import Expand, cases
from node import PATIENCE, SILENT, ScriptedNode

NOW = 1795170000123456
DECISION = {"record": "decision", "time_us": NOW, "run": "r", "decision": 1, "cause": None,
            "peer": "a", "conn": 1, "trigger": "srtt", "kind": "degraded", "by": "migrate",
            "reason": "srtt", "evidence": {"srtt_us": 300000}, "verdict": "migrate",
            "request": 1, "attempt": 1, "timeout_ms": 5000}
OUTCOME = {"record": "outcome", "time_us": NOW, "run": "r", "decision": 1, "request": 1,
           "attempt": 1, "peer": "a", "conn": 1, "by": "migrate", "outcome": "migrated",
           "validated": True, "elapsed_us": 5, "local_before": "10.0.0.1:1",
           "local_after": None, "conn_new": None, "error": None}
EFFECT = {"record": "effect", "time_us": NOW, "run": "r", "decision": 1, "peer": "a", "conn": 1,
          "effect": "better", "rtt_before_us": 3, "rtt_after_us": 1, "samples_before": 3,
          "samples_after": 3}
CAUSE = {"record": "cause", "time_us": NOW, "run": "r", "cause": 1, "trigger": "route",
         "reason": "flip", "peers": 1, "advised": 1, "verdicts": {"migrate": 1}}
REFUSED = {k: v for k, v in DECISION.items() if k not in ("request", "attempt", "timeout_ms")}


def page():
    """docs/records.md as a table: record → member → (types, what it says)."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "records.md")
    with open(path, encoding="utf-8") as file:
        sections = dict(part.split("\n", 1) for part in file.read().split("\n## ")[1:])
    found = {}
    for heading in ("Every record", *invariants.MEMBERS):
        text = sections[heading].split("| member | type | meaning |\n| --- | --- | --- |\n")[1]
        rows = found[heading] = {}
        for line in text.split("\n\n")[0].splitlines():
            cells = [cell.strip() for cell in line.strip("|").split(" | ", 2)]
            names, types = re.findall("`([a-z_]+)`", cells[0]), cells[1].split(", ")
            each = len(names) > 1 and len(names) == len(types) and "null" not in types
            for i, name in enumerate(names):
                rows[name] = ({types[i]} if each else set(types), cells[2])
    return found


def changed(base, **members):
    record = copy.deepcopy(base)
    record.update(members)
    return {k: v for k, v in record.items() if v is not ...}


GOOD = {
    "nothing": [],
    "a move": [DECISION, OUTCOME, EFFECT],
    "a refusal": [changed(REFUSED, verdict="cooling")],
    "out of the queue": [changed(REFUSED, verdict="queued"), DECISION, OUTCOME, EFFECT],
    "a cause": [changed(DECISION, cause=1), CAUSE, OUTCOME, EFFECT],
    "a folded refusal": [changed(REFUSED, verdict="cooling"),
                         changed(REFUSED, decision=9, verdict="cooling", repeats=7)],
    "a retry": [DECISION, changed(OUTCOME, outcome="busy"),
                changed(OUTCOME, request=2, attempt=2), EFFECT],
}
BAD = {
    "no outcome": [DECISION],
    "two outcomes": [DECISION, OUTCOME, OUTCOME, EFFECT],
    "no effect": [DECISION, OUTCOME],
    "two effects": [DECISION, OUTCOME, EFFECT, EFFECT],
    "an effect alone": [EFFECT],
    "an outcome alone": [OUTCOME, EFFECT],
    "a decision twice": [changed(REFUSED, verdict="cooling"), changed(REFUSED, verdict="held")],
    "not number 1": [changed(REFUSED, verdict="held", decision=2)],
    "missing member": [changed(REFUSED, verdict="held", peer=...)],
    "extra member": [changed(REFUSED, verdict="held", colour=1)],
    "request of a refusal": [changed(DECISION, verdict="held")],
    "verdict unknown": [changed(REFUSED, verdict="perhaps")],
    "merged without into": [changed(REFUSED, verdict="merged")],
    "nested evidence": [changed(REFUSED, verdict="held", evidence={"a": {}})],
    "evidence key": [changed(REFUSED, verdict="held", evidence={"A": 1})],
    "time back": [changed(REFUSED, verdict="held"),
                  changed(REFUSED, decision=2, verdict="held", time_us=NOW - 1)],
    "two runs": [changed(REFUSED, verdict="held"),
                 changed(REFUSED, decision=2, verdict="held", run="s")],
    "cause miscounts": [changed(DECISION, cause=1), changed(CAUSE, verdicts={"inbound": 1}),
                        OUTCOME, EFFECT],
    "cause does not add up": [changed(CAUSE, advised=2, peers=2)],
    "unknown record": [changed(EFFECT, record="thing")],
    "unknown outcome": [DECISION, changed(OUTCOME, outcome="fine")],
    "text for a number": [changed(REFUSED, verdict="held", cause="1")],
    "null that may not be": [DECISION, OUTCOME, changed(EFFECT, samples_before=None)],
    "negative number": [DECISION, changed(OUTCOME, elapsed_us=-1), EFFECT],
    "validated by reconnect": [DECISION, changed(OUTCOME, by="reconnect")],
    "bool for a number": [changed(REFUSED, verdict="held", conn=True)],
}

for table in (GOOD, BAD):  # lists above, for reading; tuples for @cases
    for key in table:
        table[key] = tuple(table[key])


class Invariants(unittest.TestCase, metaclass=Expand):
    @cases(GOOD)
    def test_good(self, *records):
        self.assertEqual(invariants.check_records(list(records)), [])

    @cases(BAD)
    def test_bad(self, *records):
        self.assertNotEqual(invariants.check_records(list(records)), [])


class RecordsPage(unittest.TestCase):
    """The invariants know the members, types and words of docs/records.md, no more and no less.
    (That the program writes these members is tests/unit/names.py's.)"""

    def test_members_and_types(self):
        told = page()
        known = {"Every record": invariants.COMMON, **invariants.MEMBERS}
        for heading, members in known.items():
            self.assertEqual({name: types for name, (types, _) in told[heading].items()}, members,
                             heading)

    def test_kinds(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/records.md")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(set(re.findall(r"^\| \[`(\w+)`\]", text, re.M)), set(invariants.MEMBERS))
        sentence = re.search(r"\n((?:`\w+`(?:, | and )?)+) are left out where they do not apply", text)[1]
        self.assertEqual(set(re.findall(r"`(\w+)`", sentence)), invariants.LEFT_OUT["decision"])

    def test_words(self):
        told = page()
        for heading, member, words in (
                ("decision", "verdict", invariants.VERDICTS), ("decision", "kind", invariants.KINDS),
                ("outcome", "outcome", invariants.OUTCOMES), ("effect", "effect", invariants.EFFECTS),
                ("notice", "level", invariants.LEVELS)):
            found = re.findall(r"`([a-z-]+)`", told[heading][member][1].split("Sentences")[0])
            self.assertEqual(set(found), words, member)


class Client:
    """A few lines of pathdog: what speaks to the scripted node here."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10 * PATIENCE)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")

    def ask(self, number, method, **params):
        message = {"jsonrpc": "2.0", "id": number, "method": method}
        if params:
            message["params"] = params
        self.sock.sendall(json.dumps(message).encode() + b"\n")

    def read(self):
        return json.loads(self.file.readline())

    def hello(self):
        self.ask(1, "hello", protocol=[1], client="pathdog/0")
        self.read()
        self.ask(2, "subscribe")
        while "result" not in self.read():
            pass

    def close(self):
        self.file.close()
        self.sock.close()


class Node(unittest.TestCase, metaclass=Expand):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="e2e-")
        self.node = ScriptedNode(os.path.join(self.temporary.name, "node")).start()
        self.node.add("b@h", 7)
        self.client = Client(self.node.path)

    def tearDown(self):
        self.client.close()
        self.node.stop()
        self.temporary.cleanup()

    def complaints(self, number):
        self.node.wait_for(lambda: len(self.node.requests()) >= number)
        return invariants.check_node(self.node)

    def test_greets(self):
        self.client.ask(1, "hello", protocol=[1], client="pathdog/0")
        self.assertEqual(self.client.read()["result"]["boot"], "boot-1")

    def test_snapshot_then_rows(self):
        self.client.ask(1, "hello", protocol=[1], client="pathdog/0")
        self.client.read()
        self.client.ask(2, "subscribe")
        self.assertEqual(self.client.read()["params"]["conn"], 7)
        self.assertEqual(self.client.read()["result"], {"peers": 1})
        self.client.ask(3, "summary")
        rows = self.client.read()["params"]
        self.assertEqual(rows["rows"][0][rows["columns"].index("conn")], 7)
        self.assertEqual(self.client.read()["result"], {"rows": 1})
        self.assertEqual(self.complaints(3), [])

    def test_reconnect_in_the_contract_order(self):
        self.client.hello()
        self.client.ask(3, "reconnect_peer", conn=7, timeout_ms=1, reason="r")
        self.assertEqual(self.client.read()["method"], "peer_down")
        new = self.client.read()["params"]["conn"]
        self.assertEqual(self.client.read()["result"], {"conn": new})

    def test_paths_that_are_probed(self):
        """Each answers as the test has set it, and none waits for another."""
        self.node.hello["features"] = ["probe_path", "bind"]
        self.client.hello()
        held = []
        self.node.paths.update({"up0": SILENT, "up1": -32004, "up2": -32007, "up3": 500, "up4": held.append})
        for number, interface in enumerate(("up0", "up1", "up2", "up3", "up4", "up5"), 3):
            self.client.ask(number, "probe_path", conn=7, timeout_ms=300, interface=interface)
        self.client.ask(9, "probe_path", conn=8, timeout_ms=300)
        answers = [self.client.read() for _ in range(5)]
        told = {a["id"]: a["result"]["rtt_us"] if "result" in a else a["error"]["code"] for a in answers}
        self.assertEqual(told, {4: -32004, 5: -32007, 6: 500, 8: 41200, 9: -32001})
        self.assertEqual(answers[-1]["id"], 4)  # when its time was over
        self.assertEqual(self.complaints(9), [])
        held[0].answer({"rtt_us": "soon"})
        self.assertEqual(self.client.read()["result"], {"rtt_us": "soon"})

    def test_moves_over_an_interface(self):
        self.node.hello["features"] = ["reconnect", "bind"]
        self.node.addresses["up1"] = "fd77:1::2"
        self.client.hello()
        self.client.ask(3, "migrate_peer", conn=7, timeout_ms=300, reason="r", interface="up1")
        self.assertEqual(self.client.read()["result"]["local"], "[fd77:1::2]:40000")
        self.client.ask(4, "reconnect_peer", conn=7, timeout_ms=300, reason="r", interface="up1")
        self.client.read()
        self.assertEqual(self.client.read()["params"]["local"], "[fd77:1::2]:41000")
        self.assertEqual(self.complaints(4), [])

    def test_a_probe_of_a_path_without_the_feature_is_noticed(self):
        self.client.hello()
        self.client.ask(3, "probe_path", conn=7, timeout_ms=300)
        self.assertNotEqual(self.complaints(3), [])

    def test_reconnect_without_the_feature_is_noticed(self):
        self.client.hello()
        self.client.ask(3, "reconnect_peer", conn=7, timeout_ms=1, reason="r")
        self.assertNotEqual(self.complaints(3), [])

    def test_two_open_moves_are_noticed(self):
        self.node.on("migrate_peer", lambda r: None)
        self.client.hello()
        for number in (3, 4):
            self.client.ask(number, "migrate_peer", conn=7, timeout_ms=60000, reason="r")
        self.assertNotEqual(self.complaints(4), [])

    def test_another_reason_is_a_newer_word(self):
        self.node.on("migrate_peer", lambda r: None)
        self.client.hello()
        for number, reason in ((3, "one"), (4, "two")):
            self.client.ask(number, "migrate_peer", conn=7, timeout_ms=60000, reason=reason)
        self.assertEqual(self.complaints(4), [])

    def cancel(self, number):
        self.client.sock.sendall(json.dumps({"jsonrpc": "2.0", "method": "cancel",
                                             "params": {"id": number}}).encode() + b"\n")

    @cases({"a request that makes room": (["make_before_break"], 3, True, True),
            "without the feature": ([], 3, True, False),
            "of nothing": (["make_before_break"], 5, True, False),
            "and nothing follows": (["make_before_break"], 3, False, False)})
    def test_cancel(self, features, number, follows, good):
        self.node.hello["features"] = features
        self.node.on("migrate_peer", lambda r: None)
        self.client.hello()
        self.client.ask(3, "migrate_peer", conn=7, timeout_ms=60000, reason="r")
        self.cancel(number)
        if follows:
            self.client.ask(4, "migrate_peer", conn=7, timeout_ms=60000, reason="s")
        self.assertEqual(self.complaints(4 + follows) == [], good)

    def test_a_dial_that_closes_is_not_taken_back(self):
        self.node.hello["features"] = ["reconnect", "make_before_break"]
        self.node.on("reconnect_peer", lambda r: None)
        self.client.hello()
        self.client.ask(3, "reconnect_peer", conn=7, timeout_ms=60000, reason="r")
        self.cancel(3)
        self.client.ask(4, "reconnect_peer", conn=7, timeout_ms=60000, reason="s", keep_old=True)
        self.assertNotEqual(self.complaints(5), [])

    def test_migrating_a_server_connection_is_noticed(self):
        self.client.hello()
        self.node.add("c@h", 8, role="server")
        self.client.ask(3, "migrate_peer", conn=8, timeout_ms=5000, reason="r")
        self.assertNotEqual(self.complaints(3), [])

    def test_migrating_a_disabled_connection_is_noticed(self):
        self.node.on("migrate_peer", lambda r: r.error(-32003))
        self.client.hello()
        for number in (3, 4):
            self.client.ask(number, "migrate_peer", conn=7, timeout_ms=5000, reason="r")
            self.client.read()
        self.assertNotEqual(self.complaints(4), [])

    def test_beginning_without_hello_is_noticed(self):
        self.client.ask(1, "summary")
        self.assertNotEqual(self.complaints(1), [])

    def test_rubbish_is_noticed(self):
        self.client.sock.sendall(b"[1]\n")
        self.node.wait_for(lambda: self.node.links and self.node.links[0].bad_lines)
        self.assertNotEqual(invariants.check_node(self.node), [])

    def test_sees_the_end_and_starts_again(self):
        self.client.hello()
        self.node.restart(boot="boot-2")
        self.assertEqual(self.client.file.readline(), b"")
        self.client.close()
        self.client = Client(self.node.path)
        self.client.hello()
        self.assertEqual([link.boot for link in self.node.links], ["boot-1", "boot-2"])
