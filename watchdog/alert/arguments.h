/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the command line → a struct. */
#ifndef ALERT_ARGUMENTS_H
#define ALERT_ARGUMENTS_H

#include "alert.h"

enum alert_task { ALERT_DO_RUN, ALERT_DO_CHECK, ALERT_DO_TEST, ALERT_DO_NOTHING };

struct alert_arguments {
    struct alert_options options;
    enum alert_task task;
    enum alert_event event; /* of ALERT_DO_TEST */
    bool config_given;
    char instance_config[300], instance_runtime[300];
};

/* The struct must not move afterwards. Returns 0, or -EINVAL and a sentence; prints what --help
 * and --version ask for. */
int alert_arguments_parse(int argc, char **argv, struct alert_arguments *ret_arguments,
                          char **ret_error);

#endif
