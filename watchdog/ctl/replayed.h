/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording's records, as pathdog-replay gives them: it is run beside this program, which links
 * no engine, and what it prints is read line by line.
 */
#ifndef CTL_REPLAYED_H
#define CTL_REPLAYED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct replayed;

/* Starts it. `config_path` NULL: the recording's own; `rtt`: with the RTTs of that time. On failure
 * false, and it was said. */
bool replayed_start(const char *recording, const char *config_path, bool rtt, uint64_t since_us,
                    uint64_t until_us, struct replayed **ret);

/* The next line, to be freed by the caller; NULL at the end. */
json_t *replayed_next(struct replayed *replayed);

/* After the end. What it said on standard error, "" for nothing; lives as long as `replayed`. */
const char *replayed_remark(const struct replayed *replayed);

/* How it ended: 0, 1 (not read to its end), 2 (nothing could be begun). */
int replayed_status(const struct replayed *replayed);

/* NULL is fine; ends it if it runs still. Returns NULL. */
struct replayed *replayed_free(struct replayed *replayed);

#endif
