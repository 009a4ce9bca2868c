/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node protocol, version 1, as pathdog speaks it: the state of one connection to the node.
 * docs/node-protocol.md is the contract: a UNIX stream, one JSON object a line, JSON-RPC 2.0.
 *
 * This file has no socket and no clock. link.c hands in the bytes it has read (protocol_input),
 * writes what stands in protocol_output(), and asks when something is overdue
 * (protocol_deadline_us, protocol_expire). Tests, replay and the fuzzers do the same without a
 * node. Whatever the node says comes out as an event of the engine, by one function that the
 * owner gave to protocol_new(); an event points into the objects below and is good until that
 * function returns.
 *
 * Objects. There is one struct protocol in the life of the daemon, opened and closed with each
 * connection. It owns
 *
 *   lines     bytes that are not a whole line yet                           jsonrpc.c
 *   pending   our requests without an answer, by the id that they carry     pending.c
 *   probes    which of those are probes of paths, and when each is over     path-probes.c
 *   scan      the quick reader of the line that comes most, `summaries`     summaries-scan.c
 *   batch     the rows of that line, used again for the next                summaries.c
 *   scratch   texts of a message that had to be cut or cleaned              decode.c
 *   writer    what the lines of one storm of moves have in common           requests.c
 *   notices   violations of the contract, counted by kind                   notices.c
 *   out       bytes for the node
 *
 * States, one after the other: CLOSED → HELLO (sent with protocol_open) → SUBSCRIBE (sent when
 * hello is answered) → READY (the snapshot is complete). Hello has 10 s, and so has each step of
 * the snapshot: a long list takes its time, and is not begun again while it grows. Who misses one
 * is reported as -ETIMEDOUT, and link.c closes and connects again. Each request id belongs to one
 * connection only, so an answer can never reach the wrong request.
 *
 * The life of a line. protocol_input() cuts lines off the bytes. summaries_scan() reads the
 * usual rows at once; every other line goes through jansson (message_parse) and becomes a
 * notification, an answer, or a request, which pathdog refuses. received.c says what a message
 * means: it checks all of it (decode.c) before any of it becomes an event. Of what is wrong,
 * only a line that is not a JSON object, or too long, ends the connection. Anything else is
 * malformed by itself: that message is skipped, counted, and noticed once per kind and minute.
 *
 * The life of a request. protocol_send() takes the engine's actions. A move gets the next id,
 * is entered in `pending` with the time when its answer is overdue, and becomes a line in `out`.
 * The answer takes the entry out again and becomes EVENT_ANSWER with the engine's own number.
 * A request may be taken back: `cancel` goes out with its id, and its entry stays for the answer.
 * An answer that comes late is still reported, because what it says of the peer holds; a second
 * one, or one that nobody waits for, is counted and ignored. One summary is outstanding at a
 * time; one that is not answered in time is given up, and the engine is told so. The same holds
 * for each probe of a path: EVENT_PROBED comes once, with the answer, or from protocol_expire()
 * when the node has not answered, or could not be asked.
 */
#include "protocol_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* A move or a path's probe is unanswered one second after its time; its answer is late after that.
 */
#define ANSWER_GRACE_US UINT64_C(1000000)

/* ---- construction ---- */

int protocol_new(const struct protocol_config *config, protocol_event_fn *event, void *userdata,
                 struct protocol **ret_protocol)
{
    struct protocol *protocol = memory_new(1, sizeof(*protocol));

    protocol->client = string_copy(config->client);
    protocol->netns = config->netns;
    protocol->sample_interval_us = config->sample_interval_us;
    protocol->event = event;
    protocol->userdata = userdata;
    *ret_protocol = protocol;
    return 0;
}

struct protocol *protocol_free(struct protocol *protocol)
{
    if (!protocol)
        return NULL;
    protocol_close(protocol);
    summaries_clear(&protocol->batch);
    move_writer_clear(&protocol->writer);
    free(protocol->client);
    free(protocol);
    return NULL;
}

void protocol_set_sample_interval(struct protocol *protocol, uint64_t sample_interval_us)
{
    protocol->sample_interval_us = sample_interval_us;
}

void protocol_close(struct protocol *protocol)
{
    protocol->state = PROTOCOL_CLOSED;
    protocol->features = 0;
    protocol->deadline_us = UINT64_MAX;
    protocol->summary_id = 0;
    protocol->n_refused = 0;
    protocol->n_listed = 0;
    pending_clear(&protocol->pending);
    path_probes_clear(&protocol->probes);
    lines_clear(&protocol->lines);
    buffer_clear(&protocol->out);
    protocol->refusals_bytes = 0;
}

void protocol_open(struct protocol *protocol, uint64_t now_us, uint32_t uid)
{
    protocol_close(protocol);
    protocol->uid = uid;
    protocol->now_us = now_us;
    protocol->state = PROTOCOL_HELLO;
    protocol->deadline_us = add_u64(now_us, PROTOCOL_DEADLINE_US);
    hello_append(&protocol->out,
                 pending_add(&protocol->pending, now_us, protocol->deadline_us, PENDING_HELLO, 0),
                 protocol->client);
}

/* ---- input ---- */

static void refuse(struct protocol *protocol, const struct message *request)
{
    size_t before = protocol->out.length;

    if (!before)
        protocol->refusals_bytes = 0;
    message_refuse(&protocol->out, request);
    protocol->refusals_bytes += sub_u64(protocol->out.length, before);
}

static int line_handle(struct protocol *protocol, const char *line, size_t length)
{
    struct reported reported = {.line = line, .length = length};
    struct message *message = &reported.message;
    char why[128];
    int r;

    /* Before hello is answered every summaries line is one too early. */
    if (protocol->state != PROTOCOL_HELLO &&
        summaries_scan(&protocol->scan, line, length, &protocol->batch)) {
        report_samples(protocol);
        return 0;
    }
    r = message_parse(line, length, message, why, sizeof(why));
    if (r < 0) {
        notices_add(&protocol->notices, NOTICE_BAD_LINE, line, length, "%s", why);
        return protocol_fail(protocol, r, "the node sent a line that is %s", why);
    }
    if (message->type == MESSAGE_NOTIFICATION) {
        received_notification(protocol, &reported);
    } else if (message->type == MESSAGE_REQUEST) {
        notices_add(&protocol->notices, NOTICE_NODE_REQUEST, line, length,
                    "the node sent a request; pathdog answers none");
        refuse(protocol, message);
    } else if (message->type == MESSAGE_MALFORMED && !message->number) {
        notices_add(&protocol->notices, NOTICE_BAD_MESSAGE, line, length, "%s", message->problem);
    } else {
        r = received_answer(protocol, &reported);
    }
    message_clear(message);
    return r;
}

int protocol_input(struct protocol *protocol, uint64_t now_us, const char *bytes, size_t length)
{
    const char *line;
    size_t n;
    int r = 0;

    protocol->now_us = now_us;
    lines_feed(&protocol->lines, bytes, length);
    while (r == 0 && protocol->state != PROTOCOL_CLOSED) {
        int found = lines_next(&protocol->lines, &line, &n);

        if (found == 0)
            break;
        if (found < 0) {
            notices_add(&protocol->notices, NOTICE_BAD_LINE, NULL, 0, "a line over 1 MiB");
            r = protocol_fail(protocol, -EBADMSG, "the node sent a line over 1 MiB");
        } else {
            r = line_handle(protocol, line, n);
        }
    }
    notices_report(&protocol->notices, protocol->event, protocol->userdata);
    return r;
}

/* ---- output ---- */

static void send_summary(struct protocol *protocol, const struct action_summary *summary)
{
    uint64_t wait_us = max_u64(PROTOCOL_SUMMARY_US, protocol->sample_interval_us >= UINT64_MAX / 3
                                                        ? UINT64_MAX
                                                        : 3 * protocol->sample_interval_us);

    /* One at a time is what the contract says. The engine keeps to it; should
     * it not, it is told so in a turn of its own, from protocol_expire. */
    if (protocol->summary_id) {
        if (protocol->n_refused < REFUSED_MAX)
            protocol->refused[protocol->n_refused++] = summary->poll;
        return;
    }
    protocol->summary_deadline_us = add_u64(protocol->now_us, wait_us);
    protocol->summary_poll = summary->poll;
    protocol->summary_id =
        pending_add(&protocol->pending, protocol->now_us, protocol->summary_deadline_us,
                    PENDING_SUMMARY, summary->poll);
    conns_append(&protocol->out, protocol->summary_id, "summary", summary->conns,
                 min_u64(summary->n_conns, CONNS_MAX));
}

static void send_probe(struct protocol *protocol, const struct action_probe *probe)
{
    size_t n;

    if (!(protocol->features & NODE_PROBE))
        return;
    for (size_t i = 0; i < probe->n_conns; i += n) {
        n = min_u64(probe->n_conns - i, CONNS_MAX);
        conns_append(&protocol->out,
                     pending_add(&protocol->pending, protocol->now_us,
                                 add_u64(protocol->now_us, PROTOCOL_DEADLINE_US), PENDING_PROBE, 0),
                     "probe", probe->conns + i, n);
    }
}

/* Where the node cannot be asked, the engine is told so in a turn of its own, from
 * protocol_expire: it counts on one answer for each. */
static void send_probe_path(struct protocol *protocol, const struct action_probe_path *action)
{
    struct path_probe probe = {.number = action->probe};

    if (protocol->features & NODE_PROBE_PATH && !path_probes_are_full(&protocol->probes)) {
        probe.most_us = (uint64_t)action->timeout_ms * 1000 + ANSWER_GRACE_US;
        probe.deadline_us = add_u64(protocol->now_us, probe.most_us);
        probe.id = pending_add(&protocol->pending, protocol->now_us, probe.deadline_us,
                               PENDING_PROBE_PATH, probe.number);
        probe_path_append(&protocol->out, probe.id, action);
    }
    path_probes_add(&protocol->probes, &probe);
}

static void send_move(struct protocol *protocol, const struct action *action)
{
    uint64_t until_us =
        add_u64(protocol->now_us, (uint64_t)action->move.timeout_ms * 1000 + ANSWER_GRACE_US);
    uint64_t id = pending_add(&protocol->pending, protocol->now_us, until_us,
                              action->type == ACTION_MIGRATE ? PENDING_MIGRATE : PENDING_RECONNECT,
                              action->move.request);

    move_append(&protocol->out, id, action, protocol->features, &protocol->writer);
}

/* One that was answered, or asked on a connection before this one, needs none; and a node that does
 * not know it hears nothing that it does not know. */
static void send_cancel(struct protocol *protocol, const struct action_cancel *cancel)
{
    uint64_t id = pending_move_id(&protocol->pending, cancel->request);

    if (id && protocol->features & NODE_MAKE_BEFORE_BREAK)
        cancel_append(&protocol->out, id);
}

void protocol_send(struct protocol *protocol, uint64_t now_us, const struct action *actions,
                   size_t n_actions)
{
    if (!protocol_is_up(protocol))
        return;
    protocol->now_us = now_us;
    for (size_t i = 0; i < n_actions; i++) {
        switch (actions[i].type) {
        case ACTION_SUMMARY:
            send_summary(protocol, &actions[i].summary);
            break;
        case ACTION_MIGRATE:
        case ACTION_RECONNECT:
            send_move(protocol, &actions[i]);
            break;
        case ACTION_PROBE:
            send_probe(protocol, &actions[i].probe);
            break;
        case ACTION_PROBE_PATH:
            send_probe_path(protocol, &actions[i].probe_path);
            break;
        case ACTION_CANCEL:
            send_cancel(protocol, &actions[i].cancel);
            break;
        case ACTION_QUERY:
        case ACTION_CLOSE:
            break;
        }
    }
    /* What its cache points to is the caller's again. */
    buffer_take(&protocol->writer.tail, protocol->writer.tail.length);
}

/* ---- time ---- */

uint64_t protocol_deadline_us(const struct protocol *protocol)
{
    uint64_t deadline_us =
        min_u64(protocol->deadline_us, path_probes_deadline_us(&protocol->probes));

    if (protocol->state == PROTOCOL_CLOSED)
        return UINT64_MAX;
    if (protocol->n_refused)
        return 0;
    return protocol->summary_id ? min_u64(deadline_us, protocol->summary_deadline_us) : deadline_us;
}

static void expire_probes(struct protocol *protocol)
{
    struct path_probe probe;

    /* No more than there are now: what an event leads to may be refused, too. */
    for (size_t most = protocol->probes.count;
         most && path_probes_expire(&protocol->probes, protocol->now_us, &probe); most--) {
        if (probe.id) {
            pending_give_up(&protocol->pending, probe.id);
            notices_add(&protocol->notices, NOTICE_PROBE_PATH_UNANSWERED, NULL, 0,
                        "the node did not answer a probe_path in time");
        }
        report_probed(protocol, &(struct event_probed){.probe = probe.number});
    }
}

int protocol_expire(struct protocol *protocol, uint64_t now_us)
{
    uint64_t refused[REFUSED_MAX];
    size_t n_refused = protocol->n_refused;

    if (protocol->state == PROTOCOL_CLOSED)
        return 0;
    protocol->now_us = now_us;
    if (now_us >= protocol->deadline_us && protocol->n_listed)
        return protocol_fail(protocol, -ETIMEDOUT,
                             "the node did not complete its answer to subscribe: after %" PRIu64
                             " peers nothing came for 10 s",
                             protocol->n_listed);
    if (now_us >= protocol->deadline_us)
        return protocol_fail(protocol, -ETIMEDOUT, "the node did not answer %s within 10 s",
                             protocol->state == PROTOCOL_HELLO ? "hello" : "subscribe");
    memcpy(refused, protocol->refused, sizeof(refused));
    protocol->n_refused = 0;
    for (size_t i = 0; i < n_refused; i++)
        report_summary_done(protocol, refused[i], true, false);
    if (protocol->summary_id && now_us >= protocol->summary_deadline_us) {
        uint64_t poll = protocol->summary_poll;

        pending_give_up(&protocol->pending, protocol->summary_id);
        protocol->summary_id = 0;
        notices_add(&protocol->notices, NOTICE_SUMMARY_UNANSWERED, NULL, 0,
                    "the node did not answer a summary in time");
        report_summary_done(protocol, poll, true, true);
    }
    expire_probes(protocol);
    notices_report(&protocol->notices, protocol->event, protocol->userdata);
    return 0;
}

/* ---- questions ---- */

struct buffer *protocol_output(struct protocol *protocol)
{
    return &protocol->out;
}

bool protocol_is_choked(const struct protocol *protocol)
{
    const struct buffer *out = &protocol->out;

    return out->length && (protocol->refusals_bytes >= PROTOCOL_REFUSALS_MAX_BYTES ||
                           (out->limit && out->length > out->limit / 2));
}

bool protocol_is_up(const struct protocol *protocol)
{
    return protocol->state >= PROTOCOL_SUBSCRIBE;
}

bool protocol_is_subscribed(const struct protocol *protocol)
{
    return protocol->state == PROTOCOL_READY;
}

const char *protocol_reason(const struct protocol *protocol)
{
    return protocol->reason;
}
