/* SPDX-License-Identifier: Apache-2.0 */
/* A recording through the engine, its records to a stream. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct replay_options {
    const char *path;         /* of the recording; "-": standard input */
    const char *config_path;  /* NULL: the one in the recording */
    const char *plugins_path; /* where other triggers than the built-in ones are; NULL: nowhere */
    bool json;
    bool rtt;                    /* with json: at the end the RTTs, as series.h has them, */
    uint64_t since_us, until_us; /* of this time */
    FILE *out;
};

/* Returns 0 (with `*ret_remark` a sentence, where the recording was cut off),
 * or with `*ret_error` a sentence: -EINVAL where nothing could be begun, else
 * -errno for a line that cannot be read. The caller frees both. */
int replay_run(const struct replay_options *options, char **ret_remark, char **ret_error);

#endif
