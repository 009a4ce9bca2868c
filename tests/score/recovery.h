/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end's loss recovery and congestion control: RFC 9002, without its packet number spaces.
 * Sends nothing itself: stack.c does, and asks this what and when.
 */
#ifndef SCORE_RECOVERY_H
#define SCORE_RECOVERY_H

#include "stream.h"

#include <stdbool.h>
#include <stdint.h>

#define SENT_RING     512u
#define INITIAL_RTT   UINT64_C(333000)
#define MAX_ACK_DELAY UINT64_C(25000)
#define FULL_BYTES    1350u
#define LEAST_BYTES   1200u

struct sent {
    uint64_t at_us;
    uint64_t message; /* NO_MESSAGE: none */
    uint32_t bytes;
    bool outstanding;
    bool old_path; /* counts no more among the bytes in flight */
};

struct ack {
    uint64_t largest;
    uint64_t mask; /* bit n: largest - n was received */
    bool any;
};

struct recovery {
    struct sent sent[SENT_RING];
    uint64_t next;    /* packet number */
    uint64_t oldest;  /* no older one is outstanding */
    uint64_t largest; /* acknowledged, plus 1 */
    uint64_t last_us; /* the last ack-eliciting packet was sent */
    uint64_t loss_us; /* when one is lost by time; UINT64_MAX: none */
    unsigned n_outstanding;
    unsigned ptos; /* consecutive probe timeouts */

    uint64_t srtt_us, latest_us, min_us, rttvar_us;
    uint64_t samples; /* on this path */

    uint64_t window, threshold, in_flight;
    uint64_t recovery_us; /* packets sent before are of a loss that was answered */
    uint64_t lost;        /* packets, of the whole connection */
    uint64_t acked_bytes; /* of messages, the same */

    struct ack received; /* from the other end */
};

void recovery_init(struct recovery *recovery);
/* Another path: RTT and window begin anew, what is under way counts no more. */
void recovery_path(struct recovery *recovery);

uint64_t recovery_pto_us(const struct recovery *recovery); /* without back-off */
/* When the loss timer or a probe timeout is due; UINT64_MAX: never. */
uint64_t recovery_deadline_us(const struct recovery *recovery);
bool recovery_room(const struct recovery *recovery, uint32_t bytes);

/* An ack-eliciting packet leaves. Returns its number. */
uint64_t recovery_sent(struct recovery *recovery, uint64_t message, uint32_t bytes,
                       uint64_t now_us);
/* An ACK came. */
void recovery_acked(struct recovery *recovery, struct stream *stream, const struct ack *ack,
                    uint64_t now_us);
/* The loss timer is due. */
void recovery_detect(struct recovery *recovery, struct stream *stream, uint64_t now_us);
/* A packet of the other end with this number came. */
void recovery_received(struct recovery *recovery, uint64_t number);
void recovery_sample(struct recovery *recovery, uint64_t rtt_us);

#endif
