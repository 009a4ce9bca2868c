/* SPDX-License-Identifier: Apache-2.0 */
/* The node's relays, as it told them last: kept for triggers that are started later. */
#ifndef ENGINE_RELAYS_H
#define ENGINE_RELAYS_H

#include "../event.h"

struct engine;
struct instance;

struct node_relays {
    bool told;
    struct pd_relay *list; /* owned, with its texts */
    size_t n;
    uint8_t key[RELAY_KEY_MAX];
    size_t n_key;
};

/* After the policies heard that it is up. Another boot has told nothing yet. */
void relays_node_up(struct engine *engine, bool same_boot);

void relays_take(struct engine *engine, const struct event_relays *event);

/* To an instance that is new. */
void relays_tell(const struct engine *engine, struct instance *instance);

void relays_clear(struct engine *engine);

#endif
