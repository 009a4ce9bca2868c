/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One struct source per instance, so that what is emitted is known by where
 * its host stands.
 */
#include "source.h"

#include <errno.h>

#include "../util/format.h"

struct source {
    struct pd_source_host host; /* first: what the source holds is the address of this */
    struct sources *all;
    const char *instance;
    const struct pd_source *ops; /* NULL: no source, or it did not start */
    void *self;
};

struct sources {
    struct sources_handlers handlers;
    size_t n;
    struct source list[]; /* one per enabled instance */
};

static void source_emit(struct pd_source_host *host, const struct pd_signal *signal)
{
    struct source *source = (struct source *)host;

    if (signal->kind)
        source->all->handlers.signal(source->all->handlers.user, source->instance, signal);
}

static void source_notice(struct pd_source_host *host, enum pd_level level, const char *what,
                          const char *text)
{
    struct source *source = (struct source *)host;
    CLEANUP_FREE char *whole = string_format("%s: %s", source->instance, text ? text : "");

    source->all->handlers.notice(source->all->handlers.user, level, what ? what : "source", whole);
}

static void source_start(struct source *source, const struct pd_source *ops,
                         const struct pd_start *start)
{
    int r = ops->start(&source->host, start, &source->self);

    if (r < 0) {
        CLEANUP_FREE char *text = string_format("did not start: %s", strerror(-r));

        source_notice(&source->host, PD_LEVEL_ERROR, "source-failed", text);
        return;
    }
    source->ops = ops;
}

struct sources *sources_start(sd_event *loop, const struct config *config,
                              const struct plugins *plugins,
                              const struct sources_handlers *handlers)
{
    const struct engine_config *engine = &config->engine;
    struct sources *sources =
        memory_new(1, sizeof(*sources) + engine->n_instances * sizeof(sources->list[0]));

    sources->handlers = *handlers;
    sources->n = engine->n_instances;
    for (size_t i = 0; i < sources->n; i++)
        sources->list[i] = (struct source){
            .host = {.size = sizeof(struct pd_source_host),
                     .loop = loop,
                     .emit = source_emit,
                     .notice = source_notice},
            .all = sources,
            .instance = engine->instances[i].name,
        };
    for (size_t i = 0; i < sources->n; i++) {
        const struct instance_config *instance = &engine->instances[i];
        const struct pd_source *ops = plugins_source(plugins, instance->trigger);
        const struct pd_start start = {
            .instance = instance->name,
            .values = instance->values,
            .sample_interval_us = engine->sample_interval_us,
            .close_interval_us = engine->close_interval_us,
        };

        if (ops)
            source_start(&sources->list[i], ops, &start);
    }
    return sources;
}

void sources_query(struct sources *sources, uint32_t instance, const struct pd_query *query)
{
    struct source *source;
    int r;

    if (instance >= sources->n)
        return;
    source = &sources->list[instance];
    if (!source->ops || !source->ops->query)
        return;
    r = source->ops->query(source->self, query);
    if (r < 0) {
        CLEANUP_FREE char *text = string_format("did not answer: %s", strerror(-r));

        source_notice(&source->host, PD_LEVEL_WARNING, "query-failed", text);
    }
}

struct sources *sources_free(struct sources *sources)
{
    if (!sources)
        return NULL;
    for (size_t i = sources->n; i-- > 0;)
        if (sources->list[i].ops)
            sources->list[i].ops->stop(sources->list[i].self);
    free(sources);
    return NULL;
}
