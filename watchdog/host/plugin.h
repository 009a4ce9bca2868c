/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads triggers: NAME.so from one directory, only what its owner alone may
 * write, only what this pathdog understands. Refuses with a sentence that names
 * the defect. Calls nothing in a plugin.
 */
#ifndef HOST_PLUGIN_H
#define HOST_PLUGIN_H

#include <pathdog/source.h>
#include <stdio.h>

#include "../config/config.h"

/* Bounds of what a trigger may ask for. */
#define PLUGIN_INSTANCE_BYTES ((size_t)1 << 20)
#define PLUGIN_PEER_BYTES     ((size_t)4096)
#define PLUGIN_OPTIONS_MAX    64u

/* All plugins of the process; each is loaded once, and stays. */
struct plugins;

struct plugins *plugins_new(void);
struct plugins *plugins_free(struct plugins *plugins);

/* Loads it, or finds it loaded. Returns NULL, a sentence, and errno if it is refused. */
const struct pd_trigger *plugins_find(struct plugins *plugins, const char *directory,
                                      const char *name, char **ret_error);

/* The source of a trigger that was found; NULL: it has none. */
const struct pd_source *plugins_source(const struct plugins *plugins,
                                       const struct pd_trigger *trigger);

/* plugins_find for config_load. Of root's process it takes files of root only: what they name is
 * loaded. */
struct config_lookup plugins_lookup(struct plugins *plugins, const char *runtime);

/* Writes what is in the directory, also what is refused, as text or JSON.
 * Returns 0, or -errno and a sentence if the directory cannot be read. */
int plugins_list(struct plugins *plugins, const char *directory, bool json, FILE *out,
                 char **ret_error);

/* Is this descriptor fit to be used? 0, or -EINVAL and what is wrong with it. */
int plugin_check(const struct pd_trigger *trigger, const char *name, char **ret_error);
int plugin_check_source(const struct pd_source *source, char **ret_error);

#endif
