/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration of flow-node: all settings within their bounds, or one error. */
#include "fuzz-settings.h"

#include "parse.h"

static void check_words(const struct words *words)
{
    MUST(words->n <= WORDS_MOST);
    for (size_t i = 0; i < words->n; i++)
        MUST(words->at[i] && *words->at[i]);
}

static void check(const struct options *options)
{
    const struct flow_settings *flows = &options->flows;

    MUST(flows->limit >= 1 && flows->limit <= FLOW_LIMIT_MOST);
    MUST(flows->n_ports <= FLOW_PORTS_MOST);
    for (size_t i = 0; i < flows->n_ports; i++)
        MUST(flows->ports[i].first >= 1 && flows->ports[i].first <= flows->ports[i].last);
    MUST(flows->end_us >= 100000 && options->sample_us >= 10000);
    MUST(options->mark_mask && options->route_table && options->rule_priority);
    MUST(options->rule_priority < 32766 && options->log <= LOG_JOURNAL);
    MUST(options->table && *options->table && strlen(options->table) <= 32);
    check_words(&options->users);
    check_words(&options->units);
    check_words(&options->lan);
    check_words(&options->uplinks);
}

static void check_run(const struct options *options)
{
    MUST(options->socket);
}
