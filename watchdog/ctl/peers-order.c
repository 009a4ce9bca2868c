/* SPDX-License-Identifier: Apache-2.0 */
#include "peers-order.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../util/nearest.h"
#include "../util/util.h"
#include "members.h"

/* The worst first; what the daemon may yet learn to say comes last. */
size_t peers_badness(const json_t *peer)
{
    static const char *const worst[] = {"silent", "gone", "unseen", "untold",
                                        "moving", "new",  "idle",   "up"};
    size_t place = 0;

    while (place < ARRAY_SIZE(worst) && strcmp(text_of(peer, "condition"), worst[place]) != 0)
        place++;
    return place;
}

static int by_text(const json_t *a, const json_t *b, const char *name)
{
    return strcmp(text_of(a, name), text_of(b, name));
}

static int by_number(const json_t *a, const json_t *b, const char *name)
{
    uint64_t one = number_of(a, name), other = number_of(b, name);

    return (one > other) - (one < other);
}

/* What is not known counts as 0, and so comes last. */
static int by_largest(const json_t *a, const json_t *b, const char *name)
{
    return by_number(b, a, name);
}

static int by_condition(const json_t *a, const json_t *b, const char *name)
{
    size_t one = peers_badness(a), other = peers_badness(b);

    (void)name;
    return (one > other) - (one < other);
}

struct peers_order {
    const char *key;
    struct {
        int (*compare)(const json_t *a, const json_t *b, const char *name);
        const char *name;
    } by[3]; /* the next where the one before finds no difference */
};

static const struct peers_order orders[] = {
    {"worst", {{by_condition, NULL}, {by_largest, "silent_us"}, {by_largest, "srtt_us"}}},
    {"silent", {{by_largest, "silent_us"}, {by_condition, NULL}}},
    {"rtt", {{by_largest, "srtt_us"}}},
    {"name", {{by_text, "peer"}}},
    {"conn", {{by_number, "conn"}}},
    {"age", {{by_largest, "up_us"}}},
    {"interface", {{by_text, "interface"}, {by_condition, NULL}, {by_largest, "silent_us"}}},
    {"local", {{by_text, "local"}}},
    {"remote", {{by_text, "remote"}}},
    {"table", {{NULL, NULL}}}, /* as the daemon has them: nothing is kept */
};

static int compare(const void *a, const void *b, void *user)
{
    const json_t *const *one = a, *const *other = b;
    const struct peers_order *order = user;
    int r = 0;

    for (size_t i = 0; !r && i < ARRAY_SIZE(order->by) && order->by[i].compare; i++)
        r = order->by[i].compare(*one, *other, order->by[i].name);
    r = r ? r : by_text(*one, *other, "peer");
    return r ? r : by_number(*one, *other, "conn");
}

const struct peers_order *peers_order(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        if (!strcmp(key, orders[i].key))
            return &orders[i];
    return NULL;
}

const char *peers_orders(const char *key, char *list, size_t size)
{
    const char *keys[ARRAY_SIZE(orders)];

    *list = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        keys[i] = orders[i].key;
        snprintf(list + strlen(list), size - strlen(list), "%s%s", i ? ", " : "", keys[i]);
    }
    return nearest_word(key, keys, ARRAY_SIZE(keys));
}

bool peers_order_sorts(const struct peers_order *order)
{
    return order->by[0].compare;
}

json_t *peers_sorted(const json_t *all, const struct peers_order *order, size_t most)
{
    size_t n = json_array_size(all);
    const json_t **list = memory_new(n, sizeof(json_t *));
    json_t *peers = json_array();

    for (size_t i = 0; i < n; i++)
        list[i] = json_array_get(all, i);
    if (peers_order_sorts(order))
        qsort_r(list, n, sizeof(json_t *), compare, (void *)(uintptr_t)order);
    for (size_t i = 0; i < n && i < most; i++)
        json_array_append(peers, (json_t *)(uintptr_t)list[i]);
    free(list);
    return peers;
}
