/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records for those who follow: noted when they are made, formatted later, in
 * short turns. A follower who does not keep up is told how many it missed.
 */
#include "../out/format.h"
#include "private.h"

#define BACKLOG_MAX   ((size_t)128 * 1024)
#define SLICE_US      UINT64_C(1000)
#define SLICE_RECORDS 32u

void follow_set(struct client *client, bool follows)
{
    struct control *control = client->control;

    if (client->follows == follows)
        return;
    client->follows = follows;
    if (follows)
        control->n_followers++;
    else
        control->n_followers--;
    if (!control->n_followers) {
        backlog_clear(&control->backlog);
        control->backlog = (struct backlog){0};
    }
}

static bool is_wanted(const struct control *control, const struct record *record)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (control->clients[i] && control->clients[i]->follows &&
            filter_may_fit(&control->clients[i]->filter, record))
            return true;
    return false;
}

static void drop(struct control *control, const struct record *record)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (!client || !client->follows)
            continue;
        filter_note(&client->filter, record);
        client->n_dropped += filter_fits(&client->filter, record);
    }
}

void control_records(struct control *control, const struct record *records, size_t n_records)
{
    if (!control || !control->n_followers)
        return;
    for (size_t i = 0; i < n_records; i++) {
        if (!is_wanted(control, &records[i]))
            continue;
        if (control->backlog.n >= BACKLOG_MAX)
            drop(control, &records[i]);
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

static void hand_out(struct control *control, const struct record *record)
{
    format(control, record);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (!client || !client->follows || client->closing)
            continue;
        filter_note(&client->filter, record);
        if (!filter_fits(&client->filter, record))
            continue;
        if (!client->out.length)
            client->took_us = clock_us(CLOCK_MONOTONIC);
        if (client->n_dropped || client->out.length + control->line.length > OUT_MOST_BYTES)
            client->n_dropped++;
        else
            buffer_append(&client->out, buffer_bytes(&control->line), control->line.length);
    }
}

/* Somebody keeps up; else what waits goes on waiting, as records, which are small. */
static bool has_room(const struct control *control)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
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
    if (!client->n_dropped || client->out.length > OUT_MOST_BYTES / 2)
        return;
    buffer_text(&client->out, "{\"jsonrpc\":\"2.0\",\"method\":\"dropped\",\"params\":{\"count\":");
    buffer_u64(&client->out, client->n_dropped);
    buffer_text(&client->out, "}}\n");
    client->n_dropped = 0;
}

void follow_finish(struct control *control)
{
    while (control->backlog.n) {
        hand_out(control, backlog_first(&control->backlog));
        backlog_pop(&control->backlog);
    }
}

void follow_work(struct control *control)
{
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + SLICE_US;

    do {
        for (unsigned i = 0; i < SLICE_RECORDS && control->backlog.n && has_room(control); i++) {
            hand_out(control, backlog_first(&control->backlog));
            backlog_pop(&control->backlog);
        }
    } while (control->backlog.n && has_room(control) && clock_us(CLOCK_MONOTONIC) < until_us);
    sd_event_source_set_enabled(
        control->work, control->backlog.n && has_room(control) ? SD_EVENT_ON : SD_EVENT_OFF);
}
