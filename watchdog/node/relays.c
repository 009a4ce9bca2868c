/* SPDX-License-Identifier: Apache-2.0 */
/* The node's list of relays. See relays.h. */
#include "relays.h"

#include <errno.h>
#include <stdio.h>

#include "../util/hex.h"
#include "../util/printable.h"
#include "../util/util.h"

#define NAME_MAX_BYTES 255

static const char *const speaks_words[] = {"reg-ack", "pilot"};

/* What is wrong with the name; NULL: nothing. */
static const char *name_check(const json_t *value)
{
    const char *name = json_string_value(value);
    size_t length = json_string_length(value);

    if (!json_is_string(value))
        return "is not a string";
    if (!length || length > NAME_MAX_BYTES)
        return "is not 1 to 255 bytes long";
    if (strlen(name) != length || !text_is_printable(name, length))
        return "has control characters";
    return string_equal(name, "direct") ? "is \"direct\", which is no relay" : NULL;
}

static const char *address_take(const json_t *value, char out[static ADDRESS_TEXT_MAX])
{
    const char *text = json_string_value(value);
    struct pd_address address;

    if (!json_is_string(value))
        return "is not a string";
    if (strlen(text) != json_string_length(value) || address_parse(text, &address) < 0 ||
        !address.family || !address.port)
        return "is not an IP address with a port";
    address_format(&address, out);
    return NULL;
}

static const char *speaks_take(const json_t *value, const char **ret)
{
    *ret = speaks_words[0];
    if (!value || json_is_null(value))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(speaks_words); i++)
        if (string_equal(json_string_value(value), speaks_words[i])) {
            *ret = speaks_words[i];
            return NULL;
        }
    return "is neither \"reg-ack\" nor \"pilot\"";
}

static bool is_there(const struct event_relays *relays, const char *name)
{
    for (size_t i = 0; i < relays->n; i++)
        if (string_equal(relays->list[i].name, name))
            return true;
    return false;
}

/* The next one. Returns which member is wrong, with `*ret_what`; NULL: none. */
static const char *entry_take(const json_t *entry, struct event_relays *relays,
                              struct relays_room *room, const char **ret_what)
{
    struct pd_relay *relay = &room->list[relays->n];
    const json_t *name = json_object_get(entry, "relay");

    if (!json_is_object(entry)) {
        *ret_what = "is not an object";
        return "relays";
    }
    *ret_what = name_check(name);
    if (!*ret_what && is_there(relays, json_string_value(name)))
        *ret_what = "is there twice";
    if (*ret_what)
        return "relay";
    relay->name = json_string_value(name);
    relay->address = room->addresses[relays->n];
    *ret_what = address_take(json_object_get(entry, "address"), room->addresses[relays->n]);
    if (*ret_what)
        return "address";
    *ret_what = speaks_take(json_object_get(entry, "speaks"), &relay->speaks);
    return *ret_what ? "speaks" : NULL;
}

static const char *key_take(const json_t *value, const char **ret)
{
    const char *key = json_string_value(value);
    size_t length = json_string_length(value);

    *ret = NULL;
    if (!value || json_is_null(value))
        return NULL;
    if (!hex_is_bytes(key, length, RELAY_KEY_MAX))
        return "is not an even number of hexadecimal digits, 2 to 128";
    *ret = key;
    return NULL;
}

int relays_decode(const json_t *params, struct event_relays *ret, struct relays_room *room,
                  struct problem *problem)
{
    const json_t *list = json_object_get(params, "relays"), *entry;
    const char *member = "relays", *what = NULL;
    size_t i;

    *ret = (struct event_relays){.list = room->list};
    if (!json_is_object(params)) {
        *problem = (struct problem){"params", "is not an object"};
        return -EPROTO;
    }
    if (!json_is_array(list))
        what = "is not an array";
    else if (json_array_size(list) > RELAYS_MAX)
        what = "has more than 64 entries";
    else
        json_array_foreach(list, i, entry)
        {
            member = entry_take(entry, ret, room, &what);
            if (member) {
                snprintf(room->what, sizeof(room->what), "of entry %zu %s", i, what);
                what = room->what;
                break;
            }
            ret->n++;
        }
    if (!what) {
        member = "key";
        what = key_take(json_object_get(params, "key"), &ret->key);
    }
    if (!what)
        return 0;
    *problem = (struct problem){.member = member, .what = what};
    return -EPROTO;
}
