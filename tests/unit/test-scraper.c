/* SPDX-License-Identifier: Apache-2.0 */
/* metrics/metrics.c, scraper.c, look.c, gather.c: the socket, and scrapers of all sorts. */
#include "engine-lab.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "metrics/private.h"

static const char get[] = "GET /metrics HTTP/1.0\r\n\r\n";

struct booth {
    struct lab lab;
    sd_event *loop;
    struct metrics *metrics;
    char directory[32], path[64], notice[256];
    unsigned notices;
};

static void booth_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    struct booth *booth = user;

    booth->notices++;
    snprintf(booth->notice, sizeof(booth->notice), "%s: %s", what, text);
}

static int setup(void **state)
{
    static const uint64_t key[2] = {5, 6};
    struct booth *booth = calloc(1, sizeof(*booth));
    struct metrics_host host = {
        .version = "0.1.0", .start_us = SEC, .notice = booth_notice, .user = booth};
    char *error = NULL;

    lab_init(&booth->lab);
    booth->lab.now_us = clock_us(CLOCK_MONOTONIC); /* as the socket has it */
    lab_begin(&booth->lab);
    strcpy(booth->directory, "/tmp/metrics-XXXXXX");
    assert_non_null(mkdtemp(booth->directory));
    snprintf(booth->path, sizeof(booth->path), "%s/s", booth->directory);
    assert_true(sd_event_new(&booth->loop) >= 0);
    host.loop = booth->loop;
    host.engine = booth->lab.engine;
    booth->metrics = metrics_new(key);
    assert_int_equal(metrics_listen(booth->metrics, &host, booth->path, &error), 0);
    assert_string_equal(metrics_path(booth->metrics), booth->path);
    *state = booth;
    return 0;
}

static int teardown(void **state)
{
    struct booth *booth = *state;

    metrics_free(booth->metrics);
    sd_event_unref(booth->loop);
    lab_end(&booth->lab);
    assert_int_equal(rmdir(booth->directory), 0); /* the socket is gone */
    free(booth);
    return 0;
}

static void run(struct booth *booth)
{
    while (sd_event_run(booth->loop, 0) > 0)
        ;
}

static int knock(struct booth *booth)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    memcpy(name.sun_path, booth->path, strlen(booth->path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    run(booth);
    return fd;
}

static void say(struct booth *booth, int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    run(booth);
}

/* All that comes until the end, which must come. */
static char *hear(struct booth *booth, int fd)
{
    static char text[1 << 18];
    size_t length = 0;
    ssize_t n;

    run(booth);
    while ((n = recv(fd, text + length, sizeof(text) - 1 - length, 0)) > 0) {
        length += (size_t)n;
        run(booth);
    }
    assert_int_equal(n, 0);
    text[length] = '\0';
    close(fd);
    run(booth);
    return text;
}

static bool is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK) == 0;
}

static void test_a_scrape(void **state)
{
    struct booth *booth = *state;
    struct record record = {.type = RECORD_NODE, .node = {.up = true}};
    const char *page, *body;
    unsigned length;
    int fd;

    lab_peer_up(&booth->lab, "bravo@h", 1);
    metrics_records(booth->metrics, &record, 1, 0);
    fd = knock(booth);
    say(booth, fd, "GET /met");
    say(booth, fd, "rics HTTP/1.0\r\n");
    assert_false(is_closed(fd));
    say(booth, fd, "\r\n");
    page = hear(booth, fd);
    assert_memory_equal(page, "HTTP/1.1 200 OK\r\n", 17);
    body = strstr(page, "\r\n\r\n") + 4;
    assert_int_equal(sscanf(strstr(page, "Content-Length: "), "Content-Length: %u", &length), 1);
    assert_int_equal(strlen(body), length);
    assert_non_null(strstr(body, "\npathdog_peers{state=\"new\"} 1\n"));
    assert_non_null(strstr(body, "\npathdog_node_changes_total{state=\"up\"} 1\n"));
    assert_non_null(strstr(body, "\npathdog_scrapes_total{result=\"ok\"} 0\n"));
    assert_string_equal(body + length - 6, "# EOF\n");
    assert_int_equal(booth->metrics->scrapes[SCRAPE_OK], 1);
    assert_int_equal(booth->metrics->n_scrapers, 0);
}

static void test_head_and_half_closed(void **state)
{
    struct booth *booth = *state;
    int fd = knock(booth);
    const char *page;

    assert_int_equal(send(fd, "HEAD /metrics HTTP/1.0\r\n\r\n", 26, 0), 26);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    page = hear(booth, fd);
    assert_memory_equal(page, "HTTP/1.1 200 OK\r\n", 17);
    assert_string_equal(strstr(page, "\r\n\r\n"), "\r\n\r\n");
}

/* It sends more than the head: the error arrives nevertheless, and not a reset. */
static void test_errors_arrive(void **state)
{
    struct booth *booth = *state;
    char text[LINGER_BYTES + 65536];
    int fd = knock(booth);

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "\x16\x03", 2);
    for (size_t at = 0; at < LINGER_BYTES; at += 8192) {
        if (send(fd, text, 8192, MSG_NOSIGNAL) < 0)
            break;
        run(booth);
    }
    assert_int_equal(recv(fd, text, 17, 0), 17);
    assert_memory_equal(text, "HTTP/1.1 400 Bad ", 17);
    close(fd);
    run(booth);
    assert_int_equal(booth->metrics->scrapes[SCRAPE_BAD], 1);
    assert_int_equal(booth->metrics->n_scrapers, 0);
    fd = knock(booth);
    say(booth, fd, "DELETE /metrics HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(hear(booth, fd), "405 "));
    assert_int_equal(booth->metrics->scrapes[SCRAPE_BAD], 2);
}

static void test_those_who_go(void **state)
{
    struct booth *booth = *state;
    int fd = knock(booth);

    close(fd);
    run(booth);
    assert_int_equal(booth->metrics->scrapes[SCRAPE_GONE], 1);
    fd = knock(booth);
    assert_int_equal(send(fd, get, strlen(get), 0), strlen(get));
    close(fd); /* while it waits for its page */
    run(booth);
    assert_int_equal(booth->metrics->n_scrapers, 0);
    assert_int_equal(booth->metrics->scrapes[SCRAPE_GONE] + booth->metrics->scrapes[SCRAPE_OK], 2);
}

static struct scraper *only(struct booth *booth)
{
    for (size_t i = 0; i < SCRAPERS_MAX; i++)
        if (booth->metrics->scrapers[i])
            return booth->metrics->scrapers[i];
    fail_msg("nobody is there");
    return NULL;
}

static void test_time_is_limited(void **state)
{
    struct booth *booth = *state;
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);
    int fd = knock(booth);

    say(booth, fd, "GET /metrics");
    assert_true(scrapers_sweep(booth->metrics, now_us));
    only(booth)->began_us = now_us - ASK_US - SEC;
    assert_false(scrapers_sweep(booth->metrics, now_us));
    assert_non_null(strstr(hear(booth, fd), "408 "));
    assert_int_equal(booth->metrics->scrapes[SCRAPE_SLOW], 1);
    fd = knock(booth); /* says nothing at all */
    only(booth)->began_us = now_us - ASK_US - SEC;
    assert_false(scrapers_sweep(booth->metrics, now_us));
    assert_true(is_closed(fd));
    close(fd);
}

/* Reads nothing of a page that does not fit into the socket's buffer. */
static void test_a_slow_reader(void **state)
{
    struct booth *booth = *state;
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);
    int fd = knock(booth), small = 1;
    const char *page;

    assert_int_equal(setsockopt(only(booth)->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    say(booth, fd, get);
    assert_int_equal(only(booth)->state, SCRAPER_TAKES);
    assert_true(scrapers_sweep(booth->metrics, now_us + TAKE_US / 2));
    only(booth)->moved_us = now_us - TAKE_US - SEC;
    assert_false(scrapers_sweep(booth->metrics, now_us));
    close(fd);
    /* slow, but not that slow */
    fd = knock(booth);
    assert_int_equal(setsockopt(only(booth)->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    say(booth, fd, get);
    page = hear(booth, fd);
    assert_non_null(strstr(page, "# EOF\n"));
    /* a byte now and then does not keep a place for ever */
    fd = knock(booth);
    assert_int_equal(setsockopt(only(booth)->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    say(booth, fd, get);
    only(booth)->began_us = now_us - ALL_US - SEC;
    assert_false(scrapers_sweep(booth->metrics, now_us));
    close(fd);
    assert_int_equal(booth->metrics->scrapes[SCRAPE_SLOW], 2);
}

static void test_too_many(void **state)
{
    struct booth *booth = *state;
    int fds[SCRAPERS_MAX + 3];
    struct scraper *idlest;

    for (size_t i = 0; i < SCRAPERS_MAX; i++)
        fds[i] = knock(booth);
    for (size_t i = SCRAPERS_MAX; i < SCRAPERS_MAX + 2; i++) {
        fds[i] = knock(booth);
        assert_non_null(strstr(hear(booth, fds[i]), "503 "));
    }
    assert_int_equal(booth->notices, 1);
    assert_non_null(strstr(booth->notice, "metrics-full: "));
    assert_int_equal(booth->metrics->scrapes[SCRAPE_REFUSED], 2);
    /* those who hang make room, the idlest first */
    for (size_t i = 0; i < SCRAPERS_MAX; i++)
        booth->metrics->scrapers[i]->moved_us -= MAKES_ROOM_US + SEC;
    idlest = booth->metrics->scrapers[5];
    idlest->moved_us -= SEC;
    fds[SCRAPERS_MAX] = knock(booth);
    assert_true(is_closed(fds[5]));
    say(booth, fds[SCRAPERS_MAX], get);
    assert_non_null(strstr(hear(booth, fds[SCRAPERS_MAX]), "# EOF\n"));
    for (size_t i = 0; i < SCRAPERS_MAX; i++)
        close(fds[i]);
    run(booth);
    assert_int_equal(booth->metrics->n_scrapers, 0);
}

/* One look for all who came meanwhile, in slices; and none again a moment later. */
static void test_one_look_for_all(void **state)
{
    struct booth *booth = *state;
    struct metrics *metrics = booth->metrics;
    int fds[4];

    for (uint64_t conn = 1; conn <= 3 * PLACES_STEP; conn++) {
        char name[32];

        snprintf(name, sizeof(name), "p%u@h", (unsigned)conn);
        lab_peer_up(&booth->lab, name, conn);
    }
    for (size_t i = 0; i < 4; i++)
        fds[i] = knock(booth);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(send(fds[i], get, strlen(get), 0), strlen(get));
    for (size_t i = 0; i < 4; i++)
        assert_non_null(strstr(hear(booth, fds[i]), "pathdog_peers{state=\"new\"} 768\n"));
    assert_true(metrics->looked_us);
    /* a look that took long is used again */
    metrics->took_us = SEC;
    metrics->looked.new = 7;
    metrics->looked.up = 7;
    fds[0] = knock(booth);
    say(booth, fds[0], get);
    assert_non_null(strstr(hear(booth, fds[0]), "pathdog_peers{state=\"new\"} 7\n"));
    metrics->looked_us -= SEC * REUSE_FACTOR;
    fds[0] = knock(booth);
    say(booth, fds[0], get);
    assert_non_null(strstr(hear(booth, fds[0]), "pathdog_peers{state=\"new\"} 768\n"));
}

static void test_no_socket(void **state)
{
    struct booth *booth = *state;
    static const uint64_t key[2] = {5, 6};
    struct metrics *metrics = metrics_new(key);
    const struct metrics_host host = {.loop = booth->loop, .engine = booth->lab.engine};
    char *error = NULL;

    assert_int_equal(metrics_listen(metrics, &host, "", &error), 0);
    assert_null(metrics_path(metrics));
    assert_int_equal(metrics_listen(metrics, &host, booth->path, &error), -EADDRINUSE);
    assert_non_null(strstr(error, "another process listens there"));
    assert_null(metrics_path(metrics));
    free(error);
    metrics_free(metrics);
    metrics_records(NULL, NULL, 0, 0);
    assert_null(metrics_path(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_scrape, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_and_half_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_those_who_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_is_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_look_for_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_socket, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
