/* SPDX-License-Identifier: Apache-2.0 */
/* One device of NetworkManager: what its properties say. For host-metered.c only. */
#ifndef HOST_METERED_DEVICE_H
#define HOST_METERED_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#define METERED_DEVICE "org.freedesktop.NetworkManager.Device"

struct metered_device {
    char *path;
    char name[16];    /* of a modem, that of its control port */
    char ip_name[16]; /* of the interface that carries IP; "": the same */
    uint32_t value;   /* NMMetered */
    bool asked;       /* for its properties */
};

struct metered_device *metered_device_new(const char *path);
void metered_device_free(struct metered_device *device);

/* Takes the dictionary of properties that the message has next: all of them, or what changed.
 * Returns 0 or more, or -errno. */
int metered_device_read(struct metered_device *device, sd_bus_message *message);

bool metered_device_is(const struct metered_device *device);

/* The interface's name; "" where it is not known yet. */
const char *metered_device_interface(const struct metered_device *device);

#endif
