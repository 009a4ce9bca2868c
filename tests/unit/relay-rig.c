/* SPDX-License-Identifier: Apache-2.0 */
#include "relay-rig.h"

#include "util/clock.h"
#include "util/util.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_US UINT64_C(60000000)

/* ---- the host ---- */

static void rig_emit(struct pd_source_host *host, const struct pd_signal *signal)
{
    struct rig *rig = CONTAINER_OF(host, struct rig, host);
    char *text = rig->signals[rig->n_signals < RIG_KEPT ? rig->n_signals : RIG_KEPT - 1];
    size_t used = (size_t)snprintf(text, RIG_TEXT, "%s#%" PRIu64 " ", signal->kind, signal->query);

    for (size_t i = 0; i < signal->n_fields && used < RIG_TEXT; i++) {
        const struct pd_field *field = &signal->fields[i];

        if (field->text)
            used +=
                (size_t)snprintf(text + used, RIG_TEXT - used, "%s=%s;", field->name, field->text);
        else
            used += (size_t)snprintf(text + used, RIG_TEXT - used, "%s=%" PRIu64 ";", field->name,
                                     field->number);
    }
    rig->n_signals++;
}

static void rig_notice(struct pd_source_host *host, enum pd_level level, const char *what,
                       const char *text)
{
    struct rig *rig = CONTAINER_OF(host, struct rig, host);

    snprintf(rig->notices[rig->n_notices < RIG_KEPT ? rig->n_notices : RIG_KEPT - 1], RIG_TEXT,
             "%d %s: %s", (int)level, what, text);
    rig->n_notices++;
}

struct rig *rig_new(void)
{
    struct rig *rig = memory_new(1, sizeof(*rig));

    strcpy(rig->directory, "/tmp/test-relay-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    rig->host.size = sizeof(rig->host);
    rig->host.emit = rig_emit;
    rig->host.notice = rig_notice;
    assert_true(sd_event_new(&rig->host.loop) >= 0);
    return rig;
}

static int remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory && (entry = readdir(directory)))
        if (*entry->d_name != '.')
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
    return rmdir(path);
}

static unsigned count_threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    const struct dirent *entry;
    unsigned n = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory)))
        n += *entry->d_name != '.';
    closedir(directory);
    return n;
}

/* A thread that was left behind, with a file, ends by itself. */
void rig_free(struct rig *rig)
{
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + PATIENCE_US;

    while (count_threads() > 1) {
        assert_true(clock_us(CLOCK_MONOTONIC) < until_us);
        usleep(2000);
    }
    assert_int_equal(remove_directory(rig->directory), 0); /* no temporary file was left */
    sd_event_unref(rig->host.loop);
    free(rig);
}

/* ---- waiting ---- */

void rig_wait_for(struct rig *rig, bool (*is_so)(void *user), void *user)
{
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + PATIENCE_US;

    while (!is_so(user)) {
        if (clock_us(CLOCK_MONOTONIC) > until_us)
            fail_msg("it did not happen; signals %u, the last \"%s\"; notices %u, the last \"%s\"",
                     rig->n_signals, rig->signals[rig->n_signals ? rig->n_signals - 1 : 0],
                     rig->n_notices, rig->notices[rig->n_notices ? rig->n_notices - 1 : 0]);
        assert_true(sd_event_run(rig->host.loop, 50000) >= 0);
    }
}

struct count {
    const unsigned *n;
    unsigned wanted;
};

static bool is_reached(void *user)
{
    const struct count *count = user;

    return *count->n >= count->wanted;
}

void rig_wait_signals(struct rig *rig, unsigned n)
{
    rig_wait_for(rig, is_reached, &(struct count){&rig->n_signals, n});
}

void rig_wait_notices(struct rig *rig, unsigned n)
{
    rig_wait_for(rig, is_reached, &(struct count){&rig->n_notices, n});
}

void rig_wait_asked(struct rig *rig, const struct answerer *answerer, unsigned n)
{
    rig_wait_for(rig, is_reached, &(struct count){&answerer->n, n});
}

void rig_run(struct rig *rig, uint64_t us)
{
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + us, now_us;

    while ((now_us = clock_us(CLOCK_MONOTONIC)) < until_us)
        assert_true(sd_event_run(rig->host.loop, until_us - now_us) >= 0);
}

/* ---- files and queries ---- */

const char *rig_path_in(const struct rig *rig, const char *name, char out[static 128])
{
    snprintf(out, 128, "%s/%s", rig->directory, name);
    return out;
}

void rig_write(struct rig *rig, const char *name, const char *text)
{
    const char *temporary = rig_path(rig, ".new");
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, 0644), 0);
    close(fd);
    assert_int_equal(rename(temporary, rig_path(rig, name)), 0);
}

void rig_query_probe(struct rig_query *query, uint64_t id, const char *const *relays, size_t n)
{
    assert_true(n < ARRAY_SIZE(query->fields));
    query->fields[0] = (struct pd_field){"ask", "probe", 0};
    for (size_t i = 0; i < n; i++)
        query->fields[1 + i] = (struct pd_field){"relay", relays[i], 0};
    query->query = (struct pd_query){.id = id, .fields = query->fields, .n_fields = 1 + n};
}

/* ---- answerers ---- */

static int on_question(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct answerer *answerer = user;
    struct sockaddr_in6 from;
    socklen_t n_from = sizeof(from);
    ssize_t n = recvfrom(fd, answerer->last, sizeof(answerer->last), MSG_DONTWAIT,
                         (struct sockaddr *)&from, &n_from);

    (void)io;
    (void)revents;
    if (n < 0)
        return 0;
    if (answerer->n < ARRAY_SIZE(answerer->froms))
        answerer->froms[answerer->n] = from;
    answerer->n++;
    answerer->n_last = (size_t)n;
    if (answerer->answer)
        answerer->answer(answerer, (struct sockaddr *)&from, n_from, answerer->last, (size_t)n);
    return 0;
}

void answerer_begin(struct rig *rig, struct answerer *answerer, int family)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&answerer->self;
    socklen_t n_name = sizeof(answerer->self);

    answerer->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(answerer->fd >= 0);
    memset(&answerer->self, 0, sizeof(answerer->self));
    answerer->self.sin6_family = (sa_family_t)family;
    if (family == AF_INET)
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        answerer->self.sin6_addr = in6addr_loopback;
    assert_int_equal(bind(answerer->fd, (struct sockaddr *)&answerer->self,
                          family == AF_INET ? sizeof(*in) : sizeof(answerer->self)),
                     0);
    assert_int_equal(getsockname(answerer->fd, (struct sockaddr *)&answerer->self, &n_name), 0);
    snprintf(answerer->text, sizeof(answerer->text), "%s:%u",
             family == AF_INET ? "127.0.0.1" : "[::1]", ntohs(answerer->self.sin6_port));
    assert_true(sd_event_add_io(rig->host.loop, &answerer->io, answerer->fd, EPOLLIN, on_question,
                                answerer) >= 0);
}

void answerer_end(struct answerer *answerer)
{
    answerer->io = sd_event_source_disable_unref(answerer->io);
    if (answerer->fd >= 0) /* else a test that failed had ended it */
        close(answerer->fd);
    answerer->fd = -1;
}

void answerer_send(struct answerer *answerer, const struct sockaddr *to, socklen_t n_to,
                   const void *bytes, size_t length)
{
    (void)!sendto(answerer->fd, bytes, length, 0, to, n_to);
}

void answer_ack(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                const uint8_t *bytes, size_t length)
{
    (void)bytes;
    (void)length;
    answerer_send(answerer, from, n_from, "ACK\n", 4);
}

void answer_discover(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                     const uint8_t *bytes, size_t length)
{
    static const uint8_t reply[] = {2, 4, 192, 0, 2, 7, 1, 2};

    if (length == 5 && bytes[0] == 1)
        answerer_send(answerer, from, n_from, reply, sizeof(reply));
}
