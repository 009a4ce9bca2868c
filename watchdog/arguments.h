/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of pathdog. Prints nothing but --help and --version. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>

#include "daemon.h"

enum what_to_do {
    DO_RUN,
    DO_CHECK,
    DO_LIST_TRIGGERS,
    DO_NOTHING, /* --help, --version: printed */
};

/* Of an instance's name: it is part of the paths of sockets, which have 107 bytes. */
#define INSTANCE_MAX 64u

/* Options may point into it. */
struct arguments {
    enum what_to_do what;
    struct daemon_options options;
    bool json;
    bool config_given;
    char instance_config[128], instance_runtime[128]; /* "": no --instance */
};

/* Returns 0, or -EINVAL and a sentence. */
int arguments_parse(int argc, char **argv, struct arguments *ret_arguments, char **ret_error);

#endif
