# SPDX-License-Identifier: Apache-2.0
"""The test case that all of tests/e2e shares: one fresh directory, its nodes, its daemons."""

import os
import shutil
import tempfile
import threading
import unittest

import invariants
from node import ScriptedNode
from watchdog import Watchdog


def cases(table):
    """Decorator: one test method per entry of {name: arguments} (a tuple, or one value)."""
    def mark(function):
        function.table = table
        return function
    return mark


class Expand(type):
    """Turns a method marked with @cases into one method per entry, so that each counts."""

    def __new__(mcs, name, bases, members):
        for key, value in list(members.items()):
            table = getattr(value, "table", None)
            if table is None:
                continue
            del members[key]
            for entry, arguments in table.items():
                word = "".join(c if c.isalnum() else "_" for c in str(entry))
                assert f"{key}__{word}" not in members, f"{key}: {entry} twice"
                members[f"{key}__{word}"] = mcs.bind(value, arguments)
        return super().__new__(mcs, name, bases, members)

    @staticmethod
    def bind(function, arguments):
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)

        def test(self):
            return function(self, *arguments)
        test.__doc__ = function.__doc__
        return test


class Case(unittest.TestCase, metaclass=Expand):
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="e2e-")  # short: socket paths have 108 bytes
        os.chmod(self.directory, 0o755)
        self.cv = threading.Condition()
        self.nodes = []
        self.dogs = []
        self.node_rules = True  # a test that lets the node lie about itself switches it off
        self.finish_with = {}  # arguments of Watchdog.finish for daemons still running

    def node(self, start=True, name="node", **hello):
        node = ScriptedNode(os.path.join(self.directory, name), self.cv, **hello)
        self.nodes.append(node)
        return node.start() if start else node

    def dog(self, node, watchdog=None, triggers=None, start=True, **more):
        """A daemon, ready. Default trigger: tunnel, the quickest way to say `moved`."""
        triggers = {"tunnel": {}} if triggers is None else triggers
        dog = Watchdog(self.directory, node, self.cv, watchdog, triggers, **more)
        self.dogs.append(dog)
        return dog.start() if start else dog

    def pair(self, peers=1, watchdog=None, triggers=None, role="client", **hello):
        """The usual start: a node with `peers` peers (conn 1 …), subscribed and up."""
        node = self.node(**hello)
        for conn in range(1, peers + 1):
            node.add(f"p{conn}@h", conn, role=role, local=f"127.0.0.1:{9000 + conn}")
        dog = self.dog(node, watchdog, triggers)
        node.wait_subscribed()
        for conn in range(1, peers + 1):
            dog.wait_record("peer", state="up", conn=conn)
        return node, dog

    def tearDown(self):
        bad = []
        for dog in self.dogs:
            bad += dog.finish(**self.finish_with)
        for node in self.nodes:
            if self.node_rules:
                bad += invariants.check_node(node)
        for dog in self.dogs:
            dog.destroy()
        for node in self.nodes:
            node.stop()
        story = "" if not bad else "\n".join(
            [d.story() for d in self.dogs] + [n.story() for n in self.nodes])
        shutil.rmtree(self.directory, ignore_errors=True)
        if bad:
            self.fail("afterwards:\n" + "\n".join(bad[:20]) + "\n" + story)
