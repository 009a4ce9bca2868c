/* SPDX-License-Identifier: Apache-2.0 */
/* The control server's places: who gets one, who makes room for whom, who is closed. */
#include "control-lab.h"

#include <sys/stat.h>
#include <unistd.h>

static const char version[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";

static bool is_refused(int fd)
{
    char text[512] = "";

    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "64 clients"));
    return is_closed(fd);
}

/* Makes it look as if a place was somebody's. */
static void desk_give(struct desk *desk, size_t from, size_t to, uint32_t uid)
{
    for (size_t i = from; i < to; i++)
        desk->control->clients[i]->uid = uid;
}

/* All places are taken: who has been idle for long goes, who follows stays. */
static void idle_clients_make_room(void **state)
{
    struct desk *desk = *state;
    char byte;
    int fds[SEATS + 1];

    for (size_t i = 0; i < SEATS; i++)
        fds[i] = desk_connect(desk);
    ask(desk, fds[0], follow_all);
    fds[SEATS] = desk_connect(desk);
    assert_true(is_refused(fds[SEATS]));
    close(fds[SEATS]);
    for (size_t i = 0; i < SEATS; i++)
        desk->control->clients[i]->asked_us =
            sub_u64(desk->control->clients[i]->asked_us, IDLE_US + SEC - i);
    desk->control->clients[0]->asked_us = 0;
    fds[SEATS] = desk_connect(desk);
    assert_non_null(strstr(ask(desk, fds[SEATS], version), "result"));
    assert_true(is_refused(fds[1])); /* the idlest was this one, and it is told why */
    assert_int_equal(read(fds[0], &byte, 1), -1);
    assert_int_equal(read(fds[2], &byte, 1), -1);
    desk_close(desk, fds, SEATS + 1);
}

/* Followers of others have taken all places for everybody: there is one for the daemon's user, and
 * even when those are taken, too. */
static void others_do_not_lock_out(void **state)
{
    struct desk *desk = *state;
    int fds[SEATS + 1];

    for (size_t i = 0; i < SEATS; i++) {
        fds[i] = desk_connect(desk);
        ask(desk, fds[i], follow_all);
        if (i >= CLIENTS_MAX)
            assert_non_null(strstr(ask(desk, fds[i], version), "result"));
    }
    desk_give(desk, 0, CLIENTS_MAX, 4711);
    fds[SEATS] = desk_connect(desk);
    assert_non_null(strstr(ask(desk, fds[SEATS], version), "result"));
    assert_true(is_refused(fds[0]));
    assert_int_equal(desk->control->n_clients, SEATS);
    desk_close(desk, fds, SEATS + 1);
}

/* The server, which is in the same process, runs as root again. */
static int desk_connect_as(struct desk *desk, uid_t uid)
{
    int fd;

    assert_int_equal(chmod(desk->directory, 0711), 0);
    assert_int_equal(chmod(desk->path, 0666), 0);
    assert_int_equal(seteuid(uid), 0);
    fd = desk_knock(desk);
    assert_int_equal(seteuid(0), 0);
    assert_true(fd >= 0);
    desk_run(desk);
    return fd;
}

/* Who has the most makes room for who has fewer; who has as many does not. */
static void users_share_the_places(void **state)
{
    struct desk *desk = *state;
    int fds[CLIENTS_MAX], late;

    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        fds[i] = desk_connect(desk);
    desk_give(desk, 0, CLIENTS_MAX, 4711);
    desk_give(desk, 0, 4, 4712);
    late = desk_connect_as(desk, 4713);
    assert_non_null(strstr(ask(desk, late, version), "result"));
    assert_true(is_refused(fds[4])); /* of 4711, the one that asked nothing for the longest time */
    close(late);
    desk_run(desk);
    fds[4] = desk_connect(desk);
    desk_give(desk, 0, CLIENTS_MAX, 4711);
    late = desk_connect_as(desk, 4711);
    assert_true(is_refused(late));
    close(late);
    desk_close(desk, fds, CLIENTS_MAX);
}

/* Its answers wait in a full socket: it makes room before those who only say nothing. */
static void who_takes_nothing_makes_room(void **state)
{
    struct desk *desk = *state;
    const char *line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n";
    int fds[SEATS + 1];
    struct client *client;
    char byte;

    for (size_t i = 0; i < SEATS; i++)
        fds[i] = desk_connect(desk);
    client = desk->control->clients[7];
    while (!client->out.length) {
        assert_true(write(fds[7], line, strlen(line)) > 0);
        desk_run(desk);
    }
    client->took_us -= SLOW_US + SEC;
    fds[SEATS] = desk_connect(desk);
    assert_non_null(strstr(ask(desk, fds[SEATS], version), "result"));
    assert_true(is_closed(fds[7]));
    assert_int_equal(read(fds[6], &byte, 1), -1);
    desk_close(desk, fds, SEATS + 1);
}

static size_t client_of(const struct desk *desk)
{
    size_t i = 0;

    while (i < SEATS && !desk->control->clients[i])
        i++;
    assert_true(i < SEATS);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(idle_clients_make_room, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(others_do_not_lock_out, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(users_share_the_places, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(who_takes_nothing_makes_room, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(who_does_not_read_is_closed, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(who_reads_slowly_is_not, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
