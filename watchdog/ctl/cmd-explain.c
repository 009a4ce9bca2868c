/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl explain: why a peer was or was not moved. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define LAST_RECORDS 10

static void heading(const struct ctl *ctl, const char *name)
{
    printf("%s%-11s%s", bold(ctl), name, plain(ctl));
}

static void show_connection(const struct ctl *ctl, const json_t *peer)
{
    bool client = !strcmp(text_of(peer, "role"), "client");

    printf("%s%s%s  conn %" PRIu64 ", %s, %s, known for %s\n", bold(ctl), text_of(peer, "peer"),
           plain(ctl), number_of(peer, "conn"),
           client ? "dialled by this node" : "dialled by the peer", text_of(peer, "condition"),
           span_of(peer, "up_us"));
    heading(ctl, "path");
    printf("%s", text_of(peer, "local"));
    if (has(peer, "interface"))
        printf(" (%s)", text_of(peer, "interface"));
    printf(" → %s", text_of(peer, "remote"));
    if (has(peer, "via"))
        printf(", via %s", text_of(peer, "via"));
    printf("\n");
}

/* Where none is known, there is nothing to say. */
static void show_uplink(const struct ctl *ctl, const json_t *peer)
{
    const json_t *state = json_object_get(peer, "uplink_state");
    const char *word = text_of(state, "state");

    if (!json_is_object(state))
        return;
    heading(ctl, "uplink");
    printf("%s: %s%s%s\n", text_of(peer, "uplink"), uplink_colour(ctl, word), word, plain(ctl));
    show_uplink_state(ctl, state, "           ");
}

static void show_bytes(const json_t *peer)
{
    printf("           ");
    if (has(peer, "bytes_sent"))
        printf("%" PRIu64 " bytes sent, ", number_of(peer, "bytes_sent"));
    if (has(peer, "bytes_received"))
        printf("%" PRIu64 " received, ", number_of(peer, "bytes_received"));
    printf("%" PRIu64 " in flight; ", number_of(peer, "in_flight_bytes"));
    printf("no progress for %s, seen in %" PRIu64 " polls%s\n", span_of(peer, "quiet_us"),
           number_of(peer, "quiet_looks"),
           flag_of(peer, "quiet_owed") ? ", and data is outstanding" : "");
}

static void show_samples(const struct ctl *ctl, const json_t *peer)
{
    const json_t *rtts = json_object_get(peer, "rtt_us");

    heading(ctl, "samples");
    if (!has(peer, "looked_us")) {
        printf("none: the node has not reported a row of this peer yet\n");
        return;
    }
    printf("SRTT %s, latest %s, variation %s, %s", span_of(peer, "srtt_us"),
           span_of(peer, "latest_rtt_us"), span_of(peer, "rttvar_us"),
           has(peer, "rtt_samples") ? "" : "number of samples not reported");
    if (has(peer, "rtt_samples"))
        printf("%" PRIu64 " samples", number_of(peer, "rtt_samples"));
    printf("; the last row %s ago\n", span_of(peer, "looked_us"));
    if (json_array_size(rtts)) {
        printf("           last fresh RTTs");
        for (size_t i = 0; i < json_array_size(rtts); i++)
            printf("%s %s", i ? "," : "",
                   span_text((uint64_t)json_integer_value(json_array_get(rtts, i))));
        printf("%s\n", flag_of(peer, "looked_closely") ? "; in fast polls now" : "");
    }
    show_bytes(peer);
}

static void show_triggers(const struct ctl *ctl, const json_t *peer)
{
    const json_t *triggers = json_object_get(peer, "triggers");

    heading(ctl, "triggers");
    for (size_t i = 0; i < json_array_size(triggers); i++) {
        const json_t *trigger = json_array_get(triggers, i);

        printf("%s%s%s%s%s\n", i ? "           " : "", text_of(trigger, "trigger"),
               strcmp(text_of(trigger, "state"), "open") != 0 ? " (closed)" : "",
               has(trigger, "text") ? ": " : "",
               has(trigger, "text") ? text_of(trigger, "text") : "");
    }
    if (!json_array_size(triggers))
        printf("no trigger watches this peer\n");
}

static void show_cache(const struct ctl *ctl, const json_t *peer)
{
    heading(ctl, "caches");
    printf("the node reports %smigratable, %sreconnectable%s%s\n",
           flag_of(peer, "said_migratable") ? "" : "not ",
           flag_of(peer, "said_reconnectable") ? "" : "not ",
           flag_of(peer, "learned_disabled") ? "; learned: may not be migrated" : "",
           flag_of(peer, "learned_undialable") ? "; learned: may not be reconnected" : "");
    heading(ctl, "hold");
    if (!flag_of(peer, "held"))
        printf("not held by name\n");
    else if (has(peer, "held_left_us"))
        printf("held for another %s\n", span_of(peer, "held_left_us"));
    else
        printf("held until released\n");
}

static void show_left(const json_t *waiting, const char *member, const char *words, bool *any)
{
    if (!number_of(waiting, member))
        return;
    printf("%s%s %s left", *any ? "; " : "", words, span_of(waiting, member));
    *any = true;
}

static void show_waiting(const struct ctl *ctl, const json_t *peer)
{
    const json_t *waiting = json_object_get(peer, "waiting"),
                 *watch = json_object_get(peer, "watch");
    bool any = false;

    heading(ctl, "waiting");
    show_left(waiting, "cooling_left_us", "cool-down", &any);
    show_left(waiting, "backoff_migrate_left_us", "back-off of migrate", &any);
    show_left(waiting, "backoff_reconnect_left_us", "back-off of reconnect", &any);
    show_left(waiting, "reconnect_gap_left_us", "gap between reconnects", &any);
    printf("%s%" PRIu64 " of %" PRIu64 " moves available; cool-down after a move %s\n",
           any ? "; " : "", number_of(waiting, "tokens"), number_of(waiting, "tokens_most"),
           span_of(waiting, "cooldown_us"));
    heading(ctl, "moves");
    if (has(peer, "requested_us"))
        printf("last requested %s ago", span_of(peer, "requested_us"));
    else
        printf("none requested since the connection is known");
    if (has(peer, "decision"))
        printf("; decision %" PRIu64 " is %s", number_of(peer, "decision"), text_of(peer, "move"));
    if (has(peer, "waits_for"))
        printf(" until request %" PRIu64 ", which was taken back, is answered",
               number_of(peer, "waits_for"));
    if (flag_of(peer, "judged"))
        printf("; the last move is being evaluated");
    if (flag_of(watch, "on"))
        printf("; watched for another %s", span_of(watch, "left_us"));
    if (has(watch, "after_us"))
        printf("; the fallback closes it after %s without progress: %s", span_of(watch, "after_us"),
               text_of(watch, "why"));
    else if (has(watch, "dial"))
        printf("; the fallback does not close it now: %s", text_of(watch, "why"));
    if (has(peer, "remembered"))
        printf("; remembered for later: %s", text_of(peer, "remembered"));
    if (has(peer, "waits"))
        printf("; degraded advice waits %s", text_of(peer, "waits"));
    putchar('\n');
}

static void show_gate_row(const struct ctl *ctl, const json_t *question)
{
    const json_t *rows = json_object_get(question, "rows");
    const char *verdict = text_of(question, "verdict");
    bool passes = !strcmp(verdict, "migrate") || !strcmp(verdict, "reconnect");
    const char *kind = flag_of(question, "fallback") ? "fallback" : text_of(question, "kind");

    printf("  %-8s by %-9s %s%-11s%s  %s", kind, text_of(question, "by"),
           passes ? green(ctl) : yellow(ctl), verdict, plain(ctl), text_of(question, "text"));
    if (passes && has(question, "target"))
        printf("; to %s", text_of(question, "target"));
    if (passes && has(question, "choice"))
        printf("%s%s", has(question, "target") ? ": " : "; ", choice_of(question));
    putchar('\n');
    for (size_t i = 1; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        printf("  %-21s %sand %-7s%s  %s\n", "", dim(ctl), text_of(row, "verdict"), plain(ctl),
               text_of(row, "text"));
    }
}

static void show_gate(const struct ctl *ctl, const json_t *gate)
{
    printf("%swhat advice would get now%s\n", bold(ctl), plain(ctl));
    for (size_t i = 0; i < json_array_size(gate); i++)
        show_gate_row(ctl, json_array_get(gate, i));
}

static void show_last(const struct ctl *ctl, const json_t *page)
{
    const json_t *records = json_object_get(page, "records");

    printf("%slast decisions%s\n", bold(ctl), plain(ctl));
    for (size_t i = json_array_size(records); i-- > 0;) {
        fputs("  ", stdout);
        show_record(ctl, json_array_get(records, i));
    }
    if (!json_array_size(records))
        printf("  none: no decision about this peer is kept\n");
}

/* A name as a glob that fits only itself. */
static json_t *literal(const char *name)
{
    char glob[520];
    size_t at = 0;

    for (; *name && at + 2 < sizeof(glob); name++) {
        if (strchr("*?[]\\", *name))
            glob[at++] = '\\';
        glob[at++] = *name;
    }
    return json_stringn(glob, at);
}

json_t *ctl_records_of(const char *name, int limit)
{
    return json_pack("{s:o,s:i}", "peer", literal(name), "limit", limit);
}

enum ctl_status command_explain(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    char *name = NULL;
    json_t *peer = ctl_call_peer(ctl, "explain", NULL, ctl->words[0], &name, &result);
    json_t *last = NULL;

    if (peer)
        last = ctl_call(ctl, "decisions", ctl_records_of(name, LAST_RECORDS), &result);
    if (last && ctl->options.json) {
        json_object_set(peer, "last", json_object_get(last, "records"));
        show_json(peer);
    } else if (last) {
        show_connection(ctl, peer);
        show_uplink(ctl, peer);
        show_samples(ctl, peer);
        show_triggers(ctl, peer);
        show_cache(ctl, peer);
        show_waiting(ctl, peer);
        show_gate(ctl, json_object_get(peer, "gate"));
        show_last(ctl, last);
    }
    json_decref(peer);
    json_decref(last);
    free(name);
    return result;
}
