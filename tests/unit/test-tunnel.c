/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/tunnel/policy.c, and plugins/messages/message.c, which reads what it is told.
 */
#include "check.h"

#include "messages/message.h"
#include <pathdog/mock-host.h>

#include "util/utf8.h"
#include "util/util.h"

#include <errno.h>

#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_tunnel;

/* ---- notices ---- */

static int parse(const char *text, size_t length, struct message *message, char *copy)
{
    const char *error = NULL;
    int r;

    memcpy(copy, text, length);
    copy[length] = '\1';
    r = message_parse(copy, length, message, &error);
    assert_true(r == 0 || (r == -EBADMSG && error && *error));
    return r;
}

static void test_notice_good(void **state)
{
    static const struct {
        const char *text, *event, *tunnel, *peers, *reason;
    } good[] = {
        {"EVENT=rebind\n", "rebind", "", "", ""},
        {"EVENT=up\nTUNNEL=wg0", "up", "wg0", "", ""},
        {"\n\nREASON=a=b \"c\"\nPEERS=*@eu-* x\nEVENT=moved\n\n", "moved", "", "*@eu-* x",
         "a=b \"c\""},
        {"EVENT=down\nCOLOUR=blue\nX_1=\nTUNNEL=\n", "down", "", "", ""},
        {"EVENT=up\nREASON=größer – ✓\n", "up", "", "", "größer – ✓"},
    };
    char copy[256];
    struct message message;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(parse(good[i].text, strlen(good[i].text), &message, copy), 0);
        assert_string_equal(message.event, good[i].event);
        assert_string_equal(message.tunnel, good[i].tunnel);
        assert_string_equal(message.peers, good[i].peers);
        assert_string_equal(message.reason, good[i].reason);
    }
}

static void test_notice_bad(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "rebind\n",
        "TUNNEL=wg0\n",
        "EVENT=\n",
        "EVENT=explode\n",
        "EVENT=rebind\nEVENT=up\n",
        "EVENT=rebind\n=x\n",
        "EVENT=rebind\nevent=x\n",
        "EVENT=rebind\nA B=x\n",
        "EVENT=rebind\nREASON=a\tb\n",
        "EVENT=rebind\nREASON=\x7f\n",
        "EVENT=rebind\nREASON=\xff\xfe\n",
        "EVENT=rebind\nREASON=\xc2\x85\n",
        "EVENT=rebind\nREASON=\xc2",
        "EVENT=rebind\r\n",
    };
    char copy[MESSAGE_MAX + 2], longest[MESSAGE_MAX + 1];
    struct message message;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(parse(bad[i], strlen(bad[i]), &message, copy), -EBADMSG);
    assert_int_equal(parse("EVENT=up\nREASON=a\0b", 19, &message, copy), -EBADMSG);
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "EVENT=up\nREASON=", 16);
    assert_int_equal(parse(longest, MESSAGE_MAX, &message, copy), 0);
    assert_int_equal(parse(longest, MESSAGE_MAX + 1, &message, copy), -EBADMSG);
}

/* ---- the policy ---- */

static void begin(struct mock *mock)
{
    *mock = (struct mock){0};
    mock->turn.now_us = 10 * SECOND;
    assert_int_equal(mock_start(mock, &pathdog_trigger_tunnel, NULL), 0);
    mock_peer_up(mock, "a@eu-1", "10.8.0.2:4001", "192.0.2.1:443");
    mock_peer_up(mock, "b@eu-2", "[fd00::2]:4002", "192.0.2.2:443");
    mock_peer_up(mock, "c@us-1", "[fe80::1%wg0]:4003", NULL);
    mock_peer_up(mock, "d@us-2", NULL, NULL);
    strcpy(mock->peers[3].via, "wg0");
    mock_peer_change(mock, 3, PD_PEER_PATH);
    mock->peers[3].path.via = mock->peers[3].via;
}

static void check_advised(struct mock *mock, unsigned a, unsigned b, unsigned c, unsigned d)
{
    const unsigned wanted[] = {a, b, c, d};

    for (uint32_t i = 0; i < 4; i++) {
        mock->peers[i].peer.name = mock->peers[i].name;
        assert_int_equal(mock->peers[i].advised, wanted[i]);
        mock->peers[i].advised = 0;
    }
    assert_int_equal(mock->open_causes, 0);
}

static void test_whom(void **state)
{
    struct mock mock;

    begin(&mock);
    mock_signal(&mock, "notice", 0, "event=rebind peers=*");
    check_advised(&mock, 1, 1, 1, 1);
    mock_signal(&mock, "notice", 0, "event=rebind peers=*@eu-*");
    check_advised(&mock, 1, 1, 0, 0);
    mock_signal(&mock, "notice", 0, "event=rebind peers=c@*+[ab]@eu-2");
    check_advised(&mock, 0, 1, 1, 0);
    mock_signal(&mock, "notice", 0, "event=up tunnel=wg0 addresses=10.8.0.2+fd00::3");
    check_advised(&mock, 1, 0, 1, 1);
    mock_signal(&mock, "notice", 0, "event=moved tunnel=wg0 addresses=fd00::2");
    check_advised(&mock, 0, 1, 1, 1);
    /* Where PEERS is given it alone says whom. */
    mock_signal(&mock, "notice", 0, "event=moved tunnel=wg0 addresses=fd00::2 peers=a*");
    check_advised(&mock, 1, 0, 0, 0);
    assert_int_equal(mock.causes, 6);
    assert_int_equal(mock.n_notices, 0);
    mock_stop(&mock);
}

static void test_what_it_says(void **state)
{
    struct mock mock;

    begin(&mock);
    mock_signal(&mock, "notice", 0,
                "event=rebind tunnel=wg0 peers=a* reason=endpoint+changed pid=77 uid=1000 gid=5");
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_MOVED);
    assert_int_equal(mock.advice[0].cause, 1);
    assert_string_equal(mock.advice[0].reason, "tunnel wg0: rebind, endpoint changed");
    assert_string_equal(mock.cause_reason, "tunnel wg0: rebind, endpoint changed");
    assert_string_equal(mock.advice[0].evidence, "event=rebind tunnel=wg0 pid=77 uid=1000 gid=5");
    mock_signal(&mock, "notice", 0, "event=up peers=a*");
    assert_string_equal(mock.advice[1].reason, "notice: up");
    mock_stop(&mock);
}

static void test_a_long_reason_is_cut_between_characters(void **state)
{
    char reason[4000];

    for (size_t shift = 0; shift < 3; shift++) {
        struct pd_field fields[] = {
            {"event", "rebind", 0}, {"peers", "*", 0}, {"reason", reason, 0}};
        struct pd_signal signal = {.kind = "notice", .fields = fields, .n_fields = 3};
        struct mock mock;
        size_t length;

        begin(&mock);
        memset(reason, 'x', shift);
        for (size_t i = 0; i < 1000; i++)
            memcpy(reason + shift + i * 3, "✓", 4);
        mock_signal_fields(&mock, &signal);
        length = strlen(mock.cause_reason);
        assert_in_range(length, 300, 399);
        for (size_t i = 0; i < length; i += utf8_length(mock.cause_reason + i, length - i))
            assert_true(utf8_length(mock.cause_reason + i, length - i) > 0);
        assert_string_equal(mock.advice[0].reason, mock.cause_reason);
        mock_stop(&mock);
    }
}

static void test_down_only_looks(void **state)
{
    struct mock mock;

    begin(&mock);
    mock_signal(&mock, "notice", 0, "event=down tunnel=wg0");
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.causes, 0);
    assert_int_equal(mock.peers[0].look_until_us, 0);
    assert_true(mock.peers[2].look_until_us > mock.turn.now_us);
    assert_true(mock.peers[3].look_until_us > mock.turn.now_us);
    assert_int_equal(mock.n_notices, 0);
    mock_stop(&mock);
}

static void test_nobody(void **state)
{
    static const char *const nobody[] = {
        "event=rebind peers=z*",
        "event=rebind tunnel=wg9",
        "event=down tunnel=wg8",
        "event=rebind",
        "event=rebind tunnel=wg7 addresses=10.9.9.9",
    };
    struct mock mock;

    begin(&mock);
    for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
        mock_signal(&mock, "notice", 0, nobody[i]);
        assert_int_equal(mock.n_notices, i + 1);
        assert_string_equal(mock.notices[i].what, "tunnel-nobody");
    }
    assert_string_equal(mock.notices[0].text, "notice: rebind: no peer matches its PEERS");
    assert_string_equal(mock.notices[1].text, "tunnel wg9: rebind: no peer matches TUNNEL=wg9");
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.causes, 0);
    mock_stop(&mock);
}

static void test_the_same_within_a_second_is_one(void **state)
{
    struct mock mock;

    begin(&mock);
    mock_signal(&mock, "notice", 0, "event=rebind peers=a* reason=x");
    mock_time(&mock, 10 * SECOND + 999999);
    mock_signal(&mock, "notice", 0, "event=rebind peers=a* reason=y");
    assert_int_equal(mock.n_advice, 1);
    mock_signal(&mock, "notice", 0, "event=up peers=a*");
    mock_signal(&mock, "notice", 0, "event=rebind peers=a*+a");
    mock_signal(&mock, "notice", 0, "event=rebind peers=a* tunnel=x");
    assert_int_equal(mock.n_advice, 4);
    mock_time(&mock, 11 * SECOND);
    mock_signal(&mock, "notice", 0, "event=rebind peers=a*");
    assert_int_equal(mock.n_advice, 5);
    mock_stop(&mock);
}

static void test_many_peers_in_slices(void **state)
{
    struct mock mock = {.count_only = true, .turn.now_us = SECOND};
    char globs[4000] = "event=rebind peers=nobody";

    assert_int_equal(mock_start(&mock, &pathdog_trigger_tunnel, NULL), 0);
    for (size_t i = 0; i < 2000; i++)
        mock_peer_up(&mock, "p@eu", NULL, NULL);
    for (size_t i = 0; i < 2000; i++)
        mock.peers[i].peer.name = mock.peers[i].name;
    for (size_t i = 0; i < 100; i++)
        snprintf(globs + strlen(globs), sizeof(globs) - strlen(globs), "+nobody%zu", i);
    strcat(globs, "+p@*");
    mock_signal(&mock, "notice", 0, globs);
    mock_signal(&mock, "notice", 0, "event=rebind peers=*");
    assert_true(mock.n_advice < 2000);
    assert_true(mock.timer_us > 0);
    mock_time(&mock, mock.turn.now_us + 1);
    assert_int_equal(mock.timer_us, 0);
    assert_int_equal(mock.n_advice, 4000);
    assert_int_equal(mock.causes, 2);
    assert_int_equal(mock.open_causes, 0);
    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(mock.peers[i].advised, 2);
    mock_stop(&mock);
}

static void test_too_many_notices(void **state)
{
    struct mock mock = {.count_only = true, .turn.now_us = SECOND};
    char globs[100];

    assert_int_equal(mock_start(&mock, &pathdog_trigger_tunnel, NULL), 0);
    struct pd_peer far = {.index = 100000, .name = "far"};
    struct pd_peer_event event = {.change = PD_PEER_UP, .peer = &far};

    pathdog_trigger_tunnel.peer(&mock.turn, &event);
    for (size_t i = 0; i < 80; i++) {
        snprintf(globs, sizeof(globs), "event=rebind peers=x%zu+y", i);
        mock_signal(&mock, "notice", 0, globs);
    }
    assert_int_equal(mock.n_notices, 80 - 64);
    assert_string_equal(mock.notices[0].what, "tunnel-busy");
    mock_signal(&mock, "notice", 0, globs); /* what was dropped may be said again at once */
    assert_int_equal(mock.n_notices, 80 - 64 + 1);
    mock_stop(&mock); /* with all of them waiting */
}

/* By its `match` a peer belongs to one instance; the others have no state of it. */
static void test_peers_of_another_instance(void **state)
{
    struct mock mock;
    void *kept;

    begin(&mock);
    kept = mock.peers[1].state;
    mock.peers[1].state = NULL;
    mock_signal(&mock, "notice", 0, "event=rebind peers=*");
    check_advised(&mock, 1, 0, 1, 1);
    mock_signal(&mock, "notice", 0, "event=rebind tunnel=wg0 addresses=fd00::2");
    check_advised(&mock, 0, 0, 1, 1);
    mock_signal(&mock, "notice", 0, "event=down peers=b*");
    assert_int_equal(mock.peers[1].look_until_us, 0);
    assert_string_equal(mock.notices[0].what, "tunnel-nobody");
    mock.peers[1].state = kept;
    mock_stop(&mock);
}

static void rebind(struct mock *mock, const char *tunnel, size_t number)
{
    char fields[128];

    snprintf(fields, sizeof(fields), "event=rebind peers=a*+x%zu%s%s", number,
             *tunnel ? " tunnel=" : "", tunnel);
    mock_signal(mock, "notice", 0, fields);
}

/* All of them act, but beyond 64 in quick succession they have no cause. */
static void test_a_flood_has_no_causes(void **state)
{
    struct mock mock;

    begin(&mock);
    for (size_t i = 0; i < 1000; i++)
        rebind(&mock, i % 4 == 1 ? "wg0" : i % 4 == 2 ? "wg1" : "", i);
    assert_int_equal(mock.n_advice, 1000);
    assert_int_equal(mock.causes, 64);
    assert_int_equal(mock.open_causes, 0);
    assert_int_equal(mock.advice[63].cause, 64);
    assert_int_equal(mock.advice[64].cause, 0);
    assert_string_equal(mock.advice[64].reason, "notice: rebind");
    assert_int_equal(mock.advice[999].cause, 0);
    assert_int_equal(mock.n_notices, 1000 - 64); /* the host counts them */
    assert_string_equal(mock.notices[935].what, "tunnel-folded");
    assert_string_equal(
        mock.notices[935].text,
        "messages come faster than causes are recorded; messages without a cause since the start: "
        "468 of no tunnel, 234 of wg0, 234 of wg1");
    /* After 6 s one has a cause again, the next one not. */
    mock_time(&mock, 16 * SECOND);
    rebind(&mock, "", 1000);
    rebind(&mock, "", 1001);
    assert_int_equal(mock.advice[1000].cause, 65);
    assert_int_equal(mock.advice[1001].cause, 0);
    /* After six minutes all have. */
    mock_time(&mock, 500 * SECOND);
    for (size_t i = 0; i < 64; i++)
        rebind(&mock, "wg0", i);
    assert_int_equal(mock.causes, 65 + 64);
    assert_int_equal(mock.open_causes, 0);
    mock_stop(&mock);
}

/* One that concerns many takes one, and asks once. */
static void test_one_cause_for_all_peers_or_none(void **state)
{
    struct mock mock;
    char fields[64];

    begin(&mock);
    for (size_t i = 0; i < 65; i++) {
        snprintf(fields, sizeof(fields), "event=rebind peers=*+x%zu", i);
        mock_signal(&mock, "notice", 0, fields);
    }
    assert_int_equal(mock.causes, 64);
    assert_int_equal(mock.n_advice, 4 * 65);
    assert_int_equal(mock.n_notices, 1);
    mock_stop(&mock);
}

/* However many tunnels there are, the notice has room; none is left out of the sum. */
static void test_a_flood_of_names(void **state)
{
    struct mock mock;
    char name[64];

    begin(&mock);
    for (size_t i = 0; i < 164; i++) {
        memset(name, 'n', sizeof(name));
        snprintf(name + 50, 14, "%zu", i);
        memset(name, 'a' + (int)(i % 20), 10);
        rebind(&mock, name, i);
    }
    assert_int_equal(mock.n_notices, 100);
    assert_non_null(strstr(mock.notices[99].text, " 5 of eeeeeeeeee"));
    assert_non_null(strstr(mock.notices[99].text, ", 70 of others"));
    mock_stop(&mock);
}

static void check_tells(struct mock *mock, uint32_t peer, const char *wanted)
{
    char text[PD_SAVED_MAX];
    int n =
        pathdog_trigger_tunnel.tell(mock->turn.self, &mock->peers[peer].peer,
                                    mock->peers[peer].state, mock->turn.now_us, text, sizeof(text));

    assert_string_equal(text, wanted);
    assert_int_equal(n, strlen(wanted));
}

static void test_what_it_tells(void **state)
{
    struct mock mock;

    begin(&mock);
    check_tells(&mock, 0, "no message so far");
    mock_signal(&mock, "notice", 0, "event=rebind peers=a*");
    mock_signal(&mock, "notice", 0, "event=down peers=c*");
    mock_time(&mock, mock.turn.now_us + 12345678);
    check_tells(&mock, 0, "a message matched this peer 12.3 s ago");
    check_tells(&mock, 1, "none of 2 messages matched this peer");
    check_tells(&mock, 2, "a message matched this peer 12.3 s ago (event down: polled only)");
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notice_good),
        cmocka_unit_test(test_notice_bad),
        cmocka_unit_test(test_whom),
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_a_long_reason_is_cut_between_characters),
        cmocka_unit_test(test_down_only_looks),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_the_same_within_a_second_is_one),
        cmocka_unit_test(test_many_peers_in_slices),
        cmocka_unit_test(test_too_many_notices),
        cmocka_unit_test(test_peers_of_another_instance),
        cmocka_unit_test(test_a_flood_has_no_causes),
        cmocka_unit_test(test_one_cause_for_all_peers_or_none),
        cmocka_unit_test(test_a_flood_of_names),
        cmocka_unit_test(test_what_it_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
