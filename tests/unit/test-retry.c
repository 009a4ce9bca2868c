/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/util/retry.c: a descriptor that is ready, and a call that fails. */
#include "check.h"

#include <errno.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/retry.h"

struct lab {
    sd_event *loop;
    sd_event_source *io;
    struct retry retry;
    int fds[2], error;
    unsigned n_calls, n_said, n_resumed;
    uint64_t pause_us; /* after the failure that was said last */
    char said[256];
};

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct lab *lab = user;
    unsigned n_said = lab->n_said;

    lab->n_calls++;
    if (lab->error)
        (void)retry_failed(&lab->retry, "read", lab->error);
    else
        retry_worked(&lab->retry);
    if (lab->n_said > n_said)
        lab->pause_us = lab->retry.us;
    return 0;
}

static void on_say(void *user, const char *text)
{
    struct lab *lab = user;

    lab->n_said++;
    snprintf(lab->said, sizeof(lab->said), "%s", text);
}

static void on_resume(void *user)
{
    ((struct lab *)user)->n_resumed++;
}

static void lab_start(struct lab *lab)
{
    const struct retry_config config = {
        .who = "a pipe", .notify = on_say, .resume = on_resume, .user = lab};

    *lab = (struct lab){0};
    assert_int_equal(pipe(lab->fds), 0);
    assert_int_equal(write(lab->fds[1], "x", 1), 1);
    assert_int_equal(sd_event_new(&lab->loop), 0);
    assert_int_equal(sd_event_add_io(lab->loop, &lab->io, lab->fds[0], EPOLLIN, on_io, lab), 0);
    assert_int_equal(retry_init(&lab->retry, lab->io, &config), 0);
}

static void lab_end(struct lab *lab)
{
    retry_clear(&lab->retry);
    sd_event_source_disable_unref(lab->io);
    sd_event_unref(lab->loop);
    close(lab->fds[0]);
    close(lab->fds[1]);
}

/* Until it was called so often. */
static void run_calls(struct lab *lab, unsigned n_calls)
{
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + 60000000;

    while (lab->n_calls < n_calls) {
        assert_true(clock_us(CLOCK_MONOTONIC) < until_us);
        assert_true(sd_event_run(lab->loop, 5000) >= 0);
    }
}

/* 10, 20, 40, 80 ms: five calls in 150 ms, and not thousands. */
static void test_fails_for_ever(void **state)
{
    uint64_t began_us = clock_us(CLOCK_MONOTONIC);
    struct lab lab;

    lab_start(&lab);
    lab.error = EACCES;
    run_calls(&lab, 5);
    assert_true(clock_us(CLOCK_MONOTONIC) - began_us >= 150000);
    assert_in_range(lab.n_resumed, lab.n_calls - 1, lab.n_calls);
    assert_int_equal(lab.n_said, 1);
    assert_string_equal(lab.said, "a pipe: read: Permission denied (EACCES); it is tried again, "
                                  "after at most a second each time");
    lab_end(&lab);
}

static void test_another_error_and_works_again(void **state)
{
    struct lab lab;

    lab_start(&lab);
    lab.error = EACCES;
    run_calls(&lab, 2);
    lab.error = EIO;
    run_calls(&lab, 3);
    assert_int_equal(lab.n_said, 2);
    assert_non_null(strstr(lab.said, "(EIO)"));
    assert_true(lab.pause_us > 10000);
    lab.error = 0;
    run_calls(&lab, 4);
    assert_int_equal(lab.retry.us, 0); /* it is on: a callback each turn */
    lab.error = EIO;                   /* that begins anew */
    run_calls(&lab, 5);
    assert_int_equal(lab.n_said, 3);
    assert_int_equal(lab.pause_us, 10000);
    lab_end(&lab);
}

static void test_nothing(void **state)
{
    struct lab lab;

    lab_start(&lab);
    assert_false(retry_failed(&lab.retry, "read", EAGAIN));
    assert_false(retry_failed(&lab.retry, "read", EINTR));
    assert_true(retry_failed(&lab.retry, "read", EIO));
    assert_false(retry_failed(&lab.retry, "read", EIO)); /* it is off */
    retry_clear(&lab.retry);
    assert_false(retry_failed(&lab.retry, "read", EIO));
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fails_for_ever),
        cmocka_unit_test(test_another_error_and_works_again),
        cmocka_unit_test(test_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
