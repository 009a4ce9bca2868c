/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl status --check: for programs that watch over programs. One line, whose first word
 * and the exit status say the same: ok 0, look 1, broken 2, unreachable 3.
 */
#include <inttypes.h>
#include <string.h>

#include "../util/util.h"
#include "ctl.h"

#define LINE_SIZE 4096

static const char *const words[] = {"ok", "look", "broken", "unreachable"};

/* What an older daemon does not grade is worth a look. */
static enum ctl_status grade_of(const json_t *reason)
{
    const char *grade = text_of(reason, "grade");

    if (!strcmp(grade, "note"))
        return CTL_GOOD;
    return strcmp(grade, "broken") ? CTL_LOOK : CTL_BROKEN;
}

static void add(char line[LINE_SIZE], const char *text)
{
    size_t length = strlen(line);

    snprintf(line + length, LINE_SIZE - length, "%s%s", length ? "; " : "", text);
}

/* The worst first. */
static enum ctl_status take_reasons(const json_t *reasons, char line[LINE_SIZE])
{
    enum ctl_status worst = CTL_GOOD;

    for (int grade = CTL_BROKEN; grade >= CTL_LOOK; grade--)
        for (size_t i = 0; i < json_array_size(reasons); i++) {
            const json_t *reason = json_array_get(reasons, i);

            if ((int)grade_of(reason) != grade)
                continue;
            worst = worst > grade_of(reason) ? worst : grade_of(reason);
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

/* Of so many peers that the daemon does not count them all by itself. */
static enum ctl_status take_counts(const json_t *status, char line[LINE_SIZE])
{
    const json_t *tally = json_object_get(status, "peers");
    uint64_t up = number_of(tally, "up"), silent = number_of(tally, "silent");
    char text[96];

    if (!silent || says(json_object_get(status, "reasons"), "peers-silent"))
        return CTL_GOOD;
    snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 " peers silent", silent, up);
    add(line, text);
    return silent == up ? CTL_BROKEN : CTL_LOOK;
}

static void say_good(const json_t *status, char line[LINE_SIZE])
{
    const json_t *node = json_object_get(status, "node"), *tally = json_object_get(status, "peers");
    uint64_t up = number_of(tally, "up");

    snprintf(line, LINE_SIZE, "node %s is up, %" PRIu64 " peer%s%s",
             has(node, "name") ? text_of(node, "name") : text_of(node, "path"), up,
             up == 1 ? "" : "s", up ? ", none silent" : "");
}

/* One line, whatever the texts are. */
static enum ctl_status say(const struct ctl *ctl, enum ctl_status grade, const char *line)
{
    json_t *object;

    if (!ctl->options.json) {
        printf("%s: %s\n", words[grade], line);
        return grade;
    }
    object = json_pack("{s:s,s:i,s:s}", "check", words[grade], "exit", (int)grade, "text", line);
    show_json(object);
    json_decref(object);
    return grade;
}

enum ctl_status show_check(const struct ctl *ctl, const json_t *status)
{
    enum ctl_status grade, counted;
    char line[LINE_SIZE] = "";

    if (!status)
        return say(ctl, CTL_NO_DAEMON, ctl->failure);
    grade = take_reasons(json_object_get(status, "reasons"), line);
    counted = take_counts(status, line);
    grade = grade > counted ? grade : counted;
    if (grade == CTL_GOOD)
        say_good(status, line);
    return say(ctl, grade, line);
}
