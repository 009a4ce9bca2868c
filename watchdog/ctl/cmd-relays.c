/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl relays: a line for each relay, and for each connection that goes over one. */
#include <inttypes.h>
#include <string.h>

#include "../util/util.h"
#include "ctl.h"

#define PEERS_SHOWN 20u /* without --limit */

/* The connections of another page. Its relays may be others by now: those of the first page are
 * what is shown. */
static void merge(json_t *all, const json_t *page)
{
    json_t *relays = json_object_get(all, "relays"), *others = json_object_get(page, "relays");

    json_array_extend(json_object_get(all, "peers"), json_object_get(page, "peers"));
    for (size_t i = 0; i < json_array_size(relays); i++) {
        json_t *relay = json_array_get(relays, i);
        const json_t *other = json_array_get(others, i);
        uint64_t sum = number_of(relay, "peers") + number_of(other, "peers");

        if (!strcmp(text_of(relay, "relay"), text_of(other, "relay")))
            json_object_set_new(relay, "peers", json_integer((json_int_t)sum));
    }
}

/* All pages in one; NULL: it could not be had. */
static json_t *relays_ask(struct ctl *ctl, enum ctl_status *ret_status)
{
    json_t *all = ctl_call(ctl, "relays", NULL, ret_status);

    while (all && has(all, "next")) {
        json_t *page =
            ctl_call(ctl, "relays", json_pack("{s:I}", "after", (json_int_t)number_of(all, "next")),
                     ret_status);

        if (!page) {
            json_decref(all);
            return NULL;
        }
        merge(all, page);
        json_object_set(all, "next", json_object_get(page, "next"));
        json_decref(page);
    }
    return all;
}

static int width_of(const json_t *list, const char *name, size_t least)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t length = strlen(text_of(json_array_get(list, i), name));

        least = length > least ? length : least;
    }
    return (int)(least < 48 ? least : 48);
}

/* ---- relays ---- */

struct widths {
    int relay, address;
};

static void show_relay(const struct ctl *ctl, const json_t *relay, const struct widths *widths)
{
    bool left_out = has(relay, "left_out"), failed = has(relay, "error");

    printf("%-*s  %-*s  %-7s  %-6s  %s%8s%s  %5" PRIu64, widths->relay, text_of(relay, "relay"),
           widths->address, text_of(relay, "address"), text_of(relay, "speaks"),
           text_of(relay, "from"), failed ? red(ctl) : "", span_of(relay, "rtt_us"), plain(ctl),
           number_of(relay, "peers"));
    if (flag_of(relay, "pick"))
        printf("  %spick%s: %s", green(ctl), plain(ctl), text_of(relay, "why"));
    if (left_out)
        printf("  %snot used%s: %s", yellow(ctl), plain(ctl), text_of(relay, "left_out"));
    if (failed)
        printf("  %s, %s ago", text_of(relay, "error"), span_of(relay, "probed_us"));
    putchar('\n');
}

static void show_relays(const struct ctl *ctl, const json_t *relays)
{
    const struct widths widths = {width_of(relays, "relay", 5), width_of(relays, "address", 7)};

    if (!json_array_size(relays)) {
        puts("no relay is known: no section [trigger:relay] has one, and the node names none");
        return;
    }
    printf("%s%-*s  %-*s  %-7s  %-6s  %8s  %5s%s\n", bold(ctl), widths.relay, "RELAY",
           widths.address, "ADDRESS", "SPEAKS", "FROM", "RTT", "PEERS", plain(ctl));
    for (size_t i = 0; i < json_array_size(relays); i++)
        show_relay(ctl, json_array_get(relays, i), &widths);
    if (!has(json_array_get(relays, 0), "trigger"))
        printf("%snamed by the node; without a section [trigger:relay] nothing is sent over "
               "them%s\n",
               dim(ctl), plain(ctl));
}

/* ---- connections ---- */

/* "1.5 MB" */
static const char *bytes_text(char text[static 32], uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;

    for (; value >= 999.5 && unit + 1 < ARRAY_SIZE(units); unit++)
        value /= 1000;
    snprintf(text, 32, unit && value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

/* What is left of its lease, as far as something is known. */
static void show_lease(const json_t *peer)
{
    char text[32];
    const char *comma = "";

    if (!has(peer, "lease_ms") && !has(peer, "lease_sent_bytes") &&
        !has(peer, "lease_received_bytes"))
        return;
    printf("  left: ");
    if (has(peer, "lease_ms")) {
        printf("%s", span_text(number_of(peer, "lease_ms") * 1000));
        comma = ", ";
    }
    if (has(peer, "lease_sent_bytes")) {
        printf("%s%s to send", comma, bytes_text(text, number_of(peer, "lease_sent_bytes")));
        comma = ", ";
    }
    if (has(peer, "lease_received_bytes"))
        printf("%s%s to receive", comma, bytes_text(text, number_of(peer, "lease_received_bytes")));
}

static void show_peer(const struct ctl *ctl, const json_t *peer, int name, int relay)
{
    char why[64];

    snprintf(why, sizeof(why), "%.40s%s", text_of(peer, "rule"),
             flag_of(peer, "pinned") ? ", pinned" : "");
    printf("%-*s  %-*s  %-20s  %8s", name, text_of(peer, "peer"), relay, text_of(peer, "relay"),
           why, span_of(peer, "srtt_us"));
    if (number_of(peer, "silent_us"))
        printf("  %ssilent for %s%s", yellow(ctl), span_of(peer, "silent_us"), plain(ctl));
    show_lease(peer);
    putchar('\n');
}

static void show_peers(const struct ctl *ctl, const json_t *peers)
{
    int name = width_of(peers, "peer", 4), relay = width_of(peers, "relay", 5);
    size_t n = json_array_size(peers), most = ctl->options.limit ? ctl->options.limit : PEERS_SHOWN;

    if (!n) {
        puts("\nno connection goes over a relay");
        return;
    }
    printf("\n%s%-*s  %-*s  %-20s  %8s%s\n", bold(ctl), name, "PEER", relay, "RELAY", "WHY", "SRTT",
           plain(ctl));
    for (size_t i = 0; i < n && i < most; i++)
        show_peer(ctl, json_array_get(peers, i), name, relay);
    if (n > most)
        printf("%sand %zu more; --limit N shows more of them%s\n", dim(ctl), n - most, plain(ctl));
}

enum ctl_status command_relays(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    json_t *answer = relays_ask(ctl, &result);

    if (!answer)
        return result;
    if (ctl->options.json) {
        json_object_del(answer, "next");
        show_json(answer);
    } else {
        show_relays(ctl, json_object_get(answer, "relays"));
        show_peers(ctl, json_object_get(answer, "peers"));
    }
    json_decref(answer);
    return result;
}
