/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the relay's core share. */
#ifndef UDP_RELAY_RELAY_PRIVATE_H
#define UDP_RELAY_RELAY_PRIVATE_H

#include "members.h"
#include "rate.h"
#include "relay.h"
#include "table.h"

#define EVENTS_MAX           1024u
#define REFUSED_EVENTS_PER_S 16u
#define REFUSALS_PER_S       1000u /* to all strangers together */

struct relay {
    struct relay_settings settings;
    struct table table;
    struct strangers *strangers;
    struct members *members;
    uint32_t list;      /* how many lists there have been */
    uint64_t now_us;    /* the latest that was told: it does not go back */
    uint32_t tick_left; /* places that it looks at in this turn */
    uint32_t tick_at;   /* the next place that relay_tick() looks at */
    uint64_t counts[RELAY_COUNTS];
    /* What happened, oldest first. */
    struct relay_event events[EVENTS_MAX];
    uint32_t n_events, first_event;
    uint64_t refused_second_us; /* refusals are told of a few times a second: */
    uint32_t refused_in_second;
    uint64_t refusals_second_us; /* and so many are answered: */
    uint32_t refusals_in_second;
};

static inline void relay_count_one(struct relay *relay, enum relay_count count)
{
    relay->counts[count]++;
}

/* ---- events.c ---- */

/* NULL: not about a session. */
struct relay_event *event_add(struct relay *relay, uint64_t now_us, enum relay_event_kind kind,
                              enum relay_reason reason, const struct session *session);
/* Of a registration with that id; not each one. */
void event_refused(struct relay *relay, uint64_t now_us, enum relay_reason reason,
                   const struct endpoint *from, const char *id, size_t id_size);

/* ---- session.c ---- */

/* When it ends if nothing comes any more, and why. */
uint64_t session_ends_us(const struct relay *relay, const struct session *session,
                         enum relay_reason *ret_reason);
/* Ends it if its time is over, or if it waits for a peer and the list of members does not have it
 * any more; true then. */
bool session_end_if_over(struct relay *relay, uint64_t now_us, struct session *session);
void session_end(struct relay *relay, uint64_t now_us, struct session *session,
                 enum relay_reason reason);
/* To another port of its address. */
void session_move(struct relay *relay, uint64_t now_us, uint32_t number,
                  const struct endpoint *from, enum relay_reason reason);
/* That it may still send; UINT64_MAX: no limit. */
uint64_t member_left_bytes(const struct relay *relay, const struct member *member);

/* ---- answer.c ---- */

/* `text` if it is not longer than the question, of `size` bytes. */
void answer_text(struct relay *relay, struct relay_out *out, const char *text, size_t size);
/* The same, at most once a second: `*said_us` is when it was said last. */
void answer_rarely(struct relay *relay, uint64_t now_us, uint64_t *said_us, struct relay_out *out,
                   const char *text, size_t size);
/* A refusal of somebody who is no member: bounded in all, and, where `said_us` is not NULL, to once
 * a second for him. */
void answer_stranger(struct relay *relay, uint64_t now_us, uint64_t *said_us, struct relay_out *out,
                     const char *text, size_t size);
/* "LEASE:…", of what is left in that session. */
void answer_lease(struct relay *relay, uint64_t now_us, const struct session *session,
                  struct relay_out *out);

/* ---- register.c ---- */

/* `question`: what came, as many bytes. */
struct registration {
    const struct endpoint *from, *to;
    const char *id;
    size_t id_size, question_size;
};

/* Of somebody who is no member of any session. */
void register_new(struct relay *relay, uint64_t now_us, const struct registration *asked,
                  struct relay_out *out);
/* Of a member, again. */
void register_again(struct relay *relay, uint64_t now_us, uint32_t number,
                    const struct registration *asked, struct relay_out *out);

#endif
