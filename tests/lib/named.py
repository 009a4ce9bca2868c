# SPDX-License-Identifier: Apache-2.0
"""Tests that a page names: "e2e/test_reach.Reach.test_half_dead", "unit/test-stall.test_one_way"."""
import ast
import os
import re

FOLDERS = {folder: "tests/" + folder for folder in
           ("hostile", "e2e", "unit", "systemd", "fuzz", "node-check", "bench", "programs")}
FOLDERS |= {folder: "contrib/" + folder for folder in ("quic-node", "udp-relay", "exec-trigger", "flow-node")}
TEST = re.compile("`((?:" + "|".join(FOLDERS) + ")/[^`]+)`")


def rows(text):
    """The cells of all rows, without heads and rulers."""
    lines = text.splitlines()
    heads = {i - 1 for i, line in enumerate(lines) if line.startswith("| ---")}
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for i, line in enumerate(lines)
            if line.startswith("| ") and i not in heads and not line.startswith("| ---")]


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def defined(text):
    """What a Python file defines: "name", "Class.name"."""
    found = set()
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{member.name}" for member in node.body
                      if isinstance(member, ast.FunctionDef)}
    return found


def exists(top, name):
    """A whole file, or what is defined in one."""
    folder, rest = name.split("/")
    path = os.path.join(top, FOLDERS[folder], rest)
    if os.path.exists(path) or os.path.exists(path + ".c"):
        return True
    module, _, member = rest.partition(".")
    path = os.path.join(top, FOLDERS[folder], module)
    if os.path.exists(path + ".c"):
        return re.search(rf"^static void {re.escape(member)}\(", read(path + ".c"), re.M) is not None
    return os.path.exists(path + ".py") and member in defined(read(path + ".py"))
