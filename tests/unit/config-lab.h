/* SPDX-License-Identifier: Apache-2.0 */
/* Triggers to be configured, and texts that are read with them as the file t.conf. */
#ifndef TEST_CONFIG_LAB_H
#define TEST_CONFIG_LAB_H

#include "check.h"
#include "config/config.h"

#define NODE "[watchdog]\nnode = /n\n"

/* With an option of each type. */
extern const struct pd_trigger srtt;

/* srtt, and route, which has no options. */
extern const struct config_lookup lookup;

int parse(const char *text, struct config **ret_config, char **ret_error);
struct config *parse_good(const char *text);

/* Refused, and the error is exactly this. */
void refused(const char *text, const char *expected);

#endif
