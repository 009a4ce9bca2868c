/* SPDX-License-Identifier: Apache-2.0 */
/* --record: may the file be where the operator wants it, and its beginning. */
#include <errno.h>

#include "daemon_private.h"
#include "state/file.h"
#include "util/format.h"
#include "util/new-file.h"

/* What this run itself uses, or makes later, by the same name; else NULL. The caller frees it. */
static char *used_as(const struct daemon *daemon, const char *path)
{
    const struct config *config = daemon->config;
    CLEANUP_FREE char *drop_in = string_format("%s.d/%s", daemon->options.config_path,
                                               strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    const struct {
        const char *what, *path;
    } names[] = {
        {"the configuration", daemon->options.config_path},
        {"a drop-in of the configuration", drop_in},
        {"the node's socket", config->node},
        {"the control socket", config->control},
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (new_file_is_name(path, names[i].path))
            return string_copy(names[i].what);
    for (size_t i = 0; file_names[i]; i++) {
        CLEANUP_FREE char *name = string_format("%s/%s", config->state_directory, file_names[i]);

        if (new_file_is_name(path, name))
            return string_format("a file of state_directory, %s", file_names[i]);
    }
    return NULL;
}

int daemon_start_recorder(struct daemon *daemon, uint64_t realtime_us, char **ret_error)
{
    const char *path = daemon->options.record_path;
    CLEANUP_FREE char *text = config_text(daemon->config, CONFIG_PLAIN);
    CLEANUP_FREE char *used = used_as(daemon, path), *why = NULL;
    const struct recording_header header = {
        .run = daemon->run,
        .started_us = daemon->now_us,
        .realtime_us = realtime_us,
        .config = text,
    };
    int r;

    if (used)
        return error_set(ret_error, -EINVAL, "--record %s: is %s, too; take another name", path,
                         used);
    r = recorder_new(path, &header, &daemon->recorder, &why);
    return r < 0 ? error_set(ret_error, r, "--record %s: %s", path, why) : 0;
}
