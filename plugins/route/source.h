/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the route trigger's source: the half that listens
 * (source.c) and the half that answers (answer.c, answer-batch.c).
 */
#ifndef ROUTE_SOURCE_H
#define ROUTE_SOURCE_H

#include "../ip-text.h"
#include "netlink/lookup.h"
#include "netlink/netlink-listen.h"

#include <pathdog/source.h>

struct question {
    uint64_t id;
    uint64_t token; /* of the answer before, 0: none */
    struct lookup lookup;
    bool is_address;    /* is `lookup.source` on this host? */
    bool by_default;    /* no destination: the default next hop */
    bool both_families; /* of IPv4 and of IPv6 */
    bool source_gone;
    bool no_such_link; /* that it is about */
};

/* ---- question.c ---- */

void question_read(const struct netlink_state *state, const struct pd_query *query,
                   struct question *ret_question);
/* The default next hop of IPv6, where this one is about that of IPv4. */
struct lookup lookup_other(const struct lookup *lookup);

/* ---- answer-batch.c: answers on their way, all of a slice in one signal ---- */

/* Answers in one signal: what a slice and its last batch may have. */
#define BATCH_MAX (256u + LOOKUP_BATCH)

/* Texts that the fields of one answer point to. */
struct answer_texts {
    char ifname[16];
    char gateway[IP_TEXT_SIZE];
    char source[IP_TEXT_SIZE];
    char also[96];
    char prefix[IP_TEXT_SIZE + 8];
};

struct answer_batch {
    struct answer_texts *texts; /* of BATCH_MAX answers */
    size_t n_answers;
    struct pd_field *fields;
    size_t n_fields, capacity;
};

void batch_init(struct answer_batch *batch);
void batch_clear(struct answer_batch *batch);

/* Begins an answer. Returns room for its texts. */
struct answer_texts *batch_begin(struct answer_batch *batch, uint64_t query);
void batch_number(struct answer_batch *batch, const char *name, uint64_t number);
void batch_text(struct answer_batch *batch, const char *name, const char *text);

/* Emits what was collected, if anything. */
void batch_emit(struct answer_batch *batch, struct pd_source_host *host);

/* ---- gateways.c ---- */

struct gateway {
    uint32_t used; /* when an answer named it last: the oldest makes room */
    bool failed;   /* it does not answer */
};

/* The two arrays belong together. */
struct gateways {
    struct netlink_neighbour addresses[NEIGHBOURS_MAX];
    struct gateway all[NEIGHBOURS_MAX];
    size_t count, last; /* `last`: named by the answer before */
    uint32_t clock;
    bool differs; /* from those that the kernel was told to report */
};

/* An answer names it. */
void gateways_watch(struct gateways *gateways, const struct netlink_nexthop *nexthop);
/* Takes in a neighbour: returns whether one of these failed, or does not any more as far as is
 * known. */
bool gateways_take(struct gateways *gateways, const struct netlink_event *event);
/* What was heard of them may be old: returns whether one had failed. */
bool gateways_forget(struct gateways *gateways);

struct answers {
    struct pd_source_host *host;
    struct netlink_listener *listener; /* the other half's */
    struct netlink_state *state;       /* and what it knows */
    struct lookup_socket *socket;
    struct answer_batch batch;
    struct gateways gateways;
    sd_event_source *defer; /* on while something waits */
    struct question *queue;
    size_t capacity, head, count;
    bool busy;         /* something was answered since the loop last came round */
    bool differs;      /* an answer that is not emitted yet is another than before */
    bool default_only; /* all that changed were default routes */
    unsigned matches;  /* more lookups that may be spent on saying which route it was */
};

/* Lookups that tell the changed route's prefix, per event: the sentence is not
 * worth more. */
#define ANSWERS_MATCHES 32u

int answers_start(struct answers *answers, struct pd_source_host *host,
                  struct netlink_listener *listener);
void answers_stop(struct answers *answers);
int answers_query(struct answers *answers, const struct pd_query *query);

#endif
