/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first so many of the peers that are looked at, in an order: what a screen shows of a large
 * table. Whoever looks at it page by page puts the pages together. Pure.
 */
#ifndef CONTROL_ORDER_H
#define CONTROL_ORDER_H

#include "../engine/inspect.h"

#define ORDER_CONDITIONS (INSPECT_IS_UP + 1u)

enum order_key {
    ORDER_WORST, /* condition, silence, SRTT */
    ORDER_SILENT,
    ORDER_RTT,
    ORDER_NAME,
    ORDER_CONN,
    ORDER_AGE,
    ORDER_TABLE, /* none */
    ORDER_KEYS,
};

/* Their names, which end in NULL. */
extern const char *const order_names[ORDER_KEYS + 1];

struct order {
    enum order_key key;
    uint32_t most, n;
    struct inspect_peer *slots; /* `most` of them, and `places` says in which order */
    uint32_t *places;
    uint32_t counts[ORDER_CONDITIONS]; /* of all that were offered, by enum inspect_condition */
};

void order_init(struct order *order, enum order_key key, uint32_t most);
void order_clear(struct order *order);

/* Its texts are borrowed until the order is cleared. */
void order_offer(struct order *order, const struct inspect_peer *peer);

/* The one at that place, before `n`. */
const struct inspect_peer *order_at(const struct order *order, uint32_t place);

#endif
