/* SPDX-License-Identifier: Apache-2.0 */
/* Who registers, what is forwarded, who may move; and each fault of quic-relay, by name. */
#include "relay-lab.h"

#define NOTHING ""

/* ---- what quic-relay's clients rely on ---- */

static void two_members_register_and_reach_each_other(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    assert_string_equal(lab_say(&lab, "a:1", "REG:room\n"), "ACK");
    assert_string_equal(lab_say(&lab, "b:2", "REG:room\n"), "ACK");
    assert_string_equal(lab_say(&lab, "a:1", "hello"), "-> b:2");
    assert_string_equal(lab_say(&lab, "b:2", "hello yourself"), "-> a:1");
    assert_int_equal(relay_circuits(lab.relay), 1);
    assert_int_equal(relay_pending(lab.relay), 0);
    lab_stop(&lab);
}

static void an_id_may_have_white_space_around_it_and_no_line_end(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    assert_string_equal(lab_say(&lab, "a:1", "REG: \t room 1\r\n"), "ACK");
    assert_string_equal(lab_say(&lab, "b:2", "REG:room 1"), "ACK");
    assert_string_equal(lab_say(&lab, "a:1", "x"), "-> b:2");
    lab_stop(&lab);
}

static void what_is_no_id_gets_no_answer(void **state)
{
    static const char *const bad[] = {
        "REG:",          "REG:\n",           "REG: \r\n\t ",         "REG:\xff\xff\xff\xff",
        "REG:a\xc0\x80", "REG:\xed\xa0\x80", "REG:\xf5\x80\x80\x80", "REG:abc\xe2\x82",
    };
    char longest[4 + RELAY_ID_MAX + 2] = "REG:";
    struct lab lab;

    lab_start(&lab, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_string_equal(lab_say(&lab, "a:1", bad[i]), NOTHING);
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_DROPPED_BAD_ID), 8);
    memset(longest + 4, 'x', RELAY_ID_MAX + 1);
    assert_string_equal(lab_say(&lab, "a:1", longest), NOTHING);
    longest[4 + RELAY_ID_MAX] = '\n';
    assert_string_equal(lab_say(&lab, "a:1", longest), "ACK");
    lab_stop(&lab);
}

static void ids_differ_by_every_byte_and_case(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:1", "Room");
    lab_open(&lab, "c:1", "d:1", "room");
    assert_string_equal(lab_bytes(&lab, "e:1", "REG:r\0m", 7), "ACK");
    assert_string_equal(lab_say(&lab, "f:1", "REG:r"), "ACK");
    assert_int_equal(relay_pending(lab.relay), 2);
    assert_string_equal(lab_bytes(&lab, "g:1", "REG:r\0m", 7), "ACK");
    assert_string_equal(lab_say(&lab, "g:1", "x"), "-> e:1");
    lab_stop(&lab);
}

static void empty_datagrams_and_the_largest_go_through(void **state)
{
    static char large[RELAY_DATAGRAM_MOST];
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_bytes(&lab, "a:1", "", 0), "-> b:2");
    assert_string_equal(lab_bytes(&lab, "a:1", large, sizeof(large)), "-> b:2");
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_FORWARDED_DATAGRAMS), 2);
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_FORWARDED_BYTES), sizeof(large));
    lab_stop(&lab);
}

static void what_comes_before_the_second_member_is_dropped(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    assert_string_equal(lab_say(&lab, "a:1", "too early, far too early"), NOTHING);
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_DROPPED_NO_PEER), 1);
    assert_string_equal(lab_reg(&lab, "b:2", "x"), "ACK");
    assert_string_equal(lab_say(&lab, "a:1", "now"), "-> b:2");
    lab_stop(&lab);
}

static void both_families_meet_and_each_is_answered_from_the_address_it_asked(void **state)
{
    struct lab lab; /* lab_train() looks at the addresses */

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "B:2", "x");
    assert_string_equal(lab_say(&lab, "a:1", "to IPv6"), "-> B:2");
    assert_string_equal(lab_say(&lab, "B:2", "to IPv4"), "-> a:1");
    lab_stop(&lab);
}

/* ---- the faults of quic-relay ---- */

static void fault_a_third_member_gets_an_ack_and_its_data_goes_nowhere(void **state)
{
    struct relay_event event;
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_reg(&lab, "c:3", "x"), "ERR:full");
    assert_true(lab_event(&lab, RELAY_REFUSED, &event));
    assert_int_equal(event.reason, RELAY_REASON_FULL);
    assert_string_equal(lab_say(&lab, "c:3", "let me in, please"), "ERR:unknown");
    assert_string_equal(lab_say(&lab, "a:1", "we are still two"), "-> b:2");
    assert_string_equal(lab_say(&lab, "b:2", "we are still two"), "-> a:1");
    lab_stop(&lab);
}

static void fault_a_member_that_registers_again_from_a_new_port_is_black_holed(void **state)
{
    struct relay_event event;
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    lab_wait(&lab, 2);
    assert_string_equal(lab_reg(&lab, "a:9", "x"), "ACK");
    assert_string_equal(lab_say(&lab, "b:2", "to the new port"), "-> a:9");
    assert_string_equal(lab_say(&lab, "a:9", "from the new port"), "-> b:2");
    assert_true(lab_event(&lab, RELAY_MOVED, &event));
    assert_int_equal(event.reason, RELAY_REASON_BY_REG);
    assert_int_equal(event.member[0].port, 1);
    assert_int_equal(event.member[1].port, 9);
    assert_string_equal(lab_say(&lab, "a:1", "from the old port"), "ERR:unknown");
    assert_int_equal(relay_circuits(lab.relay), 1);
    lab_stop(&lab);
}

static void fault_a_socket_that_never_registered_takes_a_members_place(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_say(&lab, "a:9", "I am a, am I not"), "ERR:unknown");
    lab_wait(&lab, 1.9);
    assert_string_equal(lab_say(&lab, "a:9", "I am a, am I not"), "ERR:unknown");
    assert_string_equal(lab_say(&lab, "b:2", "where is a"), "-> a:1");
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_MOVED_BY_DATA), 0);
    lab_stop(&lab);
}

static void fault_a_datagram_that_begins_like_a_registration_is_swallowed(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_say(&lab, "a:1", "REG:"), "-> b:2");
    assert_string_equal(lab_say(&lab, "a:1", "REG:other"), "-> b:2");
    assert_string_equal(lab_say(&lab, "a:1", "REG:x and more"), "-> b:2");
    assert_string_equal(lab_say(&lab, "a:1", "REG:\xff\xfe"), "-> b:2");
    assert_string_equal(lab_say(&lab, "a:1", "ACK\n"), "-> b:2");
    assert_string_equal(lab_say(&lab, "a:1", "ERR:full\n"), "-> b:2");
    assert_string_equal(lab_say(&lab, "a:1", "REG:x\n"), "ACK");
    lab_stop(&lab);
}

/* ---- moving ---- */

static void data_from_a_new_port_moves_a_silent_member(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    lab_wait(&lab, 2);
    assert_string_equal(lab_say(&lab, "a:9", "my NAT has another port"), "-> b:2");
    assert_string_equal(lab_say(&lab, "b:2", "so I see"), "-> a:9");
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_MOVED_BY_DATA), 1);
    lab_stop(&lab);
}

static void with_rebind_register_data_moves_nobody(void **state)
{
    struct relay_settings settings = lab_settings();
    struct lab lab;

    settings.rebind = RELAY_REBIND_REGISTER;
    lab_start(&lab, &settings);
    lab_open(&lab, "a:1", "b:2", "x");
    lab_wait(&lab, 10);
    assert_string_equal(lab_say(&lab, "a:9", "my NAT has another port"), "ERR:unknown");
    assert_string_equal(lab_say(&lab, "b:2", "where are you"), "-> a:1");
    lab_wait(&lab, 1);
    assert_string_equal(lab_reg(&lab, "a:9", "x"), "ACK");
    assert_string_equal(lab_say(&lab, "b:2", "there"), "-> a:9");
    lab_stop(&lab);
}

static void data_moves_nobody_where_it_could_be_one_of_two(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    lab_open(&lab, "a:3", "c:4", "y");
    lab_wait(&lab, 5);
    assert_string_equal(lab_say(&lab, "a:9", "which of them am I"), "ERR:unknown");
    lab_open(&lab, "d:1", "d:2", "z");
    lab_wait(&lab, 5);
    assert_string_equal(lab_say(&lab, "d:9", "which of them am I"), "ERR:unknown");
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_MOVED_BY_DATA), 0);
    lab_stop(&lab);
}

static void data_of_another_address_is_not_heeded(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    lab_wait(&lab, 5);
    assert_string_equal(lab_say(&lab, "c:1", "neither a nor b"), "ERR:unknown");
    assert_string_equal(lab_say(&lab, "b:2", "as before"), "-> a:1");
    lab_stop(&lab);
}

static void a_registration_moves_the_one_that_has_been_silent_longer(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "a:2", "x");
    lab_wait(&lab, 1);
    assert_string_equal(lab_say(&lab, "a:1", "still here"), "-> a:2");
    lab_wait(&lab, 3);
    assert_string_equal(lab_reg(&lab, "a:9", "x"), "ACK"); /* both are silent, 2 for longer */
    assert_string_equal(lab_say(&lab, "a:1", "x"), "-> a:9");
    lab_stop(&lab);
}

static void a_registration_moves_nobody_who_speaks(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    lab_wait(&lab, 1.999999);
    assert_string_equal(lab_reg(&lab, "a:2", "x"), "ACK"); /* the second member */
    assert_int_equal(relay_circuits(lab.relay), 1);
    assert_string_equal(lab_say(&lab, "a:1", "hello"), "-> a:2");
    assert_string_equal(lab_reg(&lab, "a:3", "x"), "ERR:full");
    lab_stop(&lab);
}

static void a_lone_registration_moves_too(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    lab_wait(&lab, 2);
    assert_string_equal(lab_reg(&lab, "a:2", "x"), "ACK");
    assert_int_equal(relay_circuits(lab.relay), 0);
    assert_string_equal(lab_reg(&lab, "b:1", "x"), "ACK");
    assert_string_equal(lab_say(&lab, "b:1", "hello"), "-> a:2");
    lab_stop(&lab);
}

static void the_lease_question_and_data_break_the_silence(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    lab_wait(&lab, 1.5);
    assert_string_equal(lab_lease(&lab, "a:1", "x"), "LEASE:1073741824,1798500");
    lab_wait(&lab, 1.5);
    assert_string_equal(lab_reg(&lab, "a:9", "x"), "ERR:full");
    lab_stop(&lab);
}

/* ---- answers ---- */

static void no_answer_is_longer_than_its_question(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_say(&lab, "c:3", "REG:x"), NOTHING);        /* ERR:full LF is 9 bytes */
    assert_string_equal(lab_say(&lab, "c:3", "REG:x   "), NOTHING);     /* 8 */
    assert_string_equal(lab_say(&lab, "c:3", "REG:x    "), "ERR:full"); /* 9 */
    assert_string_equal(lab_say(&lab, "d:3", "elevenbytes"), NOTHING);
    lab_wait(&lab, 1);
    assert_string_equal(lab_say(&lab, "d:3", "twelve bytes"), "ERR:unknown");
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_ANSWERS_WITHHELD), 3);
    lab_stop(&lab);
}

static void unknown_is_said_once_a_second_per_address(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    assert_string_equal(lab_say(&lab, "a:1", "who am I, if not"), "ERR:unknown");
    assert_string_equal(lab_say(&lab, "a:2", "who am I, if not"), NOTHING);
    assert_string_equal(lab_say(&lab, "b:1", "who am I, if not"), "ERR:unknown");
    lab_wait(&lab, 0.9);
    assert_string_equal(lab_say(&lab, "a:1", "who am I, if not"), NOTHING);
    lab_wait(&lab, 0.1);
    assert_string_equal(lab_say(&lab, "a:1", "who am I, if not"), "ERR:unknown");
    lab_stop(&lab);
}

static void an_answer_gets_no_answer(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    assert_string_equal(lab_say(&lab, "a:1", "ERR:unknown\n"), NOTHING);
    assert_string_equal(lab_say(&lab, "a:1", "ACK\n and so on and on"), NOTHING);
    assert_string_equal(lab_say(&lab, "a:1", "ERROR is a word"), "ERR:unknown");
    lab_stop(&lab);
}

static void without_service_nobody_registers(void **state)
{
    struct relay_settings settings = lab_settings();
    struct lab lab;

    settings.service = false;
    lab_start(&lab, &settings);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ERR:off");
    assert_string_equal(lab_say(&lab, "a:1", "data all the same"), "ERR:unknown");
    assert_int_equal(relay_pending(lab.relay), 0);
    lab_stop(&lab);
}

/* ---- trains ---- */

static void a_train_is_forwarded_in_one(void **state)
{
    char bytes[3050];
    struct lab lab;
    size_t done;

    memset(bytes, 'x', sizeof(bytes));
    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_train(&lab, "a:1", bytes, sizeof(bytes), 1000, &done), "-> b:2");
    assert_int_equal(done, sizeof(bytes));
    assert_int_equal(relay_count(lab.relay, RELAY_COUNT_FORWARDED_DATAGRAMS), 4);
    lab_stop(&lab);
}

static void what_is_for_the_relay_in_a_train_is_found(void **state)
{
    char bytes[64 * 4];
    struct lab lab;
    size_t done;

    memset(bytes, ' ', sizeof(bytes));
    memcpy(bytes, "data", 4);
    memcpy(bytes + 64, "REG:y is data, too", 18);
    memcpy(bytes + 128, "REG:x", 5);
    memcpy(bytes + 192, "LEASE:x", 7);
    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    assert_string_equal(lab_train(&lab, "a:1", bytes, 256, 64, &done), "-> b:2");
    assert_in_range(done, 64, 128);
    if (done == 64) {
        assert_string_equal(lab_train(&lab, "a:1", bytes + 64, 192, 64, &done), "-> b:2");
        assert_int_equal(done, 64);
    }
    assert_string_equal(lab_train(&lab, "a:1", bytes + 128, 128, 64, &done), "ACK");
    assert_string_equal(lab_train(&lab, "a:1", bytes + 192, 64, 64, &done),
                        "LEASE:1073741696,1800000");
    lab_stop(&lab);
}

static void a_train_of_a_stranger_is_looked_at_one_by_one(void **state)
{
    char bytes[64 * 3];
    struct lab lab;
    size_t done;

    memset(bytes, ' ', sizeof(bytes));
    memcpy(bytes, "what?", 5);
    memcpy(bytes + 64, "REG:x", 5);
    memcpy(bytes + 128, "data", 4);
    lab_start(&lab, NULL);
    assert_string_equal(lab_reg(&lab, "b:2", "x"), "ACK");
    assert_string_equal(lab_train(&lab, "a:1", bytes, 192, 64, &done), "ERR:unknown");
    assert_string_equal(lab_train(&lab, "a:1", bytes + 64, 128, 64, &done), "ACK");
    assert_string_equal(lab_train(&lab, "a:1", bytes + 128, 64, 64, &done), "-> b:2");
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_members_register_and_reach_each_other),
        cmocka_unit_test(an_id_may_have_white_space_around_it_and_no_line_end),
        cmocka_unit_test(what_is_no_id_gets_no_answer),
        cmocka_unit_test(ids_differ_by_every_byte_and_case),
        cmocka_unit_test(empty_datagrams_and_the_largest_go_through),
        cmocka_unit_test(what_comes_before_the_second_member_is_dropped),
        cmocka_unit_test(both_families_meet_and_each_is_answered_from_the_address_it_asked),
        cmocka_unit_test(fault_a_third_member_gets_an_ack_and_its_data_goes_nowhere),
        cmocka_unit_test(fault_a_member_that_registers_again_from_a_new_port_is_black_holed),
        cmocka_unit_test(fault_a_socket_that_never_registered_takes_a_members_place),
        cmocka_unit_test(fault_a_datagram_that_begins_like_a_registration_is_swallowed),
        cmocka_unit_test(data_from_a_new_port_moves_a_silent_member),
        cmocka_unit_test(with_rebind_register_data_moves_nobody),
        cmocka_unit_test(data_moves_nobody_where_it_could_be_one_of_two),
        cmocka_unit_test(data_of_another_address_is_not_heeded),
        cmocka_unit_test(a_registration_moves_the_one_that_has_been_silent_longer),
        cmocka_unit_test(a_registration_moves_nobody_who_speaks),
        cmocka_unit_test(a_lone_registration_moves_too),
        cmocka_unit_test(the_lease_question_and_data_break_the_silence),
        cmocka_unit_test(no_answer_is_longer_than_its_question),
        cmocka_unit_test(unknown_is_said_once_a_second_per_address),
        cmocka_unit_test(an_answer_gets_no_answer),
        cmocka_unit_test(without_service_nobody_registers),
        cmocka_unit_test(a_train_is_forwarded_in_one),
        cmocka_unit_test(what_is_for_the_relay_in_a_train_is_found),
        cmocka_unit_test(a_train_of_a_stranger_is_looked_at_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
