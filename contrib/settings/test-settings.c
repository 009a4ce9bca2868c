/* SPDX-License-Identifier: Apache-2.0 */
/* settings.[ch] and sources.[ch]: settings from each source, which goes before which, what is
 * refused and how that is said. */
#include "settings-lab.h"
#include "sources.h"

#include <errno.h>
#include <sys/stat.h>

enum colour {
    COLOUR_RED,
    COLOUR_GREEN,
};

enum {
    WANTED_DRY = SETTINGS_OWN,
};

struct lamp {
    char *file, *label;
    uint64_t delay_us;
    uint32_t watts;
    uint16_t port;
    bool on;
    enum colour colour;
    char letter;
};

/* A kind of the program's own. */
static int letter_read(const struct setting *setting, void *place, const char *text,
                       char **ret_error)
{
    if (strlen(text) != 1)
        return error_set(ret_error, -EINVAL, "\"%s\" is no letter, as %s is", text,
                         setting->option.default_text);
    *(char *)place = *text;
    return 0;
}

static const char *no_blank(const char *text)
{
    return strchr(text, ' ') ? "has a blank" : NULL;
}

static int label_read(const struct setting *setting, void *place, const char *text,
                      char **ret_error)
{
    (void)setting;
    return setting_text(place, text, "a word", no_blank, ret_error);
}

static const char *const colours[] = {"red", "green", NULL};

/* clang-format off */
static const struct setting table[] = {
    SETTING_TEXT("file", struct lamp, file, setting_file, NULL, "FILE|none", "what is read"),
    SETTING_TEXT("label", struct lamp, label, label_read, NULL, "WORD", "what is on it"),
    SETTING_NUMBER("off-after", struct lamp, delay_us, PD_OPTION_TIME, setting_u64, "5min", 1000000, 0, "TIME", "when it goes out"),
    SETTING_NUMBER("watts", struct lamp, watts, PD_OPTION_INTEGER, setting_u32, "60", 1, UINT32_MAX, "N", "how strong it is"),
    SETTING_NUMBER("port", struct lamp, port, PD_OPTION_INTEGER, setting_u16, "7", 0, UINT16_MAX, "PORT", "where it listens"),
    SETTING_BOOLEAN("is-on", struct lamp, on, "no", "whether it shines"),
    SETTING_CHOICE("colour", struct lamp, colour, "green", colours, "red|green", "its light"),
    SETTING_TEXT("letter", struct lamp, letter, letter_read, "x", "LETTER", "its socket"),
};
/* clang-format on */

static const struct settings_flag flags[] = {{"dry", "does nothing", WANTED_DRY}};

static const struct settings lamp = {
    .program = "lamp",
    .prefix = "LAMP_",
    .size = sizeof(struct lamp),
    .at = table,
    .n = ARRAY_SIZE(table),
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .purpose = "Shines.",
    .below = "That is all.",
};

struct reading {
    struct lamp lamp;
    unsigned wanted;
    char *warnings, *error;
    int r;
};

static void forget(struct reading *reading)
{
    free(reading->lamp.file);
    free(reading->lamp.label);
    free(reading->warnings);
    free(reading->error);
}

static void read_all(struct reading *reading, const char *words, const char *variables)
{
    struct said said;

    said_begin(&said, words, variables);
    *reading = (struct reading){0};
    settings_default(&lamp, &reading->lamp);
    reading->r = settings_read(&lamp, said.argc, said.argv, said.environment, &reading->lamp,
                               &reading->wanted, &reading->warnings, &reading->error);
    said_end(&said);
    assert_true(reading->r < 0 ? reading->error != NULL : !reading->error);
}

static void lamp_is(const struct lamp *a, const struct lamp *b)
{
    assert_true(string_equal(a->file, b->file));
    assert_true(string_equal(a->label, b->label));
    assert_int_equal(a->delay_us, b->delay_us);
    assert_int_equal(a->watts, b->watts);
    assert_int_equal(a->port, b->port);
    assert_int_equal(a->on, b->on);
    assert_int_equal(a->colour, b->colour);
    assert_int_equal(a->letter, b->letter);
}

static const struct lamp by_default = {
    .delay_us = 300000000, .watts = 60, .port = 7, .colour = COLOUR_GREEN, .letter = 'x'};

static void test_without_a_word_there_are_the_defaults(void **state)
{
    struct reading reading;

    (void)state;
    read_all(&reading, "", "");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.wanted, SETTINGS_RUN);
    assert_string_equal(reading.warnings, "");
    lamp_is(&reading.lamp, &by_default);
    forget(&reading);
}

static void test_a_flag_a_variable_and_a_key_say_the_same(void **state)
{
    static char file[] = "/etc/lamp", label[] = "north";
    static const struct {
        const char *name, *text;
        struct lamp lamp; /* all of it */
    } rows[] = {
        {"file", "/etc/lamp", {file, NULL, 300000000, 60, 7, false, COLOUR_GREEN, 'x'}},
        {"label", "north", {NULL, label, 300000000, 60, 7, false, COLOUR_GREEN, 'x'}},
        {"off-after", "1min 30s", {NULL, NULL, 90000000, 60, 7, false, COLOUR_GREEN, 'x'}},
        {"watts", "4294967295", {NULL, NULL, 300000000, UINT32_MAX, 7, false, COLOUR_GREEN, 'x'}},
        {"port", "65535", {NULL, NULL, 300000000, 60, 65535, false, COLOUR_GREEN, 'x'}},
        {"is-on", "yes", {NULL, NULL, 300000000, 60, 7, true, COLOUR_GREEN, 'x'}},
        {"colour", "red", {NULL, NULL, 300000000, 60, 7, false, COLOUR_RED, 'x'}},
        {"letter", "q", {NULL, NULL, 300000000, 60, 7, false, COLOUR_GREEN, 'q'}},
    };

    (void)state;
    assert_int_equal(ARRAY_SIZE(rows), lamp.n);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct setting *setting = setting_find(&lamp, rows[i].name);
        char variable[SETTING_VARIABLE_SIZE], key[64];
        CLEANUP_FREE char *flag = string_format("--%s|%s", rows[i].name, rows[i].text),
                          *joined = string_format("--%s=%s", rows[i].name, rows[i].text),
                          *set = NULL, *text = NULL, *path = NULL, *with_file = NULL,
                          *by_variable = NULL;
        struct reading by[5];

        set = string_format("%s=%s", setting_variable(&lamp, setting, variable), rows[i].text);
        snprintf(key, sizeof(key), "%s", rows[i].name);
        for (char *at = key; i % 2 && *at; at++)
            *at = *at == '-' ? '_' : *at;
        text =
            string_format("%s# a comment\n%s = %s\n", i % 3 ? "[lamp]\n" : "", key, rows[i].text);
        path = file_with(text);
        with_file = string_format("--config|%s", path);
        by_variable = string_format("LAMP_CONFIG=%s", path);
        read_all(&by[0], flag, "");
        read_all(&by[1], joined, "");
        read_all(&by[2], "", set);
        read_all(&by[3], with_file, "");
        read_all(&by[4], "", by_variable);
        unlink(path);
        for (size_t k = 0; k < ARRAY_SIZE(by); k++) {
            if (by[k].r < 0)
                fail_msg("%s: %s", rows[i].name, by[k].error);
            assert_string_equal(by[k].warnings, "");
            lamp_is(&by[k].lamp, &rows[i].lamp);
            forget(&by[k]);
        }
    }
}

static void test_the_command_line_goes_before_the_environment_and_that_before_the_file(void **state)
{
    CLEANUP_FREE char *path = file_with("watts = 1\noff_after = 1s\nport = 1\n"),
                      *words = string_format("--port|3|--config=%s", path),
                      *named = string_format("LAMP_CONFIG=%s", path);
    struct reading reading;

    (void)state;
    read_all(&reading, words, "LAMP_PORT=2|LAMP_OFF_AFTER=2s|LAMP_CONFIG=/nowhere");
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.lamp.port, 3);
    assert_int_equal(reading.lamp.delay_us, 2000000);
    assert_int_equal(reading.lamp.watts, 1);
    forget(&reading);
    /* Of two flags the later one. */
    read_all(&reading, "--port|4|--port|5|--file|a|--file|b|--label=n", named);
    assert_int_equal(reading.r, 0);
    assert_int_equal(reading.lamp.port, 5);
    assert_string_equal(reading.lamp.file, "b");
    assert_int_equal(reading.lamp.delay_us, 1000000);
    forget(&reading);
    read_all(&reading, "--file|none", "LAMP_FILE=a");
    assert_int_equal(reading.r, 0);
    assert_null(reading.lamp.file);
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

static void test_a_bad_value_is_named(void **state)
{
    (void)state;
    refused("--watts|0", "",
            "--watts: \"0\" is too small; allowed is a whole number from 1 to 4294967295");
    refused("--watts|4294967296", "",
            "--watts: \"4294967296\" is too large; allowed is a whole number from 1 to 4294967295");
    refused("--port|65536", "",
            "--port: \"65536\" is too large; allowed is a whole number from 0 to 65535");
    refused("--port=", "",
            "--port: \"\" has no number where one must stand; allowed is a whole number from 0 to "
            "65535");
    refused("--off-after|5x", "",
            "--off-after: \"5x\" lacks a unit of time: us, ms, s, min, h or d; allowed is a time, "
            "1s or more");
    refused("--is-on|maybe", "",
            "--is-on: \"maybe\" is not a boolean: yes, no, true, false, on, off, 1 or 0; allowed "
            "is yes or no");
    refused("--colour|re", "", "--colour: \"re\": allowed is red or green (did you mean red?)");
    refused("--colour|violet", "", "--colour: \"violet\": allowed is red or green");
    refused("--letter|ab", "", "--letter: \"ab\" is no letter, as x is");
    refused("--label|a b", "", "--label: \"a b\" has a blank; allowed is a word");
    refused("--file=", "", "--file: \"\" is empty; allowed is a file, or none");
    /* Also where another one goes before. */
    refused("--watts|1", "LAMP_WATTS=-1",
            "environment, LAMP_WATTS: \"-1\" is negative; allowed is a whole number from 1 to "
            "4294967295");
}

static void test_what_is_no_setting_is_named(void **state)
{
    (void)state;
    refused("--wats|1", "", "unknown option --wats; did you mean --watts?");
    refused("--off_after|1s", "", "unknown option --off_after; did you mean --off-after?");
    refused("--confg|x", "", "unknown option --confg; did you mean --config?");
    refused("--nonsense|1", "",
            "unknown option --nonsense; known are --file, --label, --off-after, --watts, --port, "
            "--is-on, --colour, --letter");
    refused("--port", "", "--port needs a value; see --help");
    refused("--port|--watts|1", "", "--port needs a value; see --help");
    refused("--config", "", "--config needs a value; see --help");
    refused("7", "", "unexpected argument \"7\": lamp takes options only; see --help");
    refused("--", "", "unexpected argument \"--\": lamp takes options only; see --help");
    refused("--help=1", "", "--help takes no value");
    refused("--dry=1", "", "--dry takes no value");
}

static void test_a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    refused("--config|/nowhere/at/all", "", "/nowhere/at/all: No such file or directory");
    refused("", "LAMP_CONFIG=/nowhere/at/all", "/nowhere/at/all: No such file or directory");
    refused("--config|/dev/null", "", "/dev/null: is not a regular file");
    refused("--config|/tmp", "", "/tmp: is not a regular file");
    refused("--config=", "", "--config, or LAMP_CONFIG: \"\" is empty; allowed is a file's path");
    refused("",
            "LAMP_CONFIG=", "--config, or LAMP_CONFIG: \"\" is empty; allowed is a file's path");
}

static void file_refused(const struct settings *settings, const char *text, const char *error)
{
    struct lamp options;
    char *why = NULL;

    settings_default(settings, &options);
    assert_int_equal(settings_text(settings, &options, "f", text, strlen(text), &why), -EINVAL);
    assert_string_equal(why, error);
    free(why);
    free(options.file);
}

static void test_a_bad_line_is_named(void **state)
{
    struct settings other = lamp;

    (void)state;
    file_refused(&lamp, "\nwatts = much\n",
                 "f:2: watts: \"much\" has no number where one must stand; allowed is a whole "
                 "number from 1 to 4294967295");
    file_refused(&lamp, "wats = 1\n", "f:1: wats: unknown key; did you mean watts?");
    file_refused(&lamp, "[torch]\n", "f:1: [torch]: unknown section; allowed is [lamp], or none");
    file_refused(&lamp, "port = 1\n[lamp]\nport = 2\n", "f:3: port is set twice; first in line 1");
    file_refused(&lamp, "off-after = 1\noff_after = 2\n",
                 "f:2: off_after is set twice; first in line 1");
    file_refused(&lamp, "file = a\nletter = b\n[lamp]\nletter = c\n",
                 "f:4: letter is set twice; first in line 2");
    file_refused(&lamp, "port\n", "f:1: \"port\" is neither key = value nor [section]");
    file_refused(&lamp, "config = f\n", "f:1: config: unknown key; did you mean config?");
    other.section_short = "l";
    file_refused(&other, "[l]\nport = 1\n[torch]\n",
                 "f:3: [torch]: unknown section; allowed is [lamp] or [l], or none");
}

static void test_a_variable_of_somebody_else_is_a_warning(void **state)
{
    struct reading reading;

    (void)state;
    read_all(&reading, "", "LAMP_WATT=1|LAMPS=x|LA=y|LAMP_CONFIG_X|LAMP_|PORT=x");
    assert_int_equal(reading.r, 0);
    assert_non_null(
        strstr(reading.warnings, "environment, LAMP_WATT: no such setting; did you mean watts?\n"));
    assert_non_null(strstr(reading.warnings, "environment, LAMP_CONFIG_X: no such setting; "));
    assert_null(strstr(reading.warnings, "LAMPS"));
    assert_null(strstr(reading.warnings, " PORT"));
    forget(&reading);
}

static void test_what_is_wanted(void **state)
{
    static const struct {
        const char *words;
        unsigned wanted;
    } rows[] = {{"--help", SETTINGS_HELP},
                {"-h", SETTINGS_HELP},
                {"--version", SETTINGS_VERSION},
                {"--dry", WANTED_DRY},
                {"--dry|--port|3", WANTED_DRY},
                {"--dry|--version", SETTINGS_VERSION},
                {"--help|--nonsense", SETTINGS_HELP},
                {"--port|1", SETTINGS_RUN}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct reading reading;

        read_all(&reading, rows[i].words, "");
        assert_int_equal(reading.r, 0);
        assert_int_equal(reading.wanted, rows[i].wanted);
        forget(&reading);
    }
    /* What is wrong is no matter then. */
    for (size_t i = 0; i < 3; i++) {
        struct reading reading;

        read_all(&reading, rows[i].words, "LAMP_PORT=x|LAMP_CONFIG=/nowhere");
        assert_int_equal(reading.r, 0);
        forget(&reading);
    }
    refused("--dry|--port|x", "",
            "--port: \"x\" has no number where one must stand; allowed is a whole number from 0 to "
            "65535");
}

static void test_the_environment_has_what_the_unit_made(void **state)
{
    static char runtime[] = "RUNTIME_DIRECTORY=/run/a:/run/b", none[] = "RUNTIME_DIRECTORY=";
    char stream[80], *environment[] = {runtime, stream, NULL}, *bare[] = {none, NULL};
    CLEANUP_FREE char *path = environment_runtime(environment, "x.sock");
    struct stat st;

    (void)state;
    assert_string_equal(path, "/run/a/x.sock");
    assert_null(environment_runtime(bare, "x.sock"));
    assert_null(environment_runtime(NULL, "x.sock"));
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "JOURNAL_STREAM=%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino);
    assert_true(environment_has_journal(environment));
    snprintf(stream, sizeof(stream), "JOURNAL_STREAM=%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino + 1);
    assert_false(environment_has_journal(environment));
    snprintf(stream, sizeof(stream), "JOURNAL_STREAM=%ju", (uintmax_t)st.st_dev);
    assert_false(environment_has_journal(environment));
    assert_false(environment_has_journal(bare));
}

static void test_the_help_has_each_setting_with_its_default(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    settings_help(&lamp, out);
    fclose(out);
    assert_string_equal(text, "lamp [OPTION…]\n"
                              "Shines.\n"
                              "\n"
                              "  --file FILE|none                what is read\n"
                              "  --label WORD                    what is on it\n"
                              "  --off-after TIME                when it goes out (5min)\n"
                              "  --watts N                       how strong it is (60)\n"
                              "  --port PORT                     where it listens (7)\n"
                              "  --is-on yes|no                  whether it shines (no)\n"
                              "  --colour red|green              its light (green)\n"
                              "  --letter LETTER                 its socket (x)\n"
                              "  --config FILE                   read settings from FILE: NAME = "
                              "VALUE, a line each\n"
                              "  --dry                           does nothing\n"
                              "  --version                       print the version\n"
                              "  --help                          print this help\n"
                              "\n"
                              "That is all.\n");
    free(text);
}

/* What settings_print() writes to that descriptor; the caller frees it. */
static char *printed(int fd, unsigned wanted, const char *warnings, const char *error)
{
    int ends[2], before = dup(fd);
    char *text = memory_new(4096, 1);

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], fd) >= 0);
    settings_print(&lamp, wanted, warnings, error);
    fflush(stdout);
    assert_true(dup2(before, fd) >= 0);
    close(before);
    close(ends[1]);
    assert_true(read(ends[0], text, 4095) >= 0);
    close(ends[0]);
    return text;
}

static void test_what_is_printed(void **state)
{
    CLEANUP_FREE char *bad = printed(STDERR_FILENO, SETTINGS_RUN, NULL, "a\x1b[1mb"),
                      *warned = printed(STDERR_FILENO, SETTINGS_RUN, "one\ntwo\n", NULL),
                      *quiet = printed(STDERR_FILENO, SETTINGS_RUN, "", NULL),
                      *version = printed(STDOUT_FILENO, SETTINGS_VERSION, NULL, NULL),
                      *help = printed(STDOUT_FILENO, SETTINGS_HELP, NULL, NULL);

    (void)state;
    assert_true(!strncmp(bad, "lamp: a", 7) && !strchr(bad, '\x1b') && strstr(bad, "[1mb\n"));
    assert_string_equal(warned, "lamp: warning: one\nlamp: warning: two\n");
    assert_string_equal(quiet, "");
    assert_true(!strncmp(version, "lamp 0.", 7));
    assert_true(!strncmp(help, "lamp [OPTION…]\nShines.\n", 24));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_word_there_are_the_defaults),
        cmocka_unit_test(test_a_flag_a_variable_and_a_key_say_the_same),
        cmocka_unit_test(
            test_the_command_line_goes_before_the_environment_and_that_before_the_file),
        cmocka_unit_test(test_a_bad_value_is_named),
        cmocka_unit_test(test_what_is_no_setting_is_named),
        cmocka_unit_test(test_a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(test_a_bad_line_is_named),
        cmocka_unit_test(test_a_variable_of_somebody_else_is_a_warning),
        cmocka_unit_test(test_what_is_wanted),
        cmocka_unit_test(test_the_environment_has_what_the_unit_made),
        cmocka_unit_test(test_the_help_has_each_setting_with_its_default),
        cmocka_unit_test(test_what_is_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
