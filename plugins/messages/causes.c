/* SPDX-License-Identifier: Apache-2.0 */
/* Which message has a cause. See causes.h. */
#include "causes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* So many in quick succession, then one each time. */
#define OPENED_MOST 64u
#define BACK_US     6000000u

void message_text_cut(char *text, size_t size)
{
    size_t length = strlen(text);

    if (length + 1 < size)
        return;
    while (length && ((unsigned char)text[length - 1] & 0xc0) == 0x80)
        length--;
    if (length && (unsigned char)text[length - 1] >= 0xc0)
        length--;
    text[length] = '\0';
}

static bool may_open(struct message_causes *causes, uint64_t now_us)
{
    uint64_t back = (now_us - causes->opened_us) / BACK_US;

    if (back >= causes->opened) {
        causes->opened = 0;
        causes->opened_us = now_us;
    } else {
        causes->opened -= (uint32_t)back;
        causes->opened_us += back * BACK_US;
    }
    if (causes->opened == OPENED_MOST)
        return false;
    causes->opened++;
    return true;
}

static void suppressed_count(struct message_causes *causes, const char *tunnel)
{
    char name[sizeof(causes->suppressed[0].tunnel)];

    snprintf(name, sizeof(name), "%.*s", (int)sizeof(name) - 1, *tunnel ? tunnel : "no tunnel");
    message_text_cut(name, sizeof(name));
    for (size_t i = 0; i < SUPPRESSED_TUNNELS_MAX; i++) {
        if (causes->suppressed[i].count && strcmp(causes->suppressed[i].tunnel, name) != 0)
            continue;
        memcpy(causes->suppressed[i].tunnel, name, sizeof(name));
        causes->suppressed[i].count++;
        return;
    }
    causes->suppressed_others++;
}

/* One for each of them: the host counts them, and says the last one, once a minute and at the
 * end. So the sums are never reset. */
static void suppressed_say(struct pd_turn *turn, const struct message_causes *causes,
                           const char *what)
{
    char text[SUPPRESSED_TUNNELS_MAX * 80 + 160];
    int n = snprintf(
        text, sizeof(text),
        "messages come faster than causes are recorded; messages without a cause since the start:");

    for (size_t i = 0; i < SUPPRESSED_TUNNELS_MAX && causes->suppressed[i].count; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s %" PRIu64 " of %s", i ? "," : "",
                      causes->suppressed[i].count, causes->suppressed[i].tunnel);
    if (causes->suppressed_others)
        snprintf(text + n, sizeof(text) - (size_t)n, ", %" PRIu64 " of others",
                 causes->suppressed_others);
    turn->host->notice(turn, PD_LEVEL_WARNING, what, text);
}

uint64_t message_cause_open(struct pd_turn *turn, struct message_causes *causes, const char *reason,
                            const char *tunnel, const char *what)
{
    if (may_open(causes, turn->now_us))
        return turn->host->open_cause(turn, reason);
    suppressed_count(causes, tunnel);
    suppressed_say(turn, causes, what);
    return 0;
}
