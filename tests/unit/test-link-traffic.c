/* SPDX-License-Identifier: Apache-2.0 */
/* node/link.[ch]: what goes over a link that is up, in both directions, also when it is much. */
#include "link-rig.h"

#include <errno.h>
#include <sys/socket.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTENING(test_a_fatal_line),
        LISTENING(test_last_words),
        LISTENING(test_a_probe_of_a_path_ends),
        LISTENING(test_a_hundred_thousand_requests),
        LISTENING(test_sending_from_within_events),
        LISTENING(test_overflow),
        LISTENING(test_overflow_from_within_an_event),
        LISTENING(test_a_flood_of_requests),
        LISTENING(test_much_input),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
