# SPDX-License-Identifier: Apache-2.0
"""HTTP/3 servers of Debian, and the file that they serve. Has no tests."""

import hashlib
import os
import random
import re
import subprocess
import time

from flow_lab import SERVER
from node import PATIENCE

NAME = "server.test"
MIB = 1 << 20


def make_file(path, size):
    """Bytes that are different everywhere, and the same each time: their SHA-256."""
    bytes_of = random.Random(0)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            block = bytes_of.randbytes(MIB)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def sha256(path):
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(MIB):
            digest.update(block)
    return digest.hexdigest()


def certificate(directory):
    """(certificate, key) for NAME, signed by itself."""
    paths = [os.path.join(directory, name) for name in ("server.crt", "server.key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "7", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-out", paths[0],
                    "-keyout", paths[1]], capture_output=True, check=True)
    return paths


class Server:
    """A program in the lab's peer; `log` is what it wrote."""

    def __init__(self, lab, directory, name, words):
        self.name = name
        self.log_path = os.path.join(directory, f"{name}.log")
        self.log_file = open(self.log_path, "wb")
        self.process = subprocess.Popen([*lab.prefix("peer"), *words], stdin=subprocess.DEVNULL,
                                        stdout=self.log_file, stderr=subprocess.STDOUT, start_new_session=True)

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def wait_log(self, pattern, deadline=15):
        end = time.monotonic() + deadline * PATIENCE
        while not re.search(pattern, self.log()):
            assert time.monotonic() < end and self.process.poll() is None, \
                f"{self.name} does not say {pattern!r}: {self.log()[-3000:]}"
            time.sleep(0.02)

    def has_seen(self, address):
        """Does its own log say that the connection was at this address of the client?"""
        return re.search(self.SEEN.format(re.escape(address)), self.log()) is not None

    def stop(self):
        """What is wrong with its end."""
        early = self.process.poll()
        self.process.terminate()
        try:
            self.process.wait(15 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log_file.close()
        return [] if early is None else [f"{self.name} ended early, with {early}: {self.log()[-3000:]}"]


NGINX = """\
daemon off;
worker_processes 1;
user root;
pid {directory}/nginx.pid;
error_log stderr info;
events {{ worker_connections 64; }}
http {{
    log_format one '$connection $http3 $remote_addr $status $body_bytes_sent $uri';
    access_log {directory}/access.log one;
    client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory};
    types {{ }}
    default_type application/octet-stream;
    server {{
        listen 10.9.0.2:443 quic;
        listen [fd09::2]:443 quic;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        root {root};
        dav_methods PUT;
        client_max_body_size 0;
    }}
}}
"""


class Nginx(Server):
    """QUIC only, so that nobody falls back to TCP. One worker: the kernel hands a packet from a new address to any of
    several, which do not know the connection, unless `quic_bpf` is on. Its access log has the address at which a
    request began, so what it says at level `info` has to do for the second: the path that it has validated."""

    SEEN = r"(h3 {0} 20[01] |quic path seq:\d+ addr:\[?{0}\]?:\d+ successfully validated)"

    def __init__(self, lab, directory, root, certificate, family):
        self.access_path = os.path.join(directory, "access.log")
        path = os.path.join(directory, "nginx.conf")
        with open(path, "w") as file:
            file.write(NGINX.format(directory=directory, root=root, certificate=certificate[0], key=certificate[1]))
        super().__init__(lab, directory, "nginx", ["nginx", "-c", path, "-e", "stderr"])
        self.wait_log("start worker process")

    def log(self):
        text = super().log()
        if os.path.exists(self.access_path):
            with open(self.access_path) as file:
                text += file.read()
        return text


class Gtlsserver(Server):
    """ngtcp2's. Of each packet it says where it came from."""

    SEEN = r"Received packet: local=\S+ remote=\[{0}\]:"

    def __init__(self, lab, directory, root, certificate, family):
        super().__init__(lab, directory, "gtlsserver",
                         ["gtlsserver", SERVER[family], "443", certificate[1], certificate[0], "-d", root])
