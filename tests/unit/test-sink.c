/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/out/sink.c, backlog.c: what goes where, in which order, when, and what is lost. */
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "out/sink.h"
#include "util/clock.h"
#include "util/util.h"

struct lab {
    sd_event *loop;
    struct sink *sink;
    int fds[2];
    uint64_t n_dropped; /* said */
    char why[64];
};

static void on_dropped(void *user, uint64_t count, const char *why)
{
    struct lab *lab = user;

    lab->n_dropped += count;
    snprintf(lab->why, sizeof(lab->why), "%s", why);
}

static void lab_start(struct lab *lab, enum sink_target target, enum pd_level level)
{
    struct sink_config config = {
        .target = target, .level = level, .run = "r", .dropped = on_dropped, .user = lab};

    *lab = (struct lab){0};
    assert_int_equal(pipe2(lab->fds, O_CLOEXEC), 0);
    assert_true(fcntl(lab->fds[1], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
    assert_int_equal(fcntl(lab->fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(sd_event_new(&lab->loop), 0);
    config.fd = lab->fds[1];
    assert_int_equal(sink_new(lab->loop, &config, &lab->sink), 0);
}

/* Returns how many are lost. */
static uint64_t lab_drain(struct lab *lab, uint64_t timeout_us, bool stuck)
{
    bool is_stuck;
    uint64_t lost = sink_drain(lab->sink, clock_us(CLOCK_MONOTONIC) + timeout_us, &is_stuck);

    assert_int_equal(is_stuck, stuck);
    return lost;
}

static void lab_free(struct lab *lab)
{
    sink_free(lab->sink);
    sd_event_unref(lab->loop);
    for (size_t i = 0; i < 2; i++)
        if (lab->fds[i] >= 0)
            close(lab->fds[i]);
}

static void lab_end(struct lab *lab)
{
    assert_int_equal(lab_drain(lab, 60000000, false), 0);
    assert_int_equal(lab->n_dropped, 0);
    lab_free(lab);
}

/* Decisions numbered from `first` on; each holds texts of its own, which are
 * given back as the engine does it: before they are written. */
static void write_decisions(struct lab *lab, unsigned first, unsigned n)
{
    struct record *records = memory_new(n, sizeof(*records));

    for (unsigned i = 0; i < n; i++)
        records[i] = (struct record){
            .type = RECORD_DECISION,
            .bulk = true,
            .decision = {.subject = {text_new("peer"), 1},
                         .decision = first + i,
                         .trigger = "route",
                         .reason = text_new("reason"),
                         .evidence = evidence_new(&(struct pd_field){"a", "b", 0}, 1)},
        };
    sink_write(lab->sink, records, n);
    for (unsigned i = 0; i < n; i++) {
        text_unref(records[i].decision.subject.peer);
        text_unref(records[i].decision.reason);
        evidence_unref(records[i].decision.evidence);
    }
    free(records);
}

/* The number of a decision's line. */
static unsigned number_of(const char *line)
{
    static const char start[] =
        "{\"record\":\"decision\",\"time_us\":0,\"run\":\"r\",\"decision\":";

    assert_memory_equal(line, start, sizeof(start) - 1);
    return (unsigned)strtoul(line + sizeof(start) - 1, NULL, 10);
}

struct reading {
    char bytes[1 << 16];
    size_t n;
    unsigned last, count; /* numbers grow */
};

/* Reads what is there; half a line at its end is kept for the next time. */
static bool read_some(struct lab *lab, struct reading *reading)
{
    ssize_t r =
        read(lab->fds[0], reading->bytes + reading->n, sizeof(reading->bytes) - 1 - reading->n);
    char *line = reading->bytes, *end;

    if (r <= 0)
        return false;
    reading->n += (size_t)r;
    reading->bytes[reading->n] = '\0';
    for (; (end = strchr(line, '\n')); line = end + 1, reading->count++) {
        unsigned number = number_of(line);

        assert_true(number > reading->last);
        reading->last = number;
    }
    reading->n -= (size_t)(line - reading->bytes);
    memmove(reading->bytes, line, reading->n);
    return true;
}

/* Reads until this one, letting the loop run. */
static void read_until(struct lab *lab, struct reading *reading, unsigned last)
{
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + 60000000;

    while (reading->last < last) {
        assert_true(clock_us(CLOCK_MONOTONIC) < until_us);
        if (!read_some(lab, reading))
            assert_true(sd_event_run(lab->loop, 1000) >= 0);
    }
}

static void test_order(void **state)
{
    struct reading reading = {0};
    struct lab lab;

    lab_start(&lab, SINK_JSON, PD_LEVEL_DEBUG);
    write_decisions(&lab, 1, 3);
    assert_false(read_some(&lab, &reading)); /* not in the time of the turn */
    read_until(&lab, &reading, 3);
    write_decisions(&lab, 4, 4000);
    write_decisions(&lab, 4004, 1);
    read_until(&lab, &reading, 4004);
    assert_int_equal(reading.count, 4004);
    lab_end(&lab);
}

/* All that waits is written at the end. */
static void test_drain(void **state)
{
    struct reading reading = {0};
    struct lab lab;

    lab_start(&lab, SINK_JSON, PD_LEVEL_DEBUG);
    write_decisions(&lab, 1, 2000);
    assert_int_equal(lab_drain(&lab, 60000000, false), 0);
    read_until(&lab, &reading, 2000);
    assert_int_equal(reading.count, 2000);
    lab_free(&lab);
}

/* The one rule: what the thread cannot take waits, and the oldest of too many are dropped. */
static void test_stopped_reader(void **state)
{
    enum { TURN = 1000, TURNS = 400 };
    struct reading reading = {0};
    struct lab lab;

    lab_start(&lab, SINK_JSON, PD_LEVEL_DEBUG);
    for (unsigned i = 0; i < TURNS; i++) {
        write_decisions(&lab, 1 + i * TURN, TURN);
        while (sd_event_run(lab.loop, 0) > 0)
            ;
    }
    assert_int_equal(lab.n_dropped, 0); /* said when the reader takes again */
    read_until(&lab, &reading, TURN * TURNS);
    while (!lab.n_dropped)
        assert_true(sd_event_run(lab.loop, 60000000) > 0);
    assert_true(reading.count > 100000 && reading.count < TURN * TURNS);
    assert_int_equal(reading.count + lab.n_dropped, TURN * TURNS);
    assert_memory_equal(lab.why, "the reader of the log was ", 26);
    assert_int_equal(lab_drain(&lab, 60000000, false), 0);
    lab_free(&lab);
}

/* It is waited for at the end, but not for ever, and all is counted. */
static void test_reader_that_never_reads_again(void **state)
{
    uint64_t began_us, lost;
    struct lab lab;

    lab_start(&lab, SINK_JSON, PD_LEVEL_DEBUG);
    write_decisions(&lab, 1, 100000);
    began_us = clock_us(CLOCK_MONOTONIC);
    lost = lab_drain(&lab, 50000, true);
    assert_true(clock_us(CLOCK_MONOTONIC) - began_us < 30000000);
    assert_true(lost > 50000 && lost < 100000);
    assert_int_equal(lab.n_dropped, 0);
    close(lab.fds[0]); /* so that the thread ends */
    lab.fds[0] = -1;
    lab_free(&lab);
}

static void test_reader_gone(void **state)
{
    struct lab lab;

    lab_start(&lab, SINK_JSON, PD_LEVEL_DEBUG);
    close(lab.fds[0]);
    lab.fds[0] = -1;
    write_decisions(&lab, 1, 10);
    while (!lab.n_dropped)
        assert_true(sd_event_run(lab.loop, 60000000) > 0);
    assert_string_equal(lab.why, "Broken pipe");
    write_decisions(&lab, 11, 7); /* said at the end */
    while (sd_event_run(lab.loop, 0) > 0)
        ;
    assert_int_equal(lab.n_dropped, 10);
    assert_int_equal(lab_drain(&lab, 60000000, false), 7);
    lab_free(&lab);
}

static void test_level(void **state)
{
    struct reading reading = {0};
    struct lab lab;

    lab_start(&lab, SINK_JSON, PD_LEVEL_ERROR);
    write_decisions(&lab, 1, 1000); /* not important enough */
    assert_int_equal(lab_drain(&lab, 60000000, false), 0);
    assert_false(read_some(&lab, &reading));
    lab_free(&lab);
}

static void test_kinds(void **state)
{
    struct record_cause cause = {.cause = 7, .trigger = "route", .reason = text_new("flip")};
    struct text *t = text_new("t");
    const struct record records[] = {
        {.type = RECORD_CAUSE, .cause = &cause},
        {.type = RECORD_NODE, .node = {.node = t, .reason = t}},
        {.type = RECORD_PEER, .peer = {.subject = {t, 1}, .reason = t}},
        {.type = RECORD_EFFECT, .effect = {.subject = {t, 1}}},
        {.type = RECORD_OUTCOME, .outcome = {.subject = {t, 1}, .local_after = t}},
        {.type = RECORD_NOTICE, .notice = {.what = t, .text = t}},
    };
    struct lab lab;
    char bytes[8192];
    ssize_t n;

    lab_start(&lab, SINK_TEXT, PD_LEVEL_DEBUG);
    sink_write(lab.sink, records, ARRAY_SIZE(records));
    assert_int_equal(text_unref(cause.reason) == NULL, 1);
    text_unref(t);
    assert_int_equal(lab_drain(&lab, 60000000, false), 0);
    n = read(lab.fds[0], bytes, sizeof(bytes) - 1);
    assert_true(n > 0);
    bytes[n] = '\0';
    assert_non_null(strstr(bytes, "notice: cause 7 of route: flip: 0 peers up, 0 advised\n"));
    assert_non_null(strstr(bytes, "node t is down: t\n"));
    assert_non_null(strstr(bytes, "info: t (conn 1): down: t\n"));
    assert_non_null(strstr(bytes, "t: t\n"));
    lab_free(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),          cmocka_unit_test(test_drain),
        cmocka_unit_test(test_stopped_reader), cmocka_unit_test(test_reader_that_never_reads_again),
        cmocka_unit_test(test_reader_gone),    cmocka_unit_test(test_level),
        cmocka_unit_test(test_kinds),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
