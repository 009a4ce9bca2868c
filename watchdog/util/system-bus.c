/* SPDX-License-Identifier: Apache-2.0 */
#include "system-bus.h"

#include <string.h>

bool system_bus_allowed(const char *address)
{
    return (!strncmp(address, "unix:path=", 10) || !strncmp(address, "unix:abstract=", 14)) &&
           !strchr(address, ';');
}

int system_bus_open(const char *address, sd_event *loop, int priority, uint64_t timeout_us,
                    sd_bus **ret_bus)
{
    int r = sd_bus_new(ret_bus);
    sd_bus *bus = *ret_bus;

    if (r < 0)
        return r;
    r = sd_bus_set_address(bus, address);
    if (r >= 0)
        r = sd_bus_set_bus_client(bus, true);
    if (r >= 0)
        r = sd_bus_negotiate_fds(bus, false);
    if (r >= 0)
        r = sd_bus_set_close_on_exit(bus, false); /* it would wait until all is sent */
    if (r >= 0)
        r = sd_bus_set_method_call_timeout(bus, timeout_us);
    if (r >= 0)
        r = sd_bus_start(bus);
    return r < 0 ? r : sd_bus_attach_event(bus, loop, priority);
}
