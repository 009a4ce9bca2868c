/* SPDX-License-Identifier: Apache-2.0 */
/* As much of NetworkManager as pathdog asks of it, on a bus of the test's own. */
#ifndef FAKE_NM_H
#define FAKE_NM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct fake_device {
    char *path, *name, *ip_name;
    uint32_t metered;
    sd_bus_slot *slot;
};

struct fake_nm {
    sd_bus *bus;
    struct fake_device devices[300];
    size_t n_devices;
    unsigned n_made;  /* paths are not given twice */
    bool mute;        /* gives no answer */
    bool refuses;     /* gives an error */
    bool malformed;   /* devices that come have a property of another type */
    char *asked_from; /* the unique name of who asked for the devices last */
};

/* Connects, and has NetworkManager's name. It works in the loop. */
struct fake_nm *fake_nm_new(sd_event *loop, const char *address);

/* It is there, and says so. */
void fake_nm_add(struct fake_nm *nm, const char *name, const char *ip_name, uint32_t metered);

/* Another value, said by a signal. */
/* Waits until the bus has passed on all that was signalled so far. */
void fake_nm_settle(struct fake_nm *nm);
void fake_nm_set(struct fake_nm *nm, const char *name, uint32_t metered);
void fake_nm_set_ip_name(struct fake_nm *nm, const char *name, const char *ip_name);

void fake_nm_remove(struct fake_nm *nm, const char *name);

/* Leaves the bus. Returns NULL. */
struct fake_nm *fake_nm_free(struct fake_nm *nm);

#endif
