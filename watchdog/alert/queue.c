/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token is taken when an event comes, not when it is told: what has one waits for nothing but its
 * turn, and what has none waits in the sum, which takes the next token. So events are told in their
 * order, and a flood is told once in `every`.
 */
#include "queue.h"

#include <inttypes.h>

#include "../util/format.h"

struct sum {
    uint64_t count, of[ALERT_EVENT_COUNT];
    uint64_t first_us, last_us; /* of the records' own times */
    json_t *worst, *last;
    enum alert_event worst_event;
};

struct queue {
    struct queue_config config;
    uint64_t tokens;
    uint64_t refill_us; /* from when on the next token is counted */
    json_t *waiting;    /* array, the oldest first */
    struct sum sum;
};

struct queue *queue_new(const struct queue_config *config, uint64_t now_us)
{
    struct queue *queue = memory_new(1, sizeof(*queue));

    queue->config = *config;
    queue->tokens = config->burst;
    queue->refill_us = now_us;
    queue->waiting = memory_check(json_array());
    return queue;
}

static void refill(struct queue *queue, uint64_t now_us)
{
    uint64_t more = sub_u64(now_us, queue->refill_us) / queue->config.every_us;

    queue->refill_us += more * queue->config.every_us;
    queue->tokens = min_u64(add_u64(queue->tokens, more), queue->config.burst);
    if (queue->tokens == queue->config.burst)
        queue->refill_us = now_us;
}

static bool take_token(struct queue *queue, uint64_t now_us)
{
    refill(queue, now_us);
    if (!queue->tokens)
        return false;
    queue->tokens--;
    return true;
}

void queue_configure(struct queue *queue, const struct queue_config *config, uint64_t now_us)
{
    refill(queue, now_us);
    if (queue->config.burst < config->burst)
        queue->tokens += config->burst - queue->config.burst;
    queue->config = *config;
    refill(queue, now_us);
}

/* ---- the sum ---- */

static void sum_clear(struct sum *sum)
{
    json_decref(sum->worst);
    json_decref(sum->last);
    *sum = (struct sum){0};
}

static void sum_add(struct sum *sum, enum alert_event event, json_t *object)
{
    if (!sum->count++)
        sum->first_us = member_number(object, "time_us");
    sum->of[event]++;
    sum->last_us = member_number(object, "time_us");
    json_decref(sum->last);
    sum->last = json_incref(object);
    if (sum->worst && sum->worst_event <= event)
        return;
    json_decref(sum->worst);
    sum->worst = json_incref(object);
    sum->worst_event = event;
}

static json_t *counts_of(const struct sum *sum)
{
    json_t *counts = memory_check(json_object());

    for (size_t i = 0; i < ALERT_EVENT_COUNT; i++)
        if (sum->of[i])
            member_set_number(counts, alert_events[i].name, sum->of[i]);
    return counts;
}

/* "and 812 more: 800 stalled, 12 worse; the gravest: …" */
static char *sum_sentence(const struct sum *sum)
{
    char *text = string_format("and %" PRIu64 " more", sum->count), *longer;
    bool first = true;

    for (size_t i = 0; i < ALERT_EVENT_COUNT; i++) {
        if (!sum->of[i])
            continue;
        longer = string_format("%s%s %" PRIu64 " %s", text, first ? ":" : ",", sum->of[i],
                               alert_events[i].name);
        free(text);
        text = longer;
        first = false;
    }
    longer = string_format("%s; the gravest: %s", text, member_text(sum->worst, "sentence"));
    free(text);
    return longer;
}

static json_t *sum_object(const struct sum *sum)
{
    json_t *object = memory_check(json_object());
    CLEANUP_FREE char *text = sum_sentence(sum);

    member_set_text(object, "record", "summary");
    member_set_number(object, "time_us", sum->last_us);
    json_object_set(object, "run", json_object_get(sum->last, "run"));
    member_set_number(object, "count", sum->count);
    json_object_set_new(object, "events", counts_of(sum));
    member_set_number(object, "first_us", sum->first_us);
    member_set_number(object, "last_us", sum->last_us);
    json_object_set(object, "worst", sum->worst);
    json_object_set(object, "last", sum->last);
    member_set_text(object, "event", alert_events[sum->worst_event].name);
    member_set_text(object, "sentence", text);
    return object;
}

static json_t *sum_take(struct sum *sum)
{
    json_t *object = sum->count == 1 ? json_incref(sum->last) : sum_object(sum);

    sum_clear(sum);
    return object;
}

/* ---- in and out ---- */

void queue_add(struct queue *queue, enum alert_event event, json_t *object, uint64_t now_us)
{
    if (queue->sum.count || json_array_size(queue->waiting) >= queue->config.burst ||
        !take_token(queue, now_us))
        sum_add(&queue->sum, event, object);
    else
        json_array_append(queue->waiting, object);
}

json_t *queue_take(struct queue *queue, uint64_t now_us)
{
    json_t *first = json_incref(json_array_get(queue->waiting, 0));

    if (first) {
        json_array_remove(queue->waiting, 0);
        return first;
    }
    return queue->sum.count && take_token(queue, now_us) ? sum_take(&queue->sum) : NULL;
}

uint64_t queue_due_us(struct queue *queue, uint64_t now_us)
{
    if (json_array_size(queue->waiting))
        return now_us;
    if (!queue->sum.count)
        return UINT64_MAX;
    refill(queue, now_us);
    return queue->tokens ? now_us : add_u64(queue->refill_us, queue->config.every_us);
}

uint64_t queue_waiting(const struct queue *queue)
{
    return json_array_size(queue->waiting) + queue->sum.count;
}

void queue_clear(struct queue *queue)
{
    json_array_clear(queue->waiting);
    sum_clear(&queue->sum);
}

struct queue *queue_free(struct queue *queue)
{
    if (!queue)
        return NULL;
    json_decref(queue->waiting);
    sum_clear(&queue->sum);
    free(queue);
    return NULL;
}
