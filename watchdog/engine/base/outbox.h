/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a turn leaves behind: actions for the shell and records. Valid until the
 * next turn begins; then the records of moves go to the ring of the last ones.
 */
#ifndef ENGINE_OUTBOX_H
#define ENGINE_OUTBOX_H

#include "../engine.h"

struct reason;

struct outbox_store {
    struct outbox box; /* what the shell sees of it */
    size_t n_kept;     /* of its records, that the ring will take */
    struct action *actions;
    size_t actions_capacity;
    struct record *records;
    size_t records_capacity;
    void **owned; /* lists and fields that actions point into, freed with the outbox */
    size_t n_owned, owned_capacity;
    struct reason **reasons; /* released with the outbox */
    size_t n_reasons, reasons_capacity;
    struct destination **destinations; /* the same */
    size_t n_destinations, destinations_capacity;
};

/* The last decisions, outcomes and effects, and what happened to uplinks. */
struct ring {
    struct record *records;
    size_t capacity, count, next;
    uint64_t pushed; /* since the engine was made */
};

/* Does the ring take it? */
bool record_is_kept(const struct record *record);

void outbox_begin(struct engine *engine);
void outbox_seal(struct engine *engine);
void outbox_clear(struct engine *engine);

/* How many records the ring holds; the oldest go. */
void outbox_set_kept(struct engine *engine, size_t kept);

struct action *outbox_action(struct engine *engine, enum action_type type);

/* A record with its time set. Pointers put into it are counted references
 * that the outbox then owns. */
struct record *outbox_record(struct engine *engine, enum record_type type);

/* Some actions of this turn name instances by number: `numbers` has the new ones,
 * UINT32_MAX where an instance is no more and the action goes with it. */
void outbox_renumber(struct engine *engine, const uint32_t *numbers);

/* The reason of a move, and where it goes, are used until the turn ends, whatever becomes of the
 * move. `destination` may be NULL. */
void outbox_keep(struct engine *engine, struct reason *reason, struct destination *destination);

/* A text that lives as long as the outbox. */
const char *outbox_text(struct engine *engine, const char *text);

/* A list that lives as long as the outbox. */
uint64_t *outbox_conns(struct engine *engine, size_t count);

/* Fields, copied for as long as the outbox lives. */
const struct pd_field *outbox_fields(struct engine *engine, const struct pd_field *fields,
                                     size_t n_fields);

#endif
