/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send-errors: the network says that packets cannot be sent to a peer (ICMP
 * unreachable, no route). Said once, until sending works again.
 */
#include <inttypes.h>
#include <pathdog/trigger.h>
#include <stdio.h>

enum option {
    OPTION_ERRORS,
};

static const struct pd_option options[] = {
    [OPTION_ERRORS] = {"errors", PD_OPTION_INTEGER, "3", 1, 1000000,
                       "consecutive send errors before advice is given"},
    {0},
};

struct send_errors {
    uint64_t errors;
};

struct send_errors_peer {
    uint32_t errors : 30; /* in the last row that had the column, saturated */
    uint32_t known : 1;   /* there was one */
    uint32_t advised : 1;
};

#define ERRORS_MOST UINT32_C(0x3fffffff)

static int send_errors_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct send_errors *send_errors = turn->self;

    send_errors->errors = start->values[OPTION_ERRORS].number;
    return 0;
}

static int send_errors_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct send_errors *send_errors = turn->self;
    struct send_errors_peer *peer = sample->state;
    uint64_t errors = sample->row->v[PD_SEND_ERRORS];
    char reason[80];
    struct pd_field evidence[] = {{.name = "send_errors", .number = errors}};
    struct pd_advice advice = {
        .kind = PD_KIND_DEAD, .reason = reason, .evidence = evidence, .n_evidence = 1};

    if (errors == PD_UNKNOWN)
        return 0;
    peer->known = true;
    peer->errors = errors < ERRORS_MOST ? (uint32_t)errors & ERRORS_MOST : ERRORS_MOST;
    if (!errors)
        peer->advised = false;
    if (peer->advised || errors < send_errors->errors)
        return 0;
    peer->advised = true;
    snprintf(reason, sizeof(reason), "%" PRIu64 " send error%s in a row", errors,
             errors == 1 ? "" : "s");
    return turn->host->advise(turn, sample->peer->index, &advice);
}

static int send_errors_report(const void *self, const struct pd_peer *who, const void *state,
                              uint64_t now_us, char *text, size_t size)
{
    const struct send_errors *send_errors = self;
    const struct send_errors_peer *peer = state;

    (void)who;
    (void)now_us;
    if (!peer->known)
        return snprintf(text, size, "the node has not reported send_errors of this peer");
    return snprintf(text, size, "%u of %" PRIu64 " send errors in a row%s", (unsigned)peer->errors,
                    send_errors->errors,
                    peer->advised ? "; advised, not again before the count is 0" : "");
}

PD_TRIGGER(send_errors) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "send-errors",
    .summary = "packets to a peer cannot be sent",
    .options = options,
    .instance_size = sizeof(struct send_errors),
    .peer_size = sizeof(struct send_errors_peer),
    .start = send_errors_start,
    .sample = send_errors_sample,
    .tell = send_errors_report,
};
