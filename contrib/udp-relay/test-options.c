/* SPDX-License-Identifier: Apache-2.0 */
/* This program's settings: their defaults, where each goes, and its own kinds of values. How
 * settings are read is tested in contrib/settings. */
#include "settings/options-lab.h"

#include <errno.h>

#define SECOND UINT64_C(1000000)

static void the_defaults_are_those_of_the_manual(void **state)
{
    struct reading reading;
    const struct options *options = &reading.options;

    read_all(&reading, "", "");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.wanted, SETTINGS_RUN);
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

static void each_goes_to_its_place(void **state)
{
    static const char text[] = "[relay]\n"
                               "bind = 192.0.2.7\n"
                               "port = 3478\n"
                               "session-timeout-secs = 17\n"
                               "max-data = 3M\n"
                               "max-duration = 90s\n"
                               "max-circuits = 7\n"
                               "max-circuits-per-address = 3\n"
                               "reservation-ttl = 5min\n"
                               "buffer-size = 1200\n"
                               "members = /etc/members\n"
                               "acl-refresh = 2s\n"
                               "service = no\n"
                               "rebind = register\n"
                               "control = /run/x\n"
                               "threads = 3\n"
                               "offload = no\n"
                               "log = journal\n";
    struct reading reading;
    const struct options *options = &reading.options;
    struct endpoint bind = {.port = 3478};

    read_each(&reading, text);
    assert_int_equal(ip_parse("192.0.2.7", &bind), 0);
    bind.port = 3478;
    assert_true(endpoint_equal(&options->bind, &bind));
    assert_int_equal(options->relay.session_timeout_us, 17 * SECOND);
    assert_int_equal(options->relay.max_data_bytes, 3 << 20);
    assert_int_equal(options->relay.max_duration_us, 90 * SECOND);
    assert_int_equal(options->relay.max_circuits, 7);
    assert_int_equal(options->relay.max_circuits_per_address, 3);
    assert_int_equal(options->relay.reservation_ttl_us, 300 * SECOND);
    assert_int_equal(options->buffer_bytes, 1200);
    assert_int_equal(options->relay.max_datagram_bytes, 1200);
    assert_string_equal(options->members, "/etc/members");
    assert_int_equal(options->acl_refresh_us, 2 * SECOND);
    assert_false(options->relay.service);
    assert_int_equal(options->relay.rebind, RELAY_REBIND_REGISTER);
    assert_string_equal(options->control, "/run/x");
    assert_int_equal(options->workers, 3);
    assert_false(options->offload);
    assert_int_equal(options->log, LOG_JOURNAL);
    forget(&reading);
}

static void what_was_said_is_there(void **state)
{
    struct reading reading;

    read_all(&reading,
             "--bind|127.0.0.1|--port|0|--max-data|0|--max-duration|0|--buffer-size|64M|--members|"
             "m|--control|none|--service=off|--session-timeout-secs|2min",
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

static void refused(const char *words, const char *variables, const char *error)
{
    struct reading reading;

    read_all(&reading, words, variables);
    assert_int_equal(reading.r, -EINVAL);
    assert_string_equal(reading.error, error);
    forget(&reading);
}

static void what_is_refused(void **state)
{
    refused("--port|65536", "",
            "--port: \"65536\" is too large; allowed is a whole number from 0 to 65535");
    refused("--max-circuits|0", "",
            "--max-circuits: \"0\" is too small; allowed is a whole number from 1 to 262144");
    refused("--session-timeout-secs|0", "",
            "--session-timeout-secs: \"0\" is too small; allowed is a time from 1s to 365d");
    refused("--buffer-size|0", "",
            "--buffer-size: \"0\" is too small; allowed is a size from 1 to 64M");
    refused("--buffer-size|5000000000", "",
            "--buffer-size: \"5000000000\" is too large; allowed is a size from 1 to 64M");
    refused("--rebind|same", "", "--rebind: \"same\": allowed is same-ip or register");
    refused("--bind|localhost", "",
            "--bind: \"localhost\" is not an address; allowed is an IPv4 or IPv6 address, such as "
            "192.0.2.1 or 2001:db8::1; the port is set by \"port\"");
    refused("--threads|65", "",
            "--threads: \"65\" is too large; allowed is a whole number from 0 to 64");
    refused("4433", "", "unexpected argument \"4433\": udp-relay takes options only; see --help");
    refused("--max-duration|1min", "UDP_RELAY_MAX_DURATION=soon",
            "environment, UDP_RELAY_MAX_DURATION: \"soon\" has no number where one must stand; "
            "allowed is a time from 0 to 365d");
}

static void a_section_of_something_else_is_refused(void **state)
{
    static const char text[] = "[udp-relay]\n[relay]\n[watchdog]\n";
    struct options options;
    char *error = NULL;

    settings_default(&options_settings, &options);
    assert_int_equal(settings_text(&options_settings, &options, "f", text, strlen(text), &error),
                     -EINVAL);
    assert_string_equal(
        error, "f:3: [watchdog]: unknown section; allowed is [udp-relay] or [relay], or none");
    free(error);
    options_free(&options);
}

static void the_runtime_directory_has_the_control_socket(void **state)
{
    struct reading reading;

    read_all(&reading, "", "RUNTIME_DIRECTORY=/run/a:/run/b");
    assert_string_equal(reading.options.control, "/run/a/control.sock");
    forget(&reading);
    read_all(&reading, "", "RUNTIME_DIRECTORY=/run/a|UDP_RELAY_CONTROL=none");
    assert_null(reading.options.control);
    forget(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_manual),
        cmocka_unit_test(each_goes_to_its_place),
        cmocka_unit_test(what_was_said_is_there),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(a_section_of_something_else_is_refused),
        cmocka_unit_test(the_runtime_directory_has_the_control_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
