#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pathdog-node-check against a real node, and what both say against the schema.

    real.py PATHDOG_NODE_CHECK PROGRAM [ARGUMENT ...]      SOCKET stands for the socket's path
"""

import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import schema  # noqa: E402

PATIENCE = 60


def main():
    program, *command = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="nc-") as directory:
        path, trace = os.path.join(directory, "node"), os.path.join(directory, "trace")
        node = subprocess.Popen([path if word == "SOCKET" else word for word in command])
        try:
            end = time.monotonic() + PATIENCE
            while not os.path.exists(path):
                if node.poll() is not None or time.monotonic() > end:
                    print("the node has not made its socket")
                    return 1
                time.sleep(0.01)
            status = subprocess.run([program, "--moves", "--reconnects", "--trace", trace, path],
                                    stdin=subprocess.DEVNULL).returncode
            if node.poll() is not None:
                print("the node has ended")
                return 1
        finally:
            node.kill()
            node.wait()
        if status:
            return status
        if not schema.jsonschema:
            print("# not held against the schema: there is no python3-jsonschema")
            return 0
        bad, seen = schema.Schema().conversation(schema.read_trace(trace))
    if not {"hello", "subscribe", "summary", "peer_up", "summaries"} <= set(seen):
        bad.append(f"the trace has only {seen}")
    print("\n".join(bad[:20]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
