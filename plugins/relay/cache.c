/* SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"

#include "rfc3339.h"

#include "util/json-write.h"
#include "util/util.h"

#include <errno.h>
#include <jansson.h>

static const char cache_head[] = "{\"saved_at\":\"";

void cache_format(struct buffer *out, const struct relay_list *list, uint64_t now_s)
{
    char saved_at[RFC3339_SIZE];

    rfc3339_format(now_s, saved_at);
    put_open(out, NULL, "{");
    put_text(out, "saved_at", saved_at);
    put_open(out, "addrs", "[");
    for (size_t i = 0; i < list->count; i++)
        put_text(out, NULL, list->entries[i].address_text);
    put_close(out, "]");
    put_open(out, "names", "[");
    for (size_t i = 0; i < list->count; i++)
        put_text(out, NULL, list->entries[i].name);
    put_close(out, "]");
    put_open(out, "speaks", "[");
    for (size_t i = 0; i < list->count; i++)
        put_text(out, NULL, relay_speaks_names[list->entries[i].speaks]);
    put_close(out, "]");
    put_close(out, "}");
    buffer_text(out, "\n");
}

bool cache_is_one(const char *bytes, size_t n)
{
    static const char blanks[] = " \t\r\n";
    size_t at = 0;

    /* Others may write it with blanks, or begin with another member. */
    if (n >= sizeof(cache_head) - 1 && !memcmp(bytes, cache_head, sizeof(cache_head) - 1))
        return true;
    while (at < n && memchr(blanks, bytes[at], sizeof(blanks) - 1))
        at++;
    if (at == n || bytes[at++] != '{')
        return false;
    while (at < n && memchr(blanks, bytes[at], sizeof(blanks) - 1))
        at++;
    return n - at >= 7 &&
           (!memcmp(bytes + at, "\"saved_", 7) || !memcmp(bytes + at, "\"addrs\"", 7));
}

__attribute__((format(printf, 3, 4))) static int refuse(char error[static CACHE_ERROR_SIZE], int r,
                                                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(error, CACHE_ERROR_SIZE, format, arguments);
    va_end(arguments);
    return r;
}

static int take_age(const json_t *saved_at, uint64_t now_s, uint64_t *ret_age_s,
                    char error[static CACHE_ERROR_SIZE])
{
    uint64_t saved_s;

    if (!json_is_string(saved_at) ||
        rfc3339_parse(json_string_value(saved_at), json_string_length(saved_at), &saved_s) < 0)
        return refuse(error, -EBADMSG, "saved_at is missing, or is no time of RFC 3339");
    if (saved_s > now_s + CACHE_AHEAD_S)
        return refuse(error, -ESTALE, "it was saved %llu s in the future, by this machine's clock",
                      (unsigned long long)(saved_s - now_s));
    *ret_age_s = sub_u64(now_s, saved_s);
    if (*ret_age_s > CACHE_AGE_MAX_S)
        return refuse(error, -ESTALE, "it was saved %llu s ago, and is good for %u s",
                      (unsigned long long)*ret_age_s, CACHE_AGE_MAX_S);
    return 0;
}

/* Absent, or an array with as many entries as there are addresses. */
static int check_array(const json_t *array, const char *name, size_t n,
                       char error[static CACHE_ERROR_SIZE])
{
    if (!array || (json_is_array(array) && json_array_size(array) == n))
        return 0;
    return refuse(error, -EBADMSG, "%s is not an array of as many entries as addrs has", name);
}

/* Returns NULL, or what is wrong. */
static const char *entry_take(const json_t *address, const json_t *name, const json_t *speaks,
                              enum relay_speaks otherwise, struct relay_entry *entry)
{
    const char *text = json_string_value(address), *why;

    *entry = (struct relay_entry){.speaks = otherwise};
    if (!text)
        return "is no text";
    why = relay_address_parse(text, json_string_length(address), entry);
    if (why)
        return why;
    if (name && !json_is_string(name))
        return "has a name that is no text";
    text = name ? json_string_value(name) : entry->address_text;
    why = relay_name_check(text, name ? json_string_length(name) : strlen(text));
    if (why)
        return why;
    memcpy(entry->name, text, strlen(text));
    if (!speaks)
        return NULL;
    if (!json_is_string(speaks))
        return "speaks something that is no text";
    return relay_speaks_parse(json_string_value(speaks), json_string_length(speaks),
                              &entry->speaks);
}

static int take_entries(const json_t *root, enum relay_speaks otherwise, struct relay_list *list,
                        char error[static CACHE_ERROR_SIZE])
{
    const json_t *addrs = json_object_get(root, "addrs"), *names = json_object_get(root, "names");
    const json_t *speaks = json_object_get(root, "speaks");
    size_t n = json_array_size(addrs);

    if (!json_is_array(addrs))
        return refuse(error, -EBADMSG, "addrs is missing, or is no array");
    if (n > RELAY_LIST_MAX)
        return refuse(error, -EBADMSG, "it has %zu relays, more than %u", n, RELAY_LIST_MAX);
    if (check_array(names, "names", n, error) < 0 || check_array(speaks, "speaks", n, error) < 0)
        return -EBADMSG;
    for (size_t i = 0; i < n; i++) {
        struct relay_entry *entry = &list->entries[list->count];
        const char *why = entry_take(json_array_get(addrs, i), json_array_get(names, i),
                                     json_array_get(speaks, i), otherwise, entry);

        if (!why && relay_list_find(list, entry->name))
            why = "another one has this name already";
        if (why)
            return refuse(error, -EBADMSG, "relay %zu of it: %s", i + 1, why);
        list->count++;
    }
    return 0;
}

static int root_take(const json_t *root, uint64_t now_s, enum relay_speaks otherwise,
                     struct cache *cache, char error[static CACHE_ERROR_SIZE])
{
    const json_t *version = json_object_get(root, "version");
    int r;

    if (version && json_integer_value(version) != 1)
        return refuse(error, -EBADMSG, "it is of another version");
    r = take_age(json_object_get(root, "saved_at"), now_s, &cache->age_s, error);
    return r < 0 ? r : take_entries(root, otherwise, &cache->list, error);
}

int cache_parse(const char *bytes, size_t length, uint64_t now_s, enum relay_speaks otherwise,
                struct cache *ret, char error[static CACHE_ERROR_SIZE])
{
    json_error_t at;
    json_t *root;
    int r;

    ret->list.count = 0;
    error[0] = '\0';
    if (length > CACHE_MAX)
        return refuse(error, -EBADMSG, "it is longer than %zu bytes", CACHE_MAX);
    root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &at);
    if (!root)
        return refuse(error, -EBADMSG, "it is no JSON: line %d, column %d: %.120s", at.line,
                      at.column, at.text);
    if (json_is_object(root))
        r = root_take(root, now_s, otherwise, ret, error);
    else
        r = refuse(error, -EBADMSG, "it is no object");
    json_decref(root);
    if (r < 0)
        ret->list.count = 0;
    return r;
}
