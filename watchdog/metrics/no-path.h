/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long peers were without a working path, from the records: as `pathdogctl report` counts it.
 * Such a time begins when the silence began, by a decision of kind `dead`; it ends with the move
 * after which something was heard, or with a new connection. Pure, and bounded.
 */
#ifndef METRICS_NO_PATH_H
#define METRICS_NO_PATH_H

#include "../engine/record.h"

/* Peers without a path that are followed at a time; those beyond are only counted. */
#define NO_PATH_MAX 65536u

struct no_path;

struct no_path_end {
    bool ended; /* and it lasted so long: */
    uint64_t span_us;
};

/* `key` is a secret, so that nobody can choose names that are taken for one another. */
struct no_path *no_path_new(const uint64_t key[2]);
struct no_path *no_path_free(struct no_path *no_path);

struct no_path_end no_path_take(struct no_path *no_path, const struct record *record);

uint32_t no_path_open(const struct no_path *no_path); /* that last now, as far as is known */
uint64_t no_path_unknown(
    const struct no_path *no_path); /* so many had an end that no record tells */

/* So long it was silent, by the evidence of a decision of kind dead; 0: it does not say. */
uint64_t silence_us(const struct evidence *evidence);

#endif
