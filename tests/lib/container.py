# SPDX-License-Identifier: Apache-2.0
"""Debians in containers, for tests: made once, booted with a script inside, thrown away. The host is
not changed."""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess


class Trouble(Exception):
    """It cannot be tried here, or something that the test stands on does not work."""


# What is started ends with the thread that waits for it.
WITH_US = ("setpriv", "--pdeathsig", "TERM")


def run(words, log, **more):
    with open(log, "a") as file:
        print("+", *words, file=file, flush=True)
        done = subprocess.run([*WITH_US, *words], stdin=subprocess.DEVNULL, stdout=file, stderr=file, **more)
    if done.returncode != 0:
        raise Trouble(f"{words[0]} {words[1]}: exit status {done.returncode}, see {log}")


def output(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=True).stdout


def prepare(tools):
    """Raises Trouble where containers cannot be had."""
    if os.getuid() != 0:
        raise Trouble("not root: containers need it")
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        raise Trouble(f"missing: {' '.join(missing)}")


def archive():
    """(suite, address) of the archive that this machine's apt uses."""
    codename = output("sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME").strip()
    addresses = output("apt-get", "indextargets", "--format", "$(REPO_URI)",
                       "Created-By: Packages", f"Codename: {codename}").split()
    if not codename or not addresses:
        raise Trouble("apt has no archive for this system")
    return codename, addresses[0]


def debian(cache, packages, log, suite=None):
    """A directory with a minimal Debian, made once for each list of packages; of this machine's suite
    unless another is named."""
    own, address = archive()
    suite = suite or own
    name = hashlib.sha256(" ".join([suite, *sorted(packages)]).encode()).hexdigest()[:12]
    root = os.path.join(cache, f"debian-{suite}-{name}")
    if os.path.exists(root):
        return root
    half = root + ".half"
    shutil.rmtree(half, ignore_errors=True)
    os.makedirs(cache, exist_ok=True)
    run(["debootstrap", "--variant=minbase", *(["--include=" + ",".join(sorted(packages))] if packages else []), suite,
         half, address], log)
    os.rename(half, root)
    return root


NSPAWN = ("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe")


def contained(root, name, script, log, binds=None, options=(), patience_s=900):
    """Runs a script of the shell in it, with this machine's network (for apt); what it changes stays,
    unless the `options` have --volatile. `binds`: {place inside: path}, writable."""
    binds = binds or {}
    # A power cut may take what is installed: --suppress-sync makes that twice as fast.
    run([*NSPAWN, "--as-pid2", "--suppress-sync=yes", "--directory", root, "--machine", f"pathdog-{name}-{os.getpid()}",
         "--setenv=LC_ALL=C.UTF-8", "--setenv=DEBIAN_FRONTEND=noninteractive", *options,
         *(f"--bind={path}:{place}" for place, path in binds.items()), "sh", "-euc", script], log, timeout=patience_s)


UNIT = """\
[Unit]
Description=Tests of pathdog
After=multi-user.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
TimeoutStartSec={patience}
StandardOutput=file:/test/tap
StandardError=file:/test/errors
ExecStart={command}
"""


def boot(root, out, binds, command, patience_s, writable=None, name="0"):
    """Boots it, with `out` as /test and its `binds` ({place inside: path}, read-only unless `writable`), waits for the
    end of the command, which prints TAP to `out`/tap. Returns the boot's exit status; None: too late."""
    unit = os.path.join(out, "pathdog-tests.service")
    with open(unit, "w") as file:
        file.write(UNIT.format(command=command, patience=patience_s))
    words = [*WITH_US, *NSPAWN, "--boot", "--volatile=overlay", "--private-network", "--directory", root,
             "--machine", f"pathdog-tests-{os.getpid()}-{name}", f"--bind={out}:/test",
             *(f"--bind={path}:{place}" for place, path in (writable or {}).items()),
             *(f"--bind-ro={path}:{place}" for place, path in binds.items()),
             f"--bind-ro={unit}:/run/systemd/system/pathdog-tests.service",
             "systemd.wants=pathdog-tests.service"]
    for place, path in binds.items():
        if place.startswith("/test/") and os.path.isdir(path):
            os.makedirs(os.path.join(out, place[len("/test/"):]), exist_ok=True)
    # One at a time on a machine: where nobody gives a container a control group of its own, each systemd would have
    # the same one, and end the other's services with its own.
    groups = os.open("/sys/fs/cgroup", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(groups, fcntl.LOCK_EX)
        return boot_alone(words, os.path.join(out, "boot.log"), patience_s)
    finally:
        os.close(groups)


def boot_alone(words, log, patience_s):
    with open(log, "w") as log:
        machine = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
        try:
            return machine.wait(patience_s + 60)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if machine.poll() is None:  # its first process goes with it, and so all of them
                machine.send_signal(signal.SIGTERM)
                try:
                    machine.wait(10)
                except subprocess.TimeoutExpired:
                    machine.kill()
                    machine.wait()


def tap_of(out):
    """(what the command printed, how many tests it says it ran; 0: it did not get to the end)"""
    tap = ""
    if os.path.exists(os.path.join(out, "tap")):
        with open(os.path.join(out, "tap"), errors="replace") as file:
            tap = file.read()
    done = re.search(r"^1\.\.(\d+)$", tap, re.M)
    return tap, int(done[1]) if done and "# all were run" in tap else 0
