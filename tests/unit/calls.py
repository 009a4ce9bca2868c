#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who calls whom, by the linker's symbols: no circle of files, and no room of the engine that
uses a room above or beside it.

calls.py SOURCE_ROOT BUILD_ROOT

An arrow goes from the file whose object leaves a symbol undefined to the file that defines it: in
the same library or program, else in any library of the area. A variable counts as a function
does. Exit status 77 (skipped) where there is no nm, or the objects hold no symbols yet (LTO)."""
import json
import os
import subprocess
import sys

AREAS = ["watchdog", "plugins", "contrib/quic-node", "contrib/node-kit", "contrib/settings",
         "contrib/udp-relay", "contrib/flow-node"]
ENGINE = "watchdog/engine"
# What a room of the engine may use beside itself; what stands above them may use all.
BASE, PEERS, MOVES = ["base"], ["base", "peers"], ["base", "peers", "moves"]
UPLINKS = MOVES + ["uplinks"]
ROOMS = {"base": [], "peers": BASE, "moves": PEERS, "triggers": UPLINKS, "liveness": UPLINKS, "uplinks": MOVES,
         "stages": UPLINKS + ["triggers", "liveness"]}


class Graph:
    """arrows[user][definer] is the set of symbols that it is about."""

    def __init__(self, root, build):
        self.root = root
        self.arrows = {}
        objects = self.objects(build)
        defined, used = self.symbols([path for _, path, _ in objects])
        sources = {path: source for source, path, _ in objects}
        target_of = {path: target for _, path, target in objects}
        definers = {}
        for path, names in defined.items():
            for name in names:
                definers.setdefault(name, []).append(path)
        for path, names in used.items():
            self.arrows.setdefault(sources[path], {})
            for name in names:
                for other in self.resolve(definers.get(name, []), target_of, target_of[path]):
                    if sources[other] != sources[path]:
                        self.arrows[sources[path]].setdefault(sources[other], set()).add(name)

    def objects(self, build):
        """(source, object, target) of every file of the areas; meson says which there are."""
        with open(os.path.join(build, "compile_commands.json")) as file:
            commands = json.load(file)
        found = []
        for command in commands:
            source = os.path.relpath(os.path.join(command["directory"], command["file"]), self.root)
            path = os.path.join(command["directory"], command["output"])
            if any(source.startswith(area + "/") for area in AREAS) and os.path.exists(path):
                found.append((source, path, os.path.dirname(command["output"])))
        return found

    def symbols(self, paths):
        defined = {path: set() for path in paths}
        used = {path: set() for path in paths}
        text = subprocess.run(["nm", "-g", "-A"] + paths, check=True, capture_output=True, text=True).stdout
        for line in text.splitlines():
            path, rest = line.split(":", 1)
            words = rest.split()
            kind, name = words[-2], words[-1]
            (used if kind in "Uw" else defined)[path].add(name)
        return defined, used

    @staticmethod
    def resolve(paths, target_of, target):
        """Which of the definers is meant: one of the same target, else those in libraries."""
        near = [path for path in paths if target_of[path] == target]
        return near or [path for path in paths if target_of[path].endswith(".a.p")]

    def knots(self):
        """Sets of files that all reach each other: Tarjan's strongly connected components."""
        number, low, on, stack, knots = {}, {}, set(), [], []

        def visit(node):
            number[node] = low[node] = len(number)
            stack.append(node)
            on.add(node)
            for other in self.arrows.get(node, {}):
                if other not in number:
                    visit(other)
                    low[node] = min(low[node], low[other])
                elif other in on:
                    low[node] = min(low[node], number[other])
            if low[node] == number[node]:
                knot = set()
                while node not in knot:
                    knot.add(stack.pop())
                on.difference_update(knot)
                if len(knot) > 1:
                    knots.append(knot)

        for node in sorted(self.arrows):
            if node not in number:
                visit(node)
        return knots

    def circle(self, knot):
        """The shortest way round, from its first file."""
        first = min(knot)
        came, row = {}, [first]
        while row:
            node = row.pop(0)
            for other in sorted(self.arrows[node]):
                if other == first:
                    way = [node]
                    while way[0] != first:
                        way.insert(0, came[way[0]])
                    return way + [first]
                if other in knot and other not in came:
                    came[other] = node
                    row.append(other)
        return sorted(knot)

    def describe(self, knot):
        way = self.circle(knot)
        lines = [f"a circle of calls among {len(knot)} files: {', '.join(sorted(knot))}; the shortest:"]
        for user, definer in zip(way, way[1:]):
            lines.append(f"  {user} uses {', '.join(sorted(self.arrows[user][definer])[:4])} of {definer}")
        return "\n".join(lines)

    def upwards(self):
        wrong = []
        for user, others in sorted(self.arrows.items()):
            if not user.startswith(ENGINE + "/"):
                continue
            room = os.path.dirname(os.path.relpath(user, ENGINE))
            if room and room not in ROOMS:
                wrong.append(f"{user}: this room is not in ROOMS of calls.py")
                continue
            for definer, names in sorted(others.items()):
                other = os.path.dirname(os.path.relpath(definer, ENGINE))
                if room and definer.startswith(ENGINE + "/") and other not in [room] + ROOMS[room]:
                    wrong.append(f"{user} uses {', '.join(sorted(names))} of {definer}: "
                                 f"{room} may use {', '.join(ROOMS[room]) or 'no other room'}")
        return wrong


def check(root, build):
    try:
        graph = Graph(os.path.realpath(root), os.path.realpath(build))
    except FileNotFoundError as error:
        print(f"skipped: {error}")
        return 77
    count = sum(len(others) for others in graph.arrows.values())
    if not count:
        print("skipped: no object holds a symbol")
        return 77
    wrong = graph.upwards() + [graph.describe(knot) for knot in graph.knots()]
    print("\n".join(wrong) or f"{len(graph.arrows)} files, {count} arrows, no circle")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(check(*sys.argv[1:]))
