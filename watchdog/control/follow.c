/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records for those who follow: noted when they are made, looked at and formatted later, in
 * short turns. A follower who does not keep up is told how many it missed.
 */
#include "../out/format.h"
#include "private.h"

#define BACKLOG_MAX ((size_t)128 * 1024)

/* Counts and types of those who follow. */
static void count_followers(struct control *control)
{
    control->n_followers = control->types = 0;
    for (size_t i = 0; i < SEATS; i++) {
        const struct client *client = control->clients[i];

        if (!client || !client->follows)
            continue;
        control->n_followers++;
        control->types |= client->filter.types;
    }
}

void follow_set(struct client *client, bool follows)
{
    struct control *control = client->control;

    if (!client->follows && !follows)
        return;
    if (!client->follows)
        client->follows_from = control->n_handed + control->backlog.n + control->n_lost;
    client->follows = follows;
    count_followers(control);
    if (control->n_followers)
        return;
    backlog_clear(&control->backlog);
    control->backlog = (struct backlog){0};
    control->n_handed = control->n_lost = 0;
}

void client_drop(struct client *client)
{
    if (!client)
        return;
    follow_set(client, false);
    client_free(client);
}

/* In the turn that made them, so that nothing is done with a record but keeping it: who wants which
 * is found out later. What does not fit is the newest, and told after those before it. */
void control_records(struct control *control, const struct record *records, size_t n_records)
{
    if (!control || !control->n_followers)
        return;
    for (size_t i = 0; i < n_records; i++) {
        if (!(control->types & 1u << records[i].type))
            continue;
        if (control->n_lost || control->backlog.n >= BACKLOG_MAX)
            control->n_lost++;
        else
            backlog_push(&control->backlog, &records[i]);
    }
    if (control->backlog.n)
        sd_event_source_set_enabled(control->work, SD_EVENT_ON);
}

/* {"jsonrpc":"2.0","method":"record","params":RECORD} */
static void format(struct control *control, const struct record *record)
{
    struct buffer *line = &control->line;

    line->length = 0;
    buffer_text(line, "{\"jsonrpc\":\"2.0\",\"method\":\"record\",\"params\":");
    record_json(line, record, control->host.run);
    line->length--; /* its LF */
    buffer_append(line, "}\n", 2);
}

/* How much may wait for each: less where much waits for all together. */
static size_t most_for_each(const struct control *control)
{
    size_t all = 0;

    for (size_t i = 0; i < SEATS; i++)
        all += control->clients[i] ? control->clients[i]->out.length : 0;
    return all > OUT_ALL_BYTES ? OUT_SHARE_BYTES : OUT_MOST_BYTES;
}

static void hand_to(struct client *client, size_t most)
{
    const struct buffer *line = &client->control->line;
    bool waits = client->out.length;

    if (client->n_dropped || client->out.length + line->length > most) {
        client->n_dropped++;
        return;
    }
    if (!waits)
        client->took_us = clock_us(CLOCK_MONOTONIC);
    buffer_append(&client->out, buffer_bytes(line), line->length);
    if (!waits)
        client_wait(client);
}

/* The oldest goes to those who want it. */
static void hand_out(struct control *control, size_t most)
{
    const struct record *record = backlog_first(&control->backlog);
    bool formatted = false;

    for (size_t i = 0; i < SEATS; i++) {
        struct client *client = control->clients[i];

        if (!client || !client->follows || client->closing ||
            control->n_handed < client->follows_from)
            continue;
        filter_note(&client->filter, record);
        if (!filter_fits(&client->filter, record))
            continue;
        if (!formatted)
            format(control, record);
        formatted = true;
        hand_to(client, most);
    }
    backlog_pop(&control->backlog);
    control->n_handed++;
}

/* All before them is handed out. Which of them a filter would have let through nobody knows. */
static void hand_out_lost(struct control *control)
{
    uint64_t after = control->n_handed + control->n_lost;

    for (size_t i = 0; i < SEATS; i++) {
        struct client *client = control->clients[i];

        if (!client || !client->follows || client->closing)
            continue;
        client->n_dropped +=
            after - min_u64(after, max_u64(client->follows_from, control->n_handed));
        follow_drained(client);
        client_wait(client);
    }
    control->n_handed = after;
    control->n_lost = 0;
}

/* Somebody keeps up; else what waits goes on waiting, as records, which are small. */
static bool has_room(const struct control *control)
{
    for (size_t i = 0; i < SEATS; i++)
        if (control->clients[i] && control->clients[i]->follows &&
            control->clients[i]->out.length < OUT_PAUSE_BYTES)
            return true;
    return false;
}

/* There is room again: how many were missed comes where they are missing. */
void follow_drained(struct client *client)
{
    if (client->control->backlog.n && client->out.length < OUT_PAUSE_BYTES)
        sd_event_source_set_enabled(client->control->work, SD_EVENT_ON);
    if (!client->n_dropped || client->out.length > OUT_SHARE_BYTES / 2)
        return;
    buffer_text(&client->out, "{\"jsonrpc\":\"2.0\",\"method\":\"dropped\",\"params\":{\"count\":");
    buffer_u64(&client->out, client->n_dropped);
    buffer_text(&client->out, "}}\n");
    client->n_dropped = 0;
}

bool follow_work(struct control *control, uint64_t until_us)
{
    size_t most = most_for_each(control);

    while (control->backlog.n && has_room(control)) {
        hand_out(control, most);
        if (clock_us(CLOCK_MONOTONIC) >= until_us)
            break;
    }
    if (!control->backlog.n && control->n_lost)
        hand_out_lost(control);
    return control->backlog.n && has_room(control);
}
