/* SPDX-License-Identifier: Apache-2.0 */
#include "spark.h"

#include <string.h>

#include "../../util/util.h"
#include "../members.h"

#define ROW_US   UINT64_C(400000) /* a row that is newer by less is the same, seen later */
#define NOISE_US 4000u            /* is added to all, so that 0.2 ms and 1 ms look alike */

static void spark_forget(struct spark *spark)
{
    free(spark->name);
    *spark = (struct spark){0};
}

void sparks_clear(struct sparks *sparks)
{
    for (size_t i = 0; i < sparks->n; i++)
        spark_forget(&sparks->list[i]);
    free(sparks->list);
    *sparks = (struct sparks){0};
}

static struct spark *find(const struct sparks *sparks, uint64_t conn, const char *name)
{
    for (size_t i = 0; i < sparks->n; i++)
        if (sparks->list[i].conn == conn && !strcmp(sparks->list[i].name, name))
            return &sparks->list[i];
    return NULL;
}

const struct spark *sparks_find(const struct sparks *sparks, uint64_t conn, const char *name)
{
    return find(sparks, conn, name);
}

/* An unused place, or that of the one that was not seen for the longest time. */
static struct spark *place(struct sparks *sparks)
{
    struct spark *oldest;

    if (!sparks->list)
        sparks->list = memory_new(SPARKS_MOST, sizeof(*sparks->list));
    if (sparks->n < SPARKS_MOST)
        return &sparks->list[sparks->n++];
    oldest = &sparks->list[0];
    for (size_t i = 1; i < sparks->n; i++)
        if (sparks->list[i].seen_us < oldest->seen_us)
            oldest = &sparks->list[i];
    spark_forget(oldest);
    return oldest;
}

static void push(struct spark *spark, uint32_t rtt_us)
{
    spark->rtt_us[spark->at] = rtt_us;
    spark->at = (spark->at + 1) % SPARK_MOST;
    spark->n = spark->n < SPARK_MOST ? spark->n + 1 : SPARK_MOST;
}

static uint32_t rtt_of(const json_t *peer)
{
    uint64_t rtt_us = number_of(peer, "latest_rtt_us");

    if (!rtt_us)
        rtt_us = number_of(peer, "srtt_us");
    return rtt_us < UINT32_MAX ? (uint32_t)rtt_us : UINT32_MAX;
}

void sparks_take(struct sparks *sparks, uint64_t now_us, const json_t *peer)
{
    const char *name = text_of(peer, "peer");
    struct spark *spark = find(sparks, number_of(peer, "conn"), name);
    uint64_t row_us = sub_u64(now_us, number_of(peer, "looked_us"));
    uint64_t rtt_samples = number_of(peer, "rtt_samples");
    bool begins = !spark, row, fresh;

    if (begins) {
        spark = place(sparks);
        spark->conn = number_of(peer, "conn");
        spark->name = string_copy(name);
    }
    spark->seen_us = now_us;
    if (!has(peer, "looked_us"))
        return;
    row = begins || !spark->row_us || row_us > spark->row_us + ROW_US;
    fresh = has(peer, "rtt_samples") ? rtt_samples != spark->rtt_samples : row;
    if (row || fresh) {
        /* the first one seen may be as old as it likes: it is the one that is known */
        push(spark, fresh ? rtt_of(peer) : 0);
        spark->row_us = row_us;
    }
    spark->rtt_samples = rtt_samples;
}

/* How high it is, in thousandths of the lowest. */
static uint8_t level_of(uint32_t rtt_us, uint32_t lowest_us)
{
    static const uint32_t steps[] = {1160, 1560, 2100, 2830, 3810, 5130, 6900};
    uint64_t permille = ((uint64_t)rtt_us + NOISE_US) * 1000 / ((uint64_t)lowest_us + NOISE_US);
    uint8_t level = 1;

    for (size_t i = 0; i < ARRAY_SIZE(steps) && permille >= steps[i]; i++)
        level++;
    return level;
}

size_t spark_levels(const struct spark *spark, size_t most, uint8_t *ret_levels)
{
    size_t n = spark && spark->n < most ? spark->n : most;
    uint32_t lowest_us = UINT32_MAX;

    if (!spark)
        return 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t rtt_us = spark->rtt_us[(spark->at + SPARK_MOST - n + i) % SPARK_MOST];

        if (rtt_us && rtt_us < lowest_us)
            lowest_us = rtt_us;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t rtt_us = spark->rtt_us[(spark->at + SPARK_MOST - n + i) % SPARK_MOST];

        ret_levels[i] = rtt_us ? level_of(rtt_us, lowest_us) : SPARK_GAP;
    }
    return n;
}

uint32_t spark_glyph(uint8_t level, bool utf8)
{
    static const char ascii[] = "._,-~=+*#";

    if (!utf8)
        return (uint32_t)ascii[level <= SPARK_HIGH ? level : SPARK_HIGH];
    return level ? 0x2580u + (level <= SPARK_HIGH ? level : SPARK_HIGH) : 0xb7;
}
