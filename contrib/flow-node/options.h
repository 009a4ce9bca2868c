/* SPDX-License-Identifier: Apache-2.0 */
/* All settings: a flag goes before the environment, that before --config FILE. */
#ifndef FLOW_NODE_OPTIONS_H
#define FLOW_NODE_OPTIONS_H

#include "flows.h"
#include "settings/settings.h"

enum log_kind {
    LOG_TEXT,    /* lines on standard error */
    LOG_JOURNAL, /* entries with fields */
};

struct words {
    char **at; /* owned */
    size_t n;
};

/* What is wanted, beside what settings.h has: to run, or help and the version, which are printed.
 */
enum {
    OPTIONS_CHECK = SETTINGS_OWN, /* --check: the settings are good, and that is all */
    OPTIONS_LIST,                 /* --list: the flows that would be told, once */
};

struct options {
    struct flow_settings flows; /* the key is not set */
    char *socket;               /* --socket */
    char *name;                 /* --name; NULL: the host's */
    bool local;                 /* --local: flows of this machine's programs */
    struct words users, units;  /* of those only; none: of all. Units are globs */
    struct words lan;           /* --lan: interfaces whose machines' flows are told */
    struct words uplinks;       /* --uplinks; none: all interfaces with a default route */
    uint64_t sample_us;         /* --sample-interval */
    char *table;                /* --table: of nftables */
    uint32_t mark_mask, route_table, rule_priority;
    enum log_kind log;
};

/* What is wrong was said on stderr: -EINVAL. Else 0, and what is wanted; help and version were
 * printed. In each case options_free() is to be called. */
int options_parse(int argc, char **argv, struct options *ret, unsigned *ret_wanted);
void options_free(struct options *options);

#endif
