/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "util/json-write.h"

#define MS UINT64_C(1000)

/* ---- JSON ---- */

static void put_ms(struct buffer *out, const char *name, uint64_t us)
{
    put_u64(out, name, us / MS);
}

/* null where there is no such limit. */
static void put_ms_limit(struct buffer *out, const char *name, uint64_t us)
{
    put_known(out, name, us / MS, 0);
}

static void put_limits(struct buffer *out, const struct options *options)
{
    const struct relay_settings *relay = &options->relay;

    put_open(out, "limits", "{");
    put_known(out, "max_data_bytes", relay->max_data_bytes, 0);
    put_ms_limit(out, "max_duration_ms", relay->max_duration_us);
    put_u64(out, "max_circuits", relay->max_circuits);
    put_u64(out, "max_circuits_per_address", relay->max_circuits_per_address);
    put_ms(out, "session_timeout_ms", relay->session_timeout_us);
    put_ms(out, "reservation_ttl_ms", relay->reservation_ttl_us);
    put_u64(out, "buffer_bytes", options->buffer_bytes);
    put_u64(out, "max_datagram_bytes", relay->max_datagram_bytes);
    put_close(out, "}");
}

static void put_members(struct buffer *out, const struct report *report)
{
    const struct control_members *members = report->members;

    put_open(out, "members", "{");
    put_text(out, "path", members->path);
    put_bool(out, "open", !members->taken_us);
    put_u64(out, "entries", members->entries);
    put_u64(out, "bad_lines", members->bad);
    if (members->taken_us)
        put_ms(out, "taken_ms_ago", sub_u64(report->now_us, members->taken_us));
    else
        put_null(out, "taken_ms_ago");
    put_text(out, "fault", *members->fault ? members->fault : NULL);
    put_close(out, "}");
}

static void put_sockets(struct buffer *out, const struct server_counts *counts)
{
    put_open(out, "sockets", "{");
    put_u64(out, "received_datagrams", counts->received_datagrams);
    put_u64(out, "received_calls", counts->received_calls);
    put_u64(out, "received_trains", counts->trains_received);
    put_u64(out, "receive_dropped", counts->receive_dropped);
    put_u64(out, "sent_datagrams", counts->sent_datagrams);
    put_u64(out, "sent_calls", counts->sent_calls);
    put_u64(out, "sent_trains", counts->trains_sent);
    put_u64(out, "send_errors", counts->send_errors);
    put_close(out, "}");
}

void report_status(struct buffer *out, const struct report *report)
{
    const struct options *options = report->options;
    char text[ENDPOINT_TEXT_SIZE];

    put_open(out, NULL, "{");
    put_text(out, "version", report->version);
    put_text(out, "address", endpoint_text(text, &report->address));
    put_bool(out, "socket_activated", report->activated);
    put_u64(out, "threads", report->workers);
    put_bool(out, "offload", options->offload);
    put_ms(out, "uptime_ms", sub_u64(report->now_us, report->started_us));
    put_bool(out, "service", options->relay.service);
    put_text(out, "rebind", options->relay.rebind == RELAY_REBIND_SAME_IP ? "same-ip" : "register");
    put_u64(out, "circuits", report->circuits);
    put_u64(out, "pending", report->pending);
    put_limits(out, options);
    put_members(out, report);
    put_u64(out, "memory_bytes", report->memory_bytes);
    put_u64(out, "session_bytes", report->session_bytes);
    put_open(out, "counters", "{");
    for (size_t i = 0; i < RELAY_COUNTS; i++)
        put_u64(out, relay_count_name((enum relay_count)i), report->counts[i]);
    put_close(out, "}");
    put_sockets(out, &report->sockets);
    put_close(out, "}");
    buffer_text(out, "\n");
}

static void put_member(struct buffer *out, const struct relay_member_view *member, uint64_t now_us)
{
    char text[ENDPOINT_TEXT_SIZE];

    put_open(out, NULL, "{");
    put_text(out, "address", endpoint_text(text, &member->at));
    put_text(out, "asked", ip_text(text, &member->asked));
    put_ms(out, "heard_ms_ago", sub_u64(now_us, member->heard_us));
    put_u64(out, "bytes", member->bytes);
    put_u64(out, "datagrams", member->datagrams);
    put_known(out, "left_bytes", member->left_bytes, UINT64_MAX);
    put_bool(out, "ended", member->ended);
    put_close(out, "}");
}

void report_session(struct buffer *out, const struct relay_session_view *session, uint64_t now_us)
{
    buffer_text(out, "{"); /* what stands before it is the caller's */
    put_name(out, "id");
    buffer_json(out, session->id, session->id_size);
    put_ms(out, "registered_ms_ago", sub_u64(now_us, session->registered_us));
    if (session->opened_us)
        put_ms(out, "opened_ms_ago", sub_u64(now_us, session->opened_us));
    else
        put_null(out, "opened_ms_ago");
    put_ms(out, "idle_ms", sub_u64(now_us, session->active_us));
    put_ms(out, "ends_in_ms", sub_u64(session->ends_us, now_us));
    put_known(out, "left_ms", session->left_us == UINT64_MAX ? UINT64_MAX : session->left_us / MS,
              UINT64_MAX);
    put_open(out, "members", "[");
    for (unsigned i = 0; i < session->n_members && i < 2; i++)
        put_member(out, &session->member[i], now_us);
    put_close(out, "]");
    put_close(out, "}");
}

/* ---- OpenMetrics ---- */

static void metric_head(struct buffer *out, const char *name, const char *type, const char *unit,
                        const char *help)
{
    const char *const parts[] = {"# TYPE udp_relay_", name, " ", type, "\n"};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        buffer_text(out, parts[i]);
    if (unit) {
        const char *const more[] = {"# UNIT udp_relay_", name, " ", unit, "\n"};

        for (size_t i = 0; i < ARRAY_SIZE(more); i++)
            buffer_text(out, more[i]);
    }
    buffer_text(out, "# HELP udp_relay_");
    buffer_text(out, name);
    buffer_text(out, " ");
    buffer_text(out, help);
    buffer_text(out, "\n");
}

/* `label` NULL: none; else its value is `value_of`. */
static void metric_sample(struct buffer *out, const char *name, const char *suffix,
                          const char *label, const char *value_of, uint64_t value)
{
    buffer_text(out, "udp_relay_");
    buffer_text(out, name);
    buffer_text(out, suffix);
    if (label) {
        const char *const parts[] = {"{", label, "=\"", value_of, "\"}"};

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
            buffer_text(out, parts[i]);
    }
    buffer_text(out, " ");
    buffer_u64(out, value);
    buffer_text(out, "\n");
}

static void gauge(struct buffer *out, const char *name, const char *unit, uint64_t value,
                  const char *help)
{
    metric_head(out, name, "gauge", unit, help);
    metric_sample(out, name, "", NULL, NULL, value);
}

static void counter(struct buffer *out, const char *name, const char *unit, uint64_t value,
                    const char *help)
{
    metric_head(out, name, "counter", unit, help);
    metric_sample(out, name, "_total", NULL, NULL, value);
}

/* Counters of which several are one metric: the end of their names is a label. */
static const struct family {
    const char *prefix, *name, *label, *help;
} families[] = {
    {"moved_by_", "moved", "by", "Members that came from another port"},
    {"ended_", "ended", "reason", "Circuits and registrations that ended"},
    {"refused_", "refused", "reason", "Registrations that were refused"},
    {"dropped_", "dropped_datagrams", "reason", "Datagrams that were not forwarded"},
};

/* Of those that are no family, by their names; what is new and not here has its name alone. */
static const struct {
    enum relay_count count;
    const char *unit, *help;
} helps[] = {
    {RELAY_COUNT_FORWARDED_DATAGRAMS, NULL, "Datagrams forwarded"},
    {RELAY_COUNT_FORWARDED_BYTES, "bytes", "Payload of the datagrams forwarded"},
    {RELAY_COUNT_ACKS, NULL, "Registrations answered with ACK, repeated ones too"},
    {RELAY_COUNT_LEASES, NULL, "Questions about a lease answered"},
    {RELAY_COUNT_OPENED, NULL, "Circuits opened"},
    {RELAY_COUNT_ANSWERS_WITHHELD, NULL, "Refusals that were not sent"},
    {RELAY_COUNT_EVENTS_LOST, NULL, "Log entries lost"},
};

static const struct family *family_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (!strncmp(name, families[i].prefix, strlen(families[i].prefix)))
            return &families[i];
    return NULL;
}

static void put_counts(struct buffer *out, const struct report *report)
{
    for (size_t i = 0; i < RELAY_COUNTS; i++) {
        const char *name = relay_count_name((enum relay_count)i), *unit = NULL, *help = name;

        if (family_of(name))
            continue;
        for (size_t k = 0; k < ARRAY_SIZE(helps); k++)
            if (helps[k].count == i) {
                unit = helps[k].unit;
                help = helps[k].help;
            }
        counter(out, name, unit, report->counts[i], help);
    }
    for (size_t k = 0; k < ARRAY_SIZE(families); k++) {
        const struct family *family = &families[k];

        metric_head(out, family->name, "counter", NULL, family->help);
        for (size_t i = 0; i < RELAY_COUNTS; i++) {
            const char *name = relay_count_name((enum relay_count)i);

            if (family_of(name) == family)
                metric_sample(out, family->name, "_total", family->label,
                              name + strlen(family->prefix), report->counts[i]);
        }
    }
}

static void put_socket_counts(struct buffer *out, const struct server_counts *sockets)
{
    counter(out, "received_datagrams", NULL, sockets->received_datagrams, "Datagrams received");
    counter(out, "received_calls", NULL, sockets->received_calls, "Calls of recvmmsg");
    counter(out, "received_trains", NULL, sockets->trains_received,
            "Trains of datagrams received as one (GRO)");
    counter(out, "receive_dropped_datagrams", NULL, sockets->receive_dropped,
            "Datagrams that the kernel dropped, because a queue was full");
    counter(out, "sent_datagrams", NULL, sockets->sent_datagrams, "Datagrams sent");
    counter(out, "sent_calls", NULL, sockets->sent_calls, "Calls of sendmmsg");
    counter(out, "sent_trains", NULL, sockets->trains_sent,
            "Trains of datagrams sent as one (GSO)");
    counter(out, "send_errors", NULL, sockets->send_errors,
            "Datagrams that the kernel did not take");
}

void report_metrics(struct buffer *out, const struct report *report)
{
    metric_head(out, "build", "info", NULL, "The program");
    metric_sample(out, "build", "_info", "version", report->version, 1);
    gauge(out, "start_time_seconds", "seconds", report->started_epoch,
          "When it started, since 1970");
    gauge(out, "circuits", NULL, report->circuits, "Sessions with two members");
    gauge(out, "circuits_limit", NULL, report->options->relay.max_circuits,
          "How many there may be");
    gauge(out, "pending", NULL, report->pending, "Registrations without a peer");
    gauge(out, "members", NULL, report->members->entries, "Entries of the list of members");
    gauge(out, "members_bad_lines", NULL, report->members->bad, "Lines of it that make no sense");
    gauge(out, "table_bytes", "bytes", report->memory_bytes, "Memory of the tables");
    put_counts(out, report);
    put_socket_counts(out, &report->sockets);
    buffer_text(out, "# EOF\n");
}
