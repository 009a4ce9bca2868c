/* SPDX-License-Identifier: Apache-2.0 */
/* The node's relays. See relays.h. */
#include "relays.h"

#include "../state.h"
#include "instance.h"

#include "../../util/hex.h"

static void take_key(struct node_relays *relays, const char *key)
{
    relays->n_key = key ? hex_take(key, strlen(key), relays->key, RELAY_KEY_MAX) : 0;
}

static void forget(struct node_relays *relays)
{
    for (size_t i = 0; i < relays->n; i++) {
        free((void *)(uintptr_t)relays->list[i].name);
        free((void *)(uintptr_t)relays->list[i].address);
        free((void *)(uintptr_t)relays->list[i].speaks);
    }
    free(relays->list);
    *relays = (struct node_relays){0};
}

void relays_tell(const struct engine *engine, struct instance *instance)
{
    const struct node_relays *relays = &engine->relays;
    const struct pd_relays told = {
        .obeys = engine->node.features & NODE_RELAY,
        .told = relays->told,
        .list = relays->list,
        .n = relays->n,
        .key = relays->n_key ? relays->key : NULL,
        .n_key = relays->n_key,
    };

    instance_relays(instance, &told);
}

static void tell_all(struct engine *engine)
{
    for (size_t i = 0; i < engine->triggers.n_instances; i++)
        relays_tell(engine, engine->triggers.instances[i]);
}

void relays_node_up(struct engine *engine, bool same_boot)
{
    if (!same_boot)
        forget(&engine->relays);
    tell_all(engine);
}

void relays_take(struct engine *engine, const struct event_relays *event)
{
    struct node_relays *relays = &engine->relays;

    if (!engine->node.up) {
        engine->ignored++;
        return;
    }
    forget(relays);
    relays->told = true;
    relays->list = memory_new(event->n, sizeof(*relays->list));
    for (; relays->n < event->n; relays->n++)
        relays->list[relays->n] = (struct pd_relay){
            .name = string_copy(event->list[relays->n].name),
            .address = string_copy(event->list[relays->n].address),
            .speaks = string_copy(event->list[relays->n].speaks),
        };
    take_key(relays, event->key);
    tell_all(engine);
}

void relays_clear(struct engine *engine)
{
    forget(&engine->relays);
}
