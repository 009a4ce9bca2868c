# SPDX-License-Identifier: Apache-2.0
"""Completion in a bash and a zsh on a terminal, against a daemon that runs: what is typed up to a
tab, and what words the program is then given."""

import os
import pty
import select
import signal
import time

import box
import flood

# Each must be put in so that the shell makes the same of it again.
NAMES = ("odd1 with spaces", "odd2'single\"double", "odd3:colon:x", "odd4[a]{b,c}(d)",
         "odd5$HOME`id`$(id)", "odd6\\back\\\\slash", "odd7@host=1&2;3|4<5>6", "odd8*?~#!",
         "odd9 \u00fcber \u2192")
FIRST_CONN = 60000
OUT = "/tmp/completed"
SOCKET = "/run/pathdog/flood/control.sock"

# Questions for names go to the program, all else to a file. Each prompt is another.
COMMON = f"""
count=0 PS1='ready-0> '
unset HISTFILE
pathdogctl() {{
    case " $* " in
    *" names "*) command pathdogctl "$@" ;;
    *)
        printf '%s\\0' "$@" > {OUT}.new && mv {OUT}.new {OUT}
        count=$((count + 1))
        PS1="ready-$count> " ;;
    esac
}}
pathdog() {{ pathdogctl "$@"; }}
pathdog-replay() {{ pathdogctl "$@"; }}
udp-relay() {{ pathdogctl "$@"; }}
udp-relayctl() {{ pathdogctl "$@"; }}
flow-node() {{ pathdogctl "$@"; }}
"""
START = {
    "bash": (["bash", "--noprofile", "--rcfile", "/tmp/rc/.zshrc", "-i"],
             "bind 'set enable-bracketed-paste off'\nset +H\n"
             ". /usr/share/bash-completion/completions/pathdogctl\n"),
    "zsh": (["zsh", "-d", "-i"],
            "autoload -Uz compinit && compinit -u -D\nunsetopt prompt_cr prompt_sp beep\n"),
}


class Shell:
    def __init__(self, name):
        words, setup = START[name]
        box.write("/tmp/rc/.zshrc", setup + COMMON)
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ.update(ZDOTDIR="/tmp/rc", TERM="vt100", LC_ALL="C.UTF-8", COLUMNS="200")
            os.execvp(words[0], words)
        self.seen, self.count = b"", 0
        self.prompt()

    def read_until(self, condition, what):
        """Reads what it shows, so that it does not stand still for its terminal."""
        deadline = time.monotonic() + box.PATIENCE_S
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{what}: it shows {self.seen!r}")
            if select.select([self.fd], [], [], left)[0]:
                self.seen += os.read(self.fd, 65536)

    def prompt(self):
        self.read_until(lambda: b"ready-%d> " % self.count in self.seen, "no prompt")

    def words(self, typed):
        """What the program is given after `typed`, a tab and a newline."""
        if os.path.exists(OUT):
            os.unlink(OUT)
        self.seen, self.count = b"", self.count + 1
        os.write(self.fd, typed.encode() + b"\t\n")
        self.prompt()
        with open(OUT, encoding="utf-8") as file:
            return file.read().split("\0")[:-1]

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def told():
    """The flood's node tells of the names, once."""
    made = flood.node()
    if "odd" not in flood.SHARED:
        for number, name in enumerate(NAMES):
            made.link().notify("peer_up", peer=name, conn=FIRST_CONN + number, role="client")
        flood.SHARED["odd"] = True
    box.wait(lambda: sorted(box.sh("pathdogctl", "--socket", SOCKET, "names", "odd")
                            .stdout.splitlines()) == sorted(NAMES), "pathdog knows them")


def completes(name, more):
    told()
    begin = f"pathdogctl --socket {SOCKET} "
    cases = [(f"explain odd{number}", ["explain", peer]) for number, peer in enumerate(NAMES, 1)]
    become(name, [(begin + typed, ["--socket", SOCKET, *words]) for typed, words in cases + more])


def become(name, cases):
    """What is typed in that shell, and the words that the program is given then."""
    shell, wrong = Shell(name), []
    try:
        for typed, words in cases:
            got = shell.words(typed)
            if got != words:
                wrong.append((typed, got, words))
    finally:
        shell.end()
    assert not wrong, "\n".join(f"{typed!r}: got {got!r}, wanted {words!r}"
                                for typed, got, words in wrong)


# Completed from within what has to be quoted, quoted in each way; and what are no names.
MORE = [
    ("explain odd1\\ wi", ["explain", NAMES[0]]),
    ("explain 'odd1 wi", ["explain", NAMES[0]]),
    ("explain \"odd1 wi", ["explain", NAMES[0]]),
    ("explain \"odd2'si", ["explain", NAMES[1]]),
    ("explain odd3:co", ["explain", NAMES[2]]),
    ("explain odd4\\[a", ["explain", NAMES[3]]),
    ("explain odd5\\$HO", ["explain", NAMES[4]]),
    ("explain 'odd5$HO", ["explain", NAMES[4]]),
    ("explain odd7@ho", ["explain", NAMES[6]]),
    ("explain odd7@host=", ["explain", NAMES[6]]),
    ("hold --for 10min one@f", ["hold", "--for", "10min", "one@flood"]),
    ("decisions --peer odd3", ["decisions", "--peer", NAMES[2]]),
    ("expl", ["explain"]),
    ("mode obs", ["mode", "observe"]),
    ("migrate one@flood --by rec", ["migrate", "one@flood", "--by", "reconnect"]),
    ("decisions --verdict cool", ["decisions", "--verdict", "cooling"]),
    ("explain nobody", ["explain", "nobody"]),
]


def test_bash_completes_any_name():
    completes("bash", MORE)


def test_zsh_completes_any_name():
    completes("zsh", MORE)


# In bash and fish tests/e2e/test_completion.py has these.
OTHERS = [
    ("pathdog --obs", ["--observe"]),
    ("pathdog --log jour", ["--log", "journal"]),
    ("pathdog --config /etc/pathdog/pathdog.conf.ex", ["--config", "/etc/pathdog/pathdog.conf.example"]),
    ("pathdog-replay --log js", ["--log", "json"]),
    ("udp-relay --rebind=reg", ["--rebind=register"]),
    ("udp-relayctl sess", ["sessions"]),
    ("flow-node --lan l", ["--lan", "lo"]),
    ("flow-node --lis", ["--list"]),
]


def test_zsh_completes_the_other_programs():
    become("zsh", OTHERS)


TESTS = [test_bash_completes_any_name, test_zsh_completes_any_name, test_zsh_completes_the_other_programs]
