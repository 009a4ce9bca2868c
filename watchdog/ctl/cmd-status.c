/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl status: how things are, and why nothing happens where nothing can. */
#include <inttypes.h>

#include "../util/util.h"
#include "ctl.h"

#define LAST_RECORDS 5

/* The members of `tally` that are numbers, summed over all pages. */
static bool sum_pages(struct ctl *ctl, json_t *tally, enum ctl_status *ret_status)
{
    while (has(tally, "next")) {
        json_t *page =
            ctl_call(ctl, "count",
                     json_pack("{s:I}", "after", (json_int_t)number_of(tally, "next")), ret_status);
        const char *name;
        json_t *value;

        if (!page)
            return false;
        json_object_foreach(tally, name,
                            value) if (json_is_integer(value) && strcmp(name, "next") != 0)
            json_integer_set(value, json_integer_value(value) + (json_int_t)number_of(page, name));
        json_object_set(tally, "next", json_object_get(page, "next"));
        json_decref(page);
    }
    return true;
}

static void show_node(const struct ctl *ctl, const json_t *node)
{
    const char *state = text_of(node, "state");
    bool silent = has(node, "silent_us"), up = !strcmp(state, "up") && !silent;

    printf("%sNode%s      ", bold(ctl), plain(ctl));
    if (has(node, "name"))
        printf("%s (%s) ", text_of(node, "name"), text_of(node, "implementation"));
    printf("at %s: %s%s%s", text_of(node, "path"), up ? green(ctl) : red(ctl),
           !strcmp(state, "snapshot") ? "up, waiting for its first peer list" : state, plain(ctl));
    if (silent)
        printf(", %shas not answered for %s%s", red(ctl), span_of(node, "silent_us"), plain(ctl));
    if (has(node, "reason"))
        printf(", %s", text_of(node, "reason"));
    putchar('\n');
}

/* Paths that are dead, and peers that nothing is known of, stand out. */
static void show_conditions(const struct ctl *ctl, const json_t *tally)
{
    uint64_t silent = number_of(tally, "silent"), unseen = number_of(tally, "unseen");

    printf("          %s%" PRIu64 " silent%s, %s%" PRIu64 " unseen%s, %" PRIu64 " moving, %" PRIu64
           " idle\n",
           silent ? red(ctl) : "", silent, silent ? plain(ctl) : "", unseen ? red(ctl) : "", unseen,
           unseen ? plain(ctl) : "", number_of(tally, "moving"), number_of(tally, "idle"));
}

static void show_peers(const struct ctl *ctl, const json_t *status)
{
    const json_t *tally = json_object_get(status, "peers");

    printf("%sPeers%s     %" PRIu64 " up (%" PRIu64 " dialled by this node, %" PRIu64
           " by their peers), %" PRIu64 " gone, %" PRIu64 " not reported\n",
           bold(ctl), plain(ctl), number_of(tally, "up"), number_of(tally, "client"),
           number_of(tally, "server"), number_of(tally, "gone"), number_of(tally, "untold"));
    show_conditions(ctl, tally);
    printf("          %" PRIu64 " measured, %" PRIu64 " watched, %" PRIu64 " cooling, %" PRIu64
           " held, %" PRIu64 " that may not be moved\n",
           number_of(tally, "measured"), number_of(tally, "watched"), number_of(tally, "cooling"),
           number_of(tally, "held"), number_of(tally, "fixed"));
}

/* How many there are, and which of them connections are kept off. */
static void show_uplinks(const struct ctl *ctl, const json_t *uplinks)
{
    const json_t *unwell = json_object_get(uplinks, "unwell");

    if (!number_of(uplinks, "known"))
        return;
    printf("%sUplinks%s   %" PRIu64, bold(ctl), plain(ctl), number_of(uplinks, "known"));
    for (size_t i = 0; i < json_array_size(unwell); i++) {
        const json_t *uplink = json_array_get(unwell, i);
        const char *state = text_of(uplink, "state");

        printf("%s%s: %s%s%s", i ? ", " : "; ", text_of(uplink, "uplink"),
               uplink_colour(ctl, state), state, plain(ctl));
    }
    putchar('\n');
}

static void show_triggers(const struct ctl *ctl, const json_t *triggers)
{
    printf("%sTriggers%s ", bold(ctl), plain(ctl));
    for (size_t i = 0; i < json_array_size(triggers); i++) {
        const json_t *trigger = json_array_get(triggers, i);
        bool open = !strcmp(text_of(trigger, "state"), "open");

        printf(" %s%s%s%s", open ? "" : red(ctl), text_of(trigger, "trigger"),
               open ? "" : " (closed)", open ? "" : plain(ctl));
    }
    printf("%s\n", json_array_size(triggers) ? "" : " none");
}

static void show_requests(const struct ctl *ctl, const json_t *status)
{
    const json_t *requests = json_object_get(status, "requests");

    printf("%sRequests%s  %" PRIu64 " open of at most %" PRIu64 ", %" PRIu64 " queued, %" PRIu64
           " wait for another attempt\n",
           bold(ctl), plain(ctl), number_of(requests, "open"), number_of(requests, "budget"),
           number_of(requests, "queued"), number_of(requests, "waiting"));
}

/* Why the node is down stands in its own line. */
static void show_reasons(const struct ctl *ctl, const json_t *reasons, bool why_down)
{
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const json_t *reason = json_array_get(reasons, i);

        if (!why_down || strcmp(text_of(reason, "what"), "node-down") != 0)
            printf("%s%s%s\n", yellow(ctl), text_of(reason, "text"), plain(ctl));
    }
}

static void show_last(const struct ctl *ctl, const json_t *page)
{
    const json_t *records = json_object_get(page, "records");

    if (!json_array_size(records)) {
        printf("%sLast%s      no decision has been made in this run\n", bold(ctl), plain(ctl));
        return;
    }
    printf("%sLast%s\n", bold(ctl), plain(ctl));
    for (size_t i = json_array_size(records); i-- > 0;) {
        fputs("  ", stdout);
        show_record(ctl, json_array_get(records, i));
    }
}

static void show_status(const struct ctl *ctl, const json_t *status, const json_t *last)
{
    bool held = flag_of(status, "all_held");

    show_node(ctl, json_object_get(status, "node"));
    printf("%sMode%s      %s%s%s%s\n", bold(ctl), plain(ctl), text_of(status, "mode"),
           held ? ", all peers held" : "",
           held && has(status, "held_left_us") ? " for another " : "",
           held && has(status, "held_left_us") ? span_of(status, "held_left_us") : "");
    show_peers(ctl, status);
    show_uplinks(ctl, json_object_get(status, "uplinks"));
    show_triggers(ctl, json_object_get(status, "triggers"));
    show_requests(ctl, status);
    show_last(ctl, last);
    show_reasons(ctl, json_object_get(status, "reasons"),
                 has(json_object_get(status, "node"), "reason"));
    printf("%spathdog %s, run %s%s\n", dim(ctl), text_of(status, "version"), text_of(status, "run"),
           plain(ctl));
}

/* With the peers counted to the end. */
static json_t *ask_status(struct ctl *ctl, enum ctl_status *ret_status)
{
    json_t *status = ctl_call(ctl, "status", NULL, ret_status);

    if (status && !sum_pages(ctl, json_object_get(status, "peers"), ret_status)) {
        json_decref(status);
        status = NULL;
    }
    return status;
}

static enum ctl_status check(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    json_t *status;

    ctl->call_ms = CALL_HOOK_MS;
    ctl->quiet = true;
    status = ask_status(ctl, &result);
    result = show_check(ctl, status);
    json_decref(status);
    return result;
}

enum ctl_status command_status(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    json_t *status, *last = NULL;

    if (ctl->options.check)
        return check(ctl);
    status = ask_status(ctl, &result);
    if (status)
        last = ctl_call(ctl, "decisions", json_pack("{s:i}", "limit", LAST_RECORDS), &result);
    if (last && ctl->options.json) {
        json_object_set(status, "last", json_object_get(last, "records"));
        show_json(status);
    } else if (last) {
        show_status(ctl, status, last);
    }
    json_decref(status);
    json_decref(last);
    return result;
}

enum ctl_status command_version(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    json_t *version = ctl_call(ctl, "version", NULL, &result);

    if (version && ctl->options.json)
        show_json(version);
    else if (version)
        printf("pathdog %s, run %s\n", text_of(version, "version"), text_of(version, "run"));
    json_decref(version);
    return result;
}
