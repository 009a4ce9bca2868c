/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox and the ring of the last records. Arrays keep their capacity from
 * turn to turn, so that an ordinary turn allocates nothing here.
 */
#include "outbox.h"

#include "../state.h"

/* More than this is given back after a storm. */
#define KEEP_CAPACITY 8192

/* Takes the record over; the oldest makes room. */
static void ring_push(struct ring *ring, struct record *record)
{
    struct record *slot;

    if (ring->capacity == 0) {
        record_unref(record);
        return;
    }
    if (!ring->records)
        ring->records = memory_new(ring->capacity, sizeof(*ring->records));
    slot = &ring->records[ring->next];
    if (ring->count == ring->capacity)
        record_unref(slot);
    else
        ring->count++;
    *slot = *record;
    ring->next = (ring->next + 1) % ring->capacity;
    ring->pushed++;
}

bool record_is_kept(const struct record *record)
{
    return record->type == RECORD_DECISION || record->type == RECORD_OUTCOME ||
           record->type == RECORD_EFFECT || record->type == RECORD_UPLINK;
}

/* Of a storm only the end would stay: where that begins. */
static size_t kept_from(const struct engine *engine, size_t *ret_count)
{
    const struct outbox_store *store = &engine->outbox;
    size_t from = store->box.n_records, count = 0;

    for (; from && count < engine->ring.capacity; from--)
        count += record_is_kept(&store->records[from - 1]);
    *ret_count = count;
    return from;
}

static void store_records(struct engine *engine)
{
    struct outbox_store *store = &engine->outbox;
    size_t count, from = kept_from(engine, &count);

    for (size_t i = 0; i < store->box.n_records; i++) {
        struct record *record = &store->records[i];

        if (record_is_kept(record) && i >= from)
            ring_push(&engine->ring, record);
        else
            record_unref(record);
    }
    store->box.n_records = 0;
}

void outbox_begin(struct engine *engine)
{
    struct outbox_store *store = &engine->outbox;

    store_records(engine);
    for (size_t i = 0; i < store->n_reasons; i++)
        reason_unref(store->reasons[i]);
    for (size_t i = 0; i < store->n_destinations; i++)
        destination_unref(store->destinations[i]);
    for (size_t i = 0; i < store->n_owned; i++)
        free(store->owned[i]);
    store->n_reasons = store->n_destinations = store->n_owned = store->box.n_actions = 0;
    if (store->records_capacity > KEEP_CAPACITY) {
        free(store->records);
        store->records = NULL;
        store->records_capacity = 0;
    }
    if (store->actions_capacity > KEEP_CAPACITY) {
        free(store->actions);
        store->actions = NULL;
        store->actions_capacity = 0;
    }
}

void outbox_seal(struct engine *engine)
{
    struct outbox_store *store = &engine->outbox;

    store->box.actions = store->actions;
    store->box.records = store->records;
    (void)kept_from(engine, &store->n_kept);
    store->box.wake_at_us = engine->stopping ? NEVER : deadlines_next(&engine->deadlines);
}

void outbox_clear(struct engine *engine)
{
    struct outbox_store *store = &engine->outbox;
    struct ring *ring = &engine->ring;

    outbox_begin(engine);
    for (size_t i = 0; i < ring->count; i++)
        record_unref(&ring->records[i]);
    free(ring->records);
    free(store->actions);
    free(store->records);
    free(store->owned);
    free(store->reasons);
    free(store->destinations);
}

void outbox_set_kept(struct engine *engine, size_t kept)
{
    struct ring old = engine->ring;

    if (kept == old.capacity)
        return;
    engine->ring = (struct ring){.capacity = kept, .pushed = old.pushed - old.count};
    for (size_t i = 0; i < old.count; i++)
        ring_push(&engine->ring,
                  &old.records[(old.next + old.capacity - old.count + i) % old.capacity]);
    free(old.records);
}

struct action *outbox_action(struct engine *engine, enum action_type type)
{
    struct outbox_store *store = &engine->outbox;
    struct action *action;

    store->actions = array_reserve(store->actions, &store->actions_capacity,
                                   store->box.n_actions + 1, sizeof(*action));
    action = &store->actions[store->box.n_actions++];
    *action = (struct action){.type = type};
    return action;
}

void outbox_renumber(struct engine *engine, const uint32_t *numbers)
{
    struct outbox_store *store = &engine->outbox;
    size_t kept = 0;

    for (size_t i = 0; i < store->box.n_actions; i++) {
        struct action *action = &store->actions[i];

        uint32_t *instance = action->type == ACTION_QUERY   ? &action->query.instance
                             : action->type == ACTION_CLOSE ? &action->close.instance
                                                            : NULL;

        if (instance && (*instance = numbers[*instance]) == UINT32_MAX)
            continue;
        store->actions[kept++] = *action;
    }
    store->box.n_actions = kept;
}

struct record *outbox_record(struct engine *engine, enum record_type type)
{
    struct outbox_store *store = &engine->outbox;
    struct record *record;

    store->records = array_reserve(store->records, &store->records_capacity,
                                   store->box.n_records + 1, sizeof(*record));
    record = &store->records[store->box.n_records++];
    *record = (struct record){.type = type, .time_us = engine->realtime_us};
    return record;
}

static void keep_destination(struct outbox_store *store, struct destination *destination)
{
    if (store->n_destinations && store->destinations[store->n_destinations - 1] == destination)
        return;
    store->destinations = array_reserve(store->destinations, &store->destinations_capacity,
                                        store->n_destinations + 1, sizeof(struct destination *));
    store->destinations[store->n_destinations++] = destination_ref(destination);
}

void outbox_keep(struct engine *engine, struct reason *reason, struct destination *destination)
{
    struct outbox_store *store = &engine->outbox;

    if (destination)
        keep_destination(store, destination);
    if (store->n_reasons && store->reasons[store->n_reasons - 1] == reason)
        return;
    store->reasons = array_reserve(store->reasons, &store->reasons_capacity, store->n_reasons + 1,
                                   sizeof(struct reason *));
    store->reasons[store->n_reasons++] = reason_ref(reason);
}

static void *own(struct engine *engine, void *memory)
{
    struct outbox_store *store = &engine->outbox;

    store->owned =
        array_reserve(store->owned, &store->owned_capacity, store->n_owned + 1, sizeof(void *));
    store->owned[store->n_owned++] = memory;
    return memory;
}

const char *outbox_text(struct engine *engine, const char *text)
{
    return own(engine, string_copy(text));
}

uint64_t *outbox_conns(struct engine *engine, size_t count)
{
    return own(engine, memory_new(count, sizeof(uint64_t)));
}

const struct pd_field *outbox_fields(struct engine *engine, const struct pd_field *fields,
                                     size_t n_fields)
{
    struct evidence *copy = evidence_new(fields, n_fields);

    return copy ? ((struct evidence *)own(engine, copy))->fields : NULL;
}
