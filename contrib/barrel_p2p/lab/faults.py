# SPDX-License-Identifier: Apache-2.0
"""What the reproductions of faults share: two real nodes, joined or not, and a fault with its reproduction.

A reproduction is a function of a Scene that returns whether the fault was seen, and what was seen.
"""
import os
from dataclasses import dataclass
from typing import Callable

from stage import LabError, node_name

ALPHA, BRAVO = f"'{node_name('alpha')}'", f"'{node_name('bravo')}'"
WAIT_S = 3


@dataclass
class Fault:
    number: str
    reproduce: Callable
    tries: int = 1  # of what depends on chance


class Scene:
    def __init__(self, one):
        self.stage = one
        self.network = one.network
        self.alpha = self.bravo = None

    def versions(self):
        of = "begin _ = application:load({0}), element(2, application:get_key({0}, vsn)) end"
        said = self.alpha.ask(f"[list_to_binary(V) || V <- [{of.format('barrel_p2p')}, {of.format('quic')}, "
                              "erlang:system_info(otp_release)]]")
        return f"barrel_p2p {said[0]}, quic {said[1]}, OTP {said[2]}"

    def apart(self, kernel=""):
        """alpha and bravo run, and do not know each other."""
        self.stage.end_run()
        self.network.reset()
        self.bravo = self.stage.start_node("bravo", kernel=kernel)
        self.alpha = self.stage.start_node("alpha", kernel=kernel)
        return self

    def join(self):
        """alpha dials bravo."""
        self.alpha.ask(f"barrel_p2p:join({BRAVO})")
        self.alpha.wait_until(f"pdlab:up({BRAVO})", "bravo is up")
        self.bravo.wait_until(f"pdlab:up({ALPHA})", "alpha is up")
        return self

    def pair(self, kernel=""):
        """As a dial can hang, once more with new nodes."""
        try:
            return self.apart(kernel).join()
        except LabError:
            return self.apart(kernel).join()

    def conn(self, expression, patience_s=30):
        """Of alpha, with CONN for its connection to bravo."""
        return self.alpha.ask(expression.replace("CONN", f"pdlab:connection({BRAVO})"), patience_s)

    def log(self, name):
        with open(os.path.join(self.stage.directory, name, "log"), errors="replace") as file:
            return file.read()
