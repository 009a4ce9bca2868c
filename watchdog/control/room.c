/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who makes room when all places are taken: whoever has had one without using it, whoever takes
 * nothing, then one of the user who has the most. No user can lock out another.
 */
#include <stdio.h>
#include <sys/socket.h>

#include "../util/format.h"
#include "private.h"

static uint32_t count_of(const struct control *control, uint32_t uid)
{
    uint32_t count = 0;

    for (size_t i = 0; i < SEATS; i++)
        count += control->clients[i] && control->clients[i]->uid == uid;
    return count;
}

void notify_full(int fd, const char *why)
{
    CLEANUP_FREE char *line = string_format(
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":%d,\"message\":\"%u clients "
        "are connected, which is the most allowed: %s\"}}\n",
        ERROR_TOO_MANY, CLIENTS_MAX, why);

    (void)send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The one that has asked nothing for the longest time, of those that `fits`; never `stays`. */
static struct client *idlest(const struct control *control, const struct client *stays,
                             bool (*fits)(const struct client *client, uint64_t value),
                             uint64_t value)
{
    struct client *found = NULL;

    for (size_t i = 0; i < SEATS; i++) {
        struct client *client = control->clients[i];

        if (client && client != stays && fits(client, value) &&
            (!found || client->asked_us < found->asked_us))
            found = client;
    }
    return found;
}

static bool is_idle(const struct client *client, uint64_t now_us)
{
    return !client->follows && !client->out.length && sub_u64(now_us, client->asked_us) > IDLE_US;
}

static bool is_slow(const struct client *client, uint64_t now_us)
{
    return client->out.length && sub_u64(now_us, client->took_us) > SLOW_US;
}

static bool is_of(const struct client *client, uint64_t uid)
{
    return client->uid == uid;
}

/* One of the user who has the most, if that is at least two more than the other has. */
static struct client *of_the_greediest(const struct control *control, uint32_t uid)
{
    uint32_t most = count_of(control, uid) + 1, greediest = uid;

    for (size_t i = 0; i < SEATS; i++) {
        const struct client *client = control->clients[i];
        uint32_t count =
            client && !user_is_trusted(client->uid) ? count_of(control, client->uid) : 0;

        if (count > most) {
            most = count;
            greediest = client->uid;
        }
    }
    return greediest == uid ? NULL : idlest(control, NULL, is_of, greediest);
}

bool make_room(struct control *control, const struct client *stays, uint32_t uid)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);
    struct client *client = idlest(control, stays, is_idle, now_us);
    bool found;

    if (!client)
        client = idlest(control, stays, is_slow, now_us);
    if (!client)
        client = of_the_greediest(control, uid);
    if (client && !client->out.length)
        notify_full(client->fd, "this one makes room for another");
    found = client;
    client_drop(client);
    return found;
}

bool client_becomes(struct client *client, uint32_t uid)
{
    struct control *control = client->control;

    while (!user_is_trusted(uid) && control->n_clients > CLIENTS_MAX)
        if (!make_room(control, client, uid))
            return false;
    client->uid = uid;
    return true;
}
