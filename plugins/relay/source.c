/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay trigger's source: reads the list of relays and its cache, measures how far away the
 * relays are, and finds out whether a peer is there without one. Decides nothing; what it says and
 * is asked stands in options.h. Names are not resolved, anywhere: a relay is an address, as the
 * node uses it.
 */
#include "direct.h"
#include "files.h"
#include "options.h"
#include "rounds.h"

#include "util/util.h"

#include <errno.h>

#define LIST_GAP_US UINT64_C(1000000) /* a list is read once a second at most */

struct relay_source {
    struct pd_source_host *host;
    struct rounds *rounds;
    struct direct *direct;
    struct files *files; /* NULL: there is no list file */
};

static void relay_source_stop(void *self)
{
    struct relay_source *source = self;

    if (!source)
        return;
    files_free(source->files);
    direct_free(source->direct);
    rounds_free(source->rounds);
    free(source);
}

static int start_files(struct relay_source *source, const struct pd_value *values)
{
    const char *speaks = values[RELAY_OPTION_SPEAKS].text;
    struct files_config config = {
        .list = values[RELAY_OPTION_LIST_FILE].text,
        .cache = values[RELAY_OPTION_CACHE_FILE].text,
        .refresh_us = values[RELAY_OPTION_REFRESH].number,
        .gap_us = LIST_GAP_US,
        .otherwise = RELAY_REG_ACK,
    };

    if (!config.list)
        return 0;
    if (speaks) /* what is wrong with it the policy says */
        (void)relay_speaks_parse(speaks, strlen(speaks), &config.otherwise);
    return files_new(source->host, &config, &source->files);
}

static int relay_source_start(struct pd_source_host *host, const struct pd_start *start,
                              void **ret_self)
{
    struct relay_source *source = memory_new(1, sizeof(*source));
    const struct pd_value *values = start->values;
    const struct rounds_config rounds = {
        .refresh_us = values[RELAY_OPTION_REFRESH].number,
        .first_us = RELAY_FIRST_US,
        .enabled = values[RELAY_OPTION_PROBE].number != 0,
    };
    char text[128];
    int r;

    source->host = host;
    source->direct = direct_new(host, values[RELAY_OPTION_DIRECT_PROBE].number != 0);
    r = rounds_new(host, &rounds, &source->rounds);
    if (r >= 0)
        r = start_files(source, values);
    if (r < 0) {
        (void)snprintf(text, sizeof(text), "cannot watch relays: %s", strerror(-r));
        host->notice(host, PD_LEVEL_ERROR, "relay-source", text);
        relay_source_stop(source);
        return r;
    }
    *ret_self = source;
    return 0;
}

static int relay_source_query(void *self, const struct pd_query *query)
{
    struct relay_source *source = self;
    const char *ask =
        query->n_fields && !strcmp(query->fields[0].name, "ask") ? query->fields[0].text : NULL;

    if (ask && !strcmp(ask, "probe"))
        return rounds_ask(source->rounds, query);
    if (ask && !strcmp(ask, "direct"))
        return direct_ask(source->direct, query);
    return -EINVAL;
}

PD_SOURCE(relay) = {
    .abi = PD_SOURCE_ABI,
    .size = sizeof(struct pd_source),
    .start = relay_source_start,
    .stop = relay_source_stop,
    .query = relay_source_query,
};
