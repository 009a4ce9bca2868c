/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header → config → engine; then event by event. The triggers of this build are
 * linked in, without their sources: their signals are in the recording. Others
 * are loaded only from where the reader says: a recording is data, and its
 * plugin_directory would choose code that runs with the reader's rights.
 */
#include "replay.h"

#include <errno.h>

#include "../codec/recording.h"
#include "../config/config.h"
#include "../engine/engine.h"
#include "../host/plugin.h"
#include "../out/format.h"
#include "../util/exit-status.h"
#include "../util/format.h"
#include "series.h"
#include "trigger-table.h"

struct replay {
    const struct replay_options *options;
    struct recording *recording;
    struct plugins *plugins;
    struct config *config;
    struct config *old_config; /* of before a reload */
    struct engine *engine;
    struct series *series; /* NULL: nobody wants it */
    struct buffer line;
};

/* `recorded` is what the configuration has as plugin_directory: it is not used. */
static const struct pd_trigger *find_trigger(void *user, const char *recorded, const char *name,
                                             char **ret_error)
{
    const struct replay *replay = user;

    for (size_t i = 0; trigger_table[i]; i++)
        if (!strcmp(trigger_table[i]->name, name))
            return trigger_table[i];
    if (replay->options->plugins_path)
        return plugins_find(replay->plugins, replay->options->plugins_path, name, ret_error);
    error_set(ret_error, 0,
              "the trigger %.40s is not built into pathdog-replay; plugin_directory is not used "
              "here: give the directory of %.40s.so with --plugins DIR",
              name, name);
    return NULL;
}

static int replay_configure(struct replay *replay, const struct recording_header *header,
                            char **ret_error)
{
    const struct config_lookup lookup = {.find = find_trigger, .user = replay};
    CLEANUP_FREE char *name = NULL;

    if (replay->options->config_path)
        return config_load(replay->options->config_path, &lookup, &replay->config, ret_error);
    if (!header->config)
        return error_set(ret_error, -EINVAL,
                         "%s:1: the recording has no configuration; give one with --config FILE",
                         replay->options->path);
    name = string_format("%s: configuration in line 1", replay->options->path);
    return config_parse_text(name, header->config, strlen(header->config), &lookup, &replay->config,
                             ret_error);
}

static void replay_print(struct replay *replay, const struct outbox *outbox, const char *run)
{
    for (size_t i = 0; i < outbox->n_records; i++) {
        replay->line.length = 0;
        if (replay->options->json)
            record_json(&replay->line, &outbox->records[i], run);
        else
            record_text(&replay->line, &outbox->records[i]);
        fwrite(buffer_bytes(&replay->line), 1, replay->line.length, replay->options->out);
        if (replay->series)
            series_record(replay->series, &outbox->records[i]);
    }
}

static void replay_print_series(struct replay *replay)
{
    replay->line.length = 0;
    series_write(replay->series, &replay->line);
    fwrite(buffer_bytes(&replay->line), 1, replay->line.length, replay->options->out);
}

/* A reload of the run: as then, the engine is told before the event comes. */
static int replay_reload(struct replay *replay, const struct event *event, char **ret_error)
{
    const struct config_lookup lookup = {.find = find_trigger, .user = replay};
    CLEANUP_FREE char *name = NULL, *error = NULL;
    struct config *config = NULL;

    if (event->type != EVENT_COMMAND || event->command.type != COMMAND_CONFIG ||
        !event->command.config || replay->options->config_path)
        return 0;
    name = string_format("%s: configuration in line %zu", replay->options->path,
                         recording_line(replay->recording));
    if (config_parse_text(name, event->command.config, strlen(event->command.config), &lookup,
                          &config, &error) < 0)
        return error_set(ret_error, -EBADMSG, "%s", error);
    if (engine_configure(replay->engine, &config->engine) < 0) {
        config_free(config);
        return error_set(ret_error, -EBADMSG, "%s: the engine refuses this configuration", name);
    }
    replay->old_config = replay->config; /* in use until the event has been handled */
    replay->config = config;
    return 0;
}

/* All events. Returns 0 at the end, or -errno and a sentence. */
static int replay_events(struct replay *replay, const char *run, char **ret_error)
{
    char error[256] = "";
    struct event event;
    int r;

    replay_print(replay, engine_outbox(replay->engine), run);
    while ((r = recording_next(replay->recording, &event, error, sizeof(error))) > 0) {
        r = replay_reload(replay, &event, ret_error);
        if (r < 0)
            return r;
        replay_print(replay, engine_handle(replay->engine, &event), run);
        if (replay->series)
            series_event(replay->series, &event);
        replay->old_config = config_free(replay->old_config);
        if (ferror(replay->options->out))
            return 0; /* main says so */
    }
    return r < 0 ? error_set(ret_error, r == -EINVAL ? -EBADMSG : r, "%s: %s",
                             replay->options->path, error)
                 : 0;
}

/* -EINVAL: what was given is to blame. */
static int input_error(int error)
{
    return error_is_operators(error) ? -EINVAL : error;
}

static int replay_all(struct replay *replay, char **ret_remark, char **ret_error)
{
    const char *path = replay->options->path;
    const struct recording_header *header;
    char error[256] = "";
    int r = recording_open(path, &replay->recording, error, sizeof(error));

    if (r < 0)
        return error_set(ret_error, input_error(r), "%s: %s", path, error);
    header = recording_header(replay->recording);
    r = replay_configure(replay, header, ret_error);
    if (r < 0)
        return input_error(r);
    r = engine_new(&replay->config->engine, header->started_us, header->realtime_us,
                   &replay->engine);
    if (r < 0)
        return error_set(ret_error, -EINVAL, "the engine refuses this configuration: %s",
                         strerror(-r));
    r = replay_events(replay, header->run ? header->run : "", ret_error);
    if (replay->series) /* of what could be read */
        replay_print_series(replay);
    if (r >= 0 && recording_is_truncated(replay->recording))
        *ret_remark = string_format("%s:%zu: the last line is cut off and was not replayed", path,
                                    recording_line(replay->recording));
    return r;
}

int replay_run(const struct replay_options *options, char **ret_remark, char **ret_error)
{
    struct replay replay = {.options = options, .plugins = plugins_new()};
    int r;

    if (options->rtt)
        replay.series = series_new(options->since_us, options->until_us);
    r = replay_all(&replay, ret_remark, ret_error);
    series_free(replay.series);
    engine_free(replay.engine);
    config_free(replay.config);
    plugins_free(replay.plugins);
    recording_free(replay.recording);
    buffer_clear(&replay.line);
    return r;
}
