# SPDX-License-Identifier: Apache-2.0
"""A program in a terminal of its own: what its screen shows, and keys for it. Has no tests.

It obeys what ncurses writes to an xterm. What it does not know is an error: a program must not
write what this terminal was not said to understand."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

from node import PATIENCE

CSI = re.compile(r"\x1b\[([?>!]?)([0-9;]*)([@-~])")
SHORT = re.compile(r"\x1b(?:[()][0B]|[78=>M]|\][^\x07]*\x07)")
UNFINISHED = re.compile(r"\x1b(?:\[[?>!]?[0-9;]*|[()]?|\][^\x07]*)$")


BLANK = (" ", False)


class Screen:
    """The characters on it, each with whether it is reversed."""

    def __init__(self, rows, cols):
        self.grid, self.alternate = [], False
        self.row = self.col = 0
        self.reverse = False
        self.sgr = set()  # all that was ever asked for
        self.cursor = True
        self.last = " "
        self.rest = ""
        self.resize(rows, cols)

    def resize(self, rows, cols):
        self.rows, self.cols = rows, cols
        self.grid = [(line + [BLANK] * cols)[:cols] for line in self.grid[:rows]]
        self.grid += [[BLANK] * cols for _ in range(rows - len(self.grid))]
        self.top, self.bottom = 0, rows - 1
        self.row, self.col = min(self.row, rows - 1), min(self.col, cols - 1)

    def line(self, row):
        return "".join(char for char, _ in self.grid[row]).rstrip()

    def text(self):
        return "\n".join(self.line(row) for row in range(self.rows))

    def is_reversed(self, row, col):
        return self.grid[row][col][1]

    # -- what is written ---------------------------------------------------------------------

    def write(self, text):
        text = self.rest + text
        tail = UNFINISHED.search(text)
        self.rest = text[tail.start():] if tail else ""
        text = text[:len(text) - len(self.rest)]
        at = 0
        while at < len(text):
            at += self.one(text, at)

    def one(self, text, at):
        """Obeys what is there; how long it was."""
        char = text[at]
        if char == "\x1b":
            found = CSI.match(text, at) or SHORT.match(text, at)
            assert found, f"not known to this terminal: {text[at:at + 20]!r}"
            if found.re is CSI:
                self.control(*found.groups())
            elif found[0] == "\x1bM" and self.row == self.top:
                self.do_T(1, [1])
            elif found[0] == "\x1bM":
                self.row -= 1
            return len(found[0])
        if char == "\n":
            self.feed()
        elif char == "\r":
            self.col = 0
        elif char == "\b":
            self.col = max(0, self.col - 1)
        elif char in "\a\x0e\x0f":
            pass
        else:
            assert char.isprintable(), f"written to the terminal: {char!r}"
            self.put(char)
        return 1

    def feed(self):
        if self.row == self.bottom:
            self.scroll(self.top, 1)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def scroll(self, row, count):
        for _ in range(count):
            del self.grid[row]
            self.grid.insert(self.bottom, [BLANK] * self.cols)

    def put(self, char):
        if unicodedata.combining(char):
            before, reverse = self.grid[self.row][max(0, self.col - 1)]
            self.grid[self.row][max(0, self.col - 1)] = (before + char, reverse)
            return
        wide = unicodedata.east_asian_width(char) in "WF"
        if self.col >= self.cols:
            self.col = 0
            self.feed()
        self.grid[self.row][self.col] = (char, self.reverse)
        if wide and self.col + 1 < self.cols:
            self.grid[self.row][self.col + 1] = ("", self.reverse)
        self.col += 2 if wide else 1
        self.last = char

    def control(self, private, numbers, final):
        many = [int(n or 0) for n in numbers.split(";")]
        first = many[0] or 1
        if private:
            assert final in "hl", f"\\e[{private}{numbers}{final}"
            if many[0] == 1049:
                self.alternate = final == "h"
            elif many[0] == 25:
                self.cursor = final == "h"
            return
        obey = getattr(self, "do_" + {"@": "insert"}.get(final, final), None)
        assert obey, f"not known to this terminal: \\e[{numbers}{final}"
        obey(first, many)

    def do_H(self, first, many):
        self.row = min(first, self.rows) - 1
        self.col = min((many + [1])[1] or 1, self.cols) - 1

    def do_A(self, first, many):
        self.row = max(0, self.row - first)

    def do_B(self, first, many):
        self.row = min(self.rows - 1, self.row + first)

    def do_C(self, first, many):
        self.col = min(self.cols - 1, self.col + first)

    def do_D(self, first, many):
        self.col = max(0, self.col - first)

    def do_G(self, first, many):
        self.col = min(first, self.cols) - 1

    def do_d(self, first, many):
        self.row = min(first, self.rows) - 1

    def blank(self, row, begin, end):
        for col in range(begin, min(end, self.cols)):
            self.grid[row][col] = (" ", self.reverse)

    def do_J(self, first, many):
        rows = {0: range(self.row + 1, self.rows), 1: range(self.row), 2: range(self.rows)}[many[0]]
        if many[0] < 2:
            self.do_K(first, many)
        for row in rows:
            self.blank(row, 0, self.cols)

    def do_K(self, first, many):
        begin, end = {0: (self.col, self.cols), 1: (0, self.col + 1), 2: (0, self.cols)}[many[0]]
        self.blank(self.row, begin, end)

    def do_X(self, first, many):
        self.blank(self.row, self.col, self.col + first)

    def do_P(self, first, many):
        line = self.grid[self.row]
        del line[self.col:self.col + first]
        line.extend([BLANK] * (self.cols - len(line)))

    def do_insert(self, first, many):
        line = self.grid[self.row]
        line[self.col:self.col] = [BLANK] * first
        del line[self.cols:]

    def do_L(self, first, many):
        for _ in range(first):
            del self.grid[self.bottom]
            self.grid.insert(self.row, [BLANK] * self.cols)

    def do_M(self, first, many):
        self.scroll(self.row, first)

    def do_S(self, first, many):
        self.scroll(self.top, first)

    def do_T(self, first, many):
        for _ in range(first):
            del self.grid[self.bottom]
            self.grid.insert(self.top, [BLANK] * self.cols)

    def do_b(self, first, many):
        for _ in range(first):
            self.put(self.last)

    def do_r(self, first, many):
        self.top = first - 1
        self.bottom = ((many + [0])[1] or self.rows) - 1
        self.row = self.col = 0

    def do_m(self, first, many):
        self.sgr |= set(many)
        for number in many:
            self.reverse = number == 7 or (self.reverse and number not in (0, 27))

    def do_t(self, first, many):
        pass

    def do_h(self, first, many):
        pass

    def do_l(self, first, many):
        pass


class Terminal:
    def __init__(self, *argv, rows=24, cols=80, env=None):
        self.screen = Screen(rows, cols)
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.raw = b""
        self.ours, theirs = pty.openpty()
        self.size(rows, cols)
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.process = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": "", **(env or {})})

    def size(self, rows, cols):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def resize(self, rows, cols):
        self.read(0)  # what was written for the size before
        self.screen.resize(rows, cols)
        self.size(rows, cols)

    def send(self, keys):
        os.write(self.ours, keys.encode())

    def read(self, seconds):
        """Takes in what there is. False: there is nothing more to come."""
        while select.select([self.ours], [], [], seconds)[0]:
            try:
                data = os.read(self.ours, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.raw += data
            self.screen.write(self.decoder.decode(data))
            seconds = 0
        return True

    def wait(self, predicate, what, deadline=15):
        """Until the screen is so: a text that is on it, or a predicate of the screen."""
        if isinstance(predicate, str):
            wanted = predicate
            predicate = lambda screen: wanted in screen.text()  # noqa: E731
        end = time.monotonic() + deadline * PATIENCE
        while not predicate(self.screen):
            alive = self.read(0.1)
            if predicate(self.screen):
                break
            assert alive and self.process.poll() is None, f"it ended: {what}\n{self.story()}"
            assert time.monotonic() < end, f"not in time: {what}\n{self.story()}"
        return self.screen

    def story(self):
        status = self.process.poll()
        said = self.process.stderr.read().decode(errors="replace") if status is not None else ""
        return f"status {status} {said}\n{self.screen.text()}"

    def end(self, keys=None, deadline=10):
        """Its exit status, once it has ended."""
        if keys:
            self.send(keys)
        limit = time.monotonic() + deadline * PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < limit, f"it does not end\n{self.story()}"
            self.read(0.05)
        self.read(0)
        return self.process.returncode

    def settings_are_as_before(self):
        return termios.tcgetattr(self.theirs) == self.before

    def hang_up(self):
        os.close(self.theirs)
        os.close(self.ours)
        self.theirs = self.ours = None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        if self.ours is not None:
            os.close(self.ours)
            os.close(self.theirs)
