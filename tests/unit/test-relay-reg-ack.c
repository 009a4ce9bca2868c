/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/reg-ack.c: REG of an id of its own, and what comes back. */
#include "check.h"

#include "relay/reg-ack.h"

static void test_what_is_asked(void **state)
{
    uint8_t random[REG_RANDOM];
    char out[REG_BYTES];

    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(0x0f + i * 0x10);
    reg_ask(out, random);
    assert_memory_equal(out, "REG:pathdog-probe-0f1f2f3f4f5f6f7f8f9fafbfcfdfefff\n", REG_BYTES);
}

static void test_answers(void **state)
{
    static const struct {
        const char *text;
        enum reg_answer answer;
        const char *reason;
    } cases[] = {
        {"ACK\n", REG_ACK, ""},
        {"ACK", REG_ACK, ""},
        {"ACK\r\n", REG_ACK, ""},
        {"ERR:full\n", REG_NOT_NOW, "full"},
        {"ERR:off\n", REG_NOT_NOW, "off"},
        {"ERR:off", REG_NOT_NOW, "off"},
        {"ERR:denied\n", REG_DENIED, "denied"},
        {"ERR:limit\n", REG_DENIED, "limit"},
        {"ERR:a-word-of-2031\n", REG_DENIED, "a-word-of-2031"},
        {"ERR:0123456789abcdef0123456789abcdef", REG_DENIED, "0123456789abcdef0123456789abcdef"},
        {"ERR:0123456789abcdef0123456789abcdefg", REG_GARBAGE, ""},
        {"", REG_GARBAGE, ""},
        {"\n", REG_GARBAGE, ""},
        {"ACK\n\n", REG_GARBAGE, ""},
        {"ack\n", REG_GARBAGE, ""},
        {"ACKNOWLEDGED\n", REG_GARBAGE, ""},
        {" ACK\n", REG_GARBAGE, ""},
        {"ERR:\n", REG_GARBAGE, ""},
        {"ERR:Full\n", REG_GARBAGE, ""},
        {"ERR:two words\n", REG_GARBAGE, ""},
        {"ERR:\x1b[31m\n", REG_GARBAGE, ""},
        {"REG:x\n", REG_GARBAGE, ""},
        {"LEASE:-,-\n", REG_GARBAGE, ""},
    };
    char reason[REG_REASON_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum reg_answer answer = reg_answer_parse(cases[i].text, strlen(cases[i].text), reason);

        if (answer != cases[i].answer || strcmp(reason, cases[i].reason) != 0)
            fail_msg("\"%s\": %d, \"%s\"", cases[i].text, answer, reason);
    }
    assert_int_equal(reg_answer_parse("ACK\0", 4, reason), REG_GARBAGE);
    assert_int_equal(reg_answer_parse("ERR:of\0", 7, reason), REG_GARBAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
