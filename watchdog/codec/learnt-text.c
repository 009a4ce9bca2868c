/* SPDX-License-Identifier: Apache-2.0 */
/* What was learnt ↔ JSON. */
#include "learnt-text.h"

#include <errno.h>

#define NAME_MAX_BYTES 255u

/* ---- out ---- */

static void put_number(struct buffer *out, const char *name, uint64_t value)
{
    if (value)
        encode_u64(out, name, value);
}

static void put_true(struct buffer *out, const char *name, bool value)
{
    if (value)
        put_bool(out, name, true);
}

void learnt_encode_head(struct buffer *out, const struct learnt *head)
{
    put_open(out, NULL, "{");
    put_bool(out, "all_held", head->all_held);
    put_number(out, "all_held_until_us", head->all_held_until_us);
    if (head->node_boot)
        encode_text(out, "node_boot", head->node_boot);
    put_open(out, "names", "[");
}

void learnt_encode_name(struct buffer *out, const struct learnt_name *name, const char *separator)
{
    buffer_text(out, separator);
    buffer_text(out, "{");
    encode_text(out, "peer", name->peer);
    put_true(out, "held", name->held);
    put_number(out, "held_until_us", name->held_until_us);
    put_number(out, "reconnect_us", name->reconnect_us);
    put_number(out, "gap_us", name->gap_us);
    buffer_text(out, "}");
}

void learnt_encode_peers(struct buffer *out)
{
    put_close(out, "]");
    put_open(out, "peers", "[");
}

static void put_saved(struct buffer *out, const struct learnt_peer *peer)
{
    put_open(out, "saved", "{");
    for (size_t i = 0; i < peer->n_saved; i++)
        encode_text(out, peer->saved[i].trigger, peer->saved[i].text);
    put_close(out, "}");
}

void learnt_encode_peer(struct buffer *out, const struct learnt_peer *peer, const char *separator)
{
    buffer_text(out, separator);
    buffer_text(out, "{");
    encode_text(out, "peer", peer->peer);
    encode_u64(out, "conn", peer->conn);
    put_true(out, "disabled", peer->disabled);
    put_true(out, "undialable", peer->undialable);
    put_number(out, "cooling_since_us", peer->cooling_since_us);
    put_number(out, "cooldown_doublings", peer->cooldown_doublings);
    put_number(out, "migrate_backoff_until_us", peer->backoff_until_us[0]);
    put_number(out, "migrate_backoffs", peer->backoffs[0]);
    put_number(out, "reconnect_backoff_until_us", peer->backoff_until_us[1]);
    put_number(out, "reconnect_backoffs", peer->backoffs[1]);
    put_number(out, "tokens_used", peer->tokens_used);
    put_number(out, "tokens_us", peer->tokens_us);
    if (peer->n_saved)
        put_saved(out, peer);
    buffer_text(out, "}");
}

void learnt_encode_end(struct buffer *out)
{
    buffer_text(out, "]}");
}

void learnt_encode(struct buffer *out, const struct learnt *learnt)
{
    learnt_encode_head(out, learnt);
    for (size_t i = 0; i < learnt->n_names; i++)
        learnt_encode_name(out, &learnt->names[i], i ? "," : "");
    learnt_encode_peers(out);
    for (size_t i = 0; i < learnt->n_peers; i++)
        learnt_encode_peer(out, &learnt->peers[i], i ? "," : "");
    learnt_encode_end(out);
}

/* ---- in ---- */

static int get_number(const struct decoding *d, const json_t *object, const char *name,
                      uint64_t *ret)
{
    const json_t *value = json_object_get(object, name);

    return value ? decode_u64(d, value, name, ret) : 0;
}

static int get_small(const struct decoding *d, const json_t *object, const char *name,
                     uint32_t *ret)
{
    const json_t *value = json_object_get(object, name);

    return value ? decode_u32(d, value, name, ret) : 0;
}

static int get_bool(const struct decoding *d, const json_t *object, const char *name, bool *ret)
{
    const json_t *value = json_object_get(object, name);

    if (value && !json_is_boolean(value))
        return decoding_wrong(d, "\"%s\" is not true or false", name);
    *ret = json_is_true(value);
    return 0;
}

static int get_peer_name(const struct decoding *d, const json_t *object, const char **ret)
{
    size_t length;

    if (decode_text(d, json_object_get(object, "peer"), "peer", ret))
        return -EBADMSG;
    length = strlen(*ret);
    return length >= 1 && length <= NAME_MAX_BYTES
               ? 0
               : decoding_wrong(d, "\"peer\" is not 1 to %u bytes", NAME_MAX_BYTES);
}

static int get_name(const struct decoding *d, const json_t *object, struct learnt_name *ret)
{
    if (get_peer_name(d, object, &ret->peer) || get_bool(d, object, "held", &ret->held) ||
        get_number(d, object, "held_until_us", &ret->held_until_us) ||
        get_number(d, object, "reconnect_us", &ret->reconnect_us) ||
        get_number(d, object, "gap_us", &ret->gap_us))
        return -EBADMSG;
    return 0;
}

/* As a section of the configuration can spell it; so it is written unescaped. */
static bool is_trigger_name(const char *name)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._@-");

    return length >= 1 && length <= NAME_MAX_BYTES && !name[length];
}

static int get_saved(const struct decoding *d, json_t *object, struct learnt_peer *ret)
{
    struct learnt_saved *saved;
    const char *trigger;
    json_t *text;

    if (!object)
        return 0;
    if (!json_is_object(object) || json_object_size(object) > LEARNT_SAVED_MAX)
        return decoding_wrong(d, "\"saved\" is not an object of at most %u", LEARNT_SAVED_MAX);
    saved = arena_new(d->arena, json_object_size(object), sizeof(*saved));
    json_object_foreach(object, trigger, text)
    {
        if (!is_trigger_name(trigger))
            return decoding_wrong(d, "a member of \"saved\" has no trigger's name: allowed are "
                                     "letters, digits, and : . _ @ -");
        saved[ret->n_saved].trigger = arena_copy(d->arena, trigger, strlen(trigger));
        if (decode_text(d, text, "saved", &saved[ret->n_saved].text))
            return -EBADMSG;
        ret->n_saved++;
    }
    ret->saved = saved;
    return 0;
}

static int get_peer(const struct decoding *d, const json_t *object, struct learnt_peer *ret)
{
    if (get_peer_name(d, object, &ret->peer) ||
        decode_u64(d, json_object_get(object, "conn"), "conn", &ret->conn) ||
        get_bool(d, object, "disabled", &ret->disabled) ||
        get_bool(d, object, "undialable", &ret->undialable) ||
        get_number(d, object, "cooling_since_us", &ret->cooling_since_us) ||
        get_small(d, object, "cooldown_doublings", &ret->cooldown_doublings) ||
        get_number(d, object, "migrate_backoff_until_us", &ret->backoff_until_us[0]) ||
        get_small(d, object, "migrate_backoffs", &ret->backoffs[0]) ||
        get_number(d, object, "reconnect_backoff_until_us", &ret->backoff_until_us[1]) ||
        get_small(d, object, "reconnect_backoffs", &ret->backoffs[1]) ||
        get_small(d, object, "tokens_used", &ret->tokens_used) ||
        get_number(d, object, "tokens_us", &ret->tokens_us))
        return -EBADMSG;
    return get_saved(d, json_object_get(object, "saved"), ret);
}

static int get_names(const struct decoding *d, const json_t *list, struct learnt *ret)
{
    struct learnt_name *names = arena_new(d->arena, json_array_size(list), sizeof(*names));
    const json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        if (get_name(d, entry, &names[i]))
            return -EBADMSG;
    }
    ret->names = names;
    ret->n_names = json_array_size(list);
    return 0;
}

static int get_peers(const struct decoding *d, const json_t *list, struct learnt *ret)
{
    struct learnt_peer *peers = arena_new(d->arena, json_array_size(list), sizeof(*peers));
    const json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        if (get_peer(d, entry, &peers[i]))
            return -EBADMSG;
    }
    ret->peers = peers;
    ret->n_peers = json_array_size(list);
    return 0;
}

int learnt_decode(const struct decoding *d, const json_t *value, struct learnt *ret)
{
    const json_t *boot = json_object_get(value, "node_boot");
    const json_t *names = json_object_get(value, "names");
    const json_t *peers = json_object_get(value, "peers");

    *ret = (struct learnt){0};
    if (!json_is_object(value) || !json_is_array(names) || !json_is_array(peers))
        return decoding_wrong(d, "\"learnt\" is not an object with \"names\" and \"peers\"");
    if ((boot && decode_text(d, boot, "node_boot", &ret->node_boot)) ||
        get_bool(d, value, "all_held", &ret->all_held) ||
        get_number(d, value, "all_held_until_us", &ret->all_held_until_us) ||
        get_names(d, names, ret))
        return -EBADMSG;
    return get_peers(d, peers, ret);
}
