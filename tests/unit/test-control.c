/* SPDX-License-Identifier: Apache-2.0 */
/* The control server: followers who keep up, and who do not; commands; how long a turn takes. */
#include "control-lab.h"

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/text.h"

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

/* In the middle of a turn questions are answered; what changes something waits for its end. */
static void commands_wait_for_the_turn(void **state)
{
    static const char hold[] =
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"hold\",\"params\":{\"all\":true}}\n";
    static const char asks[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";
    struct desk *desk = *state;
    int fd = desk_connect(desk), other = desk_connect(desk);
    char answer[1024];

    desk->busy = true;
    assert_int_equal(send(fd, hold, sizeof(hold) - 1, 0), sizeof(hold) - 1);
    desk_run(desk);
    assert_non_null(strstr(ask(desk, other, asks), "\"id\":1,\"result\""));
    assert_int_equal(recv(fd, answer, sizeof(answer), MSG_DONTWAIT), -1);
    assert_false(name_held(desk->lab.engine, "a"));
    assert_int_equal(sd_event_run(desk->loop, 0), 0); /* and nothing turns meanwhile */
    desk->busy = false;
    control_go_on(desk->control);
    desk_run(desk);
    assert_true(recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0);
    assert_true(name_held(desk->lab.engine, "a"));
    close(fd);
    close(other);
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

#define HOLD(params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\",\"params\":{" params "}}\n"

/* By its name or its interface's; what would have no effect is refused, and says why. */
static void an_uplink_is_held(void **state)
{
    static const struct event_interface both[] = {
        {"eth0", "10.0.0.2", true, false, true, false},
        {"wwan0", "10.9.0.7", true, true, true, false},
    };
    static const struct uplink_config sections[] = {{"home", "eth0", UPLINK_PRIMARY},
                                                    {"lte", "wwan0", UPLINK_METERED}};
    struct desk *desk = *state;
    struct engine_config *next = &desk->lab.next[0];
    int fd = desk_connect(desk);
    const char *answer;

    *next = desk->lab.config;
    next->uplinks = sections;
    next->n_uplinks = 2;
    assert_int_equal(engine_configure(desk->lab.engine, next), 0);
    lab_command(&desk->lab, &(struct event_command){.type = COMMAND_CONFIG});
    lab_event(&desk->lab,
              &(struct event){.type = EVENT_INTERFACES, .interfaces = {both, ARRAY_SIZE(both)}});
    answer = ask(desk, fd, HOLD("\"uplink\":\"home\""));
    assert_non_null(strstr(answer, "uplink home cannot be held: the node does not offer the "
                                   "feature \\\"bind\\\""));
    desk->lab.engine->node.features |= NODE_BIND;
    answer = ask(desk, fd, HOLD("\"uplink\":\"home\""));
    assert_non_null(strstr(answer, "uplink home cannot be held: with \\\"choose = no\\\""));
    desk->config.engine.choose = true;
    answer = ask(desk, fd, HOLD("\"uplink\":\"sat\""));
    assert_non_null(strstr(answer, "there is no uplink \\\"sat\\\"; there are home and lte"));
    answer = ask(desk, fd, HOLD("\"uplink\":\"home\",\"all\":true"));
    assert_non_null(strstr(answer, "exactly one of \\\"peer\\\", \\\"uplink\\\" and"));
    assert_int_equal(desk->notices, 0);
    answer = ask(desk, fd, HOLD("\"uplink\":\"eth0\",\"for_us\":600000000"));
    assert_non_null(strstr(answer, "\"peer\":null,\"uplink\":\"home\",\"held\":true"));
    assert_int_equal(desk->last.type, COMMAND_HOLD);
    assert_null(desk->last.peer);
    assert_string_equal(desk->uplink, "home");
    assert_int_equal(desk->last.duration_us, 600 * SEC);
    assert_non_null(strstr(desk->notice, "holds uplink home for 10 min"));
    answer = ask(desk, fd,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"release\",\"params\":{\"uplink\":"
                 "\"lte\",\"if_held\":true}}\n");
    assert_non_null(strstr(answer, "nothing to release: uplink lte is not held"));
    answer = ask(desk, fd,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"release\",\"params\":{\"uplink\":"
                 "\"home\"}}\n");
    assert_non_null(strstr(answer, "\"uplink\":\"home\",\"held\":false"));
    assert_int_equal(desk->last.type, COMMAND_RELEASE);
    assert_string_equal(desk->uplink, "home");
    assert_non_null(strstr(desk->notice, "releases uplink home"));
    close(fd);
    desk_run(desk);
}

static uint64_t thread_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* One turn of the loop at a time, until it has nothing to do. Returns the longest. */
static uint64_t desk_run_timed(struct desk *desk)
{
    uint64_t longest_us = 0, begin_us;
    int r;

    do {
        begin_us = thread_us();
        r = sd_event_run(desk->loop, 0);
        longest_us = max_u64(longest_us, thread_us() - begin_us);
    } while (r > 0);
    return longest_us;
}

/* What made the loop stand still for 17 s. The time is the thread's own, so that only what it does
 * itself counts; 20 ms are four times what a turn takes with a sanitizer. */
static void no_turn_is_long(void **state)
{
    static const char *const lines[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peers\",\"params\":{\"match\":\"*a*a*a*a*a*a*a*"
        "a*b\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peers\",\"params\":{\"match\":\"*?*?*?*?*[ab]*["
        "ab]*c\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"decisions\",\"params\":{\"peer\":\"*a*a*a*a*a*"
        "b\","
        "\"trigger\":\"srtt\",\"limit\":256,\"follow\":true}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resolve\",\"params\":{\"peer\":"
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}\n",
    };
    struct desk *desk = *state;
    struct text *peer;
    char name[256];
    int fds[63];
    uint64_t longest_us = 0;

    memset(name, 'a', sizeof(name));
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name + 240, sizeof(name) - 240, "%u", i);
        lab_peer_up(&desk->lab, name, i + 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = desk_connect(desk);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        for (unsigned k = 0; k < 20; k++)
            assert_true(write(fds[i], lines[i % ARRAY_SIZE(lines)],
                              strlen(lines[i % ARRAY_SIZE(lines)])) > 0);
    peer = text_new(name);
    report_records(desk, peer, 2000);
    for (unsigned k = 0; k < 200; k++) {
        uint64_t begin_us = thread_us();
        int r = sd_event_run(desk->loop, 0);

        longest_us = max_u64(longest_us, thread_us() - begin_us);
        if (r <= 0)
            break;
    }
    report_records(desk, peer, 20000); /* and now a sixth of them follows */
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        (void)is_closed(fds[i]);
    longest_us = max_u64(longest_us, desk_run_timed(desk));
    text_unref(peer);
    desk_close(desk, fds, ARRAY_SIZE(fds));
    print_message("the longest turn: %u us\n", (unsigned)longest_us);
    assert_true(longest_us < 20000);
}

/* What was made before it asked is in the answer's page, and does not come again. */
static void a_follower_begins_where_it_asks(void **state)
{
    struct desk *desk = *state;
    struct text *peer = text_new("a@h");
    uint64_t records = 0, dropped = 0, others = 0;
    int first = desk_connect(desk), second = desk_connect(desk);

    ask(desk, first, follow_all);
    report_records(desk, peer, 100);
    /* its turn comes while the records wait for theirs: not by a request, which under load could be
     * read before or after some of them */
    follow_set(desk->control->clients[1], true);
    desk->control->clients[1]->filter.types = UINT32_MAX;
    report_records(desk, peer, 10);
    drain(desk, first, &records, &dropped);
    drain(desk, second, &others, &dropped);
    assert_int_equal(records, 110);
    assert_int_equal(others, 10);
    assert_int_equal(dropped, 0);
    text_unref(peer);
    close(first);
    close(second);
    desk_run(desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(follower_keeps_up, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(follower_stands_still, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(more_than_may_wait, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(commands, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(no_turn_is_long, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(a_follower_begins_where_it_asks, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(commands_wait_for_the_turn, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(holds_that_are_left_are_named, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(an_uplink_is_held, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
