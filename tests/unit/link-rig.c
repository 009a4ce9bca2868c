/* SPDX-License-Identifier: Apache-2.0 */
/* The rig of the link's tests. */
#include "link-rig.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "codec/codec.h"

struct rig one;
char directory[] = "/tmp/test-link-XXXXXX";
uint64_t stalled_us;

uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec / 1000;
}

void turn_took(uint64_t us)
{
    if (us > 5000) /* a turn takes a millisecond */
        stalled_us += us;
}

void send_moves(struct rig *rig, size_t n)
{
    struct action *actions = memory_new(n, sizeof(*actions));
    struct text *why = memory_new(1, sizeof(*why) + 64);

    why->length = 60;
    memset(why->s, 'r', 60);
    for (size_t i = 0; i < n; i++)
        actions[i] = (struct action){
            .type = ACTION_MIGRATE,
            .move = {.request = i + 1, .conn = i + 1, .timeout_ms = 5000, .reason = why}};
    link_send(rig->link, actions, n);
    free(actions);
    free(why);
}

void on_event(void *userdata, struct event *event)
{
    struct rig *rig = userdata;
    size_t burst = rig->burst;

    rig->events[event->type]++;
    event_encode(&rig->reported, event);
    rig->burst = 0;
    if (burst)
        send_moves(rig, burst);
}

void on_notice(void *userdata, enum pd_level level, const char *what, const char *text)
{
    event_encode(&((struct rig *)userdata)->reported,
                 &(struct event){.type = EVENT_NOTICE, .notice = {level, what, text, 1}});
}

/* ---- the node ---- */

void node_listen(struct rig *rig)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(rig->path);

    memcpy(address.sun_path, rig->path, length);
    if (*rig->path == '@')
        address.sun_path[0] = '\0';
    rig->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(rig->listening >= 0);
    unlink(rig->path);
    assert_int_equal(bind(rig->listening, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    assert_int_equal(listen(rig->listening, 8), 0);
}

void node_hang_up(struct rig *rig)
{
    if (rig->fd >= 0)
        close(rig->fd);
    rig->fd = -1;
    buffer_take(&rig->in, rig->in.length);
}

void node_turn(struct rig *rig)
{
    int fd = rig->listening < 0 ? -1 : accept4(rig->listening, NULL, NULL, SOCK_NONBLOCK);

    if (fd >= 0) {
        node_hang_up(rig);
        rig->fd = fd;
        rig->accepted_us[rig->accepted++ % ARRAY_SIZE(rig->accepted_us)] = now_us();
        if (rig->rude)
            node_hang_up(rig);
    }
    while (rig->fd >= 0 && !rig->deaf) {
        char *space = buffer_space(&rig->in, 65536);
        ssize_t n = read(rig->fd, space, 65536);

        if (n <= 0) {
            if (n == 0) {
                rig->closed_us = now_us();
                node_hang_up(rig);
            }
            return;
        }
        buffer_added(&rig->in, (size_t)n);
    }
}

/* ---- waiting ---- */

bool said(const struct buffer *buffer, const char *text)
{
    return buffer->length && memmem(buffer_bytes(buffer), buffer->length, text, strlen(text));
}

void node_send(struct rig *rig, const char *text)
{
    size_t length = strlen(text), at = 0;

    while (at < length) {
        ssize_t n = send(rig->fd, text + at, length - at, MSG_NOSIGNAL);

        assert_true(n > 0 || errno == EAGAIN);
        at += n > 0 ? (size_t)n : 0;
        sd_event_run(rig->loop, 0);
    }
}

size_t lines_in(struct rig *rig)
{
    const char *at = buffer_bytes(&rig->in), *end = at + rig->in.length;
    size_t lines = 0;

    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        lines++;
        at++;
    }
    return lines;
}

void rig_up_with(struct rig *rig, const char *features)
{
    unsigned snapshots = rig->events[EVENT_SNAPSHOT];
    char hello[256];

    RUN_UNTIL(rig, 10, said(&rig->in, "\"hello\""));
    snprintf(hello, sizeof(hello),
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"node\":\"n\","
             "\"boot\":\"b\",\"features\":[%s]}}\n",
             features);
    node_send(rig, hello);
    RUN_UNTIL(rig, 10, said(&rig->in, "\"subscribe\""));
    node_send(rig, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"peers\":0}}\n");
    RUN_UNTIL(rig, 10, rig->events[EVENT_SNAPSHOT] > snapshots);
    assert_true(link_is_up(rig->link));
    buffer_take(&rig->in, rig->in.length);
    buffer_take(&rig->reported, rig->reported.length);
}

void rig_up(struct rig *rig)
{
    rig_up_with(rig, "");
}

/* ---- set-up ---- */

void rig_new(struct rig *rig, sd_event *loop, const char *path, const char *user)
{
    const struct link_handlers handlers = {on_event, on_notice, rig};
    struct link_config config = {.path = path,
                                 .node_user = user,
                                 .sample_interval_us = 5 * SECOND,
                                 .client = "pathdog/test",
                                 .seed = 1};

    *rig = (struct rig){.listening = -1, .fd = -1, .loop = sd_event_ref(loop), .made_us = now_us()};
    snprintf(rig->path, sizeof(rig->path), "%s", path);
    assert_int_equal(link_new(loop, &config, &handlers, &rig->link), 0);
}

void rig_free(struct rig *rig)
{
    assert_null(link_free(rig->link));
    node_hang_up(rig);
    if (rig->listening >= 0)
        close(rig->listening);
    unlink(rig->path);
    buffer_clear(&rig->in);
    buffer_clear(&rig->reported);
    sd_event_unref(rig->loop);
}

int setup_alone(void **state)
{
    sd_event *loop;
    char path[64];

    assert_int_equal(sd_event_new(&loop), 0);
    snprintf(path, sizeof(path), "%s/node", directory);
    rig_new(&one, loop, path, NULL);
    sd_event_unref(loop);
    return 0;
}

int setup(void **state)
{
    setup_alone(state);
    node_listen(&one);
    assert_int_equal(link_start(one.link), 0);
    return 0;
}

int teardown(void **state)
{
    rig_free(&one);
    return 0;
}

int group_setup(void **state)
{
    return mkdtemp(directory) ? 0 : -1;
}

int group_teardown(void **state)
{
    return rmdir(directory);
}
