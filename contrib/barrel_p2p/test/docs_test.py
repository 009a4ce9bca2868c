#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/barrel_p2p.md followed literally: a release of exactly the applications of its rebar.config, with its sys.config
and vm.args, is made and started, and the bridge in it answers.

Needs $BRIDGE_BUILD (what test/run has compiled). With $BARREL_P2P_DIR, where barrel_p2p and quic and what they need are
compiled as APP/ebin, with these and an erl of OTP 27 in $PATH, and then both hosts of the page find each other; else with stand-ins,
and without distribution. What the page has of the two hosts is replaced: addresses by 127.0.0.1, directories by temporary
ones, ports by free ones, the group. TAP on standard output.
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


def settings(text):
    """The lines of a configuration that say something, but for the socket's name."""
    lines = [re.sub(r"\s*#.*", "", line).strip() for line in text.split("\n")]
    return [line for line in lines if line and not line.startswith("node =")]


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


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Client:
    """Of a bridge's socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
        self.lines = self.socket.makefile()
        self.count = 0
        self.heard = []

    def ask(self, method, **params):
        self.count += 1
        request = {"jsonrpc": "2.0", "id": self.count, "method": method, **({"params": params} if params else {})}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            line = json.loads(self.lines.readline())
            if line.get("id") == self.count:
                return line["result"]
            self.heard.append(line)

    def wait_for(self, method):
        """The parameters of its next notification of that kind."""
        while not any(line["method"] == method for line in self.heard):
            self.heard.append(json.loads(self.lines.readline()))
        return next(line["params"] for line in self.heard if line["method"] == method)

    def close(self):
        self.lines.close()
        self.socket.close()


class Host:
    """alpha, as the page has it, or bravo, "with the names exchanged"; both on this machine."""

    def __init__(self, name, top, page, release, ports):
        self.directory = os.path.join(top, name)
        os.mkdir(self.directory)
        self.socket = os.path.join(self.directory, "pathdog.sock")
        names = {"alpha": "alpha@127.0.0.1", "bravo": "bravo@127.0.0.2"}
        config = re.split(r"(?<=\n\]\.)\n", block(page, "%% config/sys.config"))[0]
        config = self.here(config)
        for which, address in (("alpha", "192.0.2.1"), ("bravo", "198.51.100.2")):
            config = config.replace(f'{{"{address}", 9100}}', f'{{"127.0.0.1", {ports[which]}}}')
            config = config.replace(f"{which}@{address}", names[which])
        config = config.replace("{listen_port, 9100}", f"{{listen_port, {ports[name]}}}")
        if name == "bravo":
            config = config.replace(f"{{contact_nodes, ['{names['bravo']}']}}", "{contact_nodes, []}")
        config = config.replace('{group, "mynode-pathdog"}', "{mode, 8#660}" if REAL else "{dist, standin_net}")
        words = self.here(block(page, "%% config/vm.args")).replace("alpha@192.0.2.1", names[name])
        lines = [line for line in words.split("\n") if line and not line.startswith("%")]
        for file, text in (("sys.config", config), ("vm.args", "\n".join(lines) + "\n" if REAL else "")):
            for left in ("192.0.2.1", "198.51.100.2", "9100", "/var/lib", "/run/"):
                assert left not in text, f"{left} is left in {file}:\n{text}"
            with open(os.path.join(self.directory, file), "w") as out:
                out.write(text)
        with open(os.path.join(self.directory, "log"), "w") as out:
            self.child = subprocess.Popen(
                ["erl", "-noshell", "-mode", "embedded", "-boot", release, "-config", os.path.join(self.directory, "sys"),
                 "-args_file", os.path.join(self.directory, "vm.args")], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, cwd=self.directory, env={**os.environ, "HOME": self.directory}, start_new_session=True)

    def here(self, text):
        return text.replace("/var/lib/mynode", self.directory).replace("/run/mynode", self.directory)

    def client(self):
        deadline = time.monotonic() + PATIENCE_S
        while not os.path.exists(self.socket):
            if self.child.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(self.directory, "log"), errors="replace") as file:
                    raise RuntimeError(f"the node does not start: {file.read()[-1500:]}")
            time.sleep(0.05)
        return Client(self.socket)

    def stop(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()


def boot(top, page, release):
    """What the bridge of alpha says of itself."""
    host = Host("alpha", top, page, release, {"alpha": free_port(), "bravo": free_port()})
    try:
        client = host.client()
        try:
            return client.ask("hello", protocol=[1])
        finally:
            client.close()
    finally:
        host.stop()


def pair(top, page, release):
    """What alpha tells pathdog of its peer."""
    ports, hosts = {"alpha": free_port(), "bravo": free_port()}, []
    try:
        for name in ("bravo", "alpha"):
            hosts.append(Host(name, top, page, release, ports))
            hosts[-1].client().close()
        client = hosts[-1].client()
        client.ask("hello", protocol=[1])
        client.ask("subscribe")
        peer = client.wait_for("peer_up")
        client.close()
        return peer
    finally:
        for host in hosts:
            host.stop()


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

        def find_each_other():
            peer = pair(os.path.join(top, "with"), page, os.path.join(top, "with/mynode"))
            assert peer["peer"] == "bravo@127.0.0.2" and peer["role"] == "client", peer

        def same_configuration():
            """The page says that its configuration is the lab's: all but the socket's name."""
            with open(os.path.join(HERE, "../lab/pathdog.conf")) as file:
                lab = settings(file.read())
            assert settings(block(page, "# /etc/pathdog/pathdog.conf")) == lab, lab

        test("the configuration of pathdog is that of the lab", same_configuration)
        test("the release of the page starts, and the bridge answers", starts)
        test("it does not without hlc", needs_hlc)
        if REAL:
            shutil.rmtree(os.path.join(top, "with/alpha"), ignore_errors=True)
            test("the two hosts of the page find each other", find_each_other)
        else:
            print("ok - docs: the two hosts of the page find each other # SKIP BARREL_P2P_DIR is not set")
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
