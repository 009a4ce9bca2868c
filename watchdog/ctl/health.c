/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../util/util.h"
#include "members.h"

#define COUNTS_SIZE 96

const char *const health_words[] = {"ok", "look", "broken"};

/* What an older daemon does not grade is worth a look. */
enum health health_of_reason(const json_t *reason)
{
    const char *grade = text_of(reason, "grade");

    if (!strcmp(grade, "note"))
        return HEALTH_OK;
    return strcmp(grade, "broken") ? HEALTH_LOOK : HEALTH_BROKEN;
}

static void add(char line[HEALTH_SIZE], const char *text)
{
    size_t length = strlen(line);

    snprintf(line + length, HEALTH_SIZE - length, "%s%s", length ? "; " : "", text);
}

/* The worst first. */
static enum health take_reasons(const json_t *reasons, char line[HEALTH_SIZE])
{
    enum health worst = HEALTH_OK;

    for (int grade = HEALTH_BROKEN; grade >= HEALTH_LOOK; grade--)
        for (size_t i = 0; i < json_array_size(reasons); i++) {
            const json_t *reason = json_array_get(reasons, i);

            if ((int)health_of_reason(reason) != grade)
                continue;
            worst = worst > health_of_reason(reason) ? worst : health_of_reason(reason);
            add(line, text_of(reason, "text"));
        }
    return worst;
}

static bool says(const json_t *reasons, const char *what)
{
    for (size_t i = 0; i < json_array_size(reasons); i++)
        if (!strcmp(text_of(json_array_get(reasons, i), "what"), what))
            return true;
    return false;
}

/* Of so many peers that the daemon does not count them all by itself. `text`: what is wrong. */
static enum health counts(const json_t *status, char text[COUNTS_SIZE])
{
    const json_t *tally = json_object_get(status, "peers");
    uint64_t up = number_of(tally, "up"), silent = number_of(tally, "silent");

    if (!silent || says(json_object_get(status, "reasons"), "peers-silent"))
        return HEALTH_OK;
    snprintf(text, COUNTS_SIZE, "%" PRIu64 " of %" PRIu64 " peers silent", silent, up);
    return silent == up ? HEALTH_BROKEN : HEALTH_LOOK;
}

static void say_good(const json_t *status, char line[HEALTH_SIZE])
{
    const json_t *node = json_object_get(status, "node"), *tally = json_object_get(status, "peers");
    uint64_t up = number_of(tally, "up");

    snprintf(line, HEALTH_SIZE, "node %s is up, %" PRIu64 " peer%s%s",
             has(node, "name") ? text_of(node, "name") : text_of(node, "path"), up,
             up == 1 ? "" : "s", up ? ", none silent" : "");
}

enum health health_of(const json_t *status, char line[HEALTH_SIZE])
{
    enum health grade, counted;
    char text[COUNTS_SIZE];

    *line = '\0';
    grade = take_reasons(json_object_get(status, "reasons"), line);
    counted = counts(status, text);
    if (counted != HEALTH_OK)
        add(line, text);
    grade = grade > counted ? grade : counted;
    if (grade == HEALTH_OK)
        say_good(status, line);
    return grade;
}

/* ---- in parts ---- */

struct parts {
    char **first, **others;
    size_t most, n; /* n: of the others */
};

static void put(struct parts *parts, const char *text)
{
    if (!*parts->first)
        *parts->first = string_copy(text);
    else if (parts->n++ < parts->most)
        parts->others[parts->n - 1] = string_copy(text);
}

/* Those of one grade, in their order. */
static void put_reasons(struct parts *parts, const json_t *status, enum health grade)
{
    const json_t *reasons = json_object_get(status, "reasons");

    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const json_t *reason = json_array_get(reasons, i);
        bool down = !strcmp(text_of(reason, "what"), "node-down");

        if (health_of_reason(reason) == grade)
            put(parts,
                down ? "the node is down, and no peer can be moved" : text_of(reason, "text"));
    }
}

enum health health_split(const json_t *status, char **ret_first, char **ret_others, size_t most,
                         size_t *ret_n)
{
    struct parts parts = {.first = ret_first, .others = ret_others, .most = most};
    char text[COUNTS_SIZE], line[HEALTH_SIZE];
    enum health grade = health_of(status, line), counted = counts(status, text);

    *ret_first = NULL;
    for (size_t i = 0; i < most; i++)
        ret_others[i] = NULL;
    if (grade == HEALTH_OK)
        put(&parts, line);
    for (int of = HEALTH_BROKEN; of >= HEALTH_OK; of--) {
        put_reasons(&parts, status, (enum health)of);
        if (of == (int)counted && counted != HEALTH_OK)
            put(&parts, text);
    }
    *ret_n = parts.n;
    return grade;
}
