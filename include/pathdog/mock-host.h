/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host for one trigger under test: a table of peers, and a list of all that
 * the trigger said. Decides nothing; what is checked is what was called. The
 * ages of a row are measured as pathdog measures them.
 *
 * For tests of triggers only, and no part of the ABI. A test is linked with the
 * trigger and with mock-host.c, which is where
 * `pkg-config --variable=mockhost pathdog` says; contrib/trigger-example has
 * one. A callback that fails, or an option that is not there, ends the program.
 */
#ifndef PATHDOG_MOCK_HOST_H
#define PATHDOG_MOCK_HOST_H

#include <pathdog/trigger.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mock_peer {
    struct pd_peer peer;
    struct pd_path path;
    char name[64], local[64], remote[64], via[64];
    void *state;
    bool up;
    bool in_flight;         /* set by the test: a request is open */
    bool waits;             /* set by the test: advice of the trigger waits */
    uint64_t look_until_us; /* asked for by look */
    uint32_t withdrawn;     /* calls of withdraw */
    uint32_t advised;       /* calls of advise */
    uint32_t probed;        /* calls of probe */
    bool given_up;          /* said by given_up */
    bool no_route;          /* said by no_route */
    uint32_t routed;        /* calls of no_route that say that there is one */
    /* what the next sample is made of; 0: never, not so */
    struct pd_row row; /* each column as it was last known */
    uint64_t last_look_us, regular_us, progress_us, unacked_since_us, outstanding_since_us;
    uint64_t acked_us;
    uint32_t outstanding_rows;
    bool outstanding_always, outstanding_sent, application;
    bool deserted; /* set by the test: as in struct pd_sample */
};

struct mock_advice {
    uint32_t peer;
    enum pd_kind kind;
    uint64_t cause;
    char reason[512];
    char evidence[512]; /* "name=value name=value" */
    char via[256];      /* "": none */
};

struct mock_query {
    uint64_t id;
    char fields[512]; /* "name=value name=value" */
};

struct mock_notice {
    enum pd_level level;
    char what[32];
    char text[768];
};

#define MOCK_OPTIONS 64 /* as many as pathdog takes */

#define MOCK_SAMPLE_INTERVAL_US 5000000u
#define MOCK_CLOSE_INTERVAL_US  500000u

struct mock {
    struct pd_host host;
    struct pd_turn turn;
    const struct pd_trigger *trigger;
    struct pd_value values[MOCK_OPTIONS];
    char *texts[MOCK_OPTIONS];
    struct mock_peer *peers;
    uint32_t n_peers; /* slots */
    uint64_t next_conn;
    bool count_only; /* keep no texts of advice, for large tests */
    bool fast_polls; /* the next samples are of fast polls: none is a regular row */

    struct mock_advice *advice;
    size_t n_advice;
    struct mock_query *queries;
    size_t n_queries;
    struct mock_notice *notices;
    size_t n_notices;
    uint64_t causes; /* opened so far; the number of the last one */
    char cause_reason[512];
    uint64_t open_causes;
    uint64_t timer_us;                                                 /* 0: none */
    void (*on_query)(struct mock *mock, const struct pd_query *query); /* NULL: only listed */
    void *user;
    char told[PD_SAVED_MAX];
};

/* `options` is NULL or "name=value name=value", values as numbers (µs, bytes,
 * permille) or text with '+' for a space. Returns what start returned. */
int mock_start(struct mock *mock, const struct pd_trigger *trigger, const char *options);
void mock_stop(struct mock *mock);

/* Addresses as the node writes them, NULL: not told. */
uint32_t mock_peer_up(struct mock *mock, const char *name, const char *local, const char *remote);
void mock_peer_set(struct mock *mock, uint32_t peer, const char *local, const char *remote);
void mock_peer_change(struct mock *mock, uint32_t peer, enum pd_peer_change change);
void mock_peer_down(struct mock *mock, uint32_t peer);

/* PD_PEER_MIGRATED by a request that named this relay (or "direct"; NULL: none). What the node says
 * of it is a mock_peer_via before or after that. */
void mock_migrated(struct mock *mock, uint32_t peer, const char *via, bool asked);
/* PD_PEER_PATH: it goes over that relay now, or "direct". */
void mock_peer_via(struct mock *mock, uint32_t peer, const char *via);

/* What the node says of relays. */
void mock_relays(struct mock *mock, const struct pd_relays *relays);

void mock_node(struct mock *mock, uint32_t uid);

/* A row. What it says besides `fresh` follows from the rows before it. Only what
 * `columns` says is there, all in mock_sample. */
void mock_sample(struct mock *mock, uint32_t peer, const struct pd_row *row, bool fresh);
void mock_sample_columns(struct mock *mock, uint32_t peer, const struct pd_row *row, bool fresh,
                         uint32_t columns);

/* `fields` as in mock_start, all digits is a number. */
void mock_signal(struct mock *mock, const char *kind, uint64_t query, const char *fields);
void mock_signal_fields(struct mock *mock, const struct pd_signal *signal);

/* Lets time pass to `now_us`, calling the timer when it is due. */
void mock_time(struct mock *mock, uint64_t now_us);

/* Forget advice, queries and notices so far. */
void mock_clear(struct mock *mock);

/* What `tell` says now, "" without it; lives until mock_stop. */
const char *mock_tell(struct mock *mock, uint32_t peer);

/* A row of which nothing is known. */
struct pd_row mock_row(void);
void mock_address(const char *text, struct pd_address *ret_address);

#ifdef __cplusplus
}
#endif

#endif
