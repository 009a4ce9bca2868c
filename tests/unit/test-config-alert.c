/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/config/alert.c and alert-program.c: the section [alert]. */
#include "config-lab.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/format.h"
#include "util/glob.h"

#define ALERT NODE "[alert]\n"

static void test_defaults(void **state)
{
    struct config *config = parse_good(ALERT "program = /bin/true a 'b c'\n");
    const struct config_alert *alert = &config->alert;
    CLEANUP_FREE char *text = config_alert_text(config);

    (void)state;
    assert_true(alert->given);
    assert_string_equal(alert->values[ALERT_PROGRAM].text, "/bin/true a 'b c'");
    assert_int_equal(alert->values[ALERT_TIMEOUT].number, 30000000);
    assert_int_equal(alert->values[ALERT_AT_ONCE].number, 1);
    assert_int_equal(alert->values[ALERT_BURST].number, 10);
    assert_int_equal(alert->values[ALERT_EVERY].number, 10000000);
    assert_true(alert->events & UINT64_C(1) << ALERT_STALLED);
    assert_true(alert->events & UINT64_C(1) << ALERT_NODE_SILENT);
    assert_false(alert->events & UINT64_C(1) << ALERT_MOVE);
    assert_false(alert->events & UINT64_C(1) << ALERT_WARNING);
    assert_null(alert->match);
    assert_non_null(strstr(text, "program = /bin/true a 'b c'             # t.conf:4"));
    config_free(config);
}

static void test_none(void **state)
{
    struct config *config = parse_good(NODE);
    CLEANUP_FREE char *text = config_text(config, CONFIG_PLAIN), *error = NULL;

    (void)state;
    assert_false(config->alert.given);
    assert_null(strstr(text, "[alert]"));
    assert_int_equal(config_check_alert(config, &error), 0);
    config_free(config);
}

static void test_events(void **state)
{
    struct config *config =
        parse_good(ALERT "program = /p\non = broken uplink-*  ok\nmatch = a@* b@*\n");
    const struct config_alert *alert = &config->alert;
    uint64_t wanted = UINT64_C(1) << ALERT_BROKEN | UINT64_C(1) << ALERT_OK;

    (void)state;
    for (size_t i = 0; i < ALERT_EVENT_COUNT; i++)
        if (!strncmp(alert_events[i].name, "uplink-", 7))
            wanted |= UINT64_C(1) << i;
    assert_int_equal(alert->events, wanted);
    assert_true(globs_match(alert->match, "b@x"));
    assert_false(globs_match(alert->match, "c@x"));
    config_free(config);
}

/* What is printed reads back as the same. */
static void test_round_trip(void **state)
{
    struct config *config = parse_good(ALERT "program = /p\non = *\ntimeout = 90s\nat_once = 3\n"
                                             "burst = 7\nevery = 5min\ncheck_interval = 1s\n"
                                             "match = x@*\n");
    CLEANUP_FREE char *text = config_text(config, CONFIG_PLAIN);
    struct config *again = parse_good(text);
    CLEANUP_FREE char *text_again = config_text(again, CONFIG_PLAIN);

    (void)state;
    assert_string_equal(text, text_again);
    assert_int_equal(again->alert.events, (UINT64_C(1) << ALERT_EVENT_COUNT) - 1);
    config_free(config);
    config_free(again);
}

static void test_refused(void **state)
{
    (void)state;
    refused(NODE "[alert]\n",
            "t.conf:3: [alert]: needs \"program\": the absolute path of what is run");
    refused(ALERT "program = mail\n",
            "t.conf:4: [alert] program: \"mail\": the program is not an absolute path; allowed is "
            "the absolute path of a program, and its arguments");
    refused(ALERT "program = /bin/mail 'root\n",
            "t.conf:4: [alert] program: \"/bin/mail 'root\": a ' has no second one; allowed is the "
            "absolute path of a program, and its arguments");
    refused(ALERT "program = /p\non = staled\n",
            "t.conf:5: [alert] on: \"staled\" is no event; did you mean stalled?");
    refused(ALERT "program = /p\ntimout = 3s\n",
            "t.conf:5: [alert] timout: unknown key; did you mean timeout?");
    refused(ALERT "program = /p\nat_once = 17\n",
            "t.conf:5: [alert] at_once: \"17\" is too large; allowed is a whole number from 1 to "
            "16");
    refused(ALERT "program = /p\nmatch =\n",
            "t.conf:5: [alert] match: is empty; allowed are globs, separated by spaces");
    refused(NODE "[alerts]\n", "t.conf:3: [alerts]: unknown section; did you mean [alert]?");
    refused(NODE "[alert:mail]\n",
            "t.conf:3: [alert:mail]: unknown section; did you mean [alert]?");
}

static void test_refused_event(void **state)
{
    struct config *config = NULL;
    CLEANUP_FREE char *error = NULL;

    (void)state;
    assert_int_equal(parse(ALERT "program = /p\non = zzzzzzzz-*\n", &config, &error), -EINVAL);
    assert_non_null(strstr(error, "t.conf:5: [alert] on: \"zzzzzzzz-*\" is no event, nor a glob "
                                  "that fits one; events are broken, pathdog-down,"));
}

/* ---- the program ---- */

static int check_program(const char *program, char **ret_error)
{
    CLEANUP_FREE char *text = string_format(ALERT "program = %s\n", program);
    struct config *config = parse_good(text);
    int r = config_check_alert(config, ret_error);

    config_free(config);
    return r;
}

static void test_program(void **state)
{
    char directory[] = "/tmp/alert-XXXXXX";
    CLEANUP_FREE char *path = NULL, *none = NULL, *shut = NULL, *open_ = NULL, *folder = NULL;
    CLEANUP_FREE char *good = NULL;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    path = string_format("%s/program", directory);
    assert_int_equal(check_program(path, &none), -ENOENT);
    assert_non_null(strstr(none, "t.conf:4: [alert] program: /tmp/alert-"));
    assert_non_null(strstr(none, "No such file"));

    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_int_equal(check_program(path, &shut), -EACCES);
    assert_non_null(strstr(shut, "is not executable (mode 0644): chmod +x"));
    assert_int_equal(fchmod(fd, 0777), 0);
    assert_int_equal(check_program(path, &open_), -EPERM);
    assert_non_null(strstr(open_, "may be written by others than its owner (mode 0777); a program "
                                  "that others can change is not run"));
    assert_int_equal(fchmod(fd, 0755), 0);
    assert_int_equal(check_program(path, &good), 0);
    assert_int_equal(check_program(directory, &folder), -EINVAL);
    assert_non_null(strstr(folder, "is not a regular file"));
    close(fd);
    unlink(path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_none),
        cmocka_unit_test(test_events),   cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_refused_event),
        cmocka_unit_test(test_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
