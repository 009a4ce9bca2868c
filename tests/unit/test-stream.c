/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/out/stream.c: each kind of descriptor. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "out/stream.h"

#define BYTES 500000u

static char bytes[BYTES];

struct reader {
    int fd;
    size_t n;
    bool good;
};

static void *read_all(void *user)
{
    struct reader *reader = user;
    static char got[BYTES];
    ssize_t n;

    while (reader->n < BYTES && (n = read(reader->fd, got + reader->n, BYTES - reader->n)) > 0)
        reader->n += (size_t)n;
    reader->good = reader->n == BYTES && !memcmp(got, bytes, BYTES);
    return NULL;
}

/* To a reader that is slower than the writer. */
static void through(int fds[2], bool nonblocking)
{
    struct reader reader = {.fd = fds[0]};
    stream_send_t *sender = stream_sender(fds[1]);
    pthread_t thread;
    size_t at = 0;

    assert_non_null(sender);
    if (nonblocking)
        assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    assert_int_equal(pthread_create(&thread, NULL, read_all, &reader), 0);
    while (at < BYTES) {
        ssize_t n = sender(fds[1], bytes + at, BYTES - at);

        assert_true(n > 0);
        at += (size_t)n;
    }
    pthread_join(thread, NULL);
    assert_true(reader.good);
    close(fds[0]);
    assert_int_equal(sender(fds[1], "x", 1), -EPIPE);
    close(fds[1]);
}

static void test_pipe(void **state)
{
    int fds[2];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        through(fds, i);
    }
}

static void test_socket(void **state)
{
    int fds[2];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        through(fds, i);
    }
}

static void test_file(void **state)
{
    char path[] = "/tmp/test-stream-XXXXXX", got[16] = "";
    int fd = mkstemp(path);
    stream_send_t *sender = stream_sender(fd);

    assert_non_null(sender);
    assert_int_equal(sender(fd, "one\n", 4), 4);
    assert_int_equal(sender(fd, "two\n", 4), 4);
    assert_int_equal(pread(fd, got, sizeof(got), 0), 8);
    assert_string_equal(got, "one\ntwo\n");
    close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(sender(fd, "x", 1), -EBADF);
    close(fd);
    unlink(path);
}

static void test_none(void **state)
{
    assert_null(stream_sender(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_socket),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_none),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
