/* SPDX-License-Identifier: Apache-2.0 */
/* See groups.h. */
#include "groups.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "../peers/peer.h"
#include "../state.h"
#include "uplinks.h"

/* Advice says for so many rounds that the connection is worse: triggers repeat it only then. */
#define ADVISED_ROUNDS 4u
/* So many have numbers of their own. */
#define WINDOWS 255u

void groups_init(struct engine *engine)
{
    engine->groups.window = 1;
    engine->groups.wake.kind = DEADLINE_FATE;
}

void groups_clear(struct engine *engine)
{
    for (size_t i = 0; i < engine->groups.n; i++)
        text_unref(engine->groups.list[i].interface);
    free(engine->groups.list);
}

struct group *group_at(const struct engine *engine, uint8_t number)
{
    return number ? &engine->groups.list[number - 1] : NULL;
}

/* ---- who belongs where ---- */

static bool is_at(const struct group *group, const struct uplink *uplink,
                  const struct pd_address *address)
{
    if (uplink || group->interface)
        return uplink && group->interface && !strcmp(group->interface->s, uplink->interface->s);
    return group->address.family == address->family &&
           !memcmp(group->address.bytes, address->bytes, sizeof(address->bytes)) &&
           !strcmp(group->address.scope, address->scope);
}

/* A place for another group: a new one, or that which has been empty for longest. */
static struct group *place(struct groups *groups)
{
    struct group *oldest = NULL;

    if (groups->n < GROUPS_MAX) {
        groups->list =
            array_reserve(groups->list, &groups->capacity, groups->n + 1, sizeof(struct group));
        return &groups->list[groups->n++];
    }
    for (size_t i = 0; i < groups->n; i++) {
        struct group *group = &groups->list[i];

        if (!group->n_peers && !group->scout && (!oldest || group->empty_us < oldest->empty_us))
            oldest = group;
    }
    if (!oldest)
        return NULL;
    text_unref(oldest->interface);
    return oldest;
}

static uint8_t number_of(const struct groups *groups, const struct group *group)
{
    return (uint8_t)(group - groups->list + 1);
}

static uint8_t find(struct engine *engine, const struct uplink *uplink,
                    const struct pd_address *address)
{
    struct groups *groups = &engine->groups;
    struct group *group;

    for (size_t i = 0; i < groups->n; i++)
        if (is_at(&groups->list[i], uplink, address))
            return (uint8_t)(i + 1);
    group = place(groups);
    if (!group)
        return 0;
    *group = (struct group){
        .interface = uplink ? text_ref(uplink->interface) : NULL,
        .address = *address,
        .serial = ++groups->serials,
    };
    group->address.port = 0;
    return number_of(groups, group);
}

void groups_waits(struct engine *engine, struct peer *peer, bool waits)
{
    struct group *group = group_at(engine, peer->group);

    if (!group || peer->stuck == waits)
        return;
    peer->stuck = waits;
    group->stuck += waits ? 1 : UINT32_MAX;
}

void groups_heard(struct engine *engine, const struct peer *peer, uint64_t at_us)
{
    struct group *group = group_at(engine, peer->group);

    if (group)
        group->heard_us = max_u64(group->heard_us, at_us);
}

/* The only function that changes which group a connection is in. */
static void set_group(struct engine *engine, struct peer *peer, uint8_t number)
{
    struct group *before, *now;

    if (peer->group == number)
        return;
    before = group_at(engine, peer->group);
    now = group_at(engine, number);
    groups_waits(engine, peer, false); /* until its next row */
    if (before && !--before->n_peers)
        before->empty_us = engine->now_us;
    if (now)
        now->n_peers++;
    peer->group = number;
    peer->counted_in = 0; /* that was in another one */
    peer->worse = false;
    peer->advised_rounds = 0;
}

static const struct uplink *uplink_of(const struct engine *engine, const struct peer *peer)
{
    return engine->uplinks.n > 1 ? uplink_at(engine, peer->uplink)
                                 : uplinks_of(engine, peer->view.path);
}

void groups_path(struct engine *engine, struct peer *peer)
{
    set_group(engine, peer, find(engine, uplink_of(engine, peer), &peer->view.path->local));
}

void groups_gone(struct engine *engine, struct peer *peer)
{
    set_group(engine, peer, 0);
}

/* Those whose uplink lost its address stay where they are. */
void groups_renumber(struct engine *engine)
{
    struct peer *peer;

    for (uint32_t i = 0; (peer = peers_next(engine, &i));)
        if (uplink_of(engine, peer))
            groups_path(engine, peer);
}

/* ---- what is counted ---- */

static void age_advice(struct peer *peer, unsigned passed)
{
    peer->advised_rounds =
        (uint8_t)(passed < peer->advised_rounds ? peer->advised_rounds - passed : 0) & 7;
}

/* It is measured in the present window. What was so in an earlier one is over. */
static inline void count_measured(const struct engine *engine, struct group *group,
                                  struct peer *peer)
{
    uint8_t window = engine->groups.window;

    if (peer->counted_in == window)
        return;
    if (peer->advised_rounds)
        age_advice(peer, (window + WINDOWS - peer->counted_in) % WINDOWS);
    group->measured++;
    peer->counted_in = window;
    peer->worse = false;
}

static void count_worse(struct group *group, struct peer *peer)
{
    group->worse += !peer->worse;
    peer->worse = true;
}

_Static_assert(RTT_KEPT == 3, "lowest() compares three");

/* Of those kept, at least one: there are no lower ones in place of others. */
static inline uint64_t lowest(const struct peer *peer)
{
    uint32_t lowest_us = peer->rtt[0];

    lowest_us = peer->rtt[1] < lowest_us ? peer->rtt[1] : lowest_us;
    return peer->rtt[2] < lowest_us ? peer->rtt[2] : lowest_us;
}

/* Slower by half than the best of its last three rows; or advised lately, and not faster by a
 * fifth since. One that has no RTT yet is neither. */
void groups_row(struct engine *engine, struct peer *peer, uint64_t rtt_us)
{
    struct group *group = group_at(engine, peer->group);
    uint64_t lowest_us;

    if (!group)
        return;
    count_measured(engine, group, peer);
    if (peer->rtt[0] == UINT32_MAX)
        return;
    lowest_us = lowest(peer);
    if (peer->advised_rounds && rtt_us * 10 <= lowest_us * 8)
        peer->advised_rounds = 0;
    if (rtt_us * 2 >= lowest_us * 3 || peer->advised_rounds)
        count_worse(group, peer);
}

void groups_advised(struct engine *engine, struct peer *peer)
{
    struct group *group = group_at(engine, peer->group);

    if (!group)
        return;
    count_measured(engine, group, peer);
    count_worse(group, peer);
    peer->advised_rounds = ADVISED_ROUNDS;
}

void groups_window(struct engine *engine)
{
    struct groups *groups = &engine->groups;

    groups->window = (uint8_t)(groups->window % WINDOWS + 1);
    for (size_t i = 0; i < groups->n; i++)
        groups->list[i].measured = groups->list[i].worse = 0;
}

/* ---- the scout ---- */

void group_watch(struct engine *engine, struct group *group, uint64_t conn)
{
    engine->groups.scouts += (conn != 0) - (group->scout != 0);
    group->scout = conn;
    group->effect_known = false;
}

void groups_effect(struct engine *engine, uint64_t conn, enum effect effect)
{
    struct groups *groups = &engine->groups;

    for (size_t i = 0; groups->scouts && i < groups->n; i++) {
        struct group *group = &groups->list[i];

        if (group->scout != conn || group->effect_known)
            continue;
        group->effect_known = true;
        group->effect = effect;
        deadline_set(&engine->deadlines, &groups->wake, engine->now_us);
    }
}

const char *group_name(const struct engine *engine, const struct group *group, char *text,
                       size_t size)
{
    const struct uplink *uplink =
        group->interface ? uplinks_by_interface(engine, group->interface->s) : NULL;

    if (uplink)
        return uplink->name->s;
    if (group->interface)
        return group->interface->s;
    if (!group->address.family)
        return "this host";
    if (!inet_ntop(group->address.family == 4 ? AF_INET : AF_INET6, group->address.bytes, text,
                   (socklen_t)size))
        return "this host";
    return text;
}
