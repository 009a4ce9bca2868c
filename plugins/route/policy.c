/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: the route to a peer changed. After every change of the kernel's routes, addresses, links
 * or rules the source asks the kernel where a packet to each peer would go now, and this policy
 * advises `moved` for those connections that still use another next hop.
 *
 * The policy is pure: it asks by query, and the source's answers come back as signals, so that a
 * recording replays it. Its parts, and who owns what:
 *
 *   keys.c      a key is one question to the kernel: destination, source, interface, ports where
 *               rules look at them. Peers with the same question share the key; it lives as long
 *               as a peer or an open question has it. 100 000 peers behind one address are 1 key.
 *   nexthops.c  a next hop is one answer: interface, gateway, source. There are few; each is stored
 *               once and counted, and a peer remembers one in two bytes.
 *   peers.c     which key a connection belongs to, and the next hop it is known to use: what the
 *               kernel said when it came up, after a move what the move was to, after peer_path
 *               what follows from the new address.
 *   rounds.c    when the kernel is asked: a round over all keys, in slices of ROUTE_SLICE open
 *               questions; and the window that settles, in which what has changed waits.
 *   hold.c      what may be over in a moment, and waits: a lease that is set again, an address for
 *               which duplicates are looked for.
 *   evaluate.c  known against answered, for each peer of an answered key: same, back, or moved.
 *   gateway.c   gateways that do not answer: those behind one that stall are advised `dead`.
 *   reason.c    what the advice says. lost.c: the notice where there is no route.
 *   saved.c     the next hop in use across a restart. report.c: the same in words, for explain.
 *
 * One route change. The source hears of it and emits `changed`. rounds.c begins a round, or marks
 * that one more is due. Each key becomes a query; the source looks its route up (RTM_GETROUTE) and
 * answers, many answers in one signal. An answer that names the token of the answer before means
 * "the same" and costs nothing more. All peers of the keys whose answer differs are evaluated in
 * one turn, and advised under one cause, so that an operator reads one reason for all of them. For
 * `settle` after the first advice further changes wait, and are then taken together: a route that
 * flaps moves nobody there and back.
 *
 * What a move does to a peer. While a request is open, the next hop that it goes to is compared
 * instead of the one in use: the same is not advised twice. Where another is advised meanwhile, it
 * may be asked for at once instead of the open one, or wait for its end: peers.c, route_open().
 * When a request succeeds, its next hop becomes the one in use. When the route comes back before,
 * the advice is withdrawn.
 *
 * query {destination | family, interface, source, uid, mark, sport, dport, token}
 *   → answer {token, oif, ifname, gateway, source, source_gone, prefix, also, provisional,
 *     elsewhere, redirected, error}; only {token} where it is the same as the token asked with
 * query {address} → answer {on_host, no_carrier}
 * answers {query, …, query, …}: several of them, each behind its query's id
 * lost {oif}: an address or a route of an interface with carrier was taken away; down {oif}: it has
 *   no carrier, or is gone; gateway {oif, gateway, failed}: it does not answer, or does again;
 *   gateways {}: none is known to fail any more. They come before the answers that follow from them
 * changed {}: something may be different now; keys {ports}: what lookups need
 */
#include "policy.h"

#include "options.h"

#include "util/util.h"

#include <errno.h>

static const struct pd_option options[] = {
    [ROUTE_OPTION_SETTLE] =
        {"settle", PD_OPTION_TIME, "1s", 0, 600000000,
         "changes within this time after the first one are evaluated together; 0: never"},
    [ROUTE_OPTION_IGNORE] = {"ignore", PD_OPTION_GLOBS, "docker* veth* br-* virbr* cni* lo", 0, 0,
                             "interfaces whose link and address changes are ignored"},
    [ROUTE_OPTION_UID] = {"uid", PD_OPTION_INTEGER, NULL, 0, UINT32_MAX - 1,
                          "look up as this user; default: the node's"},
    [ROUTE_OPTION_MARK] = {"mark", PD_OPTION_INTEGER, NULL, 0, UINT32_MAX,
                           "look up with this packet mark"},
    {0},
};

/* ---- answers ---- */

struct answer {
    struct nexthop nexthop;
    uint64_t token;
    const char *prefix, *error;
    uint8_t provisional;
    bool source_gone, elsewhere, redirected;
    bool on_host, no_carrier;
    bool has_nexthop;
    bool failed;
    bool ports;
};

static void text_take(char *target, size_t size, const char *text)
{
    size_t length = text ? strnlen(text, size - 1) : 0;

    memcpy(target, text ? text : "", length);
    target[length] = '\0';
}

static void answer_read(const struct pd_field *fields, size_t n_fields, struct answer *ret_answer)
{
    struct answer *answer = ret_answer;

    memset(answer, 0, sizeof(*answer));
    for (size_t i = 0; i < n_fields; i++) {
        const struct pd_field *field = &fields[i];
        const char *name = field->name;

        if (!strcmp(name, "token")) {
            answer->token = field->number;
        } else if (!strcmp(name, "oif")) {
            answer->nexthop.oif = (uint32_t)field->number;
            answer->has_nexthop = field->number;
        } else if (!strcmp(name, "ifname")) {
            text_take(answer->nexthop.ifname, sizeof(answer->nexthop.ifname), field->text);
        } else if (!strcmp(name, "gateway")) {
            text_take(answer->nexthop.gateway, sizeof(answer->nexthop.gateway), field->text);
        } else if (!strcmp(name, "source")) {
            text_take(answer->nexthop.source, sizeof(answer->nexthop.source), field->text);
        } else if (!strcmp(name, "also")) {
            text_take(answer->nexthop.also, sizeof(answer->nexthop.also), field->text);
        } else if (!strcmp(name, "prefix")) {
            answer->prefix = field->text;
        } else if (!strcmp(name, "error")) {
            answer->error = field->text;
        } else if (!strcmp(name, "source_gone")) {
            answer->source_gone = field->number;
        } else if (!strcmp(name, "provisional")) {
            answer->provisional = (uint8_t)field->number;
        } else if (!strcmp(name, "elsewhere")) {
            answer->elsewhere = field->number;
        } else if (!strcmp(name, "redirected")) {
            answer->redirected = field->number;
        } else if (!strcmp(name, "on_host")) {
            answer->on_host = field->number;
        } else if (!strcmp(name, "no_carrier")) {
            answer->no_carrier = field->number;
        } else if (!strcmp(name, "failed")) {
            answer->failed = field->number;
        } else if (!strcmp(name, "ports")) {
            answer->ports = field->number;
        }
    }
}

/* Returns 0, or -E2BIG: more next hops than can be told apart. */
static int key_found(struct route *route, struct key *key, const struct answer *answer)
{
    uint16_t nexthop = nexthops_intern(&route->nexthops, &answer->nexthop);

    if (!nexthop)
        return -E2BIG;
    key_not_lost(route, key);
    if (!key->unsettled) {
        nexthops_set(&route->nexthops, &key->before, key->answer);
        key->default_before = key->by_default;
    }
    nexthops_unref(&route->nexthops, key->answer);
    key->answer = nexthop;
    key->source_gone = answer->source_gone;
    key->elsewhere = answer->elsewhere;
    key->redirected = answer->redirected;
    key->provisional = answer->provisional;
    key->by_default = answer->prefix && !strcmp(answer->prefix, "default");
    if (!key->before)
        key->default_before = key->by_default;
    key->unsettled = true;
    return 0;
}

static int first_error(int a, int b)
{
    return a < 0 ? a : b;
}

/* Why the interface of a key that is bound to it cannot be used any more. */
static enum cut key_cut(const struct key *key, const struct answer *answer)
{
    if (answer->error && !strcmp(answer->error, "no-carrier"))
        return CUT_NO_CARRIER;
    if (answer->error && !strcmp(answer->error, "ENODEV"))
        return CUT_GONE;
    if (answer->error)
        return CUT_NO_ROUTE;
    /* One that never had an address sends from that of another. */
    if (answer->provisional && key->answer && !key->provisional)
        return CUT_NO_ADDRESS;
    return CUT_NOT;
}

/* Returns whether it is no longer a key: its peers went to others. */
static bool key_bound_answered(struct pd_turn *turn, uint32_t index, const struct answer *answer)
{
    struct route *route = turn->self;
    struct key *key = &route->keys.slots[index];
    enum cut cut = key_cut(key, answer);
    uint8_t provisional = key->provisional;
    bool held;

    if (cut == CUT_NOT)
        return false;
    key->provisional = answer->provisional;
    held = route_hold(route, key, nexthops_slot(&route->nexthops, key->answer)->nexthop.oif,
                      turn->now_us);
    key->provisional = provisional;
    key->token = 0; /* the next answer is told in full */
    if (!held)
        route_unbind(turn, index, cut);
    keys_release(&route->keys, &route->nexthops, index); /* else it went with its last peer */
    return true;
}

static int key_answered(struct pd_turn *turn, uint32_t index, const struct answer *answer)
{
    struct route *route = turn->self;
    struct key *key = &route->keys.slots[index];
    uint8_t error = answer->error ? route_error_number(answer->error) : 0;
    bool lost = key->no_route;
    int r = 0;

    key->epoch = key->asked_at;
    if (answer->error && !error) {
        turn->host->notice(turn, PD_LEVEL_WARNING, "route-lookup-failed", answer->error);
        key->epoch = 0;
        route->deferred = true; /* the next round asks again */
        route->not_before_us = max_u64(route->not_before_us, turn->now_us + ROUTE_RETRY_US);
    } else if (key->name.bound && (error || answer->has_nexthop) &&
               key_bound_answered(turn, index, answer)) {
        return 0;
    } else if (error) {
        key_lost(route, key, error);
        key->token = answer->token;
    } else if (answer->has_nexthop) {
        key->token = answer->token;
        r = key_found(route, key, answer);
    }
    if (key->no_route != lost)
        route_tell_key(turn, index);
    if (key->unsettled)
        route_evaluate_key(route, index, answer->prefix);
    if (key->again && !key->queued && key->n_peers)
        route_queue(route, index);
    key->again = false;
    keys_release(&route->keys, &route->nexthops, index);
    return r;
}

/* A source that went, or came back: all are evaluated again, when their keys are answered, which
 * are behind it in the queue. */
static void nexthop_answered(struct route *route, uint16_t index, const struct answer *answer)
{
    struct nexthop_slot *slot = nexthops_slot(&route->nexthops, index);
    bool differs = slot->source_gone == answer->on_host || slot->source_cut != answer->no_carrier;

    slot->source_gone = !answer->on_host;
    slot->source_cut = answer->no_carrier;
    if (differs)
        for (uint32_t i = 0; i < route->keys.n_slots; i++)
            route->keys.slots[i].unsettled |= route->keys.slots[i].live;
    nexthops_unref(&route->nexthops, index);
}

/* What follows from one answer. */
static int route_answer(struct pd_turn *turn, uint64_t query, const struct pd_field *fields,
                        size_t n_fields)
{
    struct route *route = turn->self;
    uint32_t index = (uint32_t)(query >> 1) & ((1u << ROUTE_ID_INDEX_BITS) - 1);
    uint32_t ticket = (uint32_t)(query >> (ROUTE_ID_INDEX_BITS + 1));
    bool is_nexthop = query & 1;
    struct answer answer;

    if (!ticket || index >= (is_nexthop ? route->nexthops.n_slots : route->keys.n_slots))
        return 0;
    uint32_t *open =
        is_nexthop ? &route->nexthops.slots[index].ticket : &route->keys.slots[index].ticket;

    /* Answers to questions that were given up, or of another run. */
    if (*open != ticket)
        return 0;
    *open = 0;
    route->outstanding--;
    route->round.heard_us = turn->now_us;
    answer_read(fields, n_fields, &answer);
    if (!is_nexthop)
        return key_answered(turn, index, &answer);
    nexthop_answered(route, (uint16_t)index, &answer);
    return 0;
}

/* Each from its "query" to the next. */
static int route_answers(struct pd_turn *turn, const struct pd_field *fields, size_t n_fields)
{
    int r = 0;

    for (size_t i = 0, n; i < n_fields; i += n) {
        for (n = 1; i + n < n_fields && strcmp(fields[i + n].name, "query"); n++)
            ;
        r = first_error(r, route_answer(turn, fields[i].number, fields + i + 1, n - 1));
    }
    return r;
}

/* Ask on, and see whether the round is over. */
static void route_go_on(struct pd_turn *turn)
{
    struct route *route = turn->self;

    if (route->outstanding <= ROUTE_SLICE / 2)
        route_pump(turn);
    route_step(turn);
}

/* What no answer is asked for because of. Returns false if it is something else. */
static bool news_take(struct pd_turn *turn, const char *kind, const struct answer *answer)
{
    if (!strcmp(kind, "lost"))
        route_loss(turn->self, answer->nexthop.oif, turn->now_us);
    else if (!strcmp(kind, "down"))
        route_loss_ends(turn->self, answer->nexthop.oif);
    else if (!strcmp(kind, "gateway"))
        route_gateway(turn, answer->nexthop.oif, answer->nexthop.gateway, answer->failed);
    else if (!strcmp(kind, "gateways"))
        route_gateways_forget(turn);
    else
        return false;
    return true;
}

static int route_signal(struct pd_turn *turn, const struct pd_signal *signal)
{
    struct route *route = turn->self;
    bool several = !signal->query && !strcmp(signal->kind, "answers");
    struct answer answer;
    int r;

    if (signal->query || several) {
        r = several ? route_answers(turn, signal->fields, signal->n_fields)
                    : route_answer(turn, signal->query, signal->fields, signal->n_fields);
        r = first_error(r, route_evaluate(turn));
        route_go_on(turn);
        return r;
    }
    answer_read(signal->fields, signal->n_fields, &answer);
    if (news_take(turn, signal->kind, &answer))
        return 0;
    if (!strcmp(signal->kind, "keys")) {
        if (answer.ports == route->ports)
            return 0;
        route->ports = answer.ports;
        route_rekey(turn);
    } else if (strcmp(signal->kind, "changed")) {
        return 0;
    }
    route_changed(turn);
    return 0;
}

/* ---- the rest ---- */

static int route_timer(struct pd_turn *turn)
{
    route_timer_due(turn);
    return 0;
}

static int route_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct route *route = turn->self;
    const struct pd_value *values = start->values;

    route->settle_us = values[ROUTE_OPTION_SETTLE].number;
    route->uid_given = values[ROUTE_OPTION_UID].given;
    route->uid = route->uid_given ? (uint32_t)values[ROUTE_OPTION_UID].number : UINT32_MAX;
    route->mark_given = values[ROUTE_OPTION_MARK].given;
    route->mark = (uint32_t)values[ROUTE_OPTION_MARK].number;
    route->epoch = route->round_epoch = 1;
    return 0;
}

static void route_stop(struct pd_turn *turn)
{
    struct route *route = turn->self;

    route_close_cause(turn);
    route_gateways_close(turn);
    keys_done(&route->keys);
    nexthops_done(&route->nexthops);
    free(route->evaluated);
    free(route->queue);
}

static int route_node(struct pd_turn *turn, const struct pd_node_event *event)
{
    struct route *route = turn->self;

    if (route->uid_given || event->uid == route->uid)
        return 0;
    route->uid = event->uid;
    route_changed(turn);
    return 0;
}

static int route_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    struct route *route = turn->self;
    struct route_peer *peer = sample->state;
    uint64_t bytes = sample->row->v[PD_IN_FLIGHT_BYTES];
    int r;

    if (bytes != PD_UNKNOWN && bytes != peer->in_flight_bytes && peer->linked) {
        bytes = min_u64(bytes, UINT32_MAX);
        route->keys.slots[peer->key].in_flight_bytes += bytes - peer->in_flight_bytes;
        peer->in_flight_bytes = (uint32_t)bytes;
    }
    r = route->n_gateways ? route_gateway_row(turn, sample) : 0;
    if (r <= 0)
        return r;
    route_step(turn);
    return 0;
}

PD_TRIGGER(route) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "route",
    .summary = "the route to a peer changed, by the kernel's route lookup",
    .options = options,
    .instance_size = sizeof(struct route),
    .peer_size = sizeof(struct route_peer),
    .start = route_start,
    .stop = route_stop,
    .node = route_node,
    .peer = route_peer_event,
    .sample = route_sample,
    .signal = route_signal,
    .timer = route_timer,
    .save = route_save,
    .restore = route_restore,
    .tell = route_report,
};
