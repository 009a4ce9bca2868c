#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The configurations that users copy are good as they stand, and notice a dead path.

examples.py PATHDOG SOURCE_ROOT PLUGIN_DIRECTORY"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

PATHDOG, TOP = sys.argv[1:3]
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))

import plugins  # noqa: E402


def read(name):
    with open(os.path.join(TOP, name)) as file:
        return file.read()


def example_of(name):
    """The first configuration on a page: an indented block with [watchdog] in it."""
    blocks = re.findall(r"(?:^    .*\n|^\n)+", read(name), re.M)
    found = [block for block in blocks if re.search(r"^    \[watchdog\]", block, re.M)]
    return textwrap.dedent(found[0])


class Examples(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="pathdog-examples-")
        self.path = os.path.join(self.directory.name, "pathdog.conf")
        os.mkdir(self.path + ".d")
        with open(self.path + ".d/plugins.conf", "w") as file:
            file.write(f"[watchdog]\nplugin_directory = {directory}\n")

    def tearDown(self):
        self.directory.cleanup()

    def with_programs(self, text):
        """The programs of contrib/alert, where an install has them."""
        place = os.path.join(self.directory.name, "alert")
        shutil.copytree(os.path.join(TOP, "contrib/alert"), place, dirs_exist_ok=True)
        for name in os.listdir(place):
            os.chmod(os.path.join(place, name), 0o755)
        os.chmod(place, 0o755)
        return text.replace("/usr/share/pathdog/alert", place)

    def assert_good(self, name):
        """It is taken, and these triggers are in force."""
        done = subprocess.run([PATHDOG, "--config", self.path, "--check"], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""), name)
        sections = re.findall(r"^\[(trigger:[^\]]+)\]", done.stdout, re.M)
        self.assertIn("trigger:stall", sections, name)
        self.assertIn("trigger:route", sections, name)
        return done.stdout

    def test_the_pages(self):
        for name in ("README.md", "docs/configuration.md"):
            with open(self.path, "w") as file:
                file.write(example_of(name))
            self.assert_good(name)

    def test_drop_ins(self):
        """Each one on a page that names its file, beside the first configuration of configuration.md."""
        found = re.findall(r"^    # /etc/pathdog/pathdog\.conf\.d/(\S+)\n((?:^    .*\n|^\n)+?)(?=^\S)",
                           read("docs/configuration.md") + read("docs/uplinks.md"), re.M)
        self.assertEqual([name for name, _ in found if name != "alert.conf"], ["uplinks.conf"] * 6)
        self.assertIn("alert.conf", [name for name, _ in found])
        with open(self.path, "w") as file:
            file.write(example_of("docs/configuration.md"))
        for name, text in found:
            with open(f"{self.path}.d/{name}", "w") as file:
                file.write(self.with_programs(textwrap.dedent(text)))
            if name == "alert.conf":
                self.assertIn("\n[alert]", self.assert_good(text))
                continue
            sections = re.findall(r"^\[(uplink:[^\]]+)\]", self.assert_good(text), re.M)
            self.assertEqual(sections, re.findall(r"\[(uplink:[^\]]+)\]", text))
            self.assertGreater(len(sections), 1)

    def test_flows(self):
        """What the set-ups of flows.md write."""
        found = re.findall(r"^ *cat >/etc/pathdog/pathdog\.conf <<'END'\n(.*?)^ *END$", read("docs/flows.md"), re.M | re.S)
        self.assertEqual(len(found), 2)
        for text in found:
            with open(self.path, "w") as file:
                file.write(textwrap.dedent(text))
            self.assertIn("node = /run/flow-node/node.sock", self.assert_good("flows.md"))

    def test_the_manual_page(self):
        page = read("docs/man/pathdog.conf.5.scd.in")
        with open(self.path, "w") as file:
            file.write(self.with_programs(re.search(r"# EXAMPLE\n\n```\n(.*?)```", page, re.S)[1]))
        self.assert_good("pathdog.conf(5)")

    def test_the_installed_example_with_the_line_of_the_readme(self):
        with open(self.path, "w") as file:
            file.write(read("contrib/systemd/pathdog.conf"))
        line = re.search(r"^    (sed -i .*) /etc/pathdog/pathdog\.conf$", read("README.md"), re.M)[1]
        subprocess.run(f"{line} {self.path}", shell=True, check=True, timeout=60)
        self.assertIn("/run/mynode/pathdog.sock", self.assert_good("pathdog.conf.example"))

    def test_the_installed_example_with_all_its_comments_taken(self):
        text = re.sub(r"^#(?=[a-z_]+ = |\[)", "", read("contrib/systemd/pathdog.conf"), flags=re.M)
        text = re.sub(r"^node_user = .*", "node_user = root", text, flags=re.M)
        with open(self.path, "w") as file:
            file.write(text)
        self.assert_good("pathdog.conf.example")


if __name__ == "__main__":
    with plugins.usable(sys.argv[3]) as directory:
        unittest.main(argv=sys.argv[:1], verbosity=2)
