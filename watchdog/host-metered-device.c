/* SPDX-License-Identifier: Apache-2.0 */
/* The types are checked as they are read: a property of another type is an error. */
#include "host-metered-device.h"

#include "util/util.h"

/* NMMetered; 0 is not known, 2 and 4 are no. */
enum {
    NM_METERED_YES = 1,
    NM_METERED_GUESS_YES = 3,
};

struct metered_device *metered_device_new(const char *path)
{
    struct metered_device *device = memory_new(1, sizeof(*device));

    device->path = string_copy(path);
    return device;
}

void metered_device_free(struct metered_device *device)
{
    free(device->path);
    free(device);
}

/* No interface has a longer name. */
static int read_name(sd_bus_message *message, char name[static 16])
{
    const char *text;
    int r = sd_bus_message_read(message, "v", "s", &text);

    if (r >= 0)
        snprintf(name, 16, "%s", strlen(text) < 16 ? text : "");
    return r;
}

static int read_property(struct metered_device *device, sd_bus_message *message)
{
    const char *key;
    int r = sd_bus_message_read(message, "s", &key);

    if (r < 0)
        return r;
    if (!strcmp(key, "Metered"))
        return sd_bus_message_read(message, "v", "u", &device->value);
    if (!strcmp(key, "Interface"))
        return read_name(message, device->name);
    if (!strcmp(key, "IpInterface"))
        return read_name(message, device->ip_name);
    return sd_bus_message_skip(message, "v");
}

int metered_device_read(struct metered_device *device, sd_bus_message *message)
{
    int r = sd_bus_message_enter_container(message, 'a', "{sv}");

    while (r >= 0) {
        r = sd_bus_message_enter_container(message, 'e', "sv");
        if (r <= 0)
            return r;
        r = read_property(device, message);
        if (r >= 0)
            r = sd_bus_message_exit_container(message);
    }
    return r;
}

bool metered_device_is(const struct metered_device *device)
{
    return device->value == NM_METERED_YES || device->value == NM_METERED_GUESS_YES;
}

const char *metered_device_interface(const struct metered_device *device)
{
    return *device->ip_name ? device->ip_name : device->name;
}
