# SPDX-License-Identifier: Apache-2.0
"""flow-node and pathdog on the gateway of gateway_lab."""


class GatewayPathdog:
    pass
