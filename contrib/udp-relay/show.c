/* SPDX-License-Identifier: Apache-2.0 */
#include "show.h"

#include <inttypes.h>
#include <jansson.h>

#include "util/duration.h"
#include "util/format.h"
#include "util/printable.h"

#define NO_SENSE   "the answer is not that of a udp-relay"
#define BYTES_SIZE 32u

static uint64_t number_of(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "?";
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* "17 bytes", "1.4 MiB". Returns `out`. */
static const char *bytes_text(char out[BYTES_SIZE], uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    uint64_t whole = bytes, rest = 0;
    size_t i = 0;

    if (bytes < 1024) {
        snprintf(out, BYTES_SIZE, "%" PRIu64 " byte%s", bytes, plural(bytes));
        return out;
    }
    for (; i < ARRAY_SIZE(units) && whole >= 1024; i++) {
        rest = whole % 1024;
        whole /= 1024;
    }
    snprintf(out, BYTES_SIZE, "%" PRIu64 ".%" PRIu64 " %s", whole, rest * 10 / 1024, units[i - 1]);
    return out;
}

static const char *span_of(char out[DURATION_SIZE], const json_t *object, const char *name)
{
    return duration_text(out, number_of(object, name) * 1000);
}

static void show_limits(FILE *out, const json_t *limits)
{
    char text[BYTES_SIZE], span[DURATION_SIZE];
    const json_t *data = json_object_get(limits, "max_data_bytes"),
                 *duration = json_object_get(limits, "max_duration_ms");

    fprintf(out, "limits     %s each way; ",
            json_is_null(data) ? "any amount of data"
                               : bytes_text(text, number_of(limits, "max_data_bytes")));
    fprintf(out, "%s; ",
            json_is_null(duration) ? "any duration" : span_of(span, limits, "max_duration_ms"));
    fprintf(out, "%" PRIu64 " circuits, %" PRIu64 " of an address\n",
            number_of(limits, "max_circuits"), number_of(limits, "max_circuits_per_address"));
    fprintf(out, "           a session ends after %s without activity; ",
            span_of(span, limits, "session_timeout_ms"));
    fprintf(out, "a registration waits %s for its peer; ",
            span_of(span, limits, "reservation_ttl_ms"));
    fprintf(out, "datagrams of at most %" PRIu64 " bytes\n",
            number_of(limits, "max_datagram_bytes"));
}

static void show_members(FILE *out, const json_t *members)
{
    const char *path = json_string_value(json_object_get(members, "path")),
               *fault = json_string_value(json_object_get(members, "fault"));
    CLEANUP_FREE char *shown = text_shown(path ? path : ""), *why = text_shown(fault ? fault : "");
    char span[DURATION_SIZE];
    uint64_t bad = number_of(members, "bad_lines");

    if (!path) {
        fputs("members    all may register\n", out);
        return;
    }
    fprintf(out, "members    %s: ", shown);
    if (json_is_true(json_object_get(members, "open")))
        fputs("no entry was read yet, so all may register", out);
    else
        fprintf(out, "%" PRIu64 " in the list, taken %s ago", number_of(members, "entries"),
                span_of(span, members, "taken_ms_ago"));
    if (bad)
        fprintf(out, "; %" PRIu64 " bad line%s", bad, plural(bad));
    fprintf(out, "%s%s\n", *why ? "; not taken: " : "", why);
}

/* The counters whose names begin so, where they are not 0: "full 3, denied 1". */
static void show_family(FILE *out, const char *label, const char *prefix, json_t *counters)
{
    const char *name;
    json_t *value;
    bool any = false;

    json_object_foreach(counters, name, value)
    {
        if (strncmp(name, prefix, strlen(prefix)) != 0 || json_integer_value(value) <= 0)
            continue;
        if (any)
            fputs(", ", out);
        else
            fprintf(out, "%-10s ", label);
        any = true;
        for (const char *at = name + strlen(prefix); *at; at++)
            putc(*at == '_' ? ' ' : *at, out);
        fprintf(out, " %" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    if (any)
        putc('\n', out);
}

static void show_counters(FILE *out, json_t *counters, const json_t *sockets)
{
    char text[BYTES_SIZE];

    fprintf(out, "forwarded  %" PRIu64 " datagram%s, %s\n",
            number_of(counters, "forwarded_datagrams"),
            plural(number_of(counters, "forwarded_datagrams")),
            bytes_text(text, number_of(counters, "forwarded_bytes")));
    show_family(out, "refused", "refused_", counters);
    show_family(out, "dropped", "dropped_", counters);
    show_family(out, "ended", "ended_", counters);
    show_family(out, "moved", "moved_", counters);
    fprintf(out,
            "sockets    received %" PRIu64 " in %" PRIu64 " calls, sent %" PRIu64 " in %" PRIu64
            "; lost in a full queue %" PRIu64 ", not sent %" PRIu64 "\n",
            number_of(sockets, "received_datagrams"), number_of(sockets, "received_calls"),
            number_of(sockets, "sent_datagrams"), number_of(sockets, "sent_calls"),
            number_of(sockets, "receive_dropped"), number_of(sockets, "send_errors"));
}

const char *show_status(FILE *out, const char *json, size_t length)
{
    json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES, NULL);
    json_t *counters = json_object_get(root, "counters");
    char span[DURATION_SIZE], text[BYTES_SIZE];

    if (!json_is_object(counters)) {
        json_decref(root);
        return NO_SENSE;
    }
    fprintf(out, "udp-relay %s at %s%s, %" PRIu64 " thread%s, up %s%s\n", text_of(root, "version"),
            text_of(root, "address"),
            json_is_true(json_object_get(root, "socket_activated")) ? " (from systemd)" : "",
            number_of(root, "threads"), plural(number_of(root, "threads")),
            span_of(span, root, "uptime_ms"),
            json_is_false(json_object_get(root, "service"))
                ? "; service is off: nobody is registered"
                : "");
    fprintf(out,
            "circuits   %" PRIu64 " of %" PRIu64 "; %" PRIu64 " waiting for a peer; tables of %s\n",
            number_of(root, "circuits"), number_of(json_object_get(root, "limits"), "max_circuits"),
            number_of(root, "pending"), bytes_text(text, number_of(root, "memory_bytes")));
    show_limits(out, json_object_get(root, "limits"));
    show_members(out, json_object_get(root, "members"));
    show_counters(out, counters, json_object_get(root, "sockets"));
    json_decref(root);
    return NULL;
}

/* ---- sessions ---- */

static void show_member(FILE *out, const json_t *member)
{
    char sent[BYTES_SIZE], left[BYTES_SIZE], heard[DURATION_SIZE];
    const char *rest = json_is_true(json_object_get(member, "ended")) ? "nothing: at its limit"
                       : json_is_null(json_object_get(member, "left_bytes"))
                           ? "no limit"
                           : bytes_text(left, number_of(member, "left_bytes"));

    fprintf(out, "    %-46s sent %-12s left %-22s heard %s ago\n", text_of(member, "address"),
            bytes_text(sent, number_of(member, "bytes")), rest,
            span_of(heard, member, "heard_ms_ago"));
}

static void show_session(FILE *out, const json_t *session)
{
    const json_t *id = json_object_get(session, "id"),
                 *members = json_object_get(session, "members");
    char shown[PRINTABLE_GROWTH * 128 + 8], ends[DURATION_SIZE], left[DURATION_SIZE];
    bool open = !json_is_null(json_object_get(session, "opened_ms_ago"));

    text_printable(shown, sizeof(shown), json_string_value(id), json_string_length(id));
    fprintf(out, "%s: ", shown);
    if (open)
        fprintf(out, "open for %s", span_of(left, session, "opened_ms_ago"));
    else
        fprintf(out, "waits for its peer for %s", span_of(left, session, "registered_ms_ago"));
    if (!json_is_null(json_object_get(session, "left_ms")))
        fprintf(out, ", at most %s more", span_of(left, session, "left_ms"));
    fprintf(out, "; ends in %s without activity\n", span_of(ends, session, "ends_in_ms"));
    for (size_t i = 0; i < json_array_size(members); i++)
        show_member(out, json_array_get(members, i));
}

const char *show_sessions(FILE *out, const char *json, size_t length)
{
    json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    json_t *sessions = json_object_get(root, "sessions");
    bool good = json_is_array(sessions);

    for (size_t i = 0; good && i < json_array_size(sessions); i++) {
        good = json_is_string(json_object_get(json_array_get(sessions, i), "id"));
        if (good)
            show_session(out, json_array_get(sessions, i));
    }
    if (good && !json_array_size(sessions))
        fputs("no sessions\n", out);
    json_decref(root);
    return good ? NULL : NO_SENSE;
}
