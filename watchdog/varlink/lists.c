/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers, page by page; uplinks and relays, which the daemon answers with counts of a part of the
 * connections each time: the parts are added up here.
 */
#include "../util/util.h"
#include "methods.h"
#include "shape.h"

#define RELAYED_MAX 10000u

/* ---- peers ---- */

static void ask_peers(struct call *call, sd_json_variant *after);

static void next_page(struct call *call)
{
    sd_json_variant *next = call->kept;

    call->kept = NULL;
    ask_peers(call, next);
    sd_json_variant_unref(next);
}

/* With more, the next one is asked for when the client has this one. */
static void take_page(struct call *call, sd_json_variant *result)
{
    sd_json_variant *next = member(result, "next");

    if (!call->more || !next) {
        call_reply(call, result);
        return;
    }
    call_tell(call, result);
    call->kept = sd_json_variant_ref(next);
    call->drained = next_page;
}

static void ask_peers(struct call *call, sd_json_variant *after)
{
    static const char *const without[] = {"after", NULL};
    sd_json_variant *params = call_parameters(call, without);

    object_set(&params, "after", after);
    call_ask(call, "peers", params, take_page);
}

void method_list_peers(struct call *call)
{
    ask_peers(call, member(call->parameters, "after"));
}

/* ---- pages that are added up ---- */

static uint64_t lower(sd_json_variant *a, sd_json_variant *b, const char *name)
{
    uint64_t first = member(a, name) ? number_of(a, name) : UINT64_MAX;

    return min_u64(first, member(b, name) ? number_of(b, name) : UINT64_MAX);
}

/* The rows of both pages are of the same things in the same order, but for what came or went
 * meanwhile. */
static sd_json_variant *rows_sum(sd_json_variant *before, sd_json_variant *page, const char *key)
{
    sd_json_variant *sum = NULL;

    for (size_t i = 0; i < sd_json_variant_elements(page); i++) {
        sd_json_variant *row = sd_json_variant_ref(sd_json_variant_by_index(page, i));
        sd_json_variant *old =
            i < sd_json_variant_elements(before) ? sd_json_variant_by_index(before, i) : NULL;

        if (!strcmp(text_of(old, key), text_of(row, key))) {
            object_set_number(&row, "peers", number_of(old, "peers") + number_of(row, "peers"));
            if (member(row, "silent"))
                object_set_number(&row, "silent",
                                  number_of(old, "silent") + number_of(row, "silent"));
            if (lower(old, row, "srtt_us") != UINT64_MAX)
                object_set_number(&row, "srtt_us", lower(old, row, "srtt_us"));
        }
        array_add(&sum, row);
        sd_json_variant_unref(row);
    }
    if (!sum && sd_json_variant_new_array(&sum, NULL, 0) < 0)
        memory_out();
    return sum;
}

static void add_rows(sd_json_variant **total, sd_json_variant *page, const char *rows,
                     const char *key)
{
    sd_json_variant *sum =
        rows_sum(sd_json_variant_by_key(*total, rows), sd_json_variant_by_key(page, rows), key);

    object_set(total, rows, sum);
    sd_json_variant_unref(sum);
}

/* Puts all of the pages so far together, or asks for the next. */
static void next_part(struct call *call, const char *method, sd_json_variant *result,
                      void (*answered)(struct call *call, sd_json_variant *result))
{
    sd_json_variant *next = member(result, "next");

    if (next)
        call_ask(call, method, object_with("after", next), answered);
    else
        call_reply(call, call->kept);
}

static void take_uplinks(struct call *call, sd_json_variant *result)
{
    add_rows(&call->kept, result, "uplinks", "uplink");
    next_part(call, "uplinks", result, take_uplinks);
}

static void take_relays(struct call *call, sd_json_variant *result)
{
    sd_json_variant *peers = sd_json_variant_ref(sd_json_variant_by_key(call->kept, "peers"));
    sd_json_variant *more = sd_json_variant_by_key(result, "peers");

    if (!peers)
        peers = sd_json_variant_ref(more);
    else
        for (size_t i = 0;
             i < sd_json_variant_elements(more) && sd_json_variant_elements(peers) < RELAYED_MAX;
             i++)
            array_add(&peers, sd_json_variant_by_index(more, i));
    object_set(&call->kept, "peers", peers);
    sd_json_variant_unref(peers);
    add_rows(&call->kept, result, "relays", "relay");
    next_part(call, "relays", result, take_relays);
}

void method_list_uplinks(struct call *call)
{
    call_ask(call, "uplinks", NULL, take_uplinks);
}

void method_list_relays(struct call *call)
{
    call_ask(call, "relays", NULL, take_relays);
}
