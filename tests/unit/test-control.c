/* SPDX-License-Identifier: Apache-2.0 */
/* The control server beside a lab's engine: followers who keep up, and who do not. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/private.h"
#include "engine-lab.h"
#include "engine/base/text.h"

struct desk {
    struct lab lab;
    struct config config;
    sd_event *loop;
    struct control *control;
    char directory[32], path[64];
    unsigned notices;
};

static const struct config *desk_config(void *user)
{
    return &((struct desk *)user)->config;
}

static void desk_dispatch(void *user, struct event *event)
{
    struct desk *desk = user;

    lab_event(&desk->lab, event);
    control_records(desk->control, desk->lab.box->records, desk->lab.box->n_records);
}

static void desk_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    ((struct desk *)user)->notices++;
}

static int desk_reload(void *user, char **ret_left, char **ret_error)
{
    *ret_left = NULL;
    *ret_error = strdup("not here");
    return -EINVAL;
}

static int desk_setup(void **state)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    char *error = NULL;
    struct control_host host;

    lab_init(&desk->lab);
    lab_begin(&desk->lab);
    strcpy(desk->directory, "/tmp/control-XXXXXX");
    assert_non_null(mkdtemp(desk->directory));
    snprintf(desk->path, sizeof(desk->path), "%s/s", desk->directory);
    assert_true(sd_event_new(&desk->loop) >= 0);
    host = (struct control_host){
        .loop = desk->loop,
        .engine = desk->lab.engine,
        .run = "run",
        .version = "version",
        .config = desk_config,
        .dispatch = desk_dispatch,
        .notice = desk_notice,
        .reload = desk_reload,
        .user = desk,
    };
    assert_int_equal(control_new(&host, desk->path, &desk->control, &error), 0);
    *state = desk;
    return 0;
}

static int desk_teardown(void **state)
{
    struct desk *desk = *state;

    control_free(desk->control);
    assert_int_equal(access(desk->path, F_OK), -1);
    sd_event_unref(desk->loop);
    lab_end(&desk->lab);
    rmdir(desk->directory);
    free(desk);
    return 0;
}

/* Runs the loop until it has nothing to do. */
static void desk_run(struct desk *desk)
{
    while (sd_event_run(desk->loop, 0) > 0)
        ;
}

static int desk_connect(struct desk *desk)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(name.sun_path, desk->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    desk_run(desk);
    return fd;
}

/* Writes a line, and returns what comes of it. */
static const char *ask(struct desk *desk, int fd, const char *line)
{
    static char answer[65536];
    ssize_t n;

    assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
    desk_run(desk);
    n = read(fd, answer, sizeof(answer) - 1);
    answer[n > 0 ? n : 0] = '\0';
    return answer;
}

/* Counts notifications until there are no more. */
static void drain(struct desk *desk, int fd, uint64_t *ret_records, uint64_t *ret_dropped)
{
    char *text = malloc(1 << 20);
    size_t length = 0;
    ssize_t n;

    for (;;) {
        char *line = text, *end;

        desk_run(desk);
        n = read(fd, text + length, ((size_t)1 << 20) - length);
        if (n <= 0)
            break;
        length += (size_t)n;
        while ((end = memchr(line, '\n', length - (size_t)(line - text)))) {
            const char *count;

            *end = '\0';
            count = strstr(line, "\"dropped\",\"params\":{\"count\":");
            if (count)
                *ret_dropped += strtoull(strrchr(line, ':') + 1, NULL, 10);
            else
                ++*ret_records;
            line = end + 1;
        }
        length -= (size_t)(line - text);
        memmove(text, line, length);
    }
    free(text);
}

static void report_records(struct desk *desk, struct text *peer, unsigned count)
{
    struct record record = {
        .type = RECORD_DECISION,
        .time_us = 1,
        .decision = {.subject = {.peer = peer, .conn = 1}, .trigger = "srtt", .reason = peer},
    };

    for (unsigned i = 0; i < count; i++) {
        record.decision.decision = i + 1;
        control_records(desk->control, &record, 1);
    }
}

static void follower_keeps_up(void **state)
{
    struct desk *desk = *state;
    struct text *peer = text_new("a@h");
    uint64_t records = 0, dropped = 0;
    int fd = desk_connect(desk);

    report_records(desk, peer, 3); /* nobody follows yet */
    assert_non_null(strstr(ask(desk, fd,
                               "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"decisions\",\"params\":"
                               "{\"follow\":true,\"peer\":\"a*\"}}\n"),
                           "\"follows\":true"));
    report_records(desk, peer, 50000);
    drain(desk, fd, &records, &dropped);
    assert_int_equal(records, 50000);
    assert_int_equal(dropped, 0);
    peer = text_unref(peer);
    peer = text_new("b@h");
    report_records(desk, peer, 10);
    drain(desk, fd, &records, &dropped);
    assert_int_equal(records, 50000);
    text_unref(peer);
    close(fd);
    desk_run(desk);
}

static void follower_stands_still(void **state)
{
    struct desk *desk = *state;
    struct text *peer = text_new("a@h");
    uint64_t records = 0, dropped = 0, others = 0;
    int fd = desk_connect(desk), other = desk_connect(desk);
    const char *follow = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"decisions\",\"params\":"
                         "{\"follow\":true}}\n";

    ask(desk, fd, follow);
    ask(desk, other, follow);
    for (unsigned i = 0; i < 40; i++) { /* the other reads all the time */
        report_records(desk, peer, 5000);
        drain(desk, other, &others, &dropped);
    }
    assert_int_equal(others, 200000);
    assert_int_equal(dropped, 0);
    drain(desk, fd, &records, &dropped);
    assert_true(dropped > 0);
    assert_int_equal(records + dropped, 200000);
    report_records(desk, peer, 1); /* and it goes on */
    drain(desk, fd, &records, &dropped);
    assert_int_equal(records + dropped, 200001);
    close(fd);
    close(other);
    text_unref(peer);
}

/* More in one turn than may wait at all. */
static void more_than_may_wait(void **state)
{
    struct desk *desk = *state;
    struct text *peer = text_new("a@h");
    uint64_t records = 0, dropped = 0;
    int fd = desk_connect(desk);

    ask(desk, fd,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"decisions\",\"params\":{\"follow\":true}}\n");
    report_records(desk, peer, 200000);
    drain(desk, fd, &records, &dropped);
    assert_true(dropped > 0);
    assert_int_equal(records + dropped, 200000);
    close(fd);
    text_unref(peer);
}

static void commands(void **state)
{
    struct desk *desk = *state;
    int fd = desk_connect(desk);

    lab_peer_up(&desk->lab, "a", 1);
    assert_non_null(strstr(ask(desk, fd,
                               "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"hold\",\"params\":"
                               "{\"peer\":\"a\"}}\n"),
                           "\"id\":\"x\",\"result\":{\"peer\":\"a\",\"held\":true,"));
    assert_int_equal(desk->notices, 1); /* who holds it */
    lab_skip(&desk->lab);
    lab_advise(&desk->lab, 1, PD_KIND_MOVED);
    expect_decision(&desk->lab, 1, VERDICT_HELD);
    assert_non_null(strstr(ask(desk, fd,
                               "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"migrate\",\"params\":"
                               "{\"peer\":\"a\"}}\n"),
                           "\"verdict\":\"migrate\""));
    expect_decision(&desk->lab, 1, VERDICT_MIGRATE);
    assert_non_null(strstr(ask(desk, fd, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"reload\"}\n"),
                           "not here"));
    close(fd);
    desk_run(desk);
}

/* All places are taken: who has been idle for long goes, who follows stays. */
static void idle_clients_make_room(void **state)
{
    struct desk *desk = *state;
    char text[256] = "", byte;
    int fds[CLIENTS_MAX], late;

    for (size_t i = 0; i < CLIENTS_MAX; i++)
        fds[i] = desk_connect(desk);
    ask(desk, fds[0],
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"decisions\",\"params\":{\"follow\":true}}\n");
    late = desk_connect(desk);
    assert_true(read(late, text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "64 clients"));
    close(late);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        desk->control->clients[i]->asked_us =
            sub_u64(desk->control->clients[i]->asked_us, IDLE_US + SEC - i);
    desk->control->clients[0]->asked_us = 0;
    late = desk_connect(desk);
    assert_non_null(strstr(
        ask(desk, late, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n"), "result"));
    assert_int_equal(read(fds[1], &byte, 1), 0); /* the idlest was this one */
    assert_int_equal(read(fds[0], &byte, 1), -1);
    assert_int_equal(read(fds[2], &byte, 1), -1);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        close(fds[i]);
    close(late);
    desk_run(desk);
    assert_int_equal(desk->control->n_clients, 0);
}

static size_t client_of(const struct desk *desk)
{
    size_t i = 0;

    while (i < CLIENTS_MAX && !desk->control->clients[i])
        i++;
    assert_true(i < CLIENTS_MAX);
    return i;
}

/* Answers wait, and their reader stays away: after 30 s it is closed. */
static void who_does_not_read_is_closed(void **state)
{
    struct desk *desk = *state;
    const char *line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n";
    int fd = desk_connect(desk), idle = desk_connect(desk);
    struct client *client = desk->control->clients[client_of(desk)];
    char byte;

    while (!client->out.length) { /* until the socket takes no more */
        assert_true(write(fd, line, strlen(line)) > 0);
        desk_run(desk);
    }
    assert_true(control_sweep(desk->control, client->took_us + STOOD_US));
    assert_int_equal(desk->control->n_clients, 2);
    assert_false(control_sweep(desk->control, client->took_us + STOOD_US + 1));
    assert_int_equal(desk->control->n_clients,
                     1);            /* who waits for an answer nothing to anybody stays */
    while (read(fd, &byte, 1) == 1) /* what had been sent */
        ;
    assert_int_equal(read(fd, &byte, 1), 0);
    assert_non_null(strstr(ask(desk, idle, line), "result"));
    close(fd);
    close(idle);
    desk_run(desk);
}

/* Its time begins anew with each byte that it takes. */
static void who_reads_slowly_is_not(void **state)
{
    struct desk *desk = *state;
    const char *line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n";
    int fd = desk_connect(desk);
    struct client *client = desk->control->clients[client_of(desk)];
    uint64_t took_us;
    char bytes[4096];

    while (!client->out.length) {
        assert_true(write(fd, line, strlen(line)) > 0);
        desk_run(desk);
    }
    took_us = client->took_us = client->took_us - STOOD_US;
    while (client->took_us == took_us) { /* room for a little more */
        assert_true(read(fd, bytes, sizeof(bytes)) > 0);
        desk_run(desk);
    }
    (void)control_sweep(desk->control, clock_us(CLOCK_MONOTONIC));
    assert_int_equal(desk->control->n_clients, 1);
    close(fd);
    desk_run(desk);
}

static void holds_that_are_left_are_named(void **state)
{
    struct desk *desk = *state;
    int fd = desk_connect(desk);
    const char *answer;
    char line[128];

    answer = ask(desk, fd,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\",\"params\":{\"all\":true}}\n");
    assert_non_null(strstr(answer, "\"held\":true,\"all_held\":true,\"n_held\":0,\"names\":[]"));
    for (unsigned i = 0; i < 20; i++) {
        snprintf(line, sizeof(line),
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\",\"params\":{\"peer\":\"p%u\","
                 "\"absent\":true}}\n",
                 i);
        ask(desk, fd, line);
    }
    answer = ask(desk, fd,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"release\",\"params\":{\"peer\":"
                 "\"p3\"}}\n");
    assert_non_null(strstr(answer, "\"held\":false,\"all_held\":true,\"n_held\":19"));
    answer =
        ask(desk, fd,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"release\",\"params\":{\"all\":true}}\n");
    assert_non_null(strstr(answer, "\"held\":false,\"all_held\":false,\"n_held\":19"));
    close(fd);
    desk_run(desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(follower_keeps_up, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(follower_stands_still, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(more_than_may_wait, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(commands, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(idle_clients_make_room, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(who_does_not_read_is_closed, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(who_reads_slowly_is_not, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(holds_that_are_left_are_named, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
