# SPDX-License-Identifier: Apache-2.0
"""node-protocol.md, "Columns of summaries", seen through the srtt trigger with one strike."""

import time

from case import Case, cases
from node import SLACK

COLUMNS = ["conn", "srtt_us", "rtt_samples"]
SRTT = {"srtt": {"threshold": "200ms", "strikes": "1"}}


class Columns(Case):
    def silent_pair(self):
        """Two peers without rows of their own: the test sends the rows."""
        node = self.node()
        for conn in (1, 2):
            node.add(f"p{conn}@h", conn).silent = True
        dog = self.dog(node, None, SRTT)
        node.wait_rounds(1)
        return node, dog

    def canary(self, node, dog):
        """Rows of conn 2 that must fire: all that was sent before has been judged then."""
        node.send_rows([[2, 999000, 77]], COLUMNS)
        dog.decision("migrate", conn=2)

    FIRES = {
        "plain": (COLUMNS, [[1, 300000, 5]]),
        "another order": (["rtt_samples", "srtt_us", "conn"], [[5, 300000, 1]]),
        "unknown columns": (["colour", "conn", "srtt_us", "rtt_samples", "x"],
                            [["red", 1, 300000, 5, {"a": [1]}]]),
        "the first of two columns": (["conn", "srtt_us", "rtt_samples", "srtt_us"],
                                     [[1, 300000, 5, 1]]),
        "the first of two conns": (["conn", "srtt_us", "conn"], [[1, 300000, 9]]),
        "no rtt_samples": (["conn", "srtt_us"], [[1, 300000]]),
        "the greatest number": (COLUMNS, [[1, (1 << 53) - 1, 5]]),
        "min_rtt null": (COLUMNS + ["min_rtt_us"], [[1, 300000, 5, None]]),
        "flags as booleans": (COLUMNS + ["congested", "in_recovery"],
                              [[1, 300000, 5, True, False]]),
        "rubbish in another column": (COLUMNS + ["pto_count", "min_rtt_us"],
                                      [[1, 300000, 5, "many", -3]]),
        "exactly 256 columns": (COLUMNS + [f"c{i}" for i in range(253)],
                                [[1, 300000, 5] + [i for i in range(253)]]),
        "after a bad row": (COLUMNS, [[1], [1, 300000, 5]]),
        "the same conn twice": (COLUMNS, [[1, 300000, 5], [1, 300000, 6]]),
    }
    QUIET = {
        "null": (COLUMNS, [[1, None, 5]]),
        "a float": (COLUMNS, [[1, 300000.5, 5]]),
        "negative": (COLUMNS, [[1, -300000, 5]]),
        "a string": (COLUMNS, [[1, "300000", 5]]),
        "2^53": (COLUMNS, [[1, 1 << 53, 5]]),
        "beyond 64 bits": (COLUMNS, [[1, "BIG", 5]]),
        "an object": (COLUMNS, [[1, {}, 5]]),
        "an array": (COLUMNS, [[1, [300000], 5]]),
        "no samples yet": (COLUMNS, [[1, 300000, 0]]),
        "no srtt column": (["conn", "rtt_samples", "latest_rtt_us"], [[1, 5, 300000]]),
        "the first of two columns": (["conn", "srtt_us", "rtt_samples", "srtt_us"],
                                     [[1, 1, 5, 300000]]),
        "no conn column": (["srtt_us", "rtt_samples"], [[300000, 5]]),
        "too long": (COLUMNS, [[1, 300000, 5, 6]]),
        "too short": (["conn", "srtt_us", "rtt_samples", "x"], [[1, 300000, 5]]),
        "unknown conn": (COLUMNS, [[777, 300000, 5]]),
        "columns in capitals": (["conn", "SRTT_US", "rtt_samples"], [[1, 300000, 5]]),
        "no rows": (COLUMNS, []),
        "conn as text": (COLUMNS, [["1", 300000, 5]]),
        "conn as a float": (COLUMNS, [[1.5, 300000, 5]]),
        "conn true": (COLUMNS, [[True, 300000, 5]]),
    }

    @cases(FIRES)
    def test_fires(self, columns, rows):
        node, dog = self.silent_pair()
        node.send_rows(rows, columns)
        dog.decision("migrate", conn=1)

    @cases(QUIET)
    def test_quiet(self, columns, rows):
        node, dog = self.silent_pair()
        if rows and rows[0][1:2] == ["BIG"]:
            node.send(b'{"jsonrpc":"2.0","method":"summaries","params":{"columns":["conn",'
                      b'"srtt_us","rtt_samples"],"rows":[[1,18446744073709851616,5]]}}\n')
        else:
            node.send_rows(rows, columns)
        self.canary(node, dog) if len(node.links) == 1 else None
        self.assertEqual(dog.records("decision", conn=1), [])

    def test_an_integer_written_as_a_float(self):
        # 300000.0 is a number, but not written as an integer: "anything else counts as null".
        node, dog = self.silent_pair()
        node.send(b'{"jsonrpc":"2.0","method":"summaries","params":{"columns":["conn","srtt_us",'
                  b'"rtt_samples"],"rows":[[1,300000.0,5]]}}\n')
        self.canary(node, dog)
        self.assertEqual(dog.records("decision", conn=1), [])

    @cases({"spaces": b'{ "jsonrpc": "2.0", "method": "summaries", "params": { "columns": '
                      b'[ "conn", "srtt_us", "rtt_samples" ], "rows": [ [ 1 , 300000 , 5 ] ] } }',
            "params first": b'{"params":{"rows":[[1,300000,5]],"columns":["conn","srtt_us",'
                            b'"rtt_samples"]},"method":"summaries","jsonrpc":"2.0"}',
            "escaped names": b'{"jsonrpc":"2.0","method":"summ\\u0061ries","params":{"columns":'
                             b'["conn","srtt\\u005fus","rtt_samples"],"rows":[[1,300000,5]]}}',
            "unknown members": b'{"jsonrpc":"2.0","x":1,"method":"summaries","params":{"y":[],'
                               b'"columns":["conn","srtt_us","rtt_samples"],'
                               b'"rows":[[1,300000,5]],"z":{}}}'})
    def test_written_otherwise(self, line):
        node, dog = self.silent_pair()
        node.send(line + b"\n")
        dog.decision("migrate", conn=1)

    def test_many_rows_in_one_message(self):
        node = self.node()
        for conn in range(1, 1001):
            node.add(f"p{conn}@h", conn).silent = True
        dog = self.dog(node, {"max_in_flight": "2000", "shared_peers": "0"}, SRTT)
        node.wait_rounds(1)
        node.send_rows([[conn, 300000, 5] for conn in range(1, 1001)], COLUMNS)
        dog.wait_for(lambda: len(dog.records("outcome", outcome="migrated")) == 1000, 30,
                     "1000 moves")


class Rounds(Case):
    def test_a_round_each_sample_interval(self):
        node, dog = self.pair(triggers={}, watchdog={"sample_interval": "200ms"})
        node.wait_rounds(20)
        times = [r.time for r in node.requests("summary")][1:]
        # the first may have been read, and its successor asked, almost an interval late
        self.assertGreaterEqual(times[-1] - times[0], 0.2 * (len(times) - 3))
        # and not each of them was
        self.assertLess(min(b - a for a, b in zip(times, times[1:])), 0.3)

    def test_one_outstanding(self):
        node = self.node()
        held = []
        node.on("summary", held.append)
        node.add("p1@h", 1)
        self.dog(node, None, {})
        first = node.wait_request("summary")
        node.wait_for(lambda: first.link.closed or len(held) > 1
                      or time.monotonic() - first.time > 1)
        self.assertEqual(len(held), 1)  # ten intervals later
        node.handlers.clear()
        node.do_summary(held[0])
        node.wait_rounds()

    def test_given_up_after_ten_seconds(self):
        node = self.node()
        node.on("summary", lambda r: None)
        node.add("p1@h", 1)
        begin = time.monotonic()
        self.dog(node, None, {})
        first = node.wait_request("summary")
        second = node.wait_request("summary", nth=2, deadline=15)
        self.assertGreaterEqual(second.time - begin, 10)
        self.assertLess(second.time - first.time, 10 + SLACK)
        self.assertEqual(len(node.links), 1)

    @cases({"error": {"error": {"code": -32603, "message": "no"}}, "no rows": {"result": {}},
            "text": {"result": "x"}, "both": {"result": {}, "error": {"code": 1, "message": ""}}})
    def test_a_spoiled_answer_ends_the_round_only(self, answer):
        node = self.node()
        node.add("p1@h", 1)
        node.on("summary", lambda r: r.send({"jsonrpc": "2.0", "id": r.id, **answer}))
        self.dog(node, None, {})
        # the next is asked in its turn, or after giving up this one
        node.wait_request("summary", nth=3, deadline=25)
        self.assertEqual(len(node.links), 1)
