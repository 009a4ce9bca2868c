#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is docs/architecture.md still right? Every function on its two walks is defined in a file
that its row names, and every module of the engine is in its table.

map.py SOURCE_ROOT"""
import os
import re
import sys


def rows(text, heading):
    """The cells of the table under a heading, without its head."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def defines(path, function):
    with open(path) as file:
        return re.search(rf"^[a-z].*\b{function}\(", file.read(), re.M)


def walk(root, text, heading):
    wrong = []
    for _, functions, files, *_ in rows(text, heading):
        paths, folder = [], ""
        for name in filter(None, (word.strip() for word in files.split(","))):
            folder = os.path.dirname(name) or folder  # said once for those that follow
            places = [os.path.join(root, "watchdog", name), os.path.join(root, name),
                      os.path.join(root, "watchdog", folder, name), os.path.join(root, folder, name)]
            found = [place for place in places if os.path.exists(place)]
            if not found:
                wrong.append(f"{heading}: there is no {name}")
            paths += found
        for function in re.findall(r"`(\w+)`", functions):
            if paths and not any(defines(path, function) for path in paths):
                wrong.append(f"{heading}: {function} is not in {files}")
    return wrong


def modules(root, text):
    told = {name for cells in rows(text, "The engine's modules")
            for name in re.findall(r"`([\w-]+)`", cells[0])}
    there = {name[:-2] for _, _, names in os.walk(os.path.join(root, "watchdog", "engine"))
             for name in names if name.endswith(".c")}
    return [f"modules: {name} is {'not there' if name in told else 'not told of'}"
            for name in sorted(told ^ there)]


def main():
    root = sys.argv[1]
    with open(os.path.join(root, "docs", "architecture.md")) as file:
        text = file.read()
    wrong = (walk(root, text, "Follow one sample from the socket to the journal") +
             walk(root, text, "Follow one route flip") + modules(root, text))
    print("\n".join(wrong) or "the map is right")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
