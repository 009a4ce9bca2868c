/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/out/stream.c: a reader that stops, comes back, goes away. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "out/stream.h"

struct lab {
    sd_event *loop;
    struct stream *stream;
    int fds[2];
    uint64_t dropped;
    int error;
    bool stood; /* as last said */
};

static void on_dropped(void *user, uint64_t count, bool stood, int error)
{
    struct lab *lab = user;

    lab->dropped += count;
    lab->stood = stood;
    lab->error = error;
}

static void lab_start(struct lab *lab, size_t queue_bytes)
{
    const struct stream_config config = {.fd = lab->fds[1],
                                         .queue_bytes = queue_bytes,
                                         .stood_bytes = queue_bytes,
                                         .dropped = on_dropped,
                                         .user = lab};

    assert_int_equal(sd_event_new(&lab->loop), 0);
    assert_int_equal(stream_new(lab->loop, &config, &lab->stream), 0);
}

static void lab_end(struct lab *lab)
{
    stream_free(lab->stream);
    sd_event_unref(lab->loop);
    if (lab->fds[0] >= 0)
        close(lab->fds[0]);
    close(lab->fds[1]);
}

static void put(struct lab *lab, unsigned number)
{
    char line[128];

    snprintf(line, sizeof(line), "%0100u\n", number);
    buffer_text(stream_line(lab->stream), line);
    stream_end_line(lab->stream);
    stream_flush(lab->stream);
}

/* Reads lines until none comes, letting the loop run. Checks that each is whole
 * and the next number; returns how many. */
static unsigned read_lines(struct lab *lab, unsigned first)
{
    static char bytes[1 << 20];
    size_t n = 0;
    unsigned lines = 0;

    fcntl(lab->fds[0], F_SETFL, O_NONBLOCK);
    for (int idle = 0; idle < 3;) {
        ssize_t r = read(lab->fds[0], bytes + n, sizeof(bytes) - n);

        if (r > 0)
            n += (size_t)r;
        idle = r > 0 || sd_event_run(lab->loop, 0) > 0 ? 0 : idle + 1;
    }
    for (size_t at = 0; at + 101 <= n; at += 101, lines++) {
        assert_int_equal(bytes[at + 100], '\n');
        assert_int_equal(strtoul(bytes + at, NULL, 10), first + lines);
    }
    assert_int_equal(n % 101, 0);
    return lines;
}

static void stop_and_go(struct lab *lab)
{
    unsigned kept;

    lab_start(lab, 101 * 50);
    for (unsigned i = 0; i < 10000; i++)
        put(lab, i);
    assert_int_equal(lab->dropped, 0); /* said when the reader takes again */
    kept = read_lines(lab, 0);
    assert_true(kept >= 50 && kept < 10000);
    assert_int_equal(lab->dropped, 10000 - kept);
    assert_int_equal(lab->error, 0);
    put(lab, 7);
    assert_int_equal(read_lines(lab, 7), 1);
    assert_int_equal(stream_drain(lab->stream, 0), 0);
    assert_false(fcntl(lab->fds[1], F_GETFL) & O_NONBLOCK); /* it is others' too */
    lab_end(lab);
}

static void test_pipe(void **state)
{
    struct lab lab = {0};

    assert_int_equal(pipe2(lab.fds, O_CLOEXEC), 0);
    stop_and_go(&lab);
}

static void test_socket(void **state)
{
    struct lab lab = {0};

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lab.fds), 0);
    stop_and_go(&lab);
}

static void test_reader_gone(void **state)
{
    struct lab lab = {0};

    assert_int_equal(pipe2(lab.fds, O_CLOEXEC), 0);
    lab_start(&lab, 101 * 50);
    put(&lab, 0);
    close(lab.fds[0]);
    lab.fds[0] = -1;
    put(&lab, 1);
    assert_int_equal(lab.dropped, 1);
    assert_int_equal(lab.error, EPIPE);
    put(&lab, 2);
    put(&lab, 3);
    assert_int_equal(stream_drain(lab.stream, 1000000), 2);
    lab_end(&lab);
}

static void test_file(void **state)
{
    char path[] = "/tmp/test-stream-XXXXXX";
    struct lab lab = {0};

    lab.fds[1] = mkstemp(path);
    assert_true(lab.fds[1] >= 0);
    lab.fds[0] = open(path, O_RDONLY | O_CLOEXEC);
    lab_start(&lab, 101 * 50);
    for (unsigned i = 0; i < 2000; i++)
        put(&lab, i);
    assert_int_equal(read_lines(&lab, 0), 2000);
    assert_int_equal(stream_drain(lab.stream, 0), 0);
    lab_end(&lab);
    unlink(path);
}

/* At the end a reader that stands still is waited for, but not for ever. */
static void test_drain_gives_up(void **state)
{
    struct lab lab = {0};

    assert_int_equal(pipe2(lab.fds, O_CLOEXEC), 0);
    lab_start(&lab, 101 * 50);
    for (unsigned i = 0; i < 2000; i++)
        put(&lab, i);
    assert_true(stream_drain(lab.stream, 20000) >= 2000 - 65536 / 101 - 1);
    lab_end(&lab);
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Too slow for a burst is one thing, and taking nothing for a second another. */
static void test_slow_or_still(void **state)
{
    struct lab lab = {0};
    uint64_t began_us;

    assert_int_equal(pipe2(lab.fds, O_CLOEXEC), 0);
    lab_start(&lab, 101 * 50);
    began_us = now_us();
    for (unsigned i = 0; i < 10000; i++)
        put(&lab, i);
    (void)read_lines(&lab, 0);
    assert_true(lab.dropped > 0);
    if (now_us() - began_us < 1000000) /* else this test itself stood still */
        assert_false(lab.stood);
    lab.dropped = 0;
    for (unsigned i = 0; i < 2000; i++)
        put(&lab, i);
    for (began_us = now_us(); now_us() - began_us <= 1000000;)
        usleep(100000); /* nothing is taken in this time */
    put(&lab, 0);
    (void)read_lines(&lab, 0);
    assert_true(lab.dropped > 0);
    assert_true(lab.stood);
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipe),           cmocka_unit_test(test_socket),
        cmocka_unit_test(test_reader_gone),    cmocka_unit_test(test_file),
        cmocka_unit_test(test_drain_gives_up), cmocka_unit_test(test_slow_or_still),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
