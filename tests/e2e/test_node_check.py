# SPDX-License-Identifier: Apache-2.0
"""What pathdog and the scripted node say, against docs/node-protocol.schema.json, and the scripted
node against pathdog-node-check: tests that lean on a node that is wrong prove nothing.
"""

import os
import sys

from case import Case, cases
from watchdog import program, run_tool

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import schema  # noqa: E402

GOOD_ROW = {"columns": ["conn", "srtt_us"], "rows": [[17, 48210], [18, None]]}

# part of the schema, message: what it must refuse
REFUSED = {
    "a request without an id": ("pathdog", {"jsonrpc": "2.0", "method": "subscribe"}),
    "hello without protocols": ("pathdog", {"jsonrpc": "2.0", "id": 1, "method": "hello",
                                            "params": {}}),
    "a move without a timeout": ("pathdog", {"jsonrpc": "2.0", "id": 1, "method": "migrate_peer",
                                             "params": {"conn": 1}}),
    "an unknown method": ("pathdog", {"jsonrpc": "2.0", "id": 1, "method": "close"}),
    "jsonrpc 1.0": ("node", {"jsonrpc": "1.0", "method": "x"}),
    "result and error": ("node", {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": 1}}),
    "an answer without an id": ("node", {"jsonrpc": "2.0", "result": {}}),
    "a request of the node": ("node", {"jsonrpc": "2.0", "id": 1, "method": "x"}),
    "peer_up without a conn": ("node", {"jsonrpc": "2.0", "method": "peer_up",
                                        "params": {"peer": "a"}}),
    "peer_up of conn 0": ("node", {"jsonrpc": "2.0", "method": "peer_up",
                                   "params": {"peer": "a", "conn": 0}}),
    "an empty name": ("node", {"jsonrpc": "2.0", "method": "peer_up",
                               "params": {"peer": "", "conn": 1}}),
    "an address without a port": ("peer_path_params", {"conn": 1, "local": "192.0.2.1"}),
    "no conn among the columns": ("summaries_params", {**GOOD_ROW, "columns": ["a", "b"]}),
    "a row that is an object": ("summaries_params", {**GOOD_ROW, "rows": [{}]}),
    "a negative value": ("summaries_params", {**GOOD_ROW, "rows": [[17, -1]]}),
    "a value that is a string": ("summaries_params", {**GOOD_ROW, "rows": [[17, "1"]]}),
    "hello without a boot": ("hello_result", {"protocol": 1}),
    "hello with protocol 2": ("hello_result", {"protocol": 2, "boot": "a"}),
    "reconnected without a conn": ("reconnect_peer_result", {}),
}


class Schema(Case):
    def setUp(self):
        super().setUp()
        self.assertIsNotNone(schema.jsonschema, "python3-jsonschema is not installed")

    @cases(REFUSED)
    def test_refused(self, part, message):
        self.assertNotEqual(schema.Schema().faults(part, message), [])

    def test_a_good_row_is_taken(self):
        self.assertEqual(schema.Schema().faults("summaries_params", GOOD_ROW), [])

    def test_what_pathdog_and_its_node_say(self):
        node = self.node(start=False, features=["reconnect", "bind", "relay", "probe"])
        said, before = [], node.link_class.send

        class Heard(node.link_class):
            def send(self, what):
                if isinstance(what, dict):
                    said.append((True, what))
                before(self, what)
        node.link_class = Heard
        for conn, role in ((1, "client"), (2, "server")):
            node.add(f"p{conn}@h", conn, role=role, local=f"127.0.0.1:{9000 + conn}")
        serve = node.serve

        def heard(request):
            said.append((False, request.message))
            serve(request)
        node.serve = heard
        dog = self.dog(node.start())
        node.wait_subscribed()
        dog.wait_record("peer", state="up", conn=1)
        dog.moved()
        dog.outcome("migrated", conn=1)
        node.wait_rounds(1)
        bad, seen = schema.Schema().conversation(list(said))
        self.assertEqual(bad[:5], [])
        for method in ("hello", "subscribe", "summary", "migrate_peer", "peer_up", "summaries"):
            self.assertIn(method, seen)


class Scripted(Case):
    def test_the_scripted_node_conforms(self):
        node = self.node(features=["reconnect", "bind", "probe", "probe_path"])
        node.interfaces = {"up0"}
        for conn, role in ((1, "client"), (2, "server")):
            node.add(f"p{conn}@h", conn, role=role, local=f"127.0.0.1:{9000 + conn}")
        node.output_max = 1 << 20  # the least that is allowed: sooner reached
        self.node_rules = False  # the checker asks for what pathdog would not
        status, out, err = run_tool(program("pathdog-node-check", "PATHDOG_NODE_CHECK"),
                                    "--timeout", "60", "--reconnects", node.path, timeout=120)
        self.assertEqual(status, 0, out + err)
        for check in ("reconnect", "reconnect-bind", "probe-path", "probe-path-nowhere"):
            self.assertRegex(out, rf"(?m)^ok +{check} ")
