#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What meson installs, as set up with other options than here: where things go, what each option
leaves out, and whether the links between the installed pages hold.

parts.py MESON SOURCE_ROOT"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

MESON, TOP = sys.argv[1].split(), sys.argv[2]
OPTIONS = ("tests", "flow-node", "quic-node", "top", "man", "systemd")


def setup(directory, *options):
    """(what setup printed, installed paths → sources, names of targets)"""
    done = subprocess.run([*MESON, "setup", "--prefix=/usr", "--sysconfdir=/etc", *options,
                           directory, TOP], capture_output=True, text=True, timeout=280)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    asked = subprocess.run([*MESON, "introspect", "--installed", "--targets", directory],
                           capture_output=True, text=True, check=True, timeout=60).stdout
    answer = json.loads(asked)
    installed = {os.path.normpath(where): source for source, where in answer["installed"].items()}
    return done.stdout, installed, {target["name"] for target in answer["targets"]}


class Parts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="pathdog-parts-")
        # As distributions with lib64 have it.
        cls.out, cls.installed, cls.targets = setup(
            cls.directory.name, "--libdir=lib64", *(f"-D{name}=disabled" for name in OPTIONS))

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def test_a_part_that_is_disabled_is_left_out(self):
        self.assertTrue({"pathdog", "pathdogctl", "pathdog-replay"} <= self.targets, self.targets)
        self.assertEqual([name for name in self.targets
                          if name.startswith("test-") or name in ("flow-node", "quic-node", "pathdog.8")], [])
        self.assertEqual([path for path in self.installed
                          if re.search("lib/systemd/|sysusers|/man/", path)], [])

    def test_the_summary_tells_each_part(self):
        for name in OPTIONS:
            self.assertRegex(self.out, rf"\n +{name} +: +NO\n")

    def test_the_version_is_known_without_git_as_well(self):
        """Where git finds no commit, as in a tarball within a broken checkout, the version is the
        project's and nothing else."""
        def version(**environment):
            header = os.path.join(self.directory.name, "watchdog/version.h")
            subprocess.run(["ninja", "-C", self.directory.name, "watchdog/version.h"], check=True,
                           capture_output=True, timeout=120, env={**os.environ, **environment})
            with open(header) as file:
                return re.search(r'"(.*)"', file.read())[1]

        release = re.search(r"Project version: (\S+)", self.out)[1]
        if not os.path.exists(os.path.join(TOP, ".git")):
            with open(os.path.join(self.directory.name, "watchdog/version.h")) as file:
                self.assertIn(f'"{release}"', file.read())
            return
        self.assertRegex(version(), rf"^{re.escape(release)}(\+g[0-9a-f]+)?$")
        self.assertEqual(version(GIT_DIR="/nonexistent"), release)

    def test_pathdog_pc_is_where_pkg_config_looks(self):
        self.assertIn("/usr/share/pkgconfig/pathdog.pc", self.installed)

    def test_the_links_of_installed_pages_hold(self):
        pages = {path: source for path, source in self.installed.items() if path.endswith(".md")}
        self.assertIn("/usr/share/doc/pathdog/README.md", pages)
        for name in os.listdir(os.path.join(TOP, "docs")):
            if name.endswith(".md"):
                self.assertIn(f"/usr/share/doc/pathdog/docs/{name}", pages)
        broken = []
        for path, source in pages.items():
            with open(source) as file:
                links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read())
            broken += [f"{path}: {link}" for link in links if os.path.normpath(
                os.path.join(os.path.dirname(path), link)) not in self.installed]
        self.assertEqual(broken, [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
