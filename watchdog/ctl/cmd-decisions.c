/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl decisions: the last ones, and with -f those that come. */
#include <inttypes.h>
#include <time.h>

#include "../util/util.h"
#include "ctl.h"

#define RECORDS_DEFAULT 20u
#define PAGE_RECORDS    256u

/* "10min" ago, "14:30", "14:30:05", "2026-11-20", "2026-11-20 14:30[:05]", "@SECONDS". */
static bool since_parse(const char *text, uint64_t *ret_us)
{
    static const char *const formats[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d",
                                          "%H:%M:%S", "%H:%M"};
    time_t now = time(NULL);
    const char *why;
    uint64_t span_us;

    if (*text == '@' && duration_parse(text + 1, ret_us, &why) == 0)
        return true;
    if (duration_parse(text, &span_us, &why) == 0) {
        *ret_us = sub_u64((uint64_t)now * 1000000, span_us);
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct tm tm;
        const char *end;
        time_t at;

        localtime_r(&now, &tm);
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_isdst = -1;
        end = strptime(text, formats[i], &tm);
        if (!end || *end)
            continue;
        at = mktime(&tm);
        *ret_us = at < 0 ? 0 : (uint64_t)at * 1000000;
        return true;
    }
    return false;
}

static json_t *filters(const struct ctl *ctl, uint64_t since_us)
{
    const struct options *options = &ctl->options;
    json_t *params = json_object();

    if (options->peer)
        json_object_set_new(params, "peer", json_string(options->peer));
    if (options->trigger)
        json_object_set_new(params, "trigger", json_string(options->trigger));
    if (options->verdict)
        json_object_set_new(params, "verdict", json_string(options->verdict));
    if (since_us)
        json_object_set_new(params, "since_us", json_integer((json_int_t)since_us));
    if (options->everything)
        json_object_set_new(params, "all", json_true());
    return params;
}

static void show(const struct ctl *ctl, const json_t *record)
{
    if (ctl->options.json)
        show_json(record);
    else
        show_record(ctl, record);
}

/* Asks page by page, back in time; shows the oldest first. */
static enum ctl_status show_kept(struct ctl *ctl, json_t *params, uint64_t limit)
{
    enum ctl_status result = CTL_GOOD;
    json_t *all = json_array(), *page;

    do {
        json_object_set_new(
            params, "limit",
            json_integer((json_int_t)min_u64(limit - json_array_size(all), PAGE_RECORDS)));
        page = ctl_call(ctl, "decisions", json_incref(params), &result);
        if (!page)
            break;
        json_array_extend(all, json_object_get(page, "records"));
        json_object_set(params, "before", json_object_get(page, "next"));
        /* from the first page on all is followed: nothing is between the two */
        json_object_del(params, "follow");
        json_decref(page);
    } while (json_array_size(all) < limit && has(params, "before"));
    for (size_t i = json_array_size(all); i-- > 0;)
        show(ctl, json_array_get(all, i));
    if (result == CTL_GOOD && !json_array_size(all) && !ctl->options.follow && !ctl->options.json)
        puts("no decision is kept that fits");
    json_decref(all);
    return result;
}

static enum ctl_status follow(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    const char *what;
    json_t *params;

    fflush(stdout);
    while ((what = ctl_next(ctl, -1, &params, &result))) {
        if (strcmp(what, "dropped") != 0)
            show(ctl, params);
        else
            complain("%" PRIu64 " records were left out: they came faster than they were read",
                     number_of(params, "count"));
        json_decref(params);
        if (fflush(stdout) || ferror(stdout))
            return CTL_FAILED;
    }
    return result;
}

enum ctl_status command_decisions(struct ctl *ctl)
{
    uint64_t since_us = 0, limit = ctl->options.limit;
    enum ctl_status result;
    json_t *params;

    if (ctl->options.since && !since_parse(ctl->options.since, &since_us))
        return usage("--since %s: allowed is a span (\"10min\"), a time (\"14:30\") or a date "
                     "(\"2026-11-20 14:30\")",
                     ctl->options.since);
    if (!limit)
        limit = since_us ? UINT32_MAX : RECORDS_DEFAULT;
    params = filters(ctl, since_us);
    if (ctl->options.follow)
        json_object_set_new(params, "follow", json_true());
    result = show_kept(ctl, params, limit);
    json_decref(params);
    return result == CTL_GOOD && ctl->options.follow ? follow(ctl) : result;
}
