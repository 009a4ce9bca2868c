/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a state file: what is read is written and read again the same, and an
 * engine takes it without asking for anything because of it. */
#include "fuzz.h"

#include "engine/engine.h"
#include "kept.h"
#include "poke.h"
#include "state/text.h"

static void encode(struct buffer *out, const struct state *state)
{
    const struct learnt *learnt = &state->learnt;

    state_encode_head(out, state);
    for (size_t i = 0; i < learnt->n_names; i++)
        learnt_encode_name(out, &learnt->names[i], i ? ",\n" : "\n");
    learnt_encode_peers(out);
    for (size_t i = 0; i < learnt->n_peers; i++)
        learnt_encode_peer(out, &learnt->peers[i], i ? ",\n" : "\n");
    state_encode_end(out);
}

static void check_again(const struct state *state)
{
    struct buffer first = {0}, second = {0};
    struct arena arena = {0};
    struct state again;
    char error[200];

    encode(&first, state);
    MUST(!state_decode(buffer_bytes(&first), first.length, &arena, &again, error, sizeof(error)));
    encode(&second, &again);
    MUST(first.length == second.length);
    MUST(!memcmp(buffer_bytes(&first), buffer_bytes(&second), first.length));
    buffer_clear(&first);
    buffer_clear(&second);
    arena_clear(&arena);
}

static void handle(struct engine *engine, struct event *event)
{
    const struct outbox *box;

    event->now_us = event->realtime_us = 5000000;
    box = engine_handle(engine, event);
    for (size_t i = 0; i < box->n_actions; i++)
        MUST(box->actions[i].type == ACTION_SUMMARY);
}

/* The node tells every connection that the file names. */
static void check_engine(const struct learnt *learnt)
{
    struct poke poke = {0};
    struct pd_value value = poke_value(&poke);
    const struct instance_config instance = {
        .trigger = &pathdog_trigger_poke, .name = "poke", .values = &value};
    const struct engine_config config = {
        .sample_interval_us = 5000000,
        .close_interval_us = 500000,
        .close_max = 10,
        .max_peers = 100,
        .backoff_max_us = 300000000,
        .move_burst = 5,
        .move_refill_us = 10000000,
        .cooldown_us = 30000000,
        .cooldown_max_us = 900000000,
        .decisions_kept = 10,
        .choose = true,
        .instances = &instance,
        .n_instances = 1,
    };
    struct engine *engine;
    struct kept kept;

    MUST(!engine_new(&config, 1000000, 1000000, &engine));
    handle(engine, &(struct event){.type = EVENT_RESTORE, .restore = *learnt});
    kept_take(&kept, engine, 7);
    kept_free(&kept);
    handle(engine, &(struct event){
                       .type = EVENT_NODE_UP,
                       .node_up = {.node = "n", .boot = learnt->node_boot ? learnt->node_boot : ""},
                   });
    for (size_t i = 0; i < learnt->n_peers; i++)
        handle(engine, &(struct event){.type = EVENT_PEER_UP,
                                       .peer_up = {.peer = learnt->peers[i].peer,
                                                   .conn = learnt->peers[i].conn}});
    handle(engine, &(struct event){.type = EVENT_SNAPSHOT});
    kept_take(&kept, engine, 7);
    kept_free(&kept);
    engine_free(engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct state state;
    char error[200] = "";

    if (state_decode((const char *)data, size, &arena, &state, error, sizeof(error)) == 0) {
        check_again(&state);
        check_engine(&state.learnt);
    } else {
        MUST(*error);
    }
    arena_clear(&arena);
    return 0;
}
