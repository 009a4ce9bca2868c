/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl status --check: for programs that watch over programs. One line, whose first word
 * and the exit status say the same: ok 0, look 1, broken 2, unreachable 3.
 */
#include <inttypes.h>
#include <string.h>

#include "../util/util.h"
#include "ctl.h"
#include "health.h"

static const char *const words[] = {"ok", "look", "broken", "unreachable"};

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
    char line[HEALTH_SIZE];
    enum health health;

    if (!status)
        return say(ctl, CTL_NO_DAEMON, ctl->failure);
    health = health_of(status, line);
    return say(ctl, (enum ctl_status)health, line);
}
