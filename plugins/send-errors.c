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
    bool said;
};

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
    if (!errors)
        peer->said = false;
    if (peer->said || errors < send_errors->errors)
        return 0;
    peer->said = true;
    snprintf(reason, sizeof(reason), "%" PRIu64 " send error%s in a row", errors,
             errors == 1 ? "" : "s");
    return turn->host->advise(turn, sample->peer->index, &advice);
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
};
