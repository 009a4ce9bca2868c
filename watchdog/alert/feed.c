/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order on a new connection: `status` (which run is it?), `decisions` with `follow`, older
 * pages of the memory until a record that was read, and then what is followed. Records that come
 * meanwhile are kept until then.
 */
#include "feed.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../util/buffer.h"
#include "../util/clock.h"
#include "../util/format.h"
#include "../util/unix-socket.h"
#include "event.h"

#define SECOND         UINT64_C(1000000)
#define READ_BYTES     ((size_t)64 * 1024)
#define LINE_BYTES_MAX ((size_t)4 << 20) /* pathdog's are far shorter */
#define ANSWER_US      (10 * SECOND)
#define AGAIN_FIRST_US (SECOND / 5)
#define AGAIN_MOST_US  (5 * SECOND)
#define ACCURACY_US    UINT64_C(10000)
/* In a flood: not at once again. */
#define DROPPED_US   SECOND
#define PAGE_RECORDS 256
/* That come while older ones are looked up; beyond, it is begun anew. */
#define HELD_MAX 4096u

/* What an answer is to. */
enum call { CALL_NONE, CALL_STATUS, CALL_FOLLOW, CALL_PAGE };

struct feed {
    struct feed_config config;
    char *path;
    int fd; /* -1: not connected */
    struct buffer in;
    enum call pending; /* one request at a time */
    bool follows;      /* what was missed is told */
    struct catch_up catch_up;
    json_t *held; /* array: records that came before that */
    sd_event_source *io, *timer;
    uint64_t answer_by_us, check_at_us, again_at_us, again_us;
};

static uint64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

static void timer_set(struct feed *feed)
{
    uint64_t at_us = feed->fd < 0                 ? feed->again_at_us
                     : feed->pending != CALL_NONE ? feed->answer_by_us
                                                  : feed->check_at_us;

    (void)sd_event_source_set_time(feed->timer, at_us);
    (void)sd_event_source_set_enabled(feed->timer, SD_EVENT_ONESHOT);
}

static void forget(struct feed *feed)
{
    feed->io = sd_event_source_disable_unref(feed->io);
    if (feed->fd >= 0)
        close(feed->fd);
    feed->fd = -1;
    feed->pending = CALL_NONE;
    feed->follows = false;
    buffer_clear(&feed->in);
    catch_up_clear(&feed->catch_up);
    json_decref(feed->held);
    feed->held = NULL;
}

/* Tried again, soon at first. */
static void lose(struct feed *feed, const char *reason)
{
    bool first = feed->again_us == 0;

    forget(feed);
    feed->again_us = first ? AGAIN_FIRST_US : min_u64(2 * feed->again_us, AGAIN_MOST_US);
    feed->again_at_us = now_us() + feed->again_us;
    timer_set(feed);
    feed->config.down(feed->config.user, reason);
}

/* ---- requests ---- */

/* They are short, and one at a time: what does not fit into an empty socket never will. */
static void request(struct feed *feed, enum call call, const char *method, json_t *params)
{
    json_t *object = json_pack("{s:s,s:i,s:s,s:o}", "jsonrpc", "2.0", "id", 1, "method", method,
                               "params", params);
    CLEANUP_FREE char *text = memory_check(json_dumps(object, JSON_COMPACT));
    CLEANUP_FREE char *line = string_format("%s\n", text);
    ssize_t n = send(feed->fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);

    json_decref(object);
    if (n != (ssize_t)strlen(line)) {
        lose(feed, n < 0 ? strerrordesc_np(errno) : "it does not read");
        return;
    }
    feed->pending = call;
    feed->answer_by_us = now_us() + ANSWER_US;
    timer_set(feed);
}

static void ask_status(struct feed *feed)
{
    request(feed, CALL_STATUS, "status", json_object());
}

static void ask_page(struct feed *feed, enum call call, uint64_t before)
{
    json_t *params = json_pack("{s:i,s:b}", "limit", PAGE_RECORDS, "all", 1);

    if (before)
        member_set_number(params, "before", before);
    if (call == CALL_FOLLOW)
        json_object_set_new(params, "follow", json_true());
    request(feed, call, "decisions", params);
}

/* ---- what comes ---- */

static void tell(struct feed *feed, json_t *record)
{
    position_move(feed->config.position, record);
    feed->config.record(feed->config.user, record);
}

/* All that was missed is here: it is told, then what came meanwhile. */
static void caught_up(struct feed *feed)
{
    bool lost = feed->catch_up.too_many || (!feed->catch_up.first_time &&
                                            feed->config.position->last && !feed->catch_up.found);
    json_t *missed = catch_up_end(&feed->catch_up, feed->config.position), *record;
    json_t *held = feed->held;
    size_t i;

    feed->held = NULL;
    feed->follows = true;
    feed->again_us = 0;
    feed->check_at_us = add_u64(now_us(), feed->config.check_us);
    timer_set(feed);
    feed->config.up(feed->config.user, feed->config.position->run, json_array_size(missed), lost);
    json_array_foreach(missed, i, record) feed->config.record(feed->config.user, record);
    json_array_foreach(held, i, record) tell(feed, record);
    json_decref(missed);
    json_decref(held);
}

static void take_page(struct feed *feed, const json_t *result)
{
    bool more =
        catch_up_page(&feed->catch_up, feed->config.position, json_object_get(result, "records"));
    uint64_t next = member_number(result, "next");

    if (more && next)
        ask_page(feed, CALL_PAGE, next);
    else
        caught_up(feed);
}

static void take_status(struct feed *feed, const json_t *result)
{
    const char *run = member_text(result, "run");

    feed->config.status(feed->config.user, result);
    if (feed->follows) {
        feed->check_at_us = add_u64(now_us(), feed->config.check_us);
        timer_set(feed);
        return;
    }
    if (!*run) {
        lose(feed, "it does not name its run: is this pathdog's socket?");
        return;
    }
    catch_up_begin(&feed->catch_up, feed->config.position, run);
    feed->held = memory_check(json_array());
    ask_page(feed, CALL_FOLLOW, 0);
}

static void take_answer(struct feed *feed, const json_t *message)
{
    const json_t *result = json_object_get(message, "result");
    enum call call = feed->pending;
    CLEANUP_FREE char *error = NULL;

    feed->pending = CALL_NONE;
    if (!json_is_object(result)) {
        error = string_format("it refuses: %s",
                              member_text(json_object_get(message, "error"), "message"));
        lose(feed, error);
    } else if (call == CALL_STATUS) {
        take_status(feed, result);
    } else if (call != CALL_NONE) {
        take_page(feed, result);
    }
}

static void hold(struct feed *feed, json_t *record)
{
    if (json_array_size(feed->held) == HELD_MAX)
        lose(feed, "too many records came while older ones were looked up");
    else
        json_array_append(feed->held, record);
}

/* Returns false: the connection is gone. */
static bool take_message(struct feed *feed, const json_t *message)
{
    json_t *params = json_object_get(message, "params");
    CLEANUP_FREE char *text = NULL;

    if (!strcmp(member_text(message, "method"), "record") && json_is_object(params)) {
        if (feed->follows)
            tell(feed, params);
        else if (feed->held)
            hold(feed, params);
    } else if (!strcmp(member_text(message, "method"), "dropped")) {
        /* What its memory has is looked up on a new connection. */
        text = string_format("%llu records came faster than they were read",
                             (unsigned long long)member_number(params, "count"));
        feed->again_us = DROPPED_US / 2;
        lose(feed, text);
    } else if (json_object_get(message, "id")) {
        take_answer(feed, message);
    }
    return feed->fd >= 0;
}

static bool take_line(struct feed *feed, size_t length)
{
    json_t *message = json_loadb(buffer_bytes(&feed->in), length, JSON_ALLOW_NUL, NULL);
    bool good;

    buffer_take(&feed->in, length + 1);
    if (!json_is_object(message)) {
        json_decref(message);
        lose(feed, "it does not speak JSON: is this pathdog's socket?");
        return false;
    }
    good = take_message(feed, message);
    json_decref(message);
    return good;
}

static int on_io(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct feed *feed = user;
    ssize_t n = recv(fd, buffer_space(&feed->in, READ_BYTES), READ_BYTES, MSG_DONTWAIT);
    size_t searched = feed->in.length;
    const char *end;

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            lose(feed, n == 0 ? "it closed the connection" : strerrordesc_np(errno));
        return 0;
    }
    buffer_added(&feed->in, (size_t)n);
    while ((end = memchr(buffer_bytes(&feed->in) + searched, '\n', feed->in.length - searched))) {
        if (!take_line(feed, (size_t)(end - buffer_bytes(&feed->in))))
            return 0;
        searched = 0;
    }
    if (feed->in.length > LINE_BYTES_MAX)
        lose(feed, "it sent a line of more than 4 MiB");
    return 0;
}

/* ---- the connection ---- */

static void start(struct feed *feed)
{
    int fd = unix_socket_connect(feed->path), r = fd;

    if (fd >= 0) {
        feed->fd = fd;
        r = sd_event_add_io(feed->config.loop, &feed->io, fd, EPOLLIN, on_io, feed);
    }
    if (r < 0)
        lose(feed, r == -EAGAIN ? "it accepts no connections" : strerrordesc_np(-r));
    else
        ask_status(feed);
}

static int on_timer(sd_event_source *timer, uint64_t time_us, void *user)
{
    struct feed *feed = user;

    if (feed->fd < 0)
        start(feed);
    else if (feed->pending != CALL_NONE)
        lose(feed, "it has not answered for 10 s");
    else
        ask_status(feed);
    return 0;
}

int feed_new(const struct feed_config *config, struct feed **ret_feed)
{
    struct feed *feed = memory_new(1, sizeof(*feed));
    int r;

    feed->config = *config;
    feed->path = string_copy(config->path);
    feed->fd = -1;
    r = sd_event_add_time(config->loop, &feed->timer, CLOCK_MONOTONIC, 0, ACCURACY_US, on_timer,
                          feed);
    if (r < 0) {
        feed_free(feed);
        return r;
    }
    *ret_feed = feed;
    return 0;
}

int feed_configure(struct feed *feed, const char *path, uint64_t check_us)
{
    bool other = strcmp(feed->path, path) != 0;

    feed->config.check_us = check_us;
    if (other) {
        free(feed->path);
        feed->path = string_copy(path);
        forget(feed);
        feed->again_at_us = feed->again_us = 0;
    }
    feed->check_at_us = min_u64(feed->check_at_us, add_u64(now_us(), check_us));
    timer_set(feed);
    return 0;
}

struct feed *feed_free(struct feed *feed)
{
    if (!feed)
        return NULL;
    forget(feed);
    sd_event_source_disable_unref(feed->timer);
    free(feed->path);
    free(feed);
    return NULL;
}
