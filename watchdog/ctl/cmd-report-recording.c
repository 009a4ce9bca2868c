/* SPDX-License-Identifier: Apache-2.0 */
/* A report about a recording: its records go by one at a time, and are not kept. */
#include <string.h>

#include "../util/format.h"
#include "../util/printable.h"
#include "cmd-report.h"
#include "replayed.h"
#include "what-if.h"

/* One of the two replays, with its next decision or whatever it is. */
struct side {
    struct replayed *replayed;
    json_t *record; /* NULL: at the end */
};

struct reading {
    const struct history_filter *filter;
    struct report *report;
    struct page *page;       /* NULL: no page is wanted */
    struct what_if *what_if; /* NULL: nothing is compared */
    uint64_t first_us, last_us;
    uint64_t n_records;
};

static bool is_wanted(const struct history_filter *filter, const json_t *record)
{
    uint64_t time_us = record_number(record, "time_us");

    return time_us >= filter->since_us && (!filter->until_us || time_us <= filter->until_us);
}

static void next(struct side *side)
{
    side->record = replayed_next(side->replayed);
}

static void take(struct reading *reading, const json_t *record)
{
    uint64_t time_us = record_number(record, "time_us");

    if (*record_word(record, "series")) {
        if (reading->page)
            page_series(reading->page, (json_t *)record);
        if (record_number(record, "from_us")) {
            reading->first_us = record_number(record, "from_us");
            reading->last_us = max_u64(reading->last_us, record_number(record, "until_us"));
        }
        return;
    }
    if (!is_wanted(reading->filter, record))
        return;
    if (!reading->n_records++ || time_us < reading->first_us)
        reading->first_us = time_us;
    reading->last_us = max_u64(reading->last_us, time_us);
    report_take(reading->report, record);
    if (reading->page)
        page_take(reading->page, record);
    if (reading->what_if)
        what_if_take(reading->what_if, WHAT_IF_WAS, record);
}

/* All of both, in the order of time. */
static void read_both(struct reading *reading, struct side *was, struct side *other)
{
    next(was);
    if (other->replayed)
        next(other);
    while (was->record || other->record) {
        bool first = was->record && (!other->record || record_number(was->record, "time_us") <=
                                                           record_number(other->record, "time_us"));
        struct side *side = first ? was : other;
        json_t *record = side->record;

        if (first)
            take(reading, record);
        else if (is_wanted(reading->filter, record))
            what_if_take(reading->what_if, WHAT_IF_OTHER, record);
        json_decref(record);
        next(side);
    }
}

/* The result, with what is to be said of the recording and of the other configuration. */
static json_t *finish(struct reading *reading, const char *path, const char *config,
                      const struct side *was, const struct side *other)
{
    json_t *report = report_end(reading->report), *what_if;
    CLEANUP_FREE char *remark_shown = text_shown(replayed_remark(was->replayed)),
                      *other_shown = NULL;
    CLEANUP_FREE char *path_shown = text_shown(path),
                      *config_shown = text_shown(config ? config : "");
    CLEANUP_FREE char *source = string_format("from the recording %s",
                                              strcmp(path, "-") ? path_shown : "on standard input");
    CLEANUP_FREE char *said = string_format(
        replayed_status(was->replayed)
            ? "The recording could not be read to its end, and is shown up to there: %s"
            : "%s",
        remark_shown);
    uint64_t since_us = reading->filter->since_us, until_us = reading->filter->until_us;

    json_object_update_new(
        report, json_pack("{s:I,s:I,s:n,s:s,s:s,s:b,s:b,s:s?}", "from_us",
                          (json_int_t)(since_us ? since_us : reading->first_us), "until_us",
                          (json_int_t)(until_us ? until_us : reading->last_us), "oldest_us",
                          "source", source, "recording", path_shown, "journal", 0, "daemon", 0,
                          "remark", *remark_shown ? said : NULL));
    if (!reading->what_if)
        return report;
    other_shown = text_shown(replayed_remark(other->replayed));
    what_if = what_if_end(reading->what_if);
    json_object_update_new(what_if, json_pack("{s:s,s:s?}", "config", config_shown, "remark",
                                              *other_shown ? other_shown : NULL));
    json_object_set_new(report, "what_if", what_if);
    return report;
}

/* `said`: what was complained of already. */
static enum ctl_status check(const struct replayed *replayed, const char *said, bool *ret_usable)
{
    const char *remark = replayed_remark(replayed);
    int status = replayed_status(replayed);

    if ((status || *remark) && strcmp(remark, said) != 0)
        complain("%s", remark);
    *ret_usable = status != 2;
    return status ? CTL_FAILED : CTL_GOOD;
}

enum ctl_status report_recording(const struct ctl *ctl, const struct history_filter *filter,
                                 struct page *page, json_t **ret_report)
{
    const char *path = ctl->words[0], *config = ctl->options.config;
    uint64_t until_us = filter->until_us ? filter->until_us : UINT64_MAX;
    struct side was = {0}, other = {0};
    struct reading reading = {.filter = filter, .page = page};
    enum ctl_status result = CTL_FAILED, result_other = CTL_GOOD;
    bool usable = false, usable_other = true;

    if (replayed_start(path, NULL, true, filter->since_us, until_us, &was.replayed) &&
        (!config || replayed_start(path, config, false, 0, 0, &other.replayed))) {
        reading.report = report_new(NULL, page ? page_watch(page) : NULL);
        reading.what_if = config ? what_if_new() : NULL;
        read_both(&reading, &was, &other);
        result = check(was.replayed, "", &usable);
        if (config && usable)
            result_other = check(other.replayed, replayed_remark(was.replayed), &usable_other);
        *ret_report = finish(&reading, path, config, &was, &other);
        if (!usable || !usable_other) {
            json_decref(*ret_report);
            *ret_report = NULL;
        }
    }
    replayed_free(was.replayed);
    replayed_free(other.replayed);
    return result == CTL_GOOD ? result_other : result;
}
