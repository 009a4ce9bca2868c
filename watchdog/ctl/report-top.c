/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows of a report come first. */
#include "report-top.h"

#include "../util/util.h"
#include "report.h"

static int more_first(uint64_t a, uint64_t b)
{
    return (a < b) - (a > b);
}

static uint64_t badness(const json_t *peer)
{
    return record_number(peer, "failed") + record_number(peer, "not_helped") +
           record_number(peer, "dead");
}

static int compare_peers(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
    int r = more_first(badness(one), badness(other));

    if (r == 0)
        r = more_first(record_number(one, "decisions"), record_number(other, "decisions"));
    return r ? r : strcmp(record_word(one, "peer"), record_word(other, "peer"));
}

static int compare_reasons(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
    int r = more_first(record_number(one, "count"), record_number(other, "count"));

    return r ? r : strcmp(record_word(one, "reason"), record_word(other, "reason"));
}

static int compare_causes(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
    int r = more_first(record_number(one, "advised"), record_number(other, "advised"));

    return r ? r : more_first(record_number(other, "time_us"), record_number(one, "time_us"));
}

/* The first ones of an array in that order, as an array of its own. */
static json_t *top(const json_t *rows, int (*compare)(const void *a, const void *b))
{
    size_t count = json_array_size(rows);
    json_t **sorted = memory_new(count, sizeof(json_t *)), *ret = json_array();

    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(rows, i);
    qsort(sorted, count, sizeof(json_t *), compare);
    for (size_t i = 0; i < count && i < REPORT_LIST; i++)
        json_array_append(ret, sorted[i]);
    free(sorted);
    return ret;
}

json_t *report_worst_peers(const json_t *peers)
{
    return top(peers, compare_peers);
}

json_t *report_most_reasons(const json_t *reasons)
{
    return top(reasons, compare_reasons);
}

json_t *report_largest_causes(const json_t *causes)
{
    return top(causes, compare_causes);
}
