# SPDX-License-Identifier: Apache-2.0
"""The lab's stage: three network namespaces, real nodes and pathdog in them, and what they say.

Starts and ends processes, makes and removes namespaces; knows no scenario.
"""
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 30
COOKIE = "pdlab"
PORT = 9100
# name → namespace, port, address that others dial
NODES = {"alpha": ("host", PORT, "10.0.1.2"),
         "bravo": ("peer", PORT, "10.9.0.2"),
         "charlie": ("peer", PORT + 1, "10.9.0.2")}
# Where everything is found by what runs in the lab, in the chroot or without one: a directory that
# every system has, so that none need be made.
INSIDE = "/mnt"
OVERLAPPING = "{prevent_overlapping_partitions, false},"


class LabError(Exception):
    """The lab itself did not work; no statement about what is tested in it."""


def node_name(name):
    return f"{name}@{name}.lab"


def run(words, **options):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, text=True, capture_output=True,
                          **options)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LabError(f"{' '.join(words)}: exit {done.returncode}: {said}")
    return done.stdout


class Network:
    """host has two uplinks to net; peer hangs on net. The default route of host is up0."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.made = []

    def name(self, part):
        return f"{self.prefix}-{part}"

    def open(self):
        for part in ("host", "net", "peer"):
            if os.path.exists(f"/run/netns/{self.name(part)}"):
                raise LabError(f"namespace {self.name(part)} exists already: another lab, or "
                               f"what one left behind (ip netns del {self.name(part)})")
        for part in ("host", "net", "peer"):
            run(["ip", "netns", "add", self.name(part)])
            self.made.append(part)
            run(["ip", "netns", "exec", self.name(part), "sysctl", "-q", "-w",
                 "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
                 "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
                 "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0",
                 f"net.ipv4.ip_forward={int(part == 'net')}"])
        host, net, peer = (self.name(part) for part in ("host", "net", "peer"))
        for number, up in ((1, "up0"), (2, "up1")):
            run(["ip", "-n", net, "link", "add", "name", up, "type", "veth", "peer", "name", up,
                 "netns", host])
            self.batch("net", f"address add 10.0.{number}.1/24 dev {up}", f"link set {up} up")
        run(["ip", "-n", net, "link", "add", "name", "peers", "type", "veth", "peer", "name",
             "peer0", "netns", peer])
        self.batch("net", "address add 10.9.0.1/24 dev peers", "link set peers up",
                   "link set lo up")
        self.batch("peer", "address add 10.9.0.2/24 dev peer0", "link set peer0 up",
                   "link set lo up", "route add default via 10.9.0.1")
        self.batch("host", "link set lo up", "address add 10.0.1.2/24 dev up0",
                   "address add 10.0.2.2/24 dev up1")
        self.reset()

    def batch(self, part, *lines):
        """All in one process, so that they come at once."""
        done = subprocess.run(["ip", "-n", self.name(part), "-batch", "-"], text=True,
                              input="\n".join(lines) + "\n", capture_output=True)
        if done.returncode != 0:
            raise LabError(f"ip, in {part}: {lines}: {done.stderr.strip()}")

    @staticmethod
    def default(up):
        return f"route replace default via 10.0.{1 if up == 'up0' else 2}.1 dev {up}"

    def flip(self, up):
        self.batch("host", self.default(up))

    def down_and_flip(self, down, up):
        self.batch("host", f"link set {down} down", self.default(up))

    def second_route(self):
        """With a way out of its own up1 is an uplink for pathdog."""
        self.batch("host", "route replace default via 10.0.2.1 dev up1 metric 200")

    def silence(self):
        """What is sent over up0 is lost, in both directions. Carrier, addresses and routes stay."""
        self.batch("net", "neigh replace 10.0.1.2 lladdr 02:00:00:00:00:99 dev up0 nud permanent",
                   "rule add iif up0 priority 50 blackhole")

    def down(self, up):
        self.batch("host", f"link set {up} down")

    def link_up(self, up):
        self.batch("host", f"link set {up} up")

    def wait_up(self, up):
        """The kernel says so up to a second later, and nothing is sent over it before."""
        deadline = time.monotonic() + PATIENCE_S
        while "state UP" not in run(["ip", "-n", self.name("host"), "link", "show", up]):
            if time.monotonic() > deadline:
                raise LabError(f"{up} does not come up")
            time.sleep(0.02)

    def announce(self, level):
        """From which address host asks for a neighbour: 0, the packet's; 2, one of the link's."""
        run(["ip", "netns", "exec", self.name("host"), "sysctl", "-q", "-w",
             f"net.ipv4.conf.all.arp_announce={level}"])

    def reset(self):
        self.announce(0)
        self.batch("net", "neigh flush dev up0 nud permanent", "rule flush",
                   "rule add priority 32766 lookup main")
        self.batch("host", "link set up0 up", "link set up1 up", self.default("up0"))

    def close(self):
        for part in reversed(self.made):
            subprocess.run(["ip", "netns", "del", self.name(part)], stdin=subprocess.DEVNULL,
                           capture_output=True)
        self.made = []


class Process:
    """A program in a namespace; every line of its standard output goes to `heard`."""

    def __init__(self, words, heard, error_file):
        self.heard = heard
        self.errors = error_file
        with open(error_file, "ab") as errors:
            self.child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=errors, text=True, start_new_session=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.heard(line.rstrip("\n"))
        self.heard(None)

    def write(self, text):
        try:
            self.child.stdin.write(text)
            self.child.stdin.flush()
        except OSError as error:
            raise LabError(f"process {self.child.pid} takes nothing more: {error}") from error

    def stop(self, number=signal.SIGTERM, patience_s=10):
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            self.child.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.reader.join(5)
        try:
            self.child.stdin.close()
        except OSError:
            pass


class Erlang:
    """Where erl is, and how a program of it is run with the lab's directories in its sight."""

    def __init__(self, root, p2p, build):
        self.root = root
        self.binds = {p2p: "p2p"}
        if build:
            self.binds[build] = "bridge"

    def inside(self, *parts):
        return os.path.join(INSIDE, *parts)

    def command(self, binds, words, namespace=None):
        """The bind mounts are private to the process, so there is nothing to unmount."""
        root = self.root or "/"
        top = os.path.join(root, INSIDE.lstrip("/"))
        script = ["set -e", f"mount -t tmpfs none '{top}'"]
        for source, name in {**self.binds, **binds}.items():
            script.append(f"mkdir '{top}/{name}'")
            script.append(f"mount --bind '{source}' '{top}/{name}'")
        if self.root:
            script.append(f"mount --rbind /proc '{root}/proc'")
            script.append(f'exec chroot \'{root}\' "$@"')
        else:
            script.append('exec "$@"')
        enter = ["ip", "netns", "exec", namespace] if namespace else []
        return [*enter, "unshare", "--mount", "--propagation", "private", "sh", "-c",
                "\n".join(script), "lab", *words]


class Node(Process):
    def __init__(self, name, command, directory):
        self.name = name
        self.answers = {}
        self.count = 0
        self.news = threading.Condition()
        self.gone = False
        super().__init__(command, self._line, os.path.join(directory, "stderr"))

    def _line(self, line):
        with self.news:
            if line is None:
                self.gone = True
            elif line == "@ready":
                self.answers[0] = {}
            else:
                found = re.fullmatch(r"@(\d+) (.*)", line)
                if found:
                    self.answers[int(found[1])] = json.loads(found[2])
            self.news.notify_all()

    def _answer(self, number, patience_s):
        with self.news:
            if not self.news.wait_for(lambda: number in self.answers or self.gone, patience_s):
                raise LabError(f"{self.name}: no answer within {patience_s} s")
            if number not in self.answers:
                with open(self.errors, errors="replace") as file:
                    raise LabError(f"{self.name} ended: {file.read()[-1500:]}")
            return self.answers.pop(number)

    def wait_ready(self):
        self._answer(0, PATIENCE_S)

    def ask(self, expression, patience_s=PATIENCE_S):
        """The value of an Erlang expression, as JSON has it."""
        self.count += 1
        number = self.count
        self.write(f"{number} {expression}.\n")
        answer = self._answer(number, patience_s)
        if "error" in answer:
            raise LabError(f"{self.name}: {expression}: {answer['error']}")
        return answer["ok"]

    def wait_until(self, expression, what, patience_s=PATIENCE_S):
        deadline = time.monotonic() + patience_s
        while self.ask(expression) != "true" and self.ask(expression) is not True:
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: {what}: not within {patience_s} s")
            time.sleep(0.02)


class Pathdog(Process):
    """Its records, as they come (--log json)."""

    def __init__(self, command, directory):
        self.records = []
        self.news = threading.Condition()
        self.gone = False
        super().__init__(command, self._line, os.path.join(directory, "pathdog.err"))

    def _line(self, line):
        with self.news:
            if line is None:
                self.gone = True
            else:
                self.records.append(json.loads(line))
            self.news.notify_all()

    def wait_for(self, fits, what, patience_s=PATIENCE_S):
        def found():
            return next((record for record in self.records if fits(record)), None)

        with self.news:
            if not self.news.wait_for(lambda: found() or self.gone, patience_s) or not found():
                with open(self.errors, errors="replace") as file:
                    raise LabError(f"pathdog: {what}: not within {patience_s} s: "
                                   f"{file.read()[-1000:]}")
            return found()


class Stage:
    def __init__(self, settings):
        self.settings = settings
        self.directory = tempfile.mkdtemp(prefix="pdlab-")
        self.network = Network(settings.prefix)
        self.erlang = Erlang(settings.root, settings.p2p, settings.bridge)
        self.nodes = {}
        self.pathdogs = {}
        self.relays = None

    def __enter__(self):
        try:
            os.mkdir(os.path.join(self.directory, "ebin"))
            self.compile_hands()
            self.network.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def compile_hands(self):
        run(self.erlang.command({HERE: "lab", self.directory: "run"},
                                ["erlc", "-o", f"{INSIDE}/run/ebin", f"{INSIDE}/lab/pdlab.erl"]))

    def sys_config(self, name, contacts, kernel="", relay=""):
        addresses = ", ".join(f"{{'{node_name(other)}', {{\"{where[2]}\", {where[1]}}}}}"
                              for other, where in NODES.items())
        names = ", ".join(f"'{node_name(contact)}'" for contact in contacts)
        at = f"{INSIDE}/run/{name}"
        return f"""[
{{kernel, [{{net_setuptime, 2}}, {"" if "prevent_overlapping" in kernel else OVERLAPPING} {kernel}
    {{logger_level, info}}, {{logger, [{{handler, default, logger_std_h,
    #{{config => #{{file => "{at}/log"}}}}}}]}}]}},
{{quic, [{{dist, [{{nodes, [{addresses}]}}]}}]}},
{{pathdog_bridge, [{{socket, "{at}/pathdog.sock"}}{self.settings.bridge_env}{relay}]}},
{{barrel_p2p, [{{listen_port, {NODES[name][1]}}}, {{dist_cookie, {COOKIE}}},
    {{contact_nodes, [{names}]}}, {{contact_retry_ms, 5000}},
    {{dist_gc_min_age_ms, 315360000000}},
    {{auth_key_dir, "{at}/keys"}}, {{quic_cert_dir, "{at}/quic"}},
    {{discovery_dir, "{at}/discovery"}}, {{reminder_data_dir, "{at}/reminders"}},
    {{barrel_p2p_map_data_dir, "{at}/maps"}}]}}
].
"""

    def start_node(self, name, contacts=(), bridge=False, kernel="", relay=""):
        directory = os.path.join(self.directory, name)
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "sys.config"), "w") as file:
            file.write(self.sys_config(name, contacts, kernel + "," if kernel else "", relay))
        at = f"{INSIDE}/run/{name}"
        applications = ["barrel_p2p"] + (["pathdog_bridge"] if bridge else [])
        started = ", ".join(f"{{ok, _}} = application:ensure_all_started({a})"
                            for a in applications)
        paths = [f"{INSIDE}/run/ebin", *self.settings.code_paths]
        command = self.erlang.command(
            {self.directory: "run"},
            ["env", f"HOME={at}", "erl", "-noshell", "-name", node_name(name),
             "-proto_dist", "barrel_p2p", "-epmd_module", "barrel_p2p_epmd", "-start_epmd",
             "false", "-barrel_p2p_dist_cert_dir", f"{at}/quic", "-config", f"{at}/sys", "-pa",
             *paths, "-eval", f"{started}, pdlab:main()."],
            self.network.name(NODES[name][0]))
        node = Node(name, command, directory)
        self.nodes[name] = node
        node.wait_ready()
        return node

    def kill_node(self, name):
        self.nodes.pop(name).stop(signal.SIGKILL)

    def start_pathdog(self, name, drop_in):
        """Beside that node, with the example's configuration and `drop_in` over it."""
        directory = os.path.join(self.directory, name)
        file = os.path.join(directory, "pathdog.conf")
        shutil.copyfile(os.path.join(HERE, "pathdog.conf"), file)
        os.makedirs(f"{file}.d", exist_ok=True)
        with open(os.path.join(f"{file}.d", "lab.conf"), "w") as out:
            out.write(drop_in)
        self.pathdogs[name] = Pathdog(
            ["ip", "netns", "exec", self.network.name(NODES[name][0]), self.settings.pathdog,
             "--config", file, "--log", "json", "--record", os.path.join(directory, "recording")],
            directory)

    def end_run(self):
        """All that a run started; what nodes keep on disk (keys) stays for the next one."""
        for pathdog in self.pathdogs.values():
            pathdog.stop()
        self.pathdogs = {}
        for name in list(self.nodes):
            self.kill_node(name)
        if self.relays:
            self.relays.stop()
            self.relays = None
        for name in NODES:
            for part in ("log", "stderr", "reminders", "maps", "pathdog.sock", "state.json",
                         "recording", "pathdog.err"):
                path = os.path.join(self.directory, name, part)
                if os.path.isdir(path):
                    shutil.rmtree(path)
                elif os.path.lexists(path):
                    os.unlink(path)

    def keep(self, where):
        """What a run left, for those who want to know why."""
        shutil.copytree(self.directory, where, dirs_exist_ok=True,
                        ignore=lambda _, names: [n for n in names if n.endswith(".sock")])

    def close(self):
        for process in [*self.pathdogs.values(), *self.nodes.values()]:
            process.stop(signal.SIGKILL)
        if self.relays:
            self.relays.stop()
        self.network.close()
        shutil.rmtree(self.directory, ignore_errors=True)
