/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine is set to: one const struct, filled by watchdog/config/ and
 * checked there. Times in microseconds.
 */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include <pathdog/trigger.h>

struct globs; /* util/glob.h */

enum mode {
    MODE_ACTIVE,
    MODE_OBSERVE,
};

enum prefer {
    PREFER_NODE, /* what the node's hello says */
    PREFER_MIGRATE,
    PREFER_RECONNECT,
};

enum fallback {
    FALLBACK_OFF,
    FALLBACK_RECONNECT,
};

/* Which uplinks are used when another one is dead or bad: primary ones first. */
enum uplink_class {
    UPLINK_PRIMARY,
    UPLINK_SPARE,
    UPLINK_METERED, /* only where nothing else lives */
};

/* The first of these that applies; names.c has the words. */
enum uplink_condition {
    UPLINK_ABSENT,     /* there is no such interface */
    UPLINK_NO_CARRIER, /* or it is down */
    UPLINK_NO_ADDRESS,
    UPLINK_NO_ROUTE, /* no route to everywhere leads over it */
    UPLINK_UP,
};

/* When does a connection that was moved off its uplink go back to it? */
enum return_when {
    RETURN_ALWAYS, /* when that is proven to live */
    RETURN_BETTER, /* and is faster than the one in use */
    RETURN_NEVER,
};

/* One section [uplink:NAME], in file order. */
struct uplink_config {
    const char *name;
    const char *interface;
    enum uplink_class class;
};

/* One section [trigger:NAME] or [trigger:NAME:LABEL], in file order. */
struct instance_config {
    const struct pd_trigger *trigger;
    const char *name;              /* as in its section: "srtt:overseas" */
    const struct globs *match;     /* of peer names; NULL: all */
    const struct pd_value *values; /* one per option of the trigger */
};

struct engine_config {
    enum mode mode;
    enum prefer prefer;
    enum fallback fallback;
    uint64_t sample_interval_us;
    uint64_t close_interval_us;
    uint32_t close_max;
    uint64_t migrate_timeout_us;
    uint64_t timeout_max_us;
    uint32_t retries;
    uint32_t max_in_flight; /* 0: the node's, else 1024 */
    uint64_t merge_window_us;
    uint32_t max_peers;
    uint64_t cooldown_us;
    uint64_t cooldown_max_us;
    uint64_t backoff_min_us;
    uint64_t backoff_max_us;
    uint32_t move_burst;
    uint64_t move_refill_us;
    uint64_t reconnect_gap_us;
    uint64_t effect_window_us;
    uint64_t fallback_after_us;
    uint64_t fallback_blind_us;
    uint32_t decisions_kept;
    uint32_t shared_peers;    /* 0: each connection is judged alone */
    uint32_t shared_fraction; /* permille */
    const struct instance_config *instances;
    size_t n_instances;
    const struct uplink_config *uplinks;
    size_t n_uplinks;
    bool choose; /* among uplinks; else the route table alone says where to */
    enum return_when returns;
};

#endif
