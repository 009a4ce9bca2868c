/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs trigger instances over connections. What they advise is only noted here;
 * the gate decides after the callback has returned, so that a policy is never
 * re-entered.
 */
#ifndef ENGINE_TRIGGERS_H
#define ENGINE_TRIGGERS_H

#include "../config.h"
#include "../event.h"
#include "../learnt.h"

struct reason;
struct engine;
struct instance;
struct peer;

struct trigger_kind {
    const struct pd_trigger *trigger;
    size_t offset; /* of its per-peer state in peer.slots */
};

struct triggers {
    struct instance **instances; /* in file order */
    size_t n_instances;
    struct trigger_kind *kinds;
    size_t n_kinds;
    size_t slots_size;
    struct reason *last; /* equal neighbours are stored once */
    char **names;        /* of all instances there ever were */
    size_t n_names, names_capacity;
};

/* Lays out the per-peer state; nothing is called yet. -EINVAL if too large. */
int triggers_init(struct engine *engine);

/* The parts of it, for configure.c: kinds and offsets with room for instances;
 * then each instance's place once all are there. */
int triggers_lay_out(const struct engine_config *config, struct triggers *ret_triggers);
void triggers_number(struct triggers *triggers);

/* In peer.slots, instead of an instance's place: none. */
#define TRIGGERS_NO_PLACE 0xffu

#define TRIGGERS_NONE SIZE_MAX

/* The place of a trigger among the kinds; n_kinds if it is not there. */
size_t triggers_kind_of(const struct triggers *triggers, const struct pd_trigger *trigger);

/* Which instance of the config a name belongs to: the first whose `match` fits,
 * else the one without; TRIGGERS_NONE. */
size_t triggers_choose(const struct engine_config *config, const struct pd_trigger *trigger,
                       const char *name);

/* The instance of that kind that a connection belongs to, or NULL. */
struct instance *triggers_instance(const struct triggers *triggers, struct peer *peer, size_t kind);

/* Starts the instances. One that fails is closed, and a notice says so. */
void triggers_start(struct engine *engine);
void triggers_stop(struct engine *engine);

void triggers_node(struct engine *engine, const struct pd_node_event *event);

/* Chooses the instance of each kind for a new connection. */
void triggers_adopt(struct engine *engine, struct peer *peer);
void triggers_peer(struct engine *engine, struct peer *peer, enum pd_peer_change change);
/* PD_PEER_MIGRATED, by a request for this reason; NULL: which one is not known any more. */
void triggers_migrated(struct engine *engine, struct peer *peer, const struct reason *reason);

/* What this run's triggers say of a connection for the next, at most
 * LEARNT_SAVED_MAX texts, each of PD_SAVED_MAX bytes of `texts`. Nothing is changed. */
size_t triggers_save(const struct engine *engine, struct peer *peer, struct learnt_saved *ret_saved,
                     char *texts);
/* After PD_PEER_UP: what the run before had saved. */
void triggers_restore(struct engine *engine, struct peer *peer, const struct learnt_peer *learnt);

/* A round is over: tells of those that were not in it. */
void triggers_missing(struct engine *engine);
void triggers_sample(struct engine *engine, struct peer *peer, struct pd_sample *sample);
void triggers_signal(struct engine *engine, const struct event_signal *event);

#endif
