/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl status: is it working, what is wrong, what is it waiting for, what did it last do. At
 * most twelve lines, whatever there is.
 */
#include <inttypes.h>

#include "../util/util.h"
#include "ctl.h"
#include "health.h"
#include "waiting.h"

#define LAST_RECORDS 5 /* with --json */
#define LAST_SHOWN   3u
#define OTHERS_SHOWN 2u

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

static void show_some(const json_t *tally, const char *name, const char *words)
{
    uint64_t count = number_of(tally, name);

    if (count)
        printf(", %" PRIu64 " %s", count, words);
}

/* Paths that are dead, and peers that nothing is known of, stand out. */
static void show_peers(const struct ctl *ctl, const json_t *status)
{
    const json_t *tally = json_object_get(status, "peers");
    uint64_t silent = number_of(tally, "silent"), unseen = number_of(tally, "unseen");

    printf("%sPeers%s     %" PRIu64 " up: %s%" PRIu64 " silent%s, %s%" PRIu64 " unseen%s, %" PRIu64
           " moving, %" PRIu64 " idle",
           bold(ctl), plain(ctl), number_of(tally, "up"), silent ? red(ctl) : "", silent,
           silent ? plain(ctl) : "", unseen ? red(ctl) : "", unseen, unseen ? plain(ctl) : "",
           number_of(tally, "moving"), number_of(tally, "idle"));
    show_some(tally, "gone", "gone");
    show_some(tally, "untold", "not reported");
    show_some(tally, "cooling", "cooling");
    show_some(tally, "held", "held");
    show_some(tally, "fixed", "that may not be moved");
    putchar('\n');
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

/* One line, with the triggers. */
static void show_mode(const struct ctl *ctl, const json_t *status)
{
    const json_t *triggers = json_object_get(status, "triggers");
    bool observes = strcmp(text_of(status, "mode"), "active") != 0;

    printf("%sMode%s      %s%s%s%s%s%s; triggers", bold(ctl), plain(ctl),
           observes ? yellow(ctl) : "", text_of(status, "mode"), observes ? plain(ctl) : "",
           flag_of(status, "all_held") ? ", all peers held" : "",
           has(status, "held_left_us") ? " for another " : "",
           has(status, "held_left_us") ? span_of(status, "held_left_us") : "");
    for (size_t i = 0; i < json_array_size(triggers); i++) {
        const json_t *trigger = json_array_get(triggers, i);
        bool open = !strcmp(text_of(trigger, "state"), "open");

        printf(" %s%s%s%s", open ? "" : red(ctl), text_of(trigger, "trigger"),
               open ? "" : " (closed)", open ? "" : plain(ctl));
    }
    printf("%s\n", json_array_size(triggers) ? "" : ": none");
}

/* Is all well, and what is not: the worst in words, a few more, and how many others. */
static void show_state(const struct ctl *ctl, const json_t *status)
{
    const char *const colours[] = {green(ctl), yellow(ctl), red(ctl)};
    char *first = NULL, *others[OTHERS_SHOWN] = {NULL};
    size_t n = 0;
    enum health health = health_split(status, &first, others, OTHERS_SHOWN, &n);

    printf("%sState%s     %s%s%s: %s\n", bold(ctl), plain(ctl), colours[health],
           health_words[health], plain(ctl), first);
    for (size_t i = 0; i < OTHERS_SHOWN && others[i]; i++) {
        bool last = i + 1 == OTHERS_SHOWN && n > OTHERS_SHOWN;

        if (last)
            printf("          also: %s; and %zu more: \"pathdogctl status --check\"\n", others[i],
                   n - OTHERS_SHOWN);
        else
            printf("          also: %s\n", others[i]);
    }
    free(first);
    for (size_t i = 0; i < OTHERS_SHOWN; i++)
        free(others[i]);
}

static void show_waiting(const struct ctl *ctl, const json_t *status)
{
    CLEANUP_FREE char *text = waiting_text(status);

    printf("%sWaits for%s %s\n", bold(ctl), plain(ctl), text);
}

static void show_last(const struct ctl *ctl, const json_t *page)
{
    const json_t *records = json_object_get(page, "records");
    size_t n = json_array_size(records) < LAST_SHOWN ? json_array_size(records) : LAST_SHOWN;

    if (!n)
        printf("%sLast%s      no decision has been made in this run\n", bold(ctl), plain(ctl));
    for (size_t i = n; i-- > 0;) {
        printf("%s%s%s", i == n - 1 ? bold(ctl) : "", i == n - 1 ? "Last      " : "          ",
               i == n - 1 ? plain(ctl) : "");
        show_record(ctl, json_array_get(records, i));
    }
}

/* At most twelve lines. */
static void show_status(const struct ctl *ctl, const json_t *status, const json_t *last)
{
    show_node(ctl, json_object_get(status, "node"));
    show_state(ctl, status);
    show_mode(ctl, status);
    show_peers(ctl, status);
    show_uplinks(ctl, json_object_get(status, "uplinks"));
    show_waiting(ctl, status);
    show_last(ctl, last);
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
