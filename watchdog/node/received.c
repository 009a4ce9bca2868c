/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the node told, one message at a time: checked (decode.c, summaries.c),
 * then passed on as an event. Nothing of a message is passed on before all of
 * it has been checked.
 */
#include "protocol_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

int protocol_fail(struct protocol *protocol, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(protocol->reason, sizeof(protocol->reason), format, arguments);
    va_end(arguments);
    return error;
}

static void report_event(struct protocol *protocol, struct event event)
{
    protocol->event(protocol->userdata, &event);
}

/* One message was not as it should be. */
static void malformed(struct protocol *protocol, enum notice_kind kind, const char *method,
                      const struct problem *problem, const struct reported *reported)
{
    notices_add(&protocol->notices, kind, reported->line, reported->length, "%s: \"%s\" %s", method,
                problem->member, problem->what);
}

/* Addresses of the message just decoded that count as absent. */
static void note_addresses(struct protocol *protocol, const char *method)
{
    const char *text = protocol->scratch.bad_address;

    if (!text)
        return;
    notices_add(&protocol->notices, NOTICE_BAD_ADDRESS, text, strlen(text),
                "%s: an invalid address counts as absent", method);
    notices_more(&protocol->notices, NOTICE_BAD_ADDRESS, protocol->scratch.bad_addresses - 1);
}

void report_summary_done(struct protocol *protocol, uint64_t poll, bool failed, bool unanswered)
{
    report_event(protocol, (struct event){.type = EVENT_SUMMARY_DONE,
                                          .summary_done = {poll, failed, unanswered}});
}

void report_probed(struct protocol *protocol, const struct event_probed *probed)
{
    report_event(protocol, (struct event){.type = EVENT_PROBED, .probed = *probed});
}

/* ---- answers ---- */

static int hello_answered(struct protocol *protocol, const struct reported *reported)
{
    struct event event = {.type = EVENT_NODE_UP};
    struct problem problem;
    struct hello hello;

    if (reported->message.type == MESSAGE_ERROR &&
        reported->message.code == NODE_UNSUPPORTED_PROTOCOL)
        return protocol_fail(protocol, -EPROTONOSUPPORT,
                             "the node supports no version of the protocol that pathdog supports");
    if (reported->message.type == MESSAGE_ERROR)
        return protocol_fail(protocol, -EPROTO, "the node answered hello with error %" PRId64,
                             reported->message.code);
    if (reported->message.type != MESSAGE_RESULT) {
        notices_add(&protocol->notices, NOTICE_BAD_HELLO, reported->line, reported->length,
                    "hello: %s", reported->message.problem);
        return protocol_fail(protocol, -EPROTO, "the node's answer to hello is malformed: %s",
                             reported->message.problem);
    }
    if (hello_decode(reported->message.result, &hello, &protocol->scratch, &problem)) {
        malformed(protocol, NOTICE_BAD_HELLO, "hello", &problem, reported);
        return protocol_fail(protocol, -EPROTO,
                             "the node's answer to hello is malformed: \"%s\" %s", problem.member,
                             problem.what);
    }
    if (hello.protocol != PROTOCOL_VERSION)
        return protocol_fail(protocol, -EPROTONOSUPPORT,
                             "the node chose protocol %" PRId64 ", pathdog supports %d",
                             hello.protocol, PROTOCOL_VERSION);
    if (hello.netns && protocol->netns && hello.netns != protocol->netns)
        notices_add(&protocol->notices, NOTICE_NETNS_MISMATCH, NULL, 0,
                    "the node is in network namespace %" PRIu64 ", pathdog in %" PRIu64
                    ": pathdog does not see the node's routes; run pathdog in the node's namespace",
                    hello.netns, protocol->netns);
    protocol->features = hello.node.features;
    protocol->state = PROTOCOL_SUBSCRIBE;
    protocol->deadline_us = add_u64(protocol->now_us, PROTOCOL_DEADLINE_US);
    event.node_up = hello.node;
    event.node_up.uid = protocol->uid;
    report_event(protocol, event);
    subscribe_append(&protocol->out, pending_add(&protocol->pending, protocol->now_us,
                                                 protocol->deadline_us, PENDING_SUBSCRIBE, 0));
    return 0;
}

static int subscribe_answered(struct protocol *protocol, const struct reported *reported)
{
    struct problem problem;

    if (reported->message.type == MESSAGE_ERROR)
        return protocol_fail(protocol, -EPROTO, "the node answered subscribe with error %" PRId64,
                             reported->message.code);
    if (reported->message.type != MESSAGE_RESULT) {
        notices_add(&protocol->notices, NOTICE_BAD_ANSWER, reported->line, reported->length,
                    "subscribe: %s", reported->message.problem);
        return protocol_fail(protocol, -EPROTO, "the node's answer to subscribe is malformed: %s",
                             reported->message.problem);
    }
    if (subscribed_decode(reported->message.result, &problem)) {
        malformed(protocol, NOTICE_BAD_ANSWER, "subscribe", &problem, reported);
        return protocol_fail(protocol, -EPROTO,
                             "the node's answer to subscribe is malformed: \"%s\" %s",
                             problem.member, problem.what);
    }
    protocol->state = PROTOCOL_READY;
    protocol->deadline_us = UINT64_MAX;
    report_event(protocol, (struct event){.type = EVENT_SNAPSHOT});
    return 0;
}

static void move_answered(struct protocol *protocol, const struct reported *reported,
                          bool reconnect, uint64_t request)
{
    const char *method = reconnect ? "reconnect_peer" : "migrate_peer";
    struct event event = {.type = EVENT_ANSWER};
    struct event_answer *answer = &event.answer;
    struct problem problem;
    int r = -EPROTO;

    if (reported->message.type == MESSAGE_ERROR) {
        answer->code = reported->message.code;
        answer->message = error_text(reported->message.error_message, &protocol->scratch);
        r = 0;
    } else if (reported->message.type != MESSAGE_RESULT) {
        notices_add(&protocol->notices, NOTICE_BAD_ANSWER, reported->line, reported->length,
                    "%s: %s", method, reported->message.problem);
    } else {
        r = reconnect
                ? reconnected_decode(reported->message.result, answer, &problem)
                : migrated_decode(reported->message.result, answer, &protocol->scratch, &problem);
        if (r < 0)
            malformed(protocol, NOTICE_BAD_ANSWER, method, &problem, reported);
        else if (!reconnect)
            note_addresses(protocol, method);
        answer->ok = r == 0;
    }
    if (r < 0)
        *answer = (struct event_answer){.malformed = true};
    answer->request = request;
    report_event(protocol, event);
}

static void path_probed(struct protocol *protocol, const struct reported *reported)
{
    struct event_probed probed = {0};
    struct path_probe probe;
    struct problem problem;

    /* Each that is pending is open, too. */
    if (!path_probes_take(&protocol->probes, (uint64_t)reported->message.number, &probe))
        return;
    probed.probe = probe.number;
    if (reported->message.type == MESSAGE_ERROR) {
        probed.code = reported->message.code;
        probed.message = error_text(reported->message.error_message, &protocol->scratch);
    } else if (reported->message.type != MESSAGE_RESULT) {
        notices_add(&protocol->notices, NOTICE_BAD_ANSWER, reported->line, reported->length,
                    "probe_path: %s", reported->message.problem);
    } else if (probed_decode(reported->message.result, probe.most_us, &probed.rtt_us, &problem)) {
        probed.rtt_us = 0;
        malformed(protocol, NOTICE_BAD_ANSWER, "probe_path", &problem, reported);
    } else {
        probed.ok = true;
    }
    report_probed(protocol, &probed);
}

static void summary_answered(struct protocol *protocol, const struct reported *reported,
                             uint64_t poll)
{
    protocol->summary_id = 0;
    if (reported->message.type == MESSAGE_MALFORMED)
        notices_add(&protocol->notices, NOTICE_BAD_ANSWER, reported->line, reported->length,
                    "summary: %s", reported->message.problem);
    else if (reported->message.type == MESSAGE_ERROR)
        notices_add(&protocol->notices, NOTICE_SUMMARY_REFUSED, reported->line, reported->length,
                    "the node answered summary with error %" PRId64, reported->message.code);
    report_summary_done(protocol, poll, reported->message.type != MESSAGE_RESULT, false);
}

int received_answer(struct protocol *protocol, const struct reported *reported)
{
    uint64_t number = 0;

    switch (pending_take(&protocol->pending, reported->message.number, &number)) {
    case PENDING_HELLO:
        return hello_answered(protocol, reported);
    case PENDING_SUBSCRIBE:
        return subscribe_answered(protocol, reported);
    case PENDING_MIGRATE:
        move_answered(protocol, reported, false, number);
        return 0;
    case PENDING_RECONNECT:
        move_answered(protocol, reported, true, number);
        return 0;
    case PENDING_SUMMARY:
        summary_answered(protocol, reported, number);
        return 0;
    case PENDING_PROBE:
        if (reported->message.type != MESSAGE_RESULT)
            notices_add(&protocol->notices, NOTICE_PROBE_REFUSED, reported->line, reported->length,
                        "the node refused a probe");
        return 0;
    case PENDING_PROBE_PATH:
        path_probed(protocol, reported);
        return 0;
    case PENDING_GIVEN_UP:
        return 0;
    case PENDING_NOTHING:
        break;
    }
    notices_add(&protocol->notices, NOTICE_UNKNOWN_ANSWER, reported->line, reported->length,
                "an answer has an unknown or repeated id");
    return 0;
}

/* ---- notifications ---- */

static void peer_up(struct protocol *protocol, const struct reported *reported)
{
    struct event event = {.type = EVENT_PEER_UP};
    struct problem problem;

    if (peer_up_decode(reported->message.params, &event.peer_up, &protocol->scratch, &problem)) {
        malformed(protocol, NOTICE_BAD_PEER_UP, "peer_up", &problem, reported);
        return;
    }
    note_addresses(protocol, "peer_up");
    if (protocol->state == PROTOCOL_SUBSCRIBE) {
        protocol->n_listed++;
        protocol->deadline_us = add_u64(protocol->now_us, PROTOCOL_DEADLINE_US);
    }
    report_event(protocol, event);
}

static void peer_down(struct protocol *protocol, const struct reported *reported)
{
    struct event event = {.type = EVENT_PEER_DOWN};
    struct problem problem;

    if (peer_down_decode(reported->message.params, &event.peer_down, &protocol->scratch,
                         &problem)) {
        malformed(protocol, NOTICE_BAD_PEER_DOWN, "peer_down", &problem, reported);
        return;
    }
    report_event(protocol, event);
}

static void peer_path(struct protocol *protocol, const struct reported *reported)
{
    struct event event = {.type = EVENT_PEER_PATH};
    struct problem problem;

    if (peer_path_decode(reported->message.params, &event.peer_path, &protocol->scratch,
                         &problem)) {
        malformed(protocol, NOTICE_BAD_PEER_PATH, "peer_path", &problem, reported);
        return;
    }
    note_addresses(protocol, "peer_path");
    report_event(protocol, event);
}

void report_samples(struct protocol *protocol)
{
    const struct summaries *batch = &protocol->batch;

    if (batch->n_rows)
        report_event(protocol, (struct event){.type = EVENT_SAMPLES,
                                              .samples = {.columns = batch->columns,
                                                          .rows = batch->rows,
                                                          .n_rows = batch->n_rows}});
}

static void summaries(struct protocol *protocol, const struct reported *reported)
{
    struct summaries *batch = &protocol->batch;
    struct problem problem;

    if (summaries_params(reported->message.params, batch, &problem)) {
        malformed(protocol, NOTICE_BAD_SUMMARIES, "summaries", &problem, reported);
        return;
    }
    if (batch->bad_rows) {
        notices_add(&protocol->notices, NOTICE_BAD_ROW, reported->line, reported->length,
                    "summaries: row %zu %s", batch->first_bad, batch->bad_why);
        notices_more(&protocol->notices, NOTICE_BAD_ROW, batch->bad_rows - 1);
    }
    report_samples(protocol);
}

/* One that is not as it should be changes nothing: the list before stays. */
static void relays(struct protocol *protocol, const struct reported *reported)
{
    struct event event = {.type = EVENT_RELAYS};
    struct problem problem;

    if (relays_decode(reported->message.params, &event.relays, &protocol->relays, &problem)) {
        malformed(protocol, NOTICE_BAD_RELAYS, "relays", &problem, reported);
        return;
    }
    report_event(protocol, event);
}

static const struct {
    const char *name;
    void (*handle)(struct protocol *protocol, const struct reported *reported);
} methods[] = {
    {"summaries", summaries}, {"peer_up", peer_up}, {"peer_down", peer_down},
    {"peer_path", peer_path}, {"relays", relays},
};

void received_notification(struct protocol *protocol, const struct reported *reported)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (reported->message.method_length != strlen(methods[i].name) ||
            memcmp(reported->message.method, methods[i].name, reported->message.method_length))
            continue;
        if (protocol->state == PROTOCOL_HELLO)
            notices_add(&protocol->notices, NOTICE_EARLY_MESSAGE, reported->line, reported->length,
                        "%s before hello was answered", methods[i].name);
        else
            methods[i].handle(protocol, reported);
        return;
    }
}
