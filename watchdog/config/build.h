/* SPDX-License-Identifier: Apache-2.0 */
/* Inside watchdog/config/ only: from what the files say to the object. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config.h"
#include "entries.h"

/* `file` names the whole in errors that no line is to blame for. */
int config_build(const struct ini *ini, const char *file, const struct config_lookup *lookup,
                 struct config **ret_config, char **ret_error);

#endif
