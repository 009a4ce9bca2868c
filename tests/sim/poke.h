/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poke: a trigger for tests. It has no policy of its own: it does what it was
 * told to do, in the callback in which it was told to do it. Its state is with
 * the test (a pointer in its first option), so that the test sees every call.
 */
#ifndef SIM_POKE_H
#define SIM_POKE_H

#include <pathdog/trigger.h>

enum poke_call {
    POKE_IN_SIGNAL,
    POKE_IN_SAMPLE,
    POKE_IN_PEER,
    POKE_IN_TIMER,
    POKE_IN_NODE,
    POKE_IN_START,
    POKE_IN_STOP,
    POKE_CALLS
};

enum poke_do {
    POKE_ADVISE,
    POKE_ADVISE_SAME, /* advice NULL */
    POKE_WITHDRAW,
    POKE_OPEN_CAUSE, /* its number goes to poke.last_cause */
    POKE_CLOSE_CAUSE,
    POKE_POLL,
    POKE_TIMER,
    POKE_QUERY,
    POKE_NOTICE,
    POKE_PROBE,
    POKE_GIVEN_UP, /* number: 0 or 1 */
    POKE_NO_ROUTE, /* the same */
    POKE_FAIL,     /* the callback returns -EPROTO */
    POKE_WAITS,    /* does advice wait? The answer goes to poke.waits */
};

struct poke_step {
    enum poke_do what;
    uint32_t peer;
    uint64_t number; /* cause, time or query id */
    struct pd_advice advice;
    const char *text; /* of a cause or a notice */
};

#define POKE_STEPS 64

struct poke {
    struct poke_step steps[POKE_CALLS][POKE_STEPS]; /* done once */
    size_t n_steps[POKE_CALLS];
    /* what the last calls said */
    uint64_t last_cause;
    int last_result;
    bool waits;
    /* counted */
    uint64_t called[POKE_CALLS];
    uint64_t changes[PD_PEER_MISSING + 1]; /* per enum pd_peer_change */
    uint64_t stops;
    uint64_t advised; /* that were taken */
    /* as last told */
    struct pd_sample sample;
    struct pd_node_event node;
    struct pd_signal signal;
    enum pd_peer_change change;
    uint64_t change_conn;
    char change_via[64]; /* of PD_PEER_MIGRATED; "-": NULL */
    bool change_asked;
    struct pd_relays relays; /* without what it points to */
    char first_relay[64];    /* its first one, "name address speaks"; "" */
    uint8_t first_key;       /* its key's first byte */
    uint64_t relays_told;    /* counted */
    uint64_t timer_us;
    uint64_t restored_conn; /* whose text came back, and was as it had been saved */
    uint64_t restored;      /* counted, with those that were not */
    bool state_was_zero;    /* of the peer, at PD_PEER_UP */
    /* whom to report what is said of a connection; NULL: nobody */
    void (*given_up)(void *user, uint64_t conn, bool given_up);
    void (*no_route)(void *user, uint64_t conn, bool none);
    void *user;
};

/* What an instance of poke sees in its options: the test's poke. */
struct pd_value poke_value(struct poke *poke);

struct poke_step *poke_add(struct poke *poke, enum poke_call in, enum poke_do what);

extern const struct pd_trigger pathdog_trigger_poke;
extern const struct pd_trigger pathdog_trigger_prod; /* another of the same */

#endif
