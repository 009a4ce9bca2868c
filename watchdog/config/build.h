/* SPDX-License-Identifier: Apache-2.0 */
/* Inside watchdog/config/ only: from what the files say to the object. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config.h"
#include "entries.h"

/* ---- fault.c ---- */

/* Sets the error "FILE:LINE: [section] key: text", frees the text, returns `error`. */
int config_fail(const struct ini_entry *entry, char **ret_error, int error, char *text);

struct config_origin config_origin_of(struct config *config, const struct ini_entry *entry);

/* "unknown key; did you mean …?". The caller frees it. */
char *config_unknown_key(const char *key, const char *const *known, size_t n_known);

/* ---- uplinks.c ---- */

/* The sections [uplink:NAME]. Returns 0, or -EINVAL and an error text. */
int uplinks_apply(struct config *config, const struct ini *ini, char **ret_error);

/* The engine's view of them. */
void uplinks_fill(struct config *config);

/* What to write instead of the key "uplinks" with this value. The caller frees it. */
char *uplinks_instead(const char *value);

/* ---- alert.c ---- */

/* The section [alert]. Returns 0, or -EINVAL and an error text. */
int alert_apply(struct config *config, const struct ini *ini, char **ret_error);

/* ---- config.c ---- */

/* `file` names the whole in errors that no line is to blame for. */
int config_build(const struct ini *ini, const char *file, const struct config_lookup *lookup,
                 struct config **ret_config, char **ret_error);

/* For config_load_alert. */
int config_build_alert(const struct ini *ini, const struct config_lookup *lookup,
                       struct config **ret_config, char **ret_error);

#endif
