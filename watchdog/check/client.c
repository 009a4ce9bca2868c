/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to the node, driven by whoever waits for something. Every wait has
 * an end. It must not evaluate what a line says: lint.c does.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../util/clock.h"
#include "../util/format.h"
#include "../util/printable.h"
#include "checker.h"

#define READ_BYTES (64 * 1024)
#define IDS_EACH   10000000 /* of one connection: so an answer shows where it belongs */
#define RETRY_US   10000    /* for a backlog that is full, and for bytes to be taken */
#define LAST_READS 64       /* of what a node has said before it closed */

static uint64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

uint64_t wait_end(const struct checker *checker, uint64_t wait_us)
{
    return min_u64(add_u64(now_us(), wait_us), checker->end_us);
}

/* As it is to a file; nothing of a node's may drive a terminal. */
static void trace(struct checker *checker, char direction, const char *bytes, size_t length)
{
    CLEANUP_FREE char *clean = NULL;

    if (!checker->trace)
        return;
    fprintf(checker->trace, "%c ", direction);
    if (checker->trace_tty) {
        size_t size = PRINTABLE_GROWTH * length + 8;

        clean = memory_new(size, 1);
        length = text_printable(clean, size, bytes, length);
    }
    fwrite(clean ? clean : bytes, 1, length, checker->trace);
    fputc('\n', checker->trace);
}

int client_open(struct checker *checker, struct client *client)
{
    uint64_t until_us = wait_end(checker, checker->timeout_us);
    char reason[256];
    int r;

    *client = (struct client){.fd = -1, .first_id = checker->n_clients++ * IDS_EACH + 1};
    if (now_us() >= checker->end_us) {
        if (!checker->gone)
            checker->gone = string_format("the node is too slow: all of it took %d times the "
                                          "timeout of one answer",
                                          CHECKS_TIMEOUTS);
        return -ETIMEDOUT;
    }
    do {
        r = endpoint_connect(&checker->endpoint, &client->uid, reason, sizeof(reason));
        if (r == -EAGAIN) /* alive, and its backlog is full */
            (void)poll(NULL, 0, RETRY_US / 1000);
    } while (r == -EAGAIN && now_us() < until_us);
    if (r < 0) {
        if (!checker->gone)
            checker->gone = string_format("%s", reason);
        return r;
    }
    client->fd = r;
    book_session(&checker->book);
    return 0;
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    for (size_t i = 0; i < client->n_asked; i++)
        json_decref(client->asked[i].answer);
    free(client->asked);
    lines_clear(&client->lines);
    *client = (struct client){.fd = -1};
}

static void ended(struct client *client)
{
    client->ended = true;
    shutdown(client->fd, SHUT_RDWR);
}

static void take(struct checker *checker, struct client *client, const char *bytes, size_t length)
{
    const char *line;
    size_t n;
    int r;

    lines_feed(&client->lines, bytes, length);
    while ((r = lines_next(&client->lines, &line, &n)) > 0) {
        trace(checker, '<', line, n);
        lint_line(checker, client, line, n);
    }
    if (r < 0) {
        report_fault(&checker->report, CHECK_LINE_LENGTH, "the node sent a line over 1 MiB");
        client->end_is_fine = true;
        ended(client);
    }
}

/* Reads some of what there is, so that whoever waits looks at the clock in between: there may be
 * no end of it. Returns whether there was anything. */
static bool receive(struct checker *checker, struct client *client)
{
    CLEANUP_FREE char *bytes = memory_new(READ_BYTES, 1);
    ssize_t n = client->ended ? 0 : recv(client->fd, bytes, READ_BYTES, MSG_DONTWAIT);

    if (n > 0) {
        client->bytes_read += (uint64_t)n;
        take(checker, client, bytes, (size_t)n);
    } else if (!client->ended && (n == 0 || (errno != EINTR && errno != EAGAIN))) {
        ended(client);
    }
    return n > 0;
}

/* Waits until the socket can be read or written. */
static bool wait_fd(struct client *client, short events, uint64_t until_us)
{
    struct pollfd poll_fd = {.fd = client->fd, .events = events};
    uint64_t left_us = sub_u64(until_us, now_us());
    struct timespec left = {.tv_sec = (time_t)(left_us / 1000000),
                            .tv_nsec = (long)(left_us % 1000000 * 1000)};

    return left_us && ppoll(&poll_fd, 1, &left, NULL) > 0;
}

/* Bytes that were written and that the other end has not read. */
static int untaken(const struct client *client)
{
    int bytes;

    return ioctl(client->fd, SIOCOUTQ, &bytes) < 0 ? 0 : bytes;
}

int client_write(struct checker *checker, struct client *client, const char *bytes, size_t length,
                 bool deaf)
{
    uint64_t until_us = wait_end(checker, checker->timeout_us);
    int before = untaken(client), now;

    while (length) {
        ssize_t n =
            client->ended ? -1 : send(client->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (client->ended || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            for (int i = 0; !deaf && i < LAST_READS && receive(checker, client); i++)
                continue;
            client->ended = true;
            return -EPIPE;
        }
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
            until_us = wait_end(checker, checker->timeout_us);
            continue;
        }
        /* A socket can be written again only when most of it has been read: progress is
         * seen earlier. */
        (void)wait_fd(client, (short)(deaf ? POLLOUT : POLLOUT | POLLIN),
                      min_u64(until_us, now_us() + RETRY_US));
        now = untaken(client);
        if (now < before)
            until_us = wait_end(checker, checker->timeout_us);
        if (now_us() >= until_us)
            return -ETIMEDOUT;
        before = now;
        if (!deaf)
            (void)receive(checker, client);
    }
    return 0;
}

uint64_t client_next_id(struct client *client, bool flood)
{
    client->asked = array_reserve(client->asked, &client->capacity, client->n_asked + 1,
                                  sizeof(*client->asked));
    client->asked[client->n_asked] = (struct asked){.sent_us = now_us(), .flood = flood};
    return client->first_id + client->n_asked++;
}

uint64_t client_ask(struct checker *checker, struct client *client, const char *method,
                    const char *params)
{
    uint64_t id = client_next_id(client, false);
    CLEANUP_FREE char *line =
        string_format("{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"%s\"%s%s}\n", id,
                      method, params ? ",\"params\":" : "", params ? params : "");

    trace(checker, '>', line, strlen(line) - 1);
    (void)client_write(checker, client, line, strlen(line), false);
    return id;
}

bool client_pump(struct checker *checker, struct client *client, uint64_t wait_us,
                 bool (*done)(struct client *client, uint64_t argument), uint64_t argument)
{
    uint64_t until_us = wait_end(checker, wait_us);

    while (!done(client, argument)) {
        if (client->ended || !wait_fd(client, POLLIN, until_us))
            return false;
        (void)receive(checker, client);
    }
    return true;
}

static bool is_answered(struct client *client, uint64_t id)
{
    return client->asked[id - client->first_id].answered_us;
}

const struct asked *client_wait_us(struct checker *checker, struct client *client, uint64_t id,
                                   uint64_t wait_us)
{
    uint64_t n_ups;
    bool answered;

    report_seen(&checker->report, CHECK_ANSWERED);
    report_seen(&checker->report, CHECK_KEPT_OPEN);
    do {
        n_ups = client->n_ups;
        answered = client_pump(checker, client, wait_us, is_answered, id);
        /* a long list takes its time: what counts is that it grows */
    } while (!answered && id == client->subscribe_id && client->n_ups > n_ups);
    if (answered)
        return &client->asked[id - client->first_id];
    if (client->end_is_fine)
        return NULL;
    if (client->ended)
        report_fault(&checker->report, CHECK_KEPT_OPEN,
                     "the node closed the connection before request %" PRIu64 " was answered", id);
    else
        report_fault(&checker->report, CHECK_ANSWERED,
                     "request %" PRIu64 " was not answered within %" PRIu64 " ms", id,
                     wait_us / 1000);
    return NULL;
}

const struct asked *client_wait(struct checker *checker, struct client *client, uint64_t id)
{
    return client_wait_us(checker, client, id, checker->timeout_us);
}

const struct asked *client_call(struct checker *checker, struct client *client, const char *method,
                                const char *params)
{
    return client_wait(checker, client, client_ask(checker, client, method, params));
}

/* The kernel counts what the other end has not read: so nobody has to guess when
 * a byte has been taken. */
bool client_drained(struct checker *checker, struct client *client)
{
    uint64_t until_us = wait_end(checker, checker->timeout_us);
    int before = -1, now;

    while (!client->ended && (now = untaken(client))) {
        if (now != before)
            until_us = wait_end(checker, checker->timeout_us);
        if (now_us() >= until_us)
            return false;
        before = now;
        (void)wait_fd(client, 0, now_us() + 200);
    }
    return true;
}
