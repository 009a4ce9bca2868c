/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/out/writer.c with a journald that stands still. */
#include "check.h"

#include <errno.h>
#include <semaphore.h>

#include "out/writer.h"
#include "util/clock.h"

/* The stand-in for journald: takes an entry for each `allowed`. */
static struct {
    sem_t allowed, taken;
    unsigned n_sent;
    int error;
    char last[64];
} journald;

static ssize_t slow_send(int fd, const char *bytes, size_t n_bytes)
{
    while (sem_wait(&journald.allowed))
        ;
    assert_int_equal(fd, 17);
    snprintf(journald.last, sizeof(journald.last), "%.*s", (int)n_bytes, bytes);
    journald.n_sent++;
    sem_post(&journald.taken);
    return journald.error ? journald.error : (ssize_t)n_bytes;
}

struct rig {
    sd_event *loop;
    struct writer *writer;
    unsigned n_room; /* how often the loop was told */
};

static void on_room(void *user)
{
    ((struct rig *)user)->n_room++;
}

static void start(struct rig *rig, size_t max_entries, size_t max_bytes)
{
    const struct writer_config config = {.fd = 17,
                                         .max_entries = max_entries,
                                         .max_bytes = max_bytes,
                                         .send = slow_send,
                                         .room = on_room,
                                         .user = rig};

    *rig = (struct rig){0};
    sem_init(&journald.allowed, 0, 0);
    sem_init(&journald.taken, 0, 0);
    journald.n_sent = 0;
    journald.error = 0;
    assert_int_equal(sd_event_new(&rig->loop), 0);
    assert_int_equal(writer_new(rig->loop, &config, &rig->writer), 0);
}

/* Stops it; the rest must be lost. */
static void end(struct rig *rig, uint64_t timeout_us, uint64_t lost, bool stuck)
{
    bool is_stuck;

    assert_int_equal(writer_stop(rig->writer, clock_us(CLOCK_MONOTONIC) + timeout_us, &is_stuck),
                     lost);
    assert_int_equal(is_stuck, stuck);
    writer_free(rig->writer);
    sd_event_unref(rig->loop);
}

/* As it is done by the sink: only where there is room. */
static bool push(struct rig *rig, unsigned number, uint64_t n_records)
{
    struct buffer entry = {0};
    char text[32];

    if (!writer_has_room(rig->writer))
        return false;
    snprintf(text, sizeof(text), "N=%06u", number); /* 8 bytes */
    buffer_text(&entry, text);
    writer_push(rig->writer, &entry, n_records);
    buffer_clear(&entry);
    return true;
}

static void allow(unsigned n)
{
    struct timespec until;

    for (unsigned i = 0; i < n; i++)
        sem_post(&journald.allowed);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(sem_timedwait(&journald.taken, &until), 0);
}

static void room_wait(struct rig *rig, unsigned n)
{
    while (rig->n_room < n)
        assert_true(sd_event_run(rig->loop, 60000000) > 0);
}

static void test_order_and_stop(void **state)
{
    struct rig rig;

    start(&rig, 100, 1 << 20);
    for (unsigned i = 0; i < 20; i++)
        assert_true(push(&rig, i, 1));
    allow(20);
    assert_string_equal(journald.last, "N=000019");
    end(&rig, 10000000, 0, false);
}

/* Full: nothing is dropped, and the loop is told once, when half is free again. */
static void full(size_t max_entries, size_t max_bytes)
{
    struct rig rig;
    unsigned n = 0;

    start(&rig, max_entries, max_bytes);
    while (push(&rig, n, 1))
        n++;
    assert_int_equal(n, 8);
    assert_true(sd_event_run(rig.loop, 0) == 0);
    allow(3);
    assert_true(sd_event_run(rig.loop, 1000) == 0);
    allow(1);
    room_wait(&rig, 1);
    assert_true(push(&rig, n++, 1));
    allow(5);
    end(&rig, 10000000, 0, false);
    assert_int_equal(journald.n_sent, n);
    assert_int_equal(rig.n_room, 1);
}

static void test_full_by_entries(void **state)
{
    full(8, 1 << 20);
}

static void test_full_by_bytes(void **state)
{
    full(1000, 64);
}

/* What was written is given back though nothing more comes. */
static void test_much_is_given_back(void **state)
{
    struct buffer large = {0};
    struct rig rig;

    start(&rig, 100, 8 << 20);
    memset(buffer_space(&large, 1 << 20), 'x', 1 << 20);
    buffer_added(&large, 1 << 20);
    for (unsigned i = 0; i < 3; i++)
        writer_push(rig.writer, &large, 1);
    allow(3);
    room_wait(&rig, 1);
    buffer_clear(&large);
    end(&rig, 10000000, 0, false);
}

static void test_refused(void **state)
{
    struct rig rig;
    int error;

    start(&rig, 100, 1 << 20);
    assert_int_equal(writer_lost(rig.writer, &error), 0);
    assert_int_equal(error, 0);
    journald.error = -EMSGSIZE;
    assert_true(push(&rig, 1, 5)); /* an entry that tells of four others */
    allow(1);
    room_wait(&rig, 1); /* said at once, but not again */
    assert_int_equal(writer_lost(rig.writer, &error), 5);
    assert_int_equal(error, EMSGSIZE);
    assert_true(push(&rig, 1, 1));
    allow(1);
    end(&rig, 10000000, 1, false);
    assert_int_equal(rig.n_room, 1);
}

static void test_wait(void **state)
{
    struct rig rig;
    unsigned n = 0;

    start(&rig, 8, 1 << 20);
    while (push(&rig, n, 1))
        n++;
    assert_false(writer_wait(rig.writer, clock_us(CLOCK_MONOTONIC) + 2000));
    allow(4);
    assert_true(writer_wait(rig.writer, clock_us(CLOCK_MONOTONIC) + 60000000));
    allow(4);
    end(&rig, 10000000, 0, false);
}

/* Nothing is ever taken: stop comes back in time and says what is lost. */
static void test_stuck(void **state)
{
    uint64_t began_us = clock_us(CLOCK_MONOTONIC);
    struct rig rig;

    start(&rig, 100, 1 << 20);
    for (unsigned i = 0; i < 5; i++)
        assert_true(push(&rig, i, i == 2 ? 7 : 1));
    end(&rig, 50000, 11, true);
    assert_true(clock_us(CLOCK_MONOTONIC) - began_us < 30000000);
    allow(1); /* it was only detached: let it end */
    assert_int_equal(journald.n_sent, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_stop), cmocka_unit_test(test_full_by_entries),
        cmocka_unit_test(test_full_by_bytes),  cmocka_unit_test(test_much_is_given_back),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_stuck),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
