/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lab with four uplinks, for tests of engine/uplinks/: home (up0, primary), fibre (up1) and
 * sat (up2), spares, and lte (wwan0), metered. Each has an address: 10.0.0.2, 10.0.1.2, 10.0.2.2,
 * 10.0.3.2.
 */
#ifndef TEST_UPLINKS_LAB_H
#define TEST_UPLINKS_LAB_H

#include "engine-lab.h"
#include "engine/inspect.h"
#include "engine/uplinks/uplinks.h"

#define ON_HOME  "10.0.0.2:9001"
#define ON_FIBRE "10.0.1.2:9001"
#define ON_SAT   "10.0.2.2:9001"
#define ON_LTE   "10.0.3.2:9001"

#define BINDS  (NODE_RECONNECT | NODE_BIND)
#define PROBES (BINDS | NODE_PROBE_PATH)

/* To be changed before uplinks_begin(). */
void uplinks_init(struct lab *lab, uint32_t features);
/* With all uplinks up, and the connection 1, p1, on home. */
void uplinks_begin(struct lab *lab);

/* For cmocka: such a lab, in *state. */
int uplinks_setup(void **state);         /* a node that binds */
int uplinks_setup_probes(void **state);  /* and probes */
int uplinks_setup_learned(void **state); /* no sections */

/* ---- what happens ---- */

/* All uplinks are up but those whose interfaces are in `down`: "up0 up1". */
void uplinks_host(struct lab *lab, const char *down);
void uplinks_config(struct lab *lab); /* takes lab->config as it is now */
/* A connection with an RTT of 50 ms. */
void uplinks_peer(struct lab *lab, uint64_t conn, const char *local);
void uplinks_peer_role(struct lab *lab, uint64_t conn, const char *local, enum pd_role role);
void uplinks_dead(struct lab *lab, uint64_t conn);
/* The trigger route: the kernel leads over that interface now. */
void uplinks_led(struct lab *lab, uint64_t conn, const char *interface);
void uplinks_moved(struct lab *lab, uint64_t request, const char *local);
/* Advised dead, and moved to this uplink; what follows from that can be read, or is forgotten. */
void uplinks_go(struct lab *lab, uint64_t conn, const char *interface, const char *local);
void uplinks_leave(struct lab *lab, uint64_t conn, const char *interface, const char *local);
void uplinks_hold(struct lab *lab, const char *name, uint64_t duration_us);
void uplinks_release(struct lab *lab, const char *name);
/* An answer to a probe; without an RTT an error. */
void uplinks_probed(struct lab *lab, uint64_t probe, uint64_t rtt_us);
/* Lets time pass, up to the next event. */
void uplinks_time(struct lab *lab, uint64_t span_us);

/* ---- what came of it ---- */

/* The next decision; "": no target. */
void uplinks_expect_choice(struct lab *lab, uint64_t conn, enum verdict verdict, const char *target,
                           const char *choice, const char *file, int line);
/* The next request, over this interface; "": none is named. */
uint64_t uplinks_expect_move(struct lab *lab, uint64_t conn, const char *interface,
                             const char *file, int line);
/* The last probe over this interface since that action, 0: none. */
uint64_t uplinks_find_probe(const struct lab *lab, size_t since, const char *interface);
unsigned uplinks_count_probes(const struct lab *lab, size_t since);
struct uplink *uplinks_get(const struct lab *lab, const char *name);
struct inspect_uplink uplinks_inspect(const struct lab *lab, const char *name);
/* The next record of an uplink says this; its reason. */
const char *uplinks_expect_change(struct lab *lab, const char *name, enum uplink_change change,
                                  const char *file, int line);

#define expect_choice(lab, conn, verdict, target, choice)                                          \
    uplinks_expect_choice(lab, conn, verdict, target, choice, __FILE__, __LINE__)
#define expect_move_over(lab, conn, interface)                                                     \
    uplinks_expect_move(lab, conn, interface, __FILE__, __LINE__)
#define expect_change(lab, name, change)                                                           \
    uplinks_expect_change(lab, name, change, __FILE__, __LINE__)

#define UPLINKS_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, uplinks_setup, lab_teardown)
#define UPLINKS_PROBE_TEST(function)                                                               \
    cmocka_unit_test_setup_teardown(function, uplinks_setup_probes, lab_teardown)
#define UPLINKS_LEARNED_TEST(function)                                                             \
    cmocka_unit_test_setup_teardown(function, uplinks_setup_learned, lab_teardown)

#endif
