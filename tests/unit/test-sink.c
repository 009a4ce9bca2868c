/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/out/sink.c, backlog.c: what goes where, in which order, and when. */
#include "check.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/base/text.h"
#include "out/sink.h"
#include "util/util.h"

struct lab {
    sd_event *loop;
    struct sink *sink;
    int fds[2];
};

static void on_dropped(void *user, uint64_t count, const char *why)
{
    fail_msg("%llu dropped: %s", (unsigned long long)count, why);
}

static void lab_start(struct lab *lab, enum sink_target target, enum pd_level level)
{
    struct sink_config config = {
        .target = target, .level = level, .run = "r", .dropped = on_dropped, .user = lab};

    assert_int_equal(pipe2(lab->fds, O_CLOEXEC), 0);
    assert_true(fcntl(lab->fds[1], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
    assert_int_equal(fcntl(lab->fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(sd_event_new(&lab->loop), 0);
    config.fd = lab->fds[1];
    assert_int_equal(sink_new(lab->loop, &config, &lab->sink), 0);
}

static void lab_end(struct lab *lab)
{
    sink_drain(lab->sink, 0);
    sink_free(lab->sink);
    sd_event_unref(lab->loop);
    close(lab->fds[0]);
    close(lab->fds[1]);
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

/* Reads what is there; checks that decisions come in order. Returns the number
 * after the last one. */
static unsigned read_decisions(struct lab *lab, unsigned next)
{
    static char bytes[2 << 20];
    size_t n = 0;
    ssize_t r;

    while ((r = read(lab->fds[0], bytes + n, sizeof(bytes) - 1 - n)) > 0)
        n += (size_t)r;
    bytes[n] = '\0';
    for (char *line = bytes; *line; line = strchr(line, '\n') + 1, next++) {
        char expected[128];

        snprintf(expected, sizeof(expected),
                 "{\"record\":\"decision\",\"time_us\":0,\"run\":\"r\",\"decision\":%u,", next);
        assert_memory_equal(line, expected, strlen(expected));
    }
    return next;
}

static void test_few_at_once_many_later(void **state)
{
    struct lab lab;
    unsigned next;

    lab_start(&lab, SINK_JSON, PD_LEVEL_DEBUG);
    write_decisions(&lab, 1, 3);
    assert_int_equal(read_decisions(&lab, 1), 4);
    write_decisions(&lab, 4, 4000);
    write_decisions(&lab, 4004, 1); /* few, but behind the many */
    assert_int_equal(read_decisions(&lab, 4), 4);
    for (next = 4; next < 4005; next = read_decisions(&lab, next))
        assert_true(sd_event_run(lab.loop, 1000000) > 0);
    assert_int_equal(next, 4005);
    write_decisions(&lab, 4005, 1);
    assert_int_equal(read_decisions(&lab, 4005), 4006);
    lab_end(&lab);
}

static void test_settle(void **state)
{
    struct lab lab;

    lab_start(&lab, SINK_JSON, PD_LEVEL_DEBUG);
    write_decisions(&lab, 1, 1000);
    sink_settle(lab.sink);
    assert_int_equal(read_decisions(&lab, 1), 1001);
    write_decisions(&lab, 1001, 1000); /* left to sink_drain */
    lab_end(&lab);
}

static void test_level(void **state)
{
    struct lab lab;

    lab_start(&lab, SINK_JSON, PD_LEVEL_ERROR);
    write_decisions(&lab, 1, 1000); /* not important enough */
    assert_int_equal(read_decisions(&lab, 1), 1);
    lab_end(&lab);
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
    write_decisions(&lab, 1, 17); /* so that these wait too */
    sink_write(lab.sink, records, ARRAY_SIZE(records));
    assert_int_equal(text_unref(cause.reason) == NULL, 1);
    text_unref(t);
    sink_settle(lab.sink);
    n = read(lab.fds[0], bytes, sizeof(bytes) - 1);
    assert_true(n > 0);
    bytes[n] = '\0';
    assert_non_null(strstr(bytes, "notice: cause 7 of route: flip: 0 peers up, 0 advised\n"));
    assert_non_null(strstr(bytes, "node t is down: t\n"));
    assert_non_null(strstr(bytes, "info: t (conn 1): down: t\n"));
    assert_non_null(strstr(bytes, "t: t\n"));
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_at_once_many_later),
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
