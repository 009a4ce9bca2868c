/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the route trigger's options, which its policy and its source
 * both read.
 */
#ifndef ROUTE_OPTIONS_H
#define ROUTE_OPTIONS_H

enum route_option {
    ROUTE_OPTION_SETTLE,
    ROUTE_OPTION_IGNORE, /* the source's */
    ROUTE_OPTION_UID,
    ROUTE_OPTION_MARK,
};

#endif
