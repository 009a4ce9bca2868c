/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name may hold any character that is no control character, "=" and spaces too: it ends at the
 * last "=", for no address has one.
 */
#include "entry.h"

#include "util/printable.h"
#include "util/util.h"

const char *const relay_speaks_names[RELAY_SPEAKS_COUNT] = {"reg-ack", "pilot"};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes blanks off both ends. */
static void trim(const char **text, size_t *length)
{
    while (*length && is_blank(**text)) {
        (*text)++;
        (*length)--;
    }
    while (*length && is_blank((*text)[*length - 1]))
        (*length)--;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && !memcmp(text, word, length);
}

const char *relay_name_check(const char *name, size_t length)
{
    if (!length)
        return "the name is empty";
    if (length > RELAY_NAME_MAX)
        return "the name is longer than 255 bytes";
    if (!text_is_printable(name, length))
        return "the name is not UTF-8, or has control characters";
    if (is_word(name, length, "direct"))
        return "\"direct\" is no relay's name: it is the way without one";
    return NULL;
}

const char *relay_speaks_parse(const char *text, size_t length, enum relay_speaks *ret)
{
    for (size_t i = 0; i < RELAY_SPEAKS_COUNT; i++) {
        if (is_word(text, length, relay_speaks_names[i])) {
            *ret = (enum relay_speaks)i;
            return NULL;
        }
    }
    return "what it speaks is not known; allowed are reg-ack and pilot";
}

const char *relay_address_parse(const char *text, size_t length, struct relay_entry *entry)
{
    char copy[ADDRESS_TEXT_MAX];

    if (length >= sizeof(copy) || memchr(text, '\0', length))
        return "not an IP address and port; allowed are 192.0.2.1:4433 and [2001:db8::1]:4433";
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (address_parse(copy, &entry->address) < 0)
        return "not an IP address and port; allowed are 192.0.2.1:4433 and [2001:db8::1]:4433";
    if (!entry->address.family)
        return "the address is unspecified";
    if (!entry->address.port)
        return "the port is 0";
    address_format(&entry->address, entry->address_text);
    return NULL;
}

/* ADDR:PORT [speaks] */
static const char *place_parse(const char *text, size_t length, struct relay_entry *entry)
{
    size_t n_address = 0;
    const char *error;

    trim(&text, &length);
    while (n_address < length && !is_blank(text[n_address]))
        n_address++;
    error = relay_address_parse(text, n_address, entry);
    text += n_address;
    length -= n_address;
    trim(&text, &length);
    entry->speaks = RELAY_REG_ACK;
    if (error || !length)
        return error;
    entry->speaks_given = true;
    return relay_speaks_parse(text, length, &entry->speaks);
}

const char *relay_entry_parse(const char *text, size_t length, struct relay_entry *ret)
{
    const char *equals = length ? memrchr(text, '=', length) : NULL, *name = text, *error;
    size_t n_name;

    *ret = (struct relay_entry){0};
    if (!equals)
        return "there is no =; allowed is NAME=ADDR:PORT, then a blank and reg-ack or pilot";
    n_name = (size_t)(equals - text);
    trim(&name, &n_name);
    error = relay_name_check(name, n_name);
    if (error)
        return error;
    memcpy(ret->name, name, n_name);
    return place_parse(equals + 1, length - (size_t)(equals + 1 - text), ret);
}

size_t relay_entry_format(const struct relay_entry *entry, char out[static RELAY_ENTRY_MAX])
{
    const char *speaks = relay_speaks_names[entry->speaks];
    char *at = mempcpy(out, entry->name, strlen(entry->name));

    *at++ = '=';
    at = mempcpy(at, entry->address_text, strlen(entry->address_text));
    *at++ = ' ';
    at = mempcpy(at, speaks, strlen(speaks) + 1);
    return (size_t)(at - out) - 1;
}

bool relay_list_is_equal(const struct relay_list *a, const struct relay_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->entries[i].name, b->entries[i].name) != 0 ||
            strcmp(a->entries[i].address_text, b->entries[i].address_text) != 0 ||
            a->entries[i].speaks != b->entries[i].speaks)
            return false;
    return true;
}

const struct relay_entry *relay_list_find(const struct relay_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->entries[i].name, name))
            return &list->entries[i];
    return NULL;
}
