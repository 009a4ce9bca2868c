/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a page, but for the decisions: each has the first of its rows, and says how many
 * there are. */
#include "page-private.h"

#include "../util/duration.h"
#include "tone.h"

#define OUTAGES_SHOWN 40u
#define RUNS_SHOWN    40u

static void begin(struct buffer *out, const char *title, const char *const *columns)
{
    html_put(out, "<section><h2>%s</h2><div class=\"scroll\"><table><thead><tr>", title);
    for (; *columns; columns++)
        html_put(out, "<th%s>%s</th>", **columns == '#' ? " class=\"n\"" : "",
                 *columns + (**columns == '#'));
    buffer_text(out, "</tr></thead><tbody>\n");
}

#define BEGIN(out, title, ...) begin((out), (title), (const char *const[]){__VA_ARGS__, NULL})

static void end(struct buffer *out, uint64_t n_more)
{
    buffer_text(out, "</tbody></table></div>");
    if (n_more) {
        buffer_text(out, "<p class=\"more\">and ");
        html_count(out, n_more);
        buffer_text(out, " more</p>");
    }
    buffer_text(out, "</section>\n");
}

static void row(struct buffer *out)
{
    buffer_text(out, "<tr>");
}

static void cell(struct buffer *out, const char *label, const char *class)
{
    html_put(out, "<td data-l=\"%s\"%s%s%s>", label, *class ? " class=\"" : "", class,
             *class ? "\"" : "");
}

static void cell_text(struct buffer *out, const char *label, const json_t *object,
                      const char *member)
{
    cell(out, label, "");
    html_text(out, record_word(object, member), HTML_REASON);
}

static void cell_count(struct buffer *out, const char *label, const json_t *object,
                       const char *member)
{
    uint64_t n = record_number(object, member);

    cell(out, label, n ? "n" : "n zero");
    html_count(out, n);
}

static void cell_time(const struct plot *plot, const char *label, uint64_t time_us)
{
    cell(plot->out, label, "t");
    time_put(plot, time_us);
}

/* "980 migrate, 10 inbound", the most frequent first. */
static void counts(struct buffer *out, const json_t *counts)
{
    json_t *left = json_copy((json_t *)counts);
    const char *last = "";

    for (;;) {
        const char *name, *most = NULL;
        const json_t *count;

        json_object_foreach(left, name,
                            count) if (!most || json_integer_value(count) >
                                                    json_integer_value(json_object_get(left, most)))
            most = name;
        if (!most)
            break;
        buffer_text(out, last);
        html_count(out, record_number(left, most));
        buffer_text(out, " ");
        html_text(out, most, HTML_NAME);
        last = ", ";
        json_object_del(left, most);
    }
    json_decref(left);
}

/* ---- the tables ---- */

static void causes(const json_t *report, const struct plot *plot)
{
    const json_t *list = json_object_get(report, "causes"), *cause;
    struct buffer *out = plot->out;
    size_t i;

    if (!json_array_size(list))
        return;
    BEGIN(out, "Causes that concerned several peers", "Time", "Trigger", "What happened", "#Peers",
          "Decided");
    json_array_foreach(list, i, cause)
    {
        row(out);
        cell_time(plot, "Time", record_number(cause, "time_us"));
        cell_text(out, "Trigger", cause, "trigger");
        cell_text(out, "What happened", cause, "reason");
        cell(out, "Peers", "n");
        html_count(out, record_number(cause, "advised"));
        buffer_text(out, " of ");
        html_count(out, record_number(cause, "peers"));
        cell(out, "Decided", "");
        counts(out, json_object_get(cause, "verdicts"));
    }
    end(out, 0);
}

static void reasons(const json_t *report, struct buffer *out)
{
    const json_t *list = json_object_get(report, "reasons"), *reason;
    size_t i;

    if (!json_array_size(list))
        return;
    BEGIN(out, "Reasons", "#Times", "Trigger", "Reason");
    json_array_foreach(list, i, reason)
    {
        row(out);
        cell_count(out, "Times", reason, "count");
        cell(out, "Trigger", "");
        html_text(out, record_word(reason, "trigger"), HTML_NAME);
        buffer_text(out, " ");
        html_text(out, record_word(reason, "kind"), HTML_NAME);
        cell(out, "Reason", "");
        html_text(out, record_word(reason, "reason"), HTML_REASON);
        if (!json_is_true(json_object_get(reason, "alike")))
            buffer_text(out, " <small>(the last of these)</small>");
    }
    end(out, 0);
}

static void worst_peers(const json_t *report, struct buffer *out)
{
    const json_t *list = json_object_get(report, "peers"), *peer;
    size_t i;

    if (!json_array_size(list))
        return;
    BEGIN(out, "Worst peers", "Peer", "#Decisions", "#of these dead", "#Moves", "#Requests failed",
          "#Did not help");
    json_array_foreach(list, i, peer)
    {
        row(out);
        cell_text(out, "Peer", peer, "peer");
        cell_count(out, "Decisions", peer, "decisions");
        cell_count(out, "of these dead", peer, "dead");
        cell_count(out, "Moves", peer, "moves");
        cell_count(out, "Requests failed", peer, "failed");
        cell_count(out, "Did not help", peer, "not_helped");
    }
    end(out, sub_u64(record_number(report, "n_peers"), json_array_size(list)));
}

static int longer_first(const void *a, const void *b)
{
    const struct outage_span *one = a, *other = b;
    uint64_t one_us = one->until_us - one->from_us, other_us = other->until_us - other->from_us;

    if (one_us != other_us)
        return one_us < other_us ? 1 : -1;
    return one->from_us < other->from_us ? -1 : one->from_us > other->from_us;
}

static const char *name_of(const char *const *names, size_t n, uint32_t number)
{
    return number < n && names[number] ? names[number] : "(another peer)";
}

static void outages(struct page *page, const struct plot *plot)
{
    size_t n_names = json_object_size(page->peers), n = min_u64(page->n_outages, OUTAGES_SHOWN);
    const char **names, *name;
    json_t *number;

    if (!page->n_outages)
        return;
    names = memory_new(n_names, sizeof(*names));
    json_object_foreach(page->peers, name, number) names[json_integer_value(number)] = name;
    qsort(page->outages, page->n_outages, sizeof(page->outages[0]), longer_first);
    BEGIN(plot->out, "Without a working path, the longest first", "Peer", "From", "Until", "#For");
    for (size_t i = 0; i < n; i++) {
        const struct outage_span *span = &page->outages[i];
        char text[DURATION_SIZE];

        row(plot->out);
        cell(plot->out, "Peer", "");
        html_text(plot->out, name_of(names, n_names, span->peer), HTML_NAME);
        cell_time(plot, "From", span->from_us);
        cell_time(plot, "Until", span->until_us);
        cell(plot->out, "For", "n");
        buffer_text(plot->out, duration_text(text, span->until_us - span->from_us));
    }
    end(plot->out, page->n_outages - n + page->n_outages_more);
    free(names);
}

static void uplinks(const json_t *report, const struct plot *plot)
{
    const json_t *list = json_object_get(report, "uplinks"), *uplink;
    struct buffer *out = plot->out;
    size_t i;

    if (!json_array_size(list))
        return;
    BEGIN(out, "Uplinks", "Uplink", "What happened to it", "#Moves to it", "#of these failed",
          "Last");
    json_array_foreach(list, i, uplink)
    {
        const json_t *last = json_object_get(uplink, "last");

        if (i == RUNS_SHOWN)
            break;
        row(out);
        cell_text(out, "Uplink", uplink, "uplink");
        cell(out, "What happened to it", "");
        counts(out, json_object_get(uplink, "changes"));
        cell_count(out, "Moves to it", uplink, "moves");
        cell_count(out, "Failed", uplink, "failed");
        cell(out, "Last", "");
        if (!json_is_object(last))
            continue;
        html_text(out, record_word(last, "change"), HTML_NAME);
        buffer_text(out, " at ");
        time_put(plot, record_number(last, "time_us"));
        buffer_text(out, ": ");
        html_text(out, record_word(last, "reason"), HTML_REASON);
    }
    end(out, sub_u64(json_array_size(list), RUNS_SHOWN));
}

static void runs(const json_t *report, const struct plot *plot)
{
    const json_t *list = json_object_get(report, "runs"), *run;
    struct buffer *out = plot->out;
    size_t i, n = json_array_size(list), first = n > RUNS_SHOWN ? n - RUNS_SHOWN : 0;

    BEGIN(out, "Runs of pathdog", "Run", "Unit", "First record", "Last record", "Begin");
    for (i = first; i < n; i++) {
        run = json_array_get(list, i);
        row(out);
        cell(out, "Run", "id");
        html_text(out, record_word(run, "run"), 40);
        cell_text(out, "Unit", run, "unit");
        cell_time(plot, "First record", record_number(run, "first_us"));
        cell_time(plot, "Last record", record_number(run, "last_us"));
        cell(out, "Begin", "");
        buffer_text(out, json_is_true(json_object_get(run, "restart")) ? "restart" : "");
        if (json_is_true(json_object_get(run, "after_unclean_stop")))
            buffer_text(out, " <span class=\"badly\">after an unclean stop</span>");
    }
    end(out, first);
}

/* How a bar is coloured; of notices, each is as bad as the next. */
static const char *class_of(const char *name, bool has_tone)
{
    static const char *const classes[] = {[TONE_NEUTRAL] = "other",
                                          [TONE_GOOD] = "good",
                                          [TONE_REFUSED] = "other",
                                          [TONE_BAD] = "bad"};

    return has_tone ? classes[tone_of(name)] : "other";
}

static void bars(struct buffer *out, const char *title, const json_t *counts, bool have_tone)
{
    json_t *left = json_copy((json_t *)counts);
    uint64_t sum = 0;
    const json_t *count;
    const char *name;

    json_object_foreach(left, name, count) sum += (uint64_t)json_integer_value(count);
    html_put(out, "<div class=\"bars\"><h3>%s</h3>", title);
    if (!sum)
        buffer_text(out, "<p class=\"none\">none</p>");
    while (sum) {
        const char *most = NULL;

        json_object_foreach(left, name,
                            count) if (!most || json_integer_value(count) >
                                                    json_integer_value(json_object_get(left, most)))
            most = name;
        if (!most)
            break;
        buffer_text(out, "<div class=\"bar\"><span>");
        html_text(out, most, HTML_NAME);
        html_put(out,
                 "</span><svg height=\"10\" width=\"100%%\" aria-hidden=\"true\"><rect "
                 "class=\"%s\" height=\"10\" rx=\"2\" width=\"",
                 class_of(most, have_tone));
        html_percent(out, record_number(left, most), sum);
        buffer_text(out, "\"/></svg><b>");
        html_count(out, record_number(left, most));
        buffer_text(out, "</b></div>");
        json_object_del(left, most);
    }
    buffer_text(out, "</div>\n");
    json_decref(left);
}

/* Of the effects those that are `better`, and not faster, are told apart. */
static json_t *effects_of(const json_t *report)
{
    json_t *effects = json_copy(json_object_get(report, "effects"));
    uint64_t better = record_number(effects, "better"),
             restored = record_number(report, "restored");

    if (!restored)
        return effects;
    json_object_set_new(effects, "restored", json_integer((json_int_t)restored));
    json_object_set_new(effects, "better", json_integer((json_int_t)(better - restored)));
    if (better == restored)
        json_object_del(effects, "better");
    return effects;
}

static void all_bars(const json_t *report, struct buffer *out)
{
    json_t *effects = effects_of(report);

    buffer_text(out, "<section><h2>Counts</h2><div class=\"columns\">\n");
    bars(out, "Verdicts of decisions", json_object_get(report, "verdicts"), true);
    bars(out, "Outcomes of requests", json_object_get(report, "outcomes"), true);
    bars(out, "Effects of moves", effects, true);
    bars(out, "Warnings and errors", json_object_get(report, "notices"), false);
    buffer_text(out, "</div></section>\n");
    json_decref(effects);
}

void page_tables(struct page *page, const json_t *report, const struct plot *plot)
{
    causes(report, plot);
    worst_peers(report, plot->out);
    outages(page, plot);
    page_deeds(page, plot);
    reasons(report, plot->out);
    all_bars(report, plot->out);
    uplinks(report, plot);
    runs(report, plot);
}
