/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a peer was or was not moved: what is known of it, and the gate, row by
 * row. The gate itself is asked (engine/inspect.h); here are only the words.
 */
#include <inttypes.h>
#include <stdio.h>

#include "../util/duration.h"
#include "private.h"

/* ---- rows of the gate in words ---- */

static const char *disabled_text(const struct inspect_explain *explain, enum by by)
{
    const struct inspect_peer *peer = &explain->peer;

    if (by == BY_MIGRATE)
        return peer->disabled ? "the node answered an earlier request that this connection may not "
                                "be migrated; that holds until the connection ends"
                              : "the node reports that this connection cannot be migrated";
    if (peer->undialable)
        return "the node answered an earlier request that this connection may not be reconnected; "
               "that holds until the connection ends";
    return peer->reconnectable ? "the node does not offer reconnects (no feature \"reconnect\")"
                               : "the node reports that this peer cannot be dialled again";
}

static void held_text(char *text, size_t size, const struct inspect_explain *explain)
{
    char left[DURATION_SIZE];
    const struct inspect_peer *peer = &explain->peer;

    if (!peer->held)
        snprintf(text, size, "all peers are held; \"pathdogctl release --all\" ends the hold");
    else if (peer->held_left_us == INSPECT_NEVER)
        snprintf(text, size,
                 "an operator holds this peer; \"pathdogctl release PEER\" ends the hold");
    else
        snprintf(text, size, "an operator holds this peer for another %s",
                 duration_text(left, peer->held_left_us));
}

static void damped_text(char *text, size_t size, const struct inspect_explain *explain,
                        const struct inspect_verdict *question)
{
    char left[DURATION_SIZE];
    bool moved = question->kind == PD_KIND_MOVED;

    if (question->by == BY_RECONNECT && explain->gap_left_us &&
        (moved ? !explain->moved_in_us : explain->tokens))
        snprintf(
            text, size,
            "this peer was reconnected a short while ago; the next reconnect is possible in %s",
            duration_text(left, explain->gap_left_us));
    else if (moved)
        snprintf(text, size,
                 "the route of this peer changed too often; the next move is possible in %s, or at "
                 "the first poll without progress",
                 duration_text(left, explain->moved_in_us));
    else
        snprintf(text, size,
                 "all %u moves of this peer are used up; the next one is available in %s",
                 explain->tokens_most, duration_text(left, explain->token_in_us));
}

static void gate_sentence(char *text, size_t size, const struct inspect_status *status,
                          const struct inspect_explain *explain,
                          const struct inspect_verdict *question, enum verdict verdict)
{
    char a[DURATION_SIZE], b[DURATION_SIZE];

    text[0] = '\0';
    switch (verdict) {
    case VERDICT_GONE:
        snprintf(text, size, "%s",
                 explain->peer.state == INSPECT_GONE
                     ? "the node answered that this connection does not exist; the connection "
                       "counts as gone until it shows progress"
                     : "the node is down, or has not reported this connection again yet");
        break;
    case VERDICT_INBOUND:
        snprintf(text, size,
                 "the peer opened this connection, and only the client may migrate a connection "
                 "(RFC 9000, section 9)");
        break;
    case VERDICT_DISABLED:
        snprintf(text, size, "%s", disabled_text(explain, question->by));
        break;
    case VERDICT_HELD:
        held_text(text, size, explain);
        break;
    case VERDICT_IN_FLIGHT:
        snprintf(text, size, "request %" PRIu64 " has been open for %s%s", explain->request,
                 duration_text(a, explain->move_for_us),
                 question->kind == PD_KIND_MOVED && explain->gives_way
                     ? "; it is taken back if the advice leads elsewhere"
                     : "");
        break;
    case VERDICT_MERGED:
        snprintf(text, size, "the advice would be merged into decision %" PRIu64,
                 question->into ? question->into : explain->decision);
        break;
    case VERDICT_COOLING:
        snprintf(text, size, "the last move was less than %s ago; %s left",
                 duration_text(a, explain->cooldown_us),
                 duration_text(b, explain->cooling_left_us));
        break;
    case VERDICT_BACKING_OFF:
        snprintf(text, size, "the last %s failed; %s of the back-off left", by_name(question->by),
                 duration_text(a, question->kind == PD_KIND_DEAD
                                      ? explain->backoff_dead_left_us[question->by]
                                      : explain->backoff_left_us[question->by]));
        break;
    case VERDICT_DAMPED:
        damped_text(text, size, explain, question);
        break;
    case VERDICT_AWAITING:
        snprintf(text, size, "other advice of this connection waits %s", explain->waits);
        break;
    case VERDICT_OBSERVING:
        snprintf(text, size, "the mode is observe; \"pathdogctl mode active\" ends it");
        break;
    case VERDICT_NO_TARGET:
        snprintf(text, size, "%s", *question->choice ? question->choice : "there is no other path");
        break;
    case VERDICT_PROBING:
        snprintf(text, size, "other uplinks would be asked first whether they work");
        break;
    case VERDICT_QUEUED:
        snprintf(text, size, "%u requests are open, at most %u may be", status->counts.open,
                 status->budget);
        break;
    case VERDICT_MIGRATE:
    case VERDICT_RECONNECT:
        if (status->silent_us)
            snprintf(text, size, "a request would be sent, but the node has not answered for %s",
                     duration_text(a, status->silent_us));
        else
            snprintf(text, size, "nothing is in the way");
        break;
    default:
        break;
    }
}

/* ---- the answer ---- */

static void put_verdict(struct buffer *out, const struct inspect_status *status,
                        const struct inspect_explain *explain,
                        const struct inspect_verdict *question)
{
    char text[384];

    put_open(out, NULL, "{");
    put_text(out, "kind", kind_name(question->kind));
    put_text(out, "by", by_name(question->by));
    put_bool(out, "fallback", question->fallback);
    put_text(out, "verdict", verdict_name(question->verdict));
    gate_sentence(text, sizeof(text), status, explain, question, question->verdict);
    put_text(out, "text", text);
    put_text(out, "target", question->target);
    put_text(out, "choice", *question->choice ? question->choice : NULL);
    put_open(out, "rows", "[");
    for (enum verdict verdict = 0; verdict <= VERDICT_QUEUED; verdict++) {
        if (!(question->applies & 1u << verdict))
            continue;
        gate_sentence(text, sizeof(text), status, explain, question, verdict);
        put_open(out, NULL, "{");
        put_text(out, "verdict", verdict_name(verdict));
        put_text(out, "text", text);
        put_close(out, "}");
    }
    put_close(out, "]");
    put_close(out, "}");
}

static void put_waiting(struct buffer *out, const struct inspect_explain *explain)
{
    put_open(out, "waiting", "{");
    put_u64(out, "cooldown_us", explain->cooldown_us);
    put_u64(out, "cooling_left_us", explain->cooling_left_us);
    put_u64(out, "backoff_migrate_left_us", explain->backoff_left_us[BY_MIGRATE]);
    put_u64(out, "backoff_reconnect_left_us", explain->backoff_left_us[BY_RECONNECT]);
    put_u64(out, "tokens", explain->tokens);
    put_u64(out, "tokens_most", explain->tokens_most);
    put_u64(out, "token_in_us", explain->token_in_us);
    put_u64(out, "reconnect_gap_left_us", explain->gap_left_us);
    put_close(out, "}");
}

static void put_moves(struct buffer *out, const struct inspect_explain *explain)
{
    put_known(out, "requested_us", explain->requested_ago_us, INSPECT_NEVER);
    put_known(out, "moved_us", explain->moved_ago_us, INSPECT_NEVER);
    put_open(out, "watch", "{");
    put_bool(out, "on", explain->watched);
    put_u64(out, "left_us", explain->watched ? explain->watch_left_us : 0);
    put_text(out, "dial", explain->dial);
    put_text(out, "why", explain->dial_why);
    put_known(out, "after_us", explain->dial ? explain->dial_after_us : INSPECT_NEVER,
              INSPECT_NEVER);
    put_close(out, "}");
    put_bool(out, "judged", explain->evaluated);
    put_bool(out, "looked_closely", explain->polled_closely);
    put_text(out, "remembered", explain->remembered);
    put_text(out, "waits", *explain->waits ? explain->waits : NULL);
    put_known(out, "decision", explain->decision, 0);
    put_known(out, "request", explain->request, 0);
    put_u64(out, "attempt", explain->attempt);
    put_known(out, "waits_for", explain->waits_for, 0);
}

static void put_samples(struct buffer *out, const struct inspect_peer *peer)
{
    put_open(out, "rtt_us", "[");
    for (size_t i = 0; i < peer->n_rtt; i++)
        put_u64(out, NULL, peer->rtt_us[i]);
    put_close(out, "]");
    put_known(out, "quiet_us", peer->stalled_us, INSPECT_NEVER);
    put_u64(out, "quiet_looks", peer->stalled_polls);
    put_bool(out, "quiet_owed", peer->unanswered_throughout);
    put_bool(out, "said_migratable", peer->migratable);
    put_bool(out, "said_reconnectable", peer->reconnectable);
    put_bool(out, "learned_disabled", peer->disabled);
    put_bool(out, "learned_undialable", peer->undialable);
    put_known(out, "held_left_us", peer->held ? peer->held_left_us : INSPECT_NEVER, INSPECT_NEVER);
}

static void put_memberships(struct buffer *out, const struct request *request, const char *name)
{
    struct inspect_instance instance;
    char text[PD_SAVED_MAX];

    put_open(out, "triggers", "[");
    for (size_t i = 0;
         inspect_membership(request->engine, request->now_us, name, i, &instance, text); i++) {
        if (!instance.name)
            continue;
        put_open(out, NULL, "{");
        put_text(out, "trigger", instance.name);
        put_text(out, "state", instance.open ? "open" : "closed");
        put_text(out, "text", *text ? text : NULL);
        put_close(out, "}");
    }
    put_close(out, "]");
}

/* How the uplink is that the peer uses. */
static void put_peer_uplink(struct request *request, const char *name)
{
    struct inspect_uplink uplink;

    if (!name || !inspect_uplink_find(request->engine, request->now_us, name, &uplink)) {
        put_null(request->out, "uplink_state");
        return;
    }
    put_open(request->out, "uplink_state", "{");
    put_uplink_state(request->out, &uplink);
    put_close(request->out, "}");
}

void answer_explain(struct request *request)
{
    const char *name = param_text(request, "peer");
    const struct inspect_status status = inspect_status(request->engine, request->now_us);
    struct inspect_explain explain;
    struct buffer *out;

    if (!inspect_explain(request->engine, request->now_us, name, &explain)) {
        answer_unknown_peer(request, name);
        return;
    }
    out = answer_begin(request);
    put_open(out, NULL, "{");
    put_peer(request, &explain.peer);
    put_peer_uplink(request, explain.peer.uplink);
    put_samples(out, &explain.peer);
    put_waiting(out, &explain);
    put_moves(out, &explain);
    put_memberships(out, request, name);
    put_open(out, "gate", "[");
    for (size_t i = 0; i < INSPECT_QUESTIONS; i++)
        put_verdict(out, &status, &explain, &explain.verdicts[i]);
    put_close(out, "]");
    put_close(out, "}");
    answer_end(request);
}
