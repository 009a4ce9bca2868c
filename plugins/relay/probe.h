/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to an address and the time until its answer, from a socket of its own: another one
 * for each try, so that the answer to an earlier try is none to this one, and connected, so that
 * the kernel drops what comes from elsewhere and tells of ICMP errors. Nobody listens in between,
 * but each try has the same port as the last time, if that is free: for whoever is asked, it is the
 * same asker.
 */
#ifndef RELAY_PROBE_H
#define RELAY_PROBE_H

#include <pathdog/source.h>

#define PROBE_ASK_MAX    1500u
#define PROBE_ERROR_SIZE 128u
#define PROBE_TRIES_MAX  2u
#define PROBE_NO_RTT     UINT64_MAX

enum probe_read {
    PROBE_GARBAGE,  /* no answer: it is waited for */
    PROBE_ANSWERED, /* the time counts */
    PROBE_REFUSED,  /* an answer, but it serves nobody */
};

struct probe;

struct probe_kind {
    /* Writes the question of up to PROBE_ASK_MAX bytes, and returns its length. Another one for
     * each try, if need be. */
    size_t (*ask)(struct probe *probe, uint8_t *out);
    /* `ret_why` is what is wrong with it, where anything is; it is copied. */
    enum probe_read (*read)(struct probe *probe, const uint8_t *bytes, size_t length,
                            const char **ret_why);
    /* Called once, from the loop, never from within probe_start. The probe is at rest then. */
    void (*done)(struct probe *probe);
    uint64_t wait_us; /* for the answer to one try */
    unsigned tries;
};

/* Zeroed is at rest. */
struct probe {
    uint16_t ports[PROBE_TRIES_MAX]; /* of its own, for each try; kept from one start to the next */
    const struct probe_kind *kind;
    struct pd_address address;
    sd_event_source *io, *timer;
    unsigned tries;      /* so far */
    unsigned n_garbage;  /* datagrams that were no answer */
    uint64_t sent_ns;    /* CLOCK_MONOTONIC */
    uint64_t sent_at_ns; /* CLOCK_REALTIME, as the kernel's timestamps are */
    /* When it is done: */
    uint64_t rtt_ns; /* PROBE_NO_RTT: none */
    int error;       /* what a call gave, -errno; 0: none did */
    char why[PROBE_ERROR_SIZE];
};

/* 0; or -errno: it is at rest, and `done` is not called. */
int probe_start(struct probe *probe, sd_event *loop, const struct probe_kind *kind,
                const struct pd_address *address);

/* Says, of one that is done, where the machine forbade to ask: that is no fault of who was asked,
 * and the operator can allow it. Each time; the host says it once a minute. */
void probe_notice(const struct probe *probe, struct pd_source_host *host);

/* Puts it at rest; `done` is not called. */
void probe_stop(struct probe *probe);

#endif
