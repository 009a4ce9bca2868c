/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/resume, the source: clocks of the test's own, a real loop, the kernel's real routes, and
 * a logind of the test's own on a real bus (skipped without dbus-daemon).
 */
#include "check.h"

#include "../../plugins/resume/source.h"
#include "bus-rig.h"
#include "util/clock.h"
#include "util/util.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define SECOND 1000000ull
#define HOUR   (3600 * SECOND)
#define LOGIN  "org.freedesktop.login1"
#define PATH   "/org/freedesktop/login1"

/* Only a fault takes as long. */
#define PATIENCE_US UINT64_C(60000000)
/* Of a test in which nothing may come; no tick in between. */
#define NEVER_US HOUR

struct lab {
    struct pd_source_host host;
    struct bus_rig bus;
    sd_bus *logind;
    struct resume_source *source;
    int clock_set; /* the other end of what tells that the clock was set */
    int clock_set_error;
    int64_t suspended_us;
    unsigned n_slept, n_settled, n_notices;
    uint64_t slept_us, slept_at_us;
    char notice[256];
};

/* ---- in the place of the kernel ---- */

static uint64_t fake_now_us(void *user, clockid_t clock)
{
    struct lab *lab = user;

    return clock_us(CLOCK_MONOTONIC) + (clock == CLOCK_BOOTTIME ? (uint64_t)lab->suspended_us : 0);
}

static int fake_clock_set(void *user)
{
    struct lab *lab = user;

    if (lab->clock_set_error)
        return -lab->clock_set_error;
    lab->clock_set = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return lab->clock_set;
}

static void lab_emit(struct pd_source_host *host, const struct pd_signal *signal)
{
    struct lab *lab = CONTAINER_OF(host, struct lab, host);

    assert_int_equal(signal->query, 0);
    if (!strcmp(signal->kind, "slept")) {
        assert_int_equal(signal->n_fields, 1);
        assert_string_equal(signal->fields[0].name, "slept_us");
        lab->slept_us = signal->fields[0].number;
        lab->slept_at_us = clock_us(CLOCK_MONOTONIC);
        lab->n_slept++;
    } else {
        assert_string_equal(signal->kind, "settled");
        lab->n_settled++;
    }
}

static void lab_notice(struct pd_source_host *host, enum pd_level level, const char *what,
                       const char *text)
{
    struct lab *lab = CONTAINER_OF(host, struct lab, host);

    lab->n_notices++;
    snprintf(lab->notice, sizeof(lab->notice), "%d %s: %s", (int)level, what, text);
}

/* ---- the lab ---- */

static int set_up(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    *state = lab;
    lab->suspended_us = 1000 * (int64_t)HOUR; /* before pathdog came */
    lab->host.size = sizeof(lab->host);
    lab->host.emit = lab_emit;
    lab->host.notice = lab_notice;
    return bus_rig_new(&lab->bus) < 0 || sd_event_new(&lab->host.loop) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct lab *lab = *state;

    resume_source_free(lab->source);
    sd_bus_flush_close_unref(lab->logind);
    bus_rig_free(&lab->bus);
    sd_event_unref(lab->host.loop);
    free(lab);
    return 0;
}

static void start(struct lab *lab, const char *bus, uint64_t tick_us)
{
    const struct resume_source_config config = {
        .kernel = {.now_us = fake_now_us, .clock_set = fake_clock_set, .user = lab},
        .bus = bus,
        .tick_us = tick_us,
    };

    assert_int_equal(resume_source_new(&lab->host, &config, &lab->source), 0);
}

static void turn(struct lab *lab)
{
    assert_true(sd_event_run(lab->host.loop, 20000) >= 0);
}

static void wait_for(struct lab *lab, const unsigned *count, unsigned wanted)
{
    uint64_t end_us = clock_us(CLOCK_MONOTONIC) + PATIENCE_US;

    while (*count < wanted) {
        assert_true(clock_us(CLOCK_MONOTONIC) < end_us);
        turn(lab);
    }
    assert_int_equal(*count, wanted);
}

static void turns(struct lab *lab, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        turn(lab);
}

/* ---- the clocks ---- */

static void test_each_tick(void **state)
{
    struct lab *lab = *state;

    start(lab, "", 10000);
    turns(lab, 5);
    assert_int_equal(lab->n_slept, 0); /* what it slept before says nothing */
    lab->suspended_us += 312 * SECOND;
    wait_for(lab, &lab->n_slept, 1);
    assert_in_range(lab->slept_us, 312 * SECOND - 1000, 312 * SECOND + 1000);
    turns(lab, 10);
    assert_int_equal(lab->n_slept, 1); /* once */
    lab->suspended_us += 5 * SECOND;
    wait_for(lab, &lab->n_slept, 2);
    assert_in_range(lab->slept_us, 5 * SECOND - 1000, 5 * SECOND + 1000);
    assert_int_equal(lab->n_notices, 0);
}

/* Where the clocks never differ by more than before nothing is said, however often they are read.
 */
static void test_it_never_sleeps(void **state)
{
    struct lab *lab = *state;

    start(lab, "", 1000);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(eventfd_write(lab->clock_set, 1), 0);
        turn(lab);
    }
    assert_int_equal(lab->n_slept, 0);
    assert_int_equal(lab->n_settled, 0);
    assert_int_equal(lab->n_notices, 0);
}

/* The kernel says that the wall clock was set: it does at a resume, and whenever NTP sets it. */
static void test_the_wall_clock_is_set(void **state)
{
    struct lab *lab = *state;

    start(lab, "", NEVER_US);
    assert_int_equal(eventfd_write(lab->clock_set, 1), 0);
    turns(lab, 3);
    assert_int_equal(lab->n_slept, 0); /* the clock alone proves nothing */
    for (unsigned i = 1; i <= 2; i++) {
        lab->suspended_us += 40 * SECOND;
        assert_int_equal(eventfd_write(lab->clock_set, 1), 0);
        wait_for(lab, &lab->n_slept, i);
    }
}

static void test_a_kernel_that_refuses(void **state)
{
    struct lab *lab = *state;
    const struct resume_source_config config = {
        .kernel = {.now_us = fake_now_us, .clock_set = fake_clock_set, .user = lab},
        .bus = "",
        .tick_us = SECOND,
    };

    lab->clock_set_error = EMFILE;
    assert_int_equal(resume_source_new(&lab->host, &config, &lab->source), -EMFILE);
    assert_null(lab->source);
    assert_string_equal(lab->notice,
                        "3 resume-clocks: cannot watch the clocks: Too many open files");
}

/* ---- the routes ---- */

/* Half a second without a change, or two seconds: the machine of the test may have changes. */
static void test_the_routes_settle(void **state)
{
    struct lab *lab = *state;
    uint64_t took_us;

    start(lab, "", 10000);
    lab->suspended_us += 60 * SECOND;
    wait_for(lab, &lab->n_slept, 1);
    assert_int_equal(lab->n_settled, 0);
    wait_for(lab, &lab->n_settled, 1);
    took_us = clock_us(CLOCK_MONOTONIC) - lab->slept_at_us;
    assert_in_range(took_us, 490000, PATIENCE_US);
    turns(lab, 40);
    assert_int_equal(lab->n_settled, 1);
}

/* It sleeps again meanwhile: once, after the second one. */
static void test_the_wait_begins_anew(void **state)
{
    struct lab *lab = *state;

    start(lab, "", 10000);
    lab->suspended_us += 60 * SECOND;
    wait_for(lab, &lab->n_slept, 1);
    lab->suspended_us += 60 * SECOND;
    wait_for(lab, &lab->n_slept, 2);
    wait_for(lab, &lab->n_settled, 1);
    assert_true(clock_us(CLOCK_MONOTONIC) - lab->slept_at_us >= 490000);
    turns(lab, 40);
    assert_int_equal(lab->n_settled, 1);
}

/* ---- logind ---- */

static void logind_start(struct lab *lab)
{
    assert_true(sd_bus_new(&lab->logind) >= 0);
    assert_true(sd_bus_set_address(lab->logind, lab->bus.address) >= 0);
    assert_true(sd_bus_set_bus_client(lab->logind, true) >= 0);
    assert_true(sd_bus_start(lab->logind) >= 0);
    assert_true(sd_bus_request_name(lab->logind, LOGIN, 0) >= 0);
}

static void logind_stop(struct lab *lab)
{
    lab->logind = sd_bus_flush_close_unref(lab->logind);
}

static void prepare_for_sleep(struct lab *lab, bool sleeping)
{
    assert_true(sd_bus_emit_signal(lab->logind, PATH, LOGIN ".Manager", "PrepareForSleep", "b",
                                   (int)sleeping) >= 0);
    assert_true(sd_bus_flush(lab->logind) >= 0);
}

/* Whether the source listens already only a signal can show: it is given until one was heard. */
static void wait_slept(struct lab *lab)
{
    uint64_t end_us = clock_us(CLOCK_MONOTONIC) + PATIENCE_US;
    unsigned before = lab->n_slept;

    lab->suspended_us += 60 * SECOND;
    while (lab->n_slept == before) {
        assert_true(clock_us(CLOCK_MONOTONIC) < end_us);
        prepare_for_sleep(lab, false);
        turns(lab, 3);
    }
    assert_int_equal(lab->n_slept, before + 1);
}

static void test_logind(void **state)
{
    struct lab *lab = *state;

    if (!bus_rig_possible())
        skip();
    bus_rig_start(&lab->bus);
    start(lab, lab->bus.address, NEVER_US);
    logind_start(lab);
    wait_slept(lab);
    prepare_for_sleep(lab, true); /* before it: nothing has happened yet */
    turns(lab, 3);
    assert_int_equal(lab->n_slept, 1);
    lab->suspended_us += 20 * SECOND;
    prepare_for_sleep(lab, false);
    wait_for(lab, &lab->n_slept, 2);
    assert_in_range(lab->slept_us, 20 * SECOND - 1000, 20 * SECOND + 1000);
    assert_int_equal(lab->n_notices, 0);
}

/* The signal before the sleep is read after it: then that one will do. */
static void test_logind_says_it_before_only(void **state)
{
    struct lab *lab = *state;

    if (!bus_rig_possible())
        skip();
    bus_rig_start(&lab->bus);
    start(lab, lab->bus.address, NEVER_US);
    logind_start(lab);
    wait_slept(lab);
    lab->suspended_us += 20 * SECOND;
    prepare_for_sleep(lab, true);
    wait_for(lab, &lab->n_slept, 2);
    prepare_for_sleep(lab, false);
    turns(lab, 3);
    assert_int_equal(lab->n_slept, 2);
}

/* There is a logind, and it never says a word: the next tick finds out. */
static void test_a_silent_logind(void **state)
{
    struct lab *lab = *state;

    if (!bus_rig_possible())
        skip();
    bus_rig_start(&lab->bus);
    logind_start(lab);
    start(lab, lab->bus.address, 10000);
    turns(lab, 5);
    lab->suspended_us += 60 * SECOND;
    wait_for(lab, &lab->n_slept, 1);
    assert_int_equal(lab->n_notices, 0);
}

/* What is said alone proves nothing. */
static void test_signals_without_a_sleep(void **state)
{
    struct lab *lab = *state;

    if (!bus_rig_possible())
        skip();
    bus_rig_start(&lab->bus);
    start(lab, lab->bus.address, NEVER_US);
    logind_start(lab);
    wait_slept(lab);
    for (unsigned i = 0; i < 100; i++) {
        prepare_for_sleep(lab, true);
        prepare_for_sleep(lab, false);
    }
    assert_true(sd_bus_emit_signal(lab->logind, PATH, LOGIN ".Manager", "PrepareForSleep", "s",
                                   "true") >= 0);
    assert_true(sd_bus_emit_signal(lab->logind, PATH, LOGIN ".Manager", "PrepareForSleep", NULL) >=
                0);
    wait_slept(lab); /* all of these were read by then */
    assert_int_equal(lab->n_slept, 2);
    assert_int_equal(lab->n_notices, 0);
}

static void test_the_bus_goes_and_comes(void **state)
{
    struct lab *lab = *state;

    if (!bus_rig_possible())
        skip();
    start(lab, lab->bus.address, NEVER_US); /* there is none yet */
    turns(lab, 3);
    for (unsigned i = 0; i < 2; i++) {
        bus_rig_start(&lab->bus);
        logind_start(lab);
        wait_slept(lab);
        logind_stop(lab);
        turns(lab, 3);
        bus_rig_stop(&lab->bus);
        turns(lab, 3);
    }
    assert_int_equal(lab->n_notices, 0);
}

static void test_logind_goes_and_comes(void **state)
{
    struct lab *lab = *state;

    if (!bus_rig_possible())
        skip();
    bus_rig_start(&lab->bus);
    start(lab, lab->bus.address, NEVER_US);
    for (unsigned i = 0; i < 3; i++) {
        logind_start(lab);
        wait_slept(lab);
        logind_stop(lab);
        turns(lab, 3);
    }
}

/* Somebody listens and never says a word, or is no bus at all: the clocks are looked at. */
static void test_what_is_no_bus(void **state)
{
    static const char *const words[] = {"",
                                        "tcp:host=localhost,port=1",
                                        "unixexec:path=/bin/false",
                                        "unix:path=/a;unix:path=/b",
                                        "/run/dbus",
                                        "unix:path=/nowhere/bus"};
    struct lab *lab = *state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(name.sun_path, sizeof(name.sun_path), "%s", lab->bus.path);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(fd, 1), 0);
    for (size_t i = 0; i <= ARRAY_SIZE(words); i++) {
        start(lab, i < ARRAY_SIZE(words) ? words[i] : lab->bus.address, 10000);
        lab->suspended_us += 60 * SECOND;
        wait_for(lab, &lab->n_slept, (unsigned)i + 1);
        resume_source_free(lab->source);
        lab->source = NULL;
    }
    close(fd);
    assert_int_equal(lab->n_notices, 0);
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_each_tick),
        LAB_TEST(test_it_never_sleeps),
        LAB_TEST(test_the_wall_clock_is_set),
        LAB_TEST(test_a_kernel_that_refuses),
        LAB_TEST(test_the_routes_settle),
        LAB_TEST(test_the_wait_begins_anew),
        LAB_TEST(test_logind),
        LAB_TEST(test_logind_says_it_before_only),
        LAB_TEST(test_a_silent_logind),
        LAB_TEST(test_signals_without_a_sleep),
        LAB_TEST(test_the_bus_goes_and_comes),
        LAB_TEST(test_logind_goes_and_comes),
        LAB_TEST(test_what_is_no_bus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
