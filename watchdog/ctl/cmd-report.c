/* SPDX-License-Identifier: Apache-2.0 */
/* pathdogctl report: what an operator wants to know after a bad night, on one screen. */
#include <inttypes.h>
#include <string.h>

#include "../util/util.h"
#include "cmd-report.h"
#include "report-common.h"
#include "source.h"
#include "when.h"

#define PERIOD_DEFAULT_US (UINT64_C(86400) * 1000000)
#define SHOWN_MAX         5u
#define CAUSES_MAX        3u
#define MACHINES_MAX      8u
#define SHARED_MAX        4u

static void heading(const struct ctl *ctl, const char *name)
{
    printf("%s%-10s%s ", bold(ctl), name, plain(ctl));
}

/* "3 migrate, 2 cooling", the most frequent first. */
static void show_counts(const json_t *counts)
{
    const char *last = "";
    uint64_t below = UINT64_MAX;

    for (size_t shown = 0; shown < json_object_size(counts);) {
        uint64_t most = 0;
        const char *name;
        json_t *count;

        json_object_foreach((json_t *)counts, name, count)
        {
            uint64_t n = (uint64_t)json_integer_value(count);

            if (n < below && n > most)
                most = n;
        }
        json_object_foreach((json_t *)counts, name, count)
        {
            if ((uint64_t)json_integer_value(count) != most)
                continue;
            printf("%s%" PRIu64 " %s", last, most, clean(name, strlen(name)));
            last = ", ";
            shown++;
        }
        below = most;
        if (!most)
            break;
    }
}

static void show_sum(const struct ctl *ctl, const json_t *report, const char *name,
                     const char *member)
{
    heading(ctl, name);
    printf("%" PRIu64, number_of(report, name));
    if (json_object_size(json_object_get(report, member))) {
        printf(": ");
        show_counts(json_object_get(report, member));
    }
    putchar('\n');
}

/* The effects of the moves; of those that are `better`, which of them are restored. */
static void show_moves(const struct ctl *ctl, const json_t *report)
{
    json_t *effects = json_copy(json_object_get(report, "effects"));
    uint64_t better = number_of(effects, "better"), restored = number_of(report, "restored");

    if (restored)
        json_object_set_new(effects, "restored", json_integer((json_int_t)restored));
    if (restored && restored == better)
        json_object_del(effects, "better");
    else if (restored)
        json_object_set_new(effects, "better", json_integer((json_int_t)(better - restored)));
    heading(ctl, "moves");
    printf("%" PRIu64 "%s", number_of(report, "moves"), json_object_size(effects) ? ": " : "");
    show_counts(effects);
    putchar('\n');
    json_decref(effects);
}

static void show_head(const struct ctl *ctl, const json_t *report)
{
    uint64_t from_us = number_of(report, "from_us"), until_us = number_of(report, "until_us");
    uint64_t oldest_us = number_of(report, "oldest_us");

    printf("%s%s to %s%s (%s), %s\n", bold(ctl), when_text(from_us), when_text(until_us),
           plain(ctl), span_text(sub_u64(until_us, from_us)), text_of(report, "source"));
    if (oldest_us > from_us)
        printf("%sonly since %s: older records are not there any more%s\n", yellow(ctl),
               when_text(oldest_us), plain(ctl));
}

/* "restarted 2 times (1 after an unclean stop), last at …". */
static void show_runs(const struct ctl *ctl, const json_t *report)
{
    const json_t *runs = json_object_get(report, "runs"), *last = NULL;
    uint64_t n_restarts = 0, n_unclean = 0;

    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);

        n_unclean += flag_of(run, "after_unclean_stop");
        if (!flag_of(run, "restart"))
            continue;
        n_restarts++;
        last = run;
    }
    heading(ctl, "pathdog");
    printf("%zu %s", json_array_size(runs), json_array_size(runs) == 1 ? "run" : "runs");
    if (!flag_of(report, "journal") && !has(report, "recording"))
        printf("; whether there were earlier runs, only the journal knows");
    else
        printf(", restarted %" PRIu64 "%s", n_restarts, n_restarts == 1 ? " time" : " times");
    if (n_unclean)
        printf(", %s%" PRIu64 " after an unclean stop%s", red(ctl), n_unclean, plain(ctl));
    if (last)
        printf(", last at %s", when_text(number_of(last, "first_us")));
    putchar('\n');
}

static void show_nodes(const struct ctl *ctl, const json_t *report)
{
    const json_t *nodes = json_object_get(report, "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        uint64_t away = number_of(node, "away"), restarts = number_of(node, "restarts");

        heading(ctl, "node");
        printf("%s: restarted %" PRIu64 "%s, down %" PRIu64 "%s", text_of(node, "node"), restarts,
               restarts == 1 ? " time" : " times", away, away == 1 ? " time" : " times");
        if (number_of(node, "away_longest_us"))
            printf(", at longest for %s", span_of(node, "away_longest_us"));
        if (has(node, "away_since_us"))
            printf(", %sdown at the end, since %s%s", red(ctl),
                   when_text(number_of(node, "away_since_us")), plain(ctl));
        putchar('\n');
    }
    if (json_array_size(nodes))
        return;
    heading(ctl, "node");
    puts(flag_of(report, "journal") || has(report, "recording")
             ? "no change: it was not seen to go up or down"
             : "not known without the journal");
}

/* Only where something happened to one. */
static void show_uplinks(const struct ctl *ctl, const json_t *report)
{
    const json_t *uplinks = json_object_get(report, "uplinks");
    bool several = json_array_size(json_object_get(report, "machines")) > 1;

    for (size_t i = 0; i < json_array_size(uplinks); i++) {
        const json_t *uplink = json_array_get(uplinks, i), *last = json_object_get(uplink, "last");
        uint64_t moves = number_of(uplink, "moves"), failed = number_of(uplink, "failed");

        heading(ctl, i ? "" : "uplinks");
        printf("%s%s%s: ", text_of(uplink, "uplink"), several ? " of " : "",
               several ? text_of(uplink, "unit") : "");
        show_counts(json_object_get(uplink, "changes"));
        printf("%s%" PRIu64 " move%s to it", json_is_object(last) ? "; " : "", moves,
               moves == 1 ? "" : "s");
        if (failed)
            printf(", %s%" PRIu64 " failed%s", red(ctl), failed, plain(ctl));
        if (json_is_object(last))
            printf("; last %s at %s: %s", text_of(last, "change"),
                   when_text(number_of(last, "time_us")), text_of(last, "reason"));
        putchar('\n');
    }
}

static void show_no_path(const struct ctl *ctl, const json_t *report)
{
    const json_t *no_path = json_object_get(report, "no_path");
    const json_t *longest = json_object_get(no_path, "longest");
    uint64_t unknown = number_of(no_path, "unknown");

    heading(ctl, "no path");
    if (json_is_object(longest))
        printf("at longest %s: %s, from %s; %" PRIu64 " in all",
               span_text(sub_u64(number_of(longest, "until_us"), number_of(longest, "from_us"))),
               text_of(longest, "peer"), when_text(number_of(longest, "from_us")),
               number_of(no_path, "ended"));
    else if (!unknown)
        printf("no peer was found dead");
    if (unknown)
        printf("%s%" PRIu64 "%s found dead, and no record says until when (%s%s)",
               json_is_object(longest) ? "; " : "", unknown,
               json_is_object(longest) ? " more"
               : unknown > 1           ? " times"
                                       : " time",
               text_at(json_object_get(no_path, "unknown_peers"), 0), unknown > 1 ? ", …" : "");
    putchar('\n');
}

/* Those with something bad about them, the worst first. */
static void show_peers(const struct ctl *ctl, const json_t *report)
{
    const json_t *peers = json_object_get(report, "peers");
    size_t shown = 0;

    for (size_t i = 0; i < json_array_size(peers) && shown < SHOWN_MAX; i++) {
        const json_t *peer = json_array_get(peers, i);
        uint64_t dead = number_of(peer, "dead"), failed = number_of(peer, "failed"),
                 not_helped = number_of(peer, "not_helped");

        if (!dead && !failed && !not_helped)
            break;
        heading(ctl, shown++ ? "" : "worst");
        printf("%s: %" PRIu64 " decisions (%" PRIu64 " dead), %" PRIu64 " moves (%" PRIu64
               " did not help), %" PRIu64 " requests failed\n",
               text_of(peer, "peer"), number_of(peer, "decisions"), dead, number_of(peer, "moves"),
               not_helped, failed);
    }
}

static void show_reasons(const struct ctl *ctl, const json_t *report)
{
    const json_t *reasons = json_object_get(report, "reasons");

    for (size_t i = 0; i < json_array_size(reasons) && i < SHOWN_MAX; i++) {
        const json_t *reason = json_array_get(reasons, i);

        heading(ctl, i ? "" : "reasons");
        printf("%" PRIu64 " × %s %s: %s%s\n", number_of(reason, "count"),
               text_of(reason, "trigger"), text_of(reason, "kind"), text_of(reason, "reason"),
               flag_of(reason, "alike") ? "" : " (the last of these)");
    }
}

static void show_causes(const struct ctl *ctl, const json_t *report)
{
    const json_t *causes = json_object_get(report, "causes");

    for (size_t i = 0; i < json_array_size(causes) && i < CAUSES_MAX; i++) {
        const json_t *cause = json_array_get(causes, i);

        heading(ctl, i ? "" : "causes");
        printf("%s %s: %s: %" PRIu64 " of %" PRIu64 " peers: ",
               when_text(number_of(cause, "time_us")), text_of(cause, "trigger"),
               text_of(cause, "reason"), number_of(cause, "advised"), number_of(cause, "peers"));
        show_counts(json_object_get(cause, "verdicts"));
        putchar('\n');
    }
}

/* Of several machines: which there are, and what they had at the same time. */
static void show_common(const struct ctl *ctl, const json_t *report)
{
    const json_t *machines = json_object_get(report, "machines");
    const json_t *common = json_object_get(report, "common");
    size_t n = json_array_size(machines);

    if (n < 2)
        return;
    heading(ctl, "machines");
    printf("%zu: ", n);
    for (size_t i = 0; i < n && i < MACHINES_MAX; i++)
        printf("%s%s (%" PRIu64 " dead)", i ? ", " : "",
               text_of(json_array_get(machines, i), "machine"),
               number_of(json_array_get(machines, i), "dead"));
    puts(n > MACHINES_MAX ? ", …" : "");
    if (!json_array_size(common)) {
        heading(ctl, "common");
        puts("no two machines had trouble at the same time");
    }
    for (size_t i = 0; i < json_array_size(common) && i < SHOWN_MAX; i++) {
        const json_t *incident = json_array_get(common, i), *names;
        const json_t *shared = json_object_get(incident, "shared");

        names = json_object_get(incident, "machines");
        heading(ctl, i ? "" : "common");
        printf("%s, for %s: %zu of %zu machines, %" PRIu64 " decisions: ",
               when_text(number_of(incident, "from_us")),
               span_text(sub_u64(number_of(incident, "until_us"), number_of(incident, "from_us"))),
               json_array_size(names), n, number_of(incident, "decisions"));
        for (size_t k = 0; k < json_array_size(shared) && k < SHARED_MAX; k++) {
            const json_t *fact = json_array_get(shared, k);

            printf("%s%s %s", k ? "; " : "", text_of(fact, "what"), text_of(fact, "value"));
            printf(" (%" PRIu64 ")", number_of(fact, "machines"));
        }
        puts(json_array_size(shared) ? "" : "nothing is the same");
    }
}

static void show_rest(const struct ctl *ctl, const json_t *report)
{
    if (json_object_size(json_object_get(report, "notices"))) {
        heading(ctl, "notices");
        show_counts(json_object_get(report, "notices"));
        putchar('\n');
    }
    if (number_of(report, "only_counted")) {
        heading(ctl, "missing");
        printf("%" PRIu64
               " decisions of large causes are counted above; what came of their moves, and "
               "of which peers they were, is not in the journal\n",
               number_of(report, "only_counted"));
    }
    if (number_of(report, "log_dropped")) {
        heading(ctl, "missing");
        printf("%" PRIu64 " records that the journal did not take\n",
               number_of(report, "log_dropped"));
    }
}

/* What is compared is what is decided, as docs/control.md says. */
static void show_what_if(const struct ctl *ctl, const json_t *report)
{
    const json_t *what_if = json_object_get(report, "what_if");
    const json_t *was = json_object_get(what_if, "recording"),
                 *other = json_object_get(what_if, "other");
    uint64_t moves = number_of(other, "moves");

    if (!json_is_object(what_if))
        return;
    heading(ctl, "what if");
    printf("with %s %" PRIu64 " move%s would have been requested, ", text_of(what_if, "config"),
           moves, moves == 1 ? "" : "s");
    if (moves == number_of(was, "moves"))
        printf("as many as were");
    else
        printf("not %" PRIu64, number_of(was, "moves"));
    printf(": %" PRIu64 " of these, and %" PRIu64 " others\n", number_of(what_if, "both"),
           number_of(other, "only"));
    heading(ctl, "");
    printf("verdicts ");
    show_counts(json_object_get(other, "verdicts"));
    putchar('\n');
}

static void show_report(const struct ctl *ctl, const json_t *report)
{
    show_head(ctl, report);
    if (!json_array_size(json_object_get(report, "runs"))) {
        heading(ctl, "pathdog");
        puts("no records of pathdog in that time");
        return;
    }
    show_runs(ctl, report);
    show_nodes(ctl, report);
    show_uplinks(ctl, report);
    show_sum(ctl, report, "decisions", "verdicts");
    show_sum(ctl, report, "requests", "outcomes");
    show_moves(ctl, report);
    show_no_path(ctl, report);
    show_peers(ctl, report);
    show_reasons(ctl, report);
    show_causes(ctl, report);
    show_common(ctl, report);
    show_rest(ctl, report);
    show_what_if(ctl, report);
}

static json_t *make(const struct source *source, const struct history_filter *filter,
                    struct page *page)
{
    const struct history *history = &source->history;
    struct report *making =
        report_new(journal_reader_units(source->reader), page ? page_watch(page) : NULL);
    const json_t *machines = journal_reader_machines(source->reader);
    CLEANUP_FREE char *text = source_text(source);
    json_t *report;

    report_storms(making, history);
    for (size_t i = 0; i < history->n_records; i++) {
        report_take(making, history->records[i]);
        if (page)
            page_take(page, history->records[i]);
    }
    report = report_end(making);
    json_object_update_new(
        report,
        json_pack("{s:I,s:I,s:o,s:s,s:b,s:b,s:I,s:I}", "from_us", (json_int_t)filter->since_us,
                  "until_us", (json_int_t)filter->until_us, "oldest_us",
                  source->oldest_us ? json_integer((json_int_t)source->oldest_us) : json_null(),
                  "source", text, "journal", source->reader != NULL, "daemon", source->daemon,
                  "only_in_memory", (json_int_t)source->n_memory_only, "log_dropped",
                  (json_int_t)source->n_log_dropped));
    json_object_set_new(report, "machines", report_machines(history, machines));
    json_object_set_new(report, "common", report_common(history, machines));
    return report;
}

/* Of the journal and the daemon. `*ret_report` NULL: they could not be read. */
static enum ctl_status report_past(struct ctl *ctl, struct history_filter *filter,
                                   struct page *page, json_t **ret_report)
{
    struct source source;
    enum ctl_status result;

    if (!filter->until_us)
        filter->until_us = source_now();
    if (!ctl->options.since)
        filter->since_us = sub_u64(filter->until_us, PERIOD_DEFAULT_US);
    result = source_read(ctl, filter, UINT64_MAX, false, &source);
    if (result == CTL_GOOD)
        *ret_report = make(&source, filter, page);
    source_clear(&source);
    return result;
}

static enum ctl_status show(const struct ctl *ctl, struct page *page, const json_t *report)
{
    if (page)
        return report_page_write(ctl, page, report);
    if (ctl->options.json)
        show_json(report);
    else
        show_report(ctl, report);
    return CTL_GOOD;
}

enum ctl_status command_report(struct ctl *ctl)
{
    struct history_filter filter;
    enum ctl_status result = report_page_check(ctl), shown = CTL_GOOD;
    json_t *report = NULL;
    struct page *page;

    if (result == CTL_GOOD)
        result = source_filter(ctl, &filter);
    if (result != CTL_GOOD)
        return result;
    filter.everything = true;
    page = ctl->options.html ? page_new() : NULL;
    result = ctl->n_words ? report_recording(ctl, &filter, page, &report)
                          : report_past(ctl, &filter, page, &report);
    if (report)
        shown = show(ctl, page, report);
    json_decref(report);
    page_free(page);
    return shown == CTL_GOOD ? result : shown;
}
