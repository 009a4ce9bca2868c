/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss: too large a share of the packets is lost. Two counters of the node are
 * compared with what they were when at least PACKETS_LEAST packets fewer had been sent:
 * so a thin stream is evaluated as well, only later. Asks for no fast polls: a path
 * that loses packets still carries some, and the next row comes anyway.
 */
#include <inttypes.h>
#include <pathdog/trigger.h>
#include <stdio.h>

enum option {
    OPTION_THRESHOLD,
    OPTION_STRIKES,
};

static const struct pd_option options[] = {
    [OPTION_THRESHOLD] = {"threshold", PD_OPTION_FRACTION, "5%", 1, 1000,
                          "a larger share of lost packets than this is a strike"},
    [OPTION_STRIKES] = {"strikes", PD_OPTION_INTEGER, "2", 1, 1000,
                        "strikes in a row before advice is given"},
    {0},
};

/* A share of fewer says little: of a path that loses 2 %, two measurements in a row are above 5 %
 * once in 150 000 times with 200 packets a measurement, and once in 160 with 50. */
#define PACKETS_LEAST 200u

/* Room for a share as text: "1844674407370955161.5 %". */
#define PERCENT_TEXT 32

#define COLUMNS (1u << PD_PACKETS_SENT | 1u << PD_PACKETS_LOST)

struct loss {
    uint64_t threshold_permille;
    uint32_t strikes;
    bool noticed; /* that this node does not report the columns */
};

/* 12 bytes. Counters are kept modulo 2^37: by how much they have grown is what matters. */
#define COUNTER_BITS 37u
#define COUNTER_MASK ((UINT64_C(1) << COUNTER_BITS) - 1)

struct loss_peer {
    uint32_t sent_low, lost_low; /* the counters when the last measurement ended */
    uint32_t sent_high : COUNTER_BITS - 32;
    uint32_t lost_high : COUNTER_BITS - 32;
    uint32_t strikes : 10;
    uint32_t permille : 10; /* the share of the last measurement */
    uint32_t known : 1;     /* there was a row with both columns */
    uint32_t evaluated : 1; /* there was a measurement on this path */
};

/* By how much it has grown; more than half of what is possible, and it has not, but fell. */
#define GROWTH_MOST (COUNTER_MASK / 2)

static uint64_t growth(uint64_t counter, uint32_t low, uint32_t high)
{
    return (counter - ((uint64_t)high << 32 | low)) & COUNTER_MASK;
}

static int loss_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct loss *loss = turn->self;

    loss->threshold_permille = start->values[OPTION_THRESHOLD].number;
    loss->strikes = (uint32_t)start->values[OPTION_STRIKES].number;
    return 0;
}

static void columns_missing(struct pd_turn *turn, uint32_t columns)
{
    struct loss *loss = turn->self;
    char text[160];

    if (loss->noticed)
        return;
    loss->noticed = true;
    snprintf(text, sizeof(text),
             "the node reports no %s%s%s: no peer's loss is evaluated; remove the section, or use "
             "a node that reports both columns",
             columns & 1u << PD_PACKETS_SENT ? "" : "packets_sent",
             columns & COLUMNS ? "" : " and no ",
             columns & 1u << PD_PACKETS_LOST ? "" : "packets_lost");
    turn->host->notice(turn, PD_LEVEL_NOTICE, "loss-columns", text);
}

/* Rounded up: what is above the limit reads so. */
static uint64_t share_permille(uint64_t lost, uint64_t sent)
{
    return (lost * 1000 + sent - 1) / sent;
}

static void percent_text(char text[static PERCENT_TEXT], uint64_t permille)
{
    if (permille % 10)
        snprintf(text, PERCENT_TEXT, "%" PRIu64 ".%" PRIu64 " %%", permille / 10, permille % 10);
    else
        snprintf(text, PERCENT_TEXT, "%" PRIu64 " %%", permille / 10);
}

static int loss_advise(struct pd_turn *turn, uint32_t peer, uint64_t lost, uint64_t sent)
{
    const struct loss *loss = turn->self;
    char reason[128], share[PERCENT_TEXT], limit[PERCENT_TEXT];
    struct pd_field evidence[] = {
        {"packets_lost", NULL, lost},
        {"packets_sent", NULL, sent},
        {"threshold_permille", NULL, loss->threshold_permille},
        {"strikes", NULL, loss->strikes},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEGRADED, .reason = reason, .evidence = evidence, .n_evidence = 4};

    percent_text(share, share_permille(lost, sent));
    percent_text(limit, loss->threshold_permille);
    snprintf(reason, sizeof(reason),
             "%s of %" PRIu64 " packets lost (limit %s), %" PRIu32 " measurement%s in a row", share,
             sent, limit, loss->strikes, loss->strikes == 1 ? "" : "s");
    return turn->host->advise(turn, peer, &advice);
}

static void measure_begin(struct loss_peer *peer, uint64_t sent, uint64_t lost)
{
    peer->sent_low = (uint32_t)sent;
    peer->lost_low = (uint32_t)lost;
    peer->sent_high = (uint32_t)((sent & COUNTER_MASK) >> 32);
    peer->lost_high = (uint32_t)((lost & COUNTER_MASK) >> 32);
    peer->known = true;
}

/* Enough was sent since the last measurement ended: this is one. */
static int measure_end(struct pd_turn *turn, const struct pd_sample *sample, uint64_t sent,
                       uint64_t lost)
{
    const struct loss *loss = turn->self;
    struct loss_peer *peer = sample->state;
    uint64_t more_sent = growth(sent, peer->sent_low, peer->sent_high);
    uint64_t more_lost = growth(lost, peer->lost_low, peer->lost_high);

    if (more_lost > GROWTH_MOST)
        more_lost = 0;
    /* Those that were sent before the measurement may be declared lost in it. */
    if (more_lost > more_sent)
        more_lost = more_sent;
    measure_begin(peer, sent, lost);
    peer->evaluated = true;
    peer->permille = (uint32_t)share_permille(more_lost, more_sent);
    if (more_lost * 1000 <= more_sent * loss->threshold_permille) {
        peer->strikes = 0;
        return 0;
    }
    if (++peer->strikes < loss->strikes)
        return 0;
    peer->strikes = 0;
    return loss_advise(turn, sample->peer->index, more_lost, more_sent);
}

static int loss_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    struct loss_peer *peer = sample->state;
    uint64_t sent = sample->row->v[PD_PACKETS_SENT], lost = sample->row->v[PD_PACKETS_LOST];
    uint64_t more;

    if (!sample->regular)
        return 0;
    if ((sample->columns & COLUMNS) != COLUMNS)
        columns_missing(turn, sample->columns);
    if (sent == PD_UNKNOWN || lost == PD_UNKNOWN)
        return 0;
    more = growth(sent, peer->sent_low, peer->sent_high);
    if (!peer->known || more > GROWTH_MOST) {
        *peer = (struct loss_peer){0}; /* counted anew: what was before is of something else */
        measure_begin(peer, sent, lost);
        return 0;
    }
    if (more < PACKETS_LEAST)
        return 0;
    return measure_end(turn, sample, sent, lost);
}

static int loss_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct loss_peer *peer = event->state;

    (void)turn;
    switch (event->change) {
    case PD_PEER_PATH:
    case PD_PEER_MIGRATED: /* what the old path lost proves nothing */
        *peer = (struct loss_peer){0};
        break;
    case PD_PEER_MISSING:
        peer->strikes = 0;
        break;
    case PD_PEER_UP:
    case PD_PEER_TOLD:
    case PD_PEER_DOWN:
        break;
    }
    return 0;
}

/* Another node may report other columns. */
static int loss_node(struct pd_turn *turn, const struct pd_node_event *event)
{
    struct loss *loss = turn->self;

    (void)event;
    loss->noticed = false;
    return 0;
}

static int loss_report(const void *self, const struct pd_peer *who, const void *state,
                       uint64_t now_us, char *text, size_t size)
{
    const struct loss *loss = self;
    const struct loss_peer *peer = state;
    char share[PERCENT_TEXT], limit[PERCENT_TEXT];

    (void)who;
    (void)now_us;
    percent_text(limit, loss->threshold_permille);
    if (!peer->known)
        return snprintf(text, size,
                        "no row with packets_sent and packets_lost since this path is used");
    if (!peer->evaluated)
        return snprintf(text, size,
                        "fewer than %u packets sent since this path is used; %" PRIu32
                        " measurement%s above %s lost %s advised",
                        PACKETS_LEAST, loss->strikes, loss->strikes == 1 ? "" : "s", limit,
                        loss->strikes == 1 ? "is" : "are");
    percent_text(share, peer->permille);
    return snprintf(text, size, "%u of %" PRIu32 " strikes (%s of the last packets lost; limit %s)",
                    (unsigned)peer->strikes, loss->strikes, share, limit);
}

PD_TRIGGER(loss) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "loss",
    .summary = "a large share of the packets is lost",
    .options = options,
    .instance_size = sizeof(struct loss),
    .peer_size = sizeof(struct loss_peer),
    .start = loss_start,
    .node = loss_node,
    .peer = loss_peer,
    .sample = loss_sample,
    .tell = loss_report,
};
