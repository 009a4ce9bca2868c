/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay trigger's state, and its parts: lists.c knows the relays, peers.c the connections and
 * when they leave, tries.c when they come back, say.c the advice, report.c what operators are told;
 * policy.c has the callbacks. All pure.
 */
#ifndef RELAY_POLICY_H
#define RELAY_POLICY_H

#include "pick.h"
#include "rules.h"

#include <pathdog/trigger.h>

#define RELAY_KEY_BYTES  64u
#define RELAY_ERROR_TEXT 64u
#define RELAY_WHY_TEXT   400u

/* What is known of a relay of the list by its probes. */
struct relay_seen {
    uint64_t rtt_ns;    /* RELAY_NO_RTT */
    uint64_t probed_us; /* 0: never */
    char error[RELAY_ERROR_TEXT];
};

/* lists.c */
struct relays {
    struct relay_list config, node, discovered;
    enum relay_from discovered_from;
    bool node_told;
    uint8_t key[RELAY_KEY_BYTES], node_key[RELAY_KEY_BYTES];
    size_t n_key, n_node_key; /* 0: not given */
    char node_name[256];
    /* merged from these */
    struct relay_list list;
    enum relay_from froms[RELAY_LIST_MAX];
    struct relay_seen seen[RELAY_LIST_MAX];
    size_t pick; /* RELAY_NO_PICK */
    enum relay_why why;
    /* those that are not in it */
    struct relay_list left_out;
    enum relay_from left_out_froms[RELAY_LIST_MAX];
    enum relay_left_out left_out_why[RELAY_LIST_MAX];
    uint64_t query; /* the last number given to one */
};

struct relay_trigger {
    struct relay_limits limits;
    bool pin, direct_probe;
    bool obeys; /* the node has the feature */
    uint64_t direct_every_us, sample_interval_us, close_interval_us;
    struct relays relays;
    /* peers.c, tries.c */
    uint32_t n_peers;   /* indexes that were ever seen are below this */
    uint32_t n_relayed; /* connections that go over a relay */
    uint32_t n_pending; /* that were advised to, and do not yet */
    uint32_t next_try;  /* where the round of tries of the direct way goes on */
    bool timer;
};

/* What is known of a connection. */
struct relay_peer {
    uint64_t base_us;     /* the last receipt on this way, else when it began */
    uint32_t sent;        /* bytes_sent in the row before, modulo 2^32 */
    uint32_t errors_seen; /* send_errors in the row before, saturated */
    struct relay_counts counts;
    uint16_t port; /* of its direct address */
    uint8_t address[16];
    uint8_t family; /* of that; 0: not known */
    uint8_t known : 1, sent_known : 1, errors_known : 1, polled : 1, pending : 1;
    uint8_t said : 1;    /* advised that the way is dead, and it may wait */
    uint8_t advised : 3; /* enum relay_rule: of the last advice */
    uint16_t tried;      /* a digest of the way last advised, from this way; 0: none */
    uint16_t via;        /* a digest of the relay in use; 0: direct */
};

/* What it goes over next. */
struct relay_target {
    const struct relay_entry *entry; /* NULL: direct */
    uint64_t rtt_ns;
    enum relay_why why;
    bool next; /* not the pick: that one was tried, or is the one to be left */
};

/* ---- lists.c ---- */

/* Reads the options. NULL, or what is wrong, as a sentence in `error`. */
const char *relays_start(struct relays *relays, const struct pd_start *start, char *error,
                         size_t size);

/* Something of what the list is made of has changed: makes it anew, and has it probed. */
void relays_merge(struct pd_turn *turn, struct relays *relays);

void relays_node(struct pd_turn *turn, struct relays *relays, const struct pd_relays *told);
void relays_discovered(struct pd_turn *turn, struct relays *relays, const struct pd_signal *signal);
void relays_measured(const struct pd_turn *turn, struct relays *relays,
                     const struct pd_signal *signal);

/* Where to, from `via` (NULL or "direct": not over a relay), which `tried` was to lead away from
 * before. False: there is no relay. */
bool relays_target(const struct relays *relays, const char *via, uint16_t tried,
                   struct relay_target *ret);

/* Is that the name of a way over a relay? */
bool relay_is_via(const char *via);
uint16_t relay_digest(const char *via);

/* ---- peers.c ---- */

int peers_event(struct pd_turn *turn, const struct pd_peer_event *event);
int peers_row(struct pd_turn *turn, const struct pd_sample *sample);

/* ---- tries.c ---- */

/* From now on, where there are connections that may go back. */
void tries_begin(struct pd_turn *turn);
/* The timer: asks for some in each turn. */
void tries_turn(struct pd_turn *turn);
int tries_answered(struct pd_turn *turn, const struct pd_signal *signal);

/* ---- say.c ---- */

/* What is said with an advice; of the evidence no more than there is room for. */
struct relay_said {
    char reason[RELAY_WHY_TEXT + 280];
    struct pd_field fields[10];
    size_t n;
};

void relay_say_number(struct relay_said *said, const char *name, uint64_t number);
void relay_say_text(struct relay_said *said, const char *name, const char *text);

/* Advises to go there, with what is known of the relay as evidence. */
int relay_advise(struct pd_turn *turn, uint32_t peer, enum pd_kind kind, struct relay_said *said,
                 const struct relay_target *target);

/* ---- report.c ---- */

/* Why this relay, as a phrase with numbers. */
void relay_why_text(const struct relays *relays, const struct relay_target *target,
                    char text[static RELAY_WHY_TEXT]);

int relay_tell(const void *self, const struct pd_peer *peer, const void *state, uint64_t now_us,
               char *text, size_t size);
bool relay_tell_relay(const void *self, size_t place, struct pd_relay_report *ret);
bool relay_tell_relayed(const void *self, const struct pd_peer *peer, const void *state,
                        struct pd_relayed_report *ret);
int relay_save(const void *self, const struct pd_peer *peer, const void *state, char *text,
               size_t size);
int relay_restore(struct pd_turn *turn, const struct pd_peer_event *event, const char *text);

#endif
