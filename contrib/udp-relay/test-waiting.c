/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for a peer when there is no place for more of them. */
#include "relay-lab.h"

/* Registers at addresses of their own until all places of those who wait are taken. */
static void fill(struct lab *lab, uint32_t n, const char *prefix)
{
    char text[48];

    for (uint32_t i = 0; i < n; i++) {
        struct endpoint from = lab_client("A:1"), to = lab_client("z:1");
        int size = snprintf(text, sizeof(text), "REG:%s %u          ", prefix, i);

        memcpy(from.ip + 4, &i, 4);
        relay_receive(lab->relay, lab->now_us, &from, &to, text, (size_t)size, 0, &lab->out);
        assert_int_equal(lab->out.action, RELAY_ANSWER);
        assert_memory_equal(lab->out.answer, "ACK\n", 4);
    }
}

static void who_waits_unrenewed_gives_up_its_place_to_a_newer_one(void **state)
{
    struct relay_settings settings = lab_settings();
    struct relay_event event;
    struct lab lab;

    settings.max_circuits = 2; /* 8 registrations */
    lab_start(&lab, &settings);
    assert_string_equal(lab_reg(&lab, "a:1", "renewed"), "ACK");
    assert_string_equal(lab_reg(&lab, "b:1", "once"), "ACK");
    lab_wait(&lab, 10);
    fill(&lab, 6, "stranger");
    lab_wait(&lab, 45);
    assert_string_equal(lab_reg(&lab, "a:1", "renewed"), "ACK");
    lab_wait(&lab, 4.5);
    assert_string_equal(lab_reg(&lab, "c:1", "new"), "ERR:limit"); /* all are surer than that */
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_REFUSED_PENDING), 1);
    lab_wait(&lab, 0.5);
    assert_string_equal(lab_reg(&lab, "c:1", "new"), "ACK");
    assert_true(lab_event(&lab, RELAY_ENDED, &event));
    assert_int_equal(event.reason, RELAY_REASON_DISPLACED);
    assert_int_equal(event.id_size, 4);                              /* once */
    assert_string_equal(lab_reg(&lab, "c:2", "newer"), "ERR:limit"); /* one for one */
    lab_wait(&lab, 10);
    for (unsigned i = 0; i < 6; i++) {
        char client[8], id[8];

        snprintf(client, sizeof(client), "d:%u", i + 1);
        snprintf(id, sizeof(id), "id %u", i);
        assert_string_equal(lab_reg(&lab, client, id), "ACK");
    }
    assert_string_equal(lab_reg(&lab, "e:1", "late"), "ERR:limit");
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_ENDED_DISPLACED), 7);
    assert_int_equal(relay_pending(lab.relay), 8);
    assert_string_equal(lab_reg(&lab, "e:1", "renewed"), "ACK"); /* it has kept its place */
    assert_int_equal(relay_circuits(lab.relay), 1);
    assert_string_equal(lab_reg(&lab, "e:2", "late"), "ACK");
    lab_wait(&lab, 120); /* a circuit is never displaced */
    assert_string_equal(lab_reg(&lab, "f:1", "later"), "ACK");
    assert_int_equal(relay_circuits(lab.relay), 1);
    lab_stop(&lab);
}

static void where_there_is_room_nobody_is_displaced(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    fill(&lab, 64 * RELAY_PENDING_FACTOR - 1, "waits");
    lab_wait(&lab, 300);
    assert_string_equal(lab_reg(&lab, "a:1", "new"), "ACK");
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_ENDED_DISPLACED), 0);
    assert_int_equal(relay_pending(lab.relay), 64 * RELAY_PENDING_FACTOR);
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_unrenewed_gives_up_its_place_to_a_newer_one),
        cmocka_unit_test(where_there_is_room_nobody_is_displaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
