/* SPDX-License-Identifier: Apache-2.0 */
/* How much, how long, how many: limits of the relay, and what a client is told of them. */
#include "relay-lab.h"

#define NOTHING ""

/* ---- data ---- */

static void max_data_is_whole_datagrams_per_direction(void **state)
{
    struct relay_settings settings = lab_settings();
    struct relay_event event;
    char bytes[1000] = {0};
    struct lab lab;

    settings.max_data_bytes = 2500;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 1000), "-> b:2");
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 1000), "-> b:2");
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 1000), "ERR:limit"); /* does not fit */
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 1), NOTHING); /* the direction is over */
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 0), NOTHING);
    assert_true(lab_event(&lab, RELAY_LIMITED, &event));
    assert_int_equal(event.bytes[0], 2000);
    assert_string_equal(lab_bytes(&lab, "b:2", bytes, 1000), "-> a:1"); /* the other goes on */
    assert_string_equal(lab_bytes(&lab, "b:2", bytes, 1000), "-> a:1");
    assert_string_equal(lab_bytes(&lab, "b:2", bytes, 500), "-> a:1"); /* to the last byte */
    assert_string_equal(lab_bytes(&lab, "b:2", bytes, 0), "-> a:1");
    assert_string_equal(lab_bytes(&lab, "b:2", bytes, 1), NOTHING); /* shorter than ERR:limit */
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_FORWARDED_BYTES), 4500);
    lab_stop(&lab);
}

static void past_max_data_the_limit_is_told_once_a_second(void **state)
{
    struct relay_settings settings = lab_settings();
    char bytes[100] = {0};
    struct lab lab;

    settings.max_data_bytes = 99;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 100), "ERR:limit");
    lab_wait(&lab, 0.9);
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 100), NOTHING);
    lab_wait(&lab, 0.1);
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 100), "ERR:limit");
    lab_stop(&lab);
}

static void registering_again_or_moving_resets_no_limit(void **state)
{
    struct relay_settings settings = lab_settings();
    char bytes[100] = {0};
    struct lab lab;

    settings.max_data_bytes = 150;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 100), "-> b:2");
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 100), "ERR:limit");
    lab_wait(&lab, 2);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 100), "ERR:limit");
    lab_wait(&lab, 2);
    assert_string_equal(lab_reg(&lab, "a:9", "x"), "ACK");
    assert_string_equal(lab_bytes(&lab, "a:9", bytes, 20), "ERR:limit");
    lab_stop(&lab);
}

static void a_train_is_cut_where_the_limit_is(void **state)
{
    struct relay_settings settings = lab_settings();
    char bytes[1000] = {0};
    struct lab lab;
    size_t done;

    settings.max_data_bytes = 350;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_train(&lab, "a:1", bytes, 1000, 100, &done), "-> b:2");
    assert_int_equal(done, 300);
    assert_string_equal(lab_train(&lab, "a:1", bytes, 700, 100, &done), "ERR:limit");
    assert_int_equal(done, 100);
    assert_string_equal(lab_train(&lab, "a:1", bytes, 600, 100, &done), NOTHING);
    lab_stop(&lab);
}

static void no_limit_is_no_limit(void **state)
{
    struct relay_settings settings = lab_settings();
    char bytes[1000] = {0};
    struct lab lab;

    settings.max_data_bytes = 0;
    settings.max_duration_us = 0;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    for (unsigned i = 0; i < 100; i++) {
        lab_wait(&lab, 299);
        assert_string_equal(lab_bytes(&lab, "a:1", bytes, sizeof(bytes)), "-> b:2");
    }
    assert_string_equal(lab_lease(&lab, "a:1", "x"), "LEASE:-,-");
    lab_stop(&lab);
}

static void what_is_larger_than_the_buffer_is_dropped(void **state)
{
    struct relay_settings settings = lab_settings();
    static char bytes[2049];
    struct lab lab;

    settings.max_datagram_bytes = 2048;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 2048), "-> b:2");
    assert_string_equal(lab_bytes(&lab, "a:1", bytes, 2049), NOTHING);
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_DROPPED_TOO_LARGE), 1);
    lab_stop(&lab);
}

/* ---- time ---- */

static void max_duration_is_from_the_second_members_registration(void **state)
{
    struct relay_settings settings = lab_settings();
    struct relay_event event;
    struct lab lab;

    settings.max_duration_us = 60 * S;
    lab_start(&lab, &settings);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    lab_wait(&lab, 100);
    assert_string_equal(lab_reg(&lab, "b:2", "x"), "ACK");
    lab_wait(&lab, 59);
    assert_string_equal(lab_say(&lab, "a:1", "still"), "-> b:2");
    lab.now_us += S - 1;
    assert_string_equal(lab_say(&lab, "a:1", "still"), "-> b:2");
    lab.now_us += 1; /* without a tick: it is over to the microsecond */
    assert_string_equal(lab_say(&lab, "a:1", "it is over now"), "ERR:unknown");
    assert_true(lab_event(&lab, RELAY_ENDED, &event));
    assert_int_equal(event.reason, RELAY_REASON_DURATION);
    assert_int_equal(event.bytes[0], 10);
    assert_int_equal(relay_circuits(lab.relay), 0);
    lab_open(&lab, "c:1", "d:2", "x"); /* the id may be used anew */
    assert_string_equal(lab_say(&lab, "c:1", "hello"), "-> d:2");
    lab_stop(&lab);
}

static void a_session_ends_when_nothing_was_forwarded_for_the_timeout(void **state)
{
    struct relay_settings settings = lab_settings();
    struct relay_event event;
    struct lab lab;

    settings.session_timeout_us = 10 * S;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    lab_wait(&lab, 9);
    assert_string_equal(lab_say(&lab, "a:1", "one direction is enough"), "-> b:2");
    lab_wait(&lab, 9);
    assert_string_equal(lab_reg(&lab, "b:2", "x"), "ACK"); /* and so is a registration */
    lab_wait(&lab, 9.9);
    assert_int_equal(relay_circuits(lab.relay), 1);
    lab_wait(&lab, 2.1);
    assert_int_equal(relay_circuits(lab.relay), 0);
    assert_true(lab_event(&lab, RELAY_ENDED, &event));
    assert_int_equal(event.reason, RELAY_REASON_TIMEOUT);
    lab_stop(&lab);
}

static void what_is_not_forwarded_keeps_no_session(void **state)
{
    struct relay_settings settings = lab_settings();
    char bytes[100] = {0};
    struct lab lab;

    settings.session_timeout_us = 10 * S;
    settings.max_data_bytes = 50;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    for (unsigned i = 0; i < 9; i++) {
        lab_wait(&lab, 1);
        lab_bytes(&lab, "a:1", bytes, 100);
        lab_lease(&lab, "b:2", "x");
        lab_say(&lab, "c:3", "from a stranger");
    }
    lab_wait(&lab, 3);
    assert_int_equal(relay_circuits(lab.relay), 0);
    lab_stop(&lab);
}

static void a_registration_without_a_peer_lives_as_long_as_its_reservation(void **state)
{
    struct relay_settings settings = lab_settings();
    struct relay_event event;
    struct lab lab;

    settings.reservation_ttl_us = 600 * S;
    settings.session_timeout_us = 10 * S;
    lab_start(&lab, &settings);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    lab_wait(&lab, 599);
    assert_int_equal(relay_pending(lab.relay), 1);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK"); /* renewed */
    lab_wait(&lab, 599);
    assert_int_equal(relay_pending(lab.relay), 1);
    lab_wait(&lab, 3);
    assert_int_equal(relay_pending(lab.relay), 0);
    assert_true(lab_event(&lab, RELAY_ENDED, &event));
    assert_int_equal(event.reason, RELAY_REASON_RESERVATION);
    lab_stop(&lab);
}

static void a_running_circuit_survives_its_reservation(void **state)
{
    struct relay_settings settings = lab_settings();
    struct lab lab;

    settings.reservation_ttl_us = 5 * S;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    lab_wait(&lab, 100);
    assert_string_equal(lab_say(&lab, "a:1", "still"), "-> b:2");
    lab_stop(&lab);
}

/* ---- how many ---- */

static void max_circuits_in_all(void **state)
{
    struct relay_settings settings = lab_settings();
    struct lab lab;

    settings.max_circuits = 2;
    settings.session_timeout_us = 10 * S;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:1", "1");
    lab_open(&lab, "c:1", "d:1", "2");
    assert_string_equal(lab_reg(&lab, "e:1", "3"), "ACK");
    assert_string_equal(lab_reg(&lab, "f:1", "3"), "ERR:limit");
    lab_wait(&lab, 9);
    assert_string_equal(lab_say(&lab, "c:1", "keep"), "-> d:1");
    lab_wait(&lab, 3); /* the first circuit ends */
    assert_int_equal(relay_circuits(lab.relay), 1);
    assert_string_equal(lab_reg(&lab, "f:1", "3"), "ACK");
    assert_string_equal(lab_say(&lab, "f:1", "in"), "-> e:1");
    lab_stop(&lab);
}

static void max_circuits_per_address(void **state)
{
    struct relay_settings settings = lab_settings();
    struct lab lab;

    settings.max_circuits_per_address = 2;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:1", "1");
    lab_open(&lab, "c:1", "a:2", "2");
    assert_string_equal(lab_reg(&lab, "a:3", "3"), "ACK");
    assert_string_equal(lab_reg(&lab, "d:1", "3"), "ERR:limit"); /* by the first one's address */
    assert_string_equal(lab_reg(&lab, "e:1", "4"), "ACK");
    assert_string_equal(lab_reg(&lab, "a:4", "4"), "ERR:limit"); /* by its own */
    assert_string_equal(lab_reg(&lab, "f:1", "4"), "ACK");       /* nobody's fault */
    lab_open(&lab, "g:1", "g:2", "5"); /* two members of one circuit are one circuit */
    lab_open(&lab, "g:3", "g:4", "6");
    assert_string_equal(lab_reg(&lab, "g:5", "7"), "ACK");
    assert_string_equal(lab_reg(&lab, "g:6", "7"), "ERR:limit");
    lab_stop(&lab);
}

static void registrations_without_a_peer_are_limited_per_address_and_in_all(void **state)
{
    struct relay_settings settings = lab_settings();
    char id[16], client[16];
    struct lab lab;
    unsigned n = 0;

    settings.max_circuits = 5; /* 20 registrations */
    lab_start(&lab, &settings);
    for (; n < 16; n++) {
        snprintf(client, sizeof(client), "a:%u", n + 1);
        snprintf(id, sizeof(id), "id %u", n);
        assert_string_equal(lab_reg(&lab, client, id), "ACK");
    }
    assert_string_equal(lab_reg(&lab, "a:99", "one more"), "ERR:limit");
    for (; n < 20; n++) {
        snprintf(id, sizeof(id), "id %u", n);
        snprintf(client, sizeof(client), "b:%u", n + 1);
        assert_string_equal(lab_reg(&lab, client, id), "ACK");
    }
    assert_string_equal(lab_reg(&lab, "c:1", "one more"), "ERR:limit");
    assert_int_equal(relay_pending(lab.relay), 20);
    assert_string_equal(lab_reg(&lab, "c:1", "id 3"), "ACK"); /* who has a peer may come */
    assert_int_equal(relay_circuits(lab.relay), 1);
    assert_string_equal(lab_reg(&lab, "c:2", "one more"), "ACK");
    lab_stop(&lab);
}

static void registrations_are_limited_in_rate_per_address(void **state)
{
    struct lab lab;
    unsigned n = 0;

    lab_start(&lab, NULL);
    for (; n < 100; n++)
        assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ERR:limit");
    assert_string_equal(lab_reg(&lab, "a:2", "y"), NOTHING); /* said already */
    assert_string_equal(lab_reg(&lab, "b:1", "z"), "ACK");
    lab_wait(&lab, 1);
    for (n = 0; n < 20; n++)
        assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ERR:limit");
    lab_wait(&lab, 60);
    for (n = 0; n < 100; n++)
        assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ERR:limit");
    lab_stop(&lab);
}

static void the_rate_is_remembered_when_a_session_ends(void **state)
{
    struct relay_settings settings = lab_settings();
    struct lab lab;

    settings.reservation_ttl_us = S;
    lab_start(&lab, &settings);
    for (unsigned n = 0; n < 100; n++)
        assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    lab_wait(&lab, 2.25);
    assert_int_equal(relay_pending(lab.relay), 0);
    for (unsigned n = 0; n < 45; n++)
        assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ERR:limit");
    lab_stop(&lab);
}

static void strangers_take_no_memory(void **state)
{
    struct endpoint from, to = lab_client("z:1");
    struct relay_out out;
    struct lab lab;
    size_t before;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    before = relay_memory_bytes(lab.relay);
    for (uint32_t i = 0; i < 200000; i++) {
        char text[32];
        int n = snprintf(text, sizeof(text), "REG:flood %u        ", i);

        from = lab_client("A:1");
        memcpy(from.ip + 4, &i, 4);
        relay_receive(lab.relay, lab.now_us + i, &from, &to, text, (size_t)n, 0, &out);
    }
    assert_int_equal(relay_pending(lab.relay), 64 * RELAY_PENDING_FACTOR);
    assert_int_equal(relay_memory_bytes(lab.relay), before);
    lab.now_us += 200000;
    assert_string_equal(lab_say(&lab, "a:1", "and we go on"), "-> b:2");
    lab_stop(&lab);
}

/* ---- LEASE ---- */

static void the_lease_tells_what_is_left_of_the_direction_with_less(void **state)
{
    struct relay_settings settings = lab_settings();
    char bytes[1000] = {0};
    struct lab lab;

    settings.max_data_bytes = 10000;
    settings.max_duration_us = 60 * S;
    lab_start(&lab, &settings);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    lab_wait(&lab, 1);
    assert_string_equal(lab_lease(&lab, "a:1", "x"), "LEASE:10000,60000"); /* not begun */
    assert_string_equal(lab_reg(&lab, "b:2", "x"), "ACK");
    lab_bytes(&lab, "a:1", bytes, 1000);
    lab_bytes(&lab, "b:2", bytes, 700);
    lab_wait(&lab, 1.5);
    assert_string_equal(lab_lease(&lab, "a:1", "x"), "LEASE:9000,58500");
    assert_string_equal(lab_lease(&lab, "b:2", "x"), "LEASE:9000,58500");
    for (unsigned i = 0; i < 14; i++)
        lab_bytes(&lab, "b:2", bytes, 700);
    assert_string_equal(lab_lease(&lab, "a:1", "x"), "LEASE:0,58500");
    lab_stop(&lab);
}

static void only_a_padded_question_of_a_member_about_its_session_is_one(void **state)
{
    char text[64];
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    memset(text, ' ', sizeof(text));
    memcpy(text, "LEASE:x", 7);
    assert_string_equal(lab_bytes(&lab, "a:1", text, 63), "-> b:2");
    assert_string_equal(lab_bytes(&lab, "a:1", text, 64), "LEASE:1073741761,1800000");
    assert_string_equal(lab_lease(&lab, "a:1", "y"), "-> b:2");
    assert_string_equal(lab_lease(&lab, "a:1", ""), "-> b:2");
    assert_string_equal(lab_lease(&lab, "c:1", "x"), "ERR:unknown");
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_data_is_whole_datagrams_per_direction),
        cmocka_unit_test(past_max_data_the_limit_is_told_once_a_second),
        cmocka_unit_test(registering_again_or_moving_resets_no_limit),
        cmocka_unit_test(a_train_is_cut_where_the_limit_is),
        cmocka_unit_test(no_limit_is_no_limit),
        cmocka_unit_test(what_is_larger_than_the_buffer_is_dropped),
        cmocka_unit_test(max_duration_is_from_the_second_members_registration),
        cmocka_unit_test(a_session_ends_when_nothing_was_forwarded_for_the_timeout),
        cmocka_unit_test(what_is_not_forwarded_keeps_no_session),
        cmocka_unit_test(a_registration_without_a_peer_lives_as_long_as_its_reservation),
        cmocka_unit_test(a_running_circuit_survives_its_reservation),
        cmocka_unit_test(max_circuits_in_all),
        cmocka_unit_test(max_circuits_per_address),
        cmocka_unit_test(registrations_without_a_peer_are_limited_per_address_and_in_all),
        cmocka_unit_test(registrations_are_limited_in_rate_per_address),
        cmocka_unit_test(the_rate_is_remembered_when_a_session_ends),
        cmocka_unit_test(strangers_take_no_memory),
        cmocka_unit_test(the_lease_tells_what_is_left_of_the_direction_with_less),
        cmocka_unit_test(only_a_padded_question_of_a_member_about_its_session_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
