/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy may call. Nothing here decides or calls back: advice is noted,
 * queries and notices go to the outbox, timers to the deadlines.
 */
#include "host.h"

#include <errno.h>

#include "../base/cause.h"
#include "../base/notice.h"
#include "../base/outbox.h"
#include "../moves/advice.h"
#include "../moves/move.h"
#include "../peers/peer.h"
#include "../peers/ping.h"
#include "../peers/poll.h"
#include "../state.h"

static struct instance *instance_of(struct pd_turn *turn)
{
    return CONTAINER_OF(turn, struct host_turn, pd)->instance;
}

/* A connection that a policy may speak of. */
static struct peer *peer_of(struct engine *engine, uint32_t index)
{
    struct peer *peer;

    if (index >= engine->peers.top)
        return NULL;
    peer = peer_at(engine, index);
    return peer->state == PEER_REMOVED ? NULL : peer;
}

/* Keys are journal field names, too: [a-z][a-z0-9_]{0,31} */
static bool name_readable(const char *name)
{
    size_t length = 0;

    if (!name || name[0] < 'a' || name[0] > 'z')
        return false;
    while ((name[length] >= 'a' && name[length] <= 'z') ||
           (name[length] >= '0' && name[length] <= '9') || name[length] == '_')
        length++;
    return !name[length] && length <= 32;
}

static bool evidence_readable(const struct pd_field *fields, size_t n_fields)
{
    for (size_t i = 0; i < n_fields; i++)
        if (!name_readable(fields[i].name))
            return false;
    return true;
}

void *triggers_state(struct instance *instance, struct peer *peer)
{
    if (peer->slots[instance->kind] != instance->index)
        return NULL;
    return peer->slots + instance->engine->triggers.kinds[instance->kind].offset;
}

static int host_advise(struct pd_turn *turn, uint32_t index, const struct pd_advice *advice)
{
    struct instance *instance = instance_of(turn);
    struct engine *engine = instance->engine;
    struct triggers *triggers = &engine->triggers;
    struct peer *peer = peer_of(engine, index);
    const char *name = instance->name;
    enum reason_by by;

    if (!peer)
        return -EINVAL;
    if (!advice) {
        if (!CONTAINER_OF(turn, struct host_turn, pd)->advised)
            return -EINVAL;
        advice_note(engine, peer, reason_ref(triggers->last), false);
        return 0;
    }
    if (!advice->reason || advice->kind == PD_KIND_OPERATOR ||
        (unsigned)advice->kind >= PD_KIND_COUNT)
        return -EINVAL;
    if (!evidence_readable(advice->evidence, advice->n_evidence))
        return -EINVAL;
    by = advice->via ? REASON_BY_MIGRATE : REASON_BY_RULE; /* a reconnect goes over no relay */
    if (!triggers->last || !reason_equal(triggers->last, name, by, advice)) {
        reason_unref(triggers->last);
        triggers->last = reason_new(name, by, advice);
    }
    CONTAINER_OF(turn, struct host_turn, pd)->advised = true;
    advice_note(engine, peer, reason_ref(triggers->last), false);
    return 0;
}

static void host_withdraw(struct pd_turn *turn, uint32_t index)
{
    struct instance *instance = instance_of(turn);
    struct peer *peer = peer_of(instance->engine, index);

    if (peer)
        advice_withdraw(instance->engine, peer, instance->name);
}

static uint64_t host_open_cause(struct pd_turn *turn, const char *reason)
{
    struct instance *instance = instance_of(turn);

    return cause_open(instance->engine, instance, reason);
}

static void host_close_cause(struct pd_turn *turn, uint64_t cause)
{
    struct instance *instance = instance_of(turn);

    cause_close(instance->engine, instance, cause);
}

static void host_look(struct pd_turn *turn, uint32_t index, uint64_t until_us)
{
    struct engine *engine = instance_of(turn)->engine;
    struct peer *peer = peer_of(engine, index);

    if (peer)
        poll_wanted(engine, peer, until_us);
}

static void host_set_timer(struct pd_turn *turn, uint64_t at_us)
{
    struct instance *instance = instance_of(turn);

    /* a time that is over is a later turn, so that a timer cannot hold the loop */
    deadline_set(&instance->engine->deadlines, &instance->timer,
                 at_us ? max_u64(at_us, instance->engine->now_us + 1) : NEVER);
}

static void host_query(struct pd_turn *turn, const struct pd_query *query)
{
    struct instance *instance = instance_of(turn);
    struct engine *engine = instance->engine;
    struct action *action = outbox_action(engine, ACTION_QUERY);

    action->query.instance = instance->index;
    action->query.query = (struct pd_query){
        .id = query->id,
        .fields = outbox_fields(engine, query->fields, query->n_fields),
        .n_fields = query->n_fields,
    };
}

static const struct pd_peer *host_peer(struct pd_turn *turn, uint32_t index)
{
    struct peer *peer = peer_of(instance_of(turn)->engine, index);

    return peer ? &peer->view : NULL;
}

static void *host_state(struct pd_turn *turn, uint32_t index)
{
    struct instance *instance = instance_of(turn);
    struct peer *peer = peer_of(instance->engine, index);

    return peer ? triggers_state(instance, peer) : NULL;
}

static bool host_in_flight(struct pd_turn *turn, uint32_t index)
{
    struct peer *peer = peer_of(instance_of(turn)->engine, index);

    return peer && peer_in_flight(peer);
}

static void host_notice(struct pd_turn *turn, enum pd_level level, const char *what,
                        const char *text)
{
    if (what && text)
        notice_of(instance_of(turn)->engine, instance_of(turn)->name, level, what, text);
}

static bool host_waits(struct pd_turn *turn, uint32_t index)
{
    struct instance *instance = instance_of(turn);
    struct peer *peer = peer_of(instance->engine, index);

    return peer && moves_wait(peer, instance->name);
}

static void host_probe(struct pd_turn *turn, uint32_t index)
{
    struct engine *engine = instance_of(turn)->engine;
    struct peer *peer = peer_of(engine, index);

    if (peer)
        (void)ping_now(engine, peer);
}

static void host_given_up(struct pd_turn *turn, uint32_t index, bool given_up)
{
    struct instance *instance = instance_of(turn);
    struct peer *peer = peer_of(instance->engine, index);

    if (!peer)
        return;
    instance->said_given_up = true;
    peer_set_given_up(peer, given_up);
}

static void host_no_route(struct pd_turn *turn, uint32_t index, bool none)
{
    struct instance *instance = instance_of(turn);
    struct peer *peer = peer_of(instance->engine, index);

    if (!peer)
        return;
    instance->said_no_route = true;
    peer_set_unrouted(peer, none);
    if (!none)
        advice_routed(instance->engine, peer);
}

const struct pd_host host_calls = {
    .size = sizeof(struct pd_host),
    .advise = host_advise,
    .withdraw = host_withdraw,
    .open_cause = host_open_cause,
    .close_cause = host_close_cause,
    .look = host_look,
    .set_timer = host_set_timer,
    .query = host_query,
    .peer = host_peer,
    .state = host_state,
    .in_flight = host_in_flight,
    .notice = host_notice,
    .waits = host_waits,
    .probe = host_probe,
    .given_up = host_given_up,
    .no_route = host_no_route,
};

/* What a trigger said with `given_up` and `no_route` ends with it, as nobody is left to take it
 * back. What other triggers said stays. */
void host_instance_closed(struct instance *instance)
{
    struct engine *engine = instance->engine;
    struct peer *peer;

    causes_close(engine, instance);
    if (!instance->said_given_up && !instance->said_no_route)
        return;
    for (uint32_t i = 0; (peer = peers_next(engine, &i));) {
        if (!triggers_state(instance, peer)) /* another instance's of the same trigger */
            continue;
        peer_set_given_up(peer, peer->given_up && !instance->said_given_up);
        peer_set_unrouted(peer, peer->unrouted && !instance->said_no_route);
    }
}
