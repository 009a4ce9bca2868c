/* SPDX-License-Identifier: Apache-2.0 */
/* The night at a glance: what happened to pathdog, the node, the uplinks, and to all connections.
 */
#include "page-private.h"

#include "../util/duration.h"
#include "when.h"

#define COLUMNS 240u
#define HEIGHT  44u

struct columns {
    uint64_t n[COLUMNS];
    uint64_t most;
    uint64_t width_us;
};

static void columns_begin(struct columns *columns, const struct plot *plot)
{
    *columns = (struct columns){.width_us = (plot->until_us - plot->from_us) / COLUMNS + 1};
}

static size_t column_of(const struct columns *columns, const struct plot *plot, uint64_t time_us)
{
    return (size_t)min_u64(sub_u64(time_us, plot->from_us) / columns->width_us, COLUMNS - 1);
}

static unsigned height_of(uint64_t n, uint64_t most)
{
    return n && most ? (unsigned)max_u64(n * (HEIGHT - 2) / most, 2) : 0;
}

/* ---- decisions ---- */

static void count_marks(struct columns *columns, const struct page *page, const struct plot *plot,
                        enum mark_type type)
{
    columns_begin(columns, plot);
    for (size_t i = 0; i < page->n_marks; i++)
        if (page->marks[i].type == type)
            columns->n[column_of(columns, plot, page->marks[i].time_us)]++;
}

/* Moves at the bottom, and what was refused on top of them. */
static void draw_decisions(const struct page *page, const struct plot *plot)
{
    struct columns moves, refused;
    uint64_t most = 0;
    char remark[64];

    count_marks(&moves, page, plot, MARK_MOVE);
    count_marks(&refused, page, plot, MARK_REFUSED);
    for (size_t i = 0; i < COLUMNS; i++)
        most = max_u64(most, moves.n[i] + refused.n[i]);
    if (!most)
        return;
    snprintf(remark, sizeof(remark), "at most %llu at a time", (unsigned long long)most);
    plot_begin(plot, "decisions", remark, HEIGHT);
    for (size_t i = 0; i < COLUMNS; i++) {
        uint64_t from_us = plot->from_us + i * moves.width_us;
        unsigned below = height_of(moves.n[i], most), above = height_of(refused.n[i], most);
        char when[WHEN_SIZE];

        above = below + above > HEIGHT ? HEIGHT - below : above;
        if (below) {
            plot_rect(plot, "moves", from_us, from_us + moves.width_us, HEIGHT - below, below);
            plot_title(plot, "rect", NULL, "%llu moves requested, from %s",
                       (unsigned long long)moves.n[i], when_format(when, from_us, false));
        }
        if (above) {
            plot_rect(plot, "refusals", from_us, from_us + moves.width_us, HEIGHT - below - above,
                      above);
            plot_title(plot, "rect", NULL, "%llu times not moved, from %s",
                       (unsigned long long)refused.n[i], when_format(when, from_us, false));
        }
    }
    plot_end(plot);
}

static bool any(const struct page *page, enum mark_type type)
{
    for (size_t i = 0; i < page->n_marks; i++)
        if (page->marks[i].type == type)
            return true;
    return false;
}

static void draw_results(const struct page *page, const struct plot *plot)
{
    static const struct {
        enum mark_type type;
        const char *sign, *what;
        unsigned y;
    } rows[] = {{MARK_BETTER, "better", "effect better or restored", 9},
                {MARK_SAME, "same", "effect same or unknown", 9},
                {MARK_WORSE, "worse", "effect worse or stalled", 23},
                {MARK_FAILED, "failed", "request failed", 37}};
    bool drawn = false;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!any(page, rows[i].type))
            continue;
        if (!drawn)
            plot_begin(plot, "results", "of the moves", 46);
        drawn = true;
        plot_marks(plot, page, rows[i].type, UINT32_MAX, rows[i].sign, rows[i].what, rows[i].y);
    }
    if (drawn)
        plot_end(plot);
}

/* How many peers were without a working path at the same time. */
static void draw_outages(const struct page *page, const struct plot *plot)
{
    struct columns columns;
    char remark[64];

    columns_begin(&columns, plot);
    for (size_t i = 0; i < page->n_outages; i++) {
        const struct outage_span *span = &page->outages[i];
        size_t from = column_of(&columns, plot, span->from_us),
               until = column_of(&columns, plot, span->until_us);

        for (size_t k = from; k <= until && span->until_us >= plot->from_us; k++)
            columns.n[k]++;
    }
    for (size_t i = 0; i < COLUMNS; i++)
        columns.most = max_u64(columns.most, columns.n[i]);
    if (!columns.most)
        return;
    snprintf(remark, sizeof(remark), "at most %llu peers", (unsigned long long)columns.most);
    plot_begin(plot, "no path", remark, HEIGHT);
    for (size_t i = 0; i < COLUMNS; i++) {
        unsigned height = height_of(columns.n[i], columns.most);
        uint64_t from_us = plot->from_us + i * columns.width_us;
        char when[WHEN_SIZE];

        if (!height)
            continue;
        plot_rect(plot, "outage", from_us, from_us + columns.width_us, HEIGHT - height, height);
        plot_title(plot, "rect", NULL, "%llu peers without a working path, from %s",
                   (unsigned long long)columns.n[i], when_format(when, from_us, false));
    }
    plot_end(plot);
}

static void draw_signs(const struct page *page, const struct plot *plot, enum mark_type type,
                       const char *name, const char *sign, const char *what)
{
    if (!any(page, type))
        return;
    plot_begin(plot, name, NULL, 20);
    plot_marks(plot, page, type, UINT32_MAX, sign, what, 10);
    plot_end(plot);
}

/* ---- what has a state ---- */

/* The class of the time after that change; "": it is a moment, and the state goes on. */
static const char *state_after(const char *change)
{
    static const struct {
        const char *change, *class;
    } states[] = {{"up", "good"},    {"proven", "good"}, {"released", "good"}, {"down", "bad"},
                  {"silent", "bad"}, {"slow", "slow"},   {"held", "held"},     {"penalty", ""}};

    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (!strcmp(states[i].change, change))
            return states[i].class;
    return "";
}

static void draw_state(const struct plot *plot, const char *class, uint64_t from_us,
                       uint64_t until_us, const json_t *record, const char *word)
{
    char span[DURATION_SIZE], when[WHEN_SIZE];

    plot_rect(plot, class, from_us, until_us, 5, 10);
    plot_title(plot, "rect", record_word(record, "reason"), "%s for %s from %s%s", word,
               duration_text(span, sub_u64(until_us, from_us)), when_format(when, from_us, false),
               *record_word(record, "reason") ? ": " : "");
}

/* Each state is the time from one record to the next that is about a state. */
static void draw_states(const struct plot *plot, const char *name, const json_t *changes,
                        const char *member)
{
    const json_t *record, *since = NULL;
    const char *class = "unknown", *word = "no record";
    uint64_t from_us = plot->from_us;
    size_t i;

    plot_begin(plot, name, NULL, 20);
    json_array_foreach(changes, i, record)
    {
        const char *change = record_word(record, member);
        uint64_t time_us = record_number(record, "time_us");
        const char *after = state_after(change);

        if (!*after)
            continue;
        if (time_us > from_us)
            draw_state(plot, class, from_us, time_us, since, word);
        from_us = max_u64(time_us, plot->from_us);
        class = after;
        word = change;
        since = record;
    }
    draw_state(plot, class, from_us, plot->until_us, since, word);
    json_array_foreach(changes, i, record)
    {
        char when[WHEN_SIZE];

        if (*state_after(record_word(record, member)))
            continue;
        buffer_text(plot->out, "<use href=\"#worse\" class=\"penalty\" y=\"10\" x=\"");
        plot_x(plot, record_number(record, "time_us"));
        buffer_text(plot->out, "\">");
        plot_title(plot, "use", record_word(record, "reason"),
                   "penalty, %s: ", when_format(when, record_number(record, "time_us"), false));
    }
    plot_end(plot);
}

static void draw_all_states(const struct plot *plot, const char *what, const json_t *all,
                            const char *member)
{
    json_t *changes;
    const char *name;

    json_object_foreach((json_t *)all, name, changes)
    {
        size_t size = strlen(what) + strlen(name) + 2;
        CLEANUP_FREE char *title = memory_new(size, 1);

        snprintf(title, size, "%s %s", what, name);
        draw_states(plot, title, changes, member);
    }
}

static void draw_runs(const json_t *report, const struct plot *plot)
{
    const json_t *runs = json_object_get(report, "runs"), *run;
    size_t i;

    if (json_array_size(runs) < 2)
        return;
    plot_begin(plot, "pathdog", "runs", 20);
    json_array_foreach(runs, i, run)
    {
        uint64_t first_us = record_number(run, "first_us"), last_us = record_number(run, "last_us");
        char when[WHEN_SIZE];

        plot_rect(plot, "run", first_us, last_us, 7, 6);
        plot_title(plot, "rect", record_word(run, "run"), "from %s: run ",
                   when_format(when, first_us, false));
        if (!json_is_true(json_object_get(run, "restart")))
            continue;
        html_put(plot->out, "<use href=\"#restart\" class=\"%s\" y=\"10\" x=\"",
                 json_is_true(json_object_get(run, "after_unclean_stop")) ? "unclean" : "restart");
        plot_x(plot, first_us);
        buffer_text(plot->out, "\">");
        plot_title(plot, "use", NULL, "restarted at %s%s", when_format(when, first_us, false),
                   json_is_true(json_object_get(run, "after_unclean_stop"))
                       ? " after an unclean stop"
                       : "");
    }
    plot_end(plot);
}

static const char legend[] =
    "<p class=\"legend\"><span><i class=\"key moves\"></i>moves requested</span><span><i "
    "class=\"key refusals\"></i>not moved</span>"
    "<span><svg width=\"12\" height=\"12\"><use href=\"#better\" class=\"better\" x=\"6\" "
    "y=\"6\"/></svg>helped</span>"
    "<span><svg width=\"12\" height=\"12\"><use href=\"#same\" class=\"same\" x=\"6\" "
    "y=\"6\"/></svg>same, or not known</span>"
    "<span><svg width=\"12\" height=\"12\"><use href=\"#worse\" class=\"worse\" x=\"6\" "
    "y=\"6\"/></svg>did not help</span>"
    "<span><svg width=\"12\" height=\"12\"><use href=\"#failed\" class=\"failed\" x=\"6\" "
    "y=\"6\"/></svg>request failed</span>"
    "<span><i class=\"key good\"></i>usable</span><span><i class=\"key slow\"></i>slow</span>"
    "<span><i class=\"key bad\"></i>silent, down</span><span><i class=\"key "
    "held\"></i>held</span></p>\n";

void page_lines(const struct page *page, const json_t *report, const struct plot *plot)
{
    buffer_text(plot->out, "<section><h2>The whole time</h2><div class=\"chart\">\n");
    draw_runs(report, plot);
    draw_all_states(plot, "node", page->nodes, "state");
    draw_all_states(plot, "uplink", page->uplinks, "change");
    draw_signs(page, plot, MARK_CAUSE, "causes", "cause", "cause");
    draw_outages(page, plot);
    draw_decisions(page, plot);
    draw_results(page, plot);
    draw_signs(page, plot, MARK_NOTICE, "warnings", "notice", "warning or error");
    plot_axis(plot);
    buffer_text(plot->out, "</div>\n");
    buffer_text(plot->out, legend);
    buffer_text(plot->out, "</section>\n");
}
