/* SPDX-License-Identifier: Apache-2.0 */
/* Peers, as the daemon reports them, in an order. Pure. */
#ifndef CTL_PEERS_ORDER_H
#define CTL_PEERS_ORDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct peers_order;

/* NULL: there is none of that name. */
const struct peers_order *peers_order(const char *key);

/* "worst, silent, …", and the one that `key` was probably meant to be, NULL: none. */
const char *peers_orders(const char *key, char *list, size_t size);

/* Not as the daemon has them? */
bool peers_order_sorts(const struct peers_order *order);

/* The first `most` of them, in a new array. */
json_t *peers_sorted(const json_t *peers, const struct peers_order *order, size_t most);

/* 0: the worst of all conditions; up is the best. */
size_t peers_badness(const json_t *peer);
#define BADNESS_BAD_MOST 3 /* up to here a path is dead, or nothing is known of it */

#endif
