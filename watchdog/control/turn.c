/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is. What a client sends is read when it comes, and answered in a turn: one request
 * of each client that has some, round and round, until the time of the turn is over. The next turn
 * goes on with the next client.
 */
#include <sys/epoll.h>

#include "private.h"

#define FINISH_US     UINT64_C(200000) /* for the records that wait at the end */
#define FINISH_WRITES 16u

static void too_long(struct client *client)
{
    struct request request = {.control = client->control, .client = client, .out = &client->out};

    answer_error(&request, ERROR_INVALID, "a line is longer than %zu bytes", LINE_BYTES_MAX);
    client->closing = true;
}

/* After it was read from or written to: goes on, or it is the end of it. */
static void client_settle(struct client *client, bool there)
{
    bool asks = !client->eof || client->follows || client_line_end(client);

    if (!there || (!client->out.length && (client->closing || !asks)))
        client_drop(client);
    else
        client_wait(client);
}

/* ---- a descriptor is ready ---- */

int client_ready(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct client *client = user;
    bool there = true;

    if (revents & (EPOLLHUP | EPOLLERR) && !(revents & EPOLLIN)) {
        client_drop(client); /* nobody is there to be answered */
        return 0;
    }
    if (revents & EPOLLOUT) {
        there = client_write(client);
        if (there && client->follows)
            follow_drained(client);
    }
    if (!client->out.length)
        client->took_us = clock_us(CLOCK_MONOTONIC);
    if (there && revents & EPOLLIN && !client->closing && !client_line_end(client)) {
        (void)client_read(client);
        if (client->in.length >= LINE_BYTES_MAX && !client_line_end(client))
            too_long(client);
    }
    client_settle(client, there);
    return 0;
}

/* ---- a turn ---- */

static bool control_busy(struct control *control)
{
    const struct control_host *host = &control->host;
    bool busy = host->busy && host->busy(host->user);

    control->busy_seen |= busy;
    return busy;
}

/* One request, and what can be written at once of what there is. */
static void client_turn(struct client *client, uint64_t share_us)
{
    const char *end = client_line_end(client), *line = buffer_bytes(&client->in);
    bool there;

    client->asked_us = clock_us(CLOCK_MONOTONIC);
    if (!client->out.length)
        client->took_us = client->asked_us;
    client->waits = control_busy(client->control) && request_waits(line, (size_t)(end - line));
    if (client->waits)
        return;
    if (end > line)
        request_line(client, line, (size_t)(end - line), share_us);
    client_line_take(client, end);
    if (client->invalid_lines >= INVALID_LINES_MAX)
        client->closing = true;
    if (!client->closing && client->in.length >= LINE_BYTES_MAX && !client_line_end(client))
        too_long(client);
    there = client_write(client);
    if (there && client->follows)
        follow_drained(client);
    client_settle(client, there);
}

static uint32_t count_waiting(struct control *control)
{
    uint32_t count = 0;

    for (size_t i = 0; i < SEATS; i++)
        count += control->clients[i] && client_may_be_answered(control->clients[i]);
    return count;
}

/* Round and round from whoever is next, until then. Returns true: some are left. */
static bool answer_until(struct control *control, uint64_t until_us)
{
    uint32_t n_waiting = count_waiting(control), n_idle = 0;
    uint64_t share_us = max_u64(SHARE_US, TURN_US / (n_waiting ? n_waiting : 1));

    while (n_waiting && n_idle < SEATS) {
        struct client *client = control->clients[control->next];

        control->next = (control->next + 1) % SEATS;
        n_idle++;
        if (!client || !client_may_be_answered(client))
            continue;
        n_idle = 0;
        client_turn(client, share_us);
        if (clock_us(CLOCK_MONOTONIC) >= until_us)
            return count_waiting(control);
    }
    return false;
}

void control_go_on(struct control *control)
{
    if (!control || !control->busy_seen)
        return;
    control->busy_seen = false;
    for (size_t i = 0; i < SEATS; i++)
        if (control->clients[i])
            control->clients[i]->waits = false;
    if (count_waiting(control))
        sd_event_source_set_enabled(control->work, SD_EVENT_ON);
}

int turn_run(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct control *control = user;
    uint64_t begin_us = clock_us(CLOCK_MONOTONIC);
    bool more;

    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    more = follow_work(control, begin_us + TURN_US / 2);
    more |= answer_until(control, begin_us + TURN_US);
    if (more)
        sd_event_source_set_enabled(control->work, SD_EVENT_ON);
    return 0;
}

void turn_finish(struct control *control)
{
    (void)follow_work(control, clock_us(CLOCK_MONOTONIC) + FINISH_US);
    for (size_t i = 0; i < SEATS; i++) {
        struct client *client = control->clients[i];

        if (!client)
            continue;
        for (unsigned k = 0; k < FINISH_WRITES && client->out.length; k++)
            if (!client_write(client))
                break;
        client_drop(client);
    }
}
