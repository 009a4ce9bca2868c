/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FollowDecisions: those that are kept, oldest first, then those that come. The daemon gives pages,
 * the newest first; what comes while they are read waits for the end of them.
 */
#include "../util/util.h"
#include "methods.h"
#include "shape.h"

#define LAST_MAX  256u
#define QUEUE_MAX 4096u

static void tell(struct call *call, const char *name, sd_json_variant *value)
{
    sd_json_variant *values = object_with(name, value);

    call_tell(call, values);
    sd_json_variant_unref(values);
}

static void tell_record(struct call *call, sd_json_variant *record)
{
    static const char *const names[][2] = {{"decision", "decision"},
                                           {"outcome", "outcome"},
                                           {"effect", "effect"},
                                           {"uplink", "change"}};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(text_of(record, "record"), names[i][0])) {
            tell(call, names[i][1], record);
            return;
        }
    tell(call, "other", record);
}

static void take(struct call *call, const char *what, sd_json_variant *params)
{
    if (!strcmp(what, "record"))
        tell_record(call, params);
    else if (!strcmp(what, "dropped"))
        tell(call, "dropped", sd_json_variant_by_key(params, "count"));
}

static bool queue(struct call *call, sd_json_variant *record)
{
    if (call->n_queue >= QUEUE_MAX)
        return false;
    call->queue =
        array_reserve(call->queue, &call->queue_size, call->n_queue + 1, sizeof(sd_json_variant *));
    call->queue[call->n_queue++] = sd_json_variant_ref(record);
    return true;
}

/* While pages are read. */
static void take_later(struct call *call, const char *what, sd_json_variant *params)
{
    bool fits;

    if (!strcmp(what, "record"))
        fits = queue(call, params);
    else
        fits = strcmp(what, "dropped") != 0;
    if (!fits)
        call_fail_text(call, "NotAnswering",
                       "more came than can be kept while the last records were read; try again "
                       "with fewer of them");
}

static void all_read(struct call *call)
{
    sd_json_variant *ready = NULL;

    for (size_t i = sd_json_variant_elements(call->kept); i-- && !call->ended;)
        tell_record(call, sd_json_variant_by_index(call->kept, i));
    call->kept = sd_json_variant_unref(call->kept);
    if (call->ended)
        return;
    object_set_flag(&ready, "ready", true);
    call_tell(call, ready);
    sd_json_variant_unref(ready);
    for (size_t i = 0; i < call->n_queue && !call->ended; i++)
        tell_record(call, call->queue[i]);
    call->told = take;
}

static void ask_page(struct call *call, sd_json_variant *before);

static void take_page(struct call *call, sd_json_variant *result)
{
    sd_json_variant *records = sd_json_variant_by_key(result, "records");
    sd_json_variant *next = member(result, "next");
    size_t n = sd_json_variant_elements(records);

    for (size_t i = 0; i < n; i++)
        array_add(&call->kept, sd_json_variant_by_index(records, i));
    call->left = sub_u64(call->left, n);
    if (next && call->left)
        ask_page(call, next);
    else
        all_read(call);
}

/* The first one begins the following. */
static void ask_page(struct call *call, sd_json_variant *before)
{
    static const char *const without[] = {"last", NULL};
    sd_json_variant *params = call_parameters(call, without);

    object_set(&params, "before", before);
    object_set_number(&params, "limit", call->left);
    if (!before)
        object_set_flag(&params, "follow", true);
    call_ask(call, "decisions", params, take_page);
}

void method_follow(struct call *call)
{
    uint64_t last = number_of(call->parameters, "last");

    if (last > LAST_MAX || sd_json_variant_is_negative(member(call->parameters, "last"))) {
        call_fail_text(call, "BadParameter", "\"last\" is not 0 to %u", LAST_MAX);
        return;
    }
    call->left = last;
    call->told = take_later;
    ask_page(call, NULL);
}
