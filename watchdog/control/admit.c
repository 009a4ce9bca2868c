/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may come in. CLIENTS_MAX places are for everybody; when they are taken, somebody makes room
 * (room.c). CLIENTS_RESERVED places more are for root and the daemon's own user, who must get in
 * whatever all others do.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "private.h"

static uint32_t uid_of(int fd)
{
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t length = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return UINT32_MAX;
    return peer.uid;
}

static void refuse(struct control *control, int fd)
{
    notify_full(fd, "end one of them, or try again later");
    close(fd);
    if (control->n_refused++ == 0)
        control->host.notice(
            control->host.user, PD_LEVEL_WARNING, "control-full",
            "a client of the control socket was refused: too many clients are connected");
}

void client_admit(struct control *control, int fd)
{
    uint32_t uid = uid_of(fd), most = user_is_trusted(uid) ? SEATS : CLIENTS_MAX;
    struct client *client;

    if (control->n_clients >= most)
        (void)make_room(control, NULL, uid);
    if (control->n_clients >= most) {
        refuse(control, fd);
        return;
    }
    if (client_new(control, fd, uid, client_ready, &client) < 0)
        return;
    control->n_refused = 0;
    for (size_t i = 0; i < SEATS; i++)
        if (!control->clients[i]) {
            control->clients[i] = client;
            control->n_clients++;
            return;
        }
}
