/* SPDX-License-Identifier: Apache-2.0 */
/* A loop beside the loop: served when nothing else waits, and in between. */
#include "check.h"

#include "aside.h"
#include "util/clock.h"
#include "util/ready.h"
#include "util/util.h"

#include <errno.h>
#include <unistd.h>

struct lab {
    sd_event *loop;
    struct aside *aside;
    sd_event_source *busy, *served, *timer;
    unsigned n_busy, n_served, n_timer;
    bool nested;
};

static int on_busy(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct lab *lab = user;

    lab->n_busy++;
    return 0;
}

static int on_served(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct lab *lab = user;

    lab->n_served++;
    if (lab->nested) /* what is done for it looks up */
        aside_turn(lab->aside);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t time_us, void *user)
{
    struct lab *lab = user;

    lab->n_timer++;
    return 0;
}

static int begin(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));
    sd_event *inner;

    assert_true(sd_event_new(&lab->loop) >= 0);
    assert_int_equal(aside_new(lab->loop, &lab->aside), 0);
    inner = aside_loop(lab->aside);
    assert_true(ready_add(lab->loop, &lab->busy, on_busy, lab) >= 0);
    assert_true(ready_add(inner, &lab->served, on_served, lab) >= 0);
    assert_true(
        sd_event_add_time(inner, &lab->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, lab) >= 0);
    *state = lab;
    return 0;
}

static int end(void **state)
{
    struct lab *lab = *state;

    sd_event_source_disable_unref(lab->busy);
    sd_event_source_disable_unref(lab->served);
    sd_event_source_disable_unref(lab->timer);
    lab->aside = aside_free(lab->aside);
    sd_event_unref(lab->loop);
    free(lab);
    return 0;
}

static int turn(struct lab *lab, uint64_t timeout_us)
{
    aside_arm(lab->aside);
    return sd_event_run(lab->loop, timeout_us);
}

static void served_when_nothing_else_waits(void **state)
{
    struct lab *lab = *state;

    sd_event_source_set_enabled(lab->served, SD_EVENT_ON);
    for (int i = 0; i < 10; i++)
        assert_true(turn(lab, 0) > 0);
    assert_true(lab->n_served >= 10);
    sd_event_source_set_enabled(lab->served, SD_EVENT_OFF);
    (void)turn(lab, 0);
    assert_int_equal(turn(lab, 0), 0); /* and it does not spin */
}

/* A loop that always has something of a higher priority starves the rest. */
static void served_in_between(void **state)
{
    struct lab *lab = *state;
    uint64_t begin_us = clock_us(CLOCK_MONOTONIC);

    sd_event_source_set_enabled(lab->served, SD_EVENT_ON);
    sd_event_source_set_enabled(lab->busy, SD_EVENT_ON);
    for (int i = 0; i < 100; i++)
        assert_true(turn(lab, 0) > 0);
    assert_int_equal(lab->n_busy, 100);
    lab->n_served = 0;
    while (!lab->n_served) {
        assert_true(turn(lab, 0) > 0);
        aside_turn(lab->aside);
        assert_true(clock_us(CLOCK_MONOTONIC) - begin_us < 10000000);
    }
}

/* Looking up without end does not serve without end. */
static void not_too_often(void **state)
{
    struct lab *lab = *state;

    sd_event_source_set_enabled(lab->served, SD_EVENT_ONESHOT);
    aside_turn(lab->aside); /* never served: at once */
    assert_int_equal(lab->n_served, 1);
    sd_event_source_set_enabled(lab->served, SD_EVENT_ONESHOT);
    for (uint64_t at_us = clock_us(CLOCK_MONOTONIC), now_us = at_us; now_us - at_us < 500;
         now_us = clock_us(CLOCK_MONOTONIC))
        if (clock_us(CLOCK_MONOTONIC) - at_us < 500)
            aside_turn(lab->aside);
    assert_in_range(lab->n_served, 1, 2); /* 2: this machine stood still for 4 ms */
}

static void not_within_itself(void **state)
{
    struct lab *lab = *state;

    lab->nested = true;
    sd_event_source_set_enabled(lab->served, SD_EVENT_ONESHOT);
    usleep(5000);
    aside_turn(lab->aside);
    assert_int_equal(lab->n_served, 1);
}

/* What is to happen at a time wakes the loop that waits. */
static void a_timer_wakes(void **state)
{
    struct lab *lab = *state;

    sd_event_source_set_time(lab->timer, clock_us(CLOCK_MONOTONIC) + 2000);
    sd_event_source_set_enabled(lab->timer, SD_EVENT_ONESHOT);
    while (!lab->n_timer)
        assert_true(turn(lab, 10000000) > 0 || lab->n_timer);
    /* set again from elsewhere, while it was armed for nothing */
    aside_arm(lab->aside);
    sd_event_source_set_time(lab->timer, clock_us(CLOCK_MONOTONIC) + 2000);
    sd_event_source_set_enabled(lab->timer, SD_EVENT_ONESHOT);
    while (lab->n_timer < 2)
        assert_true(turn(lab, 10000000) > 0 || lab->n_timer == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(served_when_nothing_else_waits, begin, end),
        cmocka_unit_test_setup_teardown(served_in_between, begin, end),
        cmocka_unit_test_setup_teardown(not_too_often, begin, end),
        cmocka_unit_test_setup_teardown(not_within_itself, begin, end),
        cmocka_unit_test_setup_teardown(a_timer_wakes, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
