/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block of memory per event: the event, then all that it points to.
 */
#include "inbox.h"

#include "util/util.h"

struct item {
    struct item *next;
    size_t n_bytes;
    struct event event;
    struct pd_field fields[]; /* then the texts */
};

struct inbox {
    struct item *first, **last;
    struct item *taken;
    struct event lost_event;
    size_t n_events, n_bytes;
    uint64_t n_lost;
};

struct inbox *inbox_new(void)
{
    struct inbox *inbox = memory_new(1, sizeof(*inbox));

    inbox->last = &inbox->first;
    return inbox;
}

struct inbox *inbox_free(struct inbox *inbox)
{
    struct item *item;

    if (!inbox)
        return NULL;
    while ((item = inbox->first)) {
        inbox->first = item->next;
        free(item);
    }
    free(inbox->taken);
    free(inbox);
    return NULL;
}

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Copies to `*at` and moves it on. */
static const char *put_text(char **at, const char *text)
{
    size_t n_bytes = text_bytes(text);
    char *copy = *at;

    if (!text)
        return NULL;
    memcpy(copy, text, n_bytes);
    *at += n_bytes;
    return copy;
}

/* NULL: it does not fit, and was counted. */
static struct item *inbox_add(struct inbox *inbox, size_t n_fields, size_t n_text_bytes)
{
    size_t n_bytes = sizeof(struct item) + n_fields * sizeof(struct pd_field) + n_text_bytes;
    struct item *item;

    if (inbox->n_events >= INBOX_MAX_EVENTS || inbox->n_bytes + n_bytes > INBOX_MAX_BYTES) {
        inbox->n_lost++;
        return NULL;
    }
    item = memory_new(1, n_bytes);
    item->n_bytes = n_bytes;
    inbox->n_events++;
    inbox->n_bytes += n_bytes;
    *inbox->last = item;
    inbox->last = &item->next;
    return item;
}

void inbox_signal(struct inbox *inbox, const char *instance, const struct pd_signal *signal)
{
    size_t n_text = text_bytes(instance) + text_bytes(signal->kind);
    struct item *item;
    char *at;

    for (size_t i = 0; i < signal->n_fields; i++)
        n_text += text_bytes(signal->fields[i].name) + text_bytes(signal->fields[i].text);
    item = inbox_add(inbox, signal->n_fields, n_text);
    if (!item)
        return;
    at = (char *)(item->fields + signal->n_fields);
    item->event.type = EVENT_SIGNAL;
    item->event.signal = (struct event_signal){
        .trigger = put_text(&at, instance),
        .kind = put_text(&at, signal->kind),
        .query = signal->query,
        .fields = item->fields,
        .n_fields = signal->n_fields,
    };
    for (size_t i = 0; i < signal->n_fields; i++)
        item->fields[i] = (struct pd_field){
            .name = put_text(&at, signal->fields[i].name),
            .text = put_text(&at, signal->fields[i].text),
            .number = signal->fields[i].number,
        };
}

void inbox_notice(struct inbox *inbox, enum pd_level level, const char *what, const char *text,
                  uint64_t count)
{
    struct item *item = inbox_add(inbox, 0, text_bytes(what) + text_bytes(text));
    char *at;

    if (!item)
        return;
    at = (char *)item->fields;
    item->event.type = EVENT_NOTICE;
    item->event.notice = (struct event_notice){
        .level = level,
        .what = put_text(&at, what),
        .text = put_text(&at, text),
        .count = count,
    };
}

bool inbox_is_empty(const struct inbox *inbox)
{
    return !inbox->first && !inbox->n_lost;
}

struct event *inbox_take(struct inbox *inbox)
{
    struct item *item = inbox->first;

    if (inbox->n_lost) {
        inbox->lost_event = (struct event){
            .type = EVENT_NOTICE,
            .notice = {.level = PD_LEVEL_ERROR,
                       .what = "events-dropped",
                       .text = "the sources of triggers sent more events than fit into the inbox: "
                               "some were dropped",
                       .count = inbox->n_lost},
        };
        inbox->n_lost = 0;
        return &inbox->lost_event;
    }
    free(inbox->taken);
    inbox->taken = item;
    if (!item)
        return NULL;
    inbox->first = item->next;
    if (!inbox->first)
        inbox->last = &inbox->first;
    inbox->n_events--;
    inbox->n_bytes -= item->n_bytes;
    return &item->event;
}
