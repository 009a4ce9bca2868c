/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/config/: what is read, what is warned of, and how it is printed. */
#include "config-lab.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/difference.h"
#include "config/value.h"
#include "util/format.h"
#include "util/glob.h"

static void test_defaults(void **state)
{
    struct config *config = parse_good(NODE);
    const struct engine_config *engine = &config->engine;

    assert_string_equal(config->node, "/n");
    assert_null(config->node_user);
    assert_string_equal(config->control, "/run/pathdog/control.sock");
    assert_string_equal(config->state_directory, "/run/pathdog");
    assert_int_equal(config->n_uplinks, 0);
    assert_int_equal(engine->mode, MODE_ACTIVE);
    assert_int_equal(engine->prefer, PREFER_NODE);
    assert_int_equal(engine->fallback, FALLBACK_RECONNECT);
    assert_int_equal(engine->sample_interval_us, 5000000);
    assert_int_equal(engine->close_interval_us, 500000);
    assert_int_equal(engine->close_max, 1024);
    assert_int_equal(engine->migrate_timeout_us, 5000000);
    assert_int_equal(engine->timeout_max_us, 30000000);
    assert_int_equal(engine->retries, 2);
    assert_int_equal(engine->max_in_flight, 0);
    assert_int_equal(engine->merge_window_us, 2000000);
    assert_int_equal(engine->max_peers, 262144);
    assert_int_equal(engine->cooldown_us, 30000000);
    assert_int_equal(engine->cooldown_max_us, 900000000);
    assert_int_equal(engine->backoff_min_us, 5000000);
    assert_int_equal(engine->backoff_max_us, 300000000);
    assert_int_equal(engine->move_burst, 5);
    assert_int_equal(engine->move_refill_us, 10000000);
    assert_int_equal(engine->reconnect_gap_us, 10000000);
    assert_int_equal(engine->effect_window_us, 10000000);
    assert_int_equal(engine->fallback_after_us, 3000000);
    assert_int_equal(engine->decisions_kept, 4096);
    assert_int_equal(engine->shared_peers, 5);
    assert_int_equal(engine->shared_fraction, 800);
    assert_true(engine->choose);
    assert_int_equal(engine->returns, RETURN_ALWAYS);
    assert_int_equal(engine->n_instances, 0);
    config_free(config);
}

/* The page's own example, indented as it is there. */
static void test_example(void **state)
{
    struct config *config = parse_good("    # /etc/pathdog/pathdog.conf\n"
                                       "    [watchdog]\n"
                                       "    node = /run/barrel/pathdog.sock     # the node's "
                                       "socket; @name for an abstract one\n"
                                       "    mode = observe                      # or active\n"
                                       "\tsample_interval = 1min 30s ; a comment\r\n"
                                       "    max_in_flight=256\n"
                                       "\n"
                                       "    [trigger:srtt]      # enables it\n"
                                       "    threshold = 250ms\n"
                                       "    [trigger:srtt:overseas]\n"
                                       "    match = *@au-*  *@nz-*\n"
                                       "    threshold = 450ms\n"
                                       "    [trigger:route]\n");
    const struct instance_config *instances = config->engine.instances;

    assert_string_equal(config->node, "/run/barrel/pathdog.sock");
    assert_int_equal(config->engine.mode, MODE_OBSERVE);
    assert_int_equal(config->engine.sample_interval_us, 90000000);
    assert_int_equal(config->engine.max_in_flight, 256);
    assert_int_equal(config->engine.n_instances, 3);
    assert_string_equal(instances[0].name, "srtt");
    assert_ptr_equal(instances[0].trigger, &srtt);
    assert_null(instances[0].match);
    assert_int_equal(instances[0].values[0].number, 250000);
    assert_int_equal(instances[0].values[1].number, 2);
    assert_false(instances[0].values[2].given);
    assert_int_equal(instances[0].values[3].number, 250);
    assert_int_equal(instances[0].values[4].number, 65536);
    assert_int_equal(instances[0].values[5].number, 1);
    assert_string_equal(instances[0].values[6].text, "docker* veth*");
    assert_false(instances[0].values[7].given);
    assert_string_equal(instances[1].name, "srtt:overseas");
    assert_int_equal(instances[1].match->n, 2);
    assert_true(globs_match(instances[1].match, "a@au-1"));
    assert_true(globs_match(instances[1].match, "a@nz-1"));
    assert_false(globs_match(instances[1].match, "a@de-1"));
    assert_int_equal(instances[1].values[0].number, 450000);
    assert_string_equal(instances[2].name, "route");
    config_free(config);
}

static void test_switched_off(void **state)
{
    struct config *config = parse_good(NODE "[trigger:srtt]\nenabled = no\n[trigger:srtt:b]\n");

    assert_int_equal(config->n_instances, 2);
    assert_int_equal(config->engine.n_instances, 1);
    assert_string_equal(config->engine.instances[0].name, "srtt:b");
    config_free(config);
}

/* Those that a recording names need not be here; whoever runs must have them. */
static void test_accounts(void **state)
{
    struct config *config =
        parse_good(NODE "node_user = no-such-user\n[trigger:srtt]\ngroup = no-such-group\n");
    char *error = NULL;

    assert_int_equal(config_check_accounts(config, &error), -EINVAL);
    assert_string_equal(error,
                        "t.conf:3: [watchdog] node_user: \"no-such-user\": there is no such user");
    free(error);
    config_free(config);
    config = parse_good(NODE "node_user = 4711\n[trigger:srtt]\ngroup = no-such-group\n");
    assert_int_equal(config_check_accounts(config, &error), -EINVAL);
    assert_string_equal(
        error, "t.conf:5: [trigger:srtt] group: \"no-such-group\": there is no such group");
    free(error);
    config_free(config);
    config = parse_good(NODE "node_user = root\n");
    assert_int_equal(config_check_accounts(config, &error), 0);
    config_free(config);
}

static void test_uplinks(void **state)
{
    struct config *config =
        parse_good(NODE "[uplink:up0]\n[uplink:lte]\ninterface = wwan0\nclass = metered\n"
                        "[uplink:sat]\ninterface = eth1.7\nclass = spare\n");
    const struct uplink_config *uplinks = config->engine.uplinks;

    assert_int_equal(config->engine.n_uplinks, 3);
    assert_string_equal(uplinks[0].name, "up0");
    assert_string_equal(uplinks[0].interface, "up0");
    assert_int_equal(uplinks[0].class, UPLINK_PRIMARY);
    assert_string_equal(uplinks[1].name, "lte");
    assert_string_equal(uplinks[1].interface, "wwan0");
    assert_int_equal(uplinks[1].class, UPLINK_METERED);
    assert_string_equal(uplinks[2].interface, "eth1.7");
    assert_int_equal(uplinks[2].class, UPLINK_SPARE);
    config_free(config);
    refused(NODE "uplinks = up0  up1\n", "t.conf:3: [watchdog] uplinks: write a section for each "
                                         "uplink instead: [uplink:up0] [uplink:up1]");
    refused(NODE "[uplink:]\n", "t.conf:3: [uplink:]: an uplink's section is [uplink:NAME]");
    refused(NODE "[uplink:a:b]\n", "t.conf:3: [uplink:a:b]: an uplink's section is [uplink:NAME]");
    refused(NODE "[uplink:a]\nclass = meterd\n",
            "t.conf:4: [uplink:a] class: \"meterd\": allowed is primary, spare or metered; did you "
            "mean metered?");
    refused(
        NODE "[uplink:a]\ninterface = a/b\n",
        "t.conf:4: [uplink:a] interface: \"a/b\" is not the name of an interface: 1 to 15 bytes "
        "without \"/\", \":\" and blanks");
    refused(NODE "[uplink:a]\ninterface =\n",
            "t.conf:4: [uplink:a] interface: \"\" is not the name of an interface: 1 to 15 bytes "
            "without \"/\", \":\" and blanks");
    refused(NODE "[uplink:a-name-of-16-chr]\n",
            "t.conf:3: [uplink:a-name-of-16-chr]: needs \"interface\": its name is not the name of "
            "an interface");
    refused(NODE "[uplink:a]\n[uplink:b]\ninterface = a\n",
            "t.conf:4: [uplink:b]: has the interface a, which [uplink:a] in t.conf:3 has already");
    refused(NODE "[uplink:a]\nclas = spare\n",
            "t.conf:4: [uplink:a] clas: unknown key; did you mean class?");
    refused(NODE "[uplnk:a]\n", "t.conf:3: [uplnk:a]: unknown section; did you mean "
                                "[uplink:NAME]?");
}

static void expect_warnings(const char *text, const char *expected)
{
    struct config *config = parse_good(text);
    char *warnings = config_warnings(config);

    assert_string_equal(warnings, expected);
    free(warnings);
    config_free(config);
}

static void test_warnings(void **state)
{
    static const char no_effect[] =
        "t.conf:3: [watchdog] return: has no effect with choose = no: pathdog moves no connection "
        "off its uplink by itself, so there is nothing to go back to\n";

    expect_warnings(NODE, "");
    expect_warnings(NODE "choose = no\n[uplink:a]\n[uplink:b]\nclass = metered\n", "");
    expect_warnings(NODE "return = never\n[uplink:a]\n[uplink:b]\nclass = spare\n", "");
    expect_warnings(NODE "return = always\nchoose = no\n", no_effect);
    expect_warnings(NODE "[trigger:route]\n[uplink:a]\nclass = metered\n",
                    "t.conf:4: [uplink:a]: is the only uplink, so there is no other one to choose: "
                    "write a section for each, or none, and they are learned\n");
    expect_warnings(
        NODE "[uplink:a]\nclass = metered\n[uplink:b]\nclass = metered\n",
        "t.conf:3: [uplink:a]: all uplinks have the class metered, so none is chosen for "
        "a connection whose own is slow, and none is preferred: write class = primary "
        "for those that are to be used first\n");
}

static void test_plain_text_reads_back(void **state)
{
    struct config *first =
        parse_good("[watchdog]\nnode = @a\nnode_user = 1000\nmode = observe\n"
                   "cooldown = 1us\nfallback = off\nprefer = reconnect\nmax_in_flight = 7\n"
                   "choose = off\nreturn = better\n[trigger:srtt:x]\nmatch=#a b;c\nshare = "
                   "1/3\nrecover = 59s 1us\nignore =\n"
                   "command = a=b 'c'\n[uplink:up0]\n[uplink:lte]\ninterface = wwan0\n"
                   "class = metered\n[trigger:route]\nenabled = off\n");
    struct config *second;
    char *a = config_text(first, CONFIG_PLAIN), *b;

    assert_non_null(strstr(a, "match=#a b;c\n"));
    assert_non_null(strstr(a, "share = 333/1000\n"));
    assert_non_null(strstr(a, "recover = 59s 1us\n"));
    assert_non_null(strstr(a, "[uplink:up0]\ninterface = up0\nclass = primary\n"));
    assert_non_null(strstr(a, "[uplink:lte]\ninterface = wwan0\nclass = metered\n"));
    assert_non_null(strstr(a, "ignore =\n"));
    assert_null(strstr(a, "trigger:route"));
    second = parse_good(a);
    b = config_text(second, CONFIG_PLAIN);
    assert_string_equal(a, b);
    assert_string_equal(second->engine.uplinks[1].interface, "wwan0");
    assert_false(second->engine.choose);
    assert_int_equal(second->engine.returns, RETURN_BETTER);
    assert_true(globs_match(second->engine.instances[0].match, "#a"));
    free(a);
    free(b);
    config_free(first);
    config_free(second);
}

static void test_origins(void **state)
{
    struct config *config = parse_good(NODE "[trigger:srtt]\nstrikes = 3\n");
    char *text;

    config_set_observe(config);
    text = config_text(config, CONFIG_ORIGINS);
    assert_non_null(strstr(text, "node = /n                               # t.conf:2\n"));
    assert_non_null(strstr(text, "mode = observe                          # --observe\n"));
    assert_non_null(strstr(text, "retries = 2                             # default\n"));
    assert_non_null(strstr(text, "# max_in_flight is not set: the node's, else 1024\n"));
    assert_non_null(strstr(text, "[trigger:srtt]  # t.conf:3\n"));
    assert_non_null(strstr(text, "strikes = 3                             # t.conf:4\n"));
    assert_non_null(strstr(text, "threshold = 200ms                       # default\n"));
    free(text);
    config_free(config);
}

static void test_values(void **state)
{
    static const struct {
        enum pd_option_type type;
        const char *text;
        uint64_t number;
        const char *back; /* NULL: refused */
    } rows[] = {
        {PD_OPTION_TIME, "0", 0, "0"},
        {PD_OPTION_TIME, "7", 7000000, "7s"},
        {PD_OPTION_TIME, "1d2h3min4s5ms6us", 93784005006, "1d 2h 3min 4s 5ms 6us"},
        {PD_OPTION_TIME, "90 s", 90000000, "1min 30s"},
        {PD_OPTION_TIME, "213503983d", 0, NULL},
        {PD_OPTION_TIME, "18446744073709551616us", 0, NULL},
        {PD_OPTION_TIME, "18446744073709551615us", UINT64_MAX,
         "213503982d 8h 1min 49s 551ms 615us"},
        {PD_OPTION_TIME, "", 0, NULL},
        {PD_OPTION_TIME, "s", 0, NULL},
        {PD_OPTION_TIME, "1min 30", 0, NULL},
        {PD_OPTION_TIME, "5S", 0, NULL},
        {PD_OPTION_TIME, "+5s", 0, NULL},
        {PD_OPTION_SIZE, "0", 0, "0"},
        {PD_OPTION_SIZE, "1024", 1024, "1K"},
        {PD_OPTION_SIZE, "1536K", 1572864, "1536K"},
        {PD_OPTION_SIZE, "3G", 3221225472, "3G"},
        {PD_OPTION_SIZE, "1KB", 0, NULL},
        {PD_OPTION_SIZE, "17179869184G", 0, NULL},
        {PD_OPTION_BOOLEAN, "Yes", 1, "yes"},
        {PD_OPTION_BOOLEAN, "off", 0, "no"},
        {PD_OPTION_BOOLEAN, "", 0, NULL},
        {PD_OPTION_FRACTION, "3/4", 750, "3/4"},
        {PD_OPTION_FRACTION, "2", 2000, "2"},
        {PD_OPTION_FRACTION, "0", 0, "0"},
        {PD_OPTION_FRACTION, "5/4", 1250, "5/4"},
        {PD_OPTION_FRACTION, "5%", 50, "1/20"},
        {PD_OPTION_FRACTION, "100%", 1000, "1"},
        {PD_OPTION_FRACTION, "0%", 0, "0"},
        {PD_OPTION_FRACTION, "1/0", 0, NULL},
        {PD_OPTION_FRACTION, "5%%", 0, NULL},
        {PD_OPTION_FRACTION, "5 %", 0, NULL},
        {PD_OPTION_FRACTION, "1/4%", 0, NULL},
        {PD_OPTION_FRACTION, "%", 0, NULL},
        {PD_OPTION_FRACTION, "1/2000", 0, NULL},
        {PD_OPTION_FRACTION, "1/", 0, NULL},
        {PD_OPTION_INTEGER, "007", 7, "7"},
        {PD_OPTION_INTEGER, "0x7", 0, NULL},
        {PD_OPTION_INTEGER, "7 ", 0, NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t number = 99;
        const char *why = NULL;
        int r = value_parse(rows[i].type, rows[i].text, &number, &why);
        char *back;

        if (!rows[i].back) {
            if (r != -EINVAL || !why)
                fail_msg("\"%s\" was read as %llu", rows[i].text, (unsigned long long)number);
            continue;
        }
        if (r)
            fail_msg("\"%s\" %s", rows[i].text, why);
        assert_int_equal(number, rows[i].number);
        back = value_format(rows[i].type, number);
        assert_string_equal(back, rows[i].back);
        free(back);
    }
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char *path = string_format("%s/%s", directory, name);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void test_drop_ins(void **state)
{
    char directory[] = "/tmp/test-config-XXXXXX", *path, *drop_in, *error = NULL, *expected;
    struct config *config = NULL;

    assert_non_null(mkdtemp(directory));
    path = string_format("%s/p.conf", directory);
    drop_in = string_format("%s/p.conf.d", directory);
    assert_int_equal(config_load(path, &lookup, &config, &error), -ENOENT);
    expected = string_format("%s: No such file or directory", path);
    assert_string_equal(error, expected);
    free(expected);
    free(error);
    error = NULL;

    assert_int_equal(mkdir(drop_in, 0700), 0);
    write_file(directory, "p.conf", NODE "retries = 1\n[trigger:srtt]\nstrikes = 3\n");
    write_file(drop_in, "20-b.conf", "[watchdog]\nretries = 3\n[trigger:route]\n");
    write_file(drop_in, "10-a.conf", "[watchdog]\nretries = 2\n[trigger:srtt]\nthreshold = 1s\n");
    write_file(drop_in, "30-c.txt", "not read\n");
    write_file(drop_in, ".40.conf", "not read\n");
    assert_int_equal(config_load(path, &lookup, &config, &error), 0);
    assert_int_equal(config->engine.retries, 3);
    assert_int_equal(config->engine.n_instances, 2);
    assert_int_equal(config->engine.instances[0].values[0].number, 1000000);
    assert_int_equal(config->engine.instances[0].values[1].number, 3);
    config_free(config);

    write_file(drop_in, "20-b.conf", "[watchdog]\nretries = x\n");
    assert_int_equal(config_load(path, &lookup, &config, &error), -EINVAL);
    expected = string_format("%s/20-b.conf:2: [watchdog] retries: \"x\" has no number where one "
                             "must stand; allowed is a whole number from 0 to 100",
                             drop_in);
    assert_string_equal(error, expected);
    free(expected);
    free(error);

    for (size_t i = 0; i < 4; i++) {
        char *file = string_format(
            "%s/%s", drop_in,
            (const char *const[]){"20-b.conf", "10-a.conf", "30-c.txt", ".40.conf"}[i]);

        assert_int_equal(unlink(file), 0);
        free(file);
    }
    assert_int_equal(rmdir(drop_in), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    free(path);
    free(drop_in);
}

static void expect_difference(const char *before, const char *now, const char *words)
{
    char *text = config_difference(before, now);

    assert_string_equal(text, words);
    free(text);
}

static void test_difference(void **state)
{
    static const char before[] = "[watchdog]\nnode = /a\nmode = active\n\n"
                                 "[trigger:srtt]\nthreshold = 500ms\nstrikes = 2\n";
    char *many = string_format("[watchdog]\nnode = %0300d\nmode = %0300d\n", 1, 2), *text;

    (void)state;
    expect_difference(before, before, "nothing has changed");
    expect_difference(before,
                      "[watchdog]\nnode = /a\nmode = observe\n"
                      "[trigger:srtt]\nthreshold = 200ms\nrecover = 1s\n[trigger:route]\n"
                      "settle = 1s\n",
                      "[watchdog] mode: active → observe; "
                      "[trigger:srtt] threshold: 500ms → 200ms; "
                      "[trigger:srtt] recover: (not set) → 1s; new: [trigger:route]; "
                      "[trigger:srtt] strikes: 2 → (not set)");
    expect_difference(before, "[watchdog]\nnode = /a\nmode = active\n", "gone: [trigger:srtt]");
    expect_difference("[uplink:a]\n[uplink:b]\n[uplink:c]\n[trigger:x]\n",
                      "[uplink:a]\n[uplink:c]\n[uplink:d]\n[uplink:b]\n[trigger:x]\n",
                      "new: [uplink:d]; [uplink:c] now before [uplink:b]");
    expect_difference("[trigger:a]\nmatch=#a\nignore =\n", "[trigger:a]\nmatch=#b\nignore = x\n",
                      "[trigger:a] match: #a → #b; [trigger:a] ignore:  → x");
    text = config_difference(before, many); /* cut, and it says so */
    assert_true(strlen(text) < 450);
    assert_non_null(strstr(text, "; and 2 more"));
    free(text);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_difference),
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_switched_off),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_uplinks),
        cmocka_unit_test(test_plain_text_reads_back),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_drop_ins),
        cmocka_unit_test(test_accounts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
