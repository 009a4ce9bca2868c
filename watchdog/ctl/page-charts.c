/* SPDX-License-Identifier: Apache-2.0 */
/* The RTT of the worst peers, each with its moves, its paths and its times without one. */
#include "page-private.h"

#include "../util/duration.h"
#include "when.h"

#define SIGNS    36u /* what happened, above the RTT */
#define HEIGHT   96u /* of the RTT */
#define STRIP    12u /* the paths, below it */
#define WIDTH    9600u
#define TALL     1000u
#define LABELS   6u /* colours of paths */
#define SEGMENTS 400u

/* A scale of RTTs: each doubling is as high as any other. */
struct scale {
    uint64_t min_us, max_us;
};

struct chart {
    const struct page *page;
    const struct plot *plot;
    const json_t *series; /* NULL: nothing but what records tell */
    uint32_t peer;
    struct scale scale, seen;
};

/* ---- the scale ---- */

/* log2, in 65536ths. */
static uint32_t log2_fixed(uint64_t value)
{
    unsigned whole = 63 - (unsigned)__builtin_clzll(value | 1);
    uint64_t part = whole > 31 ? value >> (whole - 31) : value << (31 - whole);
    uint32_t ret = whole << 16;

    for (uint32_t bit = 1u << 15; bit; bit >>= 1) {
        part = part * part >> 31;
        if (part >> 32) {
            part >>= 1;
            ret |= bit;
        }
    }
    return ret;
}

/* From 0 at the top to TALL at the bottom. */
static unsigned scale_y(const struct scale *scale, uint64_t rtt_us)
{
    uint32_t low = log2_fixed(scale->min_us), high = log2_fixed(scale->max_us);
    uint32_t at = log2_fixed(max_u64(min_u64(rtt_us, scale->max_us), scale->min_us));

    return (unsigned)((uint64_t)(high - at) * TALL / (high - low));
}

/* 1, 2 or 5 with zeros: the next one that is not above, or not below. */
static uint64_t round_number(uint64_t value, bool up)
{
    static const unsigned steps[] = {1, 2, 5, 10};
    uint64_t ten = 1, below;

    while (value / ten >= 10)
        ten *= 10;
    below = ten;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (up && steps[i] * ten >= value)
            return steps[i] * ten;
        if (steps[i] * ten <= value)
            below = steps[i] * ten;
    }
    return below;
}

static void scale_take(struct scale *scale, uint64_t min_us, uint64_t max_us)
{
    if (!scale->max_us || min_us < scale->min_us)
        scale->min_us = max_u64(min_us, 10);
    scale->max_us = max_u64(max_us, scale->max_us);
}

static bool is_within(const struct plot *plot, uint64_t time_us)
{
    return time_us >= plot->from_us && time_us <= plot->until_us;
}

/* One step of a series: [number, min, max]. */
struct sample {
    uint64_t time_us, min_us, max_us;
};

static bool sample_of(const struct chart *chart, size_t i, struct sample *ret)
{
    const json_t *step = json_array_get(json_object_get(chart->series, "rtt_us"), i);
    uint64_t step_us = record_number(chart->series, "step_us");

    *ret = (struct sample){record_number(chart->series, "from_us") +
                               (uint64_t)json_integer_value(json_array_get(step, 0)) * step_us +
                               step_us / 2,
                           (uint64_t)json_integer_value(json_array_get(step, 1)),
                           (uint64_t)json_integer_value(json_array_get(step, 2))};
    return ret->min_us && ret->min_us <= ret->max_us && is_within(chart->plot, ret->time_us);
}

static size_t n_samples(const struct chart *chart)
{
    return json_array_size(json_object_get(chart->series, "rtt_us"));
}

static bool is_of(const struct chart *chart, const struct mark *mark, enum mark_type type)
{
    return mark->type == type && mark->peer == chart->peer && is_within(chart->plot, mark->time_us);
}

/* Is there anything to draw? */
static bool scale_find(struct chart *chart)
{
    const struct page *page = chart->page;
    struct sample sample;

    chart->scale = (struct scale){0};
    for (size_t i = 0; i < n_samples(chart); i++)
        if (sample_of(chart, i, &sample))
            scale_take(&chart->scale, sample.min_us, sample.max_us);
    for (size_t i = 0; i < page->n_marks; i++)
        if (is_of(chart, &page->marks[i], MARK_RTT))
            scale_take(&chart->scale, page->marks[i].value, page->marks[i].value);
    if (!chart->scale.max_us)
        return false;
    chart->seen = chart->scale;
    chart->scale.min_us = round_number(chart->scale.min_us * 9 / 10, false);
    chart->scale.max_us =
        round_number(max_u64(chart->scale.max_us * 11 / 10, chart->scale.min_us * 4), true);
    return true;
}

/* ---- the picture ---- */

static void draw_level(const struct chart *chart, uint64_t rtt_us, bool text)
{
    unsigned y = SIGNS + scale_y(&chart->scale, rtt_us) * HEIGHT / TALL;
    char span[DURATION_SIZE];

    if (!text)
        html_put(chart->plot->out,
                 "<line class=\"level\" x1=\"0\" x2=\"100%%\" y1=\"%u\" y2=\"%u\"/>", y, y);
    else if (y > SIGNS + 8)
        html_put(chart->plot->out, "<text class=\"unit\" x=\"3\" y=\"%u\">%s</text>", y - 3,
                 duration_text(span, rtt_us));
}

/* At 1, 2 and 5 with zeros; where those are many, at 1 with zeros. The lines are behind all else,
 * and the texts in front of it. */
static void draw_scale(const struct chart *chart, bool text)
{
    static const unsigned steps[] = {1, 2, 5};
    bool many = chart->scale.max_us / chart->scale.min_us > 50;

    for (uint64_t ten = 1; ten <= chart->scale.max_us; ten *= 10)
        for (size_t i = 0; i < (many ? 1 : ARRAY_SIZE(steps)); i++)
            if (steps[i] * ten >= chart->scale.min_us && steps[i] * ten <= chart->scale.max_us)
                draw_level(chart, steps[i] * ten, text);
}

static unsigned x_of(const struct plot *plot, uint64_t time_us)
{
    uint64_t span_us = (plot->until_us - plot->from_us) / WIDTH + 1;

    return (unsigned)min_u64(sub_u64(time_us, plot->from_us) / span_us, WIDTH);
}

/* Samples that stand apart for longer than this are not one line. */
static uint64_t gap_of(const struct chart *chart, size_t n)
{
    const json_t *steps = json_object_get(chart->series, "rtt_us");
    uint64_t first = (uint64_t)json_integer_value(json_array_get(json_array_get(steps, 0), 0));
    uint64_t last = (uint64_t)json_integer_value(json_array_get(json_array_get(steps, n - 1), 0));

    return ((last - first) / n * 4 + 2) * record_number(chart->series, "step_us");
}

/* From `from` on to where there is a gap: along the highest, and back along the lowest. */
static size_t draw_piece(const struct chart *chart, size_t from, size_t n, uint64_t gap_us)
{
    struct buffer *out = chart->plot->out;
    struct sample sample, before = {0};
    size_t end = from;

    for (; end < n && sample_of(chart, end, &sample); end++) {
        if (end > from && sample.time_us - before.time_us > gap_us)
            break;
        html_put(out, "%s%u %u", end == from ? "M" : " ", x_of(chart->plot, sample.time_us),
                 scale_y(&chart->scale, sample.max_us));
        before = sample;
    }
    for (size_t i = end; i > from; i--) {
        sample_of(chart, i - 1, &sample);
        html_put(out, " %u %u", x_of(chart->plot, sample.time_us),
                 scale_y(&chart->scale, sample.min_us));
    }
    if (end > from)
        buffer_text(out, "Z");
    return end > from ? end : from + 1;
}

static void draw_samples(const struct chart *chart)
{
    struct buffer *out = chart->plot->out;
    size_t n = n_samples(chart);

    if (!n)
        return;
    html_put(out,
             "<svg x=\"0\" y=\"%u\" width=\"100%%\" height=\"%u\" viewBox=\"0 0 %u %u\" "
             "preserveAspectRatio=\"none\"><path class=\"rtt\" d=\"",
             SIGNS, HEIGHT, WIDTH, TALL);
    for (size_t i = 0; i < n;)
        i = draw_piece(chart, i, n, gap_of(chart, n));
    buffer_text(out, "\"/></svg>");
}

/* Without samples, what decisions and effects tell. */
static void draw_points(const struct chart *chart)
{
    const struct page *page = chart->page;
    size_t n = 0;

    for (size_t i = 0; i < page->n_marks && n < 2 * SEGMENTS; i++) {
        const struct mark *mark = &page->marks[i];
        char span[DURATION_SIZE], when[WHEN_SIZE];

        if (!is_of(chart, mark, MARK_RTT))
            continue;
        html_put(chart->plot->out, "<use href=\"#rtt\" class=\"point\" y=\"%u\" x=\"",
                 SIGNS + scale_y(&chart->scale, mark->value) * HEIGHT / TALL);
        plot_x(chart->plot, mark->time_us);
        buffer_text(chart->plot->out, "\">");
        plot_title(chart->plot, "use", NULL, "RTT %s, %s", duration_text(span, mark->value),
                   when_format(when, mark->time_us, true));
        n++;
    }
}

static void draw_outages(const struct chart *chart)
{
    size_t n = 0;

    for (size_t i = 0; i < chart->page->n_outages && n < SEGMENTS; i++) {
        const struct outage_span *span = &chart->page->outages[i];
        char text[DURATION_SIZE], when[WHEN_SIZE];

        if (span->peer != chart->peer || span->until_us < chart->plot->from_us)
            continue;
        plot_rect(chart->plot, "outage", span->from_us, span->until_us, SIGNS, HEIGHT);
        plot_title(chart->plot, "rect", NULL, "no path for %s from %s",
                   duration_text(text, span->until_us - span->from_us),
                   when_format(when, span->from_us, true));
        n++;
    }
}

/* ---- paths ---- */

struct segments {
    uint64_t from_us;
    char label[64]; /* "": not known */
    size_t n;
};

static const char *label_text(const struct page *page, uint32_t number)
{
    const char *name;
    json_t *value;

    json_object_foreach(page->labels, name,
                        value) if ((uint32_t)json_integer_value(value) == number) return name;
    return "";
}

static void segment(const struct chart *chart, struct segments *segments, const char *label,
                    uint64_t time_us)
{
    const json_t *number = json_object_get(chart->page->labels, segments->label);
    const char *home = json_string_value(json_object_get(chart->page->homes, segments->label));
    const struct plot *plot = chart->plot;
    char when[WHEN_SIZE];

    if (!strcmp(segments->label, label) && time_us < plot->until_us)
        return;
    if (*segments->label && time_us > plot->from_us && segments->n++ < SEGMENTS) {
        char class[16];
        uint64_t from_us = max_u64(segments->from_us, plot->from_us);

        snprintf(class, sizeof(class), "path%u", (unsigned)json_integer_value(number) % LABELS);
        plot_rect(plot, class, from_us, time_us, SIGNS + HEIGHT + 3, STRIP);
        plot_title(plot, "rect", home ? home : segments->label,
                   "from %s: ", when_format(when, from_us, true));
        if (time_us - from_us > (plot->until_us - plot->from_us) / 8) {
            html_put(plot->out, "<text class=\"path\" y=\"%u\" x=\"", SIGNS + HEIGHT + STRIP);
            plot_x(plot, from_us);
            buffer_text(plot->out, "\" dx=\"4\">");
            html_text(plot->out, home ? home : segments->label, 24);
            buffer_text(plot->out, "</text>");
        }
    }
    segments->from_us = time_us;
    snprintf(segments->label, sizeof(segments->label), "%s", label);
}

static void draw_paths(const struct chart *chart)
{
    const json_t *paths = json_object_get(chart->series, "paths"), *path;
    struct segments segments = {.from_us = chart->plot->from_us};
    size_t i;

    json_array_foreach(paths, i, path)
    {
        const char *local = json_string_value(json_array_get(path, 1));
        const char *port = local ? strrchr(local, ':') : NULL;
        char label[64];

        snprintf(label, sizeof(label), "%.*s",
                 (int)(port ? min_u64((uint64_t)(port - local), 63) : 0), local ? local : "");
        segment(chart, &segments, label, (uint64_t)json_integer_value(json_array_get(path, 0)));
    }
    for (i = 0; !paths && i < chart->page->n_marks; i++) {
        const struct mark *mark = &chart->page->marks[i];

        if (mark->peer == chart->peer && mark->type == MARK_BEFORE && !*segments.label)
            snprintf(segments.label, sizeof(segments.label), "%s",
                     label_text(chart->page, mark->value));
        if (mark->peer == chart->peer && mark->type == MARK_MOVED)
            segment(chart, &segments, label_text(chart->page, mark->value), mark->time_us);
    }
    segment(chart, &segments, "", chart->plot->until_us);
}

/* ---- a chart, and all of them ---- */

static void draw(struct chart *chart, const char *name, const json_t *row)
{
    static const struct {
        enum mark_type type;
        const char *sign, *what;
        unsigned y;
    } signs[] = {{MARK_REFUSED, "refused", "not moved", 7},
                 {MARK_MOVE, "move", "move requested", 7},
                 {MARK_BETTER, "better", "effect better or restored", 18},
                 {MARK_WORSE, "worse", "effect worse or stalled", 18},
                 {MARK_FAILED, "failed", "request failed", 29}};
    const struct plot *plot = chart->plot;
    uint64_t moves = record_number(row, "moves"), failed = record_number(row, "failed");
    char remark[256], least[DURATION_SIZE], most[DURATION_SIZE];

    snprintf(remark, sizeof(remark),
             "%llu move%s, %llu did not help,<br> %llu request%s failed,<br> RTT %s to %s",
             (unsigned long long)moves, moves == 1 ? "" : "s",
             (unsigned long long)record_number(row, "not_helped"), (unsigned long long)failed,
             failed == 1 ? "" : "s", duration_text(least, chart->seen.min_us),
             duration_text(most, chart->seen.max_us));
    plot_begin(plot, name, remark, SIGNS + HEIGHT + STRIP + 4);
    draw_scale(chart, false);
    draw_outages(chart);
    draw_samples(chart);
    if (!n_samples(chart))
        draw_points(chart);
    draw_scale(chart, true);
    draw_paths(chart);
    for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
        plot_marks(plot, chart->page, signs[i].type, chart->peer, signs[i].sign, signs[i].what,
                   signs[i].y);
    plot_end(plot);
}

static bool chart_of(const struct page *page, const struct plot *plot, const char *name,
                     struct chart *ret)
{
    *ret = (struct chart){.page = page,
                          .plot = plot,
                          .series = json_object_get(page->series, name),
                          .peer = page_peer(page, name)};
    return scale_find(ret);
}

void page_charts(const struct page *page, const json_t *report, const struct plot *plot)
{
    const json_t *peers = json_object_get(report, "peers"), *row;
    json_t *drawn = json_object(), *line;
    const char *name;
    size_t i;

    buffer_text(plot->out, "<section><h2>RTT of the worst peers</h2>\n");
    buffer_text(plot->out,
                page->series_all
                    ? "<p>Lowest and highest sample of each moment, from the recording; the scale "
                      "is logarithmic.</p>"
                    : "<p>Records hold no samples, only the RTT of decisions and effects: the "
                      "points. A recording (<code>pathdog --record</code>) has them all.</p>");
    buffer_text(plot->out, "<div class=\"chart\">\n");
    json_array_foreach(peers, i, row)
    {
        struct chart chart;

        name = record_word(row, "peer");
        if (json_object_size(drawn) == CHARTS_MAX || !chart_of(page, plot, name, &chart))
            continue;
        draw(&chart, name, row);
        json_object_set_new(drawn, name, json_true());
    }
    json_object_foreach(page->series, name, line)
    {
        struct chart chart;

        if (json_object_size(drawn) >= CHARTS_MAX / 2 || json_object_get(drawn, name) ||
            !chart_of(page, plot, name, &chart))
            continue;
        draw(&chart, name, NULL);
        json_object_set_new(drawn, name, json_true());
    }
    if (json_object_size(drawn))
        plot_axis(plot);
    else
        buffer_text(plot->out, "<p class=\"none\">No RTT is known.</p>");
    buffer_text(plot->out,
                "</div>\n<p class=\"legend\"><span><svg width=\"12\" height=\"12\"><use "
                "href=\"#move\" class=\"move\" x=\"6\" y=\"7\"/></svg>move requested</span>"
                "<span><svg width=\"12\" height=\"12\"><use href=\"#refused\" class=\"refused\" "
                "x=\"6\" y=\"6\"/></svg>not moved</span>"
                "<span><i class=\"key hatched\"></i>no path</span><span><i class=\"key "
                "path0\"></i><i class=\"key path1\"></i><i class=\"key path2\"></i>paths, by local "
                "address or uplink</span></p></section>\n");
    json_decref(drawn);
}
