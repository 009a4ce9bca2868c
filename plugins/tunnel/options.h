/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the tunnel trigger's options, all of which are its source's. */
#ifndef TUNNEL_OPTIONS_H
#define TUNNEL_OPTIONS_H

enum tunnel_option {
    TUNNEL_OPTION_SOCKET,
    TUNNEL_OPTION_GROUP,
    TUNNEL_OPTION_MODE,
};

#endif
