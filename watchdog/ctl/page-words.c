/* SPDX-License-Identifier: Apache-2.0 */
/* What happened, in words: the first paragraph of a page, and the numbers below it. */
#include "page-private.h"

#include "../util/duration.h"
#include "when.h"

#define DAY_US UINT64_C(86400000000)

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static const json_t *first_of(const json_t *report, const char *name)
{
    return json_array_get(json_object_get(report, name), 0);
}

static uint64_t sum_of(const json_t *report, const char *array, const char *member)
{
    const json_t *row;
    uint64_t sum = 0;
    size_t i;

    json_array_foreach(json_object_get(report, array), i, row) sum += record_number(row, member);
    return sum;
}

static uint64_t n_flagged(const json_t *report, const char *array, const char *flag)
{
    const json_t *row;
    uint64_t n = 0;
    size_t i;

    json_array_foreach(json_object_get(report, array), i, row) n +=
        json_is_true(json_object_get(row, flag));
    return n;
}

/* Requests that were neither a move nor proved nothing. */
static uint64_t n_failed(const json_t *report)
{
    const json_t *count;
    const char *name;
    uint64_t n = 0;

    json_object_foreach((json_t *)json_object_get(report, "outcomes"), name,
                        count) if (strcmp(name, "migrated") != 0 &&
                                   strcmp(name, "reconnected") != 0 && !record_proves_nothing(name))
        n += (uint64_t)json_integer_value(count);
    return n;
}

static uint64_t n_not_helped(const json_t *report)
{
    const json_t *effects = json_object_get(report, "effects");

    return record_number(effects, "worse") + record_number(effects, "stalled");
}

static bool is_bad_change(const char *change)
{
    return !strcmp(change, "down") || !strcmp(change, "silent");
}

/* Of an uplink: was it bad when the time was over? */
static bool ends_bad(const json_t *uplink)
{
    return is_bad_change(record_word(json_object_get(uplink, "last"), "change"));
}

static bool is_node_away(const json_t *node)
{
    return record_number(node, "away_since_us") != 0;
}

enum grade {
    GRADE_QUIET,
    GRADE_HANDLED,
    GRADE_LOOK,
};

static enum grade grade_of(const json_t *report)
{
    const json_t *no_path = json_object_get(report, "no_path"), *row;
    const json_t *longest = json_object_get(no_path, "longest");
    enum grade grade = record_number(report, "moves") || record_number(report, "requests")
                           ? GRADE_HANDLED
                           : GRADE_QUIET;
    size_t i;

    json_array_foreach(json_object_get(report, "uplinks"), i, row) if (ends_bad(row)) grade =
        GRADE_LOOK;
    json_array_foreach(json_object_get(report, "nodes"), i, row) if (is_node_away(row)) grade =
        GRADE_LOOK;
    if (n_not_helped(report) || record_number(no_path, "unknown") ||
        n_flagged(report, "runs", "after_unclean_stop") ||
        record_number(longest, "until_us") - record_number(longest, "from_us") >
            UINT64_C(60000000) ||
        json_object_size(json_object_get(report, "notices")))
        grade = GRADE_LOOK;
    return grade;
}

/* ---- sentences ---- */

static void say_moves(const json_t *report, struct buffer *out)
{
    uint64_t moves = record_number(report, "moves"), failed = n_failed(report);
    const json_t *effects = json_object_get(report, "effects");
    uint64_t better = record_number(effects, "better"), bad = n_not_helped(report);

    if (!record_number(report, "decisions")) {
        buffer_text(out, "No trigger advised to move a connection. ");
        return;
    }
    buffer_text(out, "pathdog decided ");
    html_count(out, record_number(report, "decisions"));
    html_put(out, " time%s about ", plural(record_number(report, "decisions")));
    html_count(out, record_number(report, "n_peers"));
    html_put(out, " peer%s", plural(record_number(report, "n_peers")));
    if (!moves && !failed) {
        buffer_text(out, ", and moved none of them. ");
        return;
    }
    buffer_text(out, ", and moved connections <b>");
    html_count(out, moves);
    html_put(out, " time%s</b>", plural(moves));
    if (failed) {
        buffer_text(out, "; ");
        html_count(out, failed);
        html_put(out, " request%s failed", plural(failed));
    }
    if (better || bad) {
        buffer_text(out, ". After ");
        html_count(out, better);
        html_put(out, " of the moves the connection worked better or again");
        if (bad) {
            buffer_text(out, ", after <b>");
            html_count(out, bad);
            buffer_text(out, "</b> it was worse or still silent");
        }
    }
    buffer_text(out, ". ");
}

static void say_no_path(const json_t *report, const struct plot *plot)
{
    const json_t *no_path = json_object_get(report, "no_path"),
                 *longest = json_object_get(no_path, "longest");
    uint64_t ended = record_number(no_path, "ended"), unknown = record_number(no_path, "unknown");
    struct buffer *out = plot->out;
    char span[DURATION_SIZE];

    if (ended) {
        html_count(out, ended);
        html_put(out, " time%s a peer was without a working path, at longest ", plural(ended));
        html_text(out, record_word(longest, "peer"), HTML_NAME);
        html_put(out, " for <b>%s</b> from ",
                 duration_text(span, record_number(longest, "until_us") -
                                         record_number(longest, "from_us")));
        time_put(plot, record_number(longest, "from_us"));
        buffer_text(out, ". ");
    }
    if (unknown) {
        html_put(out, "%llu%s time%s a peer was found dead, and no record says until when (",
                 (unsigned long long)unknown, ended ? " more" : "", plural(unknown));
        html_text(out,
                  json_string_value(json_array_get(json_object_get(no_path, "unknown_peers"), 0)),
                  HTML_NAME);
        html_put(out, "%s). ", unknown > 1 ? ", …" : "");
    }
    if (!ended && !unknown)
        buffer_text(out, "No peer was found dead. ");
}

/* What most of it came from. */
static void say_why(const json_t *report, const struct plot *plot)
{
    const json_t *cause = first_of(report, "causes"), *reason = first_of(report, "reasons");
    struct buffer *out = plot->out;

    if (cause) {
        buffer_text(out, "The largest cause was at ");
        time_put(plot, record_number(cause, "time_us"));
        buffer_text(out, ": <q>");
        html_text(out, record_word(cause, "reason"), HTML_REASON);
        buffer_text(out, "</q>, which concerned ");
        html_count(out, record_number(cause, "advised"));
        buffer_text(out, " of ");
        html_count(out, record_number(cause, "peers"));
        buffer_text(out, " peers. ");
    } else if (reason) {
        buffer_text(out, "The most frequent reason was <q>");
        html_text(out, record_word(reason, "reason"), HTML_REASON);
        buffer_text(out, "</q> (");
        html_count(out, record_number(reason, "count"));
        buffer_text(out, json_is_true(json_object_get(reason, "alike"))
                             ? " times). "
                             : " times, with other numbers). ");
    }
}

/* "was silent 2 times, down 1 time". */
static void say_changes(const json_t *changes, struct buffer *out)
{
    static const char *const bad[] = {"silent", "down", "slow"};
    const char *last = "was ";

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint64_t n = record_number(changes, bad[i]);

        if (!n)
            continue;
        html_put(out, "%s%s %llu time%s", last, bad[i], (unsigned long long)n, plural(n));
        last = ", ";
    }
}

static void say_uplinks(const json_t *report, const struct plot *plot)
{
    const json_t *uplink;
    size_t i;

    json_array_foreach(json_object_get(report, "uplinks"), i, uplink)
    {
        const json_t *changes = json_object_get(uplink, "changes"),
                     *last = json_object_get(uplink, "last");
        uint64_t n = record_number(changes, "silent") + record_number(changes, "down") +
                     record_number(changes, "slow");

        if (!n || i > 3)
            continue;
        buffer_text(plot->out, "The uplink <b>");
        html_text(plot->out, record_word(uplink, "uplink"), HTML_NAME);
        buffer_text(plot->out, "</b> ");
        say_changes(changes, plot->out);
        buffer_text(plot->out,
                    ends_bad(uplink) ? ", and <b class=\"badly\">so it was at the end</b>" : "");
        buffer_text(plot->out, "; the last: ");
        html_text(plot->out, record_word(last, "change"), HTML_NAME);
        buffer_text(plot->out, " at ");
        time_put(plot, record_number(last, "time_us"));
        buffer_text(plot->out, ". ");
    }
}

static void say_runs(const json_t *report, const struct plot *plot)
{
    uint64_t restarts = n_flagged(report, "runs", "restart"),
             unclean = n_flagged(report, "runs", "after_unclean_stop");
    struct buffer *out = plot->out;
    const json_t *node;
    size_t i;

    if (restarts) {
        html_put(out, "pathdog was restarted %llu time%s", (unsigned long long)restarts,
                 plural(restarts));
        if (unclean)
            html_put(out, ", %llu of them after an unclean stop", (unsigned long long)unclean);
        buffer_text(out, ". ");
    } else if (unclean) {
        buffer_text(out, "pathdog was started after an unclean stop. ");
    }
    json_array_foreach(json_object_get(report, "nodes"), i, node)
    {
        char span[DURATION_SIZE];

        if (!record_number(node, "away") || i > 3)
            continue;
        buffer_text(out, "The node ");
        html_text(out, record_word(node, "node"), HTML_NAME);
        html_put(out, " was down %llu time%s", (unsigned long long)record_number(node, "away"),
                 plural(record_number(node, "away")));
        if (record_number(node, "away_longest_us"))
            html_put(out, ", at longest for %s",
                     duration_text(span, record_number(node, "away_longest_us")));
        if (is_node_away(node))
            buffer_text(out, ", and <b class=\"badly\">was down at the end</b>");
        buffer_text(out, ". ");
    }
}

/* ---- the head ---- */

static void tile(struct buffer *out, const char *class, const char *what)
{
    html_put(out, "<div class=\"tile %s\"><span>%s</span><b>", class, what);
}

static void tile_count(struct buffer *out, const char *what, uint64_t count, uint64_t bad,
                       const char *bad_what)
{
    tile(out, bad ? "look" : "", what);
    html_count(out, count);
    buffer_text(out, "</b><small>");
    if (bad) {
        html_count(out, bad);
        html_put(out, " %s", bad_what);
    }
    buffer_text(out, "</small></div>");
}

static void tiles(const json_t *report, struct buffer *out)
{
    const json_t *longest = json_object_get(json_object_get(report, "no_path"), "longest");
    uint64_t span_us = record_number(longest, "until_us") - record_number(longest, "from_us");
    char span[DURATION_SIZE];

    buffer_text(out, "<div class=\"tiles\">");
    tile_count(out, "decisions", record_number(report, "decisions"), 0, "");
    tile_count(out, "moves", record_number(report, "moves"), n_failed(report), "requests failed");
    tile_count(out, "helped", record_number(json_object_get(report, "effects"), "better"),
               n_not_helped(report), "did not");
    tile(out, span_us > 10000000 ? "look" : "", "longest without a path");
    html_put(out, "%s</b><small>", json_is_object(longest) ? duration_text(span, span_us) : "–");
    html_text(out, record_word(longest, "peer"), HTML_NAME);
    buffer_text(out, "</small></div>");
    tile_count(out, "restarts", n_flagged(report, "runs", "restart"),
               n_flagged(report, "runs", "after_unclean_stop"), "unclean");
    tile_count(out, "node down", sum_of(report, "nodes", "away"), 0, "");
    buffer_text(out, "</div>\n");
}

static void say_warnings(const json_t *report, const struct plot *plot)
{
    uint64_t from_us = record_number(report, "from_us"),
             oldest_us = record_number(report, "oldest_us");
    struct buffer *out = plot->out;

    if (*record_word(report, "remark")) {
        buffer_text(out, "<p class=\"warning\">");
        html_text(out, record_word(report, "remark"), HTML_REASON);
        buffer_text(out, "</p>\n");
    }
    if (oldest_us > from_us)
        html_put(out,
                 "<p class=\"warning\">Only since %s: older records are not there any more.</p>\n",
                 when_text(oldest_us));
    if (record_number(report, "only_counted")) {
        buffer_text(out, "<p class=\"warning\">");
        html_count(out, record_number(report, "only_counted"));
        buffer_text(out, " decisions of large causes are counted, but what came of their moves, "
                         "and of which peers they were, is not in the journal.</p>\n");
    }
    if (record_number(report, "log_dropped")) {
        buffer_text(out, "<p class=\"warning\">");
        html_count(out, record_number(report, "log_dropped"));
        buffer_text(out, " records are missing: the journal did not take them.</p>\n");
    }
}

static void say_head(const json_t *report, const struct plot *plot)
{
    static const char *const chips[] = {"<span class=\"chip good\">quiet</span>",
                                        "<span class=\"chip handled\">handled</span>",
                                        "<span class=\"chip look\">needs a look</span>"};
    const json_t *node = first_of(report, "nodes");
    struct buffer *out = plot->out;
    char span[DURATION_SIZE];

    buffer_text(out, "<header><h1>pathdog report");
    if (*record_word(node, "node")) {
        buffer_text(out, " <span class=\"of\">");
        html_text(out, record_word(node, "node"), HTML_NAME);
        buffer_text(out, "</span>");
    }
    html_put(out, " %s</h1><p class=\"period\">%s to ", chips[grade_of(report)],
             when_text(plot->from_us));
    html_put(out, "%s (%s), ", when_text(plot->until_us),
             duration_text(span, plot->until_us - plot->from_us));
    html_text(out, record_word(report, "source"), HTML_REASON);
    buffer_text(out, "</p></header>\n");
}

void page_words(const struct page *page, const json_t *report, const struct plot *plot)
{
    struct buffer *out = plot->out;

    (void)page;
    say_head(report, plot);
    say_warnings(report, plot);
    if (!json_array_size(json_object_get(report, "runs"))) {
        buffer_text(out, "<p class=\"lead\">There is no record of pathdog in that time.</p>\n");
        return;
    }
    buffer_text(out, "<p class=\"lead\">");
    say_moves(report, out);
    say_no_path(report, plot);
    say_why(report, plot);
    say_uplinks(report, plot);
    say_runs(report, plot);
    buffer_text(out, "</p>\n");
    tiles(report, out);
}
