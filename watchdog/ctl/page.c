/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of the records until the page is written. */
#include "page-private.h"

#include "../util/format.h"
#include "when.h"

static void outage_ended(void *user, const char *peer, uint64_t from_us, uint64_t until_us);

struct page *page_new(void)
{
    struct page *page = memory_new(1, sizeof(*page));

    page->peers = json_object();
    page->labels = json_object();
    page->homes = json_object();
    page->uplinks = json_object();
    page->nodes = json_object();
    page->series = json_object();
    page->deeds = deeds_new();
    page->watch = (struct outage_watch){outage_ended, page};
    return page;
}

struct page *page_free(struct page *page)
{
    if (!page)
        return NULL;
    free(page->marks);
    free(page->outages);
    json_decref(page->peers);
    json_decref(page->labels);
    json_decref(page->homes);
    json_decref(page->uplinks);
    json_decref(page->nodes);
    json_decref(page->series);
    json_decref(page->series_all);
    deeds_free(page->deeds);
    free(page);
    return NULL;
}

const struct outage_watch *page_watch(const struct page *page)
{
    return &page->watch;
}

/* ---- names as numbers ---- */

static uint32_t number_in(json_t *names, const char *name, size_t most)
{
    const json_t *number = json_object_get(names, name);
    size_t n = json_object_size(names);

    if (number)
        return (uint32_t)json_integer_value(number);
    if (n >= most || json_object_set_new(names, name, json_integer((json_int_t)n)) < 0)
        return UINT32_MAX;
    return (uint32_t)n;
}

/* Without its port: a path is another where the address is another. */
static char *address_of(const char *local)
{
    const char *port = strrchr(local, ':');

    return memory_check(strndup(local, port ? (size_t)(port - local) : strlen(local)));
}

static uint32_t label_of(struct page *page, const char *local)
{
    CLEANUP_FREE char *address = address_of(local);

    return number_in(page->labels, address, LABELS_MAX);
}

/* ---- marks ---- */

static void mark(struct page *page, enum mark_type type, const json_t *record, uint32_t value)
{
    uint32_t peer = number_in(page->peers, record_word(record, "peer"), PEERS_MAX);

    if (page->n_marks == MARKS_MAX) {
        page->n_marks_more++;
        return;
    }
    page->marks =
        array_reserve(page->marks, &page->marks_capacity, page->n_marks + 1, sizeof(*page->marks));
    page->marks[page->n_marks++] =
        (struct mark){record_number(record, "time_us"), peer, value, (uint8_t)type};
}

static void mark_rtt(struct page *page, const json_t *record, const json_t *object,
                     const char *name)
{
    uint64_t rtt_us = record_number(object, name);

    if (rtt_us)
        mark(page, MARK_RTT, record, (uint32_t)min_u64(rtt_us, UINT32_MAX));
}

static void outage_ended(void *user, const char *peer, uint64_t from_us, uint64_t until_us)
{
    struct page *page = user;

    if (page->n_outages == OUTAGES_MAX) {
        page->n_outages_more++;
        return;
    }
    page->outages = array_reserve(page->outages, &page->outages_capacity, page->n_outages + 1,
                                  sizeof(*page->outages));
    page->outages[page->n_outages++] =
        (struct outage_span){from_us, until_us, number_in(page->peers, peer, PEERS_MAX)};
}

/* ---- records ---- */

static void take_decision(struct page *page, const json_t *record)
{
    const char *verdict = record_word(record, "verdict");
    bool moves = !strcmp(verdict, "migrate") || !strcmp(verdict, "reconnect");

    mark(page, moves ? MARK_MOVE : MARK_REFUSED, record, 0);
    mark_rtt(page, record, json_object_get(record, "evidence"), "srtt_us");
    deeds_take(page->deeds, record);
}

static void take_outcome(struct page *page, const json_t *record)
{
    const char *outcome = record_word(record, "outcome"), *target = record_word(record, "target");
    const char *before = record_word(record, "local_before"),
               *after = record_word(record, "local_after");

    deeds_take(page->deeds, record);
    if (!strcmp(outcome, "migrated") || !strcmp(outcome, "reconnected")) {
        uint32_t label = *after ? label_of(page, after) : UINT32_MAX;

        if (*before)
            mark(page, MARK_BEFORE, record, label_of(page, before));
        mark(page, MARK_MOVED, record, label);
        if (*target && label != UINT32_MAX) {
            CLEANUP_FREE char *path = address_of(after);

            json_object_set(page->homes, path, json_object_get(record, "target"));
        }
    } else if (!record_proves_nothing(outcome)) {
        mark(page, MARK_FAILED, record, 0);
    }
}

static void take_effect(struct page *page, const json_t *record)
{
    const char *effect = record_word(record, "effect");

    deeds_take(page->deeds, record);
    mark_rtt(page, record, record, "rtt_after_us");
    if (!strcmp(effect, "better"))
        mark(page, MARK_BETTER, record, 0);
    else if (!strcmp(effect, "worse") || !strcmp(effect, "stalled"))
        mark(page, MARK_WORSE, record, 0);
    else
        mark(page, MARK_SAME, record, 0);
}

/* What happened to an uplink or to a node. */
static void take_change(struct page *page, json_t *all, const json_t *record, const char *name,
                        size_t most)
{
    json_t *changes = json_object_get(all, name);

    if (!changes && json_object_size(all) < most) {
        changes = json_array();
        json_object_set_new(all, name, changes);
    }
    if (changes && json_array_size(changes) < CHANGES_MAX)
        json_array_append(changes, (json_t *)record);
    else
        page->n_changes_more++;
}

void page_take(struct page *page, const json_t *record)
{
    const char *kind = record_word(record, "record");

    if (!strcmp(kind, "decision"))
        take_decision(page, record);
    else if (!strcmp(kind, "outcome"))
        take_outcome(page, record);
    else if (!strcmp(kind, "effect"))
        take_effect(page, record);
    else if (!strcmp(kind, "uplink"))
        take_change(page, page->uplinks, record, record_word(record, "uplink"), UPLINKS_MAX);
    else if (!strcmp(kind, "node"))
        take_change(page, page->nodes, record, record_word(record, "node"), UPLINKS_MAX);
    else if (!strcmp(kind, "cause") && record_number(record, "advised") >= 2)
        mark(page, MARK_CAUSE, record, 0);
    else if (!strcmp(kind, "notice") && (!strcmp(record_word(record, "level"), "error") ||
                                         !strcmp(record_word(record, "level"), "warning")))
        mark(page, MARK_NOTICE, record, 0);
}

void page_series(struct page *page, json_t *line)
{
    const json_t *paths = json_object_get(line, "paths"), *path;
    size_t i;

    if (strcmp(record_word(line, "series"), "peer") != 0) {
        json_decref(page->series_all);
        page->series_all = json_incref(line);
        return;
    }
    number_in(page->peers, record_word(line, "peer"), PEERS_MAX);
    json_object_set(page->series, record_word(line, "peer"), line);
    json_array_foreach(paths, i, path)
    {
        const char *local = json_string_value(json_array_get(path, 1));

        if (local)
            label_of(page, local);
    }
}

/* ---- the page ---- */

static const char head[] =
    PAGE_MAGIC "<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
               "style-src 'unsafe-inline'\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta name=\"color-scheme\" content=\"light dark\"><meta name=\"referrer\" "
               "content=\"no-referrer\">\n";

/* The signs that lines and charts put somewhere: other shapes, not only other colours. */
static const char signs[] =
    "<svg width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>"
    "<circle id=\"better\" r=\"4\"/><rect id=\"same\" x=\"-3.5\" y=\"-3.5\" width=\"7\" "
    "height=\"7\" rx=\"1\"/>"
    "<path id=\"worse\" d=\"M-5-4H5L0 5Z\"/><path id=\"failed\" d=\"M-4-4 4 4M4-4-4 4\"/>"
    "<path id=\"cause\" d=\"M0-6 5 0 0 6-5 0Z\"/><path id=\"move\" d=\"M-5 4H5L0-5Z\"/>"
    "<circle id=\"notice\" r=\"3.5\"/><circle id=\"rtt\" r=\"2.5\"/>"
    "<path id=\"restart\" d=\"M0-7V7\"/><path id=\"refused\" d=\"M-4 0H4\"/>"
    "<pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
    "patternTransform=\"rotate(45)\">"
    "<rect width=\"6\" height=\"6\" class=\"hatch0\"/><rect width=\"2.5\" height=\"6\" "
    "class=\"hatch1\"/></pattern>"
    "</defs></svg>\n";

static bool is_one_day(uint64_t from_us, uint64_t until_us)
{
    char from[WHEN_SIZE], until[WHEN_SIZE];

    return !strncmp(when_format(from, from_us, false), when_format(until, until_us, false), 10);
}

void page_html(struct page *page, const json_t *report, const char *version, struct buffer *out)
{
    uint64_t from_us = record_number(report, "from_us"),
             until_us = record_number(report, "until_us");
    struct plot plot = {out, from_us, max_u64(until_us, from_us + 1),
                        !is_one_day(from_us, until_us)};

    char when[WHEN_SIZE], *zone;

    buffer_text(out, head);
    html_put(out, "<title>pathdog: %s</title>\n", when_text(from_us));
    page_style(out);
    buffer_text(out, "</head><body>\n");
    buffer_text(out, signs);
    buffer_text(out, "<main>\n");
    page_words(page, report, &plot);
    if (json_array_size(json_object_get(report, "runs"))) {
        page_lines(page, report, &plot);
        page_charts(page, report, &plot);
        page_what_if(report, &plot);
        page_tables(page, report, &plot);
    }
    buffer_text(out, "</main>\n<footer>");
    html_put(out, "pathdogctl %s. Times are of the zone of the machine that made this page, ",
             version);
    zone = strrchr(when_format(when, until_us, false), ' ');
    buffer_text(out, zone ? zone + 1 : when);
    if (page->n_marks_more + page->n_outages_more + page->n_changes_more) {
        buffer_text(out, ". Not drawn, since there were too many: ");
        html_count(out, page->n_marks_more + page->n_outages_more + page->n_changes_more);
        buffer_text(out, " marks; the tables count them");
    }
    buffer_text(out, ". This page fetches nothing and runs no script.</footer>\n</body></html>\n");
}
