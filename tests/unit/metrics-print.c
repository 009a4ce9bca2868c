/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints a page of metrics as a scraper would get it, of an engine with an uplink, a relay and
 * records of each kind. tests/unit/metrics.py looks at it.
 *
 * metrics-print openmetrics|prometheus
 */
#include "engine-lab.h"
#include "metrics/page.h"

static void put_records(struct counts *counts, const struct lab *lab)
{
    for (size_t i = 0; i < lab->n_records; i++)
        counts_take(counts, &lab->records[i], 300);
}

int main(int argc, char **argv)
{
    static const uint64_t key[2] = {1, 2};
    static const struct event_interface interfaces[] = {
        {.name = "up0", .addresses = "127.0.0.1", .carrier = true, .route4 = true},
        {.name = "odd\"\\\n\xff", .addresses = "127.0.0.2", .carrier = true, .route4 = true},
    };
    struct event event = {.type = EVENT_INTERFACES, .interfaces = {interfaces, 2}};
    enum text_form form =
        argc == 2 && !strcmp(argv[1], "prometheus") ? FORM_PROMETHEUS : FORM_OPENMETRICS;
    struct page_facts facts = {.version = "0.1.0", .realtime_us = 1795170000 * SEC};
    struct buffer page = {0};
    struct counts counts;
    struct lab lab;

    lab_init(&lab);
    lab_begin(&lab);
    counts_init(&counts, key);
    lab_event(&lab, &event);
    lab_peer_up(&lab, "bravo@h", 1);
    lab_fresh(&lab, 1, 50 * MS);
    event = (struct event){.type = EVENT_NOTICE,
                           .notice = {PD_LEVEL_WARNING, "bad-row", "a bad row", 3}};
    lab_event(&lab, &event);
    put_records(&counts, &lab);
    facts.engine = lab.engine;
    facts.now_us = lab.now_us;
    inspect_tally(lab.engine, lab.now_us, 0, 16, &facts.tally);
    page_write(&page, form, &facts, &counts);
    fwrite(buffer_bytes(&page), 1, page.length, stdout);
    buffer_clear(&page);
    counts_clear(&counts);
    lab_end(&lab);
    return 0;
}
