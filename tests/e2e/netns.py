# SPDX-License-Identifier: Apache-2.0
"""Two network namespaces for the route tests: a host with two uplinks, and their far end."""

import itertools
import json
import os
import subprocess

COUNTER = itertools.count()


def run(*args, text=None):
    done = subprocess.run(args, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


class Host:
    """up0 10.77.1.2/24, up1 10.77.2.2/24 (and fd77:1::2, fd77:2::2); far ends end in 1.
    The default way out is up0."""

    def __init__(self):
        number = next(COUNTER)
        self.name = f"e2e-{os.getpid()}-{number}h"
        self.far = f"e2e-{os.getpid()}-{number}r"
        self.made = []

    def start(self):
        for name in (self.name, self.far):
            run("ip", "netns", "add", name)
            self.made.append(name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        for number, link in ((1, "up0"), (2, "up1")):
            run("ip", "-n", self.name, "link", "add", link, "type", "veth", "peer", "name",
                f"r{number - 1}", "netns", self.far)
            run("ip", "-n", self.far, "link", "set", f"r{number - 1}", "up")
            self.ip("addr", "add", f"10.77.{number}.2/24", "dev", link)
            self.ip("addr", "add", f"fd77:{number}::2/64", "dev", link, "nodad")
            self.ip("link", "set", link, "up")
        self.default("up0")
        self.ip("-6", "route", "add", "default", "via", "fd77:1::1", "dev", "up0")
        return self

    def stop(self):
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        self.made = []

    def ip(self, *args):
        return run("ip", "-n", self.name, *args)

    def sysctl(self, setting):
        run("ip", "netns", "exec", self.name, "sysctl", "-qw", setting)

    def batch(self, lines):
        run("ip", "-n", self.name, "-force", "-batch", "-", text="\n".join(lines) + "\n")

    def default(self, link, *more, action="replace"):
        gateway = {"up0": "10.77.1.1", "up1": "10.77.2.1"}[link]
        self.ip("route", action, "default", "via", gateway, "dev", link, *more)

    def default6(self, link):
        gateway = {"up0": "fd77:1::1", "up1": "fd77:2::1"}[link]
        self.ip("-6", "route", "replace", "default", "via", gateway, "dev", link)

    def way(self, address):
        return json.loads(self.ip("-j", "route", "get", address))[0]

    @property
    def prefix(self):
        return ("ip", "netns", "exec", self.name)


def usable():
    """Why not, or None."""
    if os.geteuid() != 0:
        return "needs root: network namespaces"
    host = Host()
    try:
        host.start()
    except (RuntimeError, OSError) as error:
        return f"no network namespaces here: {error}"
    finally:
        host.stop()
    return None
