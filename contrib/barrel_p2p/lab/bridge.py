# SPDX-License-Identifier: Apache-2.0
"""pathdog_bridge with the lab's Erlang: compiled, and its own suites run with the real modules."""
import glob
import os
import re
import subprocess
import sys

import stage
from stage import INSIDE, LabError

SOURCE = os.path.normpath(os.path.join(stage.HERE, ".."))
OLDEST = 27


def check_release(erlang):
    said = stage.run(erlang.command({}, [
        "erl", "-noshell", "-eval",
        "io:format(\"release ~s~n\", [erlang:system_info(otp_release)]), halt()."]))
    release = int(re.search(r"release (\d+)", said)[1])
    if release < OLDEST:
        raise LabError(f"erl is of OTP {release}; barrel_p2p needs {OLDEST}")


def build(erlang, code_paths, scratch):
    """A directory with ebin/ of the bridge."""
    made = os.path.join(scratch, "bridge")
    os.makedirs(os.path.join(made, "ebin"))
    sources = [os.path.basename(path) for path in glob.glob(f"{SOURCE}/src/*.erl")]
    if not sources:
        raise LabError(f"there is no bridge in {SOURCE}/src")
    # Behaviours first, since the others are checked against them.
    sources.sort(key=lambda name: "-callback" not in open(f"{SOURCE}/src/{name}").read())
    paths = [word for path in code_paths for word in ("-pa", path)]
    stage.run(erlang.command(
        {SOURCE: "source", made: "made"},
        ["erlc", "-Werror", "+debug_info", *paths, "-pa", f"{INSIDE}/made/ebin", "-I",
         f"{INSIDE}/source/include", "-o", f"{INSIDE}/made/ebin",
         *(f"{INSIDE}/source/src/{name}" for name in sources)]))
    with open(f"{SOURCE}/src/pathdog_bridge.app.src") as file, \
            open(f"{made}/ebin/pathdog_bridge.app", "w") as out:
        out.write(file.read())
    return made


def suites(erlang, code_paths, scratch):
    """EUnit and Common Test; True if all passed."""
    tests = glob.glob(f"{SOURCE}/test/*.erl")
    if not tests:
        print("the bridge has no suites", file=sys.stderr)
        return False
    made = os.path.join(scratch, "tests")
    os.makedirs(os.path.join(made, "logs"))
    paths = [word for path in code_paths for word in ("-pa", path)]
    binds = {SOURCE: "source", made: "tests", os.path.join(scratch, "bridge"): "bridge"}
    stage.run(erlang.command(binds, [
        "erlc", "+debug_info", *paths, "-o", f"{INSIDE}/tests",
        *(f"{INSIDE}/source/test/{os.path.basename(path)}" for path in tests)]))
    names = [os.path.basename(path)[:-len(".erl")] for path in tests]
    units = [name for name in names if name.endswith("_tests")]
    common = [name for name in names if name.endswith("_SUITE")]
    passed = True
    if units:
        passed &= _run(erlang, binds, [
            "erl", "-noshell", *paths, "-pa", f"{INSIDE}/tests", "-eval",
            f"halt(case eunit:test([{', '.join(units)}]) of ok -> 0; _ -> 1 end)."])
    if common:
        passed &= _run(erlang, binds, [
            "ct_run", "-noshell", *paths, "-dir", f"{INSIDE}/tests", "-logdir",
            f"{INSIDE}/tests/logs", "-no_auto_compile", "-suite", *common])
    return passed


def _run(erlang, binds, words):
    done = subprocess.run(erlang.command(binds, words), stdin=subprocess.DEVNULL)
    return done.returncode == 0
