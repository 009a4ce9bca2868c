/* SPDX-License-Identifier: Apache-2.0 */
/*
 * srtt: the path got slow. SRTT above a threshold on several consecutive
 * samples, one sample interval apart. Asks for no close looks: a slow path is
 * no emergency, and the next sample comes anyway.
 */
#include <errno.h>
#include <inttypes.h>
#include <pathdog/trigger.h>
#include <stdio.h>

enum option {
    OPTION_THRESHOLD,
    OPTION_STRIKES,
    OPTION_RECOVER,
    OPTION_FACTOR,
};

static const struct pd_option options[] = {
    [OPTION_THRESHOLD] = {"threshold", PD_OPTION_TIME, "200ms", 1, 3600000000,
                          "SRTT above this is a strike"},
    [OPTION_STRIKES] = {"strikes", PD_OPTION_INTEGER, "2", 1, 1000,
                        "consecutive samples above the threshold before advice is given"},
    [OPTION_RECOVER] = {"recover", PD_OPTION_TIME, NULL, 1, 3600000000,
                        "SRTT at or below this clears the strikes; default: the threshold"},
    [OPTION_FACTOR] = {"factor", PD_OPTION_INTEGER, "2", 0, 1000,
                       "the threshold is at least this multiple of the peer's min RTT; 0: off"},
    {0},
};

struct srtt {
    uint64_t threshold_us;
    uint64_t recover_us; /* 0: the peer's threshold */
    uint64_t factor;
    uint32_t strikes;
};

struct srtt_peer {
    uint16_t strikes;
    bool known; /* there was a row that counted */
};

/* Room for a time as text: "18446744073709551.615 ms". */
#define TIME_TEXT 32

static int srtt_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct srtt *srtt = turn->self;
    const struct pd_value *values = start->values;

    srtt->threshold_us = values[OPTION_THRESHOLD].number;
    srtt->recover_us = values[OPTION_RECOVER].given ? values[OPTION_RECOVER].number : 0;
    srtt->factor = values[OPTION_FACTOR].number;
    srtt->strikes = (uint32_t)values[OPTION_STRIKES].number;
    if (srtt->recover_us > srtt->threshold_us) {
        turn->host->notice(
            turn, PD_LEVEL_ERROR, "bad-option",
            "the option recover is above the option threshold; allowed is recover <= threshold");
        return -EINVAL;
    }
    return 0;
}

/* Far is not slow: where the node tells the min RTT, the threshold grows with it. */
static uint64_t srtt_threshold(const struct srtt *srtt, uint64_t min_rtt_us)
{
    if (!srtt->factor || min_rtt_us == PD_UNKNOWN)
        return srtt->threshold_us;
    /* A row's values are below 2^53 and the factor is at most 1000. */
    uint64_t far_us = min_rtt_us * srtt->factor;

    return far_us > srtt->threshold_us ? far_us : srtt->threshold_us;
}

static void time_text(char text[static TIME_TEXT], uint64_t us, bool whole)
{
    if (whole || us % 1000 == 0)
        snprintf(text, TIME_TEXT, "%" PRIu64 " ms", us / 1000);
    else
        snprintf(text, TIME_TEXT, "%" PRIu64 ".%03" PRIu64 " ms", us / 1000, us % 1000);
}

static int srtt_advise(struct pd_turn *turn, const struct pd_sample *sample, uint64_t threshold_us)
{
    const struct srtt *srtt = turn->self;
    uint64_t srtt_us = sample->row->v[PD_SRTT_US];
    uint64_t min_rtt_us = sample->row->v[PD_MIN_RTT_US];
    /* Whole milliseconds, unless that would read "200 ms > 200 ms". */
    bool whole = threshold_us >= 10000 && srtt_us / 1000 > (threshold_us + 999) / 1000;
    char srtt_text[TIME_TEXT], threshold_text[TIME_TEXT], min_text[TIME_TEXT], far[64] = "";
    char reason[192];
    struct pd_field evidence[] = {
        {"srtt_us", NULL, srtt_us},
        {"threshold_us", NULL, threshold_us},
        {"strikes", NULL, srtt->strikes},
        {"min_rtt_us", NULL, min_rtt_us},
    };
    struct pd_advice advice = {.kind = PD_KIND_DEGRADED, .reason = reason, .evidence = evidence};

    time_text(srtt_text, srtt_us, whole);
    time_text(threshold_text, threshold_us, whole);
    if (threshold_us > srtt->threshold_us) {
        time_text(min_text, min_rtt_us, whole);
        snprintf(far, sizeof(far), " (%" PRIu64 " × min RTT %s)", srtt->factor, min_text);
    }
    snprintf(reason, sizeof(reason), "srtt %s > %s%s, %u sample%s in a row", srtt_text,
             threshold_text, far, srtt->strikes, srtt->strikes == 1 ? "" : "s");
    advice.n_evidence = min_rtt_us == PD_UNKNOWN ? 3 : 4;
    return turn->host->advise(turn, sample->peer->index, &advice);
}

static int srtt_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct srtt *srtt = turn->self;
    struct srtt_peer *peer = sample->state;
    uint64_t srtt_us = sample->row->v[PD_SRTT_US];

    /* Close looks and rows sent unasked do not make two strikes out of one moment. */
    if (!sample->regular)
        return 0;
    peer->known = true;
    if (!sample->fresh || srtt_us == PD_UNKNOWN)
        return 0;

    uint64_t threshold_us = srtt_threshold(srtt, sample->row->v[PD_MIN_RTT_US]);

    if (srtt_us <= threshold_us) {
        if (!srtt->recover_us || srtt_us <= srtt->recover_us)
            peer->strikes = 0;
        return 0;
    }
    if (++peer->strikes < srtt->strikes)
        return 0;
    peer->strikes = 0;
    return srtt_advise(turn, sample, threshold_us);
}

static int srtt_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct srtt_peer *peer = event->state;

    switch (event->change) {
    case PD_PEER_PATH:
    case PD_PEER_MIGRATED: /* another path: what the old one did proves nothing */
    case PD_PEER_MISSING:  /* not in a row any more */
        peer->strikes = 0;
        break;
    case PD_PEER_UP:
    case PD_PEER_TOLD:
    case PD_PEER_DOWN:
        break;
    }
    return 0;
}

static int srtt_report(const void *self, const struct pd_peer *who, const void *state,
                       uint64_t now_us, char *text, size_t size)
{
    const struct srtt *srtt = self;
    const struct srtt_peer *peer = state;
    char threshold_text[TIME_TEXT], far[64] = "";

    (void)who;
    (void)now_us;
    time_text(threshold_text, srtt->threshold_us, false);
    if (srtt->factor)
        snprintf(far, sizeof(far), ", or %" PRIu64 " × its min RTT if that is more", srtt->factor);
    if (!peer->known)
        return snprintf(text, size, "no row yet; %u strikes above %s%s", srtt->strikes,
                        threshold_text, far);
    return snprintf(text, size, "%u of %u strikes (SRTT above %s%s)", peer->strikes, srtt->strikes,
                    threshold_text, far);
}

PD_TRIGGER(srtt) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "srtt",
    .summary = "SRTT above a threshold on consecutive samples",
    .options = options,
    .instance_size = sizeof(struct srtt),
    .peer_size = sizeof(struct srtt_peer),
    .start = srtt_start,
    .peer = srtt_peer,
    .sample = srtt_sample,
    .tell = srtt_report,
};
