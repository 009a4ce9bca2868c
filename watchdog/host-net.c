/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a route to everywhere leads over an interface is asked of the kernel, from the
 * interface's own address: so rules and tables count as they do for a socket that is bound to it.
 * The destination is an address that every route to everywhere has in it; nothing is sent there.
 */
#include "host-net.h"

#include <arpa/inet.h>
#include <pathdog/source.h>

#include "host-metered.h"
#include "netlink/lookup.h"
#include "netlink/netlink-listen.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/util.h"

/* Of a host with very many interfaces only so many are looked at. */
#define INTERFACES_MAX 64u
#define EXAMINED_MAX   512u
/* Between two readings, so that a flood of events costs little. */
#define GAP_US UINT64_C(100000)
/* a.root-servers.net. */
#define EVERYWHERE4 "198.41.0.4"
#define EVERYWHERE6 "2001:503:ba3e::2:30"

struct found {
    struct event_interface interface;
    char name[16];
    char *addresses;
};

struct host_net {
    struct pd_source_host host; /* the listener wants one: for its loop and its notices */
    const struct config *config;
    struct host_net_handlers handlers;
    struct netlink_listener *listener;
    struct lookup_socket *lookups;
    struct host_metered *metered; /* NULL: not known */
    sd_event_source *timer;
    uint64_t read_us;
    bool due;             /* the timer is on */
    struct buffer before; /* what was last told, as bytes to compare */
    bool emitted;
    struct found found[INTERFACES_MAX];
    size_t n_found;
};

/* ---- one interface ---- */

static bool is_link_local(unsigned family, const uint8_t *bytes)
{
    return family == 4 ? bytes[0] == 169 && bytes[1] == 254
                       : bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/* The kernel does not say what a link costs. */
static bool is_modem(const struct host_net *net, const char *name)
{
    return !strncmp(name, "wwan", 4) || !strncmp(name, "wwp", 3) || !strncmp(name, "ppp", 3) ||
           host_metered_is(net->metered, name);
}

static bool is_named(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->engine.n_uplinks; i++)
        if (!strcmp(config->engine.uplinks[i].interface, name))
            return true;
    return false;
}

static struct lookup lookup_of(unsigned family, uint32_t index, const uint8_t *source)
{
    struct lookup lookup = {.family = (uint8_t)family, .oif = index, .match = true};

    (void)inet_pton(family == 4 ? AF_INET : AF_INET6, family == 4 ? EVERYWHERE4 : EVERYWHERE6,
                    lookup.destination);
    if (source) {
        lookup.source_family = (uint8_t)family;
        memcpy(lookup.source, source, sizeof(lookup.source));
    }
    return lookup;
}

static bool leads_everywhere(struct host_net *net, unsigned family, uint32_t index,
                             const uint8_t *source)
{
    const struct lookup lookup = lookup_of(family, index, source);
    struct netlink_nexthop nexthop;

    if (!source)
        return false;
    lookup_ask(net->lookups, &lookup, 1, &nexthop);
    /* Of IPv6 the kernel takes the interface for a wish where there is a source. */
    return !nexthop.error && !nexthop.is_local && nexthop.oif == index;
}

/* Fills what it has. */
static void examine(struct host_net *net, const struct link_state *link, struct found *ret)
{
    struct netlink_state *state = netlink_listener_state(net->listener);
    const uint8_t *source4 = NULL, *source6 = NULL;
    struct buffer addresses = {0};
    char text[INET6_ADDRSTRLEN];
    size_t count;
    const struct link_address *list = state_addresses_of(state, link->index, &count);

    for (size_t i = 0; i < count; i++) {
        const struct link_address *own = &list[i];
        const uint8_t **source = own->family == 4 ? &source4 : &source6;

        if (!inet_ntop(own->family == 4 ? AF_INET : AF_INET6, own->bytes, text, sizeof(text)))
            continue;
        if (addresses.length)
            buffer_text(&addresses, " ");
        buffer_text(&addresses, text);
        if (!*source && !is_link_local(own->family, own->bytes))
            *source = own->bytes;
    }
    buffer_append(&addresses, "", 1);
    *ret = (struct found){.addresses = string_copy(buffer_bytes(&addresses))};
    buffer_clear(&addresses);
    memcpy(ret->name, link->name, sizeof(ret->name));
    ret->interface = (struct event_interface){
        .carrier = link->up && link->carrier,
        .modem = is_modem(net, link->name),
    };
    if (!ret->interface.carrier)
        return;
    ret->interface.route4 = leads_everywhere(net, 4, link->index, source4);
    ret->interface.route6 = leads_everywhere(net, 6, link->index, source6);
}

/* ---- all of them ---- */

static void found_clear(struct host_net *net)
{
    for (size_t i = 0; i < net->n_found; i++)
        free(net->found[i].addresses);
    net->n_found = 0;
}

/* The names of those that were found at the last reading. */
struct known {
    char names[INTERFACES_MAX][16];
    size_t count;
};

static void known_take(const struct host_net *net, struct known *ret)
{
    ret->count = net->n_found;
    for (size_t i = 0; i < net->n_found; i++)
        memcpy(ret->names[i], net->found[i].name, sizeof(ret->names[i]));
}

static bool is_known(const struct known *known, const char *name)
{
    for (size_t i = 0; i < known->count; i++)
        if (!strcmp(known->names[i], name))
            return true;
    return false;
}

/* Does it lead somewhere, or has it only lost its carrier since? */
static bool is_uplink(const struct found *found, bool was)
{
    const struct event_interface *interface = &found->interface;

    return interface->route4 || interface->route6 ||
           (was && !interface->carrier && found->addresses[0]);
}

static void read_all(struct host_net *net)
{
    const struct netlink_state *state = netlink_listener_state(net->listener);
    struct known known;
    size_t examined = 0;

    known_take(net, &known);
    found_clear(net);
    for (size_t i = 0; i < state->n_links && net->n_found < INTERFACES_MAX; i++) {
        const struct link_state *link = &state->links[i];
        struct found *found = &net->found[net->n_found];
        bool named = is_named(net->config, link->name), was = is_known(&known, link->name);

        if (!named && !was && (!link->up || !link->carrier || examined++ >= EXAMINED_MAX))
            continue;
        examine(net, link, found);
        if (named || is_uplink(found, was))
            net->n_found++;
        else
            free(found->addresses);
    }
}

/* Is it not what was told before? Keeps it, if so. */
static bool is_news(struct host_net *net)
{
    struct buffer now = {0};
    bool same;

    for (size_t i = 0; i < net->n_found; i++) {
        const struct found *found = &net->found[i];
        const bool flags[] = {found->interface.carrier, found->interface.modem,
                              found->interface.route4, found->interface.route6};

        buffer_append(&now, found->name, strlen(found->name) + 1);
        buffer_append(&now, found->addresses, strlen(found->addresses) + 1);
        buffer_append(&now, flags, sizeof(flags));
    }
    same = net->emitted && now.length == net->before.length &&
           (!now.length || !memcmp(buffer_bytes(&now), buffer_bytes(&net->before), now.length));
    buffer_clear(&net->before);
    net->before = now;
    net->emitted = true;
    return !same;
}

static void emit(struct host_net *net)
{
    struct event_interface list[INTERFACES_MAX];
    const struct event_interfaces event = {list, net->n_found};

    for (size_t i = 0; i < net->n_found; i++) {
        list[i] = net->found[i].interface;
        list[i].name = net->found[i].name;
        list[i].addresses = net->found[i].addresses;
    }
    net->handlers.changed(net->handlers.user, &event);
}

static int on_timer(sd_event_source *source, uint64_t time_us, void *user)
{
    struct host_net *net = user;

    (void)source;
    (void)time_us;
    net->due = false;
    net->read_us = clock_us(CLOCK_MONOTONIC);
    read_all(net);
    if (is_news(net))
        emit(net);
    return 0;
}

/* At once, but not more often than each GAP_US. */
static void wanted(struct host_net *net)
{
    uint64_t at_us = net->read_us ? net->read_us + GAP_US : 0;

    if (net->due)
        return;
    net->due = sd_event_source_set_time(net->timer, at_us) >= 0 &&
               sd_event_source_set_enabled(net->timer, SD_EVENT_ONESHOT) >= 0;
}

/* ---- rtnetlink ---- */

/* A new interface without carrier is no change of what the host can use; but one that is named is
 * there now. */
static void on_event(void *user, const struct netlink_event *event, enum state_change change,
                     bool reported)
{
    struct host_net *net = user;
    bool matters = event->kind == NETLINK_ROUTES ? !event->cached
                   : event->kind == NETLINK_LINK
                       ? is_named(net->config, event->ifname)
                       : event->kind == NETLINK_RULES || event->kind == NETLINK_NEXTHOPS;

    if (change != STATE_SAME || (matters && !reported))
        wanted(net);
}

static void on_complete(void *user)
{
    wanted(user);
}

static void on_metered(void *user)
{
    wanted(user);
}

static void on_notice(struct pd_source_host *host, enum pd_level level, const char *what,
                      const char *text)
{
    const struct host_net *net = (const struct host_net *)(const void *)host;

    net->handlers.notice(net->handlers.user, level, what, text);
}

static void on_metered_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    const struct host_net *net = user;

    net->handlers.notice(net->handlers.user, level, what, text);
}

/* ---- life ---- */

static int metered_start(struct host_net *net)
{
    const struct host_metered_config config = {
        .loop = net->host.loop,
        .address = getenv("DBUS_SYSTEM_BUS_ADDRESS"),
        .changed = on_metered,
        .notice = on_metered_notice,
        .user = net,
    };

    return host_metered_new(&config, &net->metered);
}

int host_net_new(sd_event *loop, const struct config *config,
                 const struct host_net_handlers *handlers, struct host_net **ret_net)
{
    struct host_net *net = memory_new(1, sizeof(*net));
    const struct netlink_handlers listen = {
        .event = on_event, .complete = on_complete, .user = net};
    int r;

    net->host =
        (struct pd_source_host){.size = sizeof(net->host), .loop = loop, .notice = on_notice};
    net->config = config;
    net->handlers = *handlers;
    r = sd_event_add_time(loop, &net->timer, CLOCK_MONOTONIC, 0, 1, on_timer, net);
    if (r >= 0)
        r = sd_event_source_set_enabled(net->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = lookup_socket_new(&net->lookups);
    if (r >= 0)
        r = netlink_listener_new(&net->host, NETLINK_WANT_ALL, &listen, &net->listener);
    if (r >= 0)
        r = metered_start(net);
    if (r < 0) {
        host_net_free(net);
        return r;
    }
    /* A trigger that reads the same events may have requests to make. */
    netlink_listener_later(net->listener);
    (void)sd_event_source_set_priority(net->timer, SD_EVENT_PRIORITY_NORMAL + 10);
    wanted(net);
    *ret_net = net;
    return 0;
}

void host_net_configure(struct host_net *net, const struct config *config)
{
    net->config = config;
    wanted(net);
}

struct host_net *host_net_free(struct host_net *net)
{
    if (!net)
        return NULL;
    host_metered_free(net->metered);
    netlink_listener_free(net->listener);
    lookup_socket_free(net->lookups);
    sd_event_source_disable_unref(net->timer);
    found_clear(net);
    buffer_clear(&net->before);
    free(net);
    return NULL;
}
