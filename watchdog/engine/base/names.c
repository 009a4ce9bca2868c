/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of what is written and read: one table each. Verdicts, outcomes, effects and kinds
 * are exactly as in docs/decisions.md. Other people's scripts match on all of them.
 */
#include "names.h"

#include <errno.h>

#include "../../util/util.h"
#include "../record.h"

static const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_GONE] = "gone",
    [VERDICT_INBOUND] = "inbound",
    [VERDICT_DISABLED] = "disabled",
    [VERDICT_HELD] = "held",
    [VERDICT_NO_TARGET] = "no-target",
    [VERDICT_IN_FLIGHT] = "in-flight",
    [VERDICT_MERGED] = "merged",
    [VERDICT_COOLING] = "cooling",
    [VERDICT_BACKING_OFF] = "backing-off",
    [VERDICT_DAMPED] = "damped",
    [VERDICT_AWAITING] = "awaiting",
    [VERDICT_OBSERVING] = "observing",
    [VERDICT_PROBING] = "probing",
    [VERDICT_QUEUED] = "queued",
    [VERDICT_MIGRATE] = "migrate",
    [VERDICT_RECONNECT] = "reconnect",
    [VERDICT_SUPERSEDED] = "superseded",
    [VERDICT_EXPIRED] = "expired",
};

static const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_MIGRATED] = "migrated",
    [OUTCOME_RECONNECTED] = "reconnected",
    [OUTCOME_DISABLED] = "disabled",
    [OUTCOME_NOT_MIGRATABLE] = "not-migratable",
    [OUTCOME_GONE] = "gone",
    [OUTCOME_TIMEOUT] = "timeout",
    [OUTCOME_BUSY] = "busy",
    [OUTCOME_NO_PATH] = "no-path",
    [OUTCOME_DIAL_FAILED] = "dial-failed",
    [OUTCOME_FAILED] = "failed",
    [OUTCOME_UNANSWERED] = "unanswered",
    [OUTCOME_LINK_LOST] = "link-lost",
    [OUTCOME_OLD_LIVES] = "old-lives",
    [OUTCOME_CANCELLED] = "cancelled",
};

static const char *const effect_names[EFFECT_COUNT] = {
    [EFFECT_BETTER] = "better",   [EFFECT_SAME] = "same",       [EFFECT_WORSE] = "worse",
    [EFFECT_STALLED] = "stalled", [EFFECT_UNKNOWN] = "unknown",
};

static const char *const kind_names[PD_KIND_COUNT] = {
    [PD_KIND_OPERATOR] = "operator", [PD_KIND_MOVED] = "moved",   [PD_KIND_DEAD] = "dead",
    [PD_KIND_DEGRADED] = "degraded", [PD_KIND_BETTER] = "better",
};

static const char *const uplink_change_names[UPLINK_CHANGE_COUNT] = {
    [UPLINK_CHANGE_UP] = "up",           [UPLINK_CHANGE_DOWN] = "down",
    [UPLINK_CHANGE_SILENT] = "silent",   [UPLINK_CHANGE_SLOW] = "slow",
    [UPLINK_CHANGE_PENALTY] = "penalty", [UPLINK_CHANGE_PROVEN] = "proven",
    [UPLINK_CHANGE_HELD] = "held",       [UPLINK_CHANGE_RELEASED] = "released",
};

static const char *name_of(const char *const *names, size_t count, size_t index)
{
    return index < count ? names[index] : "?";
}

const char *verdict_name(enum verdict verdict)
{
    return name_of(verdict_names, ARRAY_SIZE(verdict_names), verdict);
}

const char *outcome_name(enum outcome outcome)
{
    return name_of(outcome_names, ARRAY_SIZE(outcome_names), outcome);
}

const char *effect_name(enum effect effect)
{
    return name_of(effect_names, ARRAY_SIZE(effect_names), effect);
}

const char *kind_name(enum pd_kind kind)
{
    return name_of(kind_names, ARRAY_SIZE(kind_names), kind);
}

const char *uplink_change_name(enum uplink_change change)
{
    return name_of(uplink_change_names, ARRAY_SIZE(uplink_change_names), change);
}

const char *const role_names[] = {[PD_ROLE_CLIENT] = "client", [PD_ROLE_SERVER] = "server", NULL};
const char *const mode_names[] = {[MODE_ACTIVE] = "active", [MODE_OBSERVE] = "observe", NULL};
const char *const uplink_class_names[] = {
    [UPLINK_PRIMARY] = "primary", [UPLINK_SPARE] = "spare", [UPLINK_METERED] = "metered", NULL};
const char *const uplink_condition_names[] = {[UPLINK_ABSENT] = "absent",
                                              [UPLINK_NO_CARRIER] = "no-carrier",
                                              [UPLINK_NO_ADDRESS] = "no-address",
                                              [UPLINK_NO_ROUTE] = "no-route",
                                              [UPLINK_UP] = "up",
                                              NULL};
const char *const return_names[] = {
    [RETURN_ALWAYS] = "always", [RETURN_BETTER] = "better", [RETURN_NEVER] = "never", NULL};
const char *const feature_names[FEATURE_COUNT + 1] = {
    "reconnect", "bind", "relay", "probe", "probe_path", "push", "make_before_break", NULL};

const char *const level_names[PD_LEVEL_DEBUG + 1] = {
    [PD_LEVEL_ERROR] = "error", [PD_LEVEL_WARNING] = "warning", [PD_LEVEL_NOTICE] = "notice",
    [PD_LEVEL_INFO] = "info",   [PD_LEVEL_DEBUG] = "debug",
};

const char *level_name(enum pd_level level)
{
    return level >= PD_LEVEL_ERROR && level <= PD_LEVEL_DEBUG ? level_names[level] : "error";
}

int level_parse(const char *text, enum pd_level *ret_level)
{
    for (enum pd_level level = PD_LEVEL_ERROR; level <= PD_LEVEL_DEBUG; level++)
        if (!strcmp(text, level_names[level])) {
            *ret_level = level;
            return 0;
        }
    return -EINVAL;
}

const char *by_name(enum by by)
{
    return by == BY_RECONNECT ? "reconnect" : "migrate";
}
