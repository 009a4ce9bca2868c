# SPDX-License-Identifier: Apache-2.0
"""Three nodes that are started at once: how long until each has both others."""
import threading
import time

from stage import NODES, node_name

LIMIT_S = 40

# name, text, whom each names as contact, more of kernel's environment
SCENARIOS = [
    ("start-all", "three nodes start, all name all", "all", ""),
    ("start-all-apart", "the same, connect_all false", "all", "{connect_all, false}"),
    ("start-order", "three nodes start, each names those before it", "order", ""),
    ("start-order-apart", "the same, connect_all false", "order", "{connect_all, false}"),
]


def contacts(name, which):
    names = list(NODES)
    return [other for other in names if other != name] if which == "all" else \
        names[:names.index(name)]


def lacks(stage, expression):
    return [f"{name} {other}" for name in NODES for other in NODES if other != name
            and stage.nodes[name].ask(expression.format(f"'{node_name(other)}'")) not in (True, "true")]


def start(play):
    """(milliseconds until all are connected, who is not, who lacks whom in the active view then)."""
    stage, errors = play.stage, []
    stage.network.reset()

    def one(name):
        try:
            stage.start_node(name, contacts(name, play.scenario.start), bridge=play.with_pathdog,
                             kernel=play.scenario.kernel)
        except Exception as error:  # told where it can be
            errors.append(error)

    threads = [threading.Thread(target=one, args=(name,)) for name in NODES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    began = time.monotonic()
    while missing := lacks(stage, "lists:member({}, nodes())"):
        if time.monotonic() - began >= LIMIT_S:
            break
        time.sleep(0.1)
    ms = (time.monotonic() - began) * 1000
    return ms, missing, lacks(stage, "pdlab:up({})")
