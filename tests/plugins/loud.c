/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: none. Whoever loads it runs its code: that is seen on standard error. */
#include <unistd.h>

#include "fixture.h"

__attribute__((constructor)) static void loaded(void)
{
    static const char text[] = "the code of loud.so runs\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "loud", "a fixture", NULL, 0, 0);
