/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One struct source per instance, each in a place of its own, for the plugin
 * holds its address. It owns copies of its name and values: it may outlive the
 * config that it was started from.
 */
#include "source.h"

#include <errno.h>

#include "../engine/base/values.h"
#include "../util/exit-status.h"
#include "../util/format.h"

struct source {
    struct pd_source_host host; /* first: what the source holds is the address of this */
    struct sources *all;
    const struct pd_trigger *trigger;
    char *instance;
    struct pd_value *values;
    uint64_t sample_interval_us, close_interval_us; /* as told at its start */
    const struct pd_source *ops;                    /* NULL: no source, or it did not start */
    void *self;
    int error; /* of the last start, 0: it went well */
};

struct sources {
    struct sources_handlers handlers;
    sd_event *loop;
    struct source **list; /* one per enabled instance, in their order */
    size_t n;
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

static struct source *source_new(struct sources *sources, const struct engine_config *engine,
                                 const struct instance_config *instance)
{
    struct source *source = memory_new(1, sizeof(*source));

    source->host = (struct pd_source_host){
        .size = sizeof(source->host),
        .loop = sources->loop,
        .emit = source_emit,
        .notice = source_notice,
    };
    source->all = sources;
    source->trigger = instance->trigger;
    source->instance = string_copy(instance->name);
    source->sample_interval_us = engine->sample_interval_us;
    source->close_interval_us = engine->close_interval_us;
    source->values = values_copy(instance->trigger, instance->values);
    return source;
}

static void source_stop(struct source *source)
{
    if (source->ops)
        source->ops->stop(source->self);
    source->ops = NULL;
}

static struct source *source_free(struct source *source)
{
    if (!source)
        return NULL;
    source_stop(source);
    values_free(source->trigger, source->values);
    free(source->instance);
    free(source);
    return NULL;
}

static void source_start(struct source *source, const struct pd_source *ops)
{
    const struct pd_start start = {
        .instance = source->instance,
        .values = source->values,
        .sample_interval_us = source->sample_interval_us,
        .close_interval_us = source->close_interval_us,
    };
    int r = ops->start(&source->host, &start, &source->self);

    source->error = r < 0 ? r : 0;
    if (r < 0) {
        CLEANUP_FREE char *text = string_format("did not start: %s", strerror(-r));

        source_notice(&source->host, PD_LEVEL_ERROR, "source-failed", text);
        return;
    }
    source->ops = ops;
}

/* Is it the same instance, set the same way? A policy that is started anew gets a new
 * source, too (engine/configure.c): it knows nothing of what the old one was told. */
static bool source_fits(const struct source *source, const struct engine_config *engine,
                        const struct instance_config *instance)
{
    return source && source->trigger == instance->trigger &&
           strcmp(source->instance, instance->name) == 0 &&
           source->sample_interval_us == engine->sample_interval_us &&
           source->close_interval_us == engine->close_interval_us &&
           values_equal(source->trigger, source->values, instance->values);
}

static void update(struct sources *sources, const struct config *config,
                   const struct plugins *plugins, const bool *closed)
{
    const struct engine_config *engine = &config->engine;
    struct source **old = sources->list;
    size_t n_old = sources->n;

    sources->n = engine->n_instances;
    sources->list = memory_new(sources->n, sizeof(struct source *));
    for (size_t i = 0; i < sources->n; i++)
        for (size_t j = 0; j < n_old && !sources->list[i]; j++)
            if (source_fits(old[j], engine, &engine->instances[i])) {
                sources->list[i] = old[j];
                old[j] = NULL;
            }
    while (n_old > 0) /* in reverse, and before the new ones want their sockets */
        source_free(old[--n_old]);
    free(old);
    for (size_t i = 0; i < sources->n; i++) {
        const struct pd_source *ops = plugins_source(plugins, engine->instances[i].trigger);

        if (!sources->list[i])
            sources->list[i] = source_new(sources, engine, &engine->instances[i]);
        if (ops && !sources->list[i]->ops && !(closed && closed[i]))
            source_start(sources->list[i], ops);
    }
}

void sources_update(struct sources *sources, const struct config *config,
                    const struct plugins *plugins)
{
    update(sources, config, plugins, NULL);
}

void sources_close(struct sources *sources, size_t instance)
{
    if (instance < sources->n)
        source_stop(sources->list[instance]);
}

struct sources *sources_start(sd_event *loop, const struct config *config,
                              const struct plugins *plugins, const bool *closed,
                              const struct sources_handlers *handlers)
{
    struct sources *sources = memory_new(1, sizeof(*sources));

    sources->handlers = *handlers;
    sources->loop = loop;
    update(sources, config, plugins, closed);
    return sources;
}

int sources_shortage(const struct sources *sources, char **ret_error)
{
    for (size_t i = 0; i < sources->n; i++) {
        const struct source *source = sources->list[i];

        if (error_is_shortage(source->error))
            return error_set(ret_error, source->error,
                             "[trigger:%s]: the source of the trigger cannot be started: %s",
                             source->instance, strerror(-source->error));
    }
    return 0;
}

void sources_query(struct sources *sources, uint32_t instance, const struct pd_query *query)
{
    struct source *source;
    int r;

    if (instance >= sources->n)
        return;
    source = sources->list[instance];
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
    while (sources->n > 0)
        source_free(sources->list[--sources->n]);
    free(sources->list);
    free(sources);
    return NULL;
}
