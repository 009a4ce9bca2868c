/* SPDX-License-Identifier: Apache-2.0 */
/* Very many strangers at once: what they are told is bounded in all, and members feel nothing of
 * it. */
#include "relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define STRANGERS   50000u
#define ANSWERS_MAX 1000u /* refusals in a second */

struct lab {
    struct relay *relay;
    uint64_t now_us;
    struct endpoint own;
};

static struct endpoint address(uint32_t number, uint16_t port)
{
    struct endpoint endpoint = {.port = port};

    memset(endpoint.ip + 10, 0xff, 2);
    endpoint.ip[12] = 127;
    for (int i = 0; i < 3; i++)
        endpoint.ip[15 - i] = (uint8_t)(number >> 8 * i);
    return endpoint;
}

static struct lab lab_new(void)
{
    const struct relay_settings settings = {.session_timeout_us = 300000000,
                                            .reservation_ttl_us = 3600000000u,
                                            .max_data_bytes = 100,
                                            .max_circuits = 4,
                                            .max_circuits_per_address = 4,
                                            .max_datagram_bytes = 1500,
                                            .service = true};
    struct lab lab = {.relay = relay_new(&settings, (const uint8_t[16]){1}),
                      .now_us = 5000000,
                      .own = address(1, 0)};

    assert_non_null(lab.relay);
    return lab;
}

static struct relay_out say(struct lab *lab, struct endpoint from, const char *text)
{
    struct relay_out out = {0};

    relay_receive(lab->relay, lab->now_us, &from, &lab->own, text, strlen(text), 0, &out);
    return out;
}

static bool is_answer(const struct relay_out *out, const char *text)
{
    return out->action == RELAY_ANSWER && out->answer_size == strlen(text) &&
           !memcmp(out->answer, text, out->answer_size);
}

static void open_room(struct lab *lab)
{
    struct relay_out out = say(lab, address(2, 1), "REG:room");

    assert_true(is_answer(&out, "ACK\n"));
    out = say(lab, address(3, 1), "REG:room");
    assert_true(is_answer(&out, "ACK\n"));
}

static void strangers_are_told_so_often_and_no_more(void **state)
{
    struct lab lab = lab_new();
    size_t memory_bytes = relay_memory_bytes(lab.relay), n_answers = 0, n_acks = 0;
    char text[32];

    open_room(&lab);
    for (uint32_t i = 0; i < STRANGERS; i++) {
        struct relay_out out;

        snprintf(text, sizeof(text), i % 2 ? "REG:%u        " : "some data of %u", i);
        out = say(&lab, address(1000 + i, 7), text);
        n_answers += out.action == RELAY_ANSWER;
        n_acks += is_answer(&out, "ACK\n");
        assert_true(out.action != RELAY_FORWARD);
    }
    assert_int_equal(n_acks, 4 * RELAY_PENDING_FACTOR);
    assert_int_equal(n_answers, n_acks + ANSWERS_MAX);
    assert_int_equal(relay_memory_bytes(lab.relay), memory_bytes);
    lab.now_us += 1000000;
    struct relay_out out = say(&lab, address(999, 7), "some data of another");

    assert_true(is_answer(&out, "ERR:unknown\n"));
    relay_free(lab.relay);
}

static void members_are_answered_all_the_same(void **state)
{
    struct lab lab = lab_new();
    struct relay_out out;
    char data[92];

    open_room(&lab);
    for (uint32_t i = 0; i < STRANGERS; i++)
        say(&lab, address(1000 + i, 7), "some data of somebody");
    out = say(&lab, address(2, 1), "REG:room");
    assert_true(is_answer(&out, "ACK\n"));
    memset(data, 'x', sizeof(data) - 1);
    data[sizeof(data) - 1] = '\0';
    out = say(&lab, address(2, 1), data);
    assert_int_equal(out.action, RELAY_FORWARD);
    assert_true(endpoint_equal(&out.to, &(struct endpoint[]){address(3, 1)}[0]));
    out = say(&lab, address(2, 1), data);
    assert_true(is_answer(&out, "ERR:limit\n"));
    relay_free(lab.relay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_are_told_so_often_and_no_more),
        cmocka_unit_test(members_are_answered_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
