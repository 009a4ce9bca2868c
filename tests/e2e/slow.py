# SPDX-License-Identifier: Apache-2.0
"""A socket between pathdog and its node, over which the node's bytes come slowly: to the node it is a
client that reads slowly. It does not look into them."""

import os
import socket
import threading
import time

PIECE = 64 << 10


class Slow:
    def __init__(self, path, node_path, bytes_per_second):
        self.path, self.node_path, self.rate = path, node_path, bytes_per_second
        self.accepted = 0
        self.carried = 0  # bytes of the node
        self.begin = None
        self.sockets = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        os.chmod(path, 0o660)
        self.listener.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.begin = time.monotonic()
            node = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            node.connect(self.node_path)
            self.sockets += [client, node]
            for work, a, b in ((self._copy, client, node), (self._copy_slowly, node, client)):
                threading.Thread(target=work, args=(a, b), daemon=True).start()

    def _copy(self, a, b):
        try:
            while data := a.recv(PIECE):
                b.sendall(data)
        except OSError:
            pass
        self._end(a, b)

    def _copy_slowly(self, a, b):
        due = time.monotonic()
        try:
            while data := a.recv(PIECE):
                b.sendall(data)
                self.carried += len(data)
                due = max(due, time.monotonic() - 0.1) + len(data) / self.rate
                time.sleep(max(0, due - time.monotonic()))
        except OSError:
            pass
        self._end(a, b)

    @staticmethod
    def _end(*sockets):
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._end(self.listener, *self.sockets)
        self.listener.close()
