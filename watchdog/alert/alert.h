/* SPDX-License-Identifier: Apache-2.0 */
/* Records and states → events → the queue → the program; and the loop. */
#ifndef ALERT_ALERT_H
#define ALERT_ALERT_H

#include "../config/config.h"

struct alert_options {
    const char *config_path;
    const char *runtime; /* of pathdog: where its control socket is by default; NULL: as usual */
    const char *keep;    /* the directory of the position; NULL: it is not kept */
    const char *helper;  /* pathdog-exec */
};

/* Reads the configuration and checks what it names. `*ret_config` has no [alert] where there is no
 * such section. Returns 0, or -errno and an error text. */
int alert_config(const struct alert_options *options, struct config **ret_config, char **ret_error);

/* Runs until SIGTERM or SIGINT. Takes the config over. Returns 0, or -errno and an error text. */
int alert_run(const struct alert_options *options, struct config *config, char **ret_error);

#endif
