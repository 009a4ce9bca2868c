/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/alert/state.c: what goes on is told when it begins, and when it ends. */
#include "check.h"

#include "alert/state.h"

#include "util/format.h"

#define SECOND UINT64_C(1000000)

struct told {
    size_t n;
    enum alert_event events[16];
    json_t *last;
};

static void on_tell(void *user, enum alert_event event, json_t *record)
{
    struct told *told = user;

    assert_true(told->n < ARRAY_SIZE(told->events));
    assert_int_equal(member_number(record, "time_us"), 99);
    told->events[told->n++] = event;
    json_decref(told->last);
    told->last = record;
}

/* What was told since; it begins anew. */
static void check_told(struct told *told, size_t n, const enum alert_event *events)
{
    assert_int_equal(told->n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(told->events[i], events[i]);
    told->n = 0;
}

#define TOLD(told, ...)                                                                            \
    check_told((told), sizeof((enum alert_event[]){__VA_ARGS__}) / sizeof(enum alert_event),       \
               (const enum alert_event[]){__VA_ARGS__})
#define TOLD_NOTHING(told) check_told((told), 0, NULL)

/* `reasons`: WHAT/GRADE, separated by spaces. */
static void status(struct state *state, struct told *told, const char *node, const char *reasons)
{
    CLEANUP_FREE char *copy = string_copy(reasons);
    json_t *array = json_array(), *answer;
    char *save = NULL;

    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *grade = strchr(word, '/');

        *grade++ = '\0';
        json_array_append_new(array, json_pack("{s:s,s:s,s:s+}", "what", word, "grade", grade,
                                               "text", word, " it is"));
    }
    answer = json_pack("{s:s,s:{s:s,s:s},s:o}", "run", "r", "node", "state", node, "name", "alpha",
                       "reasons", array);
    assert_non_null(answer);
    state_status(state, answer, 99, on_tell, told);
    json_decref(answer);
}

static bool node(struct state *state, const char *what)
{
    json_t *record = json_pack("{s:s,s:s}", "record", "node", "state", what);
    bool changed = state_node(state, record);

    json_decref(record);
    return changed;
}

static void test_node(void **state_)
{
    struct state state;

    (void)state_;
    state_init(&state);
    assert_false(node(&state, "up")); /* as it is to be */
    assert_false(node(&state, "up"));
    assert_true(node(&state, "down"));
    assert_false(node(&state, "down")); /* with another reason */
    assert_true(node(&state, "up"));
    state_init(&state);
    assert_true(node(&state, "down"));
}

static void test_node_by_status(void **state_)
{
    struct state state;
    struct told told = {0};

    (void)state_;
    state_init(&state);
    status(&state, &told, "up", "");
    TOLD_NOTHING(&told);
    status(&state, &told, "down", "");
    TOLD(&told, ALERT_NODE_DOWN);
    assert_string_equal(member_text(told.last, "record"), "node");
    assert_string_equal(member_text(told.last, "node"), "alpha");
    assert_false(node(&state, "down")); /* the record of it is no news */
    status(&state, &told, "snapshot", "");
    TOLD(&told, ALERT_NODE_UP);
    json_decref(told.last);
}

/* Once is not enough, and going on is no news. */
static void test_twice(void **state_)
{
    struct state state;
    struct told told = {0};

    (void)state_;
    state_init(&state);
    status(&state, &told, "up", "peers-silent/look");
    status(&state, &told, "up", "");
    status(&state, &told, "up", "peers-silent/look");
    TOLD_NOTHING(&told);
    status(&state, &told, "up", "peers-silent/look all-held/note");
    TOLD(&told, ALERT_PEERS_SILENT, ALERT_LOOK);
    assert_string_equal(member_text(told.last, "text"), "peers-silent it is");
    assert_string_equal(member_text(told.last, "grade"), "look");
    assert_int_equal(json_array_size(json_object_get(told.last, "reasons")), 2);
    status(&state, &told, "up", "peers-silent/look");
    TOLD_NOTHING(&told);
    status(&state, &told, "up", "");
    TOLD_NOTHING(&told);
    status(&state, &told, "up", "");
    TOLD(&told, ALERT_PEERS_HEARD, ALERT_OK);
    json_decref(told.last);
}

static void test_grades(void **state_)
{
    struct state state;
    struct told told = {0};

    (void)state_;
    state_init(&state);
    for (int i = 0; i < 3; i++)
        status(&state, &told, "up", "node-silent/broken no-srtt/look");
    TOLD(&told, ALERT_NODE_SILENT, ALERT_BROKEN);
    assert_string_equal(member_text(told.last, "text"), "node-silent it is; no-srtt it is");
    for (int i = 0; i < 3; i++)
        status(&state, &told, "up", "no-srtt/look");
    TOLD(&told, ALERT_NODE_ANSWERS, ALERT_LOOK);
    for (int i = 0; i < 3; i++)
        status(&state, &told, "up", "observing/note");
    TOLD(&told, ALERT_OK);
    /* what an older pathdog does not grade is worth a look */
    for (int i = 0; i < 2; i++)
        status(&state, &told, "up", "something/");
    TOLD(&told, ALERT_LOOK);
    json_decref(told.last);
}

/* Of so many peers that pathdog names no reason: it is worth a look, as status --check says. */
static void test_many_peers(void **state_)
{
    struct state state;
    struct told told = {0};
    json_t *answer = json_pack("{s:{s:s},s:[],s:{s:i,s:i}}", "node", "state", "up", "reasons",
                               "peers", "up", 8000, "silent", 12);

    (void)state_;
    state_init(&state);
    for (int i = 0; i < 2; i++)
        state_status(&state, answer, 99, on_tell, &told);
    TOLD(&told, ALERT_PEERS_SILENT, ALERT_LOOK);
    assert_string_equal(member_text(told.last, "grade"), "look");
    assert_string_equal(member_text(told.last, "text"), "12 of 8000 peers silent");
    json_decref(answer);
    json_decref(told.last);
}

static void test_pathdog_gone(void **state_)
{
    struct state state;
    struct told told = {0};
    const uint64_t at = 100 * SECOND;

    (void)state_;
    state_init(&state);
    assert_int_equal(state_gone_due(&state, at, 99, on_tell, &told), UINT64_MAX);
    state_gone(&state, "first", at);
    state_gone(&state, "then", at + SECOND);
    assert_int_equal(state_gone_due(&state, at + SECOND, 99, on_tell, &told), at + STATE_GONE_US);
    TOLD_NOTHING(&told);
    state_back(&state, "r", 99, on_tell, &told); /* a restart */
    TOLD_NOTHING(&told);
    state_gone(&state, "again", at);
    assert_int_equal(state_gone_due(&state, at + STATE_GONE_US, 99, on_tell, &told), UINT64_MAX);
    TOLD(&told, ALERT_PATHDOG_DOWN);
    assert_string_equal(member_text(told.last, "reason"), "again");
    assert_int_equal(state_gone_due(&state, at + 2 * STATE_GONE_US, 99, on_tell, &told),
                     UINT64_MAX);
    TOLD_NOTHING(&told);
    state_back(&state, "r2", 99, on_tell, &told);
    TOLD(&told, ALERT_PATHDOG_UP);
    assert_string_equal(member_text(told.last, "run"), "r2");
    json_decref(told.last);
}

/* What was told before a restart is not told again, and its end is. */
static void test_kept(void **state_)
{
    struct state state, again;
    struct told told = {0};
    json_t *saved, *bad = json_pack("{s:i}", "node", 7);

    (void)state_;
    state_init(&state);
    (void)node(&state, "down");
    for (int i = 0; i < 2; i++)
        status(&state, &told, "down", "peers-silent/look node-silent/broken");
    TOLD(&told, ALERT_NODE_SILENT, ALERT_PEERS_SILENT, ALERT_BROKEN);
    saved = state_save(&state);
    state_init(&again);
    state_load(&again, NULL);
    state_load(&again, bad);
    assert_int_equal(again.node, -1);
    state_load(&again, saved);
    for (int i = 0; i < 3; i++)
        status(&again, &told, "down", "peers-silent/look node-silent/broken");
    TOLD_NOTHING(&told);
    for (int i = 0; i < 2; i++)
        status(&again, &told, "up", "");
    TOLD(&told, ALERT_NODE_UP, ALERT_NODE_ANSWERS, ALERT_PEERS_HEARD, ALERT_OK);
    json_decref(saved);
    json_decref(bad);
    json_decref(told.last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node),       cmocka_unit_test(test_node_by_status),
        cmocka_unit_test(test_twice),      cmocka_unit_test(test_grades),
        cmocka_unit_test(test_many_peers), cmocka_unit_test(test_pathdog_gone),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
