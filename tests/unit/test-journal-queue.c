/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/out/journal.c with a journald that stands still. */
#include "check.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "out/format.h"
#include "out/journal.h"

/* The stand-in for journald: takes an entry for each `allowed`. */
static struct {
    sem_t allowed, taken;
    unsigned n_sent;
    int answer;
    char last[64];
} journald;

static int slow_send(const struct iovec *fields, int n_fields)
{
    while (sem_wait(&journald.allowed))
        ;
    assert_int_equal(n_fields, 1);
    snprintf(journald.last, sizeof(journald.last), "%.*s", (int)fields[0].iov_len,
             (const char *)fields[0].iov_base);
    journald.n_sent++;
    sem_post(&journald.taken);
    return journald.answer;
}

static uint64_t dropped(struct journal *journal)
{
    uint64_t n;

    (void)journal_has_room(journal, &n);
    return n;
}

static uint64_t push(struct journal *journal, unsigned number)
{
    struct buffer entry = {0};
    uint64_t said = dropped(journal);
    char text[32];
    uint32_t length = (uint32_t)snprintf(text, sizeof(text), "N=%u", number);

    buffer_append(&entry, &length, sizeof(length));
    buffer_append(&entry, text, length);
    journal_push(journal, &entry, said);
    buffer_clear(&entry);
    return said;
}

static void allow(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sem_post(&journald.allowed);
    for (unsigned i = 0; i < n; i++) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 60;
        assert_int_equal(sem_timedwait(&journald.taken, &until), 0);
    }
}

static struct journal *start(size_t max_entries, size_t max_bytes)
{
    struct journal *journal = NULL;
    const struct journal_config config = {
        .max_entries = max_entries, .max_bytes = max_bytes, .send = slow_send};

    sem_init(&journald.allowed, 0, 0);
    sem_init(&journald.taken, 0, 0);
    journald.n_sent = 0;
    journald.answer = 0;
    assert_int_equal(journal_new(&config, &journal), 0);
    return journal;
}

static void test_order_and_stop(void **state)
{
    struct journal *journal = start(100, 1 << 20);

    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(push(journal, i), 0);
    allow(20);
    assert_string_equal(journald.last, "N=19");
    assert_int_equal(journal_stop(journal, 10000000), 0);
    journal_free(journal);
}

static void test_full_by_entries(void **state)
{
    struct journal *journal = start(8, 1 << 20);

    for (unsigned i = 0; i < 30; i++)
        push(journal, i);
    assert_int_equal(dropped(journal), 22);
    allow(8);
    assert_string_equal(journald.last, "N=7");
    /* The next one that fits says it, once. The thread may still hold the last. */
    while (push(journal, 100), dropped(journal))
        ;
    assert_int_equal(push(journal, 101), 0);
    allow(2);
    assert_string_equal(journald.last, "N=101");
    assert_int_equal(journal_stop(journal, 10000000), 0);
    journal_free(journal);
}

static void test_full_by_bytes(void **state)
{
    struct journal *journal = start(100, 25); /* three of 8 bytes */

    for (unsigned i = 0; i < 5; i++)
        push(journal, i);
    assert_int_equal(dropped(journal), 2);
    allow(3);
    assert_int_equal(journal_stop(journal, 10000000), 2);
    assert_int_equal(journald.n_sent, 3);
    journal_free(journal);
}

/* What is not even made is said as well. */
static void test_no_room(void **state)
{
    struct journal *journal = start(2, 1 << 20);
    uint64_t n = 1;

    assert_true(journal_has_room(journal, &n));
    assert_int_equal(n, 0);
    push(journal, 1);
    push(journal, 2);
    assert_false(journal_has_room(journal, &n));
    journal_drop(journal);
    journal_drop(journal);
    assert_int_equal(dropped(journal), 2);
    allow(2);
    while (!journal_has_room(journal, &n)) /* the thread may still hold the last */
        ;
    assert_int_equal(push(journal, 3), 2);
    assert_int_equal(dropped(journal), 0);
    allow(1);
    assert_int_equal(journal_stop(journal, 10000000), 0);
    journal_free(journal);
}

static void test_refused_by_journald(void **state)
{
    struct journal *journal = start(100, 1 << 20);

    journald.answer = -5;
    push(journal, 1);
    allow(1);
    assert_int_equal(journal_stop(journal, 10000000), 1);
    journal_free(journal);
}

/* An entry that tells of others which were dropped, refused itself: all are lost. */
static void test_refused_with_what_it_said(void **state)
{
    struct journal *journal = start(1, 1 << 20);

    for (unsigned i = 0; i < 4; i++)
        push(journal, i);
    assert_int_equal(dropped(journal), 3);
    allow(1);
    /* the thread may still hold the first: then this one is dropped, too */
    while (push(journal, 100), dropped(journal))
        ;
    journald.answer = -5;
    allow(1);
    assert_true(journal_stop(journal, 10000000) >= 4);
    journal_free(journal);
}

/* Nothing is ever taken: stop comes back in time and says what is lost. */
static void test_stuck(void **state)
{
    struct journal *journal = start(100, 1 << 20);
    struct timespec before, after;

    for (unsigned i = 0; i < 5; i++)
        push(journal, i);
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(journal_stop(journal, 50000), 5);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 5);
    journal_free(journal);
    allow(5); /* it was only detached: let it end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_stop),
        cmocka_unit_test(test_full_by_entries),
        cmocka_unit_test(test_full_by_bytes),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_refused_by_journald),
        cmocka_unit_test(test_refused_with_what_it_said),
        cmocka_unit_test(test_stuck),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
