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
    """The bridge's EUnit and Common Test suites on this Erlang; True if all passed.

    They bring stand-ins for quic and barrel_p2p, so the real ones are not in their code path; the
    scenario `samples` is what holds the bridge against the real ones' shapes.
    """
    names = sorted(os.path.basename(path)[:-len(".erl")]
                   for path in glob.glob(f"{SOURCE}/test/*.erl"))
    standins = [path for path in glob.glob(f"{SOURCE}/test/standins/*.erl")
                if os.path.basename(path) != "json.erl"]  # this Erlang has the real one
    made = os.path.join(scratch, "tests")
    os.makedirs(os.path.join(made, "logs"))
    binds = {SOURCE: "source", made: "tests", os.path.join(scratch, "bridge"): "bridge"}
    paths = ["-pa", f"{INSIDE}/bridge/ebin", f"{INSIDE}/tests"]
    stage.run(erlang.command(binds, [
        "erlc", "+debug_info", "-pa", f"{INSIDE}/bridge/ebin", "-o", f"{INSIDE}/tests",
        *(path.replace(SOURCE, f"{INSIDE}/source") for path in standins),
        *(f"{INSIDE}/source/test/{name}.erl" for name in names)]))
    units = ", ".join(name for name in names if name.endswith("_tests"))
    common = ", ".join(name for name in names if name.endswith("_SUITE"))
    passed = _erl(erlang, binds, paths, f"halt(case eunit:test([{units}], [no_tty]) of ok -> 0; "
                  "_ -> 1 end).", "EUnit")
    return _erl(erlang, binds, paths,
                f"halt(case ct:run_test([{{dir, \"{INSIDE}/tests\"}}, {{suite, [{common}]}}, "
                f"{{logdir, \"{INSIDE}/tests/logs\"}}, {{auto_compile, false}}, "
                "{basic_html, true}]) of {_, 0, {0, 0}} -> 0; _ -> 1 end).", "Common Test") and passed


def _erl(erlang, binds, paths, expression, name):
    done = subprocess.run(
        erlang.command(binds, ["env", "HOME=/tmp", "LC_ALL=C.UTF-8", "erl", "-noshell", *paths,
                               "-eval", expression]),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        failed = re.findall(r"^.*_SUITE:\w+ failed on line.*\n.*$|^Testing .* FAILED .*$|^not ok.*$",
                            done.stdout, re.MULTILINE)
        print("\n".join(failed) or done.stdout[-6000:], file=sys.stderr)
    print(f"{name}: {'passed' if done.returncode == 0 else 'FAILED'}", file=sys.stderr,
          flush=True)
    return done.returncode == 0
