/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pure part of netshim: when a lane gives which frame back and which it keeps, what the
 * commands mean, and what is done to a frame's bytes. No network; time is made up here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../contrib/netshim/frame.h"
#include "../../contrib/netshim/lane.h"
#include "../../contrib/netshim/settings.h"

#define MS    UINT64_C(1000000)
#define START (UINT64_C(5000) * MS)
#define SEED  7

static struct lane *lane_with(uint32_t limit, uint64_t seed, const struct settings *settings)
{
    struct lane *lane = NULL;

    assert_int_equal(lane_new(limit, seed, &lane), 0);
    lane_configure(lane, settings);
    return lane;
}

static void assert_takes(struct lane *lane, uint64_t now_ns, uint32_t expected)
{
    uint32_t frame = UINT32_MAX;
    enum lane_fate fate = LANE_LOST;

    assert_true(lane_take(lane, now_ns, &frame, &fate));
    assert_int_equal(fate, LANE_QUEUED);
    assert_int_equal(frame, expected);
}

static void assert_takes_nothing(struct lane *lane, uint64_t now_ns)
{
    uint32_t frame = 0;
    enum lane_fate fate;

    assert_false(lane_take(lane, now_ns, &frame, &fate));
}

static void test_no_delay_gives_back_at_once(void **state)
{
    struct lane *lane = lane_with(4, SEED, &(struct settings){0});

    (void)state;
    assert_int_equal(lane_admit(lane, START, 100, 3), LANE_QUEUED);
    assert_int_equal(lane_queued(lane), 1);
    assert_takes(lane, START, 3);
    assert_takes_nothing(lane, UINT64_MAX);
    assert_int_equal(lane_counters(lane)->received, 1);
    assert_int_equal(lane_counters(lane)->received_bytes, 100);
    lane_free(lane);
}

static void test_delay_is_exact(void **state)
{
    struct lane *lane = lane_with(4, SEED, &(struct settings){.delay_ns = 100 * MS});
    uint64_t due_ns = 0;

    (void)state;
    assert_false(lane_next(lane, &due_ns));
    lane_admit(lane, START, 100, 1);
    lane_admit(lane, START + 1, 100, 2);
    assert_true(lane_next(lane, &due_ns));
    assert_true(due_ns == START + 100 * MS);
    assert_takes_nothing(lane, START + 100 * MS - 1);
    assert_takes(lane, START + 100 * MS, 1);
    assert_takes_nothing(lane, START + 100 * MS);
    assert_takes(lane, START + 100 * MS + 1, 2);
    lane_free(lane);
}

static void test_shorter_delay_keeps_order(void **state)
{
    struct lane *lane = lane_with(4, SEED, &(struct settings){.delay_ns = 100 * MS});

    (void)state;
    lane_admit(lane, START, 100, 1);
    lane_configure(lane, &(struct settings){0});
    lane_admit(lane, START + MS, 100, 2);
    assert_takes_nothing(lane, START + MS);
    assert_takes(lane, START + 100 * MS, 1);
    assert_takes(lane, START + 100 * MS, 2);

    lane_configure(lane, &(struct settings){.delay_ns = 100 * MS});
    lane_admit(lane, START + 200 * MS, 100, 3);
    lane_configure(lane, &(struct settings){.reorder = true});
    lane_admit(lane, START + 201 * MS, 100, 4);
    assert_takes(lane, START + 201 * MS, 4);
    assert_takes(lane, START + 300 * MS, 3);
    lane_free(lane);
}

/* Returns how many of 1000 frames, 10 µs apart, came out before one that went in earlier. */
static int overtakings_count(bool reorder)
{
    struct settings settings = {.delay_ns = 10 * MS, .jitter_ns = 5 * MS, .reorder = reorder};
    struct lane *lane = lane_with(1000, SEED, &settings);
    uint64_t admitted_ns[1000];
    uint64_t due_ns = 0;
    uint64_t shortest = UINT64_MAX;
    uint64_t longest = 0;
    uint32_t newest = 0;
    int overtakings = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        admitted_ns[i] = START + i * 10000;
        assert_int_equal(lane_admit(lane, admitted_ns[i], 100, i), LANE_QUEUED);
    }
    while (lane_next(lane, &due_ns)) {
        uint32_t frame = 0;
        enum lane_fate fate;

        assert_false(lane_take(lane, due_ns - 1, &frame, &fate));
        assert_true(lane_take(lane, due_ns, &frame, &fate));
        uint64_t took = due_ns - admitted_ns[frame];
        shortest = took < shortest ? took : shortest;
        longest = took > longest ? took : longest;
        if (frame < newest)
            overtakings++;
        else
            newest = frame;
    }
    assert_true(shortest >= 10 * MS);
    assert_true(longest <= 15 * MS);
    assert_true(longest > 14 * MS);
    lane_free(lane);
    return overtakings;
}

static void test_jitter(void **state)
{
    (void)state;
    assert_int_equal(overtakings_count(false), 0);
    assert_true(overtakings_count(true) > 100);
}

static uint64_t losses_count(uint64_t seed, uint32_t loss_ppm, uint32_t frames)
{
    struct lane *lane = lane_with(1, seed, &(struct settings){.loss_ppm = loss_ppm});

    for (uint32_t i = 0; i < frames; i++) {
        if (lane_admit(lane, START, 100, i) == LANE_QUEUED)
            assert_takes(lane, START, i);
    }
    uint64_t lost = lane_counters(lane)->lost;
    lane_free(lane);
    return lost;
}

static void test_loss(void **state)
{
    (void)state;
    assert_int_equal(losses_count(SEED, 0, 10000), 0);
    assert_int_equal(losses_count(SEED, 1000000, 10000), 10000);
    /* 2000 expected of 100 000; the standard deviation is 44. */
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t lost = losses_count(seed, 20000, 100000);
        assert_in_range(lost, 2000 - 5 * 44, 2000 + 5 * 44);
        assert_int_equal(lost, losses_count(seed, 20000, 100000));
    }
    assert_int_not_equal(losses_count(1, 500000, 10001), losses_count(2, 500000, 10001));
}

static void test_blackhole(void **state)
{
    struct settings settings = {.delay_ns = 100 * MS};
    struct lane *lane = lane_with(4, SEED, &settings);
    uint32_t frame = 0;
    uint64_t due_ns = 1;
    enum lane_fate fate;

    (void)state;
    lane_admit(lane, START, 100, 1);
    lane_admit(lane, START, 100, 2);
    settings.blackhole = true;
    lane_configure(lane, &settings);
    assert_int_equal(lane_admit(lane, START, 100, 3), LANE_BLACKHOLED);
    /* What was under way is given back at once, but not to be sent. */
    assert_true(lane_next(lane, &due_ns));
    assert_true(due_ns <= START);
    for (uint32_t i = 1; i <= 2; i++) {
        assert_true(lane_take(lane, START, &frame, &fate));
        assert_int_equal(fate, LANE_BLACKHOLED);
        assert_int_equal(frame, i);
    }
    assert_false(lane_next(lane, &due_ns));
    assert_int_equal(lane_counters(lane)->blackholed, 3);

    settings = (struct settings){0};
    lane_configure(lane, &settings);
    assert_int_equal(lane_admit(lane, START + MS, 100, 4), LANE_QUEUED);
    assert_takes(lane, START + MS, 4);
    lane_free(lane);
}

static void test_queue_is_bounded(void **state)
{
    struct lane *lane = lane_with(2, SEED, &(struct settings){.delay_ns = MS});

    (void)state;
    assert_int_equal(lane_admit(lane, START, 100, 1), LANE_QUEUED);
    assert_int_equal(lane_admit(lane, START, 100, 2), LANE_QUEUED);
    assert_int_equal(lane_admit(lane, START, 100, 3), LANE_OVERFLOWED);
    assert_int_equal(lane_counters(lane)->overflowed, 1);
    assert_takes(lane, START + MS, 1);
    assert_int_equal(lane_admit(lane, START + MS, 100, 4), LANE_QUEUED);
    assert_takes(lane, START + 2 * MS, 2);
    assert_takes(lane, START + 2 * MS, 4);
    lane_free(lane);

    assert_int_not_equal(lane_new(0, SEED, &lane), 0);
    assert_null(lane_free(NULL));
}

static void test_rate(void **state)
{
    /* 1000 bytes take 1 ms at 8 Mbit/s; the delay comes after. */
    struct settings settings = {.delay_ns = 10 * MS, .rate_bit_s = 8000000};
    struct lane *lane = lane_with(8, SEED, &settings);

    (void)state;
    lane_admit(lane, START, 1000, 1);
    lane_admit(lane, START, 1000, 2);
    lane_admit(lane, START + 5 * MS, 500, 3); /* the line stood idle in between */
    assert_takes_nothing(lane, START + 11 * MS - 1);
    assert_takes(lane, START + 11 * MS, 1);
    assert_takes_nothing(lane, START + 12 * MS - 1);
    assert_takes(lane, START + 12 * MS, 2);
    assert_takes_nothing(lane, START + 15 * MS + MS / 2 - 1);
    assert_takes(lane, START + 15 * MS + MS / 2, 3);
    lane_free(lane);
}

/* The heap against the simplest thing that is right: the earliest, then the first. */
static void test_heap_against_scan(void **state)
{
    struct settings settings = {.jitter_ns = 50, .reorder = true};
    struct lane *lane = lane_with(64, SEED, &settings);
    bool inside[4096] = {false};
    uint32_t count = 0;
    uint32_t in = 0;
    uint64_t now_ns = START;

    (void)state;
    srand(SEED);
    while (in < 4096) {
        uint32_t frame = 0;
        uint64_t due_ns = 0;
        uint64_t later_ns = 0;
        enum lane_fate fate;

        now_ns += (uint64_t)(rand() % 8);
        if (count < 64 && rand() % 2) {
            assert_int_equal(lane_admit(lane, now_ns, 60, in), LANE_QUEUED);
            inside[in++] = true;
            count++;
        } else if (lane_next(lane, &due_ns) && lane_take(lane, now_ns, &frame, &fate)) {
            assert_true(due_ns <= now_ns);
            assert_true(inside[frame]);
            inside[frame] = false;
            count--;
            assert_true(!lane_next(lane, &later_ns) || later_ns >= due_ns);
        }
        assert_int_equal(lane_queued(lane), count);
    }
    lane_free(lane);
}

static void test_commands(void **state)
{
    struct settings s[2] = {{0}, {0}};
    char error[SETTINGS_ERROR_MAX];
    enum command command = COMMAND_SHOW;

    (void)state;
    assert_int_equal(settings_command(s, "delay 100ms", &command, error), 0);
    assert_int_equal(command, COMMAND_SET);
    assert_true(s[0].delay_ns == 100 * MS && s[1].delay_ns == 100 * MS);
    assert_int_equal(settings_command(s, "delay a:1.5s\n", &command, error), 0);
    assert_true(s[0].delay_ns == 1500 * MS && s[1].delay_ns == 100 * MS);
    assert_int_equal(settings_command(s, " delay  b 0 ", &command, error), 0);
    assert_true(s[0].delay_ns == 1500 * MS && s[1].delay_ns == 0);
    assert_int_equal(settings_command(s, "jitter b 250us", &command, error), 0);
    assert_true(s[0].jitter_ns == 0 && s[1].jitter_ns == 250000);
    assert_int_equal(settings_command(s, "loss 20permille", &command, error), 0);
    assert_int_equal(s[0].loss_ppm, 20000);
    assert_int_equal(settings_command(s, "loss a 1000", &command, error), 0);
    assert_int_equal(settings_command(s, "loss b 2.5%", &command, error), 0);
    assert_int_equal(s[0].loss_ppm, 1000000);
    assert_int_equal(s[1].loss_ppm, 25000);
    assert_int_equal(settings_command(s, "rate 10mbit", &command, error), 0);
    assert_true(s[0].rate_bit_s == 10000000);
    assert_int_equal(settings_command(s, "rate a off", &command, error), 0);
    assert_true(s[0].rate_bit_s == 0 && s[1].rate_bit_s == 10000000);
    assert_int_equal(settings_command(s, "blackhole a on", &command, error), 0);
    assert_true(s[0].blackhole && !s[1].blackhole);
    assert_int_equal(settings_command(s, "reorder on", &command, error), 0);
    assert_true(s[0].reorder && s[1].reorder);
    assert_int_equal(settings_command(s, "stats", &command, error), 0);
    assert_int_equal(command, COMMAND_STATS);
    assert_int_equal(settings_command(s, "show", &command, error), 0);
    assert_int_equal(command, COMMAND_SHOW);
}

static void test_bad_commands_change_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        "   ",
        "delay",
        "delay a",
        "delay c 10ms",
        "delay 10",
        "delay -1ms",
        "delay 10ms 20ms 30ms",
        "delay a b 10ms",
        "delay 1.ms",
        "delay .5ms",
        "delay 601s",
        "delay 9999999999999999999999s",
        "delay 10 ms",
        "delay nan",
        "delay 0x10ms",
        "loss 1001permille",
        "loss 101%",
        "loss ten",
        "rate 2000gbit",
        "rate 10",
        "rate on",
        "blackhole",
        "blackhole 1",
        "blackhole a maybe",
        "stats now",
        "dely 10ms",
    };
    const struct settings before[2] = {{.delay_ns = 1, .loss_ppm = 2}, {.rate_bit_s = 3}};
    struct settings after[2] = {before[0], before[1]};
    char line[400];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char error[SETTINGS_ERROR_MAX] = "";
        enum command command;

        if (settings_command(after, bad[i], &command, error) == 0)
            fail_msg("'%s' was obeyed", bad[i]);
        assert_true(error[0] != '\0');
        assert_true(after[0].delay_ns == 1 && after[0].loss_ppm == 2 && after[1].rate_bit_s == 3);
        assert_true(after[1].delay_ns == 0 && !after[0].blackhole && !after[1].blackhole);
    }

    char error[SETTINGS_ERROR_MAX] = "";
    enum command command;
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    assert_int_not_equal(settings_command(after, line, &command, error), 0);
}

static void test_format(void **state)
{
    struct settings settings = {.delay_ns = 100 * MS, .loss_ppm = 20000, .blackhole = true};
    char text[200];

    (void)state;
    assert_true(settings_format(&settings, text, sizeof(text)) > 0);
    assert_string_equal(text, "delay_us=100000 jitter_us=0 loss_ppm=20000 rate_bit_s=0 "
                              "blackhole=on reorder=off");
}

static void test_frame_pool(void **state)
{
    struct frame_pool *pool = NULL;

    (void)state;
    assert_int_equal(frame_pool_new(3, &pool), 0);
    uint32_t a = frame_pool_take(pool);
    uint32_t b = frame_pool_take(pool);
    uint32_t c = frame_pool_take(pool);
    assert_true(a != b && b != c && a != c);
    assert_ptr_not_equal(frame_pool_at(pool, a), frame_pool_at(pool, b));
    frame_pool_at(pool, c)->bytes[FRAME_BYTES_MAX - 1] = 1;
    frame_pool_give(pool, b);
    assert_int_equal(frame_pool_take(pool), b);
    assert_null(frame_pool_free(pool));
    assert_null(frame_pool_free(NULL));
}

static void test_frame_tag(void **state)
{
    struct frame *frame = calloc(1, sizeof(*frame));
    static const uint8_t expected[20] = {1,  2,  3,    4,    5,    6, 7, 8,    9,   10,
                                         11, 12, 0x81, 0x00, 0x20, 5, 8, 0x00, 'x', 'y'};

    (void)state;
    assert_non_null(frame);
    for (uint8_t i = 0; i < 12; i++)
        frame->bytes[FRAME_TAG_BYTES + i] = (uint8_t)(i + 1);
    memcpy(frame->bytes + FRAME_TAG_BYTES + 12, "\x08\x00xy", 4);
    frame->start = FRAME_TAG_BYTES;
    frame->length = 16;
    frame->offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    frame->offload.csum_start = 34;
    frame->offload.csum_offset = 6;
    frame_tag(frame, 0x8100, 0x2005);
    assert_int_equal(frame->length, 20);
    assert_int_equal(frame->start, 0);
    assert_memory_equal(frame->bytes, expected, sizeof(expected));
    assert_int_equal(frame->offload.csum_start, 38);
    assert_int_equal(frame->offload.csum_offset, 6);
    free(frame);
}

static void test_frame_wire_bytes(void **state)
{
    struct frame *frame = calloc(1, sizeof(*frame));

    (void)state;
    assert_non_null(frame);
    frame->length = 1514;
    assert_int_equal(frame_wire_bytes(frame), 1514);
    frame->offload.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    frame->offload.gso_size = 1448;
    frame->offload.hdr_len = 66;
    frame->length = 66 + 3 * 1448 + 1;
    assert_int_equal(frame_wire_bytes(frame), 3 * 1514 + 67);
    free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_delay_gives_back_at_once),
        cmocka_unit_test(test_delay_is_exact),
        cmocka_unit_test(test_shorter_delay_keeps_order),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_blackhole),
        cmocka_unit_test(test_queue_is_bounded),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_heap_against_scan),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_bad_commands_change_nothing),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_frame_pool),
        cmocka_unit_test(test_frame_tag),
        cmocka_unit_test(test_frame_wire_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
