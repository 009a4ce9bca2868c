/* SPDX-License-Identifier: Apache-2.0 */
/* codec/recorder.[ch] and recording.[ch]: what was written is read, also after a kill. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "codec/recorder.h"
#include "codec/recording.h"

static char directory[] = "/tmp/test-recorder-XXXXXX";
static char path[64];
static const struct recording_header header = {"run-1", 5, 6, "[watchdog]\n"};
static char error[256];
static char *why;

/* It is refused with this, and a sentence. */
static void refused(const char *name, int expected)
{
    struct recorder *recorder = NULL;

    assert_int_equal(recorder_new(name, &header, &recorder, &why), expected);
    assert_null(recorder);
    assert_non_null(why);
    free(why);
    why = NULL;
}

#define HEADER                                                                                     \
    "{\"pathdog\":\"recording\",\"version\":1,\"run\":\"r\",\"started_us\":5,\"realtime_us\":6,"   \
    "\"config\":\"\"}\n"
#define TIMER(t) "{\"t\":" t ",\"rt\":0,\"event\":\"timer\"}\n"

static struct event peer_down(uint64_t t)
{
    return (struct event){.type = EVENT_PEER_DOWN, .now_us = t, .peer_down = {t, "reason"}};
}

static void write_file(const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void test_there_and_back(void **state)
{
    struct recorder *recorder;
    struct recording *recording;
    struct stat status;
    struct event event;
    const uint64_t count = 100000;

    umask(0);
    assert_int_equal(recorder_new(path, &header, &recorder, &why), 0);
    for (uint64_t t = 5; t < count; t++) {
        event = peer_down(t);
        assert_int_equal(recorder_event(recorder, &event), 0);
    }
    assert_int_equal(recorder_stop(recorder, UINT64_MAX), 0);
    assert_int_equal(recorder_event(recorder, &event), 0);
    assert_null(recorder_free(recorder));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);

    assert_int_equal(recording_open(path, &recording, error, sizeof(error)), 0);
    assert_string_equal(recording_header(recording)->run, "run-1");
    for (uint64_t t = 5; t < count; t++) {
        assert_int_equal(recording_next(recording, &event, error, sizeof(error)), 1);
        assert_int_equal(event.now_us, t);
        assert_string_equal(event.peer_down.reason, "reason");
    }
    assert_int_equal(recording_next(recording, &event, error, sizeof(error)), 0);
    assert_false(recording_is_truncated(recording));
    assert_int_equal(recording_line(recording), count - 5 + 1);
    assert_null(recording_free(recording));
}

/* What came of probes of paths: an answer, an error, and neither. */
static void test_probes_of_paths(void **state)
{
    const struct event_probed probed[] = {{.probe = 7, .ok = true, .rtt_us = 41200},
                                          {.probe = UINT64_MAX, .code = -32004, .message = "a\n\""},
                                          {.probe = 8}};
    struct recorder *recorder;
    struct recording *recording;
    struct event event;

    assert_int_equal(recorder_new(path, &header, &recorder, &why), 0);
    for (uint64_t i = 0; i < ARRAY_SIZE(probed); i++) {
        event = (struct event){.type = EVENT_PROBED, .now_us = 10 + i, .probed = probed[i]};
        assert_int_equal(recorder_event(recorder, &event), 0);
    }
    assert_int_equal(recorder_stop(recorder, UINT64_MAX), 0);
    assert_null(recorder_free(recorder));
    assert_int_equal(recording_open(path, &recording, error, sizeof(error)), 0);
    for (uint64_t i = 0; i < ARRAY_SIZE(probed); i++) {
        assert_int_equal(recording_next(recording, &event, error, sizeof(error)), 1);
        assert_int_equal(event.type, EVENT_PROBED);
        assert_true(event.probed.probe == probed[i].probe && event.probed.ok == probed[i].ok &&
                    event.probed.rtt_us == probed[i].rtt_us &&
                    event.probed.code == probed[i].code &&
                    string_equal(event.probed.message, probed[i].message));
    }
    assert_int_equal(recording_next(recording, &event, error, sizeof(error)), 0);
    assert_null(recording_free(recording));
}

/* Waits until the file has this many lines, at most a minute. */
static void wait_for_lines(size_t wanted)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    size_t lines = 0;

    for (int i = 0; i < 6000 && lines < wanted; i++) {
        FILE *file = fopen(path, "re");

        lines = 0;
        for (int c; file && (c = getc(file)) != EOF;)
            lines += c == '\n';
        if (file)
            fclose(file);
        if (lines < wanted)
            nanosleep(&pause, NULL);
    }
    assert_true(lines >= wanted);
}

/* Without a stop, without further events: it is on its way to the disk within a second. */
static void test_a_kill_loses_little(void **state)
{
    struct recording *recording;
    struct event event;
    int status;
    pid_t child;

    unlink(path);
    child = fork();
    if (child == 0) {
        struct recorder *recorder;

        if (recorder_new(path, &header, &recorder, &why))
            _exit(1);
        for (uint64_t t = 10; t < 20; t++) {
            event = peer_down(t);
            recorder_event(recorder, &event);
        }
        for (;;)
            pause();
    }
    assert_true(child > 0);
    wait_for_lines(11);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(recording_open(path, &recording, error, sizeof(error)), 0);
    for (uint64_t t = 10; t < 20; t++)
        assert_int_equal(recording_next(recording, &event, error, sizeof(error)), 1);
    assert_int_equal(recording_next(recording, &event, error, sizeof(error)), 0);
    recording_free(recording);
}

/* Longer than a file may become: said once, and nothing blocks. */
static void test_a_full_disk_is_said_once(void **state)
{
    struct rlimit before, limit;
    struct recorder *recorder;
    unsigned said = 0;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    unlink(path);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(recorder_new(path, &header, &recorder, &why), 0);
    for (uint64_t t = 5; t < 50000; t++) {
        struct event event = peer_down(t);
        int r = recorder_event(recorder, &event);

        assert_true(r == 0 || r == -EFBIG);
        said += r != 0;
    }
    said += recorder_stop(recorder, UINT64_MAX) != 0;
    assert_int_equal(said, 1);
    assert_int_equal(recorder_stop(recorder, UINT64_MAX), 0);
    recorder_free(recorder);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void test_a_full_disk_at_the_start(void **state)
{
    /* what is no regular file is refused before anything is written */
    refused("/dev/full", -EINVAL);
}

static void test_files_that_are_refused(void **state)
{
    char name[96], target[96];
    struct stat status;

    refused(directory, -EISDIR);
    snprintf(name, sizeof(name), "%s/none/x", directory);
    refused(name, -ENOENT);
    snprintf(name, sizeof(name), "%s/fifo", directory);
    assert_int_equal(mkfifo(name, 0600), 0);
    refused(name, -EINVAL);
    unlink(name);
    snprintf(target, sizeof(target), "%s/target", directory);
    write_file("keep", 4);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    refused(path, -ELOOP);
    assert_int_equal(stat(target, &status), 0);
    assert_int_equal(status.st_size, 4);
    unlink(path);
    unlink(target);
}

static void test_an_old_recording_is_replaced(void **state)
{
    struct recorder *recorder;
    struct recording *recording;
    struct event event;
    static const char old[] = HEADER TIMER("7") TIMER("8");

    write_file(old, sizeof(old) - 1);
    assert_int_equal(recorder_new(path, &header, &recorder, &why), 0);
    recorder_free(recorder);
    assert_int_equal(recording_open(path, &recording, error, sizeof(error)), 0);
    assert_int_equal(recording_next(recording, &event, error, sizeof(error)), 0);
    recording_free(recording);
}

/* What is no recording stays; half a header of a killed run, or nothing at all, does not. */
static void test_what_is_replaced(void **state)
{
    static const char *const texts[] = {"[watchdog]\nnode = /n\n", "{\"version\":1,\"names\":[]}\n",
                                        "x"};
    static const char *const begun[] = {"", "{", "{\"pathdog\":\"reco", HEADER};
    struct recorder *recorder;
    struct stat status;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        write_file(texts[i], strlen(texts[i]));
        refused(path, -EEXIST);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_size, strlen(texts[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(begun); i++) {
        write_file(begun[i], strlen(begun[i]));
        assert_int_equal(recorder_new(path, &header, &recorder, &why), 0);
        recorder_free(recorder);
    }
}

/* A second one of another process: refused as long as the first is there. */
static void test_one_writer(void **state)
{
    struct recorder *recorder;
    int pipes[2], status;
    char byte;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        if (recorder_new(path, &header, &recorder, &why) || write(pipes[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_true(child > 0);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(recorder_new(path, &header, &recorder, &why), -EBUSY);
    assert_non_null(strstr(why, "is being written by another process (pid "));
    free(why);
    why = NULL;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(recorder_new(path, &header, &recorder, &why), 0);
    recorder_free(recorder);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- reading what is not as it should be ---- */

/* Reads it all. Returns how many events there are, or -1 with `error`. */
static int read_all(const char *bytes, size_t length, bool *ret_truncated)
{
    struct recording *recording;
    struct event event;
    int n = 0, r;

    write_file(bytes, length);
    *error = '\0';
    if (recording_open(path, &recording, error, sizeof(error)) < 0)
        return -1;
    while ((r = recording_next(recording, &event, error, sizeof(error))) > 0)
        n++;
    *ret_truncated = recording_is_truncated(recording);
    recording_free(recording);
    return r < 0 ? -1 : n;
}

static void test_cut_off_anywhere(void **state)
{
    static const char bytes[] = HEADER TIMER("7") TIMER("8") TIMER("9");
    const size_t head = sizeof(HEADER) - 1, line = sizeof(TIMER("7")) - 1;
    bool truncated;

    for (size_t length = 0; length < head - 1; length++)
        assert_int_equal(read_all(bytes, length, &truncated), -1);
    for (size_t length = head; length < sizeof(bytes); length++) {
        size_t whole = (length - head) / line, rest = (length - head) % line;

        /* a line that lacks its LF only is whole */
        assert_int_equal(read_all(bytes, length, &truncated), whole + (rest == line - 1));
        assert_int_equal(truncated, rest != 0 && rest != line - 1);
    }
}

static void test_errors_name_the_line(void **state)
{
    bool truncated;

#define CHECK(bytes, said)                                                                         \
    do {                                                                                           \
        assert_int_equal(read_all(bytes, sizeof(bytes) - 1, &truncated), -1);                      \
        if (!strstr(error, said))                                                                  \
            fail_msg("%s", error);                                                                 \
    } while (0)
    CHECK(HEADER TIMER("7") "rubbish\n" TIMER("8"), "line 3");
    CHECK(HEADER TIMER("7") "\n" TIMER("8"), "line 3: empty");
    CHECK(HEADER TIMER("7") TIMER("6"), "line 3: \"t\"");
    CHECK(HEADER TIMER("4"), "line 2: \"t\"");
    CHECK(HEADER "{\"t\":7,\"rt\":0,\"event\":\"timer\"\0}\n", "line 2");
    CHECK(TIMER("7"), "not a recording");
    CHECK("", "empty");
    CHECK("\n", "empty");
#undef CHECK
}

static void test_a_long_line(void **state)
{
    const size_t length = 3000000;
    char *text = memory_new(length + 1, 1);
    struct event event = {.type = EVENT_COMMAND, .now_us = 9, .command = {.type = COMMAND_CONFIG}};
    struct recorder *recorder;
    struct recording *recording;

    memset(text, 'x', length);
    event.command.config = text;
    unlink(path);
    assert_int_equal(recorder_new(path, &header, &recorder, &why), 0);
    assert_int_equal(recorder_event(recorder, &event), 0);
    assert_int_equal(recorder_stop(recorder, UINT64_MAX), 0);
    recorder_free(recorder);
    assert_int_equal(recording_open(path, &recording, error, sizeof(error)), 0);
    assert_int_equal(recording_next(recording, &event, error, sizeof(error)), 1);
    assert_int_equal(strlen(event.command.config), length);
    recording_free(recording);
    free(text);
}

static int setup(void **state)
{
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/recording", directory);
    return 0;
}

static int teardown(void **state)
{
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_probes_of_paths),
        cmocka_unit_test(test_a_kill_loses_little),
        cmocka_unit_test(test_a_full_disk_is_said_once),
        cmocka_unit_test(test_a_full_disk_at_the_start),
        cmocka_unit_test(test_files_that_are_refused),
        cmocka_unit_test(test_an_old_recording_is_replaced),
        cmocka_unit_test(test_what_is_replaced),
        cmocka_unit_test(test_one_writer),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_errors_name_the_line),
        cmocka_unit_test(test_a_long_line),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
