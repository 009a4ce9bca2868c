/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of what the newer word does: a peer, requests of it, and what takes them back. */
#ifndef TEST_NEWER_LAB_H
#define TEST_NEWER_LAB_H

#include "uplinks-lab.h"

#define KEEPS (NODE_RECONNECT | NODE_MAKE_BEFORE_BREAK)

/* What a node answers to a request that it was told to give up. */
#define CANCELLED NODE_CANCELLED

static inline void begin(struct lab *lab, uint32_t features, bool prefer_reconnect)
{
    lab_init(lab);
    lab->features = features;
    lab->prefer_reconnect = prefer_reconnect;
    lab->config.n_instances = 2;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 50000);
}

static inline int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    begin(lab, KEEPS, false);
    *state = lab;
    return 0;
}

static inline int setup_old(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    begin(lab, NODE_RECONNECT, false);
    *state = lab;
    return 0;
}

static inline int setup_reconnects(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    begin(lab, KEEPS, true);
    *state = lab;
    return 0;
}

/* The network leads elsewhere, by that trigger's word. */
static inline void moved(struct lab *lab, uint64_t conn, const char *word)
{
    lab_advise_full(lab, conn, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = word});
}

/* The last action before the request is the cancel of that one. */
static inline void expect_cancel(struct lab *lab, uint64_t request)
{
    const struct lab_action *cancel = lab_find_action(lab, ACTION_CANCEL);

    assert_non_null(cancel);
    assert_int_equal(cancel->request, request);
    assert_int_equal(cancel->at_us, lab->now_us);
}

/* Asked, and taken back 10 ms later for another: the number of that. */
static inline uint64_t taken_back(struct lab *lab, uint64_t *ret_first)
{
    moved(lab, 17, "one");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    *ret_first = expect_migrate(lab, 17);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "two");
    expect_outcome(lab, 17, OUTCOME_CANCELLED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    return expect_migrate(lab, 17);
}

#define NEW_TEST(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)
#define OLD_TEST(function) cmocka_unit_test_setup_teardown(function, setup_old, lab_teardown)
#define DIAL_TEST(function)                                                                        \
    cmocka_unit_test_setup_teardown(function, setup_reconnects, lab_teardown)

#endif
