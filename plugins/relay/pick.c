/* SPDX-License-Identifier: Apache-2.0 */
/* Which relay. See pick.h. */
#include "pick.h"

#include <arpa/inet.h>
#include <string.h>

const char *const relay_from_names[RELAY_FROM_COUNT] = {
    [RELAY_FROM_CONFIG] = "config",
    [RELAY_FROM_NODE] = "node",
    [RELAY_FROM_FILE] = "file",
    [RELAY_FROM_CACHE] = "cache",
};

/* ---- the list ---- */

static bool private4(const uint8_t *b)
{
    static const uint8_t zero[4];

    return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
           b[0] == 127 || (b[0] == 169 && b[1] == 254) || !memcmp(b, zero, 4);
}

static bool private6(const uint8_t *b)
{
    static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (!memcmp(b, mapped, sizeof(mapped)))
        return private4(b + 12);
    return (!memcmp(b, zero, 15) && b[15] <= 1) || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
           (b[0] & 0xfe) == 0xfc;
}

/* The host of "HOST:PORT", "[HOST]:PORT" or "HOST", without a scope. False: it cannot be one. */
static bool host_of(const char *text, char host[static INET6_ADDRSTRLEN])
{
    const char *colon = strchr(text, ':'), *end = text + strlen(text);
    size_t length;

    if (*text == '[') {
        text++;
        end = strchrnul(text, ']');
    } else if (colon && !strchr(colon + 1, ':')) {
        end = colon;
    }
    length = (size_t)(end - text);
    if (memchr(text, '%', length))
        length = (size_t)(strchr(text, '%') - text);
    if (length >= INET6_ADDRSTRLEN)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    return true;
}

bool relay_is_private(const char *address)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t bytes[16];

    if (!host_of(address, host))
        return false;
    if (inet_pton(AF_INET, host, bytes) == 1)
        return private4(bytes);
    return inet_pton(AF_INET6, host, bytes) == 1 && private6(bytes);
}

static bool same_address(const struct pd_address *a, const struct pd_address *b)
{
    return a->family == b->family && a->port == b->port &&
           !memcmp(a->bytes, b->bytes, sizeof(a->bytes)) && !strcmp(a->scope, b->scope);
}

static const struct relay_entry *find_address(const struct relay_list *list,
                                              const struct pd_address *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (same_address(&list->entries[i].address, address))
            return &list->entries[i];
    return NULL;
}

bool relay_is_from_relay(const struct relay_list *list, const struct pd_address *address)
{
    return address->family && find_address(list, address);
}

/* Takes the name that the node knows it by. */
static enum relay_left_out fit(const struct relay_list *list, struct relay_entry *entry,
                               enum relay_from from, const struct relay_list *node)
{
    if (from >= RELAY_FROM_FILE && relay_is_private(entry->address_text))
        return RELAY_PRIVATE;
    if (node && !relay_list_find(node, entry->name)) {
        const struct relay_entry *known = find_address(node, &entry->address);

        if (!known)
            return RELAY_UNKNOWN;
        memcpy(entry->name, known->name, sizeof(entry->name));
    }
    if (relay_list_find(list, entry->name) || find_address(list, &entry->address))
        return RELAY_DUPLICATE;
    return list->count < RELAY_LIST_MAX ? RELAY_USED : RELAY_BEYOND;
}

void relay_list_add(struct relay_list *list, enum relay_from *froms, const struct relay_list *named,
                    enum relay_from from, const struct relay_list *node,
                    void (*left_out)(void *user, const struct relay_entry *entry,
                                     enum relay_from from, enum relay_left_out why),
                    void *user)
{
    for (size_t i = 0; i < named->count; i++) {
        struct relay_entry entry = named->entries[i];
        enum relay_left_out why = fit(list, &entry, from, node);

        if (why == RELAY_USED) {
            froms[list->count] = from;
            list->entries[list->count++] = entry;
        } else if (left_out) {
            left_out(user, &named->entries[i], from, why);
        }
    }
}

/* ---- the pick ---- */

uint32_t relay_hash(const uint8_t *key, size_t n_key)
{
    uint32_t hash = UINT32_C(0x811c9dc5);

    for (size_t i = 0; i < n_key; i++)
        hash = (hash ^ key[i]) * UINT32_C(0x01000193);
    return hash;
}

size_t relay_pick_hash(const uint8_t *key, size_t n_key, size_t n)
{
    return n == 1 ? 0 : relay_hash(key, n_key) % n;
}

/* The first minimum in list order; RELAY_NO_PICK: none has a time. */
static size_t fastest_of(const uint64_t *rtt_ns, size_t n)
{
    size_t fastest = RELAY_NO_PICK;

    for (size_t i = 0; i < n; i++)
        if (rtt_ns[i] != RELAY_NO_RTT && (fastest == RELAY_NO_PICK || rtt_ns[i] < rtt_ns[fastest]))
            fastest = i;
    return fastest;
}

/* Does it take at most `halves` halves as long as the fastest? */
static bool within(uint64_t rtt_ns, uint64_t fastest_ns, uint64_t halves)
{
    uint64_t whole = halves / 2 * fastest_ns, half = halves % 2 * (fastest_ns / 2);

    if (fastest_ns > UINT64_MAX / 4)
        return true;
    return rtt_ns <= whole + half;
}

size_t relay_pick(size_t hash, const uint64_t *rtt_ns, size_t n, size_t now,
                  enum relay_why *ret_why)
{
    size_t fastest = fastest_of(rtt_ns, n);

    *ret_why = n == 1 ? RELAY_WHY_ONLY : RELAY_WHY_KEY;
    if (n == 0)
        return RELAY_NO_PICK;
    if (n == 1 || fastest == RELAY_NO_PICK)
        return hash;
    if (now < n && now != hash && rtt_ns[now] != RELAY_NO_RTT &&
        within(rtt_ns[now], rtt_ns[fastest], 4) &&
        (rtt_ns[hash] == RELAY_NO_RTT || !within(rtt_ns[hash], rtt_ns[fastest], 3))) {
        *ret_why = rtt_ns[hash] == RELAY_NO_RTT               ? RELAY_WHY_UNMEASURED
                   : within(rtt_ns[hash], rtt_ns[fastest], 4) ? RELAY_WHY_KEPT
                                                              : RELAY_WHY_FASTER;
        return now;
    }
    if (rtt_ns[hash] != RELAY_NO_RTT && within(rtt_ns[hash], rtt_ns[fastest], 4))
        return hash;
    *ret_why = rtt_ns[hash] == RELAY_NO_RTT ? RELAY_WHY_UNMEASURED : RELAY_WHY_FASTER;
    return fastest;
}
