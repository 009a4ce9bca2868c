/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of hello, of notifications and of answers: type, range, default. No
 * member is read anywhere else (but the rows of summaries, in summaries.c).
 */
#include "decode.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>

#include "../engine/base/names.h"
#include "../util/hash.h"
#include "../util/printable.h"
#include "../util/util.h"

#define NAME_MAX_BYTES 255

static int wrong(struct problem *problem, const char *member, const char *what)
{
    *problem = (struct problem){.member = member, .what = what};
    return -EPROTO;
}

/* ---- members ---- */

/* An optional member; null counts as absent. */
static const json_t *member_get(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

static bool is_word(const json_t *string, const char *word)
{
    return json_string_length(string) == strlen(word) && !strcmp(json_string_value(string), word);
}

static int object_check(const json_t *value, const char *name, struct problem *problem)
{
    return json_is_object(value) ? 0 : wrong(problem, name, "is not an object");
}

uint64_t conn_value(const json_t *value)
{
    json_int_t conn = json_is_integer(value) ? json_integer_value(value) : 0;

    return conn >= 1 && (uint64_t)conn <= CONN_MAX ? (uint64_t)conn : 0;
}

static int conn_get(const json_t *object, uint64_t *ret, struct problem *problem)
{
    *ret = conn_value(json_object_get(object, "conn"));
    return *ret ? 0 : wrong(problem, "conn", "is not an integer from 1 to 2^53-1");
}

static int boolean_get(const json_t *object, const char *name, bool absent, bool *ret,
                       struct problem *problem)
{
    const json_t *value = member_get(object, name);

    if (value && !json_is_boolean(value))
        return wrong(problem, name, "is not true or false");
    *ret = value ? json_is_true(value) : absent;
    return 0;
}

/* A number from `min` to 2^53-1, 0 where it is absent. What other languages read as a number
 * without fraction may have lost its last digits above that. */
static int count_get(const json_t *object, const char *name, json_int_t min, uint64_t *ret,
                     struct problem *problem)
{
    const json_t *value = member_get(object, name);
    json_int_t number = json_integer_value(value);

    if (value && (!json_is_integer(value) || number < min || number > (json_int_t)CONN_MAX))
        return wrong(problem, name,
                     min ? "is not an integer from 1 to 2^53-1"
                         : "is not an integer from 0 to 2^53-1");
    *ret = (uint64_t)number;
    return 0;
}

/* A string for display: as it is where it is short and printable, else a copy
 * that is. */
static const char *text_clean(const json_t *string, char scratch[static SCRATCH_TEXT_MAX])
{
    const char *text = json_string_value(string);
    size_t length = json_string_length(string);

    if (length < SCRATCH_TEXT_MAX && text_is_printable(text, length))
        return text;
    text_printable(scratch, SCRATCH_TEXT_MAX, text, length);
    return scratch;
}

static int text_get(const json_t *object, const char *name, const char **ret, char *scratch,
                    struct problem *problem)
{
    const json_t *value = member_get(object, name);

    *ret = NULL;
    if (value && !json_is_string(value))
        return wrong(problem, name, "is not a string");
    if (value)
        *ret = text_clean(value, scratch);
    return 0;
}

/* An address, in its usual form; absent where it cannot be read. */
static int address_get(const json_t *object, const char *name, const char **ret, size_t slot,
                       struct scratch *scratch, struct problem *problem)
{
    const json_t *value = member_get(object, name);
    struct pd_address address;
    const char *text;

    *ret = NULL;
    if (!value)
        return 0;
    if (!json_is_string(value))
        return wrong(problem, name, "is not a string");
    text = json_string_value(value);
    if (strlen(text) != json_string_length(value) || address_parse(text, &address)) {
        scratch->bad_address = text;
        scratch->bad_addresses++;
        return 0;
    }
    if (!address.family)
        return 0;
    address_format(&address, scratch->addresses[slot]);
    *ret = scratch->addresses[slot];
    return 0;
}

static void scratch_begin(struct scratch *scratch)
{
    scratch->bad_address = NULL;
    scratch->bad_addresses = 0;
}

/* ---- hello and subscribe ---- */

/* A boot is compared, not only shown: where it must be cut or cleaned, a digest of all
 * of it follows, so that two that differ stay different. */
static const char *boot_clean(const json_t *string, char scratch[static SCRATCH_TEXT_MAX])
{
    const char *text = json_string_value(string);
    size_t length = json_string_length(string), used;

    if (length < SCRATCH_TEXT_MAX && text_is_printable(text, length))
        return text;
    used = text_printable(scratch, SCRATCH_TEXT_MAX - 17, text, length);
    snprintf(scratch + used, SCRATCH_TEXT_MAX - used, "~%016" PRIx64,
             hash_bytes(HASH_START, text, length));
    return scratch;
}

static int features_get(const json_t *result, uint32_t *ret, struct problem *problem)
{
    const json_t *features = member_get(result, "features"), *feature;
    size_t i;

    *ret = 0;
    if (features && !json_is_array(features))
        return wrong(problem, "features", "is not an array");
    json_array_foreach(features, i, feature)
    {
        if (!json_is_string(feature))
            return wrong(problem, "features", "is not an array of strings");
        for (uint32_t n = 0; n < FEATURE_COUNT; n++) {
            if (is_word(feature, feature_names[n]))
                *ret |= 1u << n;
        }
    }
    return 0;
}

int hello_decode(const json_t *result, struct hello *ret, struct scratch *scratch,
                 struct problem *problem)
{
    const json_t *protocol = json_object_get(result, "protocol"), *boot;
    const char *prefer;
    uint64_t max_in_flight;

    *ret = (struct hello){0};
    if (object_check(result, "result", problem))
        return -EPROTO;
    if (!json_is_integer(protocol))
        return wrong(problem, "protocol", "is not an integer");
    ret->protocol = json_integer_value(protocol);
    if (text_get(result, "node", &ret->node.node, scratch->texts[0], problem) ||
        text_get(result, "implementation", &ret->node.implementation, scratch->texts[1], problem) ||
        text_get(result, "prefer", &prefer, scratch->texts[2], problem))
        return -EPROTO;
    ret->node.prefer_reconnect = string_equal(prefer, "reconnect");
    boot = member_get(result, "boot");
    if (!json_is_string(boot))
        return wrong(problem, "boot", boot ? "is not a string" : "is missing");
    ret->node.boot = boot_clean(boot, scratch->texts[2]);
    if (!ret->node.node)
        ret->node.node = "";
    if (features_get(result, &ret->node.features, problem) ||
        count_get(result, "max_in_flight", 1, &max_in_flight, problem) ||
        count_get(result, "netns", 0, &ret->netns, problem))
        return -EPROTO;
    ret->node.max_in_flight = (uint32_t)min_u64(max_in_flight, UINT32_MAX);
    return 0;
}

int subscribed_decode(const json_t *result, struct problem *problem)
{
    uint64_t peers;

    if (object_check(result, "result", problem))
        return -EPROTO;
    return count_get(result, "peers", 0, &peers, problem);
}

/* ---- notifications ---- */

/* 1 … 255 bytes without control characters. */
static int name_get(const json_t *params, const char **ret, struct problem *problem)
{
    const json_t *value = json_object_get(params, "peer");
    size_t length = json_string_length(value);

    *ret = json_string_value(value);
    if (!json_is_string(value))
        return wrong(problem, "peer", "is not a string");
    if (!length || length > NAME_MAX_BYTES)
        return wrong(problem, "peer", "is not 1 to 255 bytes long");
    if (!text_is_printable(*ret, length))
        return wrong(problem, "peer", "has control characters");
    return 0;
}

static int role_get(const json_t *params, enum pd_role *ret, struct problem *problem)
{
    const json_t *value = member_get(params, "role");

    if (value && !json_is_string(value))
        return wrong(problem, "role", "is not a string");
    *ret = !value || is_word(value, "client") ? PD_ROLE_CLIENT : PD_ROLE_SERVER;
    return 0;
}

/* A name that no interface can have counts as absent. */
static int interface_get(const json_t *params, const char **ret, struct problem *problem)
{
    const json_t *value = member_get(params, "interface");
    size_t length = json_string_length(value);

    *ret = NULL;
    if (!value)
        return 0;
    if (!json_is_string(value))
        return wrong(problem, "interface", "is not a string");
    if (length && length < IF_NAMESIZE && text_is_printable(json_string_value(value), length) &&
        !strpbrk(json_string_value(value), "/ "))
        *ret = json_string_value(value);
    return 0;
}

/* Where a connection goes: what peer_up and peer_path have in common. */
static int path_get(const json_t *params, struct event_peer_path *ret, struct scratch *scratch,
                    struct problem *problem)
{
    scratch_begin(scratch);
    if (object_check(params, "params", problem) || conn_get(params, &ret->conn, problem) ||
        address_get(params, "local", &ret->local, 0, scratch, problem) ||
        address_get(params, "remote", &ret->remote, 1, scratch, problem) ||
        interface_get(params, &ret->interface, problem))
        return -EPROTO;
    return text_get(params, "via", &ret->via, scratch->texts[0], problem);
}

int peer_up_decode(const json_t *params, struct event_peer_up *ret, struct scratch *scratch,
                   struct problem *problem)
{
    struct event_peer_path path;

    *ret = (struct event_peer_up){0};
    if (path_get(params, &path, scratch, problem) || name_get(params, &ret->peer, problem) ||
        role_get(params, &ret->role, problem) ||
        boolean_get(params, "migratable", true, &ret->migratable, problem) ||
        boolean_get(params, "reconnectable", true, &ret->reconnectable, problem))
        return -EPROTO;
    ret->conn = path.conn;
    ret->local = path.local;
    ret->remote = path.remote;
    ret->via = path.via;
    ret->interface = path.interface;
    return 0;
}

int peer_down_decode(const json_t *params, struct event_peer_down *ret, struct scratch *scratch,
                     struct problem *problem)
{
    *ret = (struct event_peer_down){0};
    if (object_check(params, "params", problem) || conn_get(params, &ret->conn, problem))
        return -EPROTO;
    return text_get(params, "reason", &ret->reason, scratch->texts[0], problem);
}

int peer_path_decode(const json_t *params, struct event_peer_path *ret, struct scratch *scratch,
                     struct problem *problem)
{
    *ret = (struct event_peer_path){0};
    return path_get(params, ret, scratch, problem);
}

/* ---- answers of moves and probes ---- */

int migrated_decode(const json_t *result, struct event_answer *ret, struct scratch *scratch,
                    struct problem *problem)
{
    scratch_begin(scratch);
    if (object_check(result, "result", problem) ||
        boolean_get(result, "validated", false, &ret->validated, problem))
        return -EPROTO;
    return address_get(result, "local", &ret->local, 0, scratch, problem);
}

int reconnected_decode(const json_t *result, struct event_answer *ret, struct problem *problem)
{
    if (object_check(result, "result", problem))
        return -EPROTO;
    return conn_get(result, &ret->conn, problem);
}

int probed_decode(const json_t *result, uint64_t most_us, uint64_t *ret_rtt_us,
                  struct problem *problem)
{
    if (object_check(result, "result", problem))
        return -EPROTO;
    if (!member_get(result, "rtt_us"))
        return wrong(problem, "rtt_us", "is missing or null");
    if (count_get(result, "rtt_us", 0, ret_rtt_us, problem))
        return -EPROTO;
    return *ret_rtt_us <= most_us ? 0
                                  : wrong(problem, "rtt_us", "is longer than the probe was open");
}

const char *error_text(const json_t *message, struct scratch *scratch)
{
    return message ? text_clean(message, scratch->texts[0]) : NULL;
}
