/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/history.h"
#include "ctl/machines.h"

#define ALPHA   "aaaaaaaa00000000000000000000000a"
#define BRAVO   "bbbbbbbb00000000000000000000000b"
#define SERVICE "pathdog.service"

static void check(struct machines *machines, const char *run, const char *name, const char *unit)
{
    assert_string_equal(record_word(machines_names(machines), run), name);
    assert_string_equal(record_word(machines_units(machines), run), unit);
}

static void test_one_machine(void **state)
{
    struct machines *machines = machines_new();

    (void)state;
    machines_note(machines, "r1", ALPHA, "alpha", SERVICE);
    machines_note(machines, "r2", ALPHA, "alpha", NULL);
    check(machines, "r1", "alpha", SERVICE);
    check(machines, "r2", "alpha", "");
    check(machines, "r3", "", "");
    machines_free(machines);
}

/* What was noted before the second machine was, is told apart, too. */
static void test_several(void **state)
{
    struct machines *machines = machines_new();

    (void)state;
    machines_note(machines, "r1", ALPHA, "alpha", SERVICE);
    machines_note(machines, "r2", BRAVO, "bravo", SERVICE);
    machines_note(machines, "r3", BRAVO, "bravo", NULL);
    check(machines, "r1", "alpha", SERVICE " on alpha");
    check(machines, "r2", "bravo", SERVICE " on bravo");
    check(machines, "r3", "bravo", "pathdog on bravo");
    machines_free(machines);
}

static void test_of_one_name(void **state)
{
    struct machines *machines = machines_new();

    (void)state;
    machines_note(machines, "r1", ALPHA, "debian", SERVICE);
    machines_note(machines, "r2", BRAVO, "debian", SERVICE);
    check(machines, "r1", "debian (aaaaaaaa)", SERVICE " on debian (aaaaaaaa)");
    check(machines, "r2", "debian (bbbbbbbb)", SERVICE " on debian (bbbbbbbb)");
    /* one of them gets another name later: it stays the same machine */
    machines_note(machines, "r3", BRAVO, "bravo", SERVICE);
    check(machines, "r3", "debian (bbbbbbbb)", SERVICE " on debian (bbbbbbbb)");
    machines_free(machines);
}

/* From an export anything may come. */
static void test_what_is_not_known(void **state)
{
    struct machines *machines = machines_new();

    (void)state;
    machines_note(machines, NULL, ALPHA, "alpha", SERVICE);
    machines_note(machines, "r1", NULL, NULL, NULL);
    check(machines, "r1", "unknown machine", "");
    machines_note(machines, "r2", BRAVO, NULL, SERVICE);
    check(machines, "r2", "machine bbbbbbbb", SERVICE " on machine bbbbbbbb");
    machines_note(machines, "r3", "no id", "x", SERVICE);
    check(machines, "r3", "x", SERVICE " on x");
    check(machines, "r1", "x", "pathdog on x"); /* both are of the one that has no id */
    machines_free(machines);
    assert_null(machines_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_machine),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_of_one_name),
        cmocka_unit_test(test_what_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
