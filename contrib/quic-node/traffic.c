/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checked bytes. To each peer goes one endless stream of bytes that follow from their
 * offsets, cut into messages; it outlives connections: on a new one each side says how far
 * it has come, and the other goes on from there. What is not acknowledged by the peer's
 * program is kept (as offsets, since it can be made again), up to --backlog bytes.
 */
#include "node.h"

#include <errno.h>
#include <string.h>

#define MESSAGE_HEADER_BYTES 28 /* sequence, offset, time sent, checksum */
#define MESSAGE_MAX_BYTES    1000
#define UNSENT_MAX_BYTES     65536 /* framed for QUIC, not taken by it yet */
#define ACK_DELAY_NS         (50 * NS_PER_MS)

static uint32_t crc32_of(const uint8_t *data, size_t len, uint32_t crc)
{
    static const uint32_t nibble[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };

    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return ~crc;
}

/* The bytes at [offset, offset + len): splitmix64 of the seed and the eighth of the offset. */
static void content(uint64_t seed, uint64_t offset, uint8_t *data, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++, offset++) {
        if (i == 0 || offset % 8 == 0) {
            word = seed + (offset / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);
            word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
            word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
            word ^= word >> 31;
        }
        data[i] = (uint8_t)(word >> offset % 8 * 8);
    }
}

/* 20 ms of the rate, so that the default is 100 bytes each 20 ms. */
static uint64_t message_bytes(const struct peer *p)
{
    uint64_t n = p->node->options->rate_bytes / 50;

    return n < 16 ? 16 : n > MESSAGE_MAX_BYTES ? MESSAGE_MAX_BYTES : n;
}

void traffic_make(struct peer *p)
{
    uint64_t rate = p->node->options->rate_bytes, size = message_bytes(p), n;

    if (p->tx_last_ns == 0 || rate == 0)
        return;
    /* a long sleep is cut short; the product must fit */
    n = p->node->now_ns - p->tx_last_ns;
    if (n > 60 * NS_PER_S)
        n = 60 * NS_PER_S;
    p->tx_credit += n * rate;
    p->tx_last_ns = p->node->now_ns;
    n = p->tx_credit / (size * NS_PER_S);
    p->tx_credit -= n * size * NS_PER_S;
    for (; n > 0 && p->tx_made - p->tx_acked + size <= p->node->options->backlog_bytes; n--)
        p->tx_made += size;
}

/* When the next message is due; only while somebody can take it. */
static uint64_t next_message_ns(const struct peer *p)
{
    uint64_t rate = p->node->options->rate_bytes, size = message_bytes(p);

    if (!p->tx_ready || rate == 0 || p->tx_last_ns == 0 ||
        p->tx_made - p->tx_acked + size > p->node->options->backlog_bytes)
        return UINT64_MAX;
    return p->tx_last_ns + (size * NS_PER_S - p->tx_credit + rate - 1) / rate;
}

uint64_t traffic_next_ns(const struct peer *p)
{
    uint64_t next = next_message_ns(p);

    if (p->live && p->tx_ready && p->rx_next != p->rx_reported && p->rx_ack_at_ns < next &&
        p->live->out_unsent_bytes < UNSENT_MAX_BYTES)
        next = p->rx_ack_at_ns;
    return next;
}

static void message_send(struct peer *p, size_t len)
{
    uint8_t body[MESSAGE_HEADER_BYTES + MESSAGE_MAX_BYTES];
    uint32_t crc;

    put_u64(body, p->tx_sent / len);
    put_u64(body + 8, p->tx_sent);
    put_u64(body + 16, realtime_us());
    content(p->tx_seed, p->tx_sent, body + MESSAGE_HEADER_BYTES, len);
    crc = crc32_of(body + MESSAGE_HEADER_BYTES, len, crc32_of(body, 24, 0));
    for (int i = 0; i < 4; i++)
        body[24 + i] = (uint8_t)(crc >> (24 - 8 * i));
    if (frame_append(p->live, 'D', body, MESSAGE_HEADER_BYTES + len) < 0)
        return;
    p->tx_sent += len;
    p->count.sent += len;
    p->count.messages_sent++;
}

void traffic_send(struct peer *p)
{
    uint8_t offset[8];

    if (!p->live || !p->tx_ready)
        return;
    while (p->tx_sent < p->tx_made && p->live->out_unsent_bytes < UNSENT_MAX_BYTES &&
           !p->live->failed)
        message_send(p, message_bytes(p));
    if (p->rx_next != p->rx_reported && p->rx_ack_at_ns <= p->node->now_ns &&
        p->live->out_unsent_bytes < UNSENT_MAX_BYTES) {
        put_u64(offset, p->rx_next);
        frame_append(p->live, 'A', offset, sizeof(offset));
        p->rx_reported = p->rx_next;
    }
}

/* A new connection: the peer has (or not) our bytes up to rx_next. */
void traffic_resume(struct peer *p, bool known, uint64_t rx_next)
{
    if (known && rx_next <= p->tx_made) {
        p->tx_sent = rx_next;
        if (rx_next > p->tx_acked)
            p->tx_acked = rx_next;
    } else {
        /* another process, or it has nothing yet: it gets what nobody acknowledged */
        p->tx_sent = p->tx_acked;
    }
    if (p->tx_last_ns == 0)
        p->tx_last_ns = p->node->now_ns;
    p->rx_reported = p->rx_next;
    p->tx_ready = true;
}

void traffic_ack(struct peer *p, uint64_t offset)
{
    if (offset > p->tx_acked && offset <= p->tx_sent)
        p->tx_acked = offset;
}

static void rx_progress(struct peer *p)
{
    uint64_t gap = p->node->now_ns - p->rx_last_ns;

    if (p->rx_last_ns && gap > p->count.longest_gap_ns) {
        p->count.longest_gap_ns = gap;
        p->count.longest_gap_at_us = realtime_us() - gap / 1000;
    }
    if (p->rx_last_ns && gap > p->count.recent_gap_ns)
        p->count.recent_gap_ns = gap;
    p->rx_last_ns = p->node->now_ns;
}

/* The gap that is open now counts too. */
uint64_t traffic_gap_ns(const struct peer *p, uint64_t *ret_began_us)
{
    uint64_t gap = p->rx_last_ns ? p->node->now_ns - p->rx_last_ns : 0;

    *ret_began_us = p->count.longest_gap_at_us;
    if (gap <= p->count.longest_gap_ns)
        return p->count.longest_gap_ns;
    *ret_began_us = realtime_us() - gap / 1000;
    return gap;
}

int traffic_data(struct peer *p, const uint8_t *body, size_t len)
{
    uint8_t wanted[MESSAGE_MAX_BYTES];
    uint64_t sequence, offset;
    uint32_t crc = 0;

    if (len <= MESSAGE_HEADER_BYTES || len > MESSAGE_HEADER_BYTES + MESSAGE_MAX_BYTES)
        return -EPROTO;
    sequence = get_u64(body);
    offset = get_u64(body + 8);
    for (int i = 0; i < 4; i++)
        crc = crc << 8 | body[24 + i];
    len -= MESSAGE_HEADER_BYTES;
    p->count.received += len;
    p->count.messages_received++;
    if (p->rx_known && offset < p->rx_next) { /* came on the previous connection already */
        p->count.duplicate += len;
        return 0;
    }
    if (p->rx_known && offset > p->rx_next)
        p->count.lost += offset - p->rx_next;
    content(p->rx_seed, offset, wanted, len);
    if (crc == crc32_of(body + MESSAGE_HEADER_BYTES, len, crc32_of(body, 24, 0)) &&
        sequence == offset / len && memcmp(wanted, body + MESSAGE_HEADER_BYTES, len) == 0) {
        p->count.verified += len;
        rx_progress(p);
    } else {
        p->count.corrupt += len;
    }
    if (!p->rx_known || p->rx_next == p->rx_reported)
        p->rx_ack_at_ns = p->node->now_ns + ACK_DELAY_NS;
    p->rx_known = true;
    p->rx_next = offset + len;
    return 0;
}
