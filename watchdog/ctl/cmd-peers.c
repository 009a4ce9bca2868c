/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl peers: the table of connections, the worst first or as is asked for. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../util/util.h"
#include "ctl.h"
#include "peers-order.h"

/* NULL: there is none of that name, which has been said. */
static const struct peers_order *order_find(const char *key, enum ctl_status *ret_status)
{
    const struct peers_order *order = peers_order(key ? key : "worst");
    const char *nearest;
    char list[128];

    if (order)
        return order;
    nearest = peers_orders(key, list, sizeof(list));
    *ret_status =
        usage("--sort %s: allowed is one of %s%s%s%s", key, list, nearest ? " (did you mean " : "",
              nearest ? nearest : "", nearest ? "?)" : "");
    return NULL;
}

/* ---- the table ---- */

static size_t width_of(const json_t *peers, const char *name, size_t least)
{
    for (size_t i = 0; i < json_array_size(peers); i++) {
        size_t length = strlen(text_of(json_array_get(peers, i), name));

        least = length > least ? length : least;
    }
    return least < 48 ? least : 48;
}

struct widths {
    int peer, interface, local, remote;
};

static void show_notes(const struct ctl *ctl, const json_t *peer)
{
    if (flag_of(peer, "held"))
        printf("  %sheld%s", yellow(ctl), plain(ctl));
    if (has(peer, "move"))
        printf("  %s", text_of(peer, "move"));
    if (!flag_of(peer, "migratable") && !strcmp(text_of(peer, "role"), "client"))
        printf("  unmigratable");
    if (has(peer, "via"))
        printf("  via %s", text_of(peer, "via"));
    if (!strcmp(text_of(peer, "condition"), "unseen") && has(peer, "looked_us"))
        printf("  last row %s ago", span_of(peer, "looked_us"));
}

static const char *colour_of(const struct ctl *ctl, const json_t *peer)
{
    size_t bad = peers_badness(peer);

    return bad <= 3 ? red(ctl) : bad == 4 ? yellow(ctl) : "";
}

/* What is from before the last sign of life is in brackets. */
static const char *rtt_text(const json_t *peer, char text[DURATION_SIZE + 2])
{
    bool old = peers_badness(peer) <= 3 || number_of(peer, "silent_us");

    if (!old || !has(peer, "srtt_us"))
        snprintf(text, DURATION_SIZE + 2, "%s", span_of(peer, "srtt_us"));
    else
        snprintf(text, DURATION_SIZE + 2, "(%s)", span_of(peer, "srtt_us"));
    return text;
}

static void show_page(const struct ctl *ctl, const json_t *peers, const struct widths *widths)
{
    char rtt[DURATION_SIZE + 2];

    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *peer = json_array_get(peers, i);
        const char *silent = number_of(peer, "silent_us") ? span_of(peer, "silent_us") : "-";

        printf("%-*s  %s%-6s%s  %8s  %8s  %-*s  %-*s  %-*s  %8" PRIu64 "  %-6s", widths->peer,
               text_of(peer, "peer"), colour_of(ctl, peer), text_of(peer, "condition"), plain(ctl),
               silent, rtt_text(peer, rtt), widths->interface, text_of(peer, "interface"),
               widths->local, text_of(peer, "local"), widths->remote, text_of(peer, "remote"),
               number_of(peer, "conn"), text_of(peer, "role"));
        show_notes(ctl, peer);
        putchar('\n');
    }
}

/* The first page says how wide the columns are. */
static struct widths show_head(const struct ctl *ctl, const json_t *peers)
{
    const struct widths widths = {
        .peer = (int)width_of(peers, "peer", 4),
        .interface = (int)width_of(peers, "interface", 9),
        .local = (int)width_of(peers, "local", 5),
        .remote = (int)width_of(peers, "remote", 6),
    };

    printf("%s%-*s  %-6s  %8s  %8s  %-*s  %-*s  %-*s  %8s  ROLE%s\n", bold(ctl), widths.peer,
           "PEER", "STATE", "SILENT", "SRTT", widths.interface, "INTERFACE", widths.local, "LOCAL",
           widths.remote, "REMOTE", "CONN", plain(ctl));
    return widths;
}

static void show_lines(const json_t *peers)
{
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *peer = json_array_get(peers, i);

        if (json_is_string(peer))
            puts(isatty(STDOUT_FILENO) ? text_at(peers, i) : json_string_value(peer));
        else
            show_json(peer);
    }
}

/* ---- pages ---- */

struct output {
    bool table;
    struct widths widths;
    uint64_t count, most;
};

static void show(const struct ctl *ctl, const json_t *peers, struct output *output)
{
    if (output->table && !output->count && json_array_size(peers))
        output->widths = show_head(ctl, peers);
    if (output->table)
        show_page(ctl, peers, &output->widths);
    else
        show_lines(peers);
    output->count += json_array_size(peers);
}

/* Sorted, and no more than are wanted. `all` is taken over. */
static void show_sorted(const struct ctl *ctl, json_t *all, const struct peers_order *order,
                        struct output *output)
{
    json_t *peers =
        peers_sorted(all, order, output->most < SIZE_MAX ? (size_t)output->most : SIZE_MAX);

    show(ctl, peers, output);
    json_decref(peers);
    json_decref(all);
}

/* Every page of an answer to `peers`. `order` NULL: as they come. `params` is taken over. */
static enum ctl_status show_pages(struct ctl *ctl, json_t *params, bool table,
                                  const struct peers_order *order)
{
    enum ctl_status result = CTL_GOOD;
    struct output output = {.table = table,
                            .most = ctl->options.limit ? ctl->options.limit : UINT64_MAX};
    json_t *all = order ? json_array() : NULL;
    bool more = true;

    while (more && output.count < output.most) {
        json_t *page;

        if (!order && output.most - output.count < 256)
            json_object_set_new(params, "limit",
                                json_integer((json_int_t)(output.most - output.count)));
        page = ctl_call(ctl, "peers", json_incref(params), &result);
        if (!page)
            break;
        if (order)
            json_array_extend(all, json_object_get(page, "peers"));
        else
            show(ctl, json_object_get(page, "peers"), &output);
        more = has(page, "next");
        if (more)
            json_object_set(params, "after", json_object_get(page, "next"));
        json_decref(page);
    }
    json_decref(params);
    if (order)
        show_sorted(ctl, all, order, &output);
    if (table && result == CTL_GOOD && !output.count)
        puts(ctl->n_words ? "no peer matches" : "there are no peers");
    return result;
}

enum ctl_status command_peers(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    const struct peers_order *order = order_find(ctl->options.sort, &result);
    json_t *params;

    if (!order)
        return result;
    params = json_object();
    if (ctl->n_words)
        json_object_set_new(params, "match", json_string(ctl->words[0]));
    return show_pages(ctl, params, !ctl->options.json, peers_order_sorts(order) ? order : NULL);
}

/* For completion: names that begin so. */
enum ctl_status command_names(struct ctl *ctl)
{
    json_t *params = json_pack("{s:b}", "names", 1);

    if (ctl->n_words && *ctl->words[0])
        json_object_set_new(params, "prefix", json_string(ctl->words[0]));
    return show_pages(ctl, params, false, NULL);
}
