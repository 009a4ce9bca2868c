/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half of the route trigger's source that answers: questions are looked up
 * in the kernel, the first at once, those that come with it in slices between
 * other events. Decides nothing.
 */
#include "source.h"

#include "../ip-text.h"

#include "util/hash.h"
#include "util/util.h"

#include <errno.h>
#include <stdio.h>

/* Looked up, and questions taken, before other events have their turn. */
#define SLICE 256u

/* The table knows what interfaces have; the kernel, what else it takes as its
 * own (127/8, whole prefixes routed to lo). */
static bool address_on_host(struct answers *answers, unsigned family, const uint8_t *bytes)
{
    struct lookup lookup = {.family = (uint8_t)family};
    struct netlink_nexthop nexthop;

    if (!family)
        return false;
    if (state_address_used(answers->state, family, bytes))
        return true;
    memcpy(lookup.destination, bytes, sizeof(lookup.destination));
    lookup_ask(answers->socket, &lookup, 1, &nexthop);
    return !nexthop.error && nexthop.is_local;
}

/* A source that is not there would make the kernel refuse the lookup. */
static void question_source(struct answers *answers, struct question *question)
{
    struct lookup *lookup = &question->lookup;

    if (!lookup->source_family || address_on_host(answers, lookup->source_family, lookup->source))
        return;
    question->source_gone = true;
    lookup->source_family = 0;
}

/* ---- answers ---- */

/* What of a next hop may be another in a moment. */
struct provisional {
    uint8_t sources;    /* enum state_sources: what its interface has to send from */
    uint8_t elsewhere;  /* the source that was asked with is on another one */
    uint8_t redirected; /* packets go through another gateway of the same link */
};

/* Another gateway by an ICMP redirect is no other route, and the kernel may take it back at any
 * time: what counts is the gateway that the route has. */
static void nexthop_by_route(struct answers *answers, const struct lookup *question,
                             struct netlink_nexthop *nexthop)
{
    struct lookup lookup = *question;
    struct netlink_nexthop route;

    lookup.match = true;
    lookup.leg = nexthop->oif;
    lookup_ask(answers->socket, &lookup, 1, &route);
    nexthop->cached = false;
    if (route.error || route.oif != nexthop->oif)
        return;
    nexthop->cached = nexthop->gateway_family != route.gateway_family ||
                      memcmp(nexthop->gateway, route.gateway, sizeof(nexthop->gateway)) != 0;
    nexthop->gateway_family = route.gateway_family;
    memcpy(nexthop->gateway, route.gateway, sizeof(nexthop->gateway));
}

/* A lookup's answer, with what the kernel does not say of it. */
static void nexthop_check(struct answers *answers, const struct lookup *lookup,
                          struct netlink_nexthop *nexthop)
{
    struct link_state *link = lookup->oif ? state_link(answers->state, lookup->oif) : NULL;

    if (link)
        link->used = true;
    if (link && !link->carrier)
        nexthop->error = -ENOLINK;
    if (nexthop->error)
        return;
    if (nexthop->cached)
        nexthop_by_route(answers, lookup, nexthop);
    /* A source that it was given is not repeated. */
    if (!nexthop->source_family && lookup->source_family == nexthop->prefix_family) {
        nexthop->source_family = lookup->source_family;
        memcpy(nexthop->source, lookup->source, sizeof(nexthop->source));
    }
    if (!nexthop->oif) {
        nexthop->error = -ENETUNREACH;
        return;
    }
    link = state_link(answers->state, nexthop->oif);
    if (!link)
        return;
    link->used = true;
    /* After a carrier loss the kernel still names the dead route. */
    if (!link->carrier)
        nexthop->error = -ENOLINK;
}

/* Something to send from is on the interface, or belongs to the whole host. */
static enum state_sources sources_over(const struct answers *answers, const struct lookup *lookup,
                                       const struct netlink_nexthop *nexthop)
{
    const struct link_state *loopback = state_link_named(answers->state, "lo");
    enum state_sources sources;

    if (nexthop->error || nexthop->is_local || !state_link(answers->state, nexthop->oif) ||
        (lookup->family == 6 && lookup->destination[0] == 0xfe))
        return STATE_SOURCES_USABLE;
    sources = state_sources_of(answers->state, nexthop->oif, lookup->family);
    if (sources == STATE_SOURCES_NONE && loopback &&
        state_sources_of(answers->state, loopback->index, lookup->family) == STATE_SOURCES_USABLE)
        return STATE_SOURCES_USABLE;
    return sources;
}

static struct provisional provisional_of(const struct answers *answers, const struct lookup *lookup,
                                         const struct netlink_nexthop *nexthop)
{
    return (struct provisional){
        .sources = (uint8_t)sources_over(answers, lookup, nexthop),
        .elsewhere =
            !nexthop->error && lookup->source_family &&
            !state_address_on(answers->state, nexthop->oif, lookup->source_family, lookup->source),
        .redirected = !nexthop->error && nexthop->cached,
    };
}

static const char *error_name(int error)
{
    const char *name = strerrorname_np(-error);

    if (error == -ENOLINK)
        return "no-carrier";
    return name ? name : "EIO";
}

static uint64_t nexthop_hash(uint64_t hash, const struct netlink_nexthop *nexthop)
{
    if (nexthop->error)
        return hash_bytes(hash, &nexthop->error, sizeof(nexthop->error));
    hash = hash_bytes(hash, &nexthop->oif, sizeof(nexthop->oif));
    hash = hash_bytes(hash, nexthop->gateway, nexthop->gateway_family ? 16 : 1);
    return hash_bytes(hash, nexthop->source, nexthop->source_family ? 16 : 1);
}

/* Below 2^53 and never 0. The lowest bit: it is by a default route. */
static uint64_t token_of(const struct question *question, const struct netlink_nexthop *nexthop,
                         const struct netlink_nexthop *also, struct provisional provisional)
{
    uint64_t hash = nexthop_hash(HASH_START, nexthop);

    if (also)
        hash = nexthop_hash(hash, also);
    hash = hash_bytes(hash, &question->source_gone, 1);
    hash = hash_bytes(hash, &provisional, sizeof(provisional));
    hash ^= hash >> 32;
    return (hash & 0x7ffffffffffffu) << 1 | 1u << 1;
}

static void link_text(const struct answers *answers, uint32_t oif, char text[16])
{
    const struct link_state *link = state_link(answers->state, oif);

    if (link)
        memcpy(text, link->name, 16);
    else
        snprintf(text, 16, "if%u", oif);
}

static void also_text(const struct answers *answers, const struct netlink_nexthop *nexthop,
                      char *text, size_t size)
{
    char name[16], gateway[IP_TEXT_SIZE] = "";

    link_text(answers, nexthop->oif, name);
    if (nexthop->gateway_family)
        ip_format(gateway, nexthop->gateway_family, nexthop->gateway);
    snprintf(text, size, "%s%s%s", name, gateway[0] ? " via " : "", gateway);
}

/* Returns false: the answer does not say which route it was. */
static bool prefix_text(const struct netlink_nexthop *match, char *text, size_t size)
{
    char address[IP_TEXT_SIZE];

    if (match->error || !match->prefix_family)
        return false;
    if (!match->prefix_length) {
        snprintf(text, size, "default");
        return true;
    }
    ip_format(address, match->prefix_family, match->prefix);
    snprintf(text, size, "%s/%u", address, match->prefix_length);
    return true;
}

static void address_answer(struct answers *answers, const struct question *question)
{
    const struct lookup *lookup = &question->lookup;

    batch_begin(&answers->batch, question->id);
    batch_number(&answers->batch, "on_host",
                 address_on_host(answers, lookup->source_family, lookup->source));
    batch_number(&answers->batch, "no_carrier",
                 state_address_cut(answers->state, lookup->source_family, lookup->source));
}

static void nexthop_say(struct answers *answers, const struct question *question, uint64_t token,
                        const struct netlink_nexthop *nexthop, const struct netlink_nexthop *also,
                        const char *prefix, struct provisional provisional)
{
    struct answer_batch *batch = &answers->batch;
    struct answer_texts *texts = batch_begin(batch, question->id);

    batch_number(batch, "token", token);
    if (nexthop->error) {
        batch_text(batch, "error", error_name(nexthop->error));
    } else {
        batch_number(batch, "oif", nexthop->oif);
        link_text(answers, nexthop->oif, texts->ifname);
        batch_text(batch, "ifname", texts->ifname);
        if (nexthop->gateway_family) {
            ip_format(texts->gateway, nexthop->gateway_family, nexthop->gateway);
            batch_text(batch, "gateway", texts->gateway);
        }
        if (nexthop->source_family) {
            ip_format(texts->source, nexthop->source_family, nexthop->source);
            batch_text(batch, "source", texts->source);
        }
        if (also) {
            also_text(answers, also, texts->also, sizeof(texts->also));
            batch_text(batch, "also", texts->also);
        }
        if (prefix) {
            snprintf(texts->prefix, sizeof(texts->prefix), "%s", prefix);
            batch_text(batch, "prefix", texts->prefix);
        }
        if (provisional.sources)
            batch_number(batch, "provisional", provisional.sources);
        if (provisional.elsewhere)
            batch_number(batch, "elsewhere", 1);
        if (provisional.redirected)
            batch_number(batch, "redirected", 1);
    }
    if (question->source_gone)
        batch_number(batch, "source_gone", 1);
}

/* One that differs from the answer before is worth saying which route it is by. */
static void nexthop_answer(struct answers *answers, const struct question *question,
                           struct netlink_nexthop *nexthop, struct netlink_nexthop *other)
{
    struct netlink_nexthop match = {.error = -EIO}, *also = NULL;
    struct lookup lookup = question->lookup;
    char prefix[IP_TEXT_SIZE + 8];
    struct provisional provisional;
    bool reported = false;
    uint64_t token;

    nexthop_check(answers, &question->lookup, nexthop);
    if (other) {
        const struct lookup other_lookup = lookup_other(&question->lookup);

        nexthop_check(answers, &other_lookup, other);
        if (nexthop->error && !other->error)
            nexthop = other;
        else if (!nexthop->error && !other->error)
            also = other;
    }
    if (nexthop == other)
        lookup = lookup_other(&question->lookup);
    provisional = provisional_of(answers, &lookup, nexthop);
    gateways_watch(&answers->gateways, nexthop);
    token = token_of(question, nexthop, also, provisional);
    if (question->token >> 1 == token >> 1) {
        batch_begin(&answers->batch, question->id);
        batch_number(&answers->batch, "token", question->token);
        return;
    }
    answers->differs = true;
    if (nexthop->error) {
        nexthop_say(answers, question, token, nexthop, NULL, NULL, provisional);
        return;
    }
    if (answers->default_only && question->token & 1) {
        match = (struct netlink_nexthop){.prefix_family = 4};
    } else if (!question->token || answers->matches) {
        answers->matches -= question->token && answers->matches;
        lookup.match = true;
        lookup_ask(answers->socket, &lookup, 1, &match);
    }
    reported = prefix_text(&match, prefix, sizeof(prefix));
    token |= reported && !match.prefix_length;
    nexthop_say(answers, question, token, nexthop, also, reported ? prefix : NULL, provisional);
}

/* ---- slices ---- */

/* Answers up to a batch of questions from the queue's head. Returns how many lookups that took. */
static size_t batch_answer(struct answers *answers)
{
    struct question *questions[LOOKUP_BATCH];
    size_t places[LOOKUP_BATCH] = {0}, n_questions = 0, n_lookups = 0;
    struct lookup lookups[LOOKUP_BATCH];
    struct netlink_nexthop nexthops[LOOKUP_BATCH] = {0};

    while (n_questions < answers->count && n_lookups + 2 <= LOOKUP_BATCH &&
           n_questions < LOOKUP_BATCH) {
        struct question *question = &answers->queue[answers->head + n_questions];

        questions[n_questions] = question;
        places[n_questions++] = n_lookups;
        if (question->is_address)
            continue;
        question_source(answers, question);
        lookups[n_lookups++] = question->lookup;
        if (!question->both_families)
            continue;
        lookups[n_lookups++] = lookup_other(&question->lookup);
    }
    if (n_lookups)
        lookup_ask(answers->socket, lookups, n_lookups, nexthops);
    for (size_t i = 0; i < n_questions; i++) {
        struct netlink_nexthop *nexthop = &nexthops[places[i]];

        if (questions[i]->is_address) {
            address_answer(answers, questions[i]);
            continue;
        }
        if (questions[i]->no_such_link)
            *nexthop = (struct netlink_nexthop){.error = -ENODEV};
        nexthop_answer(answers, questions[i], nexthop,
                       questions[i]->both_families ? nexthop + 1 : NULL);
    }
    answers->head += n_questions;
    answers->count -= n_questions;
    if (!answers->count)
        answers->head = 0;
    return n_lookups + n_questions;
}

/* What the kernel has said of it since goes first: what an answer means may hang on how it came
 * about. */
static void answers_emit(struct answers *answers)
{
    struct gateways *gateways = &answers->gateways;

    if (gateways->differs) /* what fails is tried again with the next answers */
        gateways->differs =
            netlink_listener_watch(answers->listener, gateways->addresses, gateways->count) < 0;
    if (answers->differs)
        netlink_listener_read(answers->listener);
    answers->differs = false;
    batch_emit(&answers->batch, answers->host);
}

static int answers_defer(sd_event_source *source, void *user)
{
    struct answers *answers = user;
    size_t done = 0;

    (void)source;
    if (!answers->count) {
        answers->busy = false;
        answers_emit(answers);
        return 0; /* one-shot: off until the next question */
    }
    while (answers->count && done < SLICE)
        done += batch_answer(answers);
    answers_emit(answers);
    return sd_event_source_set_enabled(answers->defer, SD_EVENT_ONESHOT);
}

int answers_query(struct answers *answers, const struct pd_query *query)
{
    struct question question;

    question_read(answers->state, query, &question);
    if (answers->head && answers->head + answers->count == answers->capacity) {
        memmove(answers->queue, answers->queue + answers->head,
                answers->count * sizeof(*answers->queue));
        answers->head = 0;
    }
    answers->queue = array_reserve(answers->queue, &answers->capacity,
                                   answers->head + answers->count + 1, sizeof(*answers->queue));
    answers->queue[answers->head + answers->count++] = question;
    if (answers->busy)
        return 0;
    /* The first is answered at once: mostly it is the only one. One about an address costs
     * nothing, and goes with the one behind it. */
    if (question.is_address) {
        batch_answer(answers);
        return sd_event_source_set_enabled(answers->defer, SD_EVENT_ONESHOT);
    }
    answers->busy = true;
    batch_answer(answers);
    answers_emit(answers);
    return sd_event_source_set_enabled(answers->defer, SD_EVENT_ONESHOT);
}

int answers_start(struct answers *answers, struct pd_source_host *host,
                  struct netlink_listener *listener)
{
    int r;

    answers->host = host;
    answers->listener = listener;
    answers->state = netlink_listener_state(listener);
    batch_init(&answers->batch);
    r = lookup_socket_new(&answers->socket);
    if (r < 0)
        return r;
    r = sd_event_add_defer(host->loop, &answers->defer, answers_defer, answers);
    if (r < 0)
        return r;
    return sd_event_source_set_enabled(answers->defer, SD_EVENT_OFF);
}

void answers_stop(struct answers *answers)
{
    answers->defer = sd_event_source_disable_unref(answers->defer);
    answers->socket = lookup_socket_free(answers->socket);
    batch_clear(&answers->batch);
    free(answers->queue);
}
