/* SPDX-License-Identifier: Apache-2.0 */
/* See recovery.h. */
#include "recovery.h"

#include "util/util.h"

#define GRANULARITY_US    UINT64_C(1000)
#define PACKET_THRESHOLD  3u
#define PTO_DOUBLINGS_MAX 10u

void recovery_init(struct recovery *recovery)
{
    recovery->loss_us = UINT64_MAX;
    recovery->window = 10 * (uint64_t)LEAST_BYTES;
    recovery->threshold = UINT64_MAX;
}

void recovery_path(struct recovery *recovery)
{
    recovery->window = 10 * (uint64_t)LEAST_BYTES;
    recovery->threshold = UINT64_MAX;
    recovery->in_flight = 0;
    recovery->ptos = 0;
    recovery->samples = 0;
    recovery->srtt_us = recovery->latest_us = recovery->min_us = recovery->rttvar_us = 0;
    recovery->loss_us = UINT64_MAX;
    for (uint64_t i = recovery->oldest; i < recovery->next; i++)
        recovery->sent[i % SENT_RING].old_path = true;
}

uint64_t recovery_pto_us(const struct recovery *recovery)
{
    uint64_t srtt_us = recovery->samples ? recovery->srtt_us : INITIAL_RTT;
    uint64_t rttvar_us = recovery->samples ? recovery->rttvar_us : INITIAL_RTT / 2;

    return srtt_us + max_u64(4 * rttvar_us, GRANULARITY_US) + MAX_ACK_DELAY;
}

uint64_t recovery_deadline_us(const struct recovery *recovery)
{
    unsigned doublings = recovery->ptos < PTO_DOUBLINGS_MAX ? recovery->ptos : PTO_DOUBLINGS_MAX;

    if (recovery->loss_us != UINT64_MAX)
        return recovery->loss_us;
    if (!recovery->n_outstanding)
        return UINT64_MAX;
    return recovery->last_us + (recovery_pto_us(recovery) << doublings);
}

bool recovery_room(const struct recovery *recovery, uint32_t bytes)
{
    return recovery->in_flight + bytes <= recovery->window &&
           recovery->next - recovery->oldest < SENT_RING - 16;
}

static void sent_end(struct recovery *recovery, struct sent *sent)
{
    sent->outstanding = false;
    recovery->n_outstanding--;
    if (!sent->old_path)
        recovery->in_flight -= sent->bytes;
    while (recovery->oldest < recovery->next &&
           !recovery->sent[recovery->oldest % SENT_RING].outstanding)
        recovery->oldest++;
}

uint64_t recovery_sent(struct recovery *recovery, uint64_t message, uint32_t bytes, uint64_t now_us)
{
    struct sent *sent = &recovery->sent[recovery->next % SENT_RING];

    if (sent->outstanding) /* so old that the ring is full of it: only probes come here */
        sent_end(recovery, sent);
    *sent = (struct sent){.at_us = now_us, .message = message, .bytes = bytes, .outstanding = true};
    recovery->n_outstanding++;
    recovery->in_flight += bytes;
    recovery->last_us = now_us;
    return recovery->next++;
}

void recovery_sample(struct recovery *recovery, uint64_t rtt_us)
{
    uint64_t off_us;

    recovery->latest_us = rtt_us;
    if (!recovery->samples++) {
        recovery->min_us = recovery->srtt_us = rtt_us;
        recovery->rttvar_us = rtt_us / 2;
        return;
    }
    recovery->min_us = min_u64(recovery->min_us, rtt_us);
    off_us = rtt_us > recovery->srtt_us ? rtt_us - recovery->srtt_us : recovery->srtt_us - rtt_us;
    recovery->rttvar_us = (3 * recovery->rttvar_us + off_us) / 4;
    recovery->srtt_us = (7 * recovery->srtt_us + rtt_us) / 8;
}

static void window_grow(struct recovery *recovery, const struct sent *sent)
{
    /* A sender that does not fill its window says nothing of the path (RFC 9002 §7.8). */
    if (sent->old_path || sent->at_us <= recovery->recovery_us ||
        2 * (recovery->in_flight + sent->bytes) < recovery->window)
        return;
    if (recovery->window < recovery->threshold)
        recovery->window += sent->bytes;
    else
        recovery->window += (uint64_t)FULL_BYTES * sent->bytes / recovery->window;
}

static void window_shrink(struct recovery *recovery, const struct sent *sent, uint64_t now_us)
{
    if (sent->old_path || sent->at_us <= recovery->recovery_us)
        return;
    recovery->recovery_us = now_us;
    recovery->window = max_u64(recovery->window * 7 / 10, 2 * (uint64_t)FULL_BYTES);
    recovery->threshold = recovery->window;
}

void recovery_detect(struct recovery *recovery, struct stream *stream, uint64_t now_us)
{
    uint64_t rtt_us =
        recovery->samples ? max_u64(recovery->srtt_us, recovery->latest_us) : INITIAL_RTT;
    uint64_t patience_us = max_u64(rtt_us * 9 / 8, GRANULARITY_US);

    recovery->loss_us = UINT64_MAX;
    for (uint64_t i = recovery->oldest; i + 1 < recovery->largest; i++) {
        struct sent *sent = &recovery->sent[i % SENT_RING];

        if (!sent->outstanding)
            continue;
        if (i + 1 + PACKET_THRESHOLD > recovery->largest && sent->at_us + patience_us > now_us) {
            recovery->loss_us = min_u64(recovery->loss_us, sent->at_us + patience_us);
            continue;
        }
        window_shrink(recovery, sent, now_us);
        recovery->lost++;
        if (sent->message != NO_MESSAGE)
            stream_again(stream, sent->message);
        sent_end(recovery, sent);
    }
}

static bool ack_has(const struct ack *ack, uint64_t number)
{
    return number <= ack->largest && ack->largest - number < 64 &&
           ack->mask >> (ack->largest - number) & 1;
}

void recovery_acked(struct recovery *recovery, struct stream *stream, const struct ack *ack,
                    uint64_t now_us)
{
    bool news = false;

    if (!ack->any)
        return;
    for (uint64_t i = recovery->oldest; i <= ack->largest && i < recovery->next; i++) {
        struct sent *sent = &recovery->sent[i % SENT_RING];

        if (!sent->outstanding || !ack_has(ack, i))
            continue;
        /* What was sent over another path says nothing of this one's RTT (RFC 9000 §9.4). */
        if (i == ack->largest && !sent->old_path)
            recovery_sample(recovery, now_us - sent->at_us);
        window_grow(recovery, sent);
        if (sent->message != NO_MESSAGE)
            recovery->acked_bytes += stream_acked(stream, sent->message);
        sent_end(recovery, sent);
        recovery->largest = max_u64(recovery->largest, i + 1);
        news = true;
    }
    if (!news)
        return;
    recovery->ptos = 0;
    recovery_detect(recovery, stream, now_us);
}

void recovery_received(struct recovery *recovery, uint64_t number)
{
    struct ack *ack = &recovery->received;

    if (!ack->any || number > ack->largest) {
        uint64_t by = ack->any ? number - ack->largest : 64;

        ack->mask = (by < 64 ? ack->mask << by : 0) | 1;
        ack->largest = number;
        ack->any = true;
    } else if (ack->largest - number < 64) {
        ack->mask |= UINT64_C(1) << (ack->largest - number);
    }
}
