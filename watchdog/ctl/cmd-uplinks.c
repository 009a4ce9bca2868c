/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl uplinks: a line for each, with the connections that use it. */
#include <inttypes.h>
#include <string.h>

#include "../util/util.h"
#include "ctl.h"

static void add(json_t *into, const json_t *from, const char *name)
{
    uint64_t sum = number_of(into, name) + number_of(from, name);

    json_object_set_new(into, name, json_integer((json_int_t)sum));
}

static void merge_one(json_t *uplink, const json_t *other)
{
    bool lower =
        has(other, "srtt_us") &&
        (!has(uplink, "srtt_us") || number_of(other, "srtt_us") < number_of(uplink, "srtt_us"));

    add(uplink, other, "peers");
    add(uplink, other, "silent");
    if (lower)
        json_object_set(uplink, "srtt_us", json_object_get(other, "srtt_us"));
}

/* The connections of another page. Its uplinks may be others by now: those of the first page are
 * what is shown. */
void uplinks_merge(json_t *uplinks, const json_t *page)
{
    for (size_t i = 0; i < json_array_size(uplinks); i++)
        for (size_t j = 0; j < json_array_size(page); j++) {
            json_t *uplink = json_array_get(uplinks, i);

            if (!strcmp(text_of(uplink, "uplink"), text_of(json_array_get(page, j), "uplink")))
                merge_one(uplink, json_array_get(page, j));
        }
}

/* All pages in one; NULL: it could not be had. */
static json_t *uplinks_ask(struct ctl *ctl, enum ctl_status *ret_status)
{
    json_t *all = ctl_call(ctl, "uplinks", NULL, ret_status);

    while (all && has(all, "next")) {
        json_t *page =
            ctl_call(ctl, "uplinks",
                     json_pack("{s:I}", "after", (json_int_t)number_of(all, "next")), ret_status);

        if (!page) {
            json_decref(all);
            return NULL;
        }
        uplinks_merge(json_object_get(all, "uplinks"), json_object_get(page, "uplinks"));
        json_object_set(all, "next", json_object_get(page, "next"));
        json_decref(page);
    }
    return all;
}

static int width_of(const json_t *uplinks, const char *name, size_t least)
{
    for (size_t i = 0; i < json_array_size(uplinks); i++) {
        size_t length = strlen(text_of(json_array_get(uplinks, i), name));

        least = length > least ? length : least;
    }
    return (int)least;
}

static const char *routes_of(const json_t *uplink, char text[static 16])
{
    const json_t *routes = json_object_get(uplink, "routes");
    size_t n = json_array_size(routes);

    snprintf(text, 16, "%s%s%s", n ? text_at(routes, 0) : "-", n > 1 ? " " : "",
             n > 1 ? text_at(routes, 1) : "");
    return text;
}

/* What it is waiting for, before connections are moved to it. */
static void show_waiting(FILE *out, const json_t *state, const char *indent)
{
    const json_t *proof = json_object_get(state, "proof");

    if (flag_of(state, "held"))
        fprintf(out,
                has(state, "held_left_us") ? "%sheld for another %s\n" : "%sheld until released\n",
                indent, span_of(state, "held_left_us"));
    if (number_of(state, "penalty_us"))
        fprintf(out, "%snot tried for another %s, because a move to it failed\n", indent,
                span_of(state, "penalty_us"));
    if (flag_of(state, "unproven") && !flag_of(state, "held") && json_is_object(proof))
        fprintf(out, "%sproof: %" PRIu64 " of %" PRIu64 " good probes in a row, over at least %s\n",
                indent, number_of(proof, "good"), number_of(proof, "needed"),
                span_of(proof, "over_us"));
}

void show_uplink_state(FILE *out, const struct ctl *ctl, const json_t *state, const char *indent)
{
    const json_t *last = json_object_get(state, "last");
    bool up = !strcmp(text_of(state, "condition"), "up");

    fprintf(out, "%s", dim(ctl));
    if (!up && strcmp(text_of(last, "change"), "down") != 0)
        fprintf(out, "%s%s for %s\n", indent, text_of(state, "condition"),
                span_of(state, "for_us"));
    show_waiting(out, state, indent);
    if (json_is_object(last))
        fprintf(out, "%s%s %s ago: %s\n", indent, text_of(last, "change"), span_of(last, "ago_us"),
                text_of(last, "reason"));
    fprintf(out, "%s", plain(ctl));
}

const char *uplink_colour(const struct ctl *ctl, const char *state)
{
    static const char *const waits[] = {"held", "penalty", "unproven"};

    for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
        if (!strcmp(state, waits[i]))
            return yellow(ctl);
    return strcmp(state, "up") ? red(ctl) : green(ctl);
}

static void show_line(const struct ctl *ctl, const json_t *uplink, int name, int interface)
{
    const char *state = text_of(uplink, "state"),
               *rtt = has(uplink, "rtt_us") ? "rtt_us" : "srtt_us";
    char routes[16];

    printf("%-*s  %-*s  %-7s  %s%-10s%s  %-9s  %5" PRIu64 "  %8s  %11s\n", name,
           text_of(uplink, "uplink"), interface, text_of(uplink, "interface"),
           text_of(uplink, "class"), uplink_colour(ctl, state), state, plain(ctl),
           routes_of(uplink, routes), number_of(uplink, "peers"), span_of(uplink, rtt),
           span_of(uplink, "heard_us"));
    if (number_of(uplink, "silent"))
        printf("        %s%" PRIu64 " of its connections silent%s\n", red(ctl),
               number_of(uplink, "silent"), plain(ctl));
    show_uplink_state(stdout, ctl, uplink, "        ");
}

static void show_table(const struct ctl *ctl, const json_t *uplinks)
{
    int name = width_of(uplinks, "uplink", 6), interface = width_of(uplinks, "interface", 9);

    if (!json_array_size(uplinks)) {
        puts("no uplink is known: there is no section [uplink:NAME], and no interface has a route "
             "to everywhere");
        return;
    }
    printf("%s%-*s  %-*s  %-7s  %-10s  %-9s  %5s  %8s  %11s%s\n", bold(ctl), name, "UPLINK",
           interface, "INTERFACE", "CLASS", "STATE", "ROUTES", "PEERS", "RTT", "HEARD", plain(ctl));
    for (size_t i = 0; i < json_array_size(uplinks); i++)
        show_line(ctl, json_array_get(uplinks, i), name, interface);
    if (!flag_of(json_array_get(uplinks, 0), "configured"))
        printf("%slearned from the routes: the configuration has no section [uplink:NAME]%s\n",
               dim(ctl), plain(ctl));
}

enum ctl_status command_uplinks(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    json_t *answer = uplinks_ask(ctl, &result);
    const json_t *uplinks = json_object_get(answer, "uplinks");

    if (!answer)
        return result;
    for (size_t i = 0; ctl->options.json && i < json_array_size(uplinks); i++)
        show_json(json_array_get(uplinks, i));
    if (!ctl->options.json)
        show_table(ctl, uplinks);
    json_decref(answer);
    return result;
}
