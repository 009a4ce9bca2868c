# SPDX-License-Identifier: Apache-2.0
"""Built triggers where pathdog accepts them: not below a directory that another user may change,
as the checkout of a user is for root."""

import contextlib
import glob
import os
import shutil
import stat
import tempfile


def trusted(directory):
    """The rule of watchdog/util/safe-path.h, for directories."""
    path = os.path.realpath(directory)
    while True:
        there = os.stat(path)
        if there.st_uid not in (0, os.geteuid()) or there.st_mode & 0o022 and not (
                there.st_mode & stat.S_ISVTX):
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def copy(source, target):
    os.mkdir(target, 0o755)
    for file in glob.glob(os.path.join(source, "*.so")):
        shutil.copy(file, target)
        os.chmod(os.path.join(target, os.path.basename(file)), 0o644)
    return target


@contextlib.contextmanager
def usable(directory):
    """The directory, or a copy that is gone afterwards."""
    if trusted(directory):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="pathdog-plugins-") as place:
        os.chmod(place, 0o755)
        yield copy(directory, os.path.join(place, "plugins"))
