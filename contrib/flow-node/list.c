/* SPDX-License-Identifier: Apache-2.0 */
#include "list.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>

#include "conntrack.h"
#include "movable.h"
#include "util/duration.h"
#include "util/format.h"
#include "wanted.h"

#define ERROR_SIZE 256u
#define WAIT_MS    5000

struct list {
    const struct options *options;
    struct flow_settings settings;
    struct wanted wanted;
    struct flows *flows;
    struct conntrack *conntrack;
    struct owners *owners;
    struct mover *mover; /* only looks */
    uint64_t n_seen, n_young;
};

/* All are taken that are old enough, or of which that is not known. */
static void on_entry(const struct flow_entry *entry, void *user)
{
    struct list *list = user;

    list->n_seen++;
    if (entry->age_us < list->options->flows.min_age_us)
        list->n_young++;
    else
        (void)flows_sample(list->flows, entry, 1);
}

static int dump(struct list *list)
{
    struct pollfd fd = {.fd = conntrack_fd(list->conntrack), .events = POLLIN};
    bool whole;
    int r = conntrack_dump(list->conntrack);

    while (!r) {
        if (poll(&fd, 1, WAIT_MS) == 0)
            return -ETIMEDOUT;
        r = conntrack_process(list->conntrack, on_entry, list, &whole);
    }
    return r < 0 ? r : 0;
}

static void print_flow(const struct flow *flow, FILE *out)
{
    struct flow_tuple seen = flow->tuple;
    char local[TUPLE_END_SIZE], age[DURATION_SIZE] = "-", sent[24] = "-", received[24] = "-";

    memcpy(seen.saddr, flow->entry.seen_at, sizeof(seen.saddr));
    seen.sport = flow->entry.seen_port;
    if (flow->entry.age_us != FLOW_UNKNOWN)
        duration_text(age, flow->entry.age_us / 1000000 * 1000000);
    if (flow->entry.counted) {
        snprintf(sent, sizeof(sent), "%llu", (unsigned long long)flow->entry.bytes[FLOW_SENT]);
        snprintf(received, sizeof(received), "%llu",
                 (unsigned long long)flow->entry.bytes[FLOW_RECEIVED]);
    }
    fprintf(out, "%-48s %-24s %-10s %12s %12s\n", flow->name, tuple_client_text(local, &seen), age,
            sent, received);
}

static int decide(struct list *list)
{
    struct flow *flow;

    while ((flow = flows_ready(list->flows))) {
        struct owner owner;
        struct owner_route route;
        char why[ERROR_SIZE];
        int r = owner_find(list->owners, &flow->tuple, &owner);

        if (r < 0)
            return r;
        flow->forwarded = owner.kind == OWNER_FORWARDED;
        memcpy(flow->lan, owner.lan, sizeof(flow->lan));
        if (owner_is_wanted(&list->wanted, &owner) &&
            flow_is_movable(list->owners, list->mover, flow, &route, why, sizeof(why), &r))
            flow_tell(list->flows, flow, owner_name(&owner));
        else
            flow_leave(list->flows, flow);
    }
    return 0;
}

static void print(struct list *list, FILE *out)
{
    size_t n = flows_told(list->flows);
    uint32_t count = 0, most = 0;

    fprintf(out, "%-48s %-24s %-10s %12s %12s\n", "FLOW", "SEEN AS", "AGE", "SENT", "RECEIVED");
    for (size_t i = 0; i < n; i++)
        print_flow(flows_at(list->flows, i), out);
    fprintf(out, "%zu flows; %llu of %llu to these ports are younger than min-age\n", n,
            (unsigned long long)list->n_young, (unsigned long long)list->n_seen);
    (void)conntrack_count(list->conntrack, &count, &most);
    if (!count)
        fputs("The kernel tracks no connection at all: it does so only while a rule of a firewall "
              "asks for it, as flow-node's own do while it runs.\n",
              out);
}

static int look(struct list *list, char *error)
{
    struct mover_settings settings = options_mover(list->options);

    return mover_look(&settings, &list->mover, error, ERROR_SIZE);
}

int list_print(const struct options *options, FILE *out, char **ret_error)
{
    struct list list = {.options = options, .settings = options->flows};
    char error[ERROR_SIZE] = "";
    int r = wanted_init(&list.wanted, options, ret_error);

    list.settings.min_age_us = 0;
    if (r >= 0 && getrandom(list.settings.key, sizeof(list.settings.key), 0) < 0)
        r = -errno;
    if (r >= 0)
        r = conntrack_new(&list.settings, &list.conntrack, error, sizeof(error));
    if (r >= 0)
        r = owners_new(&list.owners, error, sizeof(error));
    if (r >= 0)
        r = look(&list, error);
    list.flows = flows_new(&list.settings);
    if (r >= 0)
        r = dump(&list);
    if (r >= 0)
        r = decide(&list);
    if (r >= 0)
        print(&list, out);
    else if (!*ret_error)
        *ret_error = string_copy(*error ? error : strerror(-r));
    conntrack_free(list.conntrack);
    owners_free(list.owners);
    mover_free(list.mover);
    flows_free(list.flows);
    return r;
}
