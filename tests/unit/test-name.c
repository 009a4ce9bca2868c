/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a name: holds, and gaps between reconnects. */
#include "engine-lab.h"

#include "engine/peers/name.h"

static void gaps(void **state)
{
    struct lab *lab = *state;
    uint64_t gap_us = 10 * SEC;

    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), 0);
    for (unsigned i = 0; i < 12; i++) {
        name_reconnecting(lab->engine, "a", false);
        assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), lab->engine->now_us + gap_us);
        assert_int_equal(name_reconnect_allowed_us(lab->engine, "b"), 0);
        lab->engine->now_us += gap_us;
        assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), 0);
        gap_us = min_u64(gap_us * 2, 10 * MIN);
    }
}

static void lived(void **state)
{
    struct lab *lab = *state;
    uint64_t up_us = lab->engine->now_us;

    lab->engine->now_us += 100 * SEC;
    name_reconnecting(lab->engine, "a", false);
    name_reconnecting(lab->engine, "a", false); /* 20 s */
    name_lived(lab->engine, "a", up_us);        /* that was before */
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), lab->engine->now_us + 20 * SEC);
    up_us = lab->engine->now_us;
    lab->engine->now_us += 60 * SEC - 1;
    name_lived(lab->engine, "a", up_us);
    name_reconnecting(lab->engine, "a", false); /* 40 s */
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), lab->engine->now_us + 40 * SEC);
    lab->engine->now_us += 60 * SEC;
    name_lived(lab->engine, "a", up_us);
    name_reconnecting(lab->engine, "a", false);
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), lab->engine->now_us + 10 * SEC);
}

static void holds(void **state)
{
    struct lab *lab = *state;

    assert_false(name_held(lab->engine, "a"));
    lab_hold(lab, "a", 10 * SEC);
    assert_true(name_held(lab->engine, "a"));
    assert_false(name_held(lab->engine, "b"));
    lab->engine->now_us += 10 * SEC;
    assert_false(name_held(lab->engine, "a"));
    lab_hold(lab, NULL, 10 * SEC);
    assert_true(name_held(lab->engine, "b"));
    lab->engine->now_us += 10 * SEC;
    assert_false(name_held(lab->engine, "b"));
}

/* A name that nothing is remembered of costs nothing. */
static void forgotten(void **state)
{
    struct lab *lab = *state;
    uint32_t most = 0;

    lab_hold(lab, "kept", 0);
    for (unsigned i = 0; i < 5000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%u", i);
        lab_hold(lab, name, SEC);
        lab->now_us += SEC;
        most = lab->engine->names.count > most ? lab->engine->names.count : most;
    }
    assert_true(most <= 1025);
    assert_true(name_held(lab->engine, "kept"));
    lab_release(lab, "kept");
    assert_null(name_find(lab->engine, "kept"));
    lab_release(lab, "never");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(gaps),
        LAB_TEST(lived),
        LAB_TEST(holds),
        LAB_TEST(forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
