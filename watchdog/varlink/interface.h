/* SPDX-License-Identifier: Apache-2.0 */
/* The Varlink interface: types, methods, errors. */
#ifndef VARLINK_INTERFACE_H
#define VARLINK_INTERFACE_H

#include <string.h>
#include <systemd/sd-varlink.h>

#define INTERFACE_NAME "io.pathdog.Watchdog"

const sd_varlink_interface *interface_definition(void);

/* The method or error of that name; NULL: there is none. */
const sd_varlink_symbol *interface_symbol(const char *name);

#endif
