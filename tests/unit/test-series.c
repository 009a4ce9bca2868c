/* SPDX-License-Identifier: Apache-2.0 */
/* replay/series.c: RTTs over time, in bounded memory. */
#include "check.h"

#include <jansson.h>

#include "replay/series.h"

#define FROM_US UINT64_C(1795993200000000)

static void up(struct series *series, uint64_t time_us, uint64_t conn, const char *peer)
{
    const struct event event = {
        .type = EVENT_PEER_UP,
        .realtime_us = time_us,
        .peer_up = {.peer = peer, .conn = conn, .local = "10.0.1.2:1", .interface = "eth0"}};

    series_event(series, &event);
}

static void down(struct series *series, uint64_t time_us, uint64_t conn)
{
    const struct event event = {
        .type = EVENT_PEER_DOWN, .realtime_us = time_us, .peer_down = {.conn = conn}};

    series_event(series, &event);
}

static void path(struct series *series, uint64_t time_us, uint64_t conn, const char *local)
{
    const struct event event = {.type = EVENT_PEER_PATH,
                                .realtime_us = time_us,
                                .peer_path = {.conn = conn, .local = local}};

    series_event(series, &event);
}

static void sample(struct series *series, uint64_t time_us, uint64_t conn, uint64_t rtt_us,
                   uint64_t samples)
{
    struct sample_row row = {.conn = conn};
    const struct event event = {
        .type = EVENT_SAMPLES, .realtime_us = time_us, .samples = {.rows = &row, .n_rows = 1}};

    memset(&row.row, 0xff, sizeof(row.row));
    row.row.v[PD_SRTT_US] = rtt_us;
    row.row.v[PD_RTT_SAMPLES] = samples;
    series_event(series, &event);
}

/* All lines as an array. */
static json_t *lines_of(const struct series *series)
{
    json_t *lines = json_array();
    struct buffer out = {0};
    char *text, *rest, *line;

    series_write(series, &out);
    text = rest = strndup(buffer_bytes(&out), out.length);
    while ((line = strsep(&rest, "\n")) && *line) {
        json_t *value = json_loads(line, 0, NULL);

        if (!value)
            fail_msg("no JSON: %s", line);
        json_array_append_new(lines, value);
    }
    free(text);
    buffer_clear(&out);
    return lines;
}

static void assert_member(const json_t *lines, size_t i, const char *name, const char *expected)
{
    char *got =
        json_dumps(json_object_get(json_array_get(lines, i), name), JSON_COMPACT | JSON_ENCODE_ANY);

    assert_non_null(got);
    assert_string_equal(got, expected);
    free(got);
}

static void test_lowest_and_highest(void **state)
{
    struct series *series = series_new(0, UINT64_MAX);
    json_t *lines;

    (void)state;
    up(series, FROM_US, 7, "bravo");
    sample(series, FROM_US, 7, 20000, 1);
    sample(series, FROM_US + 10, 7, 30000, 2);
    sample(series, FROM_US + 20, 7, 90000, 2); /* not fresh: heard nothing since */
    sample(series, FROM_US + 100000, 7, 25000, 3);
    sample(series, FROM_US + 100001, 8, 1, 1); /* of nobody */
    sample(series, FROM_US + 100002, 7, PD_UNKNOWN, 4);
    lines = lines_of(series);
    assert_int_equal(json_array_size(lines), 2);
    assert_member(lines, 0, "peer", "\"bravo\"");
    assert_member(lines, 0, "step_us", "50000");
    assert_member(lines, 0, "rtt_us", "[[0,20000,30000],[2,25000,25000]]");
    assert_member(lines, 0, "samples", "3");
    assert_member(lines, 0, "paths", "[[1795993200000000,\"10.0.1.2:1\",\"eth0\"]]");
    assert_member(lines, 1, "series", "\"all\"");
    assert_member(lines, 1, "peers", "1");
    json_decref(lines);
    assert_null(series_free(series));
}

/* A connection ends, its number is another's; the same peer comes back by another connection. */
static void test_connections(void **state)
{
    struct series *series = series_new(0, UINT64_MAX);
    char *name = NULL;
    json_t *lines;

    (void)state;
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_true(asprintf(&name, "p%llu", (unsigned long long)i) > 0);
        up(series, FROM_US, i << 32, name);
        free(name);
    }
    for (uint64_t i = 1; i <= 1000; i++)
        if (i % 3)
            down(series, FROM_US, i << 32);
    for (uint64_t i = 1; i <= 1000; i++)
        sample(series, FROM_US + 1, i << 32, 1000 + i, 1);
    up(series, FROM_US, 5, "p999");
    path(series, FROM_US + 1, 5, "10.0.2.2:1");
    path(series, FROM_US + 2, 5, "10.0.2.2:1"); /* no other */
    path(series, FROM_US + 2, 6, "10.0.2.2:1"); /* of nobody */
    sample(series, FROM_US + 2, 5, 100000, 1);
    lines = lines_of(series);
    assert_int_equal(json_array_size(lines), SERIES_SHOWN + 1);
    assert_member(lines, 0, "peer", "\"p999\""); /* the highest */
    assert_member(lines, 0, "rtt_us", "[[0,1999,100000]]");
    assert_member(
        lines, 0, "paths",
        "[[1795993200000000,\"10.0.1.2:1\",\"eth0\"],[1795993200000001,\"10.0.2.2:1\",null]]");
    assert_member(lines, 1, "peer", "\"p996\"");
    assert_member(lines, 1, "rtt_us", "[[0,1996,1996]]");
    json_decref(lines);
    series_free(series);
}

/* The longer it is, the longer are its steps; nothing of the lowest and highest is lost. */
static void test_long(void **state)
{
    struct series *series = series_new(0, UINT64_MAX);
    const json_t *steps, *step;
    json_t *lines;
    json_int_t least = INT64_MAX, most = 0;
    size_t i;

    (void)state;
    up(series, FROM_US, 1, "bravo");
    for (uint64_t k = 0; k < 100000; k++)
        sample(series, FROM_US + k * 1000000, 1, k == 50000 ? 999999 : k == 1 ? 7 : 20000, k);
    lines = lines_of(series);
    steps = json_object_get(json_array_get(lines, 0), "rtt_us");
    assert_in_range(json_array_size(steps), SERIES_STEPS / 2, SERIES_STEPS);
    json_array_foreach(steps, i, step)
    {
        json_int_t low = json_integer_value(json_array_get(step, 1)),
                   high = json_integer_value(json_array_get(step, 2));

        assert_true(low <= high);
        least = low < least ? low : least;
        most = high > most ? high : most;
    }
    assert_int_equal(least, 7);
    assert_int_equal(most, 999999);
    json_decref(lines);
    series_free(series);
}

static void test_period_and_wild_clocks(void **state)
{
    struct series *series = series_new(FROM_US + 10, FROM_US + 20);
    json_t *lines;

    (void)state;
    up(series, FROM_US, 1, "bravo");
    for (uint64_t k = 0; k < 30; k++)
        sample(series, FROM_US + k, 1, 1000 + k, k);
    lines = lines_of(series);
    assert_member(lines, 0, "rtt_us", "[[0,1010,1020]]");
    assert_member(lines, 1, "until_us", "1795993200000020");
    json_decref(lines);
    series_free(series);

    series = series_new(0, UINT64_MAX);
    up(series, FROM_US, 1, "bravo");
    sample(series, FROM_US, 1, UINT64_MAX - 1, 1);
    sample(series, 5, 1, 5, 2); /* the clock was set back, and forth */
    sample(series, UINT64_MAX - 1, 1, 6, 3);
    lines = lines_of(series);
    assert_int_equal(json_array_size(json_object_get(json_array_get(lines, 0), "rtt_us")), 2);
    json_decref(lines);
    series_free(series);
}

/* More peers than are kept are counted. */
static void test_too_many(void **state)
{
    struct series *series = series_new(0, UINT64_MAX);
    json_t *lines;

    (void)state;
    for (uint64_t i = 1; i <= SERIES_PEERS + 10; i++) {
        char name[16];

        snprintf(name, sizeof(name), "p%u", (unsigned)i);
        up(series, FROM_US, i, name);
        sample(series, FROM_US, i, 1000, 1);
    }
    for (uint64_t i = 0; i < SERIES_PATHS + 5; i++)
        path(series, FROM_US, 1, i % 2 ? "10.0.0.1:1" : "10.0.0.2:1");
    lines = lines_of(series);
    assert_member(lines, SERIES_SHOWN, "peers", "4096");
    assert_member(lines, SERIES_SHOWN, "left_out", "10");
    assert_member(lines, 0, "peer", "\"p1\"");
    assert_member(lines, 0, "paths_left_out", "6");
    json_decref(lines);
    series_free(series);
    assert_null(series_free(NULL));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lowest_and_highest),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_period_and_wild_clocks),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
