/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: direct, or over which relay. A connection over which nothing comes goes over a relay; from
 * one that is dead over the next; and back when the direct way has answered. Pure; what is probed
 * and what stands in the files comes as signals (options.h).
 */
#include "policy.h"
#include "options.h"

#include "util/util.h"

#include <errno.h>
#include <stdio.h>

static const struct pd_option options[] = {
    [RELAY_OPTION_RELAYS] = {"relays", PD_OPTION_TEXT, NULL, 0, 0,
                             "relays, NAME=ADDR:PORT or NAME=ADDR:PORT,speaks, separated by "
                             "blanks; a name is one that the node knows"},
    [RELAY_OPTION_SPEAKS] = {"speaks", PD_OPTION_TEXT, "reg-ack", 0, 0,
                             "what a relay speaks that is named without it: reg-ack or pilot"},
    [RELAY_OPTION_LIST_FILE] = {"list_file", PD_OPTION_PATH, NULL, 0, 4095,
                                "a file of discovered relays, one a line; it is watched"},
    [RELAY_OPTION_CACHE_FILE] = {"cache_file", PD_OPTION_PATH, "/run/pathdog/relays.json", 0, 4095,
                                 "where the relays of list_file are kept for when it cannot be "
                                 "read"},
    [RELAY_OPTION_KEY] = {"key", PD_OPTION_TEXT, NULL, 0, 0,
                          "the key that picks the relay, hexadecimal; default: the node's, else "
                          "its name"},
    [RELAY_OPTION_FLIP_AFTER] = {"flip_after", PD_OPTION_INTEGER, "3", 1, 1000,
                                 "misses, or send errors, before a connection goes over a relay"},
    [RELAY_OPTION_CLEAR_AFTER] = {"clear_after", PD_OPTION_INTEGER, "3", 1, 1000,
                                  "good tries of the direct way in a row before it goes back"},
    [RELAY_OPTION_MAX_SILENCE] = {"max_silence", PD_OPTION_TIME, "8s", 100000, 3600000000,
                                  "nothing received for longer, though the node sends, is a miss"},
    [RELAY_OPTION_MAX_RELAYED] = {"max_relayed", PD_OPTION_INTEGER, "4096", 1, 10000000,
                                  "no more connections than this are sent over relays"},
    [RELAY_OPTION_PIN] = {"pin", PD_OPTION_BOOLEAN, "yes", 0, 0,
                          "who was sent over a relay never goes back by itself"},
    [RELAY_OPTION_REFRESH] = {"refresh", PD_OPTION_TIME, "60s", 1000000, 86400000000,
                              "from one look at list_file and the relays to the next"},
    [RELAY_OPTION_PROBE] = {"probe", PD_OPTION_BOOLEAN, "yes", 0, 0,
                            "measure the relays, from a socket of its own"},
    [RELAY_OPTION_DIRECT_PROBE] = {"direct_probe", PD_OPTION_BOOLEAN, "yes", 0, 0,
                                   "try the direct way of connections that may go back"},
    [RELAY_OPTION_DIRECT_EVERY] = {"direct_every", PD_OPTION_TIME, "20s", 1000000, 86400000000,
                                   "from one try of the direct way to the next"},
    {0},
};

static int relay_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct relay_trigger *trigger = turn->self;
    const struct pd_value *values = start->values;
    char error[256];
    const char *wrong = relays_start(&trigger->relays, start, error, sizeof(error));

    if (wrong) {
        turn->host->notice(turn, PD_LEVEL_ERROR, "bad-option", wrong);
        return -EINVAL;
    }
    trigger->limits = (struct relay_limits){
        .flip_after = (uint32_t)values[RELAY_OPTION_FLIP_AFTER].number,
        .clear_after = (uint32_t)values[RELAY_OPTION_CLEAR_AFTER].number,
        .max_silence_us = values[RELAY_OPTION_MAX_SILENCE].number,
        .max_relayed = values[RELAY_OPTION_MAX_RELAYED].number,
    };
    trigger->pin = values[RELAY_OPTION_PIN].number;
    trigger->direct_probe = values[RELAY_OPTION_DIRECT_PROBE].number;
    trigger->direct_every_us = values[RELAY_OPTION_DIRECT_EVERY].number;
    trigger->sample_interval_us = start->sample_interval_us;
    trigger->close_interval_us = start->close_interval_us;
    relays_merge(turn, &trigger->relays);
    return 0;
}

static int relay_node(struct pd_turn *turn, const struct pd_node_event *event)
{
    struct relay_trigger *trigger = turn->self;

    snprintf(trigger->relays.node_name, sizeof(trigger->relays.node_name), "%.255s", event->node);
    return 0;
}

static int relay_relays(struct pd_turn *turn, const struct pd_relays *told)
{
    struct relay_trigger *trigger = turn->self;

    trigger->obeys = told->obeys;
    if (!told->obeys)
        turn->host->notice(turn, PD_LEVEL_WARNING, "relay-no-feature",
                           "the node does not offer the feature \"relay\": no connection can be "
                           "sent over one");
    relays_node(turn, &trigger->relays, told);
    return 0;
}

static int relay_signal(struct pd_turn *turn, const struct pd_signal *signal)
{
    struct relay_trigger *trigger = turn->self;

    if (!strcmp(signal->kind, "list"))
        relays_discovered(turn, &trigger->relays, signal);
    else if (!strcmp(signal->kind, "rtts"))
        relays_measured(turn, &trigger->relays, signal);
    else if (!strcmp(signal->kind, "direct"))
        return tries_answered(turn, signal);
    return 0;
}

static int relay_timer(struct pd_turn *turn)
{
    tries_turn(turn);
    return 0;
}

PD_TRIGGER(relay) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "relay",
    .summary = "nothing comes over the direct way: over a relay, and back",
    .options = options,
    .instance_size = sizeof(struct relay_trigger),
    .peer_size = sizeof(struct relay_peer),
    .start = relay_start,
    .node = relay_node,
    .peer = peers_event,
    .sample = peers_row,
    .signal = relay_signal,
    .timer = relay_timer,
    .save = relay_save,
    .restore = relay_restore,
    .tell = relay_tell,
    .relays = relay_relays,
    .tell_relay = relay_tell_relay,
    .tell_relayed = relay_tell_relayed,
};
