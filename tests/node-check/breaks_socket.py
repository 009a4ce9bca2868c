# SPDX-License-Identifier: Apache-2.0
"""Ways to break a promise about the socket: clients that come and go, and how lines are read and written."""

import json
import socket
import threading

from conforming import TwistedLink


def never_blocks(node):
    """A node that waits for its client to read."""
    real = TwistedLink.send

    class Waits(TwistedLink):
        def send(self, what):
            real(self, what)
            with self.out:
                self.out.wait_for(lambda: not self.pending)
    node.link_class = Waits
    node.output_max = 1 << 40


def small_buffer(node):
    node.output_max = 1000


def one_at_a_time(node):
    """While one client does not read, no other is served."""
    never_blocks(node)
    lock = threading.Lock()
    before = node._line

    def line(link, data):
        with lock:
            before(link, data)
    node._line = line


def keeps_older(node):
    node.replace_links = lambda older: None


def answers_newest(node):
    """Answers go to whoever is there, not to whoever asked."""
    held = []

    def handler(request):
        if not held:
            held.append(request)
            node.do_summary(request)
        else:
            node.do_summary(request)
    node.on("summary", handler)

    def look(link, message):
        if "id" in message and link.index and link.requests[-1].method == "subscribe":
            return [{"jsonrpc": "2.0", "id": node.links[link.index - 1].requests[-1].id,
                     "result": {}}, message]
        return message
    node.twist = look


def reads_whole_packets(node):
    """Takes what one read gives for one line."""
    def read(link):
        while True:
            try:
                data = link.sock.recv(1 << 21)
            except OSError:
                data = b""
            if not data:
                return
            for one in data.split(b"\n"):
                try:
                    json.loads(one)
                except ValueError:
                    continue
                node._line(link, one)
    node._read = read


def first_line_only(node):
    """Of several lines in one read only the first counts."""
    def read(link):
        buffer = b""
        while True:
            try:
                data = link.sock.recv(1 << 21)
            except OSError:
                data = b""
            if not data:
                return
            buffer += data
            if b"\n" in buffer:
                line, buffer = buffer.split(b"\n")[0], buffer.split(b"\n")[-1]
                node._line(link, line)
    node._read = read


def no_long_lines(node):
    before = node._line

    def line(link, data):
        if len(data) > 600000:
            link.close()
        else:
            before(link, data)
    node._line = line


def empty_is_fatal(node):
    before = node._line

    def line(link, data):
        if not data:
            link.close()
        else:
            before(link, data)
    node._line = line


def before_hello(node):
    """Tells its peers to whoever connects."""
    def replace_links(older):
        for link in older:
            link.close()
        node.tell_up(node.peers[17], node.links[-1])
    node.replace_links = replace_links


def half_line(node):
    """A client that leaves in mid-line takes the node with it."""
    node.dead, node.rest = False, b""

    def read(link):
        node.rest = b""
        while not node.dead:
            try:
                data = link.sock.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            *lines, node.rest = (node.rest + data).split(b"\n")
            for line in lines:
                node._line(link, line)
        link.close()

    def replace_links(older):
        node.dead = node.dead or node.rest.endswith(b'"meth')
        for link in older:
            link.close()
    node._read = read
    node.replace_links = replace_links


def is_connected(link):
    try:
        return bool(link.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return True
    except OSError:
        return False


def only_one(node):
    """Whoever comes second is not served."""
    def replace_links(older):
        if any(is_connected(link) for link in older):
            node.links[-1].close()
    node.replace_links = replace_links
