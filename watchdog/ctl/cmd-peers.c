/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl peers: the table of connections, page by page. */
#include <inttypes.h>
#include <string.h>

#include "ctl.h"

static size_t width_of(const json_t *peers, const char *name, size_t least)
{
    for (size_t i = 0; i < json_array_size(peers); i++) {
        size_t length = strlen(text_of(json_array_get(peers, i), name));

        least = length > least ? length : least;
    }
    return least < 48 ? least : 48;
}

struct widths {
    int peer, local, remote;
};

static void show_flags(const struct ctl *ctl, const json_t *peer)
{
    if (strcmp(text_of(peer, "state"), "up") != 0)
        printf(" %s%s%s", red(ctl), text_of(peer, "state"), plain(ctl));
    if (flag_of(peer, "held"))
        printf(" %sheld%s", yellow(ctl), plain(ctl));
    if (has(peer, "move"))
        printf(" %s", text_of(peer, "move"));
    if (!flag_of(peer, "migratable") && !strcmp(text_of(peer, "role"), "client"))
        printf(" unmigratable");
    if (has(peer, "via"))
        printf(" via %s", text_of(peer, "via"));
}

static void show_page(const struct ctl *ctl, const json_t *peers, const struct widths *widths)
{
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *peer = json_array_get(peers, i);

        printf("%-*s %8" PRIu64 "  %-6s  %8s  %-*s  %-*s ", widths->peer, text_of(peer, "peer"),
               number_of(peer, "conn"), text_of(peer, "role"), span_of(peer, "srtt_us"),
               widths->local, text_of(peer, "local"), widths->remote, text_of(peer, "remote"));
        show_flags(ctl, peer);
        putchar('\n');
    }
}

/* The first page says how wide the columns are. */
static struct widths show_head(const struct ctl *ctl, const json_t *peers)
{
    const struct widths widths = {
        .peer = (int)width_of(peers, "peer", 4),
        .local = (int)width_of(peers, "local", 5),
        .remote = (int)width_of(peers, "remote", 6),
    };

    printf("%s%-*s %8s  %-6s  %8s  %-*s  %-*s  STATE%s\n", bold(ctl), widths.peer, "PEER", "CONN",
           "ROLE", "SRTT", widths.local, "LOCAL", widths.remote, "REMOTE", plain(ctl));
    return widths;
}

static void show_lines(const json_t *peers)
{
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *peer = json_array_get(peers, i);

        if (json_is_string(peer))
            puts(json_string_value(peer));
        else
            show_json(peer);
    }
}

/* Every page of an answer to `peers`. `params` is taken over. */
static enum ctl_status show_pages(struct ctl *ctl, json_t *params, bool table)
{
    enum ctl_status result = CTL_GOOD;
    uint64_t left = ctl->options.limit ? ctl->options.limit : UINT64_MAX, count = 0;
    struct widths widths = {0};
    bool more = true;

    while (more && left) {
        json_t *page, *peers;

        if (left < 256)
            json_object_set_new(params, "limit", json_integer((json_int_t)left));
        page = ctl_call(ctl, "peers", json_incref(params), &result);
        peers = json_object_get(page, "peers");
        if (!page)
            break;
        if (table && !count && json_array_size(peers))
            widths = show_head(ctl, peers);
        if (table)
            show_page(ctl, peers, &widths);
        else
            show_lines(peers);
        count += json_array_size(peers);
        left -= json_array_size(peers) < left ? json_array_size(peers) : left;
        more = has(page, "next");
        if (more)
            json_object_set(params, "after", json_object_get(page, "next"));
        json_decref(page);
    }
    json_decref(params);
    if (table && result == CTL_GOOD && !count)
        puts(ctl->n_words ? "no peer fits" : "there are no peers");
    return result;
}

enum ctl_status command_peers(struct ctl *ctl)
{
    json_t *params = json_object();

    if (ctl->n_words)
        json_object_set_new(params, "match", json_string(ctl->words[0]));
    return show_pages(ctl, params, !ctl->options.json);
}

/* For completion: names that begin so. */
enum ctl_status command_names(struct ctl *ctl)
{
    json_t *params = json_pack("{s:b}", "names", 1);

    if (ctl->n_words && *ctl->words[0])
        json_object_set_new(params, "prefix", json_string(ctl->words[0]));
    return show_pages(ctl, params, false);
}
