/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/config/: what is refused, and with which words. */
#include "config-lab.h"

#include <errno.h>

#include "util/format.h"

static void test_refused_keys(void **state)
{
    refused("[watchdog]\nnode = /n\ncooldwn = 3s\n",
            "t.conf:3: [watchdog] cooldwn: unknown key; did you mean cooldown?");
    refused(NODE "[trigger:srtt]\nthreshhold = 1s\n",
            "t.conf:4: [trigger:srtt] threshhold: unknown key; did you mean threshold?");
    refused(NODE "[trigger:route]\nabcdefghij = 1s\n",
            "t.conf:4: [trigger:route] abcdefghij: unknown key; known are enabled, match");
    refused("[watchdogs]\n", "t.conf:1: [watchdogs]: unknown section; did you mean [watchdog]?");
    refused("[triger:srtt]\n",
            "t.conf:1: [triger:srtt]: unknown section; did you mean [trigger:NAME]?");
    refused("[other]\n", "t.conf:1: [other]: unknown section; known are [watchdog], [alert], "
                         "[uplink:NAME], [trigger:NAME] and [trigger:NAME:LABEL]");
    refused("[watchdog]\nplugin_directory = /p\n[trigger:nope]\n",
            "t.conf:3: [trigger:nope]: no trigger nope in /p");
    refused("[trigger:]\n", "t.conf:1: [trigger:]: a trigger's section is [trigger:NAME] or "
                            "[trigger:NAME:LABEL]");
    refused("[trigger:srtt:a:b]\n", "t.conf:1: [trigger:srtt:a:b]: a trigger's section is "
                                    "[trigger:NAME] or [trigger:NAME:LABEL]");
}

static void test_refused_values(void **state)
{
    refused("[watchdog]\nsample_interval = 0\n",
            "t.conf:2: [watchdog] sample_interval: \"0\" is too small; allowed is a time from "
            "10ms to 1h");
    refused("[watchdog]\nsample_interval = 1.5s\n",
            "t.conf:2: [watchdog] sample_interval: \"1.5s\" has decimals; only whole numbers are "
            "read; allowed is a time from 10ms to 1h");
    refused("[watchdog]\ncooldown = 5m\n",
            "t.conf:2: [watchdog] cooldown: \"5m\" lacks a unit of time: us, ms, s, min, h or d; "
            "allowed is a time from 0 to 7d");
    refused("[watchdog]\nretries = -1\n", "t.conf:2: [watchdog] retries: \"-1\" is negative; "
                                          "allowed is a whole number from 0 to 100");
    refused("[watchdog]\nmode = observ\n", "t.conf:2: [watchdog] mode: \"observ\" is not known; "
                                           "allowed is active or observe (did you mean observe?)");
    refused("[watchdog]\nprefer = neither\n",
            "t.conf:2: [watchdog] prefer: \"neither\" is not known; allowed is node, migrate or "
            "reconnect");
    refused("[watchdog]\nchoose = maybe\n",
            "t.conf:2: [watchdog] choose: \"maybe\" is not a boolean: yes, no, true, false, on, "
            "off, 1 or 0; allowed is yes or no");
    refused("[watchdog]\nreturn = sometimes\n",
            "t.conf:2: [watchdog] return: \"sometimes\" is not known; allowed is always, better or "
            "never");
    refused("[watchdog]\nreturn = beter\n",
            "t.conf:2: [watchdog] return: \"beter\" is not known; allowed is always, better or "
            "never (did you mean better?)");
    refused(NODE "[trigger:srtt]\nstrikes = 101\n",
            "t.conf:4: [trigger:srtt] strikes: \"101\" is too large; allowed is a whole number "
            "from 1 to 100");
    refused(NODE "[trigger:srtt]\nbuffer = 2G\n",
            "t.conf:4: [trigger:srtt] buffer: \"2G\" is too large; allowed is a size from 1K to "
            "1M");
    refused(NODE "[trigger:srtt]\nclose = maybe\n",
            "t.conf:4: [trigger:srtt] close: \"maybe\" is not a boolean: yes, no, true, false, "
            "on, off, 1 or 0; allowed is yes or no");
    refused(NODE "[trigger:srtt]\nenabled = 2\n",
            "t.conf:4: [trigger:srtt] enabled: \"2\" is not a boolean: yes, no, true, false, on, "
            "off, 1 or 0; allowed is yes or no");
    refused(NODE "[trigger:srtt]\nmatch =\n",
            "t.conf:4: [trigger:srtt] match: is empty; allowed are globs, separated by spaces");
    refused("[watchdog]\nnode = n\n", "t.conf:2: [watchdog] node: \"n\" is not a socket: an "
                                      "absolute path, or @name for an abstract one");
    refused("[watchdog]\nstate_directory = run\n",
            "t.conf:2: [watchdog] state_directory: \"run\" is not an absolute path");
}

static void test_paths_groups_modes(void **state)
{
    static const struct {
        const char *line, *expected;
    } bad[] = {
        {"socket = run/s", "socket: \"run/s\" is not an absolute path; allowed is an absolute path "
                           "of at most 20 bytes"},
        {"socket =", "socket: \"\" is not an absolute path; allowed is an absolute path of at most "
                     "20 bytes"},
        {"socket = /run/0123456789abcdef", "socket: \"/run/0123456789abcdef\" is too long; allowed "
                                           "is an absolute path of at most 20 bytes"},
        {"group =", "group: \"\" is not a group's name; allowed is the name of an existing group"},
        {"group = a b",
         "group: \"a b\" is not a group's name; allowed is the name of an existing group"},
        {"mode = 0680", "mode: \"0680\" is not a file's mode, in octal; allowed is a mode from 000 "
                        "to 0777"},
        {"mode = 1777", "mode: \"1777\" is not a file's mode, in octal; allowed is a mode from 000 "
                        "to 0777"},
        {"mode = 00660", "mode: \"00660\" is not a file's mode, in octal; allowed is a mode from "
                         "000 to 0777"},
        {"mode = rw", "mode: \"rw\" is not a file's mode, in octal; allowed is a mode from 000 to "
                      "0777"},
    };
    struct config *config = parse_good(NODE "[trigger:srtt]\nsocket = /run/0123456789abcde\n"
                                            "group = root\nmode = 600\n");
    char *error = NULL;

    assert_string_equal(config->instances[0].values[8].text, "/run/0123456789abcde");
    assert_string_equal(config->instances[0].values[10].text, "600");
    assert_int_equal(config_check_accounts(config, &error), 0);
    config_free(config);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CLEANUP_FREE char *text = string_format(NODE "[trigger:srtt]\n%s\n", bad[i].line);
        CLEANUP_FREE char *expected = string_format("t.conf:4: [trigger:srtt] %s", bad[i].expected);

        refused(text, expected);
    }
}

static void test_refused_together(void **state)
{
    refused("[watchdog]\n", "t.conf: [watchdog] node: is not set; set it to the node's socket: an "
                            "absolute path, or @name for an abstract one");
    refused("[watchdog]\nnode = @n\n",
            "t.conf:2: [watchdog] node: \"@n\" is an abstract socket, which has no permissions; "
            "set node_user to the user that the node runs as");
    refused(NODE "cooldown = 20min\n",
            "t.conf:3: [watchdog] cooldown: cooldown is 20min and cooldown_max is 15min by "
            "default; allowed is cooldown <= cooldown_max");
    refused(NODE "backoff_max = 1s\nbackoff_min = 1500ms\n",
            "t.conf:4: [watchdog] backoff_min: backoff_min is 1s 500ms and backoff_max is 1s; "
            "allowed is backoff_min <= backoff_max");
    refused(NODE "timeout_max = 4s\n",
            "t.conf:3: [watchdog] timeout_max: migrate_timeout is 5s by default and timeout_max "
            "is 4s; allowed is migrate_timeout <= timeout_max");
    refused(NODE "[trigger:srtt]\n[trigger:srtt:b]\n",
            "t.conf:4: [trigger:srtt:b]: has no match, nor has [trigger:srtt] in t.conf:3; only "
            "one instance of a trigger may be for all peers");
}

static void test_refused_lines(void **state)
{
    char *text;

    refused(NODE "[trigger:srtt]\n\n[trigger:srtt]\n",
            "t.conf:5: the section [trigger:srtt] appears twice; first in line 3");
    refused(NODE "mode = active\nmode = active\n",
            "t.conf:4: [watchdog] mode is set twice; first in line 3");
    refused("node = /n\n", "t.conf:1: \"node = /n\" stands before the first [section]");
    refused("[watchdog]\nnode\n", "t.conf:2: \"node\" is neither key = value nor [section]");
    refused("[watchdog\n",
            "t.conf:1: \"[watchdog\" is not a section; allowed is [NAME], and nothing after it");
    refused("[watchdog] node = /n\n", "t.conf:1: \"[watchdog] node = /n\" is not a section; "
                                      "allowed is [NAME], and nothing after it");
    refused("[watchdog]\nno de = /n\n",
            "t.conf:2: \"no de\": a key has 1 to 32 letters, digits, _ and -");
    refused("[watchdog]\nnode: /n=3\n",
            "t.conf:2: \"node: /n\": a key has 1 to 32 letters, digits, _ and -");
    refused("[watchdog]\nnode = /n\\\n", "t.conf:2: ends with a backslash; a line is not "
                                         "continued by the next");
    refused("[watchdog]\nnode = /\x01\n", "t.conf:2: control character 0x01");
    refused("[watchdog]\r\nnode = /a\rmode = observe\r\n", "t.conf:2: control character 0x0d");
    refused("[watchdog]\nnode = /\xc3\n", "t.conf:2: not UTF-8");
    refused("[watchdog]\nnode = /n ; gr\xf6\xdf"
            "er\n",
            "t.conf:2: not UTF-8, in a comment");
    refused("# \xe4\n[watchdog]\nnode = /n\n", "t.conf:1: not UTF-8, in a comment");
    text = string_format("[watchdog]\nnode = /n\n%5000s\n", "x");
    refused(text, "t.conf:3: line of 5000 bytes; at most 4096 are read");
    free(text);
    refused("[trigger:srtt:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
            "t.conf:1: [trigger:srtt:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]: a section's name has 1 "
            "to 48 letters, digits, and "
            ": . _ @ -");
}

/* A value arrives whole up to the longest line, and what is longer is refused, not cut. */
static void test_long_line(void **state)
{
    const size_t longest = 4096 - strlen("command = ");

    for (size_t length = 150; length <= longest + 1;
         length += length < 600 || length >= longest ? 1 : min_u64(97, longest - length)) {
        CLEANUP_FREE char *value = memory_new(length + 1, 1);
        CLEANUP_FREE char *text = NULL;
        struct config *config;

        for (size_t i = 0; i < length; i++)
            value[i] = i % 7 == 6 && i + 1 < length ? "  #;"[i / 7 % 4] : (char)('a' + i % 26);
        text = string_format(NODE "[trigger:srtt]\ncommand = %s\nstrikes = 7\n", value);
        if (length > longest) {
            refused(text, "t.conf:4: line of 4097 bytes; at most 4096 are read");
            break;
        }
        config = parse_good(text);
        assert_string_equal(config->engine.instances[0].values[7].text, value);
        assert_int_equal(config->engine.instances[0].values[1].number, 7);
        config_free(config);
    }
}

/* A trigger that is not there is the file's fault; one that cannot be opened is not. */
static void test_whose_fault(void **state)
{
    static const struct {
        const char *section;
        int error;
    } cases[] = {
        {"[trigger:none]\n", -ENOENT}, {"[trigger:short]\n", -EMFILE}, {"[none]\n", -EINVAL}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *text = string_format(NODE "%s", cases[i].section), *error = NULL;
        struct config *config = NULL;

        assert_int_equal(parse(text, &config, &error), cases[i].error);
        assert_non_null(
            strstr(error, cases[i].section[1] == 'n' ? "t.conf:3: [none]" : "t.conf:3"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_keys),       cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_refused_lines),      cmocka_unit_test(test_refused_together),
        cmocka_unit_test(test_refused_lines),      cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_paths_groups_modes), cmocka_unit_test(test_whose_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
