/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/health.c: is all well, in a line and in parts. */
#include <jansson.h>

#include "check.h"
#include "ctl/health.h"

#define MOST 2u

static json_t *status(int up, int silent)
{
    return json_pack("{s:{s:s,s:s},s:{s:i,s:i},s:[]}", "node", "name", "alpha", "path", "/run/x",
                     "peers", "up", up, "silent", silent, "reasons");
}

static void add(json_t *of, const char *what, const char *grade, const char *text)
{
    json_array_append_new(json_object_get(of, "reasons"),
                          json_pack("{s:s,s:s,s:s}", "what", what, "grade", grade, "text", text));
}

static void expect(json_t *of, enum health health, const char *line, const char *first,
                   const char *second, const char *third, size_t others)
{
    char text[HEALTH_SIZE], *one, *more[MOST];
    size_t n;

    assert_int_equal(health_of(of, text), health);
    assert_string_equal(text, line);
    assert_int_equal(health_split(of, &one, more, MOST, &n), health);
    assert_string_equal(one, first);
    assert_int_equal(n, others);
    for (size_t i = 0; i < MOST; i++) {
        const char *wanted = i ? third : second;

        if (wanted)
            assert_string_equal(more[i], wanted);
        else
            assert_null(more[i]);
        free(more[i]);
    }
    free(one);
    json_decref(of);
}

static void well(void **state)
{
    json_t *of = status(0, 0);

    expect(status(12, 0), HEALTH_OK, "node alpha is up, 12 peers, none silent",
           "node alpha is up, 12 peers, none silent", NULL, NULL, 0);
    add(of, "no-peers", "note", "the node has no connections");
    expect(of, HEALTH_OK, "node alpha is up, 0 peers", "node alpha is up, 0 peers",
           "the node has no connections", NULL, 1);
}

static void worst_first(void **state)
{
    json_t *of = status(3, 0);

    add(of, "a", "look", "A");
    add(of, "b", "broken", "B");
    add(of, "c", "note", "C");
    add(of, "d", "look", "D");
    expect(of, HEALTH_BROKEN, "B; A; D", "B", "A", "D", 3);
}

/* Why is said beside the node. */
static void node_down(void **state)
{
    json_t *of = status(0, 0);

    add(of, "node-down", "broken", "the node at /run/x is down: no such file");
    expect(of, HEALTH_BROKEN, "the node at /run/x is down: no such file",
           "the node is down, and no peer can be moved", NULL, NULL, 0);
}

/* Of large tables the daemon gives no reasons. */
static void counted(void **state)
{
    json_t *of = status(10000, 7);

    add(of, "x", "look", "X");
    expect(of, HEALTH_LOOK, "X; 7 of 10000 peers silent", "X", "7 of 10000 peers silent", NULL, 1);
    expect(status(9, 9), HEALTH_BROKEN, "9 of 9 peers silent", "9 of 9 peers silent", NULL, NULL,
           0);
    of = status(10, 7);
    add(of, "peers-silent", "look", "7 of 10 peers silent (a)");
    expect(of, HEALTH_LOOK, "7 of 10 peers silent (a)", "7 of 10 peers silent (a)", NULL, NULL, 0);
}

/* What an older daemon does not grade is worth a look. */
static void without_grades(void **state)
{
    json_t *of = status(1, 0);

    json_array_append_new(json_object_get(of, "reasons"), json_pack("{s:s}", "text", "T\x1b"));
    expect(of, HEALTH_LOOK, "T\\x1b", "T\\x1b", NULL, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well),    cmocka_unit_test(worst_first),    cmocka_unit_test(node_down),
        cmocka_unit_test(counted), cmocka_unit_test(without_grades),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
