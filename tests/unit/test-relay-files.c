/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/files.c and file-job.c: the list file, as it comes and goes, and the cache. */
#include "relay-rig.h"

#include "relay/files.h"

#include "util/clock.h"
#include "util/util.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct lab {
    struct rig *rig;
    struct files_config config;
    struct files *files;
    char list[128], cache[128];
};

static int begin(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab->rig = rig_new();
    rig_path_in(lab->rig, "relays", lab->list);
    rig_path_in(lab->rig, "cache.json", lab->cache);
    lab->config = (struct files_config){lab->list, lab->cache, 3600000000, 20000, RELAY_REG_ACK};
    *state = lab;
    return 0;
}

static int end(void **state)
{
    struct lab *lab = *state;

    files_free(lab->files);
    rig_free(lab->rig);
    free(lab);
    return 0;
}

static void start(struct lab *lab)
{
    assert_int_equal(files_new(&lab->rig->host, &lab->config, &lab->files), 0);
}

static void list_write(struct lab *lab, const char *text)
{
    rig_write(lab->rig, "relays", text);
}

static const char *signal_last(const struct lab *lab)
{
    return lab->rig->signals[lab->rig->n_signals - 1];
}

static void expect_signal(struct lab *lab, unsigned n, const char *text)
{
    rig_wait_signals(lab->rig, n);
    assert_string_equal(lab->rig->signals[n - 1], text);
}

static void expect_notice(struct lab *lab, unsigned n, const char *level_and_what, const char *part)
{
    const char *text = lab->rig->notices[n - 1];

    rig_wait_notices(lab->rig, n);
    if (strncmp(text, level_and_what, strlen(level_and_what)) != 0 || !strstr(text, part))
        fail_msg("\"%s\", not \"%s…%s\"", text, level_and_what, part);
}

static bool is_cache_there(void *user)
{
    struct stat st;

    return stat(((const struct lab *)user)->cache, &st) == 0 && st.st_size > 0;
}

static void cache_read(const struct lab *lab, char out[static 1024])
{
    int fd = open(lab->cache, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, out, 1023);

    assert_true(n >= 0);
    out[n] = '\0';
    close(fd);
}

static bool is_second_cached(void *user)
{
    char text[1024];

    cache_read(user, text);
    return strstr(text, "[\"192.0.2.2:4433\"]");
}

static void cache_write(struct lab *lab, uint64_t age_s)
{
    time_t at = (time_t)(clock_us(CLOCK_REALTIME) / 1000000 - age_s);
    char text[256], when[64];
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(text, sizeof(text), "{\"saved_at\":\"%s\",\"addrs\":[\"192.0.2.9:9\"]}", when);
    rig_write(lab->rig, "cache.json", text);
    assert_int_equal(chmod(lab->cache, 0600), 0);
}

static void test_read_and_saved(void **state)
{
    struct lab *lab = *state;
    char text[1024];
    struct stat st;

    list_write(lab, "eu=192.0.2.1:4433\nus=[2001:db8::1]:1 pilot\n");
    start(lab);
    expect_signal(
        lab, 1, "list#0 from=file;relay=eu=192.0.2.1:4433 reg-ack;relay=us=[2001:db8::1]:1 pilot;");
    rig_wait_for(lab->rig, is_cache_there, lab);
    assert_int_equal(stat(lab->cache, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    cache_read(lab, text);
    assert_memory_equal(text, "{\"saved_at\":\"20", 15);
    assert_non_null(strstr(text, "\"addrs\":[\"192.0.2.1:4433\",\"[2001:db8::1]:1\"]"));
    assert_int_equal(lab->rig->n_notices, 0);
}

static void test_replaced(void **state)
{
    struct lab *lab = *state;

    list_write(lab, "eu=192.0.2.1:4433\n");
    start(lab);
    rig_wait_signals(lab->rig, 1);
    list_write(lab, "eu=192.0.2.2:4433\n"); /* a refresh is an hour */
    expect_signal(lab, 2, "list#0 from=file;relay=eu=192.0.2.2:4433 reg-ack;");
    rig_wait_for(lab->rig, is_second_cached, lab);
    list_write(lab, "eu=192.0.2.2:4433 # the same\n");
    list_write(lab, "# none\n");
    expect_signal(lab, 3, "list#0 from=file;");
    assert_int_equal(lab->rig->n_notices, 0);
}

static void test_written_in_place(void **state)
{
    struct lab *lab = *state;
    FILE *file;

    list_write(lab, "eu=192.0.2.1:4433\n");
    start(lab);
    rig_wait_signals(lab->rig, 1);
    file = fopen(lab->list, "we"); /* cut to nothing, then written */
    assert_non_null(file);
    rig_run(lab->rig, 50000);
    assert_true(fputs("us=192.0.2.3:1\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    expect_signal(lab, 2, "list#0 from=file;relay=us=192.0.2.3:1 reg-ack;");
}

/* However often it is replaced, it is read once in a gap. */
static void test_replaced_all_the_time(void **state)
{
    struct lab *lab = *state;
    uint64_t began_us, took_us = 0;
    char text[64];

    lab->config.gap_us = 1000000;
    list_write(lab, "eu=192.0.2.1:1\n");
    start(lab);
    rig_wait_signals(lab->rig, 1);
    began_us = clock_us(CLOCK_MONOTONIC);
    for (unsigned i = 2; took_us < 2500000 || lab->rig->n_signals < 2; i++) {
        snprintf(text, sizeof(text), "eu=192.0.2.1:%u\n", i % 60000 + 2);
        list_write(lab, text);
        rig_run(lab->rig, 5000);
        took_us = clock_us(CLOCK_MONOTONIC) - began_us;
        assert_true(took_us < 60000000);
    }
    /* what it was told before and where it began and ends in a gap */
    assert_true(lab->rig->n_signals <= took_us / lab->config.gap_us + 3);
    list_write(lab, "last=192.0.2.1:1\n");
    while (strcmp(signal_last(lab), "list#0 from=file;relay=last=192.0.2.1:1 reg-ack;") != 0)
        rig_wait_signals(lab->rig, lab->rig->n_signals + 1);
}

static void test_it_comes_later(void **state)
{
    struct lab *lab = *state;

    start(lab);
    expect_notice(lab, 1,
                  "4 relay-list: ", "No such file or directory; no relay is known from it yet");
    expect_notice(lab, 2, "5 relay-cache: ", "No such file or directory");
    assert_int_equal(lab->rig->n_signals, 0);
    list_write(lab, "eu=192.0.2.1:4433\n");
    expect_signal(lab, 1, "list#0 from=file;relay=eu=192.0.2.1:4433 reg-ack;");
    expect_notice(lab, 3, "5 relay-list: ", "whole again");
}

static void test_it_goes_and_comes_back(void **state)
{
    struct lab *lab = *state;

    list_write(lab, "eu=192.0.2.1:4433\n");
    start(lab);
    rig_wait_signals(lab->rig, 1);
    assert_int_equal(unlink(lab->list), 0);
    expect_notice(lab, 1, "4 relay-list: ", "No such file or directory; the list before it stays");
    list_write(lab, "eu=192.0.2.1:4433\n"); /* the same: nothing to tell */
    expect_notice(lab, 2, "5 relay-list: ", "whole again");
    list_write(lab, "us=192.0.2.1:4433\n");
    expect_signal(lab, 2, "list#0 from=file;relay=us=192.0.2.1:4433 reg-ack;");
}

/* Nothing tells of a directory that is made; the refresh looks. */
static void test_its_directory_goes_and_comes_back(void **state)
{
    struct lab *lab = *state;
    char directory[128], file[160];
    FILE *out;

    rig_path_in(lab->rig, "sub", directory);
    snprintf(file, sizeof(file), "%s/relays", directory);
    lab->config.list = file;
    lab->config.refresh_us = 1000000;
    assert_int_equal(mkdir(directory, 0755), 0);
    for (unsigned round = 0; round < 2; round++) {
        if (round)
            assert_int_equal(mkdir(directory, 0755), 0);
        out = fopen(file, "we");
        assert_non_null(out);
        fprintf(out, "r%u=192.0.2.1:1\n", round);
        assert_int_equal(fclose(out), 0);
        if (!round)
            start(lab);
        rig_wait_signals(lab->rig, round + 1);
        assert_int_equal(unlink(file), 0);
        assert_int_equal(rmdir(directory), 0);
        rig_wait_notices(lab->rig, 2 * round + 1);
        assert_non_null(strstr(lab->rig->notices[2 * round], "No such file or directory"));
    }
    assert_string_equal(lab->rig->signals[1], "list#0 from=file;relay=r1=192.0.2.1:1 reg-ack;");
}

static void test_bad_lines(void **state)
{
    struct lab *lab = *state;

    list_write(lab, "eu=192.0.2.1:4433\nrubbish\nus=nowhere:1\n");
    start(lab);
    expect_signal(lab, 1, "list#0 from=file;relay=eu=192.0.2.1:4433 reg-ack;");
    expect_notice(lab, 1, "4 relay-list: ", "/relays: line 2: there is no =");
    assert_non_null(strstr(lab->rig->notices[0], "; line 3: not an IP address"));
    list_write(lab, "rubbish\n");
    expect_notice(lab, 2, "4 relay-list: ", "has no relay: line 1: there is no =");
    assert_non_null(strstr(lab->rig->notices[1], "the list before it stays"));
    list_write(lab, "");
    expect_notice(lab, 3, "4 relay-list: ", "is empty");
    assert_int_equal(lab->rig->n_signals, 1);
}

static void test_a_hundred_thousand_lines(void **state)
{
    struct lab *lab = *state;
    FILE *file = fopen(lab->list, "we");

    assert_non_null(file);
    for (unsigned i = 0; i < 100000; i++)
        fprintf(file, "relay-%u=192.0.2.%u:%u\n", i, i % 254 + 1, i % 65535 + 1);
    assert_int_equal(fclose(file), 0);
    start(lab);
    expect_notice(lab, 1, "4 relay-list: ", "99936 relays from line 65 on are left out");
    rig_wait_signals(lab->rig, 1);
    assert_memory_equal(lab->rig->signals[0], "list#0 from=file;relay=relay-0=192.0.2.1:1 ", 43);
}

static void test_what_is_no_file(void **state)
{
    struct lab *lab = *state;
    unsigned n = 0;

    assert_int_equal(mkfifo(lab->list, 0644), 0);
    start(lab);
    expect_notice(lab, ++n, "4 relay-list: ", "is a pipe, not a regular file");
    expect_notice(lab, ++n, "5 relay-cache: ", "No such file");
    unlink(lab->list);
    expect_notice(lab, ++n, "4 relay-list: ", "No such file");
    assert_int_equal(mkdir(lab->list, 0755), 0);
    lab->files = files_free(lab->files); /* a directory that is made is no change of a file */
    start(lab);
    expect_notice(lab, ++n, "4 relay-list: ", "is a directory, not a regular file");
    rmdir(lab->list);
    assert_int_equal(symlink("/dev/zero", lab->list), 0);
    lab->files = files_free(lab->files);
    n = lab->rig->n_notices;
    start(lab);
    rig_wait_notices(lab->rig, ++n);
    assert_non_null(strstr(lab->rig->notices[n - 1], "relay-list: ")); /* a device: mode 0666 */
    assert_int_equal(lab->rig->n_signals, 0);
}

static void test_others_may_write_it(void **state)
{
    struct lab *lab = *state;

    list_write(lab, "eu=192.0.2.1:4433\n");
    assert_int_equal(chmod(lab->list, 0666), 0);
    start(lab);
    expect_notice(lab, 1, "4 relay-list: ", "may be written by others than its owner (mode 0666)");
    assert_int_equal(chmod(lab->list, 0644), 0); /* which is seen */
    expect_signal(lab, 1, "list#0 from=file;relay=eu=192.0.2.1:4433 reg-ack;");
}

static void test_too_long(void **state)
{
    struct lab *lab = *state;
    int fd = open(lab->list, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    assert_int_equal(ftruncate(fd, 1 << 30), 0);
    close(fd);
    start(lab);
    expect_notice(lab, 1, "4 relay-list: ", "is longer than 8388608 bytes");
}

/* ---- the cache ---- */

static void test_the_cache_where_the_list_fails_first(void **state)
{
    struct lab *lab = *state;
    unsigned long long age_us;

    cache_write(lab, 1800);
    lab->config.otherwise = RELAY_PILOT;
    start(lab);
    rig_wait_signals(lab->rig, 1);
    assert_int_equal(sscanf(lab->rig->signals[0],
                            "list#0 from=cache;age_us=%llu;relay=192.0.2.9:9=192.0.2.9:9 pilot;",
                            &age_us),
                     1);
    assert_in_range(age_us, 1800000000, 1830000000);
    assert_non_null(strstr(lab->rig->signals[0], "relay=192.0.2.9:9=192.0.2.9:9 pilot;"));
    expect_notice(lab, 2, "5 relay-cache: 1 relays are taken from ", "saved 18");
    list_write(lab, "rubbish\n"); /* fails again: the cache is not asked again */
    expect_notice(lab, 3, "4 relay-list: ", "line 1");
    assert_int_equal(lab->rig->n_signals, 1);
    list_write(lab, "eu=192.0.2.1:1 reg-ack\n");
    expect_signal(lab, 2, "list#0 from=file;relay=eu=192.0.2.1:1 reg-ack;");
}

static void test_not_where_it_was_read_before(void **state)
{
    struct lab *lab = *state;

    list_write(lab, "eu=192.0.2.1:1\n");
    start(lab);
    rig_wait_for(lab->rig, is_cache_there, lab);
    unlink(lab->list);
    expect_notice(lab, 1, "4 relay-list: ", "the list before it stays");
    assert_int_equal(lab->rig->n_signals, 1);
}

static void expect_refused(struct lab *lab, const char *part)
{
    start(lab);
    rig_wait_notices(lab->rig, 2);
    if (strncmp(lab->rig->notices[1], "4 relay-cache: ", 15) != 0 ||
        !strstr(lab->rig->notices[1], part) || !strstr(lab->rig->notices[1], lab->cache))
        fail_msg("%s", lab->rig->notices[1]);
    assert_int_equal(lab->rig->n_signals, 0);
}

static void test_an_old_cache(void **state)
{
    cache_write(*state, 3700);
    expect_refused(*state, "s ago, and is good for 3600 s");
}

static void test_a_broken_cache(void **state)
{
    rig_write(((struct lab *)*state)->rig, "cache.json", "{\"saved_at\":\"2026-11-29T16:20");
    expect_refused(*state, "it is no JSON");
}

static void test_a_cache_that_others_may_write(void **state)
{
    struct lab *lab = *state;

    cache_write(lab, 10);
    assert_int_equal(chmod(lab->cache, 0620), 0);
    expect_refused(lab, "may be written by others than its owner");
}

static void test_a_cache_of_somebody_else(void **state)
{
    struct lab *lab = *state;

    cache_write(lab, 10);
    if (chown(lab->cache, 12345, (gid_t)-1) < 0)
        skip(); /* needs root */
    expect_refused(lab, "is owned by uid 12345");
}

static void test_a_cache_that_is_no_file(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(mkfifo(lab->cache, 0600), 0);
    expect_refused(lab, "is a pipe");
}

/* What is no cache is not overwritten. */
static void test_a_cache_in_the_place_of_something_else(void **state)
{
    struct lab *lab = *state;
    char text[1024];

    rig_write(lab->rig, "cache.json", "root:x:0:0::/root:/bin/sh\n");
    list_write(lab, "eu=192.0.2.1:1\n");
    start(lab);
    expect_notice(lab, 1, "4 relay-cache: not saved: ", "is not a cache of relays");
    cache_read(lab, text);
    assert_string_equal(text, "root:x:0:0::/root:/bin/sh\n");
    unlink(lab->cache);
    list_write(lab, "us=192.0.2.1:1\n");
    expect_notice(lab, 2, "5 relay-cache: ", "could be saved again");
}

static void test_no_cache_is_wanted(void **state)
{
    struct lab *lab = *state;
    struct stat st;

    lab->config.cache = NULL;
    list_write(lab, "eu=192.0.2.1:1\n");
    start(lab);
    rig_wait_signals(lab->rig, 1);
    rig_run(lab->rig, 100000);
    assert_int_equal(stat(lab->cache, &st), -1);
    lab->files = files_free(lab->files);
    unlink(lab->list);
    start(lab);
    rig_wait_notices(lab->rig, 1);
    rig_run(lab->rig, 50000);
    assert_int_equal(lab->rig->n_notices, 1);
}

/* Whatever is under way. */
static void test_ended_at_any_time(void **state)
{
    struct lab *lab = *state;

    list_write(lab, "eu=192.0.2.1:1\n");
    for (unsigned i = 0; i < 200; i++) {
        start(lab);
        rig_run(lab->rig, i * 10);
        lab->files = files_free(lab->files);
    }
    assert_int_equal(lab->rig->n_notices, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_and_saved, begin, end),
        cmocka_unit_test_setup_teardown(test_replaced, begin, end),
        cmocka_unit_test_setup_teardown(test_written_in_place, begin, end),
        cmocka_unit_test_setup_teardown(test_replaced_all_the_time, begin, end),
        cmocka_unit_test_setup_teardown(test_it_comes_later, begin, end),
        cmocka_unit_test_setup_teardown(test_it_goes_and_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(test_its_directory_goes_and_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_lines, begin, end),
        cmocka_unit_test_setup_teardown(test_a_hundred_thousand_lines, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_no_file, begin, end),
        cmocka_unit_test_setup_teardown(test_others_may_write_it, begin, end),
        cmocka_unit_test_setup_teardown(test_too_long, begin, end),
        cmocka_unit_test_setup_teardown(test_the_cache_where_the_list_fails_first, begin, end),
        cmocka_unit_test_setup_teardown(test_not_where_it_was_read_before, begin, end),
        cmocka_unit_test_setup_teardown(test_an_old_cache, begin, end),
        cmocka_unit_test_setup_teardown(test_a_broken_cache, begin, end),
        cmocka_unit_test_setup_teardown(test_a_cache_that_others_may_write, begin, end),
        cmocka_unit_test_setup_teardown(test_a_cache_of_somebody_else, begin, end),
        cmocka_unit_test_setup_teardown(test_a_cache_that_is_no_file, begin, end),
        cmocka_unit_test_setup_teardown(test_a_cache_in_the_place_of_something_else, begin, end),
        cmocka_unit_test_setup_teardown(test_no_cache_is_wanted, begin, end),
        cmocka_unit_test_setup_teardown(test_ended_at_any_time, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
