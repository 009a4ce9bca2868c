/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl decisions: the last ones, and with -f those that come. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "../util/util.h"
#include "ctl.h"
#include "source.h"

#define RECORDS_DEFAULT 20u

struct shown {
    struct ctl *ctl;
    const struct source *source;
    char run[40]; /* of the last one */
};

/* Numbers start anew in each run, so a line says where another one begins. */
static void show_run(struct shown *shown, const json_t *record)
{
    const struct ctl *ctl = shown->ctl;
    const char *run = text_of(record, "run");
    const json_t *units = journal_reader_units(shown->source->reader);

    if (!strcmp(run, shown->run))
        return;
    snprintf(shown->run, sizeof(shown->run), "%s", run);
    printf("%srun %s%s%s%s\n", dim(ctl), run, has(units, run) ? " of " : "",
           has(units, run) ? text_of(units, run) : "", plain(ctl));
}

static bool show(void *user, const json_t *record)
{
    struct shown *shown = user;

    if (shown->ctl->options.json) {
        show_json(record);
    } else {
        show_run(shown, record);
        show_record(shown->ctl, record);
    }
    return true;
}

static bool show_at_once(void *user, const json_t *record)
{
    show(user, record);
    return !fflush(stdout) && !ferror(stdout);
}

/* Without the line of a run, where there is only one. */
static void show_read(struct shown *shown, const struct source *source)
{
    const struct history *history = &source->history;
    const struct options *options = &shown->ctl->options;

    if (history->n_records && history_runs(history) < 2)
        snprintf(shown->run, sizeof(shown->run), "%s", text_of(history->records[0], "run"));
    for (size_t i = 0; i < history->n_records; i++)
        show(shown, history->records[i]);
    if (!history->n_records && !options->follow && !options->json)
        puts("no decision matches");
}

/* To whoever sits there; to a program, whose mail it would be, only where the journal was wanted
 * and could not be read. */
static void say_source(const struct source *source)
{
    CLEANUP_FREE char *text = source_text(source);
    uint64_t n_bad = source->reader ? journal_reader_bad(source->reader) : 0;

    if (source->why_not || isatty(STDERR_FILENO))
        complain("%s", text);
    if (source->n_storms)
        complain("%" PRIu64 " of the causes concerned more than %u peers: the journal has their "
                 "sums, not each of their decisions; \"pathdogctl report\" counts them",
                 source->n_storms, CAUSE_LISTED);
    if (source->n_log_dropped)
        complain("%" PRIu64
                 " records did not get into the journal: journald was stopped, or too slow",
                 source->n_log_dropped);
    if (n_bad)
        complain("%" PRIu64 " entries of the journal look like pathdog's, and cannot be read",
                 n_bad);
}

static enum ctl_status follow(struct shown *shown)
{
    enum ctl_status result = CTL_GOOD;
    const char *what;
    json_t *params;
    bool good = true;

    fflush(stdout);
    while (good && (what = ctl_next(shown->ctl, -1, &params, &result))) {
        if (strcmp(what, "dropped") != 0)
            good = show_at_once(shown, params);
        else
            complain("%" PRIu64 " records were left out: they came faster than they were read",
                     number_of(params, "count"));
        json_decref(params);
    }
    return good ? result : CTL_FAILED;
}

enum ctl_status command_decisions(struct ctl *ctl)
{
    uint64_t limit = ctl->options.limit;
    struct history_filter filter;
    struct source source;
    struct shown shown = {.ctl = ctl, .source = &source};
    enum ctl_status result = source_filter(ctl, &filter);

    if (result != CTL_GOOD)
        return result;
    if (!limit)
        limit = filter.since_us ? UINT64_MAX : RECORDS_DEFAULT;
    result = source_read(ctl, &filter, limit, ctl->options.follow, &source);
    if (result == CTL_GOOD) {
        say_source(&source);
        show_read(&shown, &source);
    }
    if (result == CTL_GOOD && ctl->options.follow) {
        fflush(stdout);
        result =
            source.daemon ? follow(&shown) : source_follow(&source, &filter, show_at_once, &shown);
    }
    source_clear(&source);
    return result;
}
