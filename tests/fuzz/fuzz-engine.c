/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes are choices of the simulator (tests/sim): what happens next to an
 * engine. Whatever that is, what must always hold is checked after each step.
 */
#include "sim.h"
#include "util/util.h"

#define STEPS_MAX 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim *sim = memory_new(1, sizeof(*sim)); /* too large for a stack */

    sim_init(sim, choice_bytes(data, size));
    while (!choice_over(&sim->choice) && sim->step < STEPS_MAX)
        sim_step(sim);
    sim_finish(sim);
    free(sim);
    return 0;
}
