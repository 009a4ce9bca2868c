# SPDX-License-Identifier: Apache-2.0
"""A download over HTTP/3 while the uplink dies silently in the middle: it ends whole, over the connection that it began
with, which goes on from another address. The client does not know of it."""

import os
import subprocess
import unittest

import netns
from case import cases
from chromium import Chromium, http3, program
from flow_case import FlowCase
from flow_lab import SERVER
from servers import MIB, NAME, Gtlsserver, Nginx, certificate, make_file, sha256
from three_uplinks import address

UNUSABLE = netns.usable()
HTTPS = 443


class Http3(FlowCase):
    def serve(self, server, part, family, size):
        """With a file, whose digest is kept."""
        self.stage(part, family, HTTPS)
        root = os.path.join(self.directory, "root")
        os.mkdir(root)
        self.digest = make_file(os.path.join(root, "file"), size)
        self.size = size
        self.certificate = certificate(self.directory)
        self.server = server(self.lab, self.directory, root, self.certificate, family)
        self.watch()

    def story(self):
        told = [line for line in self.server.log().splitlines() if address("up1", self.family) in line]
        return "\n".join([super().story(), "the server of up1:", *told[:8]])

    def tearDown(self):
        bad = self.server.stop()
        super().tearDown()
        self.assertEqual(bad, [])

    def check(self, path):
        """Whole; one connection was ever tried, and the server's own log has it at both addresses."""
        self.assertEqual(sha256(path), self.digest)
        self.assertEqual(len(self.on_both("up0", "up1")), 1, self.tap.connections())
        self.assertEqual([source for source, _ in self.tap.tried], [address("up0", self.family)])
        for uplink in ("up0", "up1"):
            self.assertTrue(self.server.has_seen(address(uplink, self.family)),
                            f"{uplink}: {self.server.log()[-2000:]}")


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Browser(Http3):
    """Chromium uses no connection ID of its own, and then nginx (1.26) follows it nowhere: "no available client ids for
    new path". ngtcp2's server does."""

    @cases({"host ipv4": ("host", 4), "lan ipv6": ("lan", 6)})
    def test_download(self, part, family):
        self.assertTrue(program(), "no chromium")
        self.serve(Gtlsserver, part, family, 50 * MIB)
        address = SERVER[family] if family == 4 else f"[{SERVER[family]}]"
        browser = Chromium(self.lab.prefix(part), self.directory, *http3(NAME, address, self.certificate[0]))
        self.addCleanup(browser.stop)
        browser.download(f"https://{NAME}/file")
        browser.wait_progress(10 * MIB)
        self.wait_flow()
        self.leave("up0")
        path = browser.wait_downloaded()
        self.check_move()
        self.check(path)
        self.tell("downloaded", bytes=os.path.getsize(path))


@unittest.skipIf(UNUSABLE, UNUSABLE)
class Ngtcp2(Http3):
    """ngtcp2's client. It sends: of one that only receives and keeps nothing alive nothing would come any more, so that
    no server could learn where it is now."""

    @cases({"host ipv6": ("host", 6), "lan ipv4": ("lan", 4)})
    def test_upload(self, part, family):
        self.serve(Nginx, part, family, 20 * MIB)
        root = os.path.join(self.directory, "root")
        with open(os.path.join(self.directory, "client.log"), "wb") as log:
            client = subprocess.Popen(
                [*self.lab.prefix(part), "gtlsclient", "--quiet", "--exit-on-all-streams-close", f"--sni={NAME}",
                 "--http-method=PUT", f"--data={root}/file", SERVER[family], str(HTTPS), f"https://{NAME}/copy"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        self.wait_until(lambda: self.tap.packets() > 5000, "more than 5 MB are there", 30)
        self.wait_flow()
        self.leave("up0")
        self.wait_until(lambda: client.poll() is not None, "the client ends", 60)
        self.assertEqual(client.returncode, 0)
        self.check_move()
        self.check(os.path.join(root, "copy"))
        self.tell("uploaded", bytes=self.size)


if __name__ == "__main__":
    unittest.main()
