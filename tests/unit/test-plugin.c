/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/host/: every kind of bad plugin is refused, each with its own words;
 * the good ones are loaded, and their sources run. Needs the fixtures' directory
 * as its argument. */
#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "host/plugin.h"
#include "host/source.h"
#include "util/format.h"

static const char *fixtures; /* argv[1] */

struct lab {
    char directory[64];
    struct plugins *plugins;
};

static char *lab_path(const struct lab *lab, const char *name)
{
    return string_format("%s/%s", lab->directory, name);
}

/* Puts a copy of a fixture into the lab: owner and mode are then known. */
static void lab_add(const struct lab *lab, const char *name)
{
    CLEANUP_FREE char *from_path = string_format("%s/%s.so", fixtures, name);
    CLEANUP_FREE char *file = string_format("%s.so", name);
    CLEANUP_FREE char *to_path = lab_path(lab, file);
    FILE *from = fopen(from_path, "re"), *to = fopen(to_path, "we");
    char bytes[4096];
    size_t n;

    if (!from || !to)
        fail_msg("%s → %s cannot be copied", from_path, to_path);
    while ((n = fread(bytes, 1, sizeof(bytes), from)))
        assert_int_equal(fwrite(bytes, 1, n, to), n);
    fclose(from);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(chmod(to_path, 0644), 0);
}

static int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    strcpy(lab->directory, "/tmp/test-plugin-XXXXXX");
    assert_non_null(mkdtemp(lab->directory));
    lab->plugins = plugins_new();
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *command = string_format("rm -rf '%s'", lab->directory);

    plugins_free(lab->plugins);
    assert_int_equal(system(command), 0);
    free(lab);
    return 0;
}

/* Refused, with exactly these words behind the directory. */
static void refused(const struct lab *lab, const char *name, const char *words)
{
    CLEANUP_FREE char *expected = string_format("%s%s", lab->directory, words);
    CLEANUP_FREE char *error = NULL;

    assert_null(plugins_find(lab->plugins, lab->directory, name, &error));
    assert_string_equal(error, expected);
}

static void test_good(void **state)
{
    struct lab *lab = *state;
    const struct pd_trigger *good;
    char *error = NULL;

    lab_add(lab, "good");
    lab_add(lab, "good-source");
    good = plugins_find(lab->plugins, lab->directory, "good", &error);
    if (error)
        fail_msg("%s", error);
    assert_string_equal(good->name, "good");
    assert_null(plugins_source(lab->plugins, good));
    assert_ptr_equal(good, plugins_find(lab->plugins, lab->directory, "good", &error));
    assert_non_null(plugins_source(
        lab->plugins, plugins_find(lab->plugins, lab->directory, "good-source", &error)));
}

static void test_bad(void **state)
{
    static const struct {
        const char *name, *words;
    } rows[] = {
        {"bad-abi", "was built for trigger ABI 5; this pathdog has 4"},
        {"bad-name", "its name is other, its file is called bad-name"},
        {"bad-name-form", "its name \"Bad_Name\" is not [a-z][a-z0-9-]{0,31}"},
        {"bad-summary", "has no summary"},
        {"bad-instance-size", "wants 1048577 bytes per instance; at most 1048576 are given"},
        {"bad-peer-size", "wants 4097 bytes per peer; at most 4096 are given"},
        {"bad-symbol", "has no symbol pathdog_trigger"},
        {"bad-undefined", "undefined symbol: pathdog_nobody_has_this"},
        {"bad-option-name", "option 1 is called \"Bad-Name\"; a name is [a-z][a-z0-9_]{0,31}"},
        {"bad-option-reserved", "option match: the name is reserved for pathdog"},
        {"bad-option-twice", "option once appears twice"},
        {"bad-option-type", "option odd has the unknown type 99"},
        {"bad-option-range", "option odd has an empty range: min 5, max 4"},
        {"bad-option-default", "option odd has a bad default: \"soon\" has no number where one "
                               "must stand; allowed is a time, 0 or more"},
        {"bad-option-outside", "option odd has a bad default: \"9\" is too large; allowed is a "
                               "whole number from 1 to 8"},
        {"bad-option-help", "option odd has no help"},
        {"bad-options-many", "more than 64 options, or the list of options has no end"},
        {"bad-source-abi", "was built for source ABI 2; this pathdog has 1"},
        {"bad-source-size", "its source has 8 bytes; this pathdog's has 32"},
        {"bad-source-stop", "its source has no stop"},
    };
    struct lab *lab = *state;
    CLEANUP_FREE char *size =
        string_format("/bad-size.so: its descriptor has %zu bytes; this pathdog takes %zu to %zu",
                      PD_TRIGGER_SIZE_MIN - 8, PD_TRIGGER_SIZE_MIN, sizeof(struct pd_trigger));
    CLEANUP_FREE char *more = string_format(
        "/bad-size-more.so: its descriptor has %zu bytes; this pathdog takes %zu to %zu",
        sizeof(struct pd_trigger) + 8, PD_TRIGGER_SIZE_MIN, sizeof(struct pd_trigger));

    lab_add(lab, "bad-size");
    refused(lab, "bad-size", size);
    lab_add(lab, "bad-size-more");
    refused(lab, "bad-size-more", more);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *words = string_format("/%s.so: %s", rows[i].name, rows[i].words);

        lab_add(lab, rows[i].name);
        refused(lab, rows[i].name, words);
    }
    /* A refused one must not be taken for the next: its descriptor's number is
     * free again, and the loader goes by names. */
    test_good(state);
}

/* Built before the last members of this ABI were added: they are absent, whatever stands there. */
static void test_older(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *error = NULL;
    const struct pd_trigger *trigger;

    lab_add(lab, "good-older");
    trigger = plugins_find(lab->plugins, lab->directory, "good-older", &error);
    assert_non_null(trigger);
    assert_string_equal(trigger->name, "good-older");
    assert_null(trigger->relays);
    assert_null(trigger->tell_relay);
    assert_null(trigger->tell_relayed);
}

static void test_files(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *good = lab_path(lab, "good.so"), *text = lab_path(lab, "text.so");
    CLEANUP_FREE char *pipe_path = lab_path(lab, "pipe.so"), *folder = lab_path(lab, "folder.so");
    CLEANUP_FREE char *link_path = lab_path(lab, "link.so"), *words = NULL, *error = NULL;
    FILE *file;

    lab_add(lab, "good");
    assert_null(plugins_find(lab->plugins, lab->directory, "godo", &error));
    words = string_format("there is no trigger godo in %s; did you mean good?", lab->directory);
    assert_string_equal(error, words);
    free(error);
    assert_null(plugins_find(lab->plugins, lab->directory, "../good", &error));
    assert_string_equal(error,
                        "\"../good\" is not a trigger's name; allowed is [a-z][a-z0-9-]{0,31}");

    file = fopen(text, "we");
    assert_non_null(file);
    fputs("not a shared object\n", file);
    fclose(file);
    assert_int_equal(chmod(text, 0644), 0);
    refused(lab, "text", "/text.so: file too short");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    refused(lab, "pipe", "/pipe.so: is not a regular file");
    assert_int_equal(mkdir(folder, 0700), 0);
    refused(lab, "folder", "/folder.so: is not a regular file");
    assert_int_equal(symlink("good.so", link_path), 0);
    refused(lab, "link", "/link.so: is a symbolic link");

    assert_int_equal(chmod(good, 0664), 0);
    refused(lab, "good", "/good.so may be written by others than its owner (mode 0664)");
    assert_int_equal(chmod(good, 0646), 0);
    refused(lab, "good", "/good.so may be written by others than its owner (mode 0646)");
    assert_int_equal(chmod(good, 0644), 0);
    assert_int_equal(chmod(lab->directory, 0777), 0);
    refused(lab, "good", " may be written by others than its owner (mode 0777)");
    assert_int_equal(chmod(lab->directory, 0755), 0);
    if (geteuid() == 0) { /* only root can give files away */
        assert_int_equal(chown(good, 12345, (gid_t)-1), 0);
        refused(lab, "good", "/good.so is owned by uid 12345; it must be root");
        assert_int_equal(chown(good, 0, (gid_t)-1), 0);
        assert_int_equal(chown(lab->directory, 12345, (gid_t)-1), 0);
        refused(lab, "good", " is owned by uid 12345; it must be root");
        assert_int_equal(chown(lab->directory, 0, (gid_t)-1), 0);
    }
    free(error);
    error = NULL;
    assert_non_null(plugins_find(lab->plugins, lab->directory, "good", &error));
}

/* The directory is good, and somebody else could put another in its place. */
static void test_directories_above(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *inner = lab_path(lab, "inner"), *link = lab_path(lab, "link");
    CLEANUP_FREE char *from = lab_path(lab, "good.so"), *to = lab_path(lab, "inner/good.so");
    CLEANUP_FREE char *above = NULL, *foreign = NULL, *error = NULL;

    lab_add(lab, "good");
    assert_int_equal(mkdir(inner, 0755), 0);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(symlink(inner, link), 0);
    assert_int_equal(chmod(lab->directory, 0777), 0);
    assert_null(plugins_find(lab->plugins, inner, "good", &above));
    assert_non_null(strstr(above, lab->directory));
    assert_non_null(strstr(above, " may be written by others than its owner (mode 0777)"));
    assert_int_equal(chmod(lab->directory, 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(lchown(link, 12345, (gid_t)-1), 0);
        assert_null(plugins_find(lab->plugins, link, "good", &foreign));
        assert_non_null(strstr(foreign, "link, a symbolic link, is owned by uid 12345"));
        assert_int_equal(lchown(link, 0, (gid_t)-1), 0);
    }
    assert_non_null(plugins_find(lab->plugins, link, "good", &error));
}

static void test_list(void **state)
{
    struct lab *lab = *state;
    char *text = NULL, *error = NULL;
    CLEANUP_FREE char *expected = NULL;
    size_t size;
    FILE *out;

    lab_add(lab, "good");
    lab_add(lab, "bad-abi");
    out = open_memstream(&text, &size);
    assert_int_equal(plugins_list(lab->plugins, lab->directory, false, out, &error), 0);
    fclose(out);
    expected = string_format("bad-abi: REFUSED: %s/bad-abi.so: was built for trigger ABI 5; this "
                             "pathdog has 4\n"
                             "good: a fixture\n"
                             "    threshold = 200ms\n        above is slow (a time from 1ms to "
                             "1min)\n"
                             "    match_all = (not set)\n        a flag (yes or no)\n",
                             lab->directory);
    assert_string_equal(text, expected);
    free(text);
    free(expected);
    out = open_memstream(&text, &size);
    assert_int_equal(plugins_list(lab->plugins, lab->directory, true, out, &error), 0);
    fclose(out);
    expected = string_format(
        "[\n {\"name\":\"bad-abi\",\"error\":\"%s/bad-abi.so: was built for trigger ABI 5; this "
        "pathdog has 4\"},\n"
        " {\"name\":\"good\",\"summary\":\"a fixture\",\"abi\":4,\"source\":false,\"options\":[\n"
        "   {\"name\":\"threshold\",\"type\":\"time\",\"default\":\"200ms\",\"min\":1000,"
        "\"max\":60000000,\"allowed\":\"a time from 1ms to 1min\",\"help\":\"above is slow\"},\n"
        "   {\"name\":\"match_all\",\"type\":\"boolean\",\"default\":null,\"min\":null,"
        "\"max\":null,\"allowed\":\"yes or no\",\"help\":\"a flag\"}]}\n]\n",
        lab->directory);
    assert_string_equal(text, expected);
    free(text);
}

/* What the sources said, one line each. */
static void note_signal(void *user, const char *instance, const struct pd_signal *signal)
{
    fprintf(user, "%s: signal %s query %llu fields %zu\n", instance, signal->kind,
            (unsigned long long)signal->query, signal->n_fields);
}

static void note_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    fprintf(user, "notice %d %s: %s\n", (int)level, what, text);
}

static void test_sources(void **state)
{
    struct lab *lab = *state;
    CLEANUP_FREE char *config_text =
        string_format("[watchdog]\nnode = /n\nplugin_directory = %s\n[trigger:good]\n"
                      "[trigger:good-source]\n[trigger:bad-source-start]\n",
                      lab->directory);
    const struct config_lookup lookup = plugins_lookup(lab->plugins, NULL);
    struct sources_handlers handlers = {.signal = note_signal, .notice = note_notice};
    struct config *config = NULL;
    struct sources *sources;
    char *error = NULL, *said = NULL;
    sd_event *loop = NULL;
    size_t size;

    lab_add(lab, "good");
    lab_add(lab, "good-source");
    lab_add(lab, "bad-source-start");
    assert_int_equal(
        config_parse_text("t", config_text, strlen(config_text), &lookup, &config, &error), 0);
    assert_int_equal(sd_event_new(&loop), 0);
    handlers.user = open_memstream(&said, &size);
    sources = sources_start(loop, config, lab->plugins, NULL, &handlers);
    sources_query(sources, 0, &(struct pd_query){.id = 11}); /* no source */
    sources_query(sources, 1, &(struct pd_query){.id = 12});
    sources_query(sources, 1, &(struct pd_query){.id = 13});
    sources_query(sources, 2, &(struct pd_query){.id = 14}); /* did not start */
    sources_query(sources, 3, &(struct pd_query){.id = 15}); /* no such instance */
    sources_free(sources);
    fclose(handlers.user);
    assert_string_equal(said, "good-source: signal started query 0 fields 2\n"
                              "notice 4 no-way: bad-source-start: will not\n"
                              "notice 3 source-failed: bad-source-start: did not start: No such "
                              "device\n"
                              "good-source: signal answer query 12 fields 0\n"
                              "notice 4 query-failed: good-source: did not answer: Input/output "
                              "error\n"
                              "notice 6 stopped: good-source: said by stop\n");
    free(said);
    config_free(config);
    sd_event_unref(loop);
}

static struct config *parse_with(struct lab *lab, const char *sections)
{
    CLEANUP_FREE char *text =
        string_format("[watchdog]\nnode = /n\nplugin_directory = %s\n%s", lab->directory, sections);
    const struct config_lookup lookup = plugins_lookup(lab->plugins, NULL);
    struct config *config = NULL;
    char *error = NULL;

    if (config_parse_text("t", text, strlen(text), &lookup, &config, &error) < 0)
        fail_msg("%s", error);
    return config;
}

/* A reload: what is the same goes on, even in another place and with the old
 * config gone. */
static void test_sources_update(void **state)
{
    struct lab *lab = *state;
    struct sources_handlers handlers = {.signal = note_signal, .notice = note_notice};
    struct config *before, *after;
    struct sources *sources;
    sd_event *loop = NULL;
    char *said = NULL;
    size_t size;

    lab_add(lab, "good");
    lab_add(lab, "good-source");
    before = parse_with(lab, "[trigger:good-source:a]\n[trigger:good-source:b]\nmatch = b\n");
    after = parse_with(lab, "[trigger:good]\n[trigger:good-source:b]\n"
                            "[trigger:good-source:c]\nmatch = c\n");
    assert_int_equal(sd_event_new(&loop), 0);
    handlers.user = open_memstream(&said, &size);
    sources = sources_start(loop, before, lab->plugins, NULL, &handlers);
    fputs("--\n", handlers.user);
    sources_update(sources, after, lab->plugins);
    config_free(before);
    fputs("--\n", handlers.user);
    sources_query(sources, 1, &(struct pd_query){.id = 12});
    sources_query(sources, 2, &(struct pd_query){.id = 14});
    sources_free(sources);
    fclose(handlers.user);
    assert_string_equal(said, "good-source:a: signal started query 0 fields 2\n"
                              "good-source:b: signal started query 0 fields 2\n"
                              "--\n"
                              "notice 6 stopped: good-source:a: said by stop\n"
                              "good-source:c: signal started query 0 fields 2\n"
                              "--\n"
                              "good-source:b: signal answer query 12 fields 0\n"
                              "good-source:c: signal answer query 14 fields 0\n"
                              "notice 6 stopped: good-source:c: said by stop\n"
                              "notice 6 stopped: good-source:b: said by stop\n");
    free(said);
    config_free(after);
    sd_event_unref(loop);
}

/* What a policy is started anew for, its source is, too: it was told the same at its
 * start, and what it has told its policy so far is not known to the new one. */
static void test_sources_of_new_policies(void **state)
{
    struct lab *lab = *state;
    struct sources_handlers handlers = {.signal = note_signal, .notice = note_notice};
    struct config *before, *after;
    struct sources *sources;
    sd_event *loop = NULL;
    char *said = NULL;
    size_t size;

    lab_add(lab, "good-source");
    before = parse_with(lab, "[trigger:good-source]\n");
    after = parse_with(lab, "sample_interval = 7s\n[trigger:good-source]\n");
    assert_int_equal(sd_event_new(&loop), 0);
    handlers.user = open_memstream(&said, &size);
    sources = sources_start(loop, before, lab->plugins, NULL, &handlers);
    fputs("--\n", handlers.user);
    sources_update(sources, after, lab->plugins);
    fputs("--\n", handlers.user);
    sources_free(sources);
    fclose(handlers.user);
    assert_string_equal(said, "good-source: signal started query 0 fields 2\n"
                              "--\n"
                              "notice 6 stopped: good-source: said by stop\n"
                              "good-source: signal started query 0 fields 2\n"
                              "--\n"
                              "notice 6 stopped: good-source: said by stop\n");
    free(said);
    config_free(before);
    config_free(after);
    sd_event_unref(loop);
}

/* Where the policy is closed nobody would hear its source: it is not started, or stopped. */
static void test_sources_of_closed_policies(void **state)
{
    static const bool closed[] = {true, false};
    struct lab *lab = *state;
    struct sources_handlers handlers = {.signal = note_signal, .notice = note_notice};
    struct config *config;
    struct sources *sources;
    sd_event *loop = NULL;
    char *said = NULL;
    size_t size;

    lab_add(lab, "good-source");
    config = parse_with(lab, "[trigger:good-source:a]\n[trigger:good-source:b]\nmatch = b\n");
    assert_int_equal(sd_event_new(&loop), 0);
    handlers.user = open_memstream(&said, &size);
    sources = sources_start(loop, config, lab->plugins, closed, &handlers);
    sources_query(sources, 0, &(struct pd_query){.id = 12}); /* did not start */
    sources_close(sources, 1);
    sources_close(sources, 1);
    sources_close(sources, 2); /* no such instance */
    sources_query(sources, 1, &(struct pd_query){.id = 14});
    fputs("--\n", handlers.user);
    sources_update(sources, config, lab->plugins); /* the policies are started anew */
    sources_free(sources);
    fclose(handlers.user);
    assert_string_equal(said, "good-source:b: signal started query 0 fields 2\n"
                              "notice 6 stopped: good-source:b: said by stop\n"
                              "--\n"
                              "good-source:a: signal started query 0 fields 2\n"
                              "good-source:b: signal started query 0 fields 2\n"
                              "notice 6 stopped: good-source:b: said by stop\n"
                              "notice 6 stopped: good-source:a: said by stop\n");
    free(said);
    config_free(config);
    sd_event_unref(loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_older, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directories_above, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sources_update, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sources_of_new_policies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sources_of_closed_policies, setup, teardown),
    };

    fixtures = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
