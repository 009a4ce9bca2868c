/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/resume/meter.c: how long the machine slept, by clocks of the test's own. */
#include "check.h"

#include "../../plugins/resume/meter.h"
#include "util/util.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

struct clocks {
    int64_t monotonic_us, suspended_us;
    unsigned pauses;   /* so many readings are interrupted */
    int64_t paused_us; /* by so long each */
};

static uint64_t now_us(void *user, clockid_t clock)
{
    struct clocks *clocks = user;

    if (clocks->pauses && clock == CLOCK_BOOTTIME) {
        clocks->pauses--;
        clocks->monotonic_us += clocks->paused_us; /* between this reading and the one before */
    }
    return (uint64_t)(clocks->monotonic_us + (clock == CLOCK_BOOTTIME ? clocks->suspended_us : 0));
}

static uint64_t take(struct sleep_meter *meter, struct clocks *clocks)
{
    const struct resume_kernel kernel = {.now_us = now_us, .user = clocks};

    clocks->monotonic_us += SECOND;
    return sleep_meter_take(meter, &kernel);
}

static void test_how_long(void **state)
{
    static const int64_t spans[] = {SECOND, 9999 * MS, 29900 * MS, 30 * SECOND, 5000 * HOUR};
    struct clocks clocks = {HOUR, 1000 * HOUR, 0, 0};
    struct sleep_meter meter = {0};

    (void)state;
    assert_int_equal(take(&meter, &clocks), 0); /* what it slept before says nothing */
    for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
        clocks.suspended_us += spans[i];
        assert_int_equal(take(&meter, &clocks), spans[i]);
        assert_int_equal(take(&meter, &clocks), 0); /* once */
    }
}

static void test_a_clock_that_never_jumps(void **state)
{
    struct clocks clocks = {HOUR, 0, 0, 0};
    struct sleep_meter meter = {0};

    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(take(&meter, &clocks), 0);
}

/* Less than a second is no sleep, and is not forgotten. */
static void test_many_short_ones(void **state)
{
    struct clocks clocks = {HOUR, 0, 0, 0};
    struct sleep_meter meter = {0};

    (void)state;
    assert_int_equal(take(&meter, &clocks), 0);
    clocks.suspended_us += 999999;
    assert_int_equal(take(&meter, &clocks), 0);
    clocks.suspended_us += 1;
    assert_int_equal(take(&meter, &clocks), SECOND);
    clocks.suspended_us += 600 * MS;
    assert_int_equal(take(&meter, &clocks), 0);
    clocks.suspended_us += 600 * MS;
    assert_int_equal(take(&meter, &clocks), 1200 * MS);
}

/* Stopped between two readings of the clocks (SIGSTOP, a machine that is busy): that is no sleep.
 */
static void test_stopped_while_reading(void **state)
{
    struct clocks clocks = {.paused_us = HOUR};
    struct sleep_meter meter = {0};

    (void)state;
    assert_int_equal(take(&meter, &clocks), 0);
    for (unsigned pauses = 1; pauses <= 10; pauses++) {
        clocks.pauses = pauses;
        assert_int_equal(take(&meter, &clocks), 0);
    }
    clocks.pauses = 0;
    assert_int_equal(take(&meter, &clocks), 0);
    clocks.suspended_us += 20 * SECOND;
    clocks.pauses = 2;
    assert_int_equal(take(&meter, &clocks), 20 * SECOND);
}

/* Each reading of the first call, too: nothing is known until one is not interrupted. */
static void test_stopped_at_the_start(void **state)
{
    struct clocks clocks = {.paused_us = HOUR, .pauses = 7};
    struct sleep_meter meter = {0};

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(take(&meter, &clocks), 0);
    assert_int_equal(clocks.pauses, 0);
    clocks.suspended_us += 20 * SECOND;
    assert_int_equal(take(&meter, &clocks), 20 * SECOND);
}

/* A clock that is set back, as for a process that goes on elsewhere, is no sleep. What comes after
 * it is one. */
static void test_a_clock_that_goes_back(void **state)
{
    struct clocks clocks = {HOUR, 1000 * HOUR, 0, 0};
    struct sleep_meter meter = {0};

    (void)state;
    assert_int_equal(take(&meter, &clocks), 0);
    clocks.suspended_us -= 500 * SECOND;
    assert_int_equal(take(&meter, &clocks), 0);
    clocks.suspended_us += 20 * SECOND;
    assert_int_equal(take(&meter, &clocks), 20 * SECOND);
}

/* In a time namespace CLOCK_BOOTTIME may be behind CLOCK_MONOTONIC, by any number of days. */
static void test_a_time_namespace(void **state)
{
    struct clocks clocks = {9000 * HOUR, -1000 * HOUR, 0, 0};
    struct sleep_meter meter = {0};

    (void)state;
    assert_int_equal(take(&meter, &clocks), 0);
    clocks.suspended_us += 31 * SECOND;
    assert_int_equal(take(&meter, &clocks), 31 * SECOND);
    clocks.suspended_us += 2000 * HOUR; /* to the other side */
    assert_int_equal(take(&meter, &clocks), 2000 * HOUR);
}

/* The kernel's own: there is such a timer, it is quiet, and the clocks are read. */
static void test_the_real_kernel(void **state)
{
    struct sleep_meter meter = {0};
    struct itimerspec armed;
    uint64_t count;
    int fd = resume_kernel_real.clock_set(NULL);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(timerfd_gettime(fd, &armed), 0);
    assert_true(armed.it_value.tv_sec > 0);
    assert_int_equal(read(fd, &count, sizeof(count)), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
    assert_int_equal(sleep_meter_take(&meter, &resume_kernel_real), 0);
    assert_true(meter.started);
    assert_int_equal(sleep_meter_take(&meter, &resume_kernel_real), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_long),
        cmocka_unit_test(test_a_clock_that_never_jumps),
        cmocka_unit_test(test_many_short_ones),
        cmocka_unit_test(test_stopped_while_reading),
        cmocka_unit_test(test_stopped_at_the_start),
        cmocka_unit_test(test_a_clock_that_goes_back),
        cmocka_unit_test(test_a_time_namespace),
        cmocka_unit_test(test_the_real_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
