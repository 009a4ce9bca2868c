/* SPDX-License-Identifier: Apache-2.0 */
/* This program's settings: their defaults, where each goes, and its own kinds of values. How
 * settings are read is tested in contrib/settings. */
#include "settings/options-lab.h"

#include <errno.h>

#define SECOND UINT64_C(1000000)

static void test_the_defaults_are_those_of_the_manual(void **state)
{
    struct reading reading;
    const struct options *options = &reading.options;

    (void)state;
    read_all(&reading, "", "");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.wanted, SETTINGS_RUN);
    assert_string_equal(options->socket, "/run/flow-node/node.sock");
    assert_null(options->name);
    assert_int_equal(options->flows.n_ports, 1);
    assert_int_equal(options->flows.ports[0].first, 443);
    assert_int_equal(options->flows.ports[0].last, 443);
    assert_int_equal(options->flows.ports[0].answers_us, 0);
    assert_true(options->local);
    assert_int_equal(options->users.n + options->units.n + options->lan.n + options->uplinks.n, 0);
    assert_int_equal(options->flows.limit, 16384);
    assert_int_equal(options->flows.min_age_us, 5 * SECOND);
    assert_int_equal(options->flows.min_bytes, 4096);
    assert_int_equal(options->flows.end_us, 30 * SECOND);
    assert_int_equal(options->sample_us, SECOND / 10);
    assert_string_equal(options->table, "pathdog_flows");
    assert_int_equal(options->mark_mask, 0x1f000000);
    assert_int_equal(options->route_table, 7000);
    assert_int_equal(options->rule_priority, 900);
    assert_int_equal(options->log, LOG_TEXT);
    assert_string_equal(reading.warnings, "");
    forget(&reading);
}

static void test_each_goes_to_its_place(void **state)
{
    static const char text[] = "[flow-node]\n"
                               "socket = /tmp/x\n"
                               "name = gate\n"
                               "ports = 443, 51820/12s\n"
                               "local = no\n"
                               "users = root, 1000\n"
                               "units = a*.service\n"
                               "lan = lan0, lan1\n"
                               "uplinks = up0\n"
                               "max-flows = 7\n"
                               "min-age = 90s\n"
                               "min-bytes = 3M\n"
                               "end-after = 5min\n"
                               "sample-interval = 1s\n"
                               "table = my_own\n"
                               "mark-mask = 0xf0\n"
                               "route-table = 1700\n"
                               "rule-priority = 18\n"
                               "log = journal\n";
    struct reading reading;
    const struct options *options = &reading.options;

    (void)state;
    read_each(&reading, text);
    assert_string_equal(options->socket, "/tmp/x");
    assert_string_equal(options->name, "gate");
    assert_int_equal(options->flows.n_ports, 2);
    assert_int_equal(options->flows.ports[1].first, 51820);
    assert_int_equal(options->flows.ports[1].answers_us, 12 * SECOND);
    assert_false(options->local);
    assert_int_equal(options->users.n, 2);
    assert_string_equal(options->users.at[1], "1000");
    assert_int_equal(options->units.n, 1);
    assert_string_equal(options->units.at[0], "a*.service");
    assert_int_equal(options->lan.n, 2);
    assert_string_equal(options->lan.at[1], "lan1");
    assert_int_equal(options->uplinks.n, 1);
    assert_string_equal(options->uplinks.at[0], "up0");
    assert_int_equal(options->flows.limit, 7);
    assert_int_equal(options->flows.min_age_us, 90 * SECOND);
    assert_int_equal(options->flows.min_bytes, 3 << 20);
    assert_int_equal(options->flows.end_us, 300 * SECOND);
    assert_int_equal(options->sample_us, SECOND);
    assert_string_equal(options->table, "my_own");
    assert_int_equal(options->mark_mask, 0xf0);
    assert_int_equal(options->route_table, 1700);
    assert_int_equal(options->rule_priority, 18);
    assert_int_equal(options->log, LOG_JOURNAL);
    forget(&reading);
}

static void test_lists(void **state)
{
    struct reading reading;

    (void)state;
    read_all(&reading, "--lan| lan0 ,lan1|--ports|1-2,65535,3/1min|--uplinks|all|--users|all", "");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.options.lan.n, 2);
    assert_string_equal(reading.options.lan.at[0], "lan0");
    assert_string_equal(reading.options.lan.at[1], "lan1");
    assert_int_equal(reading.options.uplinks.n, 0);
    assert_int_equal(reading.options.flows.n_ports, 3);
    assert_int_equal(reading.options.flows.ports[0].last, 2);
    assert_int_equal(reading.options.flows.ports[1].first, 65535);
    assert_int_equal(reading.options.flows.ports[2].answers_us, 60 * SECOND);
    forget(&reading);
    read_all(&reading, "--ports|all", "");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.options.flows.n_ports, 0);
    forget(&reading);
}

#define LONG_PATH                                                                                  \
    "/run/flow-node/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/" \
    "0123456789/"                                                                                  \
    "0123456789/s"

/* The error names the source, the key, the value and what is allowed. */
static void test_what_is_refused(void **state)
{
    static const struct {
        const char *words, *variables;
        const char *says[3];
    } cases[] = {
        {"--max-flows|0", "", {"--max-flows", "0", "1 to 262144"}},
        {"--list=yes", "", {"--list takes no value"}},
        {"--name|" LONG_PATH LONG_PATH, "", {"--name", "longer than 200 bytes"}},
        {"--prots|1", "", {"unknown option --prots", "did you mean --ports?"}},
        {"--ports|0", "", {"--ports", "\"0\"", "1 to 65535"}},
        {"--ports|443,", "", {"--ports: \"443,\" ends with a comma"}},
        {"--ports|443,,1", "", {"--ports", "such as 443"}},
        {"--ports|70000", "", {"--ports", "70000"}},
        {"--ports|10-5", "", {"from the lesser to the greater"}},
        {"--ports|443/soon", "", {"443/soon", "no time after its /"}},
        {"--ports|443/2d", "", {"more than a day"}},
        {"--ports|tcp", "", {"\"tcp\"", "51820/12s"}},
        {"--lan|lan0/24", "", {"--lan", "lan0/24", "no interface's name has"}},
        {"--lan|averyveryverylong0", "", {"longer than the 15 bytes"}},
        {"--lan|a,,b", "", {"\"\" is empty"}},
        {"--lan|all", "", {"--lan: \"all\" is no interface's name", "or none"}},
        {"--lan|none,lan0", "", {"\"none\" does not go with other names"}},
        {"--uplinks|none", "", {"--uplinks", "names of interfaces", "or all"}},
        {"--units|a b", "", {"--units", "a space"}},
        {"--table|flush", "", {"--table", "\"flush\" has no _"}},
        {"--table|9lives", "", {"--table", "9lives"}},
        {"--table|a;b", "", {"--table", "letter, digit or _"}},
        {"--mark-mask|0", "", {"--mark-mask", "0x1f000000"}},
        {"--mark-mask|0x5", "", {"two bits that follow each other"}},
        {"--mark-mask|0x100000000", "", {"no mask"}},
        {"--mark-mask|-1", "", {"no mask"}},
        {"--rule-priority|32766", "", {"--rule-priority", "1 to 32764"}},
        {"--local|perhaps", "", {"--local", "perhaps", "yes"}},
        {"--log|syslog", "", {"--log", "text or journal"}},
        {"--socket=", "", {"--socket", "is empty"}},
        {"--name|a\xc3", "", {"--name", "not UTF-8"}},
        {"--socket|" LONG_PATH, "", {"--socket", "longer than 107 bytes"}},
        {"", "FLOW_NODE_MIN_AGE=-1s", {"environment, FLOW_NODE_MIN_AGE", "-1s"}},
        {"", "FLOW_NODE_CONFIG=/nonexistent/y", {"/nonexistent/y"}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct reading reading;

        read_all(&reading, cases[i].words, cases[i].variables);
        if (reading.r != -EINVAL)
            fail_msg("\"%s\" \"%s\" was taken", cases[i].words, cases[i].variables);
        for (size_t j = 0; j < ARRAY_SIZE(cases[i].says) && cases[i].says[j]; j++)
            if (!strstr(reading.error, cases[i].says[j]))
                fail_msg("\"%s\" is not in \"%s\"", cases[i].says[j], reading.error);
        forget(&reading);
    }
}

static void test_what_is_wanted(void **state)
{
    struct reading reading;

    (void)state;
    read_all(&reading, "--check", "");
    assert_int_equal(reading.wanted, OPTIONS_CHECK);
    forget(&reading);
    read_all(&reading, "--list|--min-age|0", "");
    assert_int_equal(reading.wanted, OPTIONS_LIST);
    assert_int_equal(reading.options.flows.min_age_us, 0);
    forget(&reading);
}

static void test_the_runtime_directory_has_the_socket(void **state)
{
    struct reading reading;

    (void)state;
    read_all(&reading, "", "FLOW_NODE_PORT=1|RUNTIME_DIRECTORY=/run/a:/run/b");
    assert_int_equal(reading.r, 0);
    assert_non_null(
        strstr(reading.warnings, "FLOW_NODE_PORT: no such setting; did you mean ports?"));
    assert_string_equal(reading.options.socket, "/run/a/node.sock");
    forget(&reading);
    read_all(&reading, "", "FLOW_NODE_SOCKET=/tmp/s|RUNTIME_DIRECTORY=/run/a");
    assert_string_equal(reading.options.socket, "/tmp/s");
    forget(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults_are_those_of_the_manual),
        cmocka_unit_test(test_each_goes_to_its_place),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_what_is_wanted),
        cmocka_unit_test(test_the_runtime_directory_has_the_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
