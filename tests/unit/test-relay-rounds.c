/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/rounds.c: when which relays are asked, with which id, and what is told of it. */
#include "relay-rig.h"

#include "relay/rounds.h"

#include "util/clock.h"
#include "util/format.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <sys/socket.h>

struct lab {
    struct rig *rig;
    struct answerer relays[3];
    struct rounds *rounds;
    struct rounds_config config;
    struct rig_query query;
    char *texts[3]; /* "a=…", "b=…", "c=…" */
    const char *named[3];
};

static int begin(void **state)
{
    static const char *const speaks[] = {"reg-ack", "reg-ack", "pilot"};
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab->rig = rig_new();
    for (size_t i = 0; i < ARRAY_SIZE(lab->relays); i++) {
        answerer_begin(lab->rig, &lab->relays[i], i == 1 ? AF_INET6 : AF_INET);
        lab->relays[i].answer = i == 2 ? answer_discover : answer_ack;
        lab->texts[i] = string_format("%c=%s %s", (char)('a' + i), lab->relays[i].text, speaks[i]);
        lab->named[i] = lab->texts[i];
    }
    lab->config = (struct rounds_config){.refresh_us = 200000, .first_us = 10000, .enabled = true};
    *state = lab;
    return 0;
}

static int end(void **state)
{
    struct lab *lab = *state;

    rounds_free(lab->rounds);
    for (size_t i = 0; i < ARRAY_SIZE(lab->relays); i++)
        answerer_end(&lab->relays[i]);
    for (size_t i = 0; i < ARRAY_SIZE(lab->texts); i++)
        free(lab->texts[i]);
    rig_free(lab->rig);
    free(lab);
    return 0;
}

static void start(struct lab *lab)
{
    assert_int_equal(rounds_new(&lab->rig->host, &lab->config, &lab->rounds), 0);
}

static int ask(struct lab *lab, uint64_t id, size_t n)
{
    rig_query_probe(&lab->query, id, lab->named, n);
    return rounds_ask(lab->rounds, &lab->query.query);
}

static void test_a_round(void **state)
{
    struct lab *lab = *state;
    uint64_t query, a, b, c;

    start(lab);
    assert_int_equal(ask(lab, 77, 3), 0);
    rig_wait_signals(lab->rig, 1);
    if (sscanf(lab->rig->signals[0],
               "rtts#%" SCNu64 " name=a;rtt_ns=%" SCNu64 ";name=b;rtt_ns=%" SCNu64
               ";name=c;rtt_ns=%" SCNu64 ";",
               &query, &a, &b, &c) != 4)
        fail_msg("%s", lab->rig->signals[0]);
    assert_int_equal(query, 77);
    assert_true(a > 0 && b > 0 && c > 0 && a < UINT64_C(2000000000));
    assert_int_equal(lab->relays[0].n_last, 51);
    assert_memory_equal(lab->relays[0].last, "REG:pathdog-probe-", 18);
    assert_int_equal(lab->relays[2].n_last, 5);
    assert_int_equal(lab->relays[2].last[0], 1);
    assert_true(lab->relays[2].last[1] & 0x80); /* no node's id */
    assert_memory_not_equal(lab->relays[0].last, lab->relays[1].last, 51);
    assert_int_equal(lab->rig->n_notices, 0);
}

/* Id and port stay, so that a relay has one registration. */
static void test_the_next_rounds(void **state)
{
    struct lab *lab = *state;
    uint8_t reg[51], discover[5];

    start(lab);
    ask(lab, 5, 3);
    rig_wait_signals(lab->rig, 1);
    memcpy(reg, lab->relays[0].last, sizeof(reg));
    memcpy(discover, lab->relays[2].last, sizeof(discover));
    rig_wait_signals(lab->rig, 3);
    assert_memory_equal(lab->rig->signals[1], "rtts#0 name=a;rtt_ns=", 21);
    assert_memory_equal(lab->rig->signals[2], "rtts#0 name=a;rtt_ns=", 21);
    assert_int_equal(lab->relays[0].n, 3);
    assert_memory_equal(lab->relays[0].last, reg, sizeof(reg));
    assert_memory_equal(lab->relays[2].last, discover, sizeof(discover));
    assert_int_equal(lab->relays[0].froms[0].sin6_port, lab->relays[0].froms[2].sin6_port);
    assert_true(lab->relays[0].froms[0].sin6_port != lab->relays[2].froms[0].sin6_port);
}

static void test_the_first_one_waits(void **state)
{
    struct lab *lab = *state;
    uint64_t spread_us[2] = {UINT64_MAX, 0};

    lab->config.first_us = lab->config.refresh_us = 300000;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t began_us = clock_us(CLOCK_MONOTONIC), took_us;

        start(lab);
        ask(lab, 1, 1);
        assert_int_equal(lab->relays[0].n, i);
        rig_wait_signals(lab->rig, i + 1);
        took_us = clock_us(CLOCK_MONOTONIC) - began_us;
        spread_us[0] = min_u64(spread_us[0], took_us);
        spread_us[1] = max_u64(spread_us[1], took_us);
        lab->rounds = rounds_free(lab->rounds);
    }
    /* Of eight, all within 10 ms of each other: once in 10^9. */
    assert_true(spread_us[1] - spread_us[0] > 10000);
}

static void test_a_new_list(void **state)
{
    struct lab *lab = *state;
    uint8_t reg[51];
    uint64_t began_us;

    lab->config.refresh_us = 3600000000;
    start(lab);
    began_us = clock_us(CLOCK_MONOTONIC);
    ask(lab, 1, 1);
    rig_wait_signals(lab->rig, 1);
    memcpy(reg, lab->relays[0].last, sizeof(reg));
    ask(lab, 2, 2); /* long before the refresh, and not sooner than a second after the last */
    ask(lab, 3, 2);
    rig_wait_signals(lab->rig, 2);
    assert_true(clock_us(CLOCK_MONOTONIC) - began_us >= 1000000);
    assert_memory_equal(lab->rig->signals[1], "rtts#3 name=a;rtt_ns=", 21);
    assert_non_null(strstr(lab->rig->signals[1], ";name=b;rtt_ns="));
    assert_memory_equal(lab->relays[0].last, reg, sizeof(reg)); /* the same relay, the same id */
}

/* What is asked again is asked as somebody else: the answer to the first is none to the second. */
static void test_the_second_try(void **state)
{
    struct lab *lab = *state;
    uint8_t first[51];

    lab->relays[0].answer = NULL;
    lab->config.first_us = 0;
    lab->config.refresh_us = 4000000;
    start(lab);
    ask(lab, 1, 1);
    rig_wait_asked(lab->rig, &lab->relays[0], 1);
    memcpy(first, lab->relays[0].last, sizeof(first));
    rig_wait_signals(lab->rig, 1);
    rig_wait_asked(lab->rig, &lab->relays[0], 2);
    assert_int_equal(lab->relays[0].n, 2);
    assert_memory_not_equal(lab->relays[0].last, first, sizeof(first));
    assert_true(lab->relays[0].froms[0].sin6_port != lab->relays[0].froms[1].sin6_port);
    lab->relays[0].answer = answer_ack;
    rig_wait_signals(lab->rig, 2);
    assert_memory_equal(lab->relays[0].last, first, sizeof(first));
    assert_int_equal(lab->relays[0].froms[0].sin6_port, lab->relays[0].froms[2].sin6_port);
}

static void test_asked_during_a_round(void **state)
{
    struct lab *lab = *state;

    lab->relays[0].answer = NULL; /* so it takes its time */
    lab->config.refresh_us = 3600000000;
    lab->config.first_us = 0;
    start(lab);
    ask(lab, 1, 1);
    rig_wait_asked(lab->rig, &lab->relays[0], 1);
    lab->named[0] = lab->texts[2];
    ask(lab, 2, 1);
    rig_wait_signals(lab->rig, 2);
    assert_string_equal(lab->rig->signals[0],
                        "rtts#1 name=a;error=no answer to 2 tries, for 2 s each;");
    assert_memory_equal(lab->rig->signals[1], "rtts#2 name=c;rtt_ns=", 21);
}

static void test_none_any_more(void **state)
{
    struct lab *lab = *state;
    unsigned n;

    start(lab);
    ask(lab, 1, 1);
    rig_wait_signals(lab->rig, 1);
    ask(lab, 2, 0);
    rig_wait_signals(lab->rig, 2);
    assert_string_equal(lab->rig->signals[1], "rtts#2 ");
    n = lab->relays[0].n;
    rig_run(lab->rig, 500000);
    assert_int_equal(lab->relays[0].n, n);
    assert_int_equal(lab->rig->n_signals, 2);
}

static void test_switched_off(void **state)
{
    struct lab *lab = *state;

    lab->config.enabled = false;
    start(lab);
    ask(lab, 9, 3);
    assert_int_equal(lab->rig->n_signals, 1);
    assert_string_equal(lab->rig->signals[0], "rtts#9 ");
    rig_run(lab->rig, 100000);
    assert_int_equal(lab->relays[0].n, 0);
}

static void answer_full(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                        const uint8_t *bytes, size_t length)
{
    answerer_send(answerer, from, n_from, "ERR:full\n", 9);
}

static void answer_denied(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                          const uint8_t *bytes, size_t length)
{
    answerer_send(answerer, from, n_from, "ERR:denied\n", 11);
}

static void answer_rubbish(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                           const uint8_t *bytes, size_t length)
{
    for (unsigned i = 0; i < 1000; i++)
        answerer_send(answerer, from, n_from, "\x02\x04HTTP/1.1", 10);
}

static void test_relays_that_say_something_else(void **state)
{
    struct lab *lab = *state;

    lab->relays[0].answer = answer_full;
    lab->relays[1].answer = answer_denied; /* another id may be served: it counts */
    lab->relays[2].answer = answer_rubbish;
    start(lab);
    ask(lab, 1, 3);
    rig_wait_signals(lab->rig, 1);
    assert_memory_equal(lab->rig->signals[0], "rtts#1 name=a;error=ERR:full;name=b;rtt_ns=", 43);
    assert_non_null(strstr(lab->rig->signals[0], ";name=c;error=what came was no answer: "));
    assert_int_equal(lab->rig->n_notices, 1);
    assert_memory_equal(lab->rig->notices[0], "4 relay-answer: c (127.0.0.1:", 29);
    assert_non_null(strstr(lab->rig->notices[0], "of what came 64 datagrams were no answer"));
}

static void test_what_is_no_relay(void **state)
{
    struct lab *lab = *state;

    start(lab);
    lab->named[1] = "b=nowhere";
    assert_true(ask(lab, 4, 2) < 0);
    assert_string_equal(lab->rig->signals[0], "rtts#4 ");
    rig_run(lab->rig, 100000);
    assert_int_equal(lab->relays[0].n, 0);
}

static void test_ended_in_the_middle(void **state)
{
    struct lab *lab = *state;

    lab->relays[0].answer = NULL;
    lab->config.first_us = 0;
    start(lab);
    ask(lab, 1, 3);
    rig_run(lab->rig, 50000);
    lab->rounds = rounds_free(lab->rounds);
    rig_run(lab->rig, 50000);
    assert_int_equal(lab->rig->n_signals, 0);
}

/* Lists that come meanwhile, as the node's does, do not end the first wait. */
static void test_the_first_wait_stands(void **state)
{
    struct lab *lab = *state;

    lab->config.first_us = lab->config.refresh_us = UINT64_C(3600000000);
    start(lab);
    assert_int_equal(ask(lab, 1, 1), 0);
    assert_int_equal(ask(lab, 2, 2), 0);
    assert_int_equal(ask(lab, 3, 3), 0);
    rig_run(lab->rig, 50000);
    assert_int_equal(lab->rig->n_signals, 0);
    assert_int_equal(lab->relays[0].n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_round, begin, end),
        cmocka_unit_test_setup_teardown(test_the_first_wait_stands, begin, end),
        cmocka_unit_test_setup_teardown(test_the_next_rounds, begin, end),
        cmocka_unit_test_setup_teardown(test_the_first_one_waits, begin, end),
        cmocka_unit_test_setup_teardown(test_a_new_list, begin, end),
        cmocka_unit_test_setup_teardown(test_the_second_try, begin, end),
        cmocka_unit_test_setup_teardown(test_asked_during_a_round, begin, end),
        cmocka_unit_test_setup_teardown(test_none_any_more, begin, end),
        cmocka_unit_test_setup_teardown(test_switched_off, begin, end),
        cmocka_unit_test_setup_teardown(test_relays_that_say_something_else, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_no_relay, begin, end),
        cmocka_unit_test_setup_teardown(test_ended_in_the_middle, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
