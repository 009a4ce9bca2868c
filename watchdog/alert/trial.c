/* SPDX-License-Identifier: Apache-2.0 */
/* Run as the service runs it, but for the user and the sandbox. */
#include "trial.h"

#include <stdio.h>
#include <systemd/sd-event.h>

#include "../util/clock.h"
#include "../util/util.h"
#include "event.h"
#include "launch.h"

struct trial {
    sd_event *loop;
    bool good;
};

static void on_ended(void *user, const json_t *object, const struct launch_result *result)
{
    struct trial *trial = user;

    printf("%s\n", result->text);
    trial->good = result->good;
    (void)sd_event_exit(trial->loop, 0);
}

static void on_line(void *user, const char *program, const char *line)
{
    printf("%s: %s\n", program, line);
}

static void trial_once(struct trial *trial, const struct alert_options *options,
                       const struct config *config, json_t *object)
{
    const struct launcher_config launcher_config = {
        .loop = trial->loop,
        .control = config->control,
        .helper = options->helper,
        .ended = on_ended,
        .line = on_line,
        .user = trial,
    };
    struct launcher *launcher = launcher_new(&launcher_config);

    launcher_configure(launcher, &config->alert, config->control);
    launcher_run(launcher, object);
    (void)sd_event_loop(trial->loop);
    launcher_free(launcher);
}

int trial_run(const struct alert_options *options, const struct config *config,
              enum alert_event event)
{
    struct trial trial = {0};
    int r = sd_event_new(&trial.loop);
    json_t *record, *object;
    CLEANUP_FREE char *text = NULL;

    if (r < 0)
        return r;
    record = event_example(event, clock_us(CLOCK_REALTIME));
    object = event_object(record, event);
    text = memory_check(json_dumps(object, JSON_COMPACT));
    printf("on its standard input: %s\n", text);
    (void)fflush(stdout);
    trial_once(&trial, options, config, object);
    json_decref(object);
    json_decref(record);
    sd_event_unref(trial.loop);
    return trial.good;
}
