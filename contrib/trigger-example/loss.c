/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loss: too many packets are lost. A trigger built outside of pathdog's tree,
 * with nothing but its installed headers: a start for one of your own.
 *
 * SRTT does not see a path that drops one packet in ten, and the path is not
 * dead either. This one looks at how many packets were lost among those sent
 * since the last sample, and advises `degraded` when that is too much on several
 * samples in a row. It needs the columns bytes_sent and packets_lost.
 *
 * Like every policy it is pure: it reads no clock, opens no descriptor, and has
 * no variable of its own but what it is given. So it can be replayed.
 */
#include <inttypes.h>
#include <pathdog/trigger.h>
#include <stdio.h>

/* ---- options: pathdog checks the config against this table ---- */

enum option {
    OPTION_FRACTION,
    OPTION_STRIKES,
    OPTION_PACKET,
    OPTION_LEAST,
};

static const struct pd_option options[] = {
    [OPTION_FRACTION] = {"fraction", PD_OPTION_FRACTION, "1/20", 1, 1000,
                         "more lost packets than this share of those sent is a strike"},
    [OPTION_STRIKES] = {"strikes", PD_OPTION_INTEGER, "3", 1, 1000,
                        "samples in a row before advice is given"},
    [OPTION_PACKET] = {"packet", PD_OPTION_SIZE, "1200", 64, 65535,
                       "bytes in a packet, to count those sent by"},
    [OPTION_LEAST] = {"least", PD_OPTION_INTEGER, "50", 1, 1000000,
                      "fewer packets sent since the last sample say nothing"},
    {0},
};

/* ---- state: zeroed by pathdog, one of the instance and one of each peer ---- */

struct loss {
    uint64_t fraction_permille;
    uint64_t packet_bytes;
    uint64_t least;
    uint32_t strikes;
};

struct loss_peer {
    uint64_t sent_bytes, lost; /* of the sample that the next is compared with */
    uint32_t strikes;
    bool known;
};

/* ---- callbacks ---- */

static int loss_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct loss *loss = turn->self;

    loss->fraction_permille = start->values[OPTION_FRACTION].number;
    loss->strikes = (uint32_t)start->values[OPTION_STRIKES].number;
    loss->packet_bytes = start->values[OPTION_PACKET].number;
    loss->least = start->values[OPTION_LEAST].number;
    return 0;
}

static int loss_advise(struct pd_turn *turn, uint32_t peer, uint64_t lost, uint64_t sent)
{
    const struct loss *loss = turn->self;
    char reason[160];
    struct pd_field evidence[] = {
        {.name = "packets_lost", .number = lost},
        {.name = "packets_sent", .number = sent},
        {.name = "fraction_permille", .number = loss->fraction_permille},
        {.name = "strikes", .number = loss->strikes},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEGRADED,
        .reason = reason,
        .evidence = evidence,
        .n_evidence = sizeof(evidence) / sizeof(evidence[0]),
    };

    snprintf(reason, sizeof(reason),
             "%" PRIu64 " of about %" PRIu64 " packets lost, above %" PRIu64 " in 1000, %" PRIu32
             " samples in a row",
             lost, sent, loss->fraction_permille, loss->strikes);
    return turn->host->advise(turn, peer, &advice);
}

static int loss_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct loss *loss = turn->self;
    struct loss_peer *peer = sample->state;
    uint64_t sent_bytes = sample->row->v[PD_BYTES_SENT];
    uint64_t lost = sample->row->v[PD_PACKETS_LOST];
    struct loss_peer before = *peer;

    /* Fast polls come faster than samples: they are not worth a strike each. */
    if (!sample->regular || sent_bytes == PD_UNKNOWN || lost == PD_UNKNOWN)
        return 0;
    peer->known = true;
    peer->sent_bytes = sent_bytes;
    peer->lost = lost;
    /* The first says nothing yet, nor do counters that went backwards. */
    if (!before.known || sent_bytes < before.sent_bytes || lost < before.lost)
        return 0;

    uint64_t sent = (sent_bytes - before.sent_bytes) / loss->packet_bytes;

    lost -= before.lost;
    if (sent < loss->least)
        return 0;
    if (lost * 1000 <= sent * loss->fraction_permille) {
        peer->strikes = 0;
        return 0;
    }
    if (++peer->strikes < loss->strikes)
        return 0;
    peer->strikes = 0;
    return loss_advise(turn, sample->peer->index, lost, sent);
}

/* What was lost on another path says nothing of this one. */
static int loss_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct loss_peer *peer = event->state;

    (void)turn;
    if (event->change == PD_PEER_PATH || event->change == PD_PEER_MIGRATED)
        *peer = (struct loss_peer){0};
    else if (event->change == PD_PEER_MISSING)
        peer->strikes = 0;
    return 0;
}

/* For `pathdogctl explain`: how far it is from advice. Changes nothing. */
static int loss_tell(const void *self, const struct pd_peer *who, const void *state,
                     uint64_t now_us, char *text, size_t size)
{
    const struct loss *loss = self;
    const struct loss_peer *peer = state;

    (void)who;
    (void)now_us;
    if (!peer->known)
        return snprintf(text, size, "no row with bytes_sent and packets_lost yet");
    return snprintf(text, size,
                    "%" PRIu32 " of %" PRIu32 " strikes (lost above %" PRIu64 " in 1000)",
                    peer->strikes, loss->strikes, loss->fraction_permille);
}

/* ---- the one thing that is exported ---- */

PD_TRIGGER(loss) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "loss", /* the file is loss.so, its section [trigger:loss] */
    .summary = "too many packets are lost",
    .options = options,
    .instance_size = sizeof(struct loss),
    .peer_size = sizeof(struct loss_peer),
    .start = loss_start,
    .peer = loss_peer,
    .sample = loss_sample,
    .tell = loss_tell,
};
