/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resume: the machine slept. Peers give a connection up from which they hear nothing for their
 * idle timeout, and NATs forget it sooner; this host's QUIC stack knows of neither, since its clock
 * stood still. Pure; what is known comes as the signals `slept` {slept_us} and `settled`.
 *
 * Slept long: all are moved or redialled, once the routes have settled. Slept less: all are probed,
 * and one that does not answer is advised. Sleeps with less than TOGETHER_US between them are one,
 * since nothing can have been proven in between.
 */
#include "options.h"

#include "util/duration.h"
#include "util/util.h"

#include <pathdog/trigger.h>
#include <stdio.h>

static const struct pd_option options[] = {
    [RESUME_OPTION_MIN_SLEEP] = {"min_sleep", PD_OPTION_TIME, "10s", 1000000, 86400000000,
                                 "a shorter sleep is ignored"},
    {0},
};

/* Slept for longer: the idle timeout of most stacks is over. */
#define LONG_US 30000000u
/* By then it is acted, whether the routes have settled or not. */
#define SETTLE_MOST_US 2000000u
#define TOGETHER_US    SETTLE_MOST_US
/* How long a probe is waited for: at least so long, and so many round trips. */
#define PROBE_US   1000000u
#define PROBE_RTTS 4u
/* Fast polls after a sleep. */
#define POLLS_US 5000000u

struct resume {
    uint64_t min_sleep_us;
    uint64_t ended_us; /* the last sleep of any length; 0: there was none */
    uint64_t sum_us;   /* its length, with those before it that are one with it */
    uint64_t woke_us;  /* the last sleep that counted; 0: there was none */
    uint64_t slept_us;
    uint32_t n_peers; /* indexes that were ever seen are below this */
    bool waits;       /* for the routes to settle */
};

enum resume_done {
    DONE_NOTHING,
    DONE_PROBED,  /* and not answered yet */
    DONE_ALIVE,   /* it made progress since */
    DONE_ADVISED, /* to be moved */
    DONE_NEW,     /* it came, or was migrated, since */
};

/* What was done about a connection since a sleep. */
struct resume_peer {
    uint64_t woke_us : 60; /* which sleep */
    uint64_t done : 3;
    uint64_t given_up : 1; /* said so to the host */
};

static enum resume_done peer_done(const struct resume *resume, const struct resume_peer *peer)
{
    return peer->woke_us == resume->woke_us ? (enum resume_done)peer->done : DONE_NOTHING;
}

static void peer_set(const struct resume *resume, struct resume_peer *peer, enum resume_done done)
{
    peer->woke_us = resume->woke_us;
    peer->done = done;
}

static void peer_given_up(struct pd_turn *turn, uint32_t index, struct resume_peer *peer,
                          bool given_up)
{
    if (peer->given_up != given_up)
        turn->host->given_up(turn, index, given_up);
    peer->given_up = given_up;
}

/* ---- what is done ---- */

/* The routes have settled, or it was waited long enough. */
static int move_all(struct pd_turn *turn)
{
    struct resume *resume = turn->self;
    char reason[80], slept[DURATION_SIZE];
    struct pd_field evidence[] = {
        {"slept_us", NULL, resume->slept_us},
        {"settled_us", NULL, turn->now_us - resume->woke_us},
    };
    struct pd_advice moved = {
        .kind = PD_KIND_MOVED, .reason = reason, .evidence = evidence, .n_evidence = 2};
    const struct pd_advice *advice = &moved;
    int r = 0;

    resume->waits = false;
    resume->sum_us = 0; /* what sleeps from here on is another sleep */
    snprintf(reason, sizeof(reason), "the machine slept for %s",
             duration_text(slept, resume->slept_us));
    moved.cause = turn->host->open_cause(turn, reason);
    for (uint32_t i = 0; i < resume->n_peers && r == 0; i++) {
        struct resume_peer *peer = turn->host->state(turn, i);

        if (!peer || peer_done(resume, peer) == DONE_NEW)
            continue;
        r = turn->host->advise(turn, i, advice);
        peer_set(resume, peer, DONE_ADVISED);
        advice = NULL; /* the same, of the next peer */
    }
    turn->host->close_cause(turn, moved.cause);
    return r;
}

/* Each is asked to show that it lives; what the route trigger sees meanwhile of one that was
 * given up redials it at once. */
static void probe_all(struct pd_turn *turn, bool given_up)
{
    struct resume *resume = turn->self;

    for (uint32_t i = 0; i < resume->n_peers; i++) {
        struct resume_peer *peer = turn->host->state(turn, i);

        if (!peer)
            continue;
        peer_set(resume, peer, DONE_PROBED);
        if (given_up)
            peer_given_up(turn, i, peer, true);
        turn->host->probe(turn, i);
        turn->host->look(turn, i, turn->now_us + POLLS_US);
    }
}

static uint64_t patience_us(const struct pd_row *row)
{
    uint64_t srtt_us = row->v[PD_SRTT_US];

    return srtt_us == PD_UNKNOWN ? PROBE_US : max_u64(PROBE_US, PROBE_RTTS * srtt_us);
}

/* A row tells of all the time since the row before it: the first one after the sleep proves
 * something only where it says when the last packet came. */
static bool is_alive(const struct resume *resume, const struct pd_sample *sample, uint64_t now_us)
{
    return sample->progress &&
           (sample->last_look_us > resume->woke_us ||
            (sample->silent_us != PD_UNKNOWN && sample->silent_us < now_us - resume->woke_us));
}

static int advise_dead(struct pd_turn *turn, uint32_t index)
{
    const struct resume *resume = turn->self;
    uint64_t waited_us = turn->now_us - resume->woke_us;
    char reason[128], slept[DURATION_SIZE], waited[DURATION_SIZE];
    struct pd_field evidence[] = {
        {"slept_us", NULL, resume->slept_us},
        {"waited_us", NULL, waited_us},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEAD, .reason = reason, .evidence = evidence, .n_evidence = 2};

    snprintf(reason, sizeof(reason), "no answer for %s after the machine slept for %s",
             duration_text(waited, waited_us), duration_text(slept, resume->slept_us));
    return turn->host->advise(turn, index, &advice);
}

/* ---- callbacks ---- */

static int resume_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct resume *resume = turn->self;

    resume->min_sleep_us = start->values[RESUME_OPTION_MIN_SLEEP].number;
    return 0;
}

static int resume_slept(struct pd_turn *turn, uint64_t slept_us)
{
    struct resume *resume = turn->self;

    if (!slept_us)
        return 0;
    if (turn->now_us - resume->ended_us >= TOGETHER_US)
        resume->sum_us = 0;
    resume->sum_us = add_u64(resume->sum_us, slept_us);
    resume->ended_us = turn->now_us;
    if (resume->sum_us < resume->min_sleep_us)
        return 0;
    resume->slept_us = resume->sum_us;
    resume->woke_us = turn->now_us;
    probe_all(turn, resume->slept_us > LONG_US);
    if (resume->slept_us <= LONG_US)
        return 0;
    resume->waits = true;
    turn->host->set_timer(turn, turn->now_us + SETTLE_MOST_US);
    return 0;
}

static int resume_signal(struct pd_turn *turn, const struct pd_signal *signal)
{
    const struct resume *resume = turn->self;
    uint64_t slept_us = 0;

    if (!strcmp(signal->kind, "settled"))
        return resume->waits ? move_all(turn) : 0;
    if (strcmp(signal->kind, "slept") != 0)
        return 0;
    for (size_t i = 0; i < signal->n_fields; i++)
        if (!strcmp(signal->fields[i].name, "slept_us") && !signal->fields[i].text)
            slept_us = signal->fields[i].number;
    return resume_slept(turn, slept_us);
}

static int resume_timer(struct pd_turn *turn)
{
    const struct resume *resume = turn->self;

    return resume->waits ? move_all(turn) : 0;
}

static int resume_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct resume *resume = turn->self;
    struct resume_peer *peer = event->state;

    switch (event->change) {
    case PD_PEER_UP:
        if (event->peer->index >= resume->n_peers)
            resume->n_peers = event->peer->index + 1;
        peer_set(resume, peer, DONE_NEW);
        break;
    case PD_PEER_MIGRATED: /* the peer has answered on another path */
        if (peer_done(resume, peer) == DONE_ADVISED)
            turn->host->withdraw(turn, event->peer->index);
        peer_given_up(turn, event->peer->index, peer, false);
        peer_set(resume, peer, DONE_NEW);
        break;
    case PD_PEER_DOWN: /* or it belongs to another instance from here on */
        peer_given_up(turn, event->peer->index, peer, false);
        break;
    case PD_PEER_PATH: /* the node's socket has followed the routes; that proves nothing */
    case PD_PEER_TOLD:
    case PD_PEER_MISSING:
        break;
    }
    return 0;
}

static int resume_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct resume *resume = turn->self;
    struct resume_peer *peer = sample->state;
    bool probed = peer_done(resume, peer) == DONE_PROBED;

    if (!resume->woke_us || (!probed && !peer->given_up))
        return 0;
    if (is_alive(resume, sample, turn->now_us)) {
        peer_given_up(turn, sample->peer->index, peer, false);
        if (probed)
            peer_set(resume, peer, DONE_ALIVE);
        return 0;
    }
    if (!probed || resume->waits || sample->in_flight || !sample->outstanding_since_us ||
        turn->now_us - resume->woke_us < patience_us(sample->row))
        return 0;
    peer_set(resume, peer, DONE_ADVISED);
    return advise_dead(turn, sample->peer->index);
}

static int resume_report(const void *self, const struct pd_peer *who, const void *state,
                         uint64_t now_us, char *text, size_t size)
{
    static const char *const done[] = {
        [DONE_NOTHING] = "this connection is not concerned",
        [DONE_PROBED] = "probed, without an answer so far",
        [DONE_ALIVE] = "this connection has lived since",
        [DONE_ADVISED] = "this connection was advised to move",
        [DONE_NEW] = "this connection or its path is newer",
    };
    const struct resume *resume = self;
    char slept[DURATION_SIZE], ago[DURATION_SIZE];

    (void)who;
    if (!resume->woke_us)
        return snprintf(text, size,
                        "the machine has not slept for %s or longer since this trigger started",
                        duration_text(slept, resume->min_sleep_us));
    return snprintf(text, size, "the machine slept for %s, %s ago: %s",
                    duration_text(slept, resume->slept_us),
                    duration_text(ago, now_us - resume->woke_us), done[peer_done(resume, state)]);
}

PD_TRIGGER(resume) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "resume",
    .summary = "the machine slept: its peers may have given their connections up",
    .options = options,
    .instance_size = sizeof(struct resume),
    .peer_size = sizeof(struct resume_peer),
    .start = resume_start,
    .peer = resume_peer,
    .sample = resume_sample,
    .signal = resume_signal,
    .timer = resume_timer,
    .tell = resume_report,
};
