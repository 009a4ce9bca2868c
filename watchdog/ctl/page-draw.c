/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of time as SVG, as wide as there is room: places are percents, so that text keeps its size.
 */
#include "page-private.h"

#include <stdarg.h>
#include <time.h>

#include "when.h"

#define COLUMNS   240u
#define TICKS_MAX 8u

void plot_x(const struct plot *plot, uint64_t time_us)
{
    html_percent(plot->out, sub_u64(time_us, plot->from_us), plot->until_us - plot->from_us);
}

/* ---- times ---- */

static void local_text(char *out, size_t size, const char *format, uint64_t time_us)
{
    time_t seconds = (time_t)(time_us / 1000000);
    struct tm local;

    *out = '\0';
    if (localtime_r(&seconds, &local))
        strftime(out, size, format, &local);
}

void time_put(const struct plot *plot, uint64_t time_us)
{
    char day[16], time[16], whole[WHEN_SIZE];

    local_text(day, sizeof(day), "%m-%d ", time_us);
    local_text(time, sizeof(time), "%H:%M:%S", time_us);
    html_put(plot->out, "<time title=\"%s\">%s%s%s%s</time>", when_format(whole, time_us, true),
             plot->dates ? "<i>" : "", plot->dates ? day : "", plot->dates ? "</i>" : "", time);
}

/* The least span that is usual on clocks and gives few enough ticks. */
static uint64_t tick_span(const struct plot *plot)
{
    static const uint32_t spans[] = {1,     2,     5,     10,    15,     30,    60,
                                     120,   300,   600,   900,   1800,   3600,  7200,
                                     10800, 21600, 43200, 86400, 172800, 604800};
    uint64_t span_us = 0;

    for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
        span_us = spans[i] * UINT64_C(1000000);
        if ((plot->until_us - plot->from_us) / span_us < TICKS_MAX)
            return span_us;
    }
    while ((plot->until_us - plot->from_us) / span_us >= TICKS_MAX)
        span_us *= 2;
    return span_us;
}

/* The first tick: whole by the clock on the wall. */
static uint64_t tick_first(const struct plot *plot, uint64_t span_us)
{
    time_t seconds = (time_t)(plot->from_us / 1000000);
    struct tm local = {0};
    uint64_t shift_us;

    localtime_r(&seconds, &local);
    /* no zone is farther from UTC than two days */
    shift_us = (uint64_t)(local.tm_gmtoff + 172800) * 1000000;
    return (plot->from_us + shift_us + span_us - 1) / span_us * span_us - shift_us;
}

/* Times may be those of no clock. */
static bool is_tick(const struct plot *plot, uint64_t at_us, unsigned n)
{
    return n < 2 * TICKS_MAX && at_us >= plot->from_us && at_us <= plot->until_us;
}

static void ticks(const struct plot *plot)
{
    uint64_t span_us = tick_span(plot);
    unsigned n = 0;

    for (uint64_t at_us = tick_first(plot, span_us); is_tick(plot, at_us, n);
         at_us += span_us, n++) {
        buffer_text(plot->out, "<line class=\"tick\" x1=\"");
        plot_x(plot, at_us);
        buffer_text(plot->out, "\" x2=\"");
        plot_x(plot, at_us);
        buffer_text(plot->out, "\" y1=\"0\" y2=\"100%\"/>");
    }
}

void plot_axis(const struct plot *plot)
{
    uint64_t span_us = tick_span(plot), width_us = plot->until_us - plot->from_us;
    const char *format = span_us < UINT64_C(60000000)      ? "%H:%M:%S"
                         : span_us < UINT64_C(86400000000) ? "%H:%M"
                                                           : "%m-%d";
    unsigned n = 0;

    buffer_text(
        plot->out,
        "<div class=\"lane axis\"><span class=\"name\"></span><svg class=\"plot\" height=\"18\">");
    for (uint64_t at_us = tick_first(plot, span_us); is_tick(plot, at_us, n);
         at_us += span_us, n++) {
        char text[16];

        if ((at_us - plot->from_us) > width_us - width_us / 32)
            break; /* it would be cut off */
        local_text(text, sizeof(text), format, at_us);
        html_put(plot->out, "<text class=\"at%s\" y=\"13\" x=\"", n % 2 ? " odd" : "");
        plot_x(plot, at_us);
        html_put(plot->out, "\"%s>%s</text>",
                 at_us - plot->from_us < width_us / 32 ? " text-anchor=\"start\""
                                                       : " text-anchor=\"middle\"",
                 text);
    }
    buffer_text(plot->out, "</svg></div>\n");
}

/* ---- a line ---- */

void plot_begin(const struct plot *plot, const char *name, const char *remark, unsigned height)
{
    buffer_text(plot->out, "<div class=\"lane\"><span class=\"name\">");
    html_text(plot->out, name, HTML_NAME);
    if (remark)
        html_put(plot->out, " <small>%s</small>", remark);
    html_put(plot->out, "</span><svg class=\"plot\" height=\"%u\" role=\"img\">", height);
    ticks(plot);
}

void plot_end(const struct plot *plot)
{
    buffer_text(plot->out, "</svg></div>\n");
}

void plot_rect(const struct plot *plot, const char *class, uint64_t from_us, uint64_t until_us,
               unsigned y, unsigned height)
{
    from_us = max_u64(from_us, plot->from_us);
    until_us = max_u64(min_u64(until_us, plot->until_us), from_us);
    html_put(plot->out, "<rect class=\"%s\" y=\"%u\" height=\"%u\" x=\"", class, y, height);
    plot_x(plot, from_us);
    buffer_text(plot->out, "\" width=\"");
    html_percent(plot->out, until_us - from_us, plot->until_us - plot->from_us);
    buffer_text(plot->out, "\">");
}

void plot_title(const struct plot *plot, const char *end, const char *text, const char *format, ...)
{
    va_list arguments;
    char ours[200];

    va_start(arguments, format);
    vsnprintf(ours, sizeof(ours), format, arguments);
    va_end(arguments);
    buffer_text(plot->out, "<title>");
    buffer_text(plot->out, ours);
    if (text)
        html_text(plot->out, text, HTML_REASON);
    html_put(plot->out, "</title></%s>", end);
}

void plot_marks(const struct plot *plot, const struct page *page, enum mark_type type,
                uint32_t peer, const char *sign, const char *what, unsigned y)
{
    uint64_t width_us = (plot->until_us - plot->from_us) / COLUMNS + 1;
    struct {
        uint64_t n, first_us;
    } columns[COLUMNS + 1] = {0};

    for (size_t i = 0; i < page->n_marks; i++) {
        const struct mark *mark = &page->marks[i];
        size_t at = (size_t)(sub_u64(mark->time_us, plot->from_us) / width_us);

        if (mark->type != type || (peer != UINT32_MAX && mark->peer != peer) || at > COLUMNS)
            continue;
        if (!columns[at].n++)
            columns[at].first_us = mark->time_us;
    }
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        char when[WHEN_SIZE];

        if (!columns[i].n)
            continue;
        html_put(plot->out, "<use href=\"#%s\" class=\"%s\" y=\"%u\" x=\"", sign, sign, y);
        plot_x(plot, columns[i].first_us);
        buffer_text(plot->out, "\">");
        if (columns[i].n > 1)
            plot_title(plot, "use", NULL, "%llu × %s, from %s", (unsigned long long)columns[i].n,
                       what, when_format(when, columns[i].first_us, true));
        else
            plot_title(plot, "use", NULL, "%s, %s", what,
                       when_format(when, columns[i].first_us, true));
    }
}

uint32_t page_peer(const struct page *page, const char *name)
{
    const json_t *number = json_object_get(page->peers, name);

    return number ? (uint32_t)json_integer_value(number) : UINT32_MAX;
}
