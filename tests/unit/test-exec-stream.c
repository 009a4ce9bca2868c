/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/exec/stream.c: messages and lines out of pieces of any size. */
#include "check.h"

#include "exec/stream.h"

#include "util/util.h"

#include <stdio.h>

struct lab {
    struct message_stream stream;
    struct line_stream lines;
    unsigned n_messages, n_bad, n_lines;
    char all[8192]; /* of the messages "event/tunnel/peers/reason;", of the others "!error;" */
};

static void lab_message(void *user, const struct message *message)
{
    struct lab *lab = user;
    size_t length = strlen(lab->all);

    lab->n_messages++;
    snprintf(lab->all + length, sizeof(lab->all) - length, "%s/%s/%s/%.80s;", message->event,
             message->tunnel, message->peers, message->reason);
}

static void lab_bad(void *user, const char *error)
{
    struct lab *lab = user;
    size_t length = strlen(lab->all);

    lab->n_bad++;
    snprintf(lab->all + length, sizeof(lab->all) - length, "!%s;", error);
}

static void lab_line(void *user, const char *text, size_t length, bool cut)
{
    struct lab *lab = user;
    size_t had = strlen(lab->all);

    lab->n_lines++;
    assert_true(length > 0 && length <= STREAM_LINE_MAX);
    snprintf(lab->all + had, sizeof(lab->all) - had, "%.*s%s;", (int)min_u64(length, 40), text,
             cut ? "..." : "");
}

/* In pieces of `step` bytes. */
static void feed(struct lab *lab, const char *bytes, size_t n, size_t step)
{
    const struct message_stream_handlers handlers = {lab_message, lab_bad, lab};

    *lab = (struct lab){0};
    message_stream_init(&lab->stream);
    for (size_t at = 0; at < n; at += step)
        message_stream_feed(&lab->stream, bytes + at, min_u64(step, n - at), &handlers);
}

static void end(struct lab *lab)
{
    const struct message_stream_handlers handlers = {lab_message, lab_bad, lab};

    message_stream_end(&lab->stream, &handlers);
}

static void test_messages_in_any_pieces(void **state)
{
    static const char text[] =
        "\n\nEVENT=up\nTUNNEL=wg0\n\nEVENT=rebind\nPEERS=*@eu-* x\nREASON=a=b"
        "\n\n\n\nrubbish\n\nEVENT=down\nTUNNEL=a\n\nEVENT=moved\nPEERS=*";
    static struct lab lab;

    (void)state;
    for (size_t step = 1; step <= sizeof(text); step++) {
        feed(&lab, text, sizeof(text) - 1, step);
        assert_true(message_stream_is_open(&lab.stream));
        assert_string_equal(lab.all, "up/wg0//;rebind//*@eu-* x/a=b;"
                                     "!a line has no =; allowed are lines KEY=VALUE;down/a//;");
        end(&lab);
        assert_int_equal(lab.n_messages, 4);
        assert_non_null(strstr(lab.all, "moved//*/;"));
        assert_false(message_stream_is_open(&lab.stream));
        end(&lab);
        assert_int_equal(lab.n_messages, 4);
    }
}

/* A message whose text, without the end of its last line, has so many bytes. */
static size_t long_message(char *text, size_t length)
{
    static const char head[] = "EVENT=up\nREASON=";

    memset(text, 'x', length);
    memcpy(text, head, sizeof(head) - 1);
    memcpy(text + length, "\n\nEVENT=down\n\n", 14);
    return length + 14;
}

static void test_the_longest(void **state)
{
    static struct lab lab;
    static char text[16384];
    size_t n;

    (void)state;
    for (size_t step = 1; step < 5000; step += 617) {
        n = long_message(text, MESSAGE_MAX);
        feed(&lab, text, n, step);
        assert_int_equal(lab.n_messages, 2);
        assert_int_equal(lab.n_bad, 0);
        n = long_message(text, MESSAGE_MAX + 1);
        feed(&lab, text, n, step);
        assert_string_equal(lab.all, "!the message is longer than 4096 bytes;down///;");
        n = long_message(text, 16000);
        feed(&lab, text, n, step);
        assert_string_equal(lab.all, "!the message is longer than 4096 bytes;down///;");
    }
}

/* Many short lines are too long, too; and a message that never ends is known to be open. */
static void test_without_end(void **state)
{
    const struct message_stream_handlers handlers = {lab_message, lab_bad, NULL};
    static struct lab lab;
    static char zeroes[4096];

    (void)state;
    feed(&lab, "", 0, 1);
    assert_false(message_stream_is_open(&lab.stream));
    for (int i = 0; i < 2000; i++)
        message_stream_feed(&lab.stream, "X=1\n", 4, &handlers);
    for (int i = 0; i < 256; i++)
        message_stream_feed(&lab.stream, zeroes, sizeof(zeroes), &handlers);
    assert_true(message_stream_is_open(&lab.stream));
    assert_int_equal(lab.n_messages + lab.n_bad, 0);
    end(&lab);
    assert_string_equal(lab.all, "!the message is longer than 4096 bytes;");
}

static void test_not_text(void **state)
{
    static const char *const bad[] = {"EVENT=up\nREASON=a\tb\n\n", "EVENT=up\r\n\r\n\n",
                                      "EVENT=up\nREASON=\xff\n\n", "EVENT=explode\n\n",
                                      "EVENT=up\nEVENT=up\n\n"};
    static const char nul[] = "EVENT=up\nREASON=a\0b\n\n";
    static struct lab lab;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        feed(&lab, bad[i], strlen(bad[i]), 3);
        assert_int_equal(lab.n_messages, 0);
        assert_int_equal(lab.n_bad, 1);
    }
    feed(&lab, nul, sizeof(nul) - 1, 4);
    assert_string_equal(lab.all, "!the message is not UTF-8, or has control characters;");
}

static void test_lines(void **state)
{
    static const char text[] = "one\n\n\ntwo words\nthree";
    static char longest[STREAM_LINE_MAX * 3];
    static struct lab lab;

    (void)state;
    for (size_t step = 1; step <= sizeof(text); step++) {
        lab = (struct lab){0};
        for (size_t at = 0; at < sizeof(text) - 1; at += step)
            line_stream_feed(&lab.lines, text + at, min_u64(step, sizeof(text) - 1 - at), lab_line,
                             &lab);
        assert_string_equal(lab.all, "one;two words;");
        line_stream_end(&lab.lines, lab_line, &lab);
        assert_string_equal(lab.all, "one;two words;three;");
    }
    lab = (struct lab){0};
    memset(longest, 'y', sizeof(longest));
    line_stream_feed(&lab.lines, longest, STREAM_LINE_MAX, lab_line, &lab);
    line_stream_feed(&lab.lines, "\n", 1, lab_line, &lab);
    assert_null(strstr(lab.all, "..."));
    line_stream_feed(&lab.lines, longest, sizeof(longest), lab_line, &lab);
    line_stream_feed(&lab.lines, "\nz\n", 3, lab_line, &lab);
    assert_int_equal(lab.n_lines, 3);
    assert_non_null(strstr(lab.all, "yyy...;z;"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_in_any_pieces),
        cmocka_unit_test(test_the_longest),
        cmocka_unit_test(test_without_end),
        cmocka_unit_test(test_not_text),
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
