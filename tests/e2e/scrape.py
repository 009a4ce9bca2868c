# SPDX-License-Identifier: Apache-2.0
"""Asks the metrics socket, as a scraper does. Has no tests."""

import re
import socket

from node import PATIENCE

GET = b"GET /metrics HTTP/1.1\r\nHost: pathdog\r\n\r\n"
SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)')


def connect(path, timeout=10):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)  # waits while the queue of the listener is full
    sock.settimeout(timeout * PATIENCE)
    return sock


def read_all(sock):
    """What comes until the end."""
    data = b""
    while True:
        try:
            piece = sock.recv(1 << 16)
        except ConnectionResetError:  # refused, while it was still asking
            piece = b""
        if not piece:
            return data
        data += piece


def ask(path, request=GET, timeout=10):
    """(status, {header: value}, body)"""
    with connect(path, timeout) as sock:
        try:
            sock.sendall(request)
        except BrokenPipeError:
            pass  # refused before it had asked
        answer = read_all(sock)
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["Content-Length"]) == len(body) or request.startswith(b"HEAD"), answer
    return int(first.split(" ")[1]), headers, body.decode()


def samples(path):
    """{(name, ((label, value), …)): number}"""
    status, _, body = ask(path)
    assert status == 200, body
    found = {}
    for line in body.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            found[name, tuple(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))] = float(value)
    return found


def value(there, name, **labels):
    """One of them, or the sum of those that have these labels."""
    return sum(number for (found, have), number in there.items()
               if found == name and labels.items() <= dict(have).items())
