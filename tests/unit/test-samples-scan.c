/* SPDX-License-Identifier: Apache-2.0 */
/* codec/samples-scan.c: what it takes, jansson reads alike. */
#include "check.h"

#include "codec/codec.h"
#include "codec/samples-scan.h"

#define LINE                                                                                       \
    "{\"t\":12,\"rt\":1795996783034245,\"event\":\"samples\",\"columns\":[\"srtt_us\",\"rtt_"      \
    "samples\"],"                                                                                  \
    "\"rows\":[[1,12000,1],[2,null,4294967296]]}\n"

static void assert_same(const struct event *a, const struct event *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->now_us, b->now_us);
    assert_int_equal(a->realtime_us, b->realtime_us);
    assert_int_equal(a->samples.columns, b->samples.columns);
    assert_int_equal(a->samples.n_rows, b->samples.n_rows);
    for (size_t i = 0; i < a->samples.n_rows; i++) {
        assert_int_equal(a->samples.rows[i].conn, b->samples.rows[i].conn);
        assert_memory_equal(&a->samples.rows[i].row, &b->samples.rows[i].row,
                            sizeof(struct pd_row));
    }
}

/* Both ways; a blank in front is not in the form that the quick one takes. Returns whether it took
 * the line. */
static bool both(const char *line, size_t length)
{
    struct arena arena = {0};
    struct event quick, slow;
    char error[256], *spaced = malloc(length + 1);
    bool taken = samples_scan(line, length, &arena, &quick);

    assert_non_null(spaced);
    *spaced = ' ';
    memcpy(spaced + 1, line, length);
    assert_false(samples_scan(spaced, length + 1, &arena, &slow));
    if (taken) {
        if (event_decode(spaced, length + 1, &arena, &slow, error, sizeof(error)) != 0)
            fail_msg("only the quick one takes %.*s", (int)length, line);
        assert_same(&quick, &slow);
    }
    free(spaced);
    arena_clear(&arena);
    return taken;
}

static void test_usual(void **state)
{
    struct arena arena = {0};
    struct event event;

    (void)state;
    assert_true(both(LINE, strlen(LINE)));
    assert_true(both(LINE, strlen(LINE) - 1));
    assert_true(samples_scan(LINE, strlen(LINE), &arena, &event));
    assert_int_equal(event.samples.n_rows, 2);
    assert_int_equal(event.samples.rows[0].row.v[PD_SRTT_US], 12000);
    assert_true(event.samples.rows[1].row.v[PD_SRTT_US] == PD_UNKNOWN);
    assert_int_equal(event.samples.rows[1].row.v[PD_RTT_SAMPLES], UINT64_C(4294967296));
    assert_true(event.samples.rows[1].row.v[PD_CWND_BYTES] == PD_UNKNOWN);
    arena_clear(&arena);
}

static void test_doubts(void **state)
{
    static const char *const lines[] = {
        "",
        "{",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"srtt_us\"],\"rows\":[[1,-2]]}",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"srtt_us\"],\"rows\":[[1,02]]}",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"srtt_us\"],\"rows\":[[1,2,3]]}",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"srtt_us\"],\"rows\":[[1]]}",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"srtt_us\"],\"rows\":[[1,2],]}",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"srtt_us\"],\"rows\":[[1,2]]} {",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"srtt_us\"],\"rows\":[[1,1.5]]}",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"srtt_us\"],\"rows\":[[1,"
        "99999999999999999999]]}",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"srtt_us\",\"srtt_us\"],\"rows\":[["
        "1,2,3]]}",
        "{\"t\":1,\"rt\":2,\"event\":\"samples\",\"columns\":[\"nothing\"],\"rows\":[[1,2]]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        if (both(lines[i], strlen(lines[i])))
            fail_msg("taken: %s", lines[i]);
}

/* Every byte replaced by every byte, and every beginning of the line. */
static void test_every_change(void **state)
{
    char line[] = LINE;
    size_t n_taken = 0;

    (void)state;
    for (size_t i = 0; i < strlen(LINE); i++) {
        assert_int_equal(both(LINE, i), i == strlen(LINE) - 1);
        for (int c = 1; c < 256; c++) {
            line[i] = (char)c;
            n_taken += both(line, strlen(LINE));
        }
        line[i] = LINE[i];
    }
    assert_true(n_taken > strlen(LINE)); /* digits may be others */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual),
        cmocka_unit_test(test_doubts),
        cmocka_unit_test(test_every_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
