/* SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

#include <string.h>

#include "../util/util.h"

const char *const order_names[ORDER_KEYS + 1] = {
    [ORDER_WORST] = "worst", [ORDER_SILENT] = "silent", [ORDER_RTT] = "rtt",
    [ORDER_NAME] = "name",   [ORDER_CONN] = "conn",     [ORDER_AGE] = "age",
    [ORDER_TABLE] = "table"};

/* As `pathdogctl peers` has it: the worst is the first. */
static unsigned badness(enum inspect_condition condition)
{
    static const unsigned char places[ORDER_CONDITIONS] = {
        [INSPECT_IS_SILENT] = 0,     [INSPECT_IS_GONE] = 1,   [INSPECT_IS_UNSEEN] = 2,
        [INSPECT_IS_UNREPORTED] = 3, [INSPECT_IS_MOVING] = 4, [INSPECT_IS_NEW] = 5,
        [INSPECT_IS_IDLE] = 6,       [INSPECT_IS_UP] = 7};

    return places[condition];
}

static int smaller(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* What is not known comes last, as 0 does. */
static int larger(uint64_t a, uint64_t b, uint64_t unknown)
{
    return smaller(b == unknown ? 0 : b, a == unknown ? 0 : a);
}

static int worse(const struct inspect_peer *a, const struct inspect_peer *b)
{
    return smaller(badness(a->condition), badness(b->condition));
}

static int compare(enum order_key key, const struct inspect_peer *a, const struct inspect_peer *b)
{
    int r = 0;

    switch (key) {
    case ORDER_WORST:
        r = worse(a, b);
        r = r ? r : larger(a->silent_us, b->silent_us, INSPECT_NEVER);
        r = r ? r : larger(a->srtt_us, b->srtt_us, PD_UNKNOWN);
        break;
    case ORDER_SILENT:
        r = larger(a->silent_us, b->silent_us, INSPECT_NEVER);
        r = r ? r : worse(a, b);
        break;
    case ORDER_RTT:
        r = larger(a->srtt_us, b->srtt_us, PD_UNKNOWN);
        break;
    case ORDER_CONN:
        r = smaller(a->conn, b->conn);
        break;
    case ORDER_AGE:
        r = larger(a->up_for_us, b->up_for_us, INSPECT_NEVER);
        break;
    case ORDER_TABLE:
        return smaller(a->index, b->index);
    case ORDER_NAME:
    case ORDER_KEYS:
        break;
    }
    r = r ? r : strcmp(a->name, b->name);
    return r ? r : smaller(a->conn, b->conn);
}

void order_init(struct order *order, enum order_key key, uint32_t most)
{
    *order = (struct order){.key = key, .most = most};
    order->slots = memory_new(most, sizeof(*order->slots));
    order->places = memory_new(most, sizeof(*order->places));
}

void order_clear(struct order *order)
{
    free(order->slots);
    free(order->places);
    *order = (struct order){0};
}

const struct inspect_peer *order_at(const struct order *order, uint32_t place)
{
    return &order->slots[order->places[place]];
}

/* How many of those that are kept come before it. */
static uint32_t place_of(const struct order *order, const struct inspect_peer *peer)
{
    uint32_t low = 0, high = order->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (compare(order->key, order_at(order, middle), peer) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void order_offer(struct order *order, const struct inspect_peer *peer)
{
    bool full = order->n == order->most;
    uint32_t place, slot;

    order->counts[peer->condition]++;
    /* most peers of a large table end here */
    if (!order->most || (full && compare(order->key, order_at(order, order->n - 1), peer) <= 0))
        return;
    place = place_of(order, peer);
    slot = full ? order->places[order->n - 1] : order->n++;
    memmove(&order->places[place + 1], &order->places[place],
            (order->n - 1 - place) * sizeof(*order->places));
    order->places[place] = slot;
    order->slots[slot] = *peer;
}
