/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the engine said, as text: hashed, and printed when asked for. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

__attribute__((format(printf, 2, 3))) static void line(struct sim *sim, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    uint64_t hash = sim->digest;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    sim->digest = hash;
    if (sim->trace)
        printf("%s\n", text);
}

static const char *text_of(const struct text *text)
{
    return text ? text->s : "-";
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

/* Only where there is something to say: what is said of a run without uplinks stays the same. */
static void uplink(struct sim *sim, const struct text *uplink, const struct text *target,
                   const struct text *choice)
{
    if (uplink || target || choice)
        line(sim, "      on %s, to %s (%s)", text_of(uplink), text_of(target), text_of(choice));
}

static void decision(struct sim *sim, const struct record_decision *d)
{
    line(sim,
         "    decision %" PRIu64 " %s/%" PRIu64 " cause %" PRIu64
         " %s %s by %s: %s, request %" PRIu64 " attempt %u timeout %u into %" PRIu64
         " repeats %" PRIu64 " (%s, %u fields)",
         d->decision, text_of(d->subject.peer), d->subject.conn, d->cause, d->trigger,
         kind_name(d->kind), by_name(d->by), verdict_name(d->verdict), d->request, d->attempt,
         d->timeout_ms, d->into, d->repeats, text_of(d->reason),
         d->evidence ? d->evidence->n_fields : 0);
    uplink(sim, d->uplink, d->target, d->choice);
}

static void outcome(struct sim *sim, const struct record_outcome *o)
{
    line(sim,
         "    outcome %s/%" PRIu64 " decision %" PRIu64 " request %" PRIu64
         " attempt %u by %s: %s %d after %" PRIu64 ", %s -> %s conn %" PRIu64 " error %" PRId64
         " %s",
         text_of(o->subject.peer), o->subject.conn, o->decision, o->request, o->attempt,
         by_name(o->by), outcome_name(o->outcome), o->validated, o->elapsed_us,
         text_of(o->local_before), text_of(o->local_after), o->conn_new, o->error_code,
         text_of(o->error_message));
    uplink(sim, NULL, o->target, NULL);
}

static void cause(struct sim *sim, const struct record_cause *c)
{
    line(sim, "    cause %" PRIu64 " %s peers %" PRIu64 " advised %" PRIu64 " (%s)", c->cause,
         c->trigger, c->peers, c->advised, text_of(c->reason));
    for (size_t i = 0; i < VERDICT_COUNT; i++)
        if (c->verdicts[i])
            line(sim, "        %s %" PRIu64, verdict_name((enum verdict)i), c->verdicts[i]);
}

static void record(struct sim *sim, const struct record *record)
{
    line(sim, "  record %d at %" PRIu64 "%s", record->type, record->time_us,
         record->bulk ? " bulk" : "");
    switch (record->type) {
    case RECORD_DECISION:
        decision(sim, &record->decision);
        break;
    case RECORD_OUTCOME:
        outcome(sim, &record->outcome);
        break;
    case RECORD_EFFECT:
        line(sim,
             "    effect %s/%" PRIu64 " decision %" PRIu64 ": %s, %" PRIu64 " -> %" PRIu64
             " (%u, %u)",
             text_of(record->effect.subject.peer), record->effect.subject.conn,
             record->effect.decision, effect_name(record->effect.effect),
             record->effect.rtt_before_us, record->effect.rtt_after_us,
             record->effect.samples_before, record->effect.samples_after);
        break;
    case RECORD_CAUSE:
        cause(sim, record->cause);
        break;
    case RECORD_NODE:
        line(sim, "    node %s %s (%s)", record->node.up ? "up" : "down",
             text_of(record->node.boot), text_of(record->node.reason));
        break;
    case RECORD_PEER:
        line(sim, "    peer %s/%" PRIu64 " %s (%s)", text_of(record->peer.subject.peer),
             record->peer.subject.conn, record->peer.up ? "up" : "down",
             text_of(record->peer.reason));
        break;
    case RECORD_UPLINK:
        line(sim, "    uplink %s %s: %s, %" PRIu64, text_of(record->uplink.uplink),
             uplink_change_name(record->uplink.change), text_of(record->uplink.reason),
             record->uplink.peers);
        break;
    case RECORD_NOTICE:
        line(sim, "    notice %d %s: %s, %" PRIu64, record->notice.level,
             text_of(record->notice.what), text_of(record->notice.text), record->notice.count);
        break;
    }
}

static void conns(struct sim *sim, const char *what, const uint64_t *conns, size_t count)
{
    line(sim, "  %s of %zu", what, count);
    for (size_t i = 0; i < count; i++)
        line(sim, "    %" PRIu64, conns[i]);
}

static void action(struct sim *sim, const struct action *action)
{
    switch (action->type) {
    case ACTION_SUMMARY:
        line(sim, "  look %" PRIu64 "%s", action->summary.poll,
             action->summary.conns ? "" : " at all");
        conns(sim, "summary", action->summary.conns, action->summary.n_conns);
        break;
    case ACTION_MIGRATE:
    case ACTION_RECONNECT:
        line(sim, "  %s request %" PRIu64 " conn %" PRIu64 " timeout %u (%s) %s %s %s%s",
             action->type == ACTION_MIGRATE ? "migrate" : "reconnect", action->move.request,
             action->move.conn, action->move.timeout_ms, text_of(action->move.reason),
             or_dash(action->move.interface), or_dash(action->move.local),
             or_dash(action->move.via), action->move.keep_old ? " keep_old" : "");
        break;
    case ACTION_PROBE:
        conns(sim, "probe", action->probe.conns, action->probe.n_conns);
        break;
    case ACTION_PROBE_PATH:
        line(sim, "  probe %" PRIu64 " of the path over %s, conn %" PRIu64,
             action->probe_path.probe, action->probe_path.interface, action->probe_path.conn);
        break;
    case ACTION_QUERY:
        line(sim, "  query %" PRIu64 " of instance %u: %s", action->query.query.id,
             action->query.instance, or_dash(action->query.query.fields[0].text));
        break;
    case ACTION_CANCEL:
        line(sim, "  cancel of request %" PRIu64, action->cancel.request);
        break;
    case ACTION_CLOSE: /* a notice says it */
        break;
    }
}

void digest_event(struct sim *sim)
{
    static const char *const names[EVENT_TYPE_COUNT + 1] = {
        "node_up", "node_down",    "snapshot", "peer_up", "peer_down", "peer_path",
        "samples", "summary_done", "answer",   "signal",  "timer",     "command",
        "notice",  "interfaces",   "probed",   "restore", "nothing",
    };

    if (sim->event.type == EVENT_RESTORE)
        line(sim, "  %zu names and %zu connections of %s", sim->event.restore.n_names,
             sim->event.restore.n_peers, or_dash(sim->event.restore.node_boot));
    if (!sim->trace)
        return;
    printf("[%" PRIu64 "] %" PRIu64 " %s", sim->step, sim->now_us, names[sim->event.type]);
    if (sim->event.type == EVENT_PEER_UP)
        printf(" %s/%" PRIu64, sim->event.peer_up.peer, sim->event.peer_up.conn);
    else if (sim->event.type == EVENT_PEER_DOWN)
        printf(" %" PRIu64, sim->event.peer_down.conn);
    else if (sim->event.type == EVENT_ANSWER)
        printf(" request %" PRIu64 " %s %" PRId64 " conn %" PRIu64, sim->event.answer.request,
               sim->event.answer.ok          ? "ok"
               : sim->event.answer.malformed ? "spoiled"
                                             : "error",
               sim->event.answer.code, sim->event.answer.conn);
    else if (sim->event.type == EVENT_COMMAND)
        printf(" %d %s", sim->event.command.type, or_dash(sim->event.command.peer));
    else if (sim->event.type == EVENT_PROBED)
        printf(" %" PRIu64 " %s", sim->event.probed.probe, sim->event.probed.ok ? "ok" : "error");
    else if (sim->event.type == EVENT_PEER_PATH)
        printf(" %" PRIu64 " %s", sim->event.peer_path.conn, or_dash(sim->event.peer_path.local));
    for (size_t i = 0; sim->event.type == EVENT_INTERFACES && i < sim->event.interfaces.n; i++)
        printf(" %s%s%s%s(%s)", sim->event.interfaces.list[i].name,
               sim->event.interfaces.list[i].carrier ? "" : "!",
               sim->event.interfaces.list[i].route4 ? "4" : "",
               sim->event.interfaces.list[i].route6 ? "6" : "",
               sim->event.interfaces.list[i].addresses);
    for (size_t i = 0; sim->event.type == EVENT_SAMPLES && i < sim->event.samples.n_rows; i++)
        printf(" %" PRIu64, sim->rows[i].conn);
    printf("\n");
}

void digest_outbox(struct sim *sim)
{
    for (size_t i = 0; i < sim->box->n_actions; i++)
        action(sim, &sim->box->actions[i]);
    for (size_t i = 0; i < sim->box->n_records; i++)
        record(sim, &sim->box->records[i]);
    line(sim, "  wake %" PRIu64, sim->box->wake_at_us);
}
