/* SPDX-License-Identifier: Apache-2.0 */
/* What would have been under another configuration, beside what was. */
#include "page-private.h"

#include "what-if.h"
#include "when.h"

#define COLUMNS 240u

static void draw_moves(const json_t *side, const char *name, const char *class,
                       const struct plot *plot)
{
    const json_t *times = json_object_get(side, "times_us"), *time;
    uint64_t columns[COLUMNS] = {0}, most = 0,
             width_us = (plot->until_us - plot->from_us) / COLUMNS + 1;
    char remark[64];
    size_t i;

    json_array_foreach(times, i, time)
    {
        uint64_t *n = &columns[min_u64(
            sub_u64((uint64_t)json_integer_value(time), plot->from_us) / width_us, COLUMNS - 1)];

        most = max_u64(++*n, most);
    }
    snprintf(remark, sizeof(remark), "%llu moves",
             (unsigned long long)record_number(side, "moves"));
    plot_begin(plot, name, remark, 32);
    for (i = 0; i < COLUMNS; i++) {
        unsigned height = columns[i] ? (unsigned)max_u64(columns[i] * 30 / most, 3) : 0;
        char when[WHEN_SIZE];

        if (!height)
            continue;
        plot_rect(plot, class, plot->from_us + i * width_us, plot->from_us + (i + 1) * width_us,
                  32 - height, height);
        plot_title(plot, "rect", NULL, "%llu moves from %s", (unsigned long long)columns[i],
                   when_format(when, plot->from_us + i * width_us, false));
    }
    plot_end(plot);
}

static void compare_counts(struct buffer *out, const char *title, const json_t *was,
                           const json_t *other)
{
    json_t *names = json_copy((json_t *)was);
    json_t *value;
    const char *name;

    json_object_update_missing(names, (json_t *)other);
    html_put(out,
             "<div class=\"scroll\"><table class=\"narrow\"><thead><tr><th>%s</th><th "
             "class=\"n\">Recording</th><th class=\"n\">Other</th><th "
             "class=\"n\">Difference</th></tr></thead><tbody>",
             title);
    json_object_foreach(names, name, value)
    {
        uint64_t a = record_number(was, name), b = record_number(other, name);

        buffer_text(out, "<tr><td>");
        html_text(out, name, HTML_NAME);
        buffer_text(out, "</td><td class=\"n\">");
        html_count(out, a);
        buffer_text(out, "</td><td class=\"n\">");
        html_count(out, b);
        html_put(out, "</td><td class=\"n%s\">%s", a == b ? " zero" : "",
                 a == b  ? ""
                 : a < b ? "+"
                         : "−");
        html_count(out, a < b ? b - a : a - b);
        buffer_text(out, "</td></tr>");
    }
    buffer_text(out, "</tbody></table></div>\n");
    json_decref(names);
}

static void say(const json_t *what_if, struct buffer *out)
{
    const json_t *was = json_object_get(what_if, "recording"),
                 *other = json_object_get(what_if, "other");
    uint64_t a = record_number(was, "moves"), b = record_number(other, "moves");

    buffer_text(out, "<p class=\"lead\">With <code>");
    html_text(out, record_word(what_if, "config"), HTML_REASON);
    buffer_text(out, "</code> pathdog would have asked for ");
    html_count(out, b);
    buffer_text(out, " moves");
    if (a == b) {
        buffer_text(out, ", as many as it did. ");
    } else {
        buffer_text(out, " instead of ");
        html_count(out, a);
        buffer_text(out, ": <b>");
        html_count(out, a < b ? b - a : a - b);
        html_put(out, "%s</b>. ", a < b ? " more" : " fewer");
    }
    html_count(out, record_number(what_if, "both"));
    buffer_text(out, " are in both");
    if (record_number(what_if, "earlier") + record_number(what_if, "later")) {
        buffer_text(out, " (");
        html_count(out, record_number(what_if, "earlier"));
        buffer_text(out, " earlier and ");
        html_count(out, record_number(what_if, "later"));
        buffer_text(out, " later than they were)");
    }
    buffer_text(out, ", ");
    html_count(out, record_number(was, "only"));
    buffer_text(out, " would not have been asked for, and ");
    html_count(out, record_number(other, "only"));
    buffer_text(out, " are new.</p>\n<p>The events are those of the run: what the network would "
                     "have done after a move that "
                     "was not made then, no recording knows. So this compares what is decided, and "
                     "not what would have come of it; and the "
                     "longer after the first difference, the less it says. A move is in both if it "
                     "is of the same peer and at most 10 s apart.</p>\n");
}

static void differing(const json_t *what_if, const struct plot *plot)
{
    const json_t *rows = json_object_get(what_if, "rows"), *row;
    struct buffer *out = plot->out;
    uint64_t n = record_number(json_object_get(what_if, "recording"), "only") +
                 record_number(json_object_get(what_if, "other"), "only");
    size_t i;

    if (!json_array_size(rows))
        return;
    html_put(out, "<details%s><summary>", json_array_size(rows) <= 30 ? " open" : "");
    html_count(out, n);
    buffer_text(out, " moves that are only in one of the two</summary><div "
                     "class=\"scroll\"><table><thead><tr><th>Time</th><th>Only "
                     "in</th><th>Peer</th><th>Why</th><th>Decided</th></tr></thead><tbody>\n");
    json_array_foreach(rows, i, row)
    {
        bool was = !strcmp(record_word(row, "in"), "recording");

        buffer_text(out, "<tr><td data-l=\"Time\" class=\"t\">");
        time_put(plot, record_number(row, "time_us"));
        html_put(out,
                 "</td><td data-l=\"Only in\"><span class=\"word %s\">%s</span></td><td "
                 "data-l=\"Peer\">",
                 was ? "refusing" : "moving", was ? "recording" : "other");
        html_text(out, record_word(row, "peer"), HTML_NAME);
        buffer_text(out, "</td><td data-l=\"Why\"><b>");
        html_text(out, record_word(row, "trigger"), HTML_NAME);
        buffer_text(out, " ");
        html_text(out, record_word(row, "kind"), HTML_NAME);
        buffer_text(out, "</b> ");
        html_text(out, record_word(row, "reason"), HTML_REASON);
        buffer_text(out, "</td><td data-l=\"Decided\">");
        html_text(out, record_word(row, "verdict"), HTML_NAME);
        if (*record_word(row, "target")) {
            buffer_text(out, " to ");
            html_text(out, record_word(row, "target"), HTML_NAME);
        }
        buffer_text(out, "</td></tr>\n");
    }
    buffer_text(out, "</tbody></table></div></details>\n");
    if (n > json_array_size(rows)) {
        buffer_text(out, "<p class=\"more\">The first of them; and ");
        html_count(out, n - json_array_size(rows));
        buffer_text(out, " more</p>");
    }
}

void page_what_if(const json_t *report, const struct plot *plot)
{
    const json_t *what_if = json_object_get(report, "what_if");
    const json_t *was = json_object_get(what_if, "recording"),
                 *other = json_object_get(what_if, "other");

    if (!what_if)
        return;
    buffer_text(plot->out, "<section class=\"whatif\"><h2>What would have been</h2>\n");
    if (*record_word(what_if, "remark")) {
        buffer_text(plot->out, "<p class=\"warning\">");
        html_text(plot->out, record_word(what_if, "remark"), HTML_REASON);
        buffer_text(plot->out, "</p>\n");
    }
    say(what_if, plot->out);
    buffer_text(plot->out, "<div class=\"chart\">\n");
    draw_moves(was, "moves in the recording", "moves", plot);
    draw_moves(other, "moves with the other", "others", plot);
    plot_axis(plot);
    buffer_text(plot->out, "</div><div class=\"columns\">\n");
    compare_counts(plot->out, "Moves by trigger", json_object_get(was, "triggers"),
                   json_object_get(other, "triggers"));
    compare_counts(plot->out, "Verdicts", json_object_get(was, "verdicts"),
                   json_object_get(other, "verdicts"));
    buffer_text(plot->out, "</div>\n");
    differing(what_if, plot);
    buffer_text(plot->out, "</section>\n");
}
