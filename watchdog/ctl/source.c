/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where records come from. The daemon that answers is found in the journal by its run, and its
 * earlier runs by its unit: of several pathdogs on a machine, only that one is meant.
 */
#include "source.h"

#include <errno.h>
#include <time.h>

#include "../util/format.h"
#include "channel.h"
#include "when.h"

#define PAGE_RECORDS 256u
/* Records wait for a journald that stands still, so its time may be later than theirs. */
#define LATE_US (UINT64_C(600) * 1000000)

uint64_t source_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static enum ctl_status moment(const char *option, const char *text, uint64_t *ret_us)
{
    if (text && !when_parse(text, source_now(), ret_us))
        return usage("%s %s: allowed is " WHEN_ALLOWED, option, text);
    return CTL_GOOD;
}

enum ctl_status source_filter(const struct ctl *ctl, struct history_filter *ret_filter)
{
    const struct options *options = &ctl->options;
    bool place = options->directory || options->file;
    enum ctl_status result;

    *ret_filter = (struct history_filter){
        .peer = options->peer,
        .trigger = options->trigger,
        .verdict = options->verdict,
        .uplink = options->uplink,
        .everything = options->everything,
        .no_storms = options->json,
    };
    if (options->directory && options->file)
        return usage("--directory and --file do not go together: give one of them");
    if (options->source == SOURCE_DAEMON && (place || options->unit))
        return usage("--%s is about the journal, which --source daemon does not read",
                     options->directory ? "directory"
                     : options->file    ? "file"
                                        : "unit");
    result = moment("--since", options->since, &ret_filter->since_us);
    if (result == CTL_GOOD)
        result = moment("--until", options->until, &ret_filter->until_us);
    if (result == CTL_GOOD && ret_filter->until_us && ret_filter->until_us < ret_filter->since_us)
        return usage("--until %s is before --since %s", options->until, options->since);
    if (result == CTL_GOOD && options->follow && ret_filter->until_us)
        return usage("--until and --follow do not go together");
    return result;
}

/* ---- the journal ---- */

static const char *journal_error(const struct journal_place *place, int error)
{
    bool here = !place->file && !place->directory;

    switch (error) {
    case -EACCES:
        return here ? "permission denied: the journal is for root and for members of the groups "
                      "systemd-journal and adm (as root: \"usermod -aG systemd-journal USER\", and "
                      "log in again)"
                    : "permission denied";
    case -ENODATA:
        if (!place->file)
            return here ? "there is no journal in /var/log/journal nor in /run/log/journal"
                        : "there is no journal in it (a file \"….journal\")";
        /* fall through */
    case -EBADMSG:
    case -EINVAL:
    case -EPROTONOSUPPORT:
        return "not a journal; of an export (journalctl -o export), systemd-journal-remote makes "
               "one";
    default:
        return strerror(-error);
    }
}

/* A name that fits only itself as a glob. */
static const char *plain_name(const char *glob)
{
    return glob && !strpbrk(glob, "*?[\\") ? glob : NULL;
}

/* Surely wanted, whatever else is read. */
static bool counts(const struct history_filter *filter, const json_t *record)
{
    return (!filter->trigger && !filter->verdict && !filter->uplink) || has(record, "verdict") ||
           !strcmp(text_of(record, "record"), "uplink");
}

static struct journal_wish wish_of(const struct source *source, const struct history_filter *filter,
                                   const char *run)
{
    return (struct journal_wish){.unit = source->unit,
                                 .run = run,
                                 .peer = plain_name(filter->peer),
                                 .uplinks = filter->uplink,
                                 .everything = filter->everything};
}

/* Backwards where only the last ones are wanted. Returns 0 or -errno. */
static int journal_take(struct source *source, const struct history_filter *filter, uint64_t limit,
                        const char *run)
{
    struct journal_wish wish = wish_of(source, filter, run);
    struct history_filter storms = {.peer = filter->peer,
                                    .trigger = filter->trigger,
                                    .verdict = filter->verdict,
                                    .uplink = filter->uplink,
                                    .since_us = filter->since_us,
                                    .until_us = filter->until_us};
    bool backwards = !filter->since_us && limit != UINT64_MAX;
    uint64_t got_us = 0, n = 0, late_us = add_u64(filter->until_us, LATE_US);
    json_t *record;
    int r = journal_reader_start(source->reader, &wish,
                                 backwards ? (filter->until_us ? late_us : 0) : filter->since_us,
                                 backwards);

    while (r >= 0 && n < limit) {
        r = journal_reader_next(source->reader, &record, &got_us);
        if (r <= 0)
            break;
        if (filter->until_us && !backwards && got_us > late_us) {
            json_decref(record);
            break;
        }
        source->n_storms += record && history_is_storm(record) && history_may_fit(&storms, record);
        if (record && history_may_fit(filter, record)) {
            source->n_log_dropped += journal_reader_dropped(source->reader);
            n += backwards && counts(filter, record);
            history_add(&source->history, record);
        } else {
            json_decref(record);
        }
    }
    return r < 0 ? r : 0;
}

/* With the run of the daemon that was found, or NULL. */
static enum ctl_status read_journal(struct ctl *ctl, const struct history_filter *filter,
                                    uint64_t limit, const char *run, struct source *source)
{
    const struct options *options = &ctl->options;
    struct journal_place place = {.directory = options->directory, .file = options->file};
    int r = journal_reader_open(&place, &source->reader);

    if (options->unit)
        source->unit = strchr(options->unit, '.') ? string_copy(options->unit)
                                                  : string_format("%s.service", options->unit);
    if (r == 0 && run) {
        r = journal_reader_unit(source->reader, run, &source->unit);
        if (r == 0) {
            source->reader = journal_reader_free(source->reader);
            source->why_not =
                "the journal has no record of the pathdog that answers at the control socket";
            return CTL_GOOD;
        }
    }
    if (r >= 0)
        r = journal_take(source, filter, limit, source->unit ? NULL : run);
    if (r >= 0) {
        source->oldest_us = journal_reader_oldest(source->reader);
        return CTL_GOOD;
    }
    source->reader = journal_reader_free(source->reader);
    source->why_not = journal_error(&place, r);
    if (options->source != SOURCE_JOURNAL && !place.directory && !place.file)
        return CTL_GOOD;
    complain("%s%s%s",
             place.file        ? place.file
             : place.directory ? place.directory
                               : "",
             place.file || place.directory ? ": " : "", source->why_not);
    return CTL_FAILED;
}

/* ---- the daemon ---- */

static json_t *params_of(const struct history_filter *filter, bool follow)
{
    json_t *params = json_object();

    if (filter->peer)
        json_object_set_new(params, "peer", json_string(filter->peer));
    if (filter->trigger)
        json_object_set_new(params, "trigger", json_string(filter->trigger));
    if (filter->verdict)
        json_object_set_new(params, "verdict", json_string(filter->verdict));
    if (filter->uplink)
        json_object_set_new(params, "uplink", json_string(filter->uplink));
    if (filter->since_us)
        json_object_set_new(params, "since_us", json_integer((json_int_t)filter->since_us));
    if (filter->everything)
        json_object_set_new(params, "all", json_true());
    if (follow)
        json_object_set_new(params, "follow", json_true());
    return params;
}

/* Asks page by page, back in time. */
static enum ctl_status read_daemon(struct ctl *ctl, const struct history_filter *filter,
                                   uint64_t limit, bool follow, struct source *source)
{
    json_t *params = params_of(filter, follow), *page, *record;
    enum ctl_status result = CTL_GOOD;
    uint64_t n = 0;
    size_t i;

    do {
        json_object_set_new(params, "limit",
                            json_integer((json_int_t)min_u64(limit - n, PAGE_RECORDS)));
        page = ctl_call(ctl, "decisions", json_incref(params), &result);
        if (!page)
            break;
        json_array_foreach(json_object_get(page, "records"), i, record)
        {
            if (!history_may_fit(filter, record))
                continue; /* later than wanted */
            history_add(&source->history, json_incref(record));
            n += counts(filter, record);
        }
        json_object_set(params, "before", json_object_get(page, "next"));
        /* from the first page on all is followed: nothing is between the two */
        json_object_del(params, "follow");
        json_decref(page);
    } while (n < limit && has(params, "before"));
    json_decref(params);
    source->daemon = result == CTL_GOOD;
    return result;
}

/* The run of the daemon that answers there, to be freed; NULL: none does, and nothing is said. */
static char *find_daemon(struct ctl *ctl)
{
    enum ctl_status ignored = CTL_GOOD;
    int call_ms = ctl->call_ms;
    json_t *version;
    char *run;

    ctl->quiet = true;
    ctl->call_ms = CALL_HOOK_MS;
    version = ctl_call(ctl, "version", NULL, &ignored);
    ctl->quiet = false;
    ctl->call_ms = call_ms;
    if (!version)
        ctl->channel = channel_free(ctl->channel);
    run = string_copy(json_string_value(json_object_get(version, "run")));
    json_decref(version);
    return run;
}

/* Without the daemon nobody else says that there is no such verdict. */
static enum ctl_status check_verdict(const struct ctl *ctl)
{
    CLEANUP_FREE char *list = NULL;

    if (!ctl->options.verdict || history_is_verdict(ctl->options.verdict, &list))
        return CTL_GOOD;
    complain("unknown verdict \"%s\"; allowed is %s", ctl->options.verdict, list);
    return CTL_FAILED;
}

static enum ctl_status read_all(struct ctl *ctl, const struct history_filter *filter,
                                uint64_t limit, bool follow, struct source *source)
{
    const struct options *options = &ctl->options;
    bool only_journal = options->source == SOURCE_JOURNAL || options->directory || options->file;
    bool some_daemon = strcmp(options->socket, DEFAULT_CONTROL) != 0;
    enum ctl_status result = CTL_GOOD;
    CLEANUP_FREE char *run = NULL;
    size_t n_journal;

    if (options->source == SOURCE_DAEMON)
        return read_daemon(ctl, filter, limit, follow, source);
    if (!only_journal && !options->unit)
        run = find_daemon(ctl);
    if (!run)
        result = check_verdict(ctl);
    /* Which pathdog had that socket cannot be known when nobody answers there. */
    if (result == CTL_GOOD && (run || only_journal || options->unit || !some_daemon))
        result = read_journal(ctl, filter, limit, run, source);
    if (result != CTL_GOOD || only_journal || options->unit)
        return result;
    history_order(&source->history);
    n_journal = source->history.n_records;
    if (!run && source->reader &&
        journal_reader_any(source->reader, &(struct journal_wish){.everything = true}) > 0)
        return CTL_GOOD;
    result = read_daemon(ctl, filter, limit, follow, source);
    if (result == CTL_NO_DAEMON && some_daemon)
        complain(
            "for the records of earlier runs in the journal add --source journal, or --unit UNIT");
    else if (result == CTL_NO_DAEMON)
        complain("%s", source->why_not ? source->why_not : "the journal has no record of pathdog");
    history_order(&source->history);
    source->n_memory_only = source->history.n_records - n_journal;
    return result;
}

enum ctl_status source_read(struct ctl *ctl, const struct history_filter *filter, uint64_t limit,
                            bool follow, struct source *ret_source)
{
    enum ctl_status result;

    *ret_source = (struct source){0};
    result = read_all(ctl, filter, limit, follow, ret_source);
    history_order(&ret_source->history);
    history_narrow(&ret_source->history, filter);
    if (!ret_source->reader && ret_source->history.n_records)
        ret_source->oldest_us = number_of(ret_source->history.records[0], "time_us");
    history_last(&ret_source->history, limit);
    return result;
}

char *source_text(const struct source *source)
{
    char more[96] = "";

    if (!source->reader)
        return string_format("from the running daemon's memory%s%s%s", source->why_not ? " (" : "",
                             source->why_not ? source->why_not : "", source->why_not ? ")" : "");
    if (source->n_memory_only)
        snprintf(more, sizeof(more),
                 ", and %llu from the running daemon's memory that the journal lacks",
                 (unsigned long long)source->n_memory_only);
    return string_format("from the journal%s%s%s", source->unit ? " of " : "",
                         source->unit ? source->unit : "", more);
}

enum ctl_status source_follow(struct source *source, const struct history_filter *filter,
                              bool (*show)(void *user, const json_t *record), void *user)
{
    struct journal_wish wish = wish_of(source, filter, NULL);
    const struct history *history = &source->history;
    uint64_t got_us, from_us = filter->since_us;
    json_t *decisions = json_object(), *record;
    bool good = true;
    int r;

    for (size_t i = 0; i < history->n_records; i++) {
        from_us = number_of(history->records[i], "time_us");
        (void)history_fits(filter, decisions, history->records[i]);
    }
    r = journal_reader_start(source->reader, &wish, from_us, false);
    while (r >= 0 && good) {
        r = journal_reader_next(source->reader, &record, &got_us);
        if (r == 0)
            r = journal_reader_wait(source->reader);
        else if (r > 0) {
            if (record && history_may_fit(filter, record) && !history_has(history, record) &&
                history_fits(filter, decisions, record))
                good = show(user, record);
            json_decref(record);
        }
    }
    json_decref(decisions);
    if (r < 0)
        complain("the journal cannot be read any further: %s", strerror(-r));
    return CTL_FAILED;
}

void source_clear(struct source *source)
{
    history_clear(&source->history);
    journal_reader_free(source->reader);
    free(source->unit);
    *source = (struct source){0};
}
