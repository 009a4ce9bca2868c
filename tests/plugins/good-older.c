/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor of the same ABI as it first was. What stands behind its end is no callback, and is
 * not to be read. */
#include "fixture.h"

PD_TRIGGER(good_older) = {
    .abi = PD_TRIGGER_ABI,
    .size = (uint32_t)PD_TRIGGER_SIZE_MIN,
    .name = "good-older",
    .summary = "a fixture",
    .relays = (int (*)(struct pd_turn *, const struct pd_relays *))1,
    .tell_relay = (bool (*)(const void *, size_t, struct pd_relay_report *))1,
};
