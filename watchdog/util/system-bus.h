/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to the system's D-Bus on a loop, made so that nothing is ever waited for. */
#ifndef UTIL_SYSTEM_BUS_H
#define UTIL_SYSTEM_BUS_H

#include <stdbool.h>
#include <systemd/sd-bus.h>

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

/* The signal of sd-bus itself that the connection is gone. */
#define BUS_DISCONNECTED                                                                           \
    "type='signal',sender='org.freedesktop.DBus.Local',path='/org/freedesktop/DBus/Local',"        \
    "interface='org.freedesktop.DBus.Local',member='Disconnected'"

/* One UNIX socket? Of the other kinds sd-bus would start a program, or ask a name service. */
bool system_bus_allowed(const char *address);

/* Begins to connect, on the loop. Returns 0 or -errno; `*ret_bus` is to be let go of in any case.
 */
int system_bus_open(const char *address, sd_event *loop, int priority, uint64_t timeout_us,
                    sd_bus **ret_bus);

#endif
