/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from each source, which goes before which, and what is refused. */
#include "options_private.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/format.h"

#define WORDS_MOST 24
#define SECOND     UINT64_C(1000000)

struct reading {
    struct options options;
    enum options_wanted wanted;
    char *warnings, *error;
    int r;
};

/* `words` and `variables` are separated by bars. */
static void read_all(struct reading *reading, const char *words, const char *variables)
{
    char *argv[WORDS_MOST] = {(char *)"flow-node"}, *environment[WORDS_MOST] = {NULL}, *save = NULL;
    CLEANUP_FREE char *copy = string_copy(words), *more = string_copy(variables);
    int argc = 1, n = 0;

    for (char *w = strtok_r(copy, "|", &save); w && argc < WORDS_MOST - 1;
         w = strtok_r(NULL, "|", &save))
        argv[argc++] = w;
    for (char *w = strtok_r(more, "|", &save); w && n < WORDS_MOST - 1;
         w = strtok_r(NULL, "|", &save))
        environment[n++] = w;
    *reading = (struct reading){0};
    reading->r = options_read(argc, argv, environment, &reading->options, &reading->wanted,
                              &reading->warnings, &reading->error);
    assert_true(reading->r < 0 ? reading->error != NULL : !reading->error);
}

static void forget(struct reading *reading)
{
    options_free(&reading->options);
    free(reading->warnings);
    free(reading->error);
}

/* A file with that text; the caller frees and removes it. */
static char *file_with(const char *text)
{
    char *path = string_copy("/tmp/flow-node-test-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void test_the_defaults_are_those_of_the_manual(void **state)
{
    struct reading reading;
    const struct options *options = &reading.options;

    (void)state;
    read_all(&reading, "", "");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.wanted, OPTIONS_RUN);
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

static bool is_same(const struct flow_settings *a, const struct flow_settings *b)
{
    for (size_t i = 0; i < FLOW_PORTS_MOST; i++)
        if (a->ports[i].first != b->ports[i].first || a->ports[i].last != b->ports[i].last ||
            a->ports[i].answers_us != b->ports[i].answers_us)
            return false;
    return a->n_ports == b->n_ports && a->limit == b->limit && a->min_age_us == b->min_age_us &&
           a->min_bytes == b->min_bytes && a->end_us == b->end_us && a->key[0] == b->key[0] &&
           a->key[1] == b->key[1];
}

/* Each setting by each source; what it was set to is seen by what it does to the whole. */
static void test_a_flag_a_variable_and_a_key_say_the_same(void **state)
{
    static const char *const values[][2] = {
        {"socket", "/tmp/x"},      {"name", "gate"},        {"ports", "443, 51820/12s"},
        {"local", "no"},           {"users", "root, 1000"}, {"units", "a*.service"},
        {"lan", "lan0, lan1"},     {"uplinks", "up0"},      {"max-flows", "7"},
        {"min-age", "90s"},        {"min-bytes", "3M"},     {"end-after", "5min"},
        {"sample-interval", "1s"}, {"table", "my_own"},     {"mark-mask", "0xf0"},
        {"route-table", "1700"},   {"rule-priority", "18"}, {"log", "journal"},
    };

    (void)state;
    assert_int_equal(ARRAY_SIZE(values), settings_count());
    for (size_t i = 0; i < settings_count(); i++) {
        const char *name = values[i][0], *value = values[i][1];
        char variable[SETTING_VARIABLE_SIZE];
        CLEANUP_FREE char *flag = string_format("--%s|%s", name, value),
                          *joined = string_format("--%s=%s", name, value), *set = NULL,
                          *text = string_format("%s = %s\n", name, value), *path = file_with(text),
                          *with_file = string_format("--config|%s", path);
        struct reading readings[4], none;

        set = string_format("%s=%s", setting_variable(setting_at(setting_find(name)), variable),
                            value);
        read_all(&none, "", "");
        read_all(&readings[0], flag, "");
        read_all(&readings[1], joined, "");
        read_all(&readings[2], "", set);
        read_all(&readings[3], with_file, "");
        for (size_t j = 0; j < ARRAY_SIZE(readings); j++) {
            const struct options *options = &readings[j].options, *first = &readings[0].options;

            if (readings[j].r < 0)
                fail_msg("%s: %s", name, readings[j].error);
            assert_string_equal(options->socket, first->socket);
            assert_string_equal(options->table, first->table);
            assert_int_equal(options->users.n, first->users.n);
            assert_int_equal(options->units.n, first->units.n);
            assert_int_equal(options->lan.n, first->lan.n);
            assert_int_equal(options->uplinks.n, first->uplinks.n);
            assert_true(is_same(&options->flows, &first->flows));
            assert_int_equal(options->mark_mask, first->mark_mask);
            assert_int_equal(options->route_table, first->route_table);
            assert_int_equal(options->rule_priority, first->rule_priority);
            assert_int_equal(options->sample_us, first->sample_us);
            assert_int_equal(options->local, first->local);
            assert_int_equal(options->log, first->log);
            assert_true(string_equal(options->name, first->name));
            /* And it does something. */
            assert_false(
                string_equal(options->socket, none.options.socket) &&
                string_equal(options->name, none.options.name) &&
                string_equal(options->table, none.options.table) &&
                options->users.n + options->units.n + options->lan.n + options->uplinks.n == 0 &&
                is_same(&options->flows, &none.options.flows) &&
                options->mark_mask == none.options.mark_mask &&
                options->route_table == none.options.route_table &&
                options->rule_priority == none.options.rule_priority &&
                options->sample_us == none.options.sample_us &&
                options->local == none.options.local && options->log == none.options.log);
        }
        for (size_t j = 0; j < ARRAY_SIZE(readings); j++)
            forget(&readings[j]);
        forget(&none);
        unlink(path);
    }
}

static void test_the_command_line_goes_before_the_environment_and_that_before_the_file(void **state)
{
    CLEANUP_FREE char *path =
                          file_with("[flow-node]\nmax_flows = 1\nmin-age = 1s\nend-after = 1s\n"),
                      *words = string_format("--config=%s|--max-flows|3", path);
    struct reading reading;

    (void)state;
    read_all(&reading, words, "FLOW_NODE_MAX_FLOWS=2|FLOW_NODE_MIN_AGE=2s");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.options.flows.limit, 3);
    assert_int_equal(reading.options.flows.min_age_us, 2 * SECOND);
    assert_int_equal(reading.options.flows.end_us, SECOND);
    forget(&reading);
    unlink(path);
}

static void test_what_is_wanted(void **state)
{
    static const struct {
        const char *words;
        enum options_wanted wanted;
    } cases[] = {{"--help", OPTIONS_HELP},       {"-h", OPTIONS_HELP},
                 {"--version", OPTIONS_VERSION}, {"--check", OPTIONS_CHECK},
                 {"--list", OPTIONS_LIST},       {"--list|--min-age|0", OPTIONS_LIST}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct reading reading;

        read_all(&reading, cases[i].words, "");
        assert_int_equal(reading.r, 0);
        assert_int_equal(reading.wanted, cases[i].wanted);
        forget(&reading);
    }
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
        {"--max-flows|many", "", {"--max-flows", "many", "1 to 262144"}},
        {"--max-flows", "", {"--max-flows needs a value"}},
        {"--list=yes", "", {"--list takes no value"}},
        {"--prots|1", "", {"unknown option --prots", "did you mean --ports?"}},
        {"--min_age|1s", "", {"unknown option --min_age", "did you mean --min-age?"}},
        {"443", "", {"unexpected argument \"443\""}},
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
        {"--socket|", "", {"--socket needs a value"}},
        {"--socket=", "", {"--socket", "is empty"}},
        {"--name|a\xc3", "", {"--name", "not UTF-8"}},
        {"--socket|" LONG_PATH, "", {"--socket", "longer than 107 bytes"}},
        {"--config=", "", {"--config", "is empty"}},
        {"", "FLOW_NODE_CONFIG=", {"FLOW_NODE_CONFIG", "is empty"}},
        {"", "FLOW_NODE_MIN_AGE=-1s", {"environment, FLOW_NODE_MIN_AGE", "-1s"}},
        {"--config|/nonexistent/x", "", {"/nonexistent/x", "No such file"}},
        {"--config|/tmp", "", {"/tmp", "not a regular file"}},
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

static void test_what_is_refused_in_a_file(void **state)
{
    static const char *const texts[][2] = {
        {"[flows]\nports = 1\n", ":1: [flows]: unknown section"},
        {"ports = 1\nmax-flow = 3\n", ":2: max-flow: unknown key; did you mean max-flows?"},
        {"max-flows = 1\nmax_flows = 2\n", ":2: max_flows is set twice; first in line 1"},
        {"\n\nmin-age = soon\n", ":3: min-age: "},
        {"ports\n", ":1: "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP_FREE char *path = file_with(texts[i][0]), *words = NULL;
        struct reading reading;

        words = string_format("--config|%s", path);
        read_all(&reading, words, "");
        assert_int_equal(reading.r, -EINVAL);
        if (!strstr(reading.error, texts[i][1]) || !strstr(reading.error, path))
            fail_msg("\"%s\" is not in \"%s\"", texts[i][1], reading.error);
        forget(&reading);
        unlink(path);
    }
}

static void test_the_environment_may_have_more(void **state)
{
    struct reading reading;

    (void)state;
    read_all(&reading, "", "FLOW_NODE_PORT=1|FLOW_NODE_CONFIG_X=2|RUNTIME_DIRECTORY=/run/a:/run/b");
    assert_int_equal(reading.r, 0);
    assert_non_null(
        strstr(reading.warnings, "FLOW_NODE_PORT: no such setting; did you mean ports?"));
    assert_string_equal(reading.options.socket, "/run/a/node.sock");
    forget(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_defaults_are_those_of_the_manual),
        cmocka_unit_test(test_a_flag_a_variable_and_a_key_say_the_same),
        cmocka_unit_test(
            test_the_command_line_goes_before_the_environment_and_that_before_the_file),
        cmocka_unit_test(test_what_is_wanted),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_what_is_refused_in_a_file),
        cmocka_unit_test(test_the_environment_may_have_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
