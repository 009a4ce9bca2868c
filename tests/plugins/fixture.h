/* SPDX-License-Identifier: Apache-2.0 */
/* A trigger that does nothing, and in each fixture has one defect. */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include <pathdog/trigger.h>

#define FIXTURE(abi_, size_, name_, summary_, options_, instance_size_, peer_size_)                \
    PD_TRIGGER(fixture) = {                                                                        \
        .abi = abi_,                                                                               \
        .size = size_,                                                                             \
        .name = name_,                                                                             \
        .summary = summary_,                                                                       \
        .options = options_,                                                                       \
        .instance_size = instance_size_,                                                           \
        .peer_size = peer_size_,                                                                   \
    }

#define FIXTURE_SIZE ((uint32_t)sizeof(struct pd_trigger))

#endif
