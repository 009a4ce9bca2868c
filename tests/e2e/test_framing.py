# SPDX-License-Identifier: Apache-2.0
"""node-protocol.md, "Framing": what breaks a connection, what spoils one message, and what must
not disturb at all.
"""

import json
import time

from case import Case, cases

MIB = 1 << 20


def line(**message):
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"


def notification(method, **params):
    return line(jsonrpc="2.0", method=method, params=params)


def up(peer="x@h", conn=50, **more):
    return notification("peer_up", peer=peer, conn=conn, **more)


def padded(size, conn=50):
    """A peer_up with an unknown member, `size` bytes long with its LF."""
    head = up(conn=conn, role="client", padding="")
    return up(conn=conn, role="client", padding="x" * (size - len(head)))


FATAL = {
    "not json": b"rubbish\n",
    "half an object": b'{"jsonrpc":"2.0","method":"peer_up"\n',
    "two objects": b'{"jsonrpc":"2.0"}{"jsonrpc":"2.0"}\n',
    "garbage after": b'{"jsonrpc":"2.0"} x\n',
    "array": b"[]\n",
    "array of objects": b'[{"jsonrpc":"2.0","method":"x"}]\n',
    "string": b'"hello"\n',
    "number": b"17\n",
    "null": b"null\n",
    "true": b"true\n",
    "single quotes": b"{'jsonrpc':'2.0'}\n",
    "trailing comma": b'{"jsonrpc":"2.0",}\n',
    "NaN": b'{"jsonrpc":"2.0","method":"x","params":{"a":NaN}}\n',
    "raw control character": b'{"jsonrpc":"2.0","method":"a\x01b"}\n',
    "NUL": b'{"jsonrpc":"2.0"}\x00\n',
    "lone continuation byte": b'{"jsonrpc":"2.0","method":"\x80"}\n',
    "cut UTF-8": b'{"jsonrpc":"2.0","method":"\xe2\x82"}\n',
    "overlong UTF-8": b'{"jsonrpc":"2.0","method":"\xc0\xaf"}\n',
    "surrogate in UTF-8": b'{"jsonrpc":"2.0","method":"\xed\xa0\x80"}\n',
    "beyond U+10FFFF": b'{"jsonrpc":"2.0","method":"\xf4\x90\x80\x80"}\n',
    "invalid UTF-8 in an ignored member": b'{"jsonrpc":"2.0","method":"x","y":"\xff"}\n',
    "one byte too long": padded(MIB + 1),
    "2 MiB": padded(2 * MIB),
    "over length without an end": b"x" * (MIB + 4096),
}

# Each leaves the connection in place and is noticed: "spoils that message or row only".
SPOILED = {
    "no params": line(jsonrpc="2.0", method="peer_up"),
    "params is an array": line(jsonrpc="2.0", method="peer_up", params=[1]),
    "params is a string": line(jsonrpc="2.0", method="peer_up", params="x"),
    "params is null": line(jsonrpc="2.0", method="peer_up", params=None),
    "method is a number": line(jsonrpc="2.0", method=7),
    "neither method nor id": line(jsonrpc="2.0"),
    "no conn": notification("peer_up", peer="x@h"),
    "conn is a string": up(conn="50"),
    "conn is 0": up(conn=0),
    "conn is negative": up(conn=-1),
    "conn is 2^53": up(conn=1 << 53),
    "conn is a float": up(conn=50.5),
    "conn is true": up(conn=True),
    "conn is null": up(conn=None),
    "no peer": notification("peer_up", conn=50),
    "peer is a number": up(peer=7),
    "peer is null": up(peer=None),
    "peer is empty": up(peer=""),
    "peer of 256 bytes": up(peer="x" * 256),
    "peer of 256 bytes in 128 letters": up(peer="é" * 128),
    "U+0000 in peer": b'{"jsonrpc":"2.0","method":"peer_up","params":{"peer":"a\\u0000b",'
                      b'"conn":50}}\n',
    "U+001F in peer": up(peer="a\x1fb"),
    "newline in peer": up(peer="a\nb"),
    "U+007F in peer": up(peer="a\x7fb"),
    "U+0085 in peer": up(peer="a\x85b"),
    "U+009F in peer": up(peer="a\x9fb"),
    "role is a number": up(role=1),
    "migratable is a string": up(migratable="yes"),
    "reconnectable is a number": up(reconnectable=1),
    "local is a number": up(local=9100),
    "peer_down without conn": notification("peer_down", reason="x"),
    "peer_down of a string": notification("peer_down", conn="1"),
    "peer_path without conn": notification("peer_path", local="10.0.0.1:1"),
    "summaries without columns": notification("summaries", rows=[[1]]),
    "summaries without rows": notification("summaries", columns=["conn"]),
    "columns is a string": notification("summaries", columns="conn", rows=[[1]]),
    "columns of numbers": notification("summaries", columns=[1, 2], rows=[[1, 2]]),
    "no conn column": notification("summaries", columns=["srtt_us"], rows=[[1]]),
    "rows is an object": notification("summaries", columns=["conn"], rows={}),
}

# Neither disturbs nor is worth a word.
IGNORED = {
    "unknown notification": notification("weather", sky="blue"),
    "unknown notification without params": line(jsonrpc="2.0", method="weather"),
    "unknown members": line(jsonrpc="2.0", method="weather", extra=1, more=[{}]),
    "empty lines": b"\n\n\n",
    "escapes": b'{"jsonrpc":"2.0","method":"we\\u0061ther\\u00e9\\ud83d\\ude00"}\n',
    "spaces and CR": b'  { "jsonrpc" : "2.0" ,\t"method" : "weather" }  \r\n',
}
COUNTED = {
    "answer of an unknown id": line(jsonrpc="2.0", id=999999, result={}),
    "answer with a string id": line(jsonrpc="2.0", id="3", result={}),
    "answer with null id": line(jsonrpc="2.0", id=None, result={}),
    "answer with a negative id": line(jsonrpc="2.0", id=-3, result={}),
    "error of an unknown id": line(jsonrpc="2.0", id=999999, error={"code": -1, "message": "x"}),
    "hello answered again": line(jsonrpc="2.0", id=1, result={"protocol": 9}),
    "peer_down of an unknown conn": notification("peer_down", conn=777, reason="x"),
    "peer_path of an unknown conn": notification("peer_path", conn=777, local="10.0.0.9:1"),
    "row of an unknown conn": notification("summaries", columns=["conn", "srtt_us"],
                                           rows=[[777, 5]]),
}


class Fatal(Case):
    @cases(FATAL)
    def test_fatal(self, what):
        node, dog = self.pair()
        first = node.link()
        threading_send(first, what)
        node.wait_for(lambda: first.closed, what="the connection closed")
        down = dog.wait_record("node", state="down")
        self.assertTrue(down["reason"])
        self.assertEqual(first.closed_by, "pathdog")
        node.wait_subscribed(2)
        dog.wait_record("node", nth=2, state="up")
        node.wait_rounds(1)  # and it works as before

    def test_what_came_before_it_in_the_same_write_counts(self):
        node, dog = self.pair()
        node.send(up(peer="early@h", conn=60) + b"rubbish\n" + up(peer="late@h", conn=61))
        dog.wait_record("peer", state="up", peer="early@h")
        node.wait_subscribed(2)
        node.wait_rounds(1)
        self.assertEqual(dog.records("peer", peer="late@h"), [])


def threading_send(link, what):
    """The reader may close in the middle of a long write: that is its right."""
    try:
        link.sock.settimeout(10)
        link.sock.sendall(what)
    except OSError:
        pass


class Spoiled(Case):
    @cases(SPOILED)
    def test_spoiled(self, what):
        node, dog = self.pair()
        node.send(what + up(peer="after@h", conn=90))
        dog.wait_record("peer", state="up", peer="after@h")
        notice = dog.notice()
        self.assertIn(notice["level"], ("warning", "notice", "error"))
        self.assertTrue(notice["text"])
        self.assertEqual(dog.records("peer", conn=50), [])
        self.assertEqual(len(node.links), 1)

    @cases({"array": ([],), "string": ("x",), "number": (7,), "long": ([1, 2, 3],),
            "short": ([1],), "empty": ([],), "conn null": ([None, 5],), "conn 0": ([0, 5],),
            "conn float": ([1.5, 5],), "conn string": (["1", 5],)})
    def test_bad_row_spoils_itself_only(self, row):
        node = self.node()
        node.add("p1@h", 1).silent = True
        node.add("p2@h", 2).silent = True
        dog = self.dog(node, None, {"srtt": {"strikes": "1", "threshold": "200ms"}})
        node.wait_rounds(1)
        columns = ["conn", "srtt_us"]
        node.send_rows([row, [2, 300000]], columns)
        self.assertEqual(dog.decision("migrate")["conn"], 2)
        notice = dog.notice("bad-row")
        self.assertTrue(notice["text"])
        self.assertEqual(len(node.links), 1)

    def test_noticed_once_per_kind_and_minute(self):
        node, dog = self.pair()
        for _ in range(5):
            node.send_rows([[1, 2, 3]], ["conn", "srtt_us"])
        node.add("after@h", 90)
        dog.wait_record("peer", state="up", peer="after@h")
        node.wait_rounds()
        self.assertEqual(len(dog.records("notice", what="bad-row")), 1)

    def test_another_kind_is_noticed_beside_it(self):
        node, dog = self.pair()
        node.send_rows([[1, 2, 3]], ["conn", "srtt_us"])
        dog.notice("bad-row")
        node.send(up(peer="", conn=50))
        dog.wait_for(lambda: len(dog.records("notice")) >= 2, what="a notice of another kind")
        self.assertEqual(len({r["what"] for r in dog.records("notice")}), 2)


class Harmless(Case):
    @cases(IGNORED)
    def test_ignored(self, what):
        node, dog = self.pair()
        node.send(what + up(peer="after@h", conn=90))
        dog.wait_record("peer", state="up", peer="after@h")
        self.assertEqual(dog.records("notice"), [])
        self.assertEqual(len(node.links), 1)

    @cases(COUNTED)
    def test_counted(self, what):
        node, dog = self.pair()
        node.send(what + up(peer="after@h", conn=90))
        dog.wait_record("peer", state="up", peer="after@h")
        node.wait_rounds(1)
        self.assertEqual(len(node.links), 1)
        self.assertEqual([r for r in dog.records("node") if r["state"] == "down"], [])

    def test_byte_by_byte(self):
        node, dog = self.pair()
        node.quiet()
        for byte in up(peer="zoë€😀@h", conn=50):
            node.send(bytes([byte]))
        dog.wait_record("peer", state="up", peer="zoë€😀@h", conn=50)

    def test_a_hundred_lines_in_one_write(self):
        node, dog = self.pair()
        node.send(b"\n".join(up(peer=f"m{i}@h", conn=100 + i) for i in range(100)))
        dog.wait_for(lambda: len(dog.records("peer", state="up")) == 101, what="101 peers up")

    def test_a_line_of_exactly_one_mib(self):
        node, dog = self.pair()
        node.send(padded(MIB, conn=50))
        dog.wait_record("peer", state="up", conn=50)
        self.assertEqual(len(node.links), 1)

    def test_many_long_lines(self):
        node, dog = self.pair()
        for i in range(8):
            node.send(padded(MIB - i, conn=50 + i))
        dog.wait_for(lambda: len(dog.records("peer", state="up")) >= 1)
        node.add("after@h", 90)
        dog.wait_record("peer", state="up", conn=90)
        self.assertEqual(len(node.links), 1)

    def test_deep_nesting_does_no_harm(self):
        # Strictly this is JSON with an unknown member; a parser may have a limit. What must hold:
        # pathdog lives, and serves this node, on this connection or the next.
        node, dog = self.pair()
        node.send(b'{"jsonrpc":"2.0","method":"x","y":' + b"[" * 100000 + b"]" * 100000 + b"}\n")
        node.wait_rounds(1)
        self.assertIsNone(dog.process.poll())

    @cases({"number": 7, "string": "abc", "zero": 0})
    def test_a_request_of_the_node_is_refused(self, number):
        node, dog = self.pair()
        node.send(line(jsonrpc="2.0", id=number, method="status"))
        answer = node.wait_for(lambda: node.link().answers and node.link().answers[0])
        self.assertEqual(answer["id"], number)
        self.assertEqual(answer["error"]["code"], -32601)
        self.assertNotIn("result", answer)
        self.assertEqual(len(node.links), 1)

    def test_a_known_method_with_an_id_is_refused_too(self):
        node, dog = self.pair()
        node.send(line(jsonrpc="2.0", id=7, method="peer_up", params={"peer": "x@h", "conn": 50}))
        answer = node.wait_for(lambda: node.link().answers and node.link().answers[0])
        self.assertEqual(answer["error"]["code"], -32601)

    def test_a_partial_line_at_the_end_is_no_message(self):
        node, dog = self.pair()
        node.quiet()
        node.send(up(conn=50)[:-1])
        node.handlers.clear()
        node.restart()
        node.wait_subscribed(2)
        node.wait_rounds(1)
        self.assertEqual(dog.records("peer", conn=50), [])

    def test_a_partial_line_is_not_carried_over(self):
        node, dog = self.pair()
        node.quiet()
        node.send(b'{"jsonrpc":"2.0","method":')
        node.handlers.clear()
        node.restart()
        node.wait_subscribed(2)
        node.add("after@h", 90)
        dog.wait_record("peer", state="up", conn=90)
        self.assertEqual(len(node.links), 2)

    def test_a_line_in_two_halves(self):
        node, dog = self.pair()
        held = node.quiet()
        node.send(up(peer="slow@h", conn=50)[:30])
        begin = time.monotonic()
        node.wait_for(lambda: time.monotonic() - begin > 0.2)
        node.send(up(peer="slow@h", conn=50)[30:])
        dog.wait_record("peer", state="up", peer="slow@h")
        node.handlers.clear()
        node.do_summary(held[0])
        node.wait_rounds(1)
