/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lab of uplinks-lab.h with ten connections on home, 1 to 10, that share its fate: they can be
 * made slow all at once. 7 has sent most of them.
 */
#ifndef TEST_FATE_LAB_H
#define TEST_FATE_LAB_H

#include "uplinks-lab.h"

#include "engine/stages/fate.h"
#include "engine/uplinks/groups.h"

#define PEERS    10u
#define ON_FAST  1000u /* a connection on fibre, which is always fast */
#define FAST     (50 * MS)
#define SLOW     (450 * MS)
#define SLOW_ALL UINT64_MAX

/* For cmocka. Fibre is known to be fast; nothing is known of other uplinks; the node probes them.
 */
int fate_setup(void **state);
int fate_setup_alone(void **state);
int fate_setup_probes(void **state);

/* A row of each connection: of those up to that number with this RTT, of the others a fast one. */
void fate_rows(struct lab *lab, uint64_t n_slow, uint64_t rtt_us);
/* A round in which they are slow, and advised so where they are on home or sat; it is not complete.
 */
void fate_slow_round(struct lab *lab, uint64_t n_slow);
void fate_end_round(struct lab *lab);

/* All are slow, and 7 is the scout: its request. */
uint64_t fate_scout_goes(struct lab *lab);
/* The effect of a move, by three rows. */
void fate_effect(struct lab *lab, uint64_t conn, uint64_t rtt_us);

void fate_expect_cause(struct lab *lab, const char *reason);
/* Decisions that were not read yet, of this verdict. All are read then. */
unsigned fate_count(struct lab *lab, enum verdict verdict);
/* Nothing is deferred of any connection. */
void fate_expect_none_waits(struct lab *lab);

#define FATE_TEST(function) cmocka_unit_test_setup_teardown(function, fate_setup, lab_teardown)
#define FATE_ALONE_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, fate_setup_alone, lab_teardown)
#define FATE_PROBE_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, fate_setup_probes, lab_teardown)

#endif
