/* SPDX-License-Identifier: Apache-2.0 */
/* What a relay says, and what only looks like it. */
#include "relay_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const char id[] = "0123456789abcdef0123456789abcdef";

static struct relay_said said(const char *text)
{
    return relay_said((const uint8_t *)text, strlen(text));
}

static void test_answers(void **state)
{
    struct relay_said s;

    (void)state;
    assert_int_equal(said("ACK\n").what, RELAY_ACK);
    assert_int_equal(said("ACK").what, RELAY_ACK);
    s = said("ERR:full\n");
    assert_int_equal(s.what, RELAY_ERR);
    assert_string_equal(s.word, "full");
    s = said("ERR:of-a-later-one-0");
    assert_int_equal(s.what, RELAY_ERR);
    s = said("LEASE:10485760,1800000\n");
    assert_int_equal(s.what, RELAY_LEASE);
    assert_int_equal(s.bytes, 10485760);
    assert_int_equal(s.ms, 1800000);
    s = said("LEASE:-,-\n");
    assert_int_equal(s.what, RELAY_LEASE);
    assert_true(s.bytes == UINT64_MAX && s.ms == UINT64_MAX);
    s = said("LEASE:-,0\n");
    assert_int_equal(s.what, RELAY_LEASE);
    assert_true(s.bytes == UINT64_MAX && s.ms == 0);
    s = said("LEASE:18446744073709551614,5\n");
    assert_int_equal(s.what, RELAY_LEASE);
    assert_true(s.bytes == UINT64_MAX - 1);
}

static void test_the_other_ends(void **state)
{
    static const char *const data[] = {
        "",
        "A",
        "ack\n",
        "ACK\n\n",
        "ACK ",
        "ACKNOWLEDGED",
        "ERR:",
        "ERR:\n",
        "ERR:Full\n",
        "ERR:no answer\n",
        "ERR:a-word-that-is-too-long\n",
        "LEASE:",
        "LEASE:1\n",
        "LEASE:1,\n",
        "LEASE:,1\n",
        "LEASE:1,2",
        "LEASE:1,2\n\n",
        "LEASE:1,2 \n",
        "LEASE:-1,2\n",
        "LEASE:--,2\n",
        "LEASE:18446744073709551615,5\n",
        "LEASE:99999999999999999999999,5\n",
        "REG:0123\n",
        "REG:0123456789ABCDEF0123456789abcdef\n",
        "LEASE:0123456789abcdef0123456789abcde",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
        assert_int_equal(said(data[i]).what, RELAY_DATA);
}

/* An old relay forwards what it does not know. */
static void test_questions(void **state)
{
    char text[RELAY_QUESTION_MAX];
    size_t len = relay_ask_register(text, id);

    (void)state;
    assert_int_equal(len, 37);
    assert_memory_equal(text, "REG:0123456789abcdef0123456789abcdef\n", len);
    assert_int_equal(relay_said((uint8_t *)text, len).what, RELAY_ASKED);
    len = relay_ask_lease(text, id);
    assert_int_equal(len, 64);
    assert_memory_equal(text, "LEASE:0123456789abcdef0123456789abcdef                          ",
                        len);
    assert_int_equal(relay_said((uint8_t *)text, len).what, RELAY_ASKED);
}

static void seeded(void)
{
    const char *text = getenv("SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : (unsigned)time(NULL);

    print_message("SEED=%u\n", seed);
    srand(seed);
}

/* Answers with some bytes changed, cut off or added: in a block of just that size, so that what is
 * read beyond it is seen. What is taken for an answer has the form of one. */
static void test_any_bytes(void **state)
{
    static const char *const answers[] = {
        "ACK\n",
        "ERR:full\n",
        "ERR:0123456789abcdefghi\n",
        "LEASE:1844674407370955161,1844674407370955161\n",
        "LEASE:-,-\n",
        "REG:0123456789abcdef0123456789abcdef\n",
        "LEASE:0123456789abcdef0123456789abcdef       ",
    };

    (void)state;
    seeded();
    for (int i = 0; i < 200000; i++) {
        const char *answer = answers[(size_t)rand() % (sizeof(answers) / sizeof(answers[0]))];
        size_t full = strlen(answer), len = (size_t)rand() % (full + 3);
        uint8_t *data = malloc(len ? len : 1);
        struct relay_said s;

        assert_non_null(data);
        for (size_t b = 0; b < len; b++)
            data[b] = b < full ? (uint8_t)answer[b] : (uint8_t)rand();
        for (int changes = rand() % 3; len && changes > 0; changes--)
            data[(size_t)rand() % len] = (uint8_t)(rand() % 2 ? rand() : "-,\n0a:"[rand() % 6]);
        s = relay_said(data, len);
        if (s.what == RELAY_ERR)
            assert_true(len >= 4 + strlen(s.word) && s.word[0] &&
                        memcmp(data + 4, s.word, strlen(s.word)) == 0);
        else
            assert_int_equal(s.what != RELAY_ACK || (len <= 4 && memcmp(data, "ACK", 3) == 0), 1);
        if (s.what == RELAY_LEASE)
            assert_int_equal(data[len - 1], '\n');
        free(data);
    }
}

/* Packets with a short header, their first byte and connection id included, stay the other end's.
 */
static void test_packets(void **state)
{
    uint8_t data[1200];

    (void)state;
    seeded();
    for (int i = 0; i < 20000; i++) {
        size_t len = 37 + (size_t)rand() % (sizeof(data) - 37);
        const char *head = (const char *[]){"ACK\n", "ERR:full\n", "", "LEASE", "REG"}[rand() % 5];

        for (size_t b = 0; b < len; b++)
            data[b] = (uint8_t)rand();
        memcpy(data, head, strlen(head));
        data[strlen(head)] |= 0x80;
        assert_int_equal(relay_said(data, len).what, RELAY_DATA);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),   cmocka_unit_test(test_the_other_ends),
        cmocka_unit_test(test_questions), cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_packets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
