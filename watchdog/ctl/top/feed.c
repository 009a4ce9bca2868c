/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../util/clock.h"
#include "../channel.h"
#include "../members.h"

#define TURN_US UINT64_C(50000) /* then keys and signals have their turn */

int feed_open(struct feed *feed)
{
    feed_close(feed);
    return channel_open(feed->path, &feed->channel);
}

void feed_close(struct feed *feed)
{
    feed->channel = channel_free(feed->channel);
    feed->n_asked = 0;
    feed->more = false;
}

int feed_ask(struct feed *feed, uint64_t now_us, enum about about, uint64_t round,
             const char *method, json_t *params)
{
    uint64_t id = ++feed->next_id;
    json_t *request = json_pack("{s:s,s:I,s:s,s:o}", "jsonrpc", "2.0", "id", (json_int_t)id,
                                "method", method, "params", params ? params : json_object());
    int r = -ENOTCONN;

    if (feed->n_asked == FEED_MOST) {
        json_decref(request);
        return -EBUSY;
    }
    if (feed->channel)
        r = channel_send(feed->channel, request, 0);
    json_decref(request);
    if (r == 0)
        feed->asked[feed->n_asked++] =
            (struct asked){.about = about, .id = id, .asked_us = now_us, .round = round};
    else
        feed_close(feed);
    return r;
}

static void take_notification(const struct feed_handler *handler, const json_t *message)
{
    const json_t *params = json_object_get(message, "params");
    const char *method = text_of(message, "method");

    if (!strcmp(method, "record") && json_is_object(params))
        handler->record(handler->user, params);
    else if (!strcmp(method, "dropped"))
        handler->dropped(handler->user, number_of(params, "count"));
}

/* Returns 0, or -EPROTO: nothing like it was asked. */
static int take_answer(struct feed *feed, const struct feed_handler *handler, const json_t *message,
                       char why[160])
{
    const json_t *error = json_object_get(message, "error");
    struct answer answer = {
        .result = json_object_get(message, "result"),
        .error = error ? text_of(error, "message") : NULL,
    };

    if (!feed->n_asked || number_of(message, "id") != feed->asked[0].id) {
        /* refused before it was asked anything: it closes */
        snprintf(why, 160, "%s", error ? text_of(error, "message") : "an answer to nothing");
        return -EPROTO;
    }
    answer.asked = feed->asked[0];
    feed->n_asked--;
    memmove(&feed->asked[0], &feed->asked[1], feed->n_asked * sizeof(feed->asked[0]));
    handler->answer(handler->user, &answer);
    return 0;
}

int feed_read(struct feed *feed, const struct feed_handler *handler, char why[160])
{
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + TURN_US;
    int r = feed->channel ? 0 : -ENOTCONN;

    *why = '\0';
    feed->more = false;
    while (r == 0) {
        json_t *message;

        if (clock_us(CLOCK_MONOTONIC) > until_us) {
            feed->more = true;
            return 0;
        }
        r = channel_receive(feed->channel, 0, &message);
        if (r < 0)
            break;
        if (json_object_get(message, "method"))
            take_notification(handler, message);
        else
            r = take_answer(feed, handler, message, why);
        json_decref(message);
        if (!feed->channel) /* an answer led to a request that failed */
            return -ECONNRESET;
    }
    if (r == -ETIMEDOUT)
        return 0;
    feed_close(feed);
    return r;
}

uint64_t feed_waits_since(const struct feed *feed)
{
    return feed->n_asked ? feed->asked[0].asked_us : 0;
}
