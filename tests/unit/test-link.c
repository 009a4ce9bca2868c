/* SPDX-License-Identifier: Apache-2.0 */
/* node/link.[ch]: how a link comes up, how long it waits, and how it goes on after a loss. */
#include "link-rig.h"

#include <errno.h>
#include <unistd.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTENING(test_comes_up),
        ALONE(test_an_absent_node_is_said_once),
        ALONE(test_an_answer_to_hello_is_waited_for),
        LISTENING(test_backoff_doubles),
        LISTENING(test_each_loss_is_said),
        ALONE(test_users),
        LISTENING(test_deadlines),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
