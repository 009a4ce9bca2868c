/* SPDX-License-Identifier: Apache-2.0 */
/* The decisions, each with why, what was asked, and what came of it. */
#include "page-private.h"

#include "../util/duration.h"
#include "tone.h"

/* Of a verdict, an outcome or an effect. */
static const char *class_of(const char *word)
{
    static const char *const classes[] = {[TONE_NEUTRAL] = "refusing",
                                          [TONE_GOOD] = "goodly",
                                          [TONE_REFUSED] = "refusing",
                                          [TONE_BAD] = "badly"};

    /* these two only begin a move */
    if (!strcmp(word, "migrate") || !strcmp(word, "reconnect"))
        return "moving";
    return classes[tone_of(word)];
}

static void word(struct buffer *out, const char *text)
{
    html_put(out, "<span class=\"word %s\">", class_of(text));
    html_text(out, text, HTML_NAME);
    buffer_text(out, "</span>");
}

static void put_decision(const json_t *decision, const struct plot *plot)
{
    struct buffer *out = plot->out;
    const char *target = record_word(decision, "target"), *choice = record_word(decision, "choice");
    uint64_t into = record_number(decision, "into"), repeats = record_number(decision, "repeats");

    buffer_text(out, "<tr><td data-l=\"Time\" class=\"t\">");
    time_put(plot, record_number(decision, "time_us"));
    html_put(out, "<br><small>#%llu</small></td><td data-l=\"Peer\">",
             (unsigned long long)record_number(decision, "decision"));
    html_text(out, record_word(decision, "peer"), HTML_NAME);
    buffer_text(out, "</td><td data-l=\"Why\"><b>");
    html_text(out, record_word(decision, "trigger"), HTML_NAME);
    buffer_text(out, " ");
    html_text(out, record_word(decision, "kind"), HTML_NAME);
    buffer_text(out, "</b> ");
    html_text(out, record_word(decision, "reason"), HTML_REASON);
    buffer_text(out, "</td><td data-l=\"Decided\">");
    word(out, record_word(decision, "verdict"));
    if (into)
        html_put(out, " into #%llu", (unsigned long long)into);
    if (*target) {
        buffer_text(out, " to ");
        html_text(out, target, HTML_NAME);
    }
    if (repeats)
        html_put(out, " (%llu time%s)", (unsigned long long)repeats, repeats == 1 ? "" : "s");
    if (*choice) {
        buffer_text(out, "<br><small>");
        html_text(out, choice, HTML_REASON);
        buffer_text(out, "</small>");
    }
    buffer_text(out, "</td>");
}

static void put_outcome(const struct deed *deed, struct buffer *out)
{
    const json_t *outcome = deed->outcome, *error = json_object_get(outcome, "error");
    const char *before = record_word(outcome, "local_before"),
               *after = record_word(outcome, "local_after");
    char span[DURATION_SIZE];

    buffer_text(out, "<td data-l=\"Outcome\">");
    if (!outcome) {
        buffer_text(out, "</td>");
        return;
    }
    word(out, record_word(outcome, "outcome"));
    html_put(out, " after %s", duration_text(span, record_number(outcome, "elapsed_us")));
    if (deed->n_failed)
        html_put(out, ", attempt %llu", (unsigned long long)deed->n_failed + 1);
    if (*before && *after) {
        buffer_text(out, "<br><small>");
        html_text(out, before, HTML_NAME);
        buffer_text(out, " → ");
        html_text(out, after, HTML_NAME);
        buffer_text(out, "</small>");
    }
    if (json_is_object(error)) {
        buffer_text(out, "<br><small>");
        html_text(out, record_word(error, "message"), HTML_REASON);
        html_put(out, " (%lld)</small>",
                 (long long)json_integer_value(json_object_get(error, "code")));
    }
    buffer_text(out, "</td>");
}

static void put_effect(const json_t *effect, struct buffer *out)
{
    uint64_t before_us = record_number(effect, "rtt_before_us"),
             after_us = record_number(effect, "rtt_after_us");
    char before[DURATION_SIZE], after[DURATION_SIZE];

    buffer_text(out, "<td data-l=\"Effect\">");
    if (effect)
        word(out, record_is_restored(effect) ? "restored" : record_word(effect, "effect"));
    if (before_us && after_us)
        html_put(out, "<br><small>RTT %s → %s</small>", duration_text(before, before_us),
                 duration_text(after, after_us));
    buffer_text(out, "</td></tr>\n");
}

void page_deeds(struct page *page, const struct plot *plot)
{
    uint64_t n_more;
    size_t n;
    const struct deed *deeds = deeds_end(page->deeds, &n, &n_more);
    struct buffer *out = plot->out;

    if (!n)
        return;
    buffer_text(out, "<section><h2>Decisions, and why</h2>");
    if (n_more) {
        buffer_text(out, "<p>Those that failed or did not help come before those that helped, and "
                         "these before refusals; in the order of time, and ");
        html_count(out, n_more);
        buffer_text(out, " more are not shown.</p>");
    }
    html_put(out, "<details%s><summary>", n <= 40 ? " open" : "");
    html_count(out, n);
    buffer_text(out, " decisions</summary><div class=\"scroll\"><table "
                     "class=\"deeds\"><thead><tr><th>Time</th><th>Peer</th><th>Why</"
                     "th><th>Decided</th><th>Outcome</th><th>Effect</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++) {
        put_decision(deeds[i].decision, plot);
        put_outcome(&deeds[i], out);
        put_effect(deeds[i].effect, out);
    }
    buffer_text(out, "</tbody></table></div></details></section>\n");
}
