#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is all that meson installs in exactly one Debian package, and in which? What dh_missing would say after
minutes, of this build in a second.

packaged.py MESON SOURCE_ROOT BUILD_ROOT"""
import fnmatch
import glob
import json
import os
import re
import subprocess
import sys
import unittest

MESON, TOP, BUILD = sys.argv[1].split(), sys.argv[2], sys.argv[3]
DEBIAN = os.path.join(TOP, "contrib/debian")


def introspect(what):
    return json.loads(subprocess.run([*MESON, "introspect", what, BUILD], capture_output=True, text=True, check=True,
                                     timeout=60).stdout)


def installed():
    """Where it all goes in a package."""
    prefix = {option["name"]: option["value"] for option in introspect("--buildoptions")}["prefix"]
    names = [re.sub(rf"^{re.escape(prefix)}/", "usr/", name) for name in introspect("--installed").values()]
    return {re.sub("^usr/etc/", "etc/", name).lstrip("/") for name in map(os.path.normpath, names)}


def patterns(name):
    with open(os.path.join(DEBIAN, name)) as file:
        return [line for line in file.read().splitlines() if line and not line.startswith("#")]


def takes(pattern, name):
    """As dh_install does: stars stop at slashes, and a directory is all that is below it."""
    wanted, parts = pattern.split("/"), name.split("/")
    return len(parts) >= len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


# What contrib/debian/rules moves, and what it removes.
MOVED = {"usr/share/pkgconfig/pathdog.pc": "usr/lib/x/pkgconfig/pathdog.pc"}
REMOVED = {"usr/share/doc/pathdog/LICENSE"}


class Packaged(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lists = {os.path.basename(path): patterns(os.path.basename(path))
                     for path in [*glob.glob(DEBIAN + "/*.install"), DEBIAN + "/not-installed"]}
        cls.names = sorted(MOVED.get(name, name) for name in installed() - REMOVED)

    def test_each_file_is_in_one_package(self):
        self.assertGreater(len(self.names), 50)
        self.assertEqual(len(self.lists), 5, self.lists)
        for name in self.names:
            found = [some for some, wanted in self.lists.items() if any(takes(pattern, name) for pattern in wanted)]
            self.assertEqual(len(found), 1, f"{name} is in {found}: contrib/debian/*.install")

    def test_a_file_of_none_is_noticed(self):
        for name in ("usr/bin/other", "usr/share/pathdog/other", "usr/lib/systemd/system/other.service"):
            self.assertEqual([pattern for wanted in self.lists.values() for pattern in wanted if takes(pattern, name)], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
