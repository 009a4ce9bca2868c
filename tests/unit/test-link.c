/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/link.[ch] on real sockets: the node is played by the same thread, so
 * that nothing has to be waited for but what the loop does.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "codec/codec.h"
#include "node/link.h"

#define SECOND UINT64_C(1000000)

/* A node, and a link to it. Several can share one loop. */
struct rig {
    struct link *link;
    sd_event *loop;
    char path[64];
    int listening;
    int fd; /* accepted, -1: none */
    uint64_t made_us;
    unsigned accepted; /* how many so far */
    uint64_t accepted_us[16];
    uint64_t closed_us;     /* when the link closed it */
    bool deaf;              /* reads nothing */
    bool rude;              /* closes what it accepts */
    struct buffer in;       /* what the link sent */
    struct buffer reported; /* events as lines, "…"} left out */
    unsigned events[EVENT_TYPE_COUNT];
    size_t burst; /* moves to be sent from within the next event */
};

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec / 1000;
}

/* How long this process has stood still while it waited: all is in one thread, so whatever is
 * late is late by no more than that. */
static uint64_t stalled_us;

static void turn_took(uint64_t us)
{
    if (us > 5000) /* a turn takes a millisecond */
        stalled_us += us;
}

static void send_moves(struct rig *rig, size_t n)
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

static void on_event(void *userdata, struct event *event)
{
    struct rig *rig = userdata;
    size_t burst = rig->burst;

    rig->events[event->type]++;
    event_encode(&rig->reported, event);
    rig->burst = 0;
    if (burst)
        send_moves(rig, burst);
}

static void on_notice(void *userdata, enum pd_level level, const char *what, const char *text)
{
    event_encode(&((struct rig *)userdata)->reported,
                 &(struct event){.type = EVENT_NOTICE, .notice = {level, what, text, 1}});
}

/* ---- the node ---- */

static void node_listen(struct rig *rig)
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

static void node_hang_up(struct rig *rig)
{
    if (rig->fd >= 0)
        close(rig->fd);
    rig->fd = -1;
    buffer_take(&rig->in, rig->in.length);
}

static void node_turn(struct rig *rig)
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

#define PATIENCE 5 /* times what a good machine needs at most */

#define RUN_UNTIL(rig, seconds, condition)                                                         \
    do {                                                                                           \
        uint64_t end_us = now_us() + (seconds)*PATIENCE * SECOND;                                  \
        while (!(condition)) {                                                                     \
            uint64_t turn_us = now_us();                                                           \
            if (turn_us > end_us)                                                                  \
                fail_msg("not within %d s: %s", (seconds)*PATIENCE, #condition);                   \
            sd_event_run((rig)->loop, 1000);                                                       \
            node_turn(rig);                                                                        \
            turn_took(now_us() - turn_us);                                                         \
        }                                                                                          \
    } while (0)

static bool said(const struct buffer *buffer, const char *text)
{
    return buffer->length && memmem(buffer_bytes(buffer), buffer->length, text, strlen(text));
}

/* Writes all of it, while the loop runs. */
static void node_send(struct rig *rig, const char *text)
{
    size_t length = strlen(text), at = 0;

    while (at < length) {
        ssize_t n = send(rig->fd, text + at, length - at, MSG_NOSIGNAL);

        assert_true(n > 0 || errno == EAGAIN);
        at += n > 0 ? (size_t)n : 0;
        sd_event_run(rig->loop, 0);
    }
}

static size_t lines_in(struct rig *rig)
{
    size_t lines = 0;

    for (size_t i = 0; i < rig->in.length; i++)
        lines += buffer_bytes(&rig->in)[i] == '\n';
    return lines;
}

static void rig_up_with(struct rig *rig, const char *features)
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

static void rig_up(struct rig *rig)
{
    rig_up_with(rig, "");
}

/* ---- set-up ---- */

static void rig_new(struct rig *rig, sd_event *loop, const char *path, const char *user)
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

static void rig_free(struct rig *rig)
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

static char directory[] = "/tmp/test-link-XXXXXX";
static struct rig one;

static int setup_alone(void **state)
{
    sd_event *loop;
    char path[64];

    assert_int_equal(sd_event_new(&loop), 0);
    snprintf(path, sizeof(path), "%s/node", directory);
    rig_new(&one, loop, path, NULL);
    sd_event_unref(loop);
    return 0;
}

/* With a node that listens; link_start was called. */
static int setup(void **state)
{
    setup_alone(state);
    node_listen(&one);
    assert_int_equal(link_start(one.link), 0);
    return 0;
}

static int teardown(void **state)
{
    rig_free(&one);
    return 0;
}

/* ---- tests ---- */

static void test_comes_up(void **state)
{
    RUN_UNTIL(&one, 10, said(&one.in, "\n"));
    assert_false(link_is_up(one.link));
    assert_int_equal(link_peer_uid(one.link), getuid());
    assert_true(said(&one.in, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":"
                              "{\"protocol\":[1],\"client\":\"pathdog/test\"}}\n"));
    assert_int_equal(lines_in(&one), 1);
    rig_up(&one);
    assert_int_equal(one.events[EVENT_NODE_UP], 1);
    assert_int_equal(one.events[EVENT_NODE_DOWN], 0);
}

static void test_an_absent_node_is_said_once(void **state)
{
    assert_int_equal(link_start(one.link), 0);
    assert_int_equal(one.events[EVENT_NODE_DOWN], 0); /* never from within start */
    RUN_UNTIL(&one, 10, one.events[EVENT_NODE_DOWN]);
    assert_true(said(&one.reported, "cannot connect to the node: No such file or directory"));
    link_send(one.link, NULL, 0); /* dropped */
    for (uint64_t end_us = now_us() + SECOND; now_us() < end_us;)
        sd_event_run(one.loop, 10000);
    assert_int_equal(one.events[EVENT_NODE_DOWN], 1);
    node_listen(&one);
    rig_up(&one);
    assert_int_equal(one.events[EVENT_NODE_UP], 1);
    assert_int_equal(one.events[EVENT_NODE_DOWN], 1);
}

/* A reason of before is none any more: that nobody listens, where somebody does and says nothing.
 */
static void test_an_answer_to_hello_is_waited_for(void **state)
{
    link_start(one.link);
    RUN_UNTIL(&one, 10, one.events[EVENT_NODE_DOWN]);
    assert_true(said(&one.reported, "No such file or directory"));
    node_listen(&one);
    RUN_UNTIL(&one, 10, one.events[EVENT_NODE_DOWN] == 2);
    assert_true(said(&one.reported, "waiting for the node's answer to hello"));
    assert_int_equal(one.accepted, 1);
    assert_false(link_is_up(one.link));
    rig_up(&one);
    assert_int_equal(one.events[EVENT_NODE_DOWN], 2);
}

static void test_backoff_doubles(void **state)
{
    one.rude = true;
    RUN_UNTIL(&one, 10, one.accepted == 1);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t step_us = LINK_BACKOFF_MIN_US << i, gap_us, stalled_before_us = stalled_us;

        RUN_UNTIL(&one, 10, one.accepted == i + 2);
        gap_us = one.accepted_us[i + 1] - one.accepted_us[i];
        if (gap_us < step_us * 4 / 5 ||
            gap_us > step_us + 200000 + (stalled_us - stalled_before_us))
            fail_msg("gap %u: %llu us", i, (unsigned long long)gap_us);
    }
    assert_int_equal(one.events[EVENT_NODE_DOWN], 1); /* the same reason each time */
}

static void test_each_loss_is_said(void **state)
{
    for (unsigned i = 1; i <= 3; i++) {
        rig_up(&one);
        node_hang_up(&one);
        RUN_UNTIL(&one, 10, one.events[EVENT_NODE_DOWN] == i);
        assert_true(said(&one.reported, "the node closed the connection"));
        assert_false(link_is_up(one.link));
    }
}

static void test_a_fatal_line(void **state)
{
    rig_up(&one);
    node_send(&one,
              "{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":1}}\n"
              "rubbish\n{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":2}}\n");
    RUN_UNTIL(&one, 10, one.events[EVENT_NODE_DOWN]);
    assert_int_equal(one.events[EVENT_PEER_DOWN], 1);
    assert_int_equal(one.events[EVENT_NOTICE], 1);
    assert_true(said(&one.reported, "\"what\":\"bad-line\""));
    RUN_UNTIL(&one, 10, one.closed_us);
    rig_up(&one);
}

/* What the node said last is heard, also when it no longer listens. */
static void test_last_words(void **state)
{
    static const char words[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":1}}\n";

    rig_up(&one);
    assert_int_equal(send(one.fd, words, strlen(words), 0), strlen(words));
    node_hang_up(&one);
    send_moves(&one, 10);
    RUN_UNTIL(&one, 10, one.events[EVENT_NODE_DOWN]);
    assert_int_equal(one.events[EVENT_PEER_DOWN], 1);
}

static void send_probe_path(struct rig *rig, uint64_t probe)
{
    const struct action action = {.type = ACTION_PROBE_PATH, .probe_path = {probe, 17, "up1", 1}};

    link_send(rig->link, &action, 1);
}

/* One that the node does not answer, nor anything else, ends by its time; one that it was not asked
 * at once; one that is open when the connection goes ends with that. */
static void test_a_probe_of_a_path_ends(void **state)
{
    uint64_t begin_us;

    rig_up(&one);
    send_probe_path(&one, 6);
    assert_int_equal(one.events[EVENT_PROBED], 0); /* never from within */
    RUN_UNTIL(&one, 10, one.events[EVENT_PROBED] == 1);
    assert_int_equal(one.in.length, 0);
    node_hang_up(&one);
    RUN_UNTIL(&one, 10, one.events[EVENT_NODE_DOWN] == 1);

    rig_up_with(&one, "\"probe_path\"");
    begin_us = now_us();
    send_probe_path(&one, 7);
    RUN_UNTIL(&one, 10, one.events[EVENT_PROBED] == 2);
    assert_true(now_us() - begin_us >= 1001000);
    assert_true(said(&one.in, "\"interface\":\"up1\"}}\n"));
    assert_true(said(&one.reported, "\"event\":\"probed\",\"probe\":7,\"ok\":false"));
    assert_true(said(&one.reported, "\"what\":\"probe-path-unanswered\""));

    send_probe_path(&one, 8);
    node_hang_up(&one);
    RUN_UNTIL(&one, 10, one.events[EVENT_NODE_DOWN] == 2);
    send_probe_path(&one, 9); /* nobody is there to be asked: dropped */
    rig_up(&one);
    for (begin_us = now_us(); now_us() < begin_us + 1200000;)
        sd_event_run(one.loop, 10000);
    assert_int_equal(one.events[EVENT_PROBED], 2);
}

static void test_a_hundred_thousand_requests(void **state)
{
    const size_t count = 100000;
    const char *line;

    rig_up(&one);
    send_moves(&one, count);
    RUN_UNTIL(&one, 30, lines_in(&one) == count);
    buffer_append(&one.in, "", 1);
    line = buffer_bytes(&one.in);
    for (size_t i = 0; i < count; i++) {
        char head[160];

        snprintf(head, sizeof(head),
                 "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"migrate_peer\",\"params\":"
                 "{\"conn\":%zu,\"timeout_ms\":5000,\"reason\":\"rrr",
                 i + 3, i + 1);
        assert_memory_equal(line, head, strlen(head));
        line = strchr(line, '\n') + 1;
    }
    assert_int_equal(one.events[EVENT_NODE_DOWN], 0);
}

/* Each answer sets free one request, sent from within its event. */
static void test_sending_from_within_events(void **state)
{
    const unsigned count = 3000;
    char answer[96];

    rig_up(&one);
    send_moves(&one, 1);
    for (unsigned i = 0; i < count; i++) {
        one.burst = 1;
        snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{}}\n", i + 3);
        node_send(&one, answer);
        RUN_UNTIL(&one, 10, one.events[EVENT_ANSWER] == i + 1);
    }
    RUN_UNTIL(&one, 10, lines_in(&one) == count + 1);
}

static void test_overflow(void **state)
{
    rig_up(&one);
    one.deaf = true;
    /* 64 MiB of requests, as often as it takes, but at most 100 MiB */
    for (int i = 0; i < 40 && link_is_up(one.link); i++)
        send_moves(&one, 20000);
    assert_false(link_is_up(one.link));
    assert_int_equal(one.events[EVENT_NODE_DOWN], 0); /* not from within link_send */
    RUN_UNTIL(&one, 10, one.events[EVENT_NODE_DOWN]);
    assert_true(said(&one.reported, "\"what\":\"output-overflow\""));
    one.deaf = false;
    node_hang_up(&one);
    rig_up(&one);
}

static void test_overflow_from_within_an_event(void **state)
{
    rig_up(&one);
    one.deaf = true;
    one.burst = 800000;
    node_send(&one, "{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":1}}\n");
    RUN_UNTIL(&one, 20, one.events[EVENT_NODE_DOWN]);
    assert_true(said(&one.reported, "\"what\":\"output-overflow\""));
    assert_int_equal(one.events[EVENT_NODE_DOWN], 1);
}

/* A node that sends requests of its own without end, and reads no answer: after a while nothing
 * more is read from it. When it reads, all goes on, and nothing was lost. */
static void test_a_flood_of_requests(void **state)
{
    static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\"}\n";
    struct buffer text = {0};
    size_t sent = 0, n_full = 0, most;

    rig_up(&one);
    one.deaf = true;
    for (size_t i = 0; i < 1000; i++)
        buffer_text(&text, request);
    while (n_full < 20 && sent < (size_t)64 * 1024 * 1024) {
        size_t at = sent % text.length;
        ssize_t n = send(one.fd, buffer_bytes(&text) + at, text.length - at, MSG_NOSIGNAL);

        assert_true(n > 0 || errno == EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        n_full = n > 0 ? 0 : n_full + 1;
        sd_event_run(one.loop, 0);
    }
    /* an answer is twice as long as this request; both sockets keep some */
    most = (size_t)3 * 1024 * 1024;
    assert_in_range(sent, 1, most);
    assert_true(link_is_up(one.link));
    for (uint64_t end_us = now_us() + SECOND / 5; now_us() < end_us;)
        sd_event_run(one.loop, 10000);
    assert_int_equal(send(one.fd, request, 1, MSG_NOSIGNAL), -1); /* still nothing */
    one.deaf = false;
    RUN_UNTIL(&one, 20, lines_in(&one) == sent / (sizeof(request) - 1));
    node_send(&one, request + sent % (sizeof(request) - 1));
    sent += sizeof(request) - 1 - sent % (sizeof(request) - 1);
    RUN_UNTIL(&one, 20, lines_in(&one) == sent / (sizeof(request) - 1));
    node_send(&one, "{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":1}}\n");
    RUN_UNTIL(&one, 10, one.events[EVENT_PEER_DOWN] == 1);
    buffer_clear(&text);
}

static void test_much_input(void **state)
{
    struct buffer text = {0};

    rig_up(&one);
    for (int i = 1; i <= 50000; i++) {
        buffer_text(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":");
        buffer_u64(&text, (uint64_t)i);
        buffer_text(&text, "}}\n");
    }
    buffer_append(&text, "", 1);
    node_send(&one, buffer_bytes(&text));
    RUN_UNTIL(&one, 20, one.events[EVENT_PEER_DOWN] == 50000);
    assert_true(said(&one.reported, "\"conn\":50000}"));
    buffer_clear(&text);
}

static void test_users(void **state)
{
    const struct link_handlers handlers = {on_event, on_notice, &one};
    struct link_config config = {.path = "@x", .client = "c"};
    struct link *link = NULL;
    char uid[16], name[64];
    sd_event *loop = sd_event_ref(one.loop);

    assert_int_equal(link_new(loop, &config, &handlers, &link), -EINVAL); /* needs a user */
    config.node_user = "no such user";
    assert_int_equal(link_new(loop, &config, &handlers, &link), -ENOENT);
    config.path = "";
    assert_int_equal(link_new(loop, &config, &handlers, &link), -EINVAL);
    config.path = "/a-path-that-is-longer-than-the-hundred-and-eight-bytes-that-the-kernel-has-for-"
                  "the-name-of-a-socket-of-this-family";
    assert_int_equal(link_new(loop, &config, &handlers, &link), -EINVAL);
    assert_null(link);

    rig_free(&one);
    snprintf(uid, sizeof(uid), "%u", (unsigned)getuid() + 1);
    snprintf(name, sizeof(name), "@test-link-%d", (int)getpid());
    rig_new(&one, loop, name, uid);
    node_listen(&one);
    link_start(one.link);
    RUN_UNTIL(&one, 10, one.accepted >= 2);
    assert_int_equal(one.in.length, 0); /* not even hello */
    assert_true(said(&one.reported, "node_user"));
    rig_free(&one);

    snprintf(uid, sizeof(uid), "%u", (unsigned)getuid());
    rig_new(&one, loop, name, uid);
    node_listen(&one);
    link_start(one.link);
    rig_up(&one);
    sd_event_unref(loop);
}

/* Up for more than ten seconds, after many failures: the pause is short again. */
static void check_good(struct rig *rig, uint64_t up_us)
{
    unsigned accepted = rig->accepted;
    uint64_t lost_us, stalled_before_us;

    RUN_UNTIL(rig, 12, now_us() - up_us > LINK_GOOD_US + 500000);
    lost_us = now_us();
    stalled_before_us = stalled_us;
    node_hang_up(rig);
    RUN_UNTIL(rig, 10, rig->accepted == accepted + 1);
    assert_true(rig->accepted_us[accepted] - lost_us < 300000 + (stalled_us - stalled_before_us));
}

/* The long ones, all at once: 10 s for hello, 10 s until a node with another
 * protocol is asked again, 10 s that make a connection a good one, 30 s for a
 * node that takes nothing. */
static void test_deadlines(void **state)
{
    struct rig *silent = &one, other, stalled, good;
    uint64_t begin_us, refused_us, good_us, stalled_before_us = stalled_us;
    unsigned silent_downs;
    char path[64];

    snprintf(path, sizeof(path), "%s/other", directory);
    rig_new(&other, one.loop, path, NULL);
    node_listen(&other);
    link_start(other.link);
    snprintf(path, sizeof(path), "%s/stalled", directory);
    rig_new(&stalled, one.loop, path, NULL);
    node_listen(&stalled);
    link_start(stalled.link);
    snprintf(path, sizeof(path), "%s/good", directory);
    rig_new(&good, one.loop, path, NULL);
    node_listen(&good);
    link_start(good.link);

    RUN_UNTIL(silent, 5, said(&silent->in, "hello"));
    RUN_UNTIL(&other, 5, said(&other.in, "hello"));
    rig_up(&stalled);
    stalled.deaf = true;
    begin_us = now_us();
    send_moves(&stalled, 20000);
    refused_us = now_us();
    node_send(&other, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32010,"
                      "\"message\":\"unsupported_protocol\"}}\n");
    RUN_UNTIL(&other, 5, other.closed_us);
    good.rude = true; /* its back-off has grown when it comes up */
    RUN_UNTIL(&good, 10, good.accepted == 5);
    good.rude = false;
    rig_up(&good);
    good_us = now_us();

    RUN_UNTIL(silent, 12, silent->closed_us);
    assert_true(silent->closed_us - silent->made_us >= 10000000);
    assert_true(silent->closed_us - silent->accepted_us[0] <
                11000000 + (stalled_us - stalled_before_us));
    assert_true(said(&silent->reported, "waiting for the node's answer to hello"));
    assert_true(said(&silent->reported, "did not answer hello within 10 s"));
    silent_downs = silent->events[EVENT_NODE_DOWN];
    assert_int_equal(silent_downs, 2);
    RUN_UNTIL(&other, 12, other.accepted == 2);
    assert_true(other.accepted_us[1] - refused_us >= 10000000);
    assert_true(other.accepted_us[1] - refused_us < 11000000 + (stalled_us - stalled_before_us));
    check_good(&good, good_us);
    RUN_UNTIL(&stalled, 25, stalled.events[EVENT_NODE_DOWN]);
    assert_true(now_us() - begin_us >= 30000000);
    assert_true(now_us() - begin_us < 32000000 + (stalled_us - stalled_before_us));
    assert_true(said(&stalled.reported, "\"what\":\"node-stalled\""));
    assert_int_equal(silent->events[EVENT_NODE_DOWN], silent_downs); /* once, not each time */
    rig_free(&other);
    rig_free(&stalled);
    rig_free(&good);
}

static int group_setup(void **state)
{
    return mkdtemp(directory) ? 0 : -1;
}

static int group_teardown(void **state)
{
    return rmdir(directory);
}

#define LISTENING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define ALONE(test)     cmocka_unit_test_setup_teardown(test, setup_alone, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTENING(test_comes_up),
        ALONE(test_an_absent_node_is_said_once),
        ALONE(test_an_answer_to_hello_is_waited_for),
        LISTENING(test_backoff_doubles),
        LISTENING(test_each_loss_is_said),
        LISTENING(test_a_fatal_line),
        LISTENING(test_last_words),
        LISTENING(test_a_probe_of_a_path_ends),
        LISTENING(test_a_hundred_thousand_requests),
        LISTENING(test_sending_from_within_events),
        LISTENING(test_overflow),
        LISTENING(test_overflow_from_within_an_event),
        LISTENING(test_a_flood_of_requests),
        LISTENING(test_much_input),
        ALONE(test_users),
        LISTENING(test_deadlines),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
