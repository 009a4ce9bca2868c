/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl explain: why a peer was or was not moved. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define LAST_RECORDS 10

static void heading(FILE *out, const struct ctl *ctl, const char *name)
{
    fprintf(out, "%s%-11s%s", bold(ctl), name, plain(ctl));
}

static void show_connection(FILE *out, const struct ctl *ctl, const json_t *peer)
{
    bool client = !strcmp(text_of(peer, "role"), "client");

    fprintf(out, "%s%s%s  conn %" PRIu64 ", %s, %s, known for %s\n", bold(ctl),
            text_of(peer, "peer"), plain(ctl), number_of(peer, "conn"),
            client ? "dialled by this node" : "dialled by the peer", text_of(peer, "condition"),
            span_of(peer, "up_us"));
    heading(out, ctl, "path");
    fprintf(out, "%s", text_of(peer, "local"));
    if (has(peer, "interface"))
        fprintf(out, " (%s)", text_of(peer, "interface"));
    fprintf(out, " → %s", text_of(peer, "remote"));
    if (has(peer, "via"))
        fprintf(out, ", via %s", text_of(peer, "via"));
    fprintf(out, "\n");
}

/* Where none is known, there is nothing to say. */
static void show_uplink(FILE *out, const struct ctl *ctl, const json_t *peer)
{
    const json_t *state = json_object_get(peer, "uplink_state");
    const char *word = text_of(state, "state");

    if (!json_is_object(state))
        return;
    heading(out, ctl, "uplink");
    fprintf(out, "%s: %s%s%s\n", text_of(peer, "uplink"), uplink_colour(ctl, word), word,
            plain(ctl));
    show_uplink_state(out, ctl, state, "           ");
}

static void show_bytes(FILE *out, const json_t *peer)
{
    fprintf(out, "           ");
    if (has(peer, "bytes_sent"))
        fprintf(out, "%" PRIu64 " bytes sent, ", number_of(peer, "bytes_sent"));
    if (has(peer, "bytes_received"))
        fprintf(out, "%" PRIu64 " received, ", number_of(peer, "bytes_received"));
    fprintf(out, "%" PRIu64 " in flight; ", number_of(peer, "in_flight_bytes"));
    fprintf(out, "no progress for %s, seen in %" PRIu64 " polls%s\n", span_of(peer, "quiet_us"),
            number_of(peer, "quiet_looks"),
            flag_of(peer, "quiet_owed") ? ", and data is outstanding" : "");
}

static void show_samples(FILE *out, const struct ctl *ctl, const json_t *peer)
{
    const json_t *rtts = json_object_get(peer, "rtt_us");

    heading(out, ctl, "samples");
    if (!has(peer, "looked_us")) {
        fprintf(out, "none: the node has not reported a row of this peer yet\n");
        return;
    }
    fprintf(out, "SRTT %s, latest %s, variation %s, %s", span_of(peer, "srtt_us"),
            span_of(peer, "latest_rtt_us"), span_of(peer, "rttvar_us"),
            has(peer, "rtt_samples") ? "" : "number of samples not reported");
    if (has(peer, "rtt_samples"))
        fprintf(out, "%" PRIu64 " samples", number_of(peer, "rtt_samples"));
    fprintf(out, "; the last row %s ago\n", span_of(peer, "looked_us"));
    if (json_array_size(rtts)) {
        fprintf(out, "           last fresh RTTs");
        for (size_t i = 0; i < json_array_size(rtts); i++)
            fprintf(out, "%s %s", i ? "," : "",
                    span_text((uint64_t)json_integer_value(json_array_get(rtts, i))));
        fprintf(out, "%s\n", flag_of(peer, "looked_closely") ? "; in fast polls now" : "");
    }
    show_bytes(out, peer);
}

static void show_triggers(FILE *out, const struct ctl *ctl, const json_t *peer)
{
    const json_t *triggers = json_object_get(peer, "triggers");

    heading(out, ctl, "triggers");
    for (size_t i = 0; i < json_array_size(triggers); i++) {
        const json_t *trigger = json_array_get(triggers, i);

        fprintf(out, "%s%s%s%s%s\n", i ? "           " : "", text_of(trigger, "trigger"),
                strcmp(text_of(trigger, "state"), "open") != 0 ? " (closed)" : "",
                has(trigger, "text") ? ": " : "",
                has(trigger, "text") ? text_of(trigger, "text") : "");
    }
    if (!json_array_size(triggers))
        fprintf(out, "no trigger watches this peer\n");
}

static void show_cache(FILE *out, const struct ctl *ctl, const json_t *peer)
{
    heading(out, ctl, "caches");
    fprintf(out, "the node reports %smigratable, %sreconnectable%s%s\n",
            flag_of(peer, "said_migratable") ? "" : "not ",
            flag_of(peer, "said_reconnectable") ? "" : "not ",
            flag_of(peer, "learned_disabled") ? "; learned: may not be migrated" : "",
            flag_of(peer, "learned_undialable") ? "; learned: may not be reconnected" : "");
    heading(out, ctl, "hold");
    if (!flag_of(peer, "held"))
        fprintf(out, "not held by name\n");
    else if (has(peer, "held_left_us"))
        fprintf(out, "held for another %s\n", span_of(peer, "held_left_us"));
    else
        fprintf(out, "held until released\n");
}

static void show_left(FILE *out, const json_t *waiting, const char *member, const char *words,
                      bool *any)
{
    if (!number_of(waiting, member))
        return;
    fprintf(out, "%s%s %s left", *any ? "; " : "", words, span_of(waiting, member));
    *any = true;
}

static void show_waiting(FILE *out, const struct ctl *ctl, const json_t *peer)
{
    const json_t *waiting = json_object_get(peer, "waiting"),
                 *watch = json_object_get(peer, "watch");
    bool any = false;

    heading(out, ctl, "waiting");
    show_left(out, waiting, "cooling_left_us", "cool-down", &any);
    show_left(out, waiting, "backoff_migrate_left_us", "back-off of migrate", &any);
    show_left(out, waiting, "backoff_reconnect_left_us", "back-off of reconnect", &any);
    show_left(out, waiting, "reconnect_gap_left_us", "gap between reconnects", &any);
    fprintf(out, "%s%" PRIu64 " of %" PRIu64 " moves available; cool-down after a move %s\n",
            any ? "; " : "", number_of(waiting, "tokens"), number_of(waiting, "tokens_most"),
            span_of(waiting, "cooldown_us"));
    heading(out, ctl, "moves");
    if (has(peer, "requested_us"))
        fprintf(out, "last requested %s ago", span_of(peer, "requested_us"));
    else
        fprintf(out, "none requested since the connection is known");
    if (has(peer, "decision"))
        fprintf(out, "; decision %" PRIu64 " is %s", number_of(peer, "decision"),
                text_of(peer, "move"));
    if (has(peer, "waits_for"))
        fprintf(out, " until request %" PRIu64 ", which was taken back, is answered",
                number_of(peer, "waits_for"));
    if (flag_of(peer, "judged"))
        fprintf(out, "; the last move is being evaluated");
    if (flag_of(watch, "on"))
        fprintf(out, "; watched for another %s", span_of(watch, "left_us"));
    if (has(watch, "after_us"))
        fprintf(out, "; the fallback closes it after %s without progress: %s",
                span_of(watch, "after_us"), text_of(watch, "why"));
    else if (has(watch, "dial"))
        fprintf(out, "; the fallback does not close it now: %s", text_of(watch, "why"));
    if (has(peer, "remembered"))
        fprintf(out, "; remembered for later: %s", text_of(peer, "remembered"));
    if (has(peer, "waits"))
        fprintf(out, "; degraded advice waits %s", text_of(peer, "waits"));
    fputc('\n', out);
}

static void show_gate_row(FILE *out, const struct ctl *ctl, const json_t *question)
{
    const json_t *rows = json_object_get(question, "rows");
    const char *verdict = text_of(question, "verdict");
    bool passes = !strcmp(verdict, "migrate") || !strcmp(verdict, "reconnect");
    const char *kind = flag_of(question, "fallback") ? "fallback" : text_of(question, "kind");

    fprintf(out, "  %-8s by %-9s %s%-11s%s  %s", kind, text_of(question, "by"),
            passes ? green(ctl) : yellow(ctl), verdict, plain(ctl), text_of(question, "text"));
    if (passes && has(question, "target"))
        fprintf(out, "; to %s", text_of(question, "target"));
    if (passes && has(question, "choice"))
        fprintf(out, "%s%s", has(question, "target") ? ": " : "; ", choice_of(question));
    fputc('\n', out);
    for (size_t i = 1; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        fprintf(out, "  %-21s %sand %-7s%s  %s\n", "", dim(ctl), text_of(row, "verdict"),
                plain(ctl), text_of(row, "text"));
    }
}

static void show_gate(FILE *out, const struct ctl *ctl, const json_t *gate)
{
    fprintf(out, "%swhat advice would get now%s\n", bold(ctl), plain(ctl));
    for (size_t i = 0; i < json_array_size(gate); i++)
        show_gate_row(out, ctl, json_array_get(gate, i));
}

static void show_last(FILE *out, const struct ctl *ctl, const json_t *records)
{
    fprintf(out, "%slast decisions%s\n", bold(ctl), plain(ctl));
    for (size_t i = json_array_size(records); i-- > 0;) {
        fputs("  ", out);
        write_record(out, ctl, json_array_get(records, i));
    }
    if (!json_array_size(records))
        fprintf(out, "  none: no decision about this peer is kept\n");
}

void write_explain(FILE *out, const struct ctl *ctl, const json_t *peer, const json_t *records)
{
    show_connection(out, ctl, peer);
    show_uplink(out, ctl, peer);
    show_samples(out, ctl, peer);
    show_triggers(out, ctl, peer);
    show_cache(out, ctl, peer);
    show_waiting(out, ctl, peer);
    show_gate(out, ctl, json_object_get(peer, "gate"));
    show_last(out, ctl, records);
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
        write_explain(stdout, ctl, peer, json_object_get(last, "records"));
    }
    json_decref(peer);
    json_decref(last);
    free(name);
    return result;
}
