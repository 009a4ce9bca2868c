/* SPDX-License-Identifier: Apache-2.0 */
/* A move of one flow, step by step, and what flows show of each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "moves.h"
#include "util/util.h"

#define MS      UINT64_C(1000)
#define BEGUN   (1000 * MS)
#define TIMEOUT (5000 * MS)
#define TOKEN   77

static const uint8_t old_place[16] = {192, 0, 2, 1}, new_place[16] = {198, 51, 100, 1};

/* Asked for at BEGUN, of a flow whose entry 5 has had 20 packets of the server. */
static struct move begun(void)
{
    struct move_look look = {.there = true,
                             .id = 5,
                             .received = 20,
                             .sent_packets = 40,
                             .was_answered = true,
                             .pto_us = 200 * MS};
    struct move move;

    memcpy(look.seen_at, old_place, sizeof(look.seen_at));
    move_begin(&move, TOKEN, "", "up1", "up1", new_place, &look, BEGUN, TIMEOUT);
    return move;
}

static struct move_look look_at(const uint8_t *place, uint32_t id, uint64_t received, uint64_t sent)
{
    struct move_look look = {.there = true, .id = id, .received = received, .sent_packets = sent};

    memcpy(look.seen_at, place, sizeof(look.seen_at));
    look.on_way = place == new_place;
    return look;
}

static void test_what_is_asked_is_kept(void **state)
{
    struct move move = begun();

    (void)state;
    assert_int_equal(move.state, MOVE_SET);
    assert_int_equal(move.token, TOKEN);
    assert_string_equal(move.from, "");
    assert_string_equal(move.to, "up1");
    assert_memory_equal(move.place, new_place, 16);
    assert_memory_equal(move.before, old_place, 16);
    assert_false(move.committed);
    move_end(&move);
    assert_int_equal(move.state, MOVE_NONE);
    assert_int_equal(move.token, 0);
}

/* WireGuard's far end may answer after 10 s: until then the new way is not to blame. */
static void test_no_answer_is_due_yet(void **state)
{
    struct move_look look = {.there = true,
                             .id = 5,
                             .received = 20,
                             .sent_packets = 40,
                             .was_answered = true,
                             .pto_us = UINT64_MAX,
                             .answers_us = 12000 * MS};
    struct move move;

    (void)state;
    memcpy(look.seen_at, old_place, sizeof(look.seen_at));
    move_begin(&move, TOKEN, "", "up1", "up1", new_place, &look, BEGUN, TIMEOUT);
    look = look_at(new_place, 6, 0, 50);
    assert_int_equal(move_look(&move, &look, BEGUN + MS), MOVE_GOES_ON);
    assert_int_equal(move_look(&move, &look, BEGUN + 4000 * MS), MOVE_GOES_ON);
    assert_int_equal(move_look(&move, &look, BEGUN + 5000 * MS), MOVE_UNPROVEN);
    move.until_us = BEGUN + 60000 * MS;
    assert_int_equal(move_look(&move, &look, BEGUN + 12000 * MS), MOVE_GOES_ON);
    assert_int_equal(move_look(&move, &look, BEGUN + 13000 * MS), MOVE_PUT_BACK);
}

static void test_an_answer_on_the_new_way_proves_it(void **state)
{
    struct move move = begun();
    struct move_look look = look_at(new_place, 6, 0, 41);

    (void)state;
    assert_int_equal(move_look(&move, &look, BEGUN + MS), MOVE_GOES_ON); /* sent, no answer yet */
    look.received = 1;
    assert_int_equal(move_look(&move, &look, BEGUN + 2 * MS), MOVE_PROVEN);
    look.id = 5; /* in the same place of the kernel's memory */
    assert_int_equal(move_look(&move, &look, BEGUN + 2 * MS), MOVE_PROVEN);
    look.there = false;
    assert_int_equal(move_look(&move, &look, BEGUN + 2 * MS), MOVE_GOES_ON);
}

static void test_what_comes_on_the_old_way_proves_nothing(void **state)
{
    struct move move = begun();
    struct move_look look = look_at(old_place, 5, 25, 40);

    (void)state;
    assert_int_equal(move_look(&move, &look, BEGUN + MS), MOVE_GOES_ON);
    look.id = 6; /* an entry that a stray packet made */
    assert_int_equal(move_look(&move, &look, BEGUN + MS), MOVE_GOES_ON);
}

/* It goes there already: only what comes from now on counts. */
static void test_a_move_to_where_it_is(void **state)
{
    struct move_look look = look_at(new_place, 5, 20, 40);
    struct move move;

    (void)state;
    move_begin(&move, TOKEN, "up1", "up1", "up1", new_place, &look, BEGUN, TIMEOUT);
    assert_int_equal(move_look(&move, &look, BEGUN + MS), MOVE_GOES_ON);
    look.received = 21;
    assert_int_equal(move_look(&move, &look, BEGUN + MS), MOVE_PROVEN);
}

static void test_one_that_sends_nothing_stays_unproven(void **state)
{
    struct move move = begun();
    struct move_look look = {.sent_packets = 40};

    (void)state;
    assert_int_equal(move_look(&move, &look, BEGUN + TIMEOUT - 1), MOVE_GOES_ON);
    assert_int_equal(move_look(&move, &look, BEGUN + TIMEOUT), MOVE_UNPROVEN);
}

/* While its old way lives there is something to go back to, and soon. */
static void test_one_that_is_not_answered_is_put_back(void **state)
{
    struct move move = begun();
    struct move_look look = look_at(new_place, 6, 0, 41);

    (void)state;
    assert_int_equal(move_look(&move, &look, BEGUN + 100 * MS), MOVE_GOES_ON);
    look.sent_packets = 42; /* too few to say so */
    assert_int_equal(move_look(&move, &look, BEGUN + 1000 * MS), MOVE_GOES_ON);
    look.sent_packets = 43;
    assert_int_equal(move_look(&move, &look, BEGUN + 1100 * MS), MOVE_PUT_BACK);
    move = begun();
    look.sent_packets = 49;
    assert_int_equal(move_look(&move, &look, BEGUN + 100 * MS), MOVE_GOES_ON);
    assert_int_equal(move_look(&move, &look, BEGUN + 899 * MS), MOVE_GOES_ON); /* 4 × 200 ms */
    assert_int_equal(move_look(&move, &look, BEGUN + 900 * MS), MOVE_PUT_BACK);
    move = begun();
    look.sent_packets = 41;
    assert_int_equal(move_look(&move, &look, BEGUN + TIMEOUT), MOVE_PUT_BACK);
}

/* A way that was dead is nothing to go back to: the program's next packet may come late. */
static void test_one_whose_old_way_was_dead_stays(void **state)
{
    struct move move = begun();
    struct move_look look = look_at(new_place, 6, 0, 49);

    (void)state;
    move.was_answered = false;
    assert_int_equal(move_look(&move, &look, BEGUN + 100 * MS), MOVE_GOES_ON);
    assert_int_equal(move_look(&move, &look, BEGUN + TIMEOUT - 1), MOVE_GOES_ON);
    assert_int_equal(move_look(&move, &look, BEGUN + TIMEOUT), MOVE_UNPROVEN);
}

static void test_answered_again_when_put_back(void **state)
{
    struct move move = begun();
    struct move_look look = look_at(new_place, 6, 0, 49);

    (void)state;
    move_put_back(&move, &look, BEGUN + 3000 * MS);
    assert_int_equal(move.state, MOVE_RETURNED);
    assert_int_equal(move.token, TOKEN);
    assert_int_equal(move_look(&move, &look, BEGUN + 3001 * MS), MOVE_GOES_ON);
    look = look_at(old_place, 7, 0, 50);
    assert_int_equal(move_look(&move, &look, BEGUN + 3100 * MS), MOVE_GOES_ON);
    look.received = 1;
    assert_int_equal(move_look(&move, &look, BEGUN + 3100 * MS), MOVE_REFUSED);
    look.sent_packets = 49; /* what it sent long ago was answered: that says nothing */
    assert_int_equal(move_look(&move, &look, BEGUN + 3100 * MS), MOVE_GOES_ON);
    assert_int_equal(move_look(&move, &look, BEGUN + TIMEOUT), MOVE_TIMEOUT);
}

static void test_no_move_no_verdict(void **state)
{
    struct move move = {0};
    struct move_look look = look_at(new_place, 6, 9, 49);

    (void)state;
    assert_int_equal(move_look(&move, &look, BEGUN + TIMEOUT), MOVE_GOES_ON);
}

/* ---- what flows show of each other ---- */

static void test_others_are_others(void **state)
{
    struct moves *moves = moves_new();

    (void)state;
    assert_false(moves_others(moves, new_place, 1, 0, 10));
    moves_answered(moves, new_place, 1, 10);
    assert_false(moves_others(moves, new_place, 1, 0, 10)); /* itself */
    assert_true(moves_others(moves, new_place, 2, 0, 10));
    assert_true(moves_others(moves, new_place, 2, 0, 10 + MOVES_STILL_US));
    assert_false(moves_others(moves, new_place, 2, 0, 11 + MOVES_STILL_US)); /* no more */
    assert_false(moves_others(moves, new_place, 2, 10, 10));                 /* not since then */
    assert_false(moves_others(moves, old_place, 2, 0, 10));
    moves_answered(moves, new_place, 2, 20);
    moves_answered(moves, new_place, 1, 30);
    moves_answered(moves, new_place, 1, 40);
    assert_true(moves_others(moves, new_place, 1, 19, 40)); /* two are kept */
    assert_false(moves_others(moves, new_place, 1, 20, 40));
    moves_free(moves);
}

static void test_places_are_bounded(void **state)
{
    struct moves *moves = moves_new();
    uint8_t place[16] = {10};

    (void)state;
    for (unsigned i = 0; i < 10 * MOVES_PLACES_MOST; i++) {
        place[1] = (uint8_t)(i >> 8);
        place[2] = (uint8_t)i;
        moves_answered(moves, place, 1, 100 + i);
        assert_true(moves_others(moves, place, 2, 0, 100));
    }
    place[1] = place[2] = 0;
    assert_false(moves_others(moves, place, 2, 0, 100)); /* the oldest gave way */
    moves_free(moves);
}

static struct flow_tuple tuple_of(const char *text)
{
    struct flow_tuple tuple;

    assert_int_equal(tuple_parse(text, &tuple), 0);
    return tuple;
}

static void test_a_server_that_does_not_follow(void **state)
{
    struct flow_tuple tuple = tuple_of("udp:192.0.2.7:443#10.0.0.1:1000"),
                      again = tuple_of("udp:192.0.2.7:443#10.0.0.2:2000"),
                      port = tuple_of("udp:192.0.2.7:444#10.0.0.1:1000"),
                      six = tuple_of("udp:[c000:207::]:443#[::1]:1000");
    struct moves *moves = moves_new();

    (void)state;
    assert_false(moves_is_forbidden(moves, &tuple, 1));
    assert_false(moves_refused(moves, &tuple, 1)); /* once may be chance */
    assert_false(moves_is_forbidden(moves, &tuple, 1));
    assert_true(moves_refused(moves, &again, 1)); /* the same server */
    assert_true(moves_is_forbidden(moves, &tuple, 1));
    assert_true(moves_is_forbidden(moves, &again, MOVES_FORBIDDEN_US));
    assert_false(moves_is_forbidden(moves, &again, MOVES_FORBIDDEN_US + 1));
    assert_false(moves_is_forbidden(moves, &port, 1));
    assert_false(moves_is_forbidden(moves, &six, 1));
    moves_free(moves);
}

/* Whatever happens to its flows later: that is the way's fault. */
static void test_a_server_that_has_followed(void **state)
{
    struct flow_tuple tuple = tuple_of("udp:192.0.2.7:443#10.0.0.1:1000");
    struct moves *moves = moves_new();

    (void)state;
    assert_false(moves_refused(moves, &tuple, 1));
    moves_followed(moves, &tuple, 2);
    for (unsigned i = 0; i < 10; i++)
        assert_false(moves_refused(moves, &tuple, 3 + i));
    assert_false(moves_is_forbidden(moves, &tuple, 20));
    moves_free(moves);
}

static void test_servers_are_bounded(void **state)
{
    struct moves *moves = moves_new();
    struct flow_tuple first = tuple_of("udp:192.0.2.7:443#10.0.0.1:1000"), other = first;

    (void)state;
    moves_refused(moves, &first, 1);
    assert_true(moves_refused(moves, &first, 1));
    for (unsigned i = 0; i < MOVES_SERVERS_MOST; i++) {
        other.daddr[1] = (uint8_t)(i >> 8);
        other.daddr[2] = (uint8_t)i;
        other.daddr[3] = 99;
        moves_refused(moves, &other, 2 + i);
        assert_true(moves_refused(moves, &other, 2 + i));
    }
    assert_false(moves_is_forbidden(moves, &first, 2));
    moves_free(moves);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked_is_kept),
        cmocka_unit_test(test_no_answer_is_due_yet),
        cmocka_unit_test(test_an_answer_on_the_new_way_proves_it),
        cmocka_unit_test(test_what_comes_on_the_old_way_proves_nothing),
        cmocka_unit_test(test_a_move_to_where_it_is),
        cmocka_unit_test(test_one_that_sends_nothing_stays_unproven),
        cmocka_unit_test(test_one_that_is_not_answered_is_put_back),
        cmocka_unit_test(test_one_whose_old_way_was_dead_stays),
        cmocka_unit_test(test_answered_again_when_put_back),
        cmocka_unit_test(test_no_move_no_verdict),
        cmocka_unit_test(test_others_are_others),
        cmocka_unit_test(test_places_are_bounded),
        cmocka_unit_test(test_a_server_that_does_not_follow),
        cmocka_unit_test(test_a_server_that_has_followed),
        cmocka_unit_test(test_servers_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
