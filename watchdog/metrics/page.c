/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

static void meet(const struct page_facts *facts, struct counts *counts)
{
    struct inspect_instance instance;
    struct inspect_uplink uplink;

    for (size_t i = 0; inspect_instance(facts->engine, i, &instance); i++)
        (void)labels_place(&counts->triggers, instance.name);
    for (size_t i = 0; inspect_uplink(facts->engine, facts->now_us, i, &uplink); i++)
        (void)labels_place(&counts->uplinks, uplink.name);
}

void page_write(struct buffer *out, enum text_form form, const struct page_facts *facts,
                struct counts *counts)
{
    struct text_out text = {.out = out, .form = form};

    meet(facts, counts);
    for (enum family_id id = 0; id < METRIC_COUNT; id++) {
        text_family(&text, id);
        if (!page_state(&text, id, facts))
            (void)page_counts(&text, id, facts, counts);
    }
    text_end(&text);
}
