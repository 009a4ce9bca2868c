/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/ctl/outage.c: the time without a path, where records tell it. */
#include "check.h"

#include "ctl/outage.h"

#define S 1000000

struct reported {
    const char *record, *word; /* kind, outcome, effect, state */
    int time_s, silent_s;
    int decision;
};

static json_t *record_of(const struct reported *reported)
{
    static const char *const names[][2] = {
        {"decision", "kind"}, {"outcome", "outcome"}, {"effect", "effect"}, {"peer", "state"}};
    json_t *record =
        json_pack("{s:s,s:s,s:s,s:I,s:i,s:{s:I}}", "record", reported->record, "run", "a", "peer",
                  "p", "time_us", (json_int_t)reported->time_s * S, "decision", reported->decision,
                  "evidence", "stalled_us", (json_int_t)reported->silent_s * S);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i][0], reported->record))
            json_object_set_new(record, names[i][1], json_string(reported->word));
    return record;
}

static void lengths(void **state)
{
    static const struct {
        struct reported reported[8];
        int ended, unknown, longest_s;
    } rows[] = {
        /* silent for 3 s when it was found dead, moved 1 s later, and heard */
        {{{"decision", "dead", 100, 3, 1},
          {"outcome", "migrated", 101, 0, 1},
          {"effect", "better", 103, 0, 1}},
         1,
         0,
         4},
        {{{"decision", "dead", 100, 3, 1},
          {"outcome", "timeout", 105, 0, 1},
          {"outcome", "reconnected", 110, 0, 1},
          {"effect", "worse", 112, 0, 1}},
         1,
         0,
         13},
        /* moved in vain, and dead again: one stretch */
        {{{"decision", "dead", 100, 3, 1},
          {"outcome", "migrated", 101, 0, 1},
          {"effect", "stalled", 103, 0, 1},
          {"decision", "dead", 108, 8, 2},
          {"outcome", "migrated", 109, 0, 2},
          {"effect", "same", 111, 0, 2}},
         1,
         0,
         12},
        /* a connection of that name came */
        {{{"decision", "dead", 100, 3, 1}, {"peer", "down", 130, 0, 0}, {"peer", "up", 140, 0, 0}},
         1,
         0,
         43},
        /* nobody says when it was heard again */
        {{{"decision", "dead", 100, 3, 1}}, 0, 1, 0},
        {{{"decision", "dead", 100, 3, 1},
          {"outcome", "migrated", 101, 0, 1},
          {"effect", "unknown", 103, 0, 1}},
         0,
         1,
         0},
        {{{"decision", "dead", 100, 3, 1},
          {"decision", "degraded", 900, 0, 2},
          {"outcome", "migrated", 901, 0, 2},
          {"effect", "better", 902, 0, 2}},
         0,
         1,
         0},
        /* an hour later it was silent for 5 s, so it was heard in between */
        {{{"decision", "dead", 100, 3, 1},
          {"decision", "dead", 3700, 5, 2},
          {"outcome", "migrated", 3701, 0, 2},
          {"effect", "better", 3702, 0, 2}},
         1,
         1,
         6},
        /* the effect is of another decision */
        {{{"decision", "dead", 100, 3, 1},
          {"outcome", "migrated", 101, 0, 1},
          {"effect", "better", 103, 0, 9}},
         0,
         1,
         0},
        /* not dead at all */
        {{{"decision", "moved", 100, 0, 1},
          {"outcome", "migrated", 101, 0, 1},
          {"effect", "better", 103, 0, 1}},
         0,
         0,
         0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct outages *outages = outages_new(NULL);
        json_int_t ended, unknown, from_us = 0, until_us = 0;
        json_t *result;

        for (const struct reported *reported = rows[i].reported; reported->record; reported++) {
            json_t *record = record_of(reported);

            outages_take(outages, "", record);
            json_decref(record);
        }
        result = outages_result(outages);
        assert_int_equal(json_unpack(result, "{s:I,s:I}", "ended", &ended, "unknown", &unknown), 0);
        json_unpack(result, "{s:{s:I,s:I}}", "longest", "from_us", &from_us, "until_us", &until_us);
        if (ended != rows[i].ended || unknown != rows[i].unknown ||
            until_us - from_us != (json_int_t)rows[i].longest_s * S)
            fail_msg("row %zu: ended %d, unknown %d, longest %d s", i, (int)ended, (int)unknown,
                     (int)((until_us - from_us) / S));
        assert_int_equal(json_array_size(json_object_get(result, "unknown_peers")) > 0,
                         rows[i].unknown > 0);
        json_decref(result);
        outages_free(outages);
    }
    assert_null(outages_free(NULL));
}

/* Two nodes may have peers of one name. */
static void two_units(void **state)
{
    static const struct reported dead = {"decision", "dead", 100, 3, 1},
                                 up = {"peer", "up", 140, 0, 0};
    struct outages *outages = outages_new(NULL);
    json_t *one = record_of(&dead), *other = record_of(&up), *result;

    outages_take(outages, "a.service", one);
    outages_take(outages, "b.service", other);
    result = outages_result(outages);
    assert_int_equal(json_integer_value(json_object_get(result, "ended")), 0);
    json_decref(one);
    json_decref(other);
    json_decref(result);
    outages_free(outages);
}

/* Each proof has an age of its own in the evidence. */
static void since_when(void **state)
{
    static const struct {
        const char *name, *also;
        json_int_t value;
    } rows[] = {
        {"stalled_us", NULL, 3 * S}, {"silence_us", NULL, 3 * S},
        {"silent_ms", NULL, 3000},   {"unacked_us", NULL, 3 * S},
        {"waited_us", NULL, 3 * S},  {"starved_us", "unacked_us", 3 * S},
    };
    static const struct reported dead = {"decision", "dead", 100, 0, 1},
                                 up = {"peer", "up", 140, 0, 0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct outages *outages = outages_new(NULL);
        json_t *one = record_of(&dead), *other = record_of(&up), *result;
        json_int_t from_us;

        json_object_set_new(one, "evidence", json_pack("{s:I}", rows[i].name, rows[i].value));
        if (rows[i].also)
            json_object_set_new(json_object_get(one, "evidence"), rows[i].also,
                                json_integer(9 * S));
        outages_take(outages, NULL, one);
        outages_take(outages, NULL, other);
        result = outages_result(outages);
        assert_int_equal(json_unpack(result, "{s:{s:I}}", "longest", "from_us", &from_us), 0);
        if (from_us != 97 * S)
            fail_msg("%s: since %d s", rows[i].name, (int)(from_us / S));
        json_decref(one);
        json_decref(other);
        json_decref(result);
        outages_free(outages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),
        cmocka_unit_test(two_units),
        cmocka_unit_test(since_when),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
