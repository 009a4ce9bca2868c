/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../util/util.h"
#include "../members.h"
#include "../peers-order.h"

#define MESSAGE_US UINT64_C(10000000)

const char *const top_sorts[] = {"worst", "silent", "rtt", "name", "age", NULL};

void top_init(struct top_model *model, bool utf8)
{
    *model = (struct top_model){.utf8 = utf8, .rows = 24, .cols = 80, .page = 10};
    model->records = json_array();
}

void top_clear(struct top_model *model)
{
    json_decref(model->status);
    json_decref(model->uplinks);
    json_decref(model->peers);
    json_decref(model->conditions);
    json_decref(model->records);
    sparks_clear(&model->sparks);
    free(model->text);
    *model = (struct top_model){0};
}

/* ---- what the daemon says ---- */

static void take(json_t **place, json_t *value)
{
    json_decref(*place);
    *place = value;
}

void top_take_status(struct top_model *model, json_t *status)
{
    take(&model->status, status);
}

void top_take_uplinks(struct top_model *model, json_t *uplinks)
{
    take(&model->uplinks, uplinks);
}

/* As it is, and not as it is shown. */
static const char *peer_name(const json_t *peer)
{
    const char *name = json_string_value(json_object_get(peer, "peer"));

    return name ? name : "";
}

/* The cursor stays with its peer, wherever that is now; with its place where the peer is not shown
 * any more. */
static void keep_cursor(struct top_model *model)
{
    for (size_t i = 0; *model->selected && i < json_array_size(model->peers); i++) {
        const json_t *peer = json_array_get(model->peers, i);

        if (number_of(peer, "conn") == model->selected_conn &&
            !strcmp(peer_name(peer), model->selected)) {
            model->cursor = (int)i;
            return;
        }
    }
    top_select(model, model->cursor);
}

void top_take_peers(struct top_model *model, json_t *answer)
{
    take(&model->peers, json_incref(json_object_get(answer, "peers")));
    take(&model->conditions, json_incref(json_object_get(answer, "conditions")));
    json_decref(answer);
    for (size_t i = 0; i < json_array_size(model->peers); i++)
        sparks_take(&model->sparks, model->now_us, json_array_get(model->peers, i));
    if (model->to_end)
        top_select(model, TOP_ROWS_MOST);
    else if (*model->selected) /* who has not chosen one looks at the top of the list */
        keep_cursor(model);
    model->to_end = false;
}

void top_take_records(struct top_model *model, json_t *newest_first)
{
    take(&model->records, newest_first ? newest_first : json_array());
    model->n_missed = 0;
}

void top_take_record(struct top_model *model, json_t *record)
{
    if (model->paused) {
        model->n_missed++;
        json_decref(record);
        return;
    }
    json_array_insert_new(model->records, 0, record);
    while (json_array_size(model->records) > TOP_RECORDS_MOST)
        json_array_remove(model->records, json_array_size(model->records) - 1);
}

void top_take_text(struct top_model *model, const char *peer, char *text)
{
    if (model->view != VIEW_EXPLAIN || strcmp(model->explained, peer) != 0) {
        free(text); /* another one is looked at by now */
        return;
    }
    free(model->text);
    model->text = text;
}

static void add_counts(json_t *into, const json_t *from)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)from, name, value)
    {
        uint64_t sum = number_of(into, name) + (uint64_t)json_integer_value(value);

        json_object_set_new(into, name, json_integer((json_int_t)sum));
    }
}

void top_merge(json_t **all, json_t *page, const char *sort, size_t most)
{
    json_t *peers;

    if (!*all) {
        *all = page;
        return;
    }
    peers = json_object_get(*all, "peers");
    add_counts(json_object_get(*all, "conditions"), json_object_get(page, "conditions"));
    json_array_extend(peers, json_object_get(page, "peers"));
    json_object_set_new(*all, "peers", peers_sorted(peers, peers_order(sort), most));
    json_object_set(*all, "next", json_object_get(page, "next"));
    json_decref(page);
}

void top_link_set(struct top_model *model, enum top_link link, const char *why)
{
    if (model->link != link)
        model->link_since_us = model->now_us;
    model->link = link;
    snprintf(model->link_why, sizeof(model->link_why), "%s", why);
}

void top_say(struct top_model *model, bool bad, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(model->message, sizeof(model->message), format, arguments);
    va_end(arguments);
    model->message_bad = bad;
    model->message_us = model->now_us;
}

bool top_forget_message(struct top_model *model)
{
    if (!*model->message || model->now_us < model->message_us + MESSAGE_US)
        return false;
    *model->message = '\0';
    return true;
}

/* ---- what is looked at ---- */

uint64_t top_count(const struct top_model *model)
{
    uint64_t sum = 0;
    const char *name;
    json_t *value;

    json_object_foreach(model->conditions, name, value) sum += (uint64_t)json_integer_value(value);
    return sum;
}

const json_t *top_selected(const struct top_model *model)
{
    return json_array_get(model->peers, (size_t)model->cursor);
}

void top_select(struct top_model *model, int place)
{
    int n = (int)json_array_size(model->peers);
    const json_t *peer;

    model->cursor = place >= n ? n - 1 : place;
    if (model->cursor < 0)
        model->cursor = 0;
    peer = top_selected(model);
    model->selected_conn = number_of(peer, "conn");
    snprintf(model->selected, sizeof(model->selected), "%s", peer_name(peer));
}

size_t top_wanted(const struct top_model *model)
{
    int wanted = model->cursor + 2 * model->page;

    if (model->to_end)
        wanted = TOP_ROWS_MOST;
    return (size_t)(wanted > TOP_ROWS_MOST ? TOP_ROWS_MOST : wanted < 1 ? 1 : wanted);
}

char *top_match(const struct top_model *model)
{
    size_t size = strlen(model->filter) + 3;
    char *glob;

    if (!*model->filter)
        return NULL;
    glob = memory_new(size, 1);
    if (strpbrk(model->filter, "*?["))
        snprintf(glob, size, "%s", model->filter);
    else
        snprintf(glob, size, "*%s*", model->filter);
    return glob;
}

const char *top_sort(const struct top_model *model)
{
    return top_sorts[model->sort];
}
