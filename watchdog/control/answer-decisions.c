/* SPDX-License-Identifier: Apache-2.0 */
/* The last records, newest first in pages; and who wants to be told of new ones. */
#include "../out/format.h"
#include "private.h"

#define RECORDS_DEFAULT 20u

static bool verdict_find(const char *name, int *ret_verdict)
{
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (!strcmp(name, verdict_name((enum verdict)i))) {
            *ret_verdict = i;
            return true;
        }
    return false;
}

static void unknown_verdict(struct request *request, const char *name)
{
    char list[256] = "";
    size_t at = 0;

    for (int i = 0; i < VERDICT_COUNT; i++)
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", i ? ", " : "",
                               verdict_name((enum verdict)i));
    answer_error(request, ERROR_PARAMS, "unknown verdict \"%.64s\"; allowed is %s", name, list);
}

/* Borrows the texts of the params, but for the glob. Returns false: answered with an error. */
static bool filter_read(struct request *request, struct filter *ret)
{
    const char *verdict = param_text(request, "verdict"), *uplink = param_text(request, "uplink");
    uint32_t types = 1u << RECORD_DECISION | 1u << RECORD_OUTCOME | 1u << RECORD_EFFECT;

    *ret = (struct filter){
        .trigger = (char *)param_text(request, "trigger"),
        .verdict = -1,
        .uplink = (char *)uplink,
        .since_us = param_u64(request, "since_us"),
        .types = param_bool(request, "all") ? UINT32_MAX
                 : uplink                   ? types | 1u << RECORD_UPLINK
                                            : types,
    };
    if (verdict && !verdict_find(verdict, &ret->verdict)) {
        unknown_verdict(request, verdict);
        return false;
    }
    return param_glob(request, "peer", &ret->peer);
}

/* Which decisions the records before that number may belong to. Those of more than twice a
 * walk ago are not found any more. */
static void note_decisions(const struct request *request, struct filter *filter, uint64_t before)
{
    struct inspect_walk walk = {.before = before};
    const struct record *record;

    if (!filter_notes(filter))
        return;
    if (!filter->noted)
        filter->noted = memory_new(1, sizeof(*filter->noted));
    for (uint32_t i = 0; i < 2 * RECORDS_WALK && (record = inspect_walk(request->engine, &walk));
         i++)
        filter_note(filter, record);
}

/* Takes over what is noted, and the glob. */
static void follow(struct request *request, struct filter *filter)
{
    struct client *client = request->client;

    follow_set(client, false);
    filter_clear(&client->filter);
    if (param_given(request, "before"))
        note_decisions(request, filter, 0);
    client->filter = *filter;
    filter->noted = NULL;
    filter->peer = NULL;
    client->filter.trigger = string_copy(filter->trigger);
    client->filter.uplink = string_copy(filter->uplink);
    follow_set(client, true);
}

/* The records of one page, and the number to go on with: null where there are no more. */
static void put_page(struct buffer *out, struct request *request, const struct filter *filter,
                     uint64_t limit)
{
    struct inspect_walk walk = {.before = param_u64(request, "before")};
    const struct record *record = NULL;
    uint32_t walked = 0;

    put_open(out, "records", "[");
    while (limit && walked++ < RECORDS_WALK && request_goes_on(request) &&
           (record = inspect_walk(request->engine, &walk))) {
        if (record->time_us < filter->since_us) {
            record = NULL; /* older ones are older still */
            break;
        }
        if (!filter_fits(filter, record))
            continue;
        put_name(out, NULL);
        record_json(out, record, request->control->host.run);
        out->length--; /* its LF */
        limit--;
    }
    put_close(out, "]");
    put_known(out, "next", record && walk.before > 1 ? walk.before : 0, 0);
}

void answer_decisions(struct request *request)
{
    uint64_t limit = param_given(request, "limit") ? param_u64(request, "limit") : RECORDS_DEFAULT;
    struct filter filter;
    struct buffer *out;

    if (!filter_read(request, &filter))
        return;
    note_decisions(request, &filter, param_u64(request, "before"));
    if (param_given(request, "follow") && !param_bool(request, "follow"))
        follow_set(request->client, false);
    out = answer_begin(request);
    put_open(out, NULL, "{");
    put_page(out, request, &filter, min_u64(limit, ROWS_MAX));
    put_bool(out, "follows", param_bool(request, "follow"));
    put_close(out, "}");
    answer_end(request);
    if (param_bool(request, "follow"))
        follow(request, &filter);
    free(filter.noted);
    glob_free(filter.peer);
}
