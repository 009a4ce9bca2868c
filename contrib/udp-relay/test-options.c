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

struct reading {
    struct options options;
    enum options_wanted wanted;
    char *warnings, *error;
    int r;
};

/* `words` and `variables` are separated by spaces. */
static void read_all(struct reading *reading, const char *words, const char *variables)
{
    char *argv[WORDS_MOST] = {(char *)"udp-relay"}, *environment[WORDS_MOST] = {NULL}, *save = NULL;
    CLEANUP_FREE char *copy = string_copy(words), *more = string_copy(variables);
    int argc = 1, n = 0;

    for (char *w = strtok_r(copy, " ", &save); w && argc < WORDS_MOST - 1;
         w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    for (char *w = strtok_r(more, " ", &save); w && n < WORDS_MOST - 1;
         w = strtok_r(NULL, " ", &save))
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
    char *path = string_copy("/tmp/udp-relay-test-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void the_defaults_are_those_of_the_manual(void **state)
{
    struct reading reading;
    const struct options *options = &reading.options;

    read_all(&reading, "", "");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.wanted, OPTIONS_RUN);
    assert_int_equal(options->bind.port, 4433);
    assert_memory_equal(options->bind.ip, (uint8_t[16]){0}, 16);
    assert_int_equal(options->relay.session_timeout_us, UINT64_C(300000000));
    assert_int_equal(options->relay.max_data_bytes, 1u << 30);
    assert_int_equal(options->relay.max_duration_us, UINT64_C(1800000000));
    assert_int_equal(options->relay.max_circuits, 64);
    assert_int_equal(options->relay.max_circuits_per_address, 16);
    assert_int_equal(options->relay.reservation_ttl_us, UINT64_C(3600000000));
    assert_int_equal(options->buffer_bytes, 65536);
    assert_int_equal(options->relay.max_datagram_bytes, 65507);
    assert_int_equal(options->acl_refresh_us, 30000000);
    assert_true(options->relay.service);
    assert_true(options->offload);
    assert_int_equal(options->relay.rebind, RELAY_REBIND_SAME_IP);
    assert_int_equal(options->log, LOG_TEXT);
    assert_null(options->members);
    assert_string_equal(reading.warnings, "");
    forget(&reading);
}

/* Each setting by each source. */
static void a_flag_a_variable_and_a_key_say_the_same(void **state)
{
    static const char *const values[][2] = {
        {"bind", "192.0.2.7"},
        {"port", "3478"},
        {"session-timeout-secs", "17"},
        {"max-data", "3M"},
        {"max-duration", "90s"},
        {"max-circuits", "7"},
        {"max-circuits-per-address", "3"},
        {"reservation-ttl", "5min"},
        {"buffer-size", "1200"},
        {"members", "/etc/members"},
        {"acl-refresh", "2s"},
        {"service", "no"},
        {"rebind", "register"},
        {"control", "/run/x"},
        {"threads", "3"},
        {"offload", "no"},
        {"log", "journal"},
    };

    assert_int_equal(sizeof(values) / sizeof(values[0]), settings_count());
    for (size_t i = 0; i < settings_count(); i++) {
        const char *name = values[i][0], *value = values[i][1];
        const struct setting *setting = setting_at(setting_find(name));
        char variable[SETTING_VARIABLE_SIZE], key[64];
        CLEANUP_FREE char *flag = string_format("--%s %s", name, value),
                          *joined = string_format("--%s=%s", name, value), *set = NULL,
                          *text = NULL, *with_file = NULL, *path = NULL;
        struct reading by[4];

        set = string_format("%s=%s", setting_variable(setting, variable), value);
        snprintf(key, sizeof(key), "%s", name);
        for (char *at = key; i % 2 && *at; at++)
            *at = *at == '-' ? '_' : *at;
        text = string_format("%s# a comment\n%s = %s\n",
                             i % 3 == 2 ? "[relay]\n"
                             : i % 3    ? "[udp-relay]\n"
                                        : "",
                             key, value);
        path = file_with(text);
        with_file = string_format("--config %s", path);
        read_all(&by[0], flag, "");
        read_all(&by[1], joined, "");
        read_all(&by[2], "", set);
        read_all(&by[3], with_file, "");
        unlink(path);
        for (size_t k = 0; k < 4; k++) {
            const struct options *a = &by[0].options, *b = &by[k].options;

            assert_int_equal(by[k].r, 0);
            assert_string_equal(by[k].warnings, "");
            assert_memory_equal(&a->relay, &b->relay, sizeof(a->relay));
            assert_true(endpoint_equal(&a->bind, &b->bind));
            assert_int_equal(a->buffer_bytes, b->buffer_bytes);
            assert_int_equal(a->acl_refresh_us, b->acl_refresh_us);
            assert_int_equal(a->workers, b->workers);
            assert_int_equal(a->offload, b->offload);
            assert_int_equal(a->log, b->log);
            assert_true(string_equal(a->members, b->members));
            assert_true(string_equal(a->control, b->control));
        }
        for (size_t k = 0; k < 4; k++)
            forget(&by[k]);
    }
}

static void what_was_said_is_there(void **state)
{
    struct reading reading;

    read_all(&reading,
             "--bind 127.0.0.1 --port 0 --max-data 0 --max-duration 0 --buffer-size 64M --members "
             "m --control none --service=off --session-timeout-secs 2min",
             "");
    assert_int_equal(reading.r, 0);
    assert_true(endpoint_is_ipv4(&reading.options.bind));
    assert_int_equal(reading.options.bind.port, 0);
    assert_int_equal(reading.options.relay.max_data_bytes, 0);
    assert_int_equal(reading.options.relay.max_duration_us, 0);
    assert_int_equal(reading.options.relay.session_timeout_us, 120000000);
    assert_int_equal(reading.options.buffer_bytes, 64u << 20);
    assert_int_equal(reading.options.relay.max_datagram_bytes, 65507);
    assert_string_equal(reading.options.members, "m");
    assert_null(reading.options.control);
    assert_false(reading.options.relay.service);
    forget(&reading);
}

static void the_flag_goes_before_the_variable_before_the_file(void **state)
{
    CLEANUP_FREE char *path = file_with("max-circuits = 1\nmax-data = 1K\nport = 1\n");
    CLEANUP_FREE char *flags = string_format("--port 3 --config %s", path);
    CLEANUP_FREE char *named = string_format("UDP_RELAY_CONFIG=%s", path);
    struct reading reading;

    read_all(&reading, flags, "UDP_RELAY_PORT=2 UDP_RELAY_MAX_DATA=2K UDP_RELAY_CONFIG=/nowhere");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.options.bind.port, 3);
    assert_int_equal(reading.options.relay.max_data_bytes, 2048);
    assert_int_equal(reading.options.relay.max_circuits, 1);
    forget(&reading);
    read_all(&reading, "--port 4 --port 5", named);
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.options.bind.port, 5);
    assert_int_equal(reading.options.relay.max_data_bytes, 1024);
    forget(&reading);
    unlink(path);
}

static void refused(const char *words, const char *variables, const char *error)
{
    struct reading reading;

    read_all(&reading, words, variables);
    assert_int_equal(reading.r, -EINVAL);
    assert_string_equal(reading.error, error);
    forget(&reading);
}

static void a_bad_flag_is_named(void **state)
{
    refused("--max-data 1X", "",
            "--max-data: \"1X\" is not a size: a number and K, M, G or nothing; allowed is a size, "
            "0 or more");
    refused("--max-data -1", "", "--max-data: \"-1\" is negative; allowed is a size, 0 or more");
    refused("--port 65536", "",
            "--port: \"65536\" is too large; allowed is a whole number from 0 to 65535");
    refused("--port=", "",
            "--port: \"\" has no number where one must stand; allowed is a whole number from 0 to "
            "65535");
    refused("--max-circuits 0", "",
            "--max-circuits: \"0\" is too small; allowed is a whole number from 1 to 262144");
    refused("--session-timeout-secs 0", "",
            "--session-timeout-secs: \"0\" is too small; allowed is a time from 1s to 365d");
    refused("--max-duration 5x", "",
            "--max-duration: \"5x\" lacks a unit of time: us, ms, s, min, h or d; allowed is a "
            "time from 0 to 365d");
    refused("--buffer-size 0", "",
            "--buffer-size: \"0\" is too small; allowed is a size from 1 to 64M");
    refused("--buffer-size 5000000000", "",
            "--buffer-size: \"5000000000\" is too large; allowed is a size from 1 to 64M");
    refused("--service maybe", "",
            "--service: \"maybe\" is not a boolean: yes, no, true, false, on, off, 1 or 0; allowed "
            "is yes or no");
    refused("--rebind same", "", "--rebind: \"same\": allowed is same-ip or register");
    refused("--rebind regster", "",
            "--rebind: \"regster\": allowed is same-ip or register (did you mean register?)");
    refused("--bind localhost", "",
            "--bind: \"localhost\" is not an address; allowed is an IPv4 or IPv6 address, such as "
            "192.0.2.1 or 2001:db8::1; the port is set by \"port\"");
    refused("--members=", "", "--members: \"\" is empty; allowed is a file, or none");
    refused("--threads 65", "",
            "--threads: \"65\" is too large; allowed is a whole number from 0 to 64");
}

static void what_is_no_option_is_named(void **state)
{
    refused("--max-dat 1", "", "unknown option --max-dat; did you mean --max-data?");
    refused("--max_data 1", "", "unknown option --max_data; did you mean --max-data?");
    refused("--port", "", "--port needs a value; see --help");
    refused("--port --bind ::", "", "--port needs a value; see --help");
    refused("4433", "", "unexpected argument \"4433\": udp-relay takes options only; see --help");
    refused("--help=1", "", "--help takes no value");
    refused("--config /nowhere/at/all", "", "/nowhere/at/all: No such file or directory");
    refused("--config /dev/null", "", "/dev/null: is not a regular file");
}

static void a_bad_variable_is_named_also_behind_a_flag(void **state)
{
    refused("--max-duration 1min", "UDP_RELAY_MAX_DURATION=soon",
            "environment, UDP_RELAY_MAX_DURATION: \"soon\" has no number where one must stand; "
            "allowed is a time from 0 to 365d");
    refused("", "UDP_RELAY_CONTROL=",
            "environment, UDP_RELAY_CONTROL: \"\" is empty; allowed is a file, or none");
}

static void a_variable_of_somebody_else_is_a_warning(void **state)
{
    struct reading reading;

    read_all(&reading, "", "UDP_RELAY_MAX_DAT=1 UDP_RELAYS=x UDP=y UDP_RELAY_CONFIGS UDP_RELAY_");
    assert_int_equal(reading.r, 0);
    assert_non_null(strstr(reading.warnings, "environment, UDP_RELAY_MAX_DAT: no such setting; did "
                                             "you mean max-data?\n"));
    assert_null(strstr(reading.warnings, "UDP_RELAYS"));
    forget(&reading);
}

static void a_bad_line_is_named(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"\nmax-data = much\n", "f:2: max-data: \"much\" has no number where one must stand; "
                                "allowed is a size, 0 or more"},
        {"max-dta = 1\n", "f:1: max-dta: unknown key; did you mean max-data?"},
        {"[watchdog]\n",
         "f:1: [watchdog]: unknown section; allowed is [udp-relay] or [relay], or none"},
        {"port = 1\n[udp-relay]\nport = 2\n", "f:3: port is set twice; first in line 1"},
        {"max-data = 1\nmax_data = 2\n", "f:2: max_data is set twice; first in line 1"},
        {"port\n", "f:1: \"port\" is neither key = value nor [section]"},
        {"port = \n",
         "f:1: port: \"\" has no number where one must stand; allowed is a whole number from 0 to "
         "65535"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct options options;
        char *error = NULL;

        settings_default(&options);
        assert_int_equal(options_text(&options, "f", rows[i].text, strlen(rows[i].text), &error),
                         -EINVAL);
        assert_string_equal(error, rows[i].error);
        free(error);
        options_free(&options);
    }
}

static void help_goes_before_all(void **state)
{
    struct reading reading;

    read_all(&reading, "--help --nonsense", "UDP_RELAY_PORT=x");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.wanted, OPTIONS_HELP);
    forget(&reading);
    read_all(&reading, "--port 1 --version", "");
    assert_int_equal(reading.wanted, OPTIONS_VERSION);
    forget(&reading);
}

static void the_runtime_directory_has_the_control_socket(void **state)
{
    struct reading reading;

    read_all(&reading, "", "RUNTIME_DIRECTORY=/run/a:/run/b");
    assert_string_equal(reading.options.control, "/run/a/control.sock");
    forget(&reading);
    read_all(&reading, "", "RUNTIME_DIRECTORY=/run/a UDP_RELAY_CONTROL=none");
    assert_null(reading.options.control);
    forget(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_manual),
        cmocka_unit_test(a_flag_a_variable_and_a_key_say_the_same),
        cmocka_unit_test(what_was_said_is_there),
        cmocka_unit_test(the_flag_goes_before_the_variable_before_the_file),
        cmocka_unit_test(a_bad_flag_is_named),
        cmocka_unit_test(what_is_no_option_is_named),
        cmocka_unit_test(a_bad_variable_is_named_also_behind_a_flag),
        cmocka_unit_test(a_variable_of_somebody_else_is_a_warning),
        cmocka_unit_test(a_bad_line_is_named),
        cmocka_unit_test(help_goes_before_all),
        cmocka_unit_test(the_runtime_directory_has_the_control_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
