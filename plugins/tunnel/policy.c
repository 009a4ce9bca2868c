/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel: somebody says that they rebound their socket, or that a tunnel is
 * there again: the peers concerned are moved (messages/jobs.h). Pure; what is said comes as the
 * signal `notice`.
 */
#include "../messages/jobs.h"
#include "options.h"

#include <string.h>

/* Of a socket's name there may be 107; it is bound with a dot and a pid behind it first. */
#define SOCKET_BYTES 96u

static const struct pd_option options[] = {
    [TUNNEL_OPTION_SOCKET] = {"socket", PD_OPTION_PATH, "/run/pathdog/notify", 0, SOCKET_BYTES,
                              "the datagram socket that receives the messages"},
    [TUNNEL_OPTION_GROUP] = {"group", PD_OPTION_GROUP, NULL, 0, 0,
                             "the socket's group; default: pathdog, if that group exists"},
    [TUNNEL_OPTION_MODE] = {"mode", PD_OPTION_MODE, "0660", 0, 0, "the socket's mode, octal"},
    {0},
};

static const struct messages_names names = {
    .nobody = "tunnel-nobody",
    .busy = "tunnel-busy",
    .folded = "tunnel-folded",
};

static int tunnel_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct messages *messages = turn->self;

    (void)start;
    messages->names = &names;
    return 0;
}

static void tunnel_stop(struct pd_turn *turn)
{
    messages_stop(turn->self);
}

static int tunnel_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    messages_peer(turn->self, event);
    return 0;
}

static int tunnel_signal(struct pd_turn *turn, const struct pd_signal *signal)
{
    return strcmp(signal->kind, "notice") == 0 ? messages_signal(turn, signal) : 0;
}

static int tunnel_report(const void *self, const struct pd_peer *who, const void *state,
                         uint64_t now_us, char *text, size_t size)
{
    (void)who;
    return messages_report(self, state, now_us, text, size);
}

PD_TRIGGER(tunnel) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "tunnel",
    .summary = "a message reports that a tunnel or a socket was rebound",
    .options = options,
    .instance_size = sizeof(struct messages),
    .peer_size = sizeof(struct message_peer),
    .start = tunnel_start,
    .stop = tunnel_stop,
    .peer = tunnel_peer,
    .signal = tunnel_signal,
    .timer = messages_timer,
    .tell = tunnel_report,
};
