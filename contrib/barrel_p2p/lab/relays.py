# SPDX-License-Identifier: Apache-2.0
"""What happens with relays: two real udp-relays on the router, bravo behind doors of both of them."""
import os
import signal
import subprocess
import time

from stage import LabError, NODES, PATIENCE_S, Process, node_name

ADDRESS = "10.9.0.1"
PORTS = {"eu": 4433, "us": 4434}
ID = "alpha-bravo"
DIRECT = 9109  # the door's port for the direct path
SETTLE_S = 2  # until the last pings are answered


class Relays:
    """The two processes."""

    def __init__(self, stage, program):
        self.stage = stage
        self.processes = {}
        for name, port in PORTS.items():
            directory = os.path.join(stage.directory, name)
            os.makedirs(directory, exist_ok=True)
            self.processes[name] = Process(
                ["ip", "netns", "exec", stage.network.name("net"), program, "--port", str(port),
                 "--control", "none", "--log", "text"], lambda _: None,
                os.path.join(directory, "relay.err"))
        for name in PORTS:
            self.wait_for(name)

    def wait_for(self, name):
        file = os.path.join(self.stage.directory, name, "relay.err")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with open(file, errors="replace") as said:
                if "relays at" in said.read():
                    return
            if time.monotonic() > deadline:
                raise LabError(f"the relay {name} does not start: see {file}")
            time.sleep(0.02)

    def signal(self, name, number):
        self.processes[name].child.send_signal(number)

    def stop(self):
        for process in self.processes.values():
            process.child.send_signal(signal.SIGCONT)
            process.stop(signal.SIGKILL)
            os.unlink(process.errors)


def settings(name, via, doors, direct):
    """Of the bridge of that node. direct: bravo has a door for the direct path, too."""
    listed = ", ".join(f"{{<<\"{relay}\">>, {{{{{ADDRESS.replace('.', ',')}}}, {port}}}}}"
                       for relay, port in PORTS.items())
    at = f", direct => {{{{{NODES['bravo'][2].replace('.', ',')}}}, {DIRECT}}}" if direct else ""
    peers = f"'{node_name('bravo')}' => #{{id => <<\"{ID}\">>, via => <<\"{via}\">>{at}}}"
    names = ", ".join(f"<<\"{relay}\">>" for relay in doors)
    at = f", direct => {DIRECT}" if direct else ""
    door = f"#{{id => <<\"{ID}\">>, relays => [{names}], port => {NODES['bravo'][1]}{at}}}"
    ours = f"peers => #{{{peers}}}" if name == "alpha" else f"peers => #{{}}, doors => [{door}]"
    return f", {{relay, {{pathdog_relay_reg, #{{relays => [{listed}], {ours}}}}}}}"


def via(play):
    return play.alpha.ask(f"pathdog_bridge_relay:via({play.peer})")


def wait_via(play, wanted):
    deadline = time.monotonic() + PATIENCE_S
    while (now := via(play)) != wanted:
        if time.monotonic() > deadline:
            raise LabError(f"bravo is reached over {now}, not over {wanted}")
        time.sleep(0.02)


def operate(play, *words):
    """pathdogctl migrate, and what it says."""
    return subprocess.run(
        [play.settings.pathdogctl, "--socket", f"{play.stage.directory}/alpha/control.sock",
         "migrate", node_name("bravo"), *words], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PATIENCE_S)


def move_to(relay):
    def event(play):
        done = operate(play, "--via", relay)
        if done.returncode != 0:
            raise LabError(f"pathdogctl: {done.stdout} {done.stderr}")
        wait_via(play, relay)
    return event


def move_to_a_hole(play):
    """bravo is not there: the relay acknowledges, and what it gets goes nowhere."""
    operate(play, "--via", "us")
    play.stage.pathdogs["alpha"].wait_for(
        lambda r: r["record"] == "outcome" and r["outcome"] != "migrated", "it is refused")
    if via(play) != "eu":
        raise LabError(f"bravo is reached over {via(play)}, where there is nothing")


def reconnect(play):
    done = operate(play, "--by", "reconnect")
    if done.returncode != 0:
        raise LabError(f"pathdogctl: {done.stdout} {done.stderr}")
    play.stage.pathdogs["alpha"].wait_for(
        lambda r: r["record"] == "outcome" and r["outcome"] == "reconnected", "a reconnect")
    wait_via(play, "eu")


def dies(play):
    play.stage.relays.signal("eu", signal.SIGKILL)
    wait_via(play, "us")


def stops(play):
    """Nothing comes back, no ICMP error either."""
    play.stage.relays.signal("eu", signal.SIGSTOP)
    wait_via(play, "us")


def both_die(play):
    play.stage.relays.signal("us", signal.SIGKILL)
    play.stage.relays.signal("eu", signal.SIGKILL)
    wait_via(play, "direct")


def both_stop(play):
    play.stage.relays.signal("us", signal.SIGSTOP)
    play.stage.relays.signal("eu", signal.SIGSTOP)
    wait_via(play, "direct")


def flip(play):
    """The member's address is another one: eu refuses its id, the old one is still there."""
    play.stage.network.down_and_flip("up0", "up1")


def came(play):
    """How many datagrams of bravo's came over eu."""
    return play.alpha.ask(f"pathdog_bridge_relay:received({play.peer}, <<\"eu\">>)")


def flip_in_a_hole(play):
    """At us nobody is, and at eu the old address blocks the id: it goes on at eu with another one."""
    flip(play)
    before = came(play)
    play.alpha.wait_until(f"pathdog_bridge_relay:received({play.peer}, <<\"eu\">>) > {before + 100}", "it goes on at eu")
    wait_via(play, "eu")


def flip_there_and_back(play):
    flip_in_a_hole(play)
    play.stage.network.link_up("up0")
    play.stage.network.wait_up("up0")
    play.stage.network.down_and_flip("up1", "up0")
    before = came(play)
    play.alpha.wait_until(f"pathdog_bridge_relay:received({play.peer}, <<\"eu\">>) > {before + 100}", "it goes on at eu")
    wait_via(play, "eu")


def flip_back_announced(play):
    play.stage.network.announce(2)
    flip_there_and_back(play)


# name, text, where it begins, what happens, where bravo has doors, and whether it has one for the direct path
SCENARIOS = [
    ("relay-relay", "from one relay to another", "eu", move_to("us"), ("eu", "us"), True),
    ("relay-dies", "the relay dies", "eu", dies, ("eu", "us"), True),
    ("relay-stops", "the relay stops, without an error", "eu", stops, ("eu", "us"), True),
    ("relays-die", "both relays die, direct is left", "eu", both_die, ("eu", "us"), True),
    ("relays-stop", "both relays stop, direct is left", "eu", both_stop, ("eu", "us"), True),
    ("relays-die-plain", "both relays die, no door for direct", "eu", both_die, ("eu", "us"), False),
    ("relay-hole", "to a relay that forwards nothing", "eu", move_to_a_hole, ("eu",), True),
    ("relay-direct", "from a relay to direct", "eu", move_to("direct"), ("eu", "us"), True),
    ("direct-relay", "from direct to a relay", "direct", move_to("eu"), ("eu", "us"), True),
    ("relay-direct-plain", "from a relay to direct, no door for it", "eu", move_to("direct"), ("eu", "us"), False),
    ("relay-flip", "link down and flip, over a relay", "eu", flip, ("eu", "us"), True),
    ("relay-flip-one", "link down and flip, there is no other relay", "eu", flip_in_a_hole, ("eu",), True),
    ("relay-flip-back", "link down and flip, and back again", "eu", flip_there_and_back, ("eu",), True),
    ("relay-back-arp", "the same, arp_announce = 2", "eu", flip_back_announced, ("eu",), True),
    ("relay-reconnect", "a reconnect over a relay", "eu", reconnect, ("eu", "us"), True),
]


def lost(play):
    """Pings without an answer: one message of the two."""
    play.alpha.ask("pdlab:pause()")
    time.sleep(SETTLE_S)
    return sum(pair["unanswered"] for pair in play.alpha.ask("pdlab:report()"))
