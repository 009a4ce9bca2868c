/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to the bus, one list of devices, one way back: whatever fails, all is forgotten
 * and begun again after a pause. No call here waits; answers and signals come from the loop.
 *
 * Every user of the bus may send a signal to this process alone, and sd-bus takes it for one that
 * was subscribed to. So each signal's sender is compared here: the bus itself, or the owner of
 * NetworkManager's name, which the bus gives to root only.
 */
#include "host-metered.h"

#include <errno.h>
#include <systemd/sd-bus.h>

#include "host-metered-device.h"
#include "util/clock.h"
#include "util/format.h"
#include "util/system-bus.h"

#define PROPERTIES  "org.freedesktop.DBus.Properties"
#define NM_NAME     "org.freedesktop.NetworkManager"
#define NM_PATH     "/org/freedesktop/NetworkManager"
#define DEVICES_MAX 256u

#define TIMEOUT_US   UINT64_C(10000000)
#define PAUSE_MIN_US UINT64_C(1000000)
#define PAUSE_MAX_US UINT64_C(60000000)
/* Behind all that pathdog is for. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL + 20)

struct host_metered {
    struct host_metered_config config;
    char *address;
    sd_bus *bus;
    sd_event_source *timer; /* until it is begun again */
    bool waiting;           /* for that timer: what the old connection brings is not taken */
    bool heard;             /* the bus has answered since it was connected */
    bool reported;          /* the reason why it does not work */
    uint64_t pause_us;
    char *owner;       /* the unique name of NetworkManager's process; NULL: there is none */
    sd_bus_slot *call; /* the one that is not answered yet */
    struct metered_device *asked; /* for whose properties it is */
    struct metered_device *devices[DEVICES_MAX];
    size_t n_devices;
};

/* ---- devices ---- */

/* Its place; n_devices where there is none. */
static size_t device_place(const struct host_metered *metered, const char *path)
{
    size_t place = 0;

    while (place < metered->n_devices && strcmp(metered->devices[place]->path, path) != 0)
        place++;
    return place;
}

static void forget(struct host_metered *metered)
{
    bool news = false;

    for (size_t i = 0; i < metered->n_devices; i++) {
        news |= metered_device_is(metered->devices[i]);
        metered_device_free(metered->devices[i]);
    }
    metered->n_devices = 0;
    metered->call = sd_bus_slot_unref(metered->call);
    metered->asked = NULL;
    free(metered->owner);
    metered->owner = NULL;
    if (news)
        metered->config.changed(metered->config.user);
}

/* ---- when it does not work ---- */

static void wait_for(struct host_metered *metered, uint64_t pause_us)
{
    metered->waiting =
        sd_event_source_set_time(metered->timer, clock_us(CLOCK_MONOTONIC) + pause_us) >= 0 &&
        sd_event_source_set_enabled(metered->timer, SD_EVENT_ONESHOT) >= 0;
}

/* `why` is NULL where nobody needs to know. */
static void begin_again(struct host_metered *metered, const char *who, const char *why)
{
    CLEANUP_FREE char *text = NULL;

    if (metered->waiting)
        return;
    forget(metered);
    wait_for(metered, metered->pause_us);
    metered->pause_us = min_u64(2 * metered->pause_us, PAUSE_MAX_US);
    if (!why || metered->reported)
        return;
    metered->reported = true;
    text = string_format("%s: %s: which interfaces NetworkManager calls metered is not known, and "
                         "modems are recognised by their names only; tried again every minute",
                         who, why);
    metered->config.notice(metered->config.user, PD_LEVEL_WARNING, "metered-unknown", text);
}

static void begin_again_for(struct host_metered *metered, const char *who, int error)
{
    begin_again(metered, who, strerrordesc_np(-error));
}

/* Was the answer an error? Then it is begun again. */
static bool is_refused(struct host_metered *metered, const char *who, sd_bus_message *message)
{
    const sd_bus_error *error = sd_bus_message_get_error(message);

    if (error)
        begin_again(metered, who, error->message ? error->message : error->name);
    return error != NULL;
}

static void works(struct host_metered *metered)
{
    metered->pause_us = PAUSE_MIN_US;
    metered->reported = false;
}

/* ---- devices' properties, one after the other ---- */

/* dbus-daemon lets a client wait for 128 answers at most. */
static void ask_next(struct host_metered *metered);

static void take_properties(struct host_metered *metered, struct metered_device *device,
                            sd_bus_message *message)
{
    bool before = metered_device_is(device);
    int r = metered_device_read(device, message);

    if (before || metered_device_is(device))
        metered->config.changed(metered->config.user);
    if (r < 0)
        begin_again_for(metered, "NetworkManager's properties of a device", r);
}

static int on_properties(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    struct host_metered *metered = user;
    struct metered_device *device = metered->asked;
    const sd_bus_error *error = sd_bus_message_get_error(message);

    metered->call = sd_bus_slot_unref(metered->call);
    metered->asked = NULL;
    /* Of one that went, which is reported too. */
    if (!sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT) &&
        !sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_METHOD) &&
        !is_refused(metered, "NetworkManager", message))
        take_properties(metered, device, message);
    ask_next(metered);
    return 0;
}

static void ask_next(struct host_metered *metered)
{
    size_t i = 0;
    int r;

    while (i < metered->n_devices && metered->devices[i]->asked)
        i++;
    if (metered->waiting || metered->call || i == metered->n_devices)
        return;
    metered->asked = metered->devices[i];
    metered->asked->asked = true;
    r = sd_bus_call_method_async(metered->bus, &metered->call, metered->owner, metered->asked->path,
                                 PROPERTIES, "GetAll", on_properties, metered, "s", METERED_DEVICE);
    if (r < 0)
        begin_again_for(metered, "NetworkManager", r);
}

static void device_add(struct host_metered *metered, const char *path)
{
    if (metered->n_devices < DEVICES_MAX && device_place(metered, path) == metered->n_devices)
        metered->devices[metered->n_devices++] = metered_device_new(path);
}

static void device_remove(struct host_metered *metered, size_t place)
{
    struct metered_device *device = metered->devices[place];
    bool before = metered_device_is(device);

    if (metered->asked == device) {
        metered->call = sd_bus_slot_unref(metered->call);
        metered->asked = NULL;
    }
    metered_device_free(device);
    metered->devices[place] = metered->devices[--metered->n_devices];
    if (before)
        metered->config.changed(metered->config.user);
}

/* ---- which devices there are ---- */

static int on_devices(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    struct host_metered *metered = user;
    const char *path;
    int r;

    metered->call = sd_bus_slot_unref(metered->call);
    if (is_refused(metered, "NetworkManager", message))
        return 0;
    r = sd_bus_message_enter_container(message, 'a', "o");
    while (r >= 0) {
        r = sd_bus_message_read(message, "o", &path);
        if (r <= 0)
            break;
        device_add(metered, path);
    }
    if (r < 0) {
        begin_again_for(metered, "NetworkManager's list of devices", r);
        return 0;
    }
    works(metered);
    ask_next(metered);
    return 0;
}

/* NetworkManager is there, another one, or gone: "". */
static void set_owner(struct host_metered *metered, const char *owner)
{
    int r;

    metered->heard = true;
    if (string_equal(metered->owner ? metered->owner : "", owner))
        return;
    forget(metered);
    if (!*owner)
        return;
    metered->owner = string_copy(owner);
    r = sd_bus_call_method_async(metered->bus, &metered->call, owner, NM_PATH, NM_NAME,
                                 "GetDevices", on_devices, metered, NULL);
    if (r < 0)
        begin_again_for(metered, "NetworkManager", r);
}

static int on_owner(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    struct host_metered *metered = user;
    const char *owner = "";
    int r = 0;

    metered->call = sd_bus_slot_unref(metered->call);
    if (sd_bus_error_has_name(sd_bus_message_get_error(message), SD_BUS_ERROR_NAME_HAS_NO_OWNER))
        works(metered);
    else if (is_refused(metered, "the system bus", message))
        return 0;
    else
        r = sd_bus_message_read(message, "s", &owner);
    if (r < 0)
        begin_again_for(metered, "the system bus", r);
    else
        set_owner(metered, owner);
    return 0;
}

/* ---- signals ---- */

static bool is_from(const struct host_metered *metered, sd_bus_message *message, const char *sender)
{
    return !metered->waiting && sender && string_equal(sd_bus_message_get_sender(message), sender);
}

static int on_owner_changed(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    struct host_metered *metered = user;
    const char *name, *before, *now;

    if (is_from(metered, message, BUS_NAME) &&
        sd_bus_message_read(message, "sss", &name, &before, &now) >= 0 && !strcmp(name, NM_NAME))
        set_owner(metered, now);
    return 0;
}

static int on_device_signal(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    struct host_metered *metered = user;
    const char *path;
    size_t place;

    if (!is_from(metered, message, metered->owner))
        return 0;
    if (sd_bus_message_is_signal(message, NM_NAME, "DeviceAdded") > 0) {
        if (sd_bus_message_read(message, "o", &path) >= 0)
            device_add(metered, path);
    } else if (sd_bus_message_is_signal(message, NM_NAME, "DeviceRemoved") > 0) {
        if (sd_bus_message_read(message, "o", &path) < 0)
            return 0;
        place = device_place(metered, path);
        if (place < metered->n_devices)
            device_remove(metered, place);
    }
    ask_next(metered);
    return 0;
}

static int on_properties_changed(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    struct host_metered *metered = user;
    const char *path = sd_bus_message_get_path(message), *interface;
    size_t place;

    if (!is_from(metered, message, metered->owner) || !path ||
        sd_bus_message_read(message, "s", &interface) < 0 || strcmp(interface, METERED_DEVICE) != 0)
        return 0;
    place = device_place(metered, path);
    if (place < metered->n_devices)
        take_properties(metered, metered->devices[place], message);
    return 0;
}

static int on_disconnected(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
    struct host_metered *metered = user;

    begin_again(metered, "the system bus",
                metered->heard ? NULL : "it does not answer, or refuses the connection");
    return 0;
}

/* ---- the connection ---- */

static const struct {
    const char *match;
    sd_bus_message_handler_t handler;
} signals[] = {
    {"type='signal',sender='" BUS_NAME "',path='" BUS_PATH "',interface='" BUS_NAME
     "',member='NameOwnerChanged',arg0='" NM_NAME "'",
     on_owner_changed},
    {"type='signal',sender='" NM_NAME "',path='" NM_PATH "',interface='" NM_NAME "'",
     on_device_signal},
    {"type='signal',sender='" NM_NAME "',path_namespace='" NM_PATH
     "/Devices',interface='" PROPERTIES "',member='PropertiesChanged',arg0='" METERED_DEVICE "'",
     on_properties_changed},
    {BUS_DISCONNECTED, on_disconnected},
};

static int bus_start(struct host_metered *metered)
{
    int r = system_bus_open(metered->address, metered->config.loop, PRIORITY,
                            metered->config.timeout_us, &metered->bus);

    for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
        r = sd_bus_add_match_async(metered->bus, NULL, signals[i].match, signals[i].handler, NULL,
                                   metered);
    return r < 0 ? r
                 : sd_bus_call_method_async(metered->bus, &metered->call, BUS_NAME, BUS_PATH,
                                            BUS_NAME, "GetNameOwner", on_owner, metered, "s",
                                            NM_NAME);
}

static int on_timer(sd_event_source *source, uint64_t time_us, void *user)
{
    struct host_metered *metered = user;
    int r;

    metered->waiting = metered->heard = false;
    metered->bus = sd_bus_close_unref(metered->bus);
    r = bus_start(metered);
    if (r < 0) /* many a host has no bus */
        begin_again(metered, "the system bus",
                    r == -ENOENT || r == -ECONNREFUSED ? NULL : strerrordesc_np(-r));
    return 0;
}

/* ---- life ---- */

static void refuse_address(const struct host_metered *metered)
{
    CLEANUP_FREE char *text =
        string_format("DBUS_SYSTEM_BUS_ADDRESS is \"%.200s\"; allowed is one address, "
                      "unix:path=PATH or unix:abstract=NAME, or nothing for no bus: which "
                      "interfaces NetworkManager calls metered is not known",
                      metered->address);

    metered->config.notice(metered->config.user, PD_LEVEL_WARNING, "metered-unknown", text);
}

int host_metered_new(const struct host_metered_config *config, struct host_metered **ret_metered)
{
    struct host_metered *metered = memory_new(1, sizeof(*metered));
    int r =
        sd_event_add_time(config->loop, &metered->timer, CLOCK_MONOTONIC, 0, 0, on_timer, metered);

    metered->config = *config;
    if (!config->timeout_us)
        metered->config.timeout_us = TIMEOUT_US;
    metered->address = string_copy(config->address ? config->address : SYSTEM_BUS);
    metered->pause_us = PAUSE_MIN_US;
    if (r >= 0)
        r = sd_event_source_set_enabled(metered->timer, SD_EVENT_OFF);
    if (r < 0) {
        host_metered_free(metered);
        return r;
    }
    (void)sd_event_source_set_priority(metered->timer, PRIORITY);
    (void)sd_event_source_set_description(metered->timer, "network-manager");
    if (system_bus_allowed(metered->address))
        wait_for(metered, 0);
    else if (*metered->address)
        refuse_address(metered);
    *ret_metered = metered;
    return 0;
}

bool host_metered_is(const struct host_metered *metered, const char *interface)
{
    for (size_t i = 0; metered && i < metered->n_devices; i++)
        if (metered_device_is(metered->devices[i]) &&
            !strcmp(metered_device_interface(metered->devices[i]), interface))
            return true;
    return false;
}

struct host_metered *host_metered_free(struct host_metered *metered)
{
    if (!metered)
        return NULL;
    for (size_t i = 0; i < metered->n_devices; i++)
        metered_device_free(metered->devices[i]);
    sd_bus_slot_unref(metered->call);
    sd_bus_close_unref(metered->bus);
    sd_event_source_disable_unref(metered->timer);
    free(metered->owner);
    free(metered->address);
    free(metered);
    return NULL;
}
