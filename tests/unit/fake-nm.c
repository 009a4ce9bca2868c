/* SPDX-License-Identifier: Apache-2.0 */
#include "fake-nm.h"

#include <errno.h>

#include "util/format.h"

#define NM     "org.freedesktop.NetworkManager"
#define PATH   "/org/freedesktop/NetworkManager"
#define DEVICE NM ".Device"

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "the fake NetworkManager cannot %s: %s\n", what, strerrordesc_np(-r));
    abort();
}

static int get_devices(sd_bus_message *call, void *user, sd_bus_error *ret_error)
{
    struct fake_nm *nm = user;
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *answer = NULL;

    free(nm->asked_from);
    nm->asked_from = string_copy(sd_bus_message_get_sender(call));
    if (nm->mute)
        return 1;
    if (nm->refuses)
        return sd_bus_error_set(ret_error, SD_BUS_ERROR_ACCESS_DENIED, "not for you");
    must(sd_bus_message_new_method_return(call, &answer), "answer");
    must(sd_bus_message_open_container(answer, 'a', "o"), "answer");
    for (size_t i = 0; i < nm->n_devices; i++)
        must(sd_bus_message_append(answer, "o", nm->devices[i].path), "answer");
    must(sd_bus_message_close_container(answer), "answer");
    must(sd_bus_send(nm->bus, answer, NULL), "answer");
    return 1;
}

static const sd_bus_vtable manager_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("GetDevices", "", "ao", get_devices, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("DeviceAdded", "o", 0),
    SD_BUS_SIGNAL("DeviceRemoved", "o", 0),
    SD_BUS_VTABLE_END,
};

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
static const sd_bus_vtable device_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Udi", "s", NULL, offsetof(struct fake_device, path), CHANGES),
    SD_BUS_PROPERTY("Interface", "s", NULL, offsetof(struct fake_device, name), CHANGES),
    SD_BUS_PROPERTY("IpInterface", "s", NULL, offsetof(struct fake_device, ip_name), CHANGES),
    SD_BUS_PROPERTY("Metered", "u", NULL, offsetof(struct fake_device, metered), CHANGES),
    SD_BUS_VTABLE_END,
};
static const sd_bus_vtable malformed_table[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Interface", "s", NULL, offsetof(struct fake_device, name), CHANGES),
    SD_BUS_PROPERTY("Metered", "s", NULL, offsetof(struct fake_device, name), CHANGES),
    SD_BUS_VTABLE_END,
};

struct fake_nm *fake_nm_new(sd_event *loop, const char *address)
{
    struct fake_nm *nm = memory_new(1, sizeof(*nm));

    must(sd_bus_new(&nm->bus), "make a bus");
    must(sd_bus_set_address(nm->bus, address), "set the address");
    must(sd_bus_set_bus_client(nm->bus, true), "be a client");
    must(sd_bus_start(nm->bus), "connect");
    must(sd_bus_attach_event(nm->bus, loop, 0), "use the loop");
    must(sd_bus_add_object_vtable(nm->bus, NULL, PATH, NM, manager_table, nm), "be an object");
    must(sd_bus_request_name(nm->bus, NM, 0), "have its name");
    return nm;
}

static struct fake_device *find(struct fake_nm *nm, const char *name)
{
    for (size_t i = 0; i < nm->n_devices; i++)
        if (!strcmp(nm->devices[i].name, name))
            return &nm->devices[i];
    must(-ENODEV, name);
    return NULL;
}

/* sd-bus keeps the place of a device, so it must not change. */
static void export(struct fake_nm *nm, struct fake_device *device)
{
    sd_bus_slot_unref(device->slot);
    must(sd_bus_add_object_vtable(nm->bus, &device->slot, device->path, DEVICE,
                                  nm->malformed ? malformed_table : device_table, device),
         "have a device");
}

void fake_nm_add(struct fake_nm *nm, const char *name, const char *ip_name, uint32_t metered)
{
    struct fake_device *device = &nm->devices[nm->n_devices++];

    *device = (struct fake_device){
        .path = string_format(PATH "/Devices/%u", ++nm->n_made),
        .name = string_copy(name),
        .ip_name = string_copy(ip_name),
        .metered = metered,
    };
    export(nm, device);
    must(sd_bus_emit_signal(nm->bus, PATH, NM, "DeviceAdded", "o", device->path), "signal");
}

static void changed(struct fake_nm *nm, const struct fake_device *device, const char *property)
{
    must(sd_bus_emit_properties_changed(nm->bus, device->path, DEVICE, property, NULL), "signal");
}

void fake_nm_settle(struct fake_nm *nm)
{
    must(sd_bus_call_method(nm->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                            "org.freedesktop.DBus", "GetId", NULL, NULL, NULL),
         "hear the bus");
}

void fake_nm_set(struct fake_nm *nm, const char *name, uint32_t metered)
{
    struct fake_device *device = find(nm, name);

    device->metered = metered;
    changed(nm, device, "Metered");
}

void fake_nm_set_ip_name(struct fake_nm *nm, const char *name, const char *ip_name)
{
    struct fake_device *device = find(nm, name);

    free(device->ip_name);
    device->ip_name = string_copy(ip_name);
    changed(nm, device, "IpInterface");
}

static void device_clear(struct fake_device *device)
{
    sd_bus_slot_unref(device->slot);
    free(device->path);
    free(device->name);
    free(device->ip_name);
}

void fake_nm_remove(struct fake_nm *nm, const char *name)
{
    struct fake_device *device = find(nm, name), *last = &nm->devices[nm->n_devices - 1];

    must(sd_bus_emit_signal(nm->bus, PATH, NM, "DeviceRemoved", "o", device->path), "signal");
    device_clear(device);
    if (device != last) {
        *device = *last;
        export(nm, device);
    }
    nm->n_devices--;
}

struct fake_nm *fake_nm_free(struct fake_nm *nm)
{
    for (size_t i = 0; i < nm->n_devices; i++)
        device_clear(&nm->devices[i]);
    sd_bus_flush_close_unref(nm->bus);
    free(nm->asked_from);
    free(nm);
    return NULL;
}
