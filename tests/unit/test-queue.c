/* SPDX-License-Identifier: Apache-2.0 */
/* The queue: strongest kind, then most in flight, then the oldest decision. */
#include "check.h"
#include "choice.h"
#include "engine/moves/queue.h"

#define COUNT 100

struct rig {
    struct peer peers[COUNT];
    struct reason reasons[COUNT];
    struct move moves[COUNT];
    bool in[COUNT];
};

static bool before(const struct move *a, const struct move *b)
{
    if (a->reason->kind != b->reason->kind)
        return a->reason->kind < b->reason->kind;
    if (a->peer->in_flight_bytes != b->peer->in_flight_bytes)
        return a->peer->in_flight_bytes > b->peer->in_flight_bytes;
    return a->decision < b->decision;
}

static struct move *first(struct rig *rig)
{
    struct move *first = NULL;

    for (size_t i = 0; i < COUNT; i++)
        if (rig->in[i] && (!first || before(&rig->moves[i], first)))
            first = &rig->moves[i];
    return first;
}

static void random_steps(void **state)
{
    struct choice choice = choice_seeded(11);
    struct migration migration = {0};
    struct rig *rig = memory_new(1, sizeof(*rig));
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        rig->moves[i] = (struct move){.peer = &rig->peers[i], .reason = &rig->reasons[i]};
    assert_null(queue_first(&migration));
    for (unsigned step = 0; step < 20000; step++) {
        size_t i = choose(&choice, COUNT);

        if (!rig->in[i]) {
            rig->reasons[i].kind = (enum pd_kind)choose(&choice, PD_KIND_COUNT);
            rig->peers[i].in_flight_bytes = (uint32_t)choose(&choice, 5);
            rig->moves[i].decision = step;
            queue_push(&migration, &rig->moves[i]);
            count++;
            rig->in[i] = true;
        } else if (choose(&choice, 3) == 0) {
            rig->peers[i].in_flight_bytes = (uint32_t)choose(&choice, 5);
            queue_resort(&migration, &rig->moves[i]);
        } else {
            struct move *move = choose(&choice, 2) ? &rig->moves[i] : queue_first(&migration);

            queue_remove(&migration, move);
            queue_remove(&migration, move); /* fine if it is not in it */
            rig->in[move - rig->moves] = false;
            count--;
        }
        assert_int_equal(migration.queue_count, count);
        assert_ptr_equal(queue_first(&migration), first(rig));
    }
    free(migration.queue);
    free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
