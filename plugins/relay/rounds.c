/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle → (the time has come) asking → (the last one is done: the signal) idle. A list that comes
 * while a round is under way waits for its end.
 */
#include "rounds.h"

#include "chance.h"
#include "pilot.h"
#include "probe.h"
#include "reg-ack.h"

#include "util/util.h"

#include <errno.h>

#define WAIT_US     UINT64_C(2000000)
#define TRIES       PROBE_TRIES_MAX
#define GAP_US      UINT64_C(1000000) /* between the begins of two rounds, however often it is asked */
#define JITTER      20u               /* one part in so many of a refresh */
#define ACCURACY_US 10000u

/* One relay of the round that is under way, or was the last. */
struct target {
    struct probe probe;
    struct rounds *rounds;
    struct relay_entry entry;
    uint8_t ids[TRIES][REG_RANDOM]; /* there, one for each try */
    char reason[REG_REASON_SIZE + 8];
};

struct rounds {
    struct pd_source_host *host;
    struct rounds_config config;
    sd_event_source *timer;
    struct target *targets;
    size_t n_targets, n_open; /* open: not done yet */
    struct relay_list wanted; /* of the next round */
    bool is_new;              /* and those are not the targets of the last one */
    bool began;               /* the first wait, until `first_us` */
    uint64_t first_us;
    uint64_t query, asked; /* whose answer the round under way is; and the next one */
    uint64_t began_us;
};

/* ---- a probe ---- */

static size_t target_ask(struct probe *probe, uint8_t *out)
{
    struct target *target = CONTAINER_OF(probe, struct target, probe);
    const uint8_t *id = target->ids[probe->tries - 1];
    uint32_t number;

    if (target->entry.speaks == RELAY_PILOT) {
        memcpy(&number, id, sizeof(number));
        pilot_discover(out, pilot_probe_id(number));
        return PILOT_DISCOVER_BYTES;
    }
    reg_ask((char *)out, id);
    return REG_BYTES;
}

static enum probe_read target_read(struct probe *probe, const uint8_t *bytes, size_t length,
                                   const char **ret_why)
{
    struct target *target = CONTAINER_OF(probe, struct target, probe);
    char reason[REG_REASON_SIZE];
    struct pd_address seen;

    if (target->entry.speaks == RELAY_PILOT) {
        *ret_why = pilot_reply_parse(bytes, length, &seen);
        return *ret_why ? PROBE_GARBAGE : PROBE_ANSWERED;
    }
    switch (reg_answer_parse((const char *)bytes, length, reason)) {
    case REG_ACK:
    case REG_DENIED:
        return PROBE_ANSWERED;
    case REG_NOT_NOW:
        (void)snprintf(target->reason, sizeof(target->reason), "ERR:%s", reason);
        *ret_why = target->reason;
        return PROBE_REFUSED;
    default:
        *ret_why = "neither ACK nor ERR";
        return PROBE_GARBAGE;
    }
}

/* ---- what is said ---- */

static void notice_garbage(struct rounds *rounds, const struct target *target)
{
    char text[RELAY_NAME_MAX + ADDRESS_TEXT_MAX + PROBE_ERROR_SIZE + 64];

    (void)snprintf(text, sizeof(text), "%s (%s): of what came %u datagrams were no answer%s%s",
                   target->entry.name, target->entry.address_text, target->probe.n_garbage,
                   *target->probe.why ? "; " : "", target->probe.why);
    rounds->host->notice(rounds->host, PD_LEVEL_WARNING, "relay-answer", text);
}

static void round_tell(struct rounds *rounds)
{
    struct pd_field fields[2 * RELAY_LIST_MAX];
    struct pd_signal signal = {.kind = "rtts", .query = rounds->query, .fields = fields};

    for (size_t i = 0; i < rounds->n_targets; i++) {
        const struct target *target = &rounds->targets[i];
        const struct probe *probe = &target->probe;

        fields[signal.n_fields++] = (struct pd_field){"name", target->entry.name, 0};
        if (probe->rtt_ns != PROBE_NO_RTT)
            fields[signal.n_fields++] = (struct pd_field){"rtt_ns", NULL, probe->rtt_ns};
        else
            fields[signal.n_fields++] = (struct pd_field){"error", probe->why, 0};
        if (probe->n_garbage)
            notice_garbage(rounds, target);
        probe_notice(probe, rounds->host);
    }
    rounds->host->emit(rounds->host, &signal);
    rounds->query = 0;
}

static void tell_nothing(struct rounds *rounds, uint64_t query)
{
    const struct pd_signal signal = {.kind = "rtts", .query = query};

    rounds->host->emit(rounds->host, &signal);
}

/* ---- when ---- */

static uint64_t loop_us(const struct rounds *rounds)
{
    uint64_t now_us = 0;

    (void)sd_event_now(rounds->host->loop, CLOCK_MONOTONIC, &now_us);
    return now_us;
}

static void timer_set(struct rounds *rounds, uint64_t at_us)
{
    (void)sd_event_source_set_time(rounds->timer, at_us);
    (void)sd_event_source_set_enabled(rounds->timer, SD_EVENT_ONESHOT);
}

/* Not under way. */
static void schedule(struct rounds *rounds)
{
    uint64_t now_us = loop_us(rounds), refresh_us = rounds->config.refresh_us;
    uint64_t jitter_us = refresh_us / JITTER, at_us;

    if (!rounds->wanted.count) {
        (void)sd_event_source_set_enabled(rounds->timer, SD_EVENT_OFF);
        return;
    }
    if (!rounds->began)
        rounds->first_us = now_us + chance_below(min_u64(rounds->config.first_us, refresh_us));
    if (!rounds->began_us)
        at_us = rounds->first_us; /* whatever the list is by then */
    else if (rounds->is_new)
        at_us = rounds->began_us + GAP_US;
    else
        at_us = rounds->began_us + refresh_us - jitter_us / 2 + chance_below(jitter_us);
    rounds->began = true;
    timer_set(rounds, max_u64(at_us, now_us));
}

static void target_done(struct probe *probe)
{
    struct rounds *rounds = CONTAINER_OF(probe, struct target, probe)->rounds;

    if (--rounds->n_open)
        return;
    round_tell(rounds);
    schedule(rounds);
}

/* Ids and ports at a relay stay as long as the relay. */
static void take_wanted(struct rounds *rounds)
{
    struct target *old = rounds->targets;
    size_t n_old = rounds->n_targets;

    rounds->n_targets = rounds->wanted.count;
    rounds->targets = memory_new(rounds->n_targets, sizeof(*rounds->targets));
    for (size_t i = 0; i < rounds->n_targets; i++) {
        struct target *target = &rounds->targets[i];

        target->rounds = rounds;
        target->entry = rounds->wanted.entries[i];
        chance_fill((uint8_t *)target->ids, sizeof(target->ids));
        for (size_t j = 0; j < n_old; j++) {
            if (strcmp(old[j].entry.address_text, target->entry.address_text) != 0)
                continue;
            memcpy(target->ids, old[j].ids, sizeof(target->ids));
            memcpy(target->probe.ports, old[j].probe.ports, sizeof(target->probe.ports));
        }
    }
    free(old);
    rounds->is_new = false;
    rounds->query = rounds->asked;
    rounds->asked = 0;
}

static int on_time(sd_event_source *timer, uint64_t time_us, void *user)
{
    static const struct probe_kind kind = {
        .ask = target_ask,
        .read = target_read,
        .done = target_done,
        .wait_us = WAIT_US,
        .tries = TRIES,
    };
    struct rounds *rounds = user;

    (void)timer;
    (void)time_us;
    if (rounds->is_new)
        take_wanted(rounds);
    rounds->began_us = loop_us(rounds);
    for (size_t i = 0; i < rounds->n_targets; i++)
        if (probe_start(&rounds->targets[i].probe, rounds->host->loop, &kind,
                        &rounds->targets[i].entry.address) == 0)
            rounds->n_open++;
    if (!rounds->n_open) { /* not one timer could be had */
        round_tell(rounds);
        schedule(rounds);
    }
    return 0;
}

/* ---- queries ---- */

int rounds_ask(struct rounds *rounds, const struct pd_query *query)
{
    struct relay_list *list = &rounds->wanted;

    rounds->asked = 0;
    rounds->is_new = false;
    list->count = 0;
    for (size_t i = 1; i < query->n_fields && list->count < RELAY_LIST_MAX; i++) {
        const struct pd_field *field = &query->fields[i];

        if (strcmp(field->name, "relay") != 0 || !field->text ||
            relay_entry_parse(field->text, strlen(field->text), &list->entries[list->count])) {
            list->count = 0;
            tell_nothing(rounds, query->id);
            return -EINVAL;
        }
        list->count++;
    }
    if (!rounds->config.enabled)
        list->count = 0;
    rounds->is_new = list->count > 0;
    rounds->asked = list->count ? query->id : 0;
    if (!list->count)
        tell_nothing(rounds, query->id);
    if (!rounds->n_open)
        schedule(rounds);
    return 0;
}

/* ---- life ---- */

int rounds_new(struct pd_source_host *host, const struct rounds_config *config,
               struct rounds **ret_rounds)
{
    struct rounds *rounds = memory_new(1, sizeof(*rounds));
    int r;

    rounds->host = host;
    rounds->config = *config;
    r = sd_event_add_time(host->loop, &rounds->timer, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_US,
                          on_time, rounds);
    if (r >= 0)
        r = sd_event_source_set_enabled(rounds->timer, SD_EVENT_OFF);
    if (r < 0) {
        rounds_free(rounds);
        return r;
    }
    *ret_rounds = rounds;
    return 0;
}

struct rounds *rounds_free(struct rounds *rounds)
{
    if (!rounds)
        return NULL;
    for (size_t i = 0; i < rounds->n_targets; i++)
        probe_stop(&rounds->targets[i].probe);
    sd_event_source_disable_unref(rounds->timer);
    free(rounds->targets);
    free(rounds);
    return NULL;
}
