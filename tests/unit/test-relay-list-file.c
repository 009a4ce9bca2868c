/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/list-file.c: a list of relays, and the lines of it that are none. */
#include "check.h"

#include "relay/list-file.h"

#include "util/util.h"

static struct list_file file; /* too large for a stack; each test fills it anew */
static char said[LIST_FILE_TEXT];

static void parse(const char *text)
{
    list_file_parse(text, strlen(text), RELAY_REG_ACK, &file);
    list_file_say(&file, said);
}

static void test_a_list(void **state)
{
    parse("# relays\n\neu=192.0.2.1:4433\n \t\nus=[2001:db8::1]:4433 pilot # far\r\n"
          "a#b=192.0.2.3:1\n#x=192.0.2.4:1\nlast=192.0.2.5:5 reg-ack");
    assert_int_equal(file.list.count, 4);
    assert_string_equal(file.list.entries[0].name, "eu");
    assert_string_equal(file.list.entries[1].address_text, "[2001:db8::1]:4433");
    assert_int_equal(file.list.entries[1].speaks, RELAY_PILOT);
    assert_string_equal(file.list.entries[2].name, "a#b");
    assert_string_equal(file.list.entries[3].name, "last");
    assert_int_equal(file.n_bad + file.n_left_out, 0);
    assert_string_equal(said, "");
    assert_ptr_equal(relay_list_find(&file.list, "a#b"), &file.list.entries[2]);
    assert_null(relay_list_find(&file.list, "nobody"));
}

static void test_what_is_spoken_where_no_line_says_it(void **state)
{
    static const char text[] = "a=192.0.2.1:1\nb=192.0.2.2:2 reg-ack\n";

    list_file_parse(text, strlen(text), RELAY_PILOT, &file);
    assert_int_equal(file.list.entries[0].speaks, RELAY_PILOT);
    assert_int_equal(file.list.entries[1].speaks, RELAY_REG_ACK);
}

static void test_bad_lines_cost_only_themselves(void **state)
{
    parse("rubbish\neu=192.0.2.1:4433\nus=nowhere\n\ndirect=192.0.2.1:1\neu=192.0.2.9:1\nx=1.2.3.4:"
          "5");
    assert_int_equal(file.list.count, 2);
    assert_string_equal(file.list.entries[0].address_text, "192.0.2.1:4433");
    assert_string_equal(file.list.entries[1].name, "x");
    assert_int_equal(file.n_bad, 4);
    assert_int_equal(file.bad[0].line, 1);
    assert_int_equal(file.bad[1].line, 3);
    assert_int_equal(file.bad[2].line, 5);
    assert_non_null(strstr(said, "line 1: there is no ="));
    assert_non_null(strstr(said, "; line 3: not an IP address"));
    assert_non_null(strstr(said, "and 1 more bad lines"));
    parse("eu=192.0.2.1:4433\neu=192.0.2.2:1\n");
    assert_non_null(strstr(said, "line 2: another line has this name"));
}

static void test_empty_ones(void **state)
{
    static const char *const empty[] = {"", "\n", "# nothing\n", "\r\n\r\n", "   "};

    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        parse(empty[i]);
        assert_int_equal(file.list.count + file.n_bad + file.n_left_out, 0);
    }
}

static void test_a_hundred_thousand_lines(void **state)
{
    size_t length = 0, size = 100000 * 40;
    char *text = memory_new(size, 1);

    for (unsigned i = 0; i < 100000; i++)
        length += (size_t)sprintf(text + length, "relay-%u=192.0.2.%u:%u\n", i, i % 254 + 1,
                                  i % 65535 + 1);
    assert_true(length < LIST_FILE_MAX);
    list_file_parse(text, length, RELAY_REG_ACK, &file);
    free(text);
    list_file_say(&file, said);
    assert_int_equal(file.list.count, RELAY_LIST_MAX);
    assert_int_equal(file.n_left_out, 100000 - RELAY_LIST_MAX);
    assert_int_equal(file.n_bad, 0);
    assert_string_equal(said, "99936 relays from line 65 on are left out: a list has at most 64");
}

static void test_what_is_no_text(void **state)
{
    char bytes[4096];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 167 + i / 256);
    list_file_parse(bytes, sizeof(bytes), RELAY_REG_ACK, &file);
    list_file_say(&file, said);
    assert_int_equal(file.list.count, 0);
    assert_true(file.n_bad > 3);
    assert_true(strlen(said) < sizeof(said) - 1);
    memset(bytes, 0, sizeof(bytes));
    list_file_parse(bytes, sizeof(bytes), RELAY_REG_ACK, &file);
    assert_int_equal(file.n_bad, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list),
        cmocka_unit_test(test_what_is_spoken_where_no_line_says_it),
        cmocka_unit_test(test_bad_lines_cost_only_themselves),
        cmocka_unit_test(test_empty_ones),
        cmocka_unit_test(test_a_hundred_thousand_lines),
        cmocka_unit_test(test_what_is_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
