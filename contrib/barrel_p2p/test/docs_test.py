#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/barrel_p2p.md followed literally: a release of exactly the applications of its rebar.config, with its sys.config
and vm.args, is made and started, and the bridge in it answers.

Needs $BRIDGE_BUILD (what test/run has compiled). With $BARREL_P2P_DIR, where barrel_p2p and quic and what they need are
compiled as APP/ebin, with these and an erl of OTP 27; else with stand-ins, and without distribution. What the page
has of the two hosts is replaced: addresses by 127.0.0.1, directories by temporary ones, the group. TAP on standard output.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "../../../docs/barrel_p2p.md")
BUILD = os.environ.get("BRIDGE_BUILD", "")
REAL = os.environ.get("BARREL_P2P_DIR")
PATIENCE_S = 60
APPLICATIONS = {
    "quic": ["kernel", "stdlib"], "hlc": ["kernel", "stdlib"], "instrument": ["kernel", "stdlib"],
    "barrel_p2p": ["kernel", "stdlib", "quic", "instrument"]}
VERSIONS = {"quic": "1.8.1", "hlc": "3.0.4", "instrument": "1.1.0", "barrel_p2p": "0.1.0"}
FAILED = []


def block(page, first):
    """The indented block whose first line begins so."""
    lines = page.split("\n")
    begin = next(i for i, line in enumerate(lines) if line.startswith("    " + first))
    found = []
    for line in lines[begin:]:
        if line.strip() and not line.startswith("    "):
            break
        found.append(line[4:])
    text = "\n".join(found)
    # one indented block of the page may hold several files
    return re.split(r"\n%% (?=[a-z/]+\.(?:config|args))", text)[0]


def erl(*words, **options):
    done = subprocess.run(["erl", "-noshell", *words], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, **options)
    if done.returncode != 0:
        raise RuntimeError((done.stdout + done.stderr)[-2000:])
    return done.stdout


def application(top, name, modules, more=""):
    """APP/ebin with these modules of the stand-ins."""
    ebin = os.path.join(top, name, "ebin")
    os.makedirs(ebin)
    for module in modules:
        shutil.copy(os.path.join(BUILD, "tests", f"{module}.beam"), ebin)
    with open(os.path.join(ebin, f"{name}.app"), "w") as file:
        file.write(f"{{application, {name}, [{{description, \"stand-in\"}}, "
                   f"{{vsn, \"{VERSIONS[name]}\"}}, {{registered, []}}, {{modules, [{', '.join(modules)}]}}, "
                   f"{{applications, [{', '.join(APPLICATIONS[name])}]}}{more}]}}.\n")
    return ebin


def standins(top):
    json_module = ["json"] if os.path.exists(os.path.join(BUILD, "tests/json.beam")) else []
    return [
        application(top, "quic", ["quic", "quic_connection", "quic_dist", "quic_dist_controller", "quic_loss"]),
        application(top, "hlc", ["hlc"]),
        application(top, "instrument", []),
        application(top, "barrel_p2p", ["barrel_p2p", "standin_app", "standin_net", *json_module],
                    ", {mod, {standin_app, []}}")]


def make_release(top, names, paths):
    """What relx does: each application and what it lists, in a boot script."""
    expression = f"""
        Names = [{', '.join(names)}],
        Load = fun Load(App, Seen) ->
            case lists:member(App, Seen) of
                true -> Seen;
                false ->
                    case application:load(App) of ok -> ok; {{error, {{already_loaded, _}}}} -> ok end,
                    {{ok, Needed}} = application:get_key(App, applications),
                    lists:foldl(Load, [App | Seen], Needed)
            end
        end,
        All = lists:reverse(lists:foldl(Load, [], [kernel, stdlib | Names])),
        Pairs = [begin {{ok, V}} = application:get_key(A, vsn), {{A, V}} end || A <- All],
        Release = {{release, {{"mynode", "1.0.0"}}, {{erts, erlang:system_info(version)}}, Pairs}},
        ok = file:write_file("mynode.rel", io_lib:format("~p.~n", [Release])),
        case systools:make_script("mynode", [silent, local, no_warn_sasl]) of
            {{ok, _, _}} -> halt(0);
            Other -> io:format("~p~n", [Other]), halt(1)
        end."""
    erl("-pa", *paths, "-eval", expression, cwd=top)


def hello(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(path)
        client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":[1]}}\n')
        return json.loads(client.makefile().readline())["result"]


def boot(top, page, release):
    config = re.split(r"(?<=\n\]\.)\n", block(page, "%% config/sys.config"))[0]
    config = config.replace("/var/lib/mynode", top).replace("/run/mynode", top)
    config = re.sub(r'"(192\.0\.2\.1|198\.51\.100\.2)"', '"127.0.0.1"', config)
    config = config.replace("@192.0.2.1", "@127.0.0.1").replace("@198.51.100.2", "@127.0.0.2")
    config = config.replace('{group, "mynode-pathdog"}', "{dist, standin_net}" if not REAL else "{mode, 8#660}")
    with open(os.path.join(top, "sys.config"), "w") as file:
        file.write(config)
    words = block(page, "%% config/vm.args").replace("/var/lib/mynode", top).replace("@192.0.2.1", "@127.0.0.1")
    lines = [line for line in words.split("\n") if line and not line.startswith("%")]
    if not REAL:  # there is no distribution over stand-ins
        lines = []
    with open(os.path.join(top, "vm.args"), "w") as file:
        file.write("\n".join(lines) + "\n")
    out = open(os.path.join(top, "log"), "w")
    child = subprocess.Popen(
        ["erl", "-noshell", "-mode", "embedded", "-boot", release, "-config", os.path.join(top, "sys"), "-args_file",
         os.path.join(top, "vm.args")], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=top,
        env={**os.environ, "HOME": top}, start_new_session=True)
    path = os.path.join(top, "pathdog.sock")
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not os.path.exists(path):
            if child.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(top, "log"), errors="replace") as file:
                    raise RuntimeError(f"the node does not start: {file.read()[-1500:]}")
            time.sleep(0.05)
        return hello(path)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def test(name, work):
    try:
        work()
        print(f"ok - docs: {name}")
    except (RuntimeError, OSError, KeyError, ValueError, AssertionError) as error:
        FAILED.append(name)
        print(f"not ok - docs: {name}")
        print("\n".join(f"#   {line}" for line in str(error).split("\n")))


def main():
    with open(PAGE) as file:
        page = file.read()
    rebar = block(page, "%% rebar.config")
    names = re.search(r'\{release, \{mynode, "[^"]*"\}, \[([^\]]*)\]\}', rebar)[1].replace(" ", "").split(",")
    top = tempfile.mkdtemp(prefix="pd-docs-")
    try:
        bridge = os.path.join(BUILD, "pathdog_bridge/ebin")
        if REAL:
            paths = [bridge] + [os.path.join(REAL, app, "ebin") for app in sorted(os.listdir(REAL))
                                if os.path.isdir(os.path.join(REAL, app, "ebin"))]
        else:
            paths = [bridge] + standins(os.path.join(top, "lib"))

        def starts():
            os.mkdir(os.path.join(top, "with"))
            make_release(os.path.join(top, "with"), names, paths)
            said = boot(os.path.join(top, "with"), page, os.path.join(top, "with/mynode"))
            assert said["protocol"] == 1 and "reconnect" in said["features"], said

        def needs_hlc():
            os.mkdir(os.path.join(top, "without"))
            make_release(os.path.join(top, "without"), [n for n in names if n != "hlc"], paths)
            try:
                boot(os.path.join(top, "without"), page, os.path.join(top, "without/mynode"))
            except RuntimeError as error:
                if "hlc" in str(error):
                    return
                raise
            raise RuntimeError("it starts without hlc: the page need not name it any more")

        test("the release of the page starts, and the bridge answers", starts)
        test("it does not without hlc", needs_hlc)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
