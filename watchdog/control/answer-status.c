/* SPDX-License-Identifier: Apache-2.0 */
/* How things are: version, node, triggers, counts. */
#include "../engine/base/names.h"
#include "../node/summaries.h"
#include "private.h"

void answer_version(struct request *request)
{
    struct buffer *out = answer_begin(request);

    put_open(out, NULL, "{");
    put_text(out, "version", request->control->host.version);
    put_text(out, "run", request->control->host.run);
    put_close(out, "}");
    answer_end(request);
}

void answer_metrics(struct request *request)
{
    const struct control_host *host = &request->control->host;
    struct buffer *out = answer_begin(request);

    put_open(out, NULL, "{");
    put_text(out, "socket", host->metrics ? host->metrics(host->user) : NULL);
    put_close(out, "}");
    answer_end(request);
}

static void put_node(struct buffer *out, const struct inspect_status *status, const char *path)
{
    put_open(out, "node", "{");
    put_text(out, "path", path);
    put_text(out, "state", status->reported ? "up" : status->up ? "snapshot" : "down");
    put_text(out, "reason", status->up ? NULL : status->down_reason);
    put_known(out, "silent_us", status->silent_us, 0);
    put_text(out, "name", status->node);
    put_text(out, "implementation", status->implementation);
    put_text(out, "boot", status->boot);
    put_open(out, "features", "[");
    for (uint32_t i = 0; i < FEATURE_COUNT; i++)
        if (status->features & 1u << i)
            put_text(out, NULL, feature_names[i]);
    put_close(out, "]");
    put_text(out, "prefer", status->prefer_reconnect ? "reconnect" : "migrate");
    put_close(out, "}");
}

static void put_columns(struct buffer *out, uint32_t columns)
{
    put_open(out, "columns", "[");
    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        if (columns & 1u << i)
            put_text(out, NULL, column_name((enum pd_column)i));
    put_close(out, "]");
}

/* What an instance of this name has been given as its `socket`; NULL: it has none. */
static const char *socket_of(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_instances; i++) {
        const struct config_instance *instance = &config->instances[i];

        if (strcmp(instance->name, name) != 0)
            continue;
        for (size_t j = 0; j < instance->n_options; j++)
            if (!strcmp(instance->trigger->options[j].name, "socket"))
                return instance->values[j].text;
    }
    return NULL;
}

static void put_triggers(struct buffer *out, const struct engine *engine,
                         const struct config *config)
{
    struct inspect_instance instance;

    put_open(out, "triggers", "[");
    for (size_t i = 0; inspect_instance(engine, i, &instance); i++) {
        const char *socket = socket_of(config, instance.name);

        put_open(out, NULL, "{");
        put_text(out, "trigger", instance.name);
        put_text(out, "state", instance.open ? "open" : "closed");
        put_u64(out, "failures", instance.failures);
        if (socket)
            put_text(out, "socket", socket);
        put_close(out, "}");
    }
    put_close(out, "]");
}

/* How many there are, and those that connections are kept off. */
static void put_uplinks(struct buffer *out, const struct engine *engine, uint64_t now_us)
{
    struct inspect_uplink uplink;
    size_t n = 0;

    put_open(out, "uplinks", "{");
    put_open(out, "unwell", "[");
    for (; inspect_uplink(engine, now_us, n, &uplink); n++) {
        const char *state = uplink_state(&uplink);

        if (!strcmp(state, "up"))
            continue;
        put_open(out, NULL, "{");
        put_text(out, "uplink", uplink.name);
        put_text(out, "state", state);
        put_close(out, "}");
    }
    put_close(out, "]");
    put_u64(out, "known", n);
    put_close(out, "}");
}

static void put_counts(struct buffer *out, const struct inspect_status *status)
{
    put_open(out, "requests", "{");
    put_u64(out, "open", status->counts.open);
    put_u64(out, "queued", status->counts.queued);
    put_u64(out, "waiting", status->counts.retrying);
    put_u64(out, "budget", status->budget);
    put_close(out, "}");
    put_u64(out, "judged", status->counts.effects);
    put_u64(out, "remembered", status->counts.remembered);
    put_u64(out, "decisions", status->decisions);
    put_u64(out, "ignored_events", status->counts.ignored);
}

void answer_status(struct request *request)
{
    const struct control_host *host = &request->control->host;
    const struct config *config = host->config(host->user);
    struct inspect_status status = inspect_status(request->engine, request->now_us);
    struct buffer *out = answer_begin(request);

    put_open(out, NULL, "{");
    put_text(out, "version", host->version);
    put_text(out, "run", host->run);
    put_node(out, &status, config->node);
    put_columns(out, status.columns);
    put_u64(out, "rounds", status.rounds);
    put_text(out, "mode", mode_names[status.mode]);
    put_bool(out, "all_held", status.all_held);
    put_known(out, "held_left_us", status.all_held ? status.held_left_us : INSPECT_NEVER,
              INSPECT_NEVER);
    put_triggers(out, request->engine, config);
    put_u64(out, "n_peers", status.counts.peers);
    put_name(out, "peers");
    put_tally(out, request->engine, 0);
    put_uplinks(out, request->engine, request->now_us);
    put_counts(out, &status);
    put_reasons(out, request->engine, request->now_us, &status, config);
    put_close(out, "}");
    answer_end(request);
}
