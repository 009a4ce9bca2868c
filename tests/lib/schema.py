# SPDX-License-Identifier: Apache-2.0
"""Messages of the node protocol against docs/node-protocol.schema.json.

    schema.py TRACE ...      of pathdog-node-check --trace; exit status 0, 1 or 77 (no jsonschema)
"""

import json
import os
import sys

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs",
                      "node-protocol.schema.json")

try:
    import jsonschema
except ImportError:  # Debian: python3-jsonschema
    jsonschema = None


class Schema:
    def __init__(self):
        with open(SCHEMA, encoding="utf-8") as file:
            self.schema = json.load(file)
        jsonschema.Draft202012Validator.check_schema(self.schema)
        self.validators = {}

    def faults(self, part, message):
        """What is wrong with a message, as sentences. `part`: a name of the schema's $defs."""
        if part not in self.validators:
            self.validators[part] = jsonschema.Draft202012Validator(
                {"$ref": f"#/$defs/{part}", "$defs": self.schema["$defs"]})
        return [f"{part}: {error.message[:200]} in {json.dumps(message)[:300]}"
                for error in self.validators[part].iter_errors(message)]

    def conversation(self, exchanged):
        """The same of (from_node, message) in order: a result is held against its method."""
        methods, bad, seen = {}, [], {}
        for from_node, message in exchanged:
            bad += self.faults("node" if from_node else "pathdog", message)
            method = message.get("method")
            if not from_node and method:
                methods[message["id"]] = method
            elif from_node and "result" in message:
                method = methods.get(message["id"])
                bad += self.faults(f"{method}_result", message["result"])
            seen[method] = seen.get(method, 0) + 1
        return bad, seen


def read_trace(path):
    """Of the lines of a trace: what pathdog may send. A checker also sends what it may not."""
    with open(path, encoding="utf-8") as file:
        lines = [(line[0] == "<", json.loads(line[2:])) for line in file]
    usual = ("hello", "subscribe", "summary", "migrate_peer", "reconnect_peer", "probe", "probe_path")
    schema = Schema()
    odd = {m["id"] for from_node, m in lines if not from_node and (
        m["method"] not in usual or schema.faults("pathdog", m))}
    return [(from_node, m) for from_node, m in lines if m.get("id") not in odd]


def main():
    if not jsonschema:
        print("skipped: there is no jsonschema (Debian: python3-jsonschema)")
        return 77
    bad = []
    for path in sys.argv[1:]:
        found, seen = Schema().conversation(read_trace(path))
        bad += found
        print(f"{path}: {seen}")
    print("\n".join(bad[:20]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
