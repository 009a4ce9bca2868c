/* SPDX-License-Identifier: Apache-2.0 */
#include "term.h"

#include "util/util.h"

/* Of the time that is left: so much more is more. */
#define CLEARLY_US UINT64_C(1000000)

/* Later than this is told as this: 35 000 years, which may be added to a time. */
#define ETA_MOST_MS (UINT64_C(1) << 50)

uint64_t lease_payload(uint64_t bytes)
{
    return bytes - bytes / 20 - (bytes % 20 ? 1 : 0);
}

/* What the node says of one direction. */
static uint64_t told(const struct pd_row *row, enum pd_column column)
{
    return min_u64(row->v[column], row->v[PD_LEASE_BYTES]); /* PD_UNKNOWN is the greatest */
}

static uint64_t bytes_left(uint64_t told, uint64_t limit, uint64_t used)
{
    if (told != PD_UNKNOWN)
        return told;
    return limit ? sub_u64(limit, used) : PD_UNKNOWN;
}

struct lease_left lease_left(const struct pd_row *row, const struct lease_limits *limits,
                             uint64_t now_us, uint64_t since_us, const struct lease_meter *sent,
                             const struct lease_meter *received)
{
    struct lease_left left = {.cut_us = PD_UNKNOWN};

    if (row->v[PD_LEASE_MS] != PD_UNKNOWN)
        left.cut_us = now_us + row->v[PD_LEASE_MS] * 1000; /* below 2^53 */
    else if (limits->duration_us)
        left.cut_us = since_us + limits->duration_us;
    left.sent = bytes_left(told(row, PD_LEASE_SENT_BYTES), limits->data,
                           lease_meter_used(sent, row->v[PD_BYTES_SENT]));
    left.received = bytes_left(told(row, PD_LEASE_RECEIVED_BYTES), limits->data,
                               lease_meter_used(received, row->v[PD_BYTES_RECEIVED]));
    return left;
}

/* `left` of the limit; of which the payload is 0.95 × the whole limit, less what was used, where
 * the limit is known, and 0.95 × what is left where only that is. */
static uint64_t eta_ms(uint64_t left, bool is_told, uint64_t limit, uint64_t rate)
{
    uint64_t payload;

    if (left == PD_UNKNOWN || !rate)
        return PD_UNKNOWN;
    payload = is_told ? lease_payload(left) : sub_u64(lease_payload(limit), limit - left);
    return min_u64(payload * 1000 / rate, ETA_MOST_MS); /* below 2^53 bytes */
}

static void take_earlier(struct lease_term *term, enum lease_end end, uint64_t eta_ms)
{
    if (eta_ms < term->eta_ms)
        *term = (struct lease_term){end, eta_ms};
}

struct lease_term lease_term(const struct pd_row *row, const struct lease_limits *limits,
                             const struct lease_left *left, uint64_t now_us,
                             const struct lease_meter *sent, const struct lease_meter *received)
{
    struct lease_term term = {LEASE_END_NONE, PD_UNKNOWN};

    if (left->cut_us != PD_UNKNOWN)
        take_earlier(&term, LEASE_END_TIME, sub_u64(left->cut_us, now_us) / 1000);
    take_earlier(
        &term, LEASE_END_SENT,
        eta_ms(left->sent, told(row, PD_LEASE_SENT_BYTES) != PD_UNKNOWN, limits->data, sent->rate));
    take_earlier(&term, LEASE_END_RECEIVED,
                 eta_ms(left->received, told(row, PD_LEASE_RECEIVED_BYTES) != PD_UNKNOWN,
                        limits->data, received->rate));
    return term;
}

bool lease_unlimited(const struct lease_left *left)
{
    return left->cut_us == PD_UNKNOWN && left->sent == PD_UNKNOWN && left->received == PD_UNKNOWN;
}

static bool grew(uint64_t before, uint64_t now, uint64_t clearly)
{
    return before != PD_UNKNOWN && now != PD_UNKNOWN && now > before && now - before > clearly;
}

bool lease_renewed(const struct lease_left *before, uint64_t then_us, const struct lease_left *now,
                   uint64_t now_us)
{
    if (grew(before->cut_us, now->cut_us, CLEARLY_US) &&
        sub_u64(now->cut_us, now_us) > sub_u64(before->cut_us, then_us))
        return true;
    return grew(before->sent, now->sent, 0) || grew(before->received, now->received, 0);
}
