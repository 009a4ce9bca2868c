/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/supervisor.c: a systemd that reads, one that does not, and none. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"
#include "util/clock.h"

struct lab {
    sd_event *loop;
    struct supervisor *supervisor;
    int fd; /* systemd's end */
    char address[108];
    unsigned n_notices;
    char what[64], text[512]; /* of the last notice */
};

static void on_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    struct lab *lab = user;

    lab->n_notices++;
    snprintf(lab->what, sizeof(lab->what), "%s", what);
    snprintf(lab->text, sizeof(lab->text), "%s", text);
}

static void lab_begin(struct lab *lab, const char *address, uint64_t watchdog_us)
{
    const struct supervisor_config config = {
        .loop = (assert_int_equal(sd_event_new(&lab->loop), 0), lab->loop),
        .address = address,
        .watchdog_us = watchdog_us,
        .retry_us = 1000,
        .notice = on_notice,
        .user = lab,
    };

    assert_int_equal(supervisor_new(&config, &lab->supervisor), 0);
}

/* systemd's socket, of an abstract name. */
static void lab_start(struct lab *lab, uint64_t watchdog_us)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(lab->address, sizeof(lab->address), "@test-supervisor-%d", (int)getpid());

    memcpy(address.sun_path, lab->address, (size_t)n);
    address.sun_path[0] = '\0';
    lab->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(lab->fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
                     0);
    lab_begin(lab, lab->address, watchdog_us);
}

static void lab_end(struct lab *lab)
{
    supervisor_free(lab->supervisor);
    sd_event_unref(lab->loop);
    if (lab->fd >= 0)
        close(lab->fd);
}

/* The next message; "" where there is none. */
static const char *told(struct lab *lab)
{
    static char text[4096];
    ssize_t n = recv(lab->fd, text, sizeof(text) - 1, 0);

    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void test_messages(void **state)
{
    struct lab lab = {.fd = -1};

    lab_start(&lab, 0);
    assert_true(supervisor_listens(lab.supervisor));
    supervisor_ready(lab.supervisor, "all is well");
    assert_string_equal(told(&lab), "READY=1\nSTATUS=all is well");
    supervisor_status(lab.supervisor, "1 peer");
    assert_string_equal(told(&lab), "STATUS=1 peer");
    supervisor_reloading(lab.supervisor, 17);
    assert_string_equal(told(&lab), "RELOADING=1\nMONOTONIC_USEC=17");
    supervisor_ready(lab.supervisor, NULL);
    assert_string_equal(told(&lab), "READY=1");
    supervisor_stopping(lab.supervisor);
    assert_string_equal(told(&lab), "STOPPING=1");
    assert_string_equal(told(&lab), "");
    assert_int_equal(lab.n_notices, 0);
    lab_end(&lab);
}

/* Fills the socket, by the kernel's limit of messages. Returns how many were of the status. */
static unsigned fill(struct lab *lab)
{
    unsigned n = 0;

    for (; !lab->n_notices; n++) {
        assert_true(n < 100000);
        supervisor_status(lab->supervisor, "fill");
    }
    return n;
}

static void test_nobody_reads(void **state)
{
    struct lab lab = {.fd = -1};
    unsigned n;

    lab_start(&lab, 0);
    n = fill(&lab);
    assert_string_equal(lab.what, "notify-failed");
    assert_non_null(strstr(lab.text, "systemd could not be told STATUS=fill: sendto @test-"));
    assert_non_null(strstr(lab.text, "nobody reads that socket"));
    /* Nothing of this waits, and it is said once. */
    supervisor_status(lab.supervisor, "newer");
    supervisor_ready(lab.supervisor, NULL);
    supervisor_reloading(lab.supervisor, 1);
    for (unsigned i = 0; i < 5; i++)
        assert_true(sd_event_run(lab.loop, 10000) >= 0);
    assert_int_equal(lab.n_notices, 1);
    for (unsigned i = 1; i < n; i++)
        assert_string_equal(told(&lab), "STATUS=fill");
    assert_string_equal(told(&lab), "");
    /* Read again: what was kept comes, in the order that systemd expects. */
    while (lab.n_notices == 1)
        assert_true(sd_event_run(lab.loop, UINT64_MAX) >= 0);
    assert_string_equal(told(&lab), "RELOADING=1\nMONOTONIC_USEC=1");
    assert_string_equal(told(&lab), "READY=1");
    assert_string_equal(told(&lab), "STATUS=newer");
    assert_string_equal(told(&lab), "");
    assert_string_equal(lab.what, "notify-works-again");
    assert_non_null(strstr(lab.text, "1 messages were dropped")); /* the last "fill" */
    lab_end(&lab);
}

static void test_watchdog(void **state)
{
    struct lab lab = {.fd = -1};
    uint64_t began_us = clock_us(CLOCK_MONOTONIC);

    lab_start(&lab, 40000);
    for (unsigned n = 0; n < 5;) {
        assert_true(sd_event_run(lab.loop, UINT64_MAX) >= 0);
        n += !strcmp(told(&lab), "WATCHDOG=1");
    }
    assert_true(clock_us(CLOCK_MONOTONIC) - began_us >= 4 * 20000);
    lab_end(&lab);
}

static void test_nobody_there(void **state)
{
    struct lab lab = {.fd = -1};

    lab_begin(&lab, "/nowhere/at/all", 0);
    supervisor_ready(lab.supervisor, "x");
    supervisor_ready(lab.supervisor, "x");
    assert_int_equal(lab.n_notices, 1);
    assert_non_null(strstr(lab.text, "/nowhere/at/all: No such file or directory"));
    lab_end(&lab);

    lab = (struct lab){.fd = -1};
    lab_begin(&lab, NULL, 0);
    assert_false(supervisor_listens(lab.supervisor));
    supervisor_stopping(lab.supervisor);
    assert_int_equal(lab.n_notices, 0);
    lab_end(&lab);

    lab = (struct lab){.fd = -1};
    lab_begin(&lab, "vsock:2:1", 0);
    assert_false(supervisor_listens(lab.supervisor));
    assert_non_null(strstr(lab.text, "NOTIFY_SOCKET=vsock:2:1: neither"));
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
