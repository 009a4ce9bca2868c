/* SPDX-License-Identifier: Apache-2.0 */
/* Moments to and from text. */
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "../util/duration.h"
#include "../util/util.h"

/* Midnight of the day that is `days` before that of `now`. */
static void midnight(time_t now, int days, struct tm *ret)
{
    localtime_r(&now, ret);
    ret->tm_hour = ret->tm_min = ret->tm_sec = 0;
    ret->tm_mday -= days;
    ret->tm_isdst = -1;
}

static bool words_parse(const char *text, time_t now, uint64_t *ret_us)
{
    bool yesterday = !strcmp(text, "yesterday");
    struct tm tm;

    if (!strcmp(text, "now")) {
        *ret_us = (uint64_t)now * 1000000;
        return true;
    }
    if (!yesterday && strcmp(text, "today") != 0)
        return false;
    midnight(now, yesterday, &tm);
    *ret_us = (uint64_t)mktime(&tm) * 1000000;
    return true;
}

static bool date_parse(const char *text, time_t now, uint64_t *ret_us)
{
    static const char *const formats[] = {"%Y-%m-%d %H:%M:%S %z",
                                          "%Y-%m-%d %H:%M %z",
                                          "%Y-%m-%d %H:%M:%S",
                                          "%Y-%m-%d %H:%M",
                                          "%Y-%m-%d",
                                          "%H:%M:%S",
                                          "%H:%M"};

    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct tm tm;
        const char *end;
        time_t at;

        midnight(now, 0, &tm);
        end = strptime(text, formats[i], &tm);
        if (!end || *end)
            continue;
        if (strchr(formats[i], 'z')) {
            long offset = tm.tm_gmtoff; /* timegm sets it to 0 */

            at = timegm(&tm) - offset;
        } else {
            at = mktime(&tm);
        }
        *ret_us = at < 0 ? 0 : (uint64_t)at * 1000000;
        return true;
    }
    return false;
}

bool when_parse(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    time_t now = (time_t)(now_us / 1000000);
    const char *why;
    uint64_t span_us;

    if (*text == '@')
        return duration_parse(text + 1, ret_us, &why) == 0;
    if (duration_parse(text + (*text == '-'), &span_us, &why) == 0) { /* "-1h", as for journalctl */
        *ret_us = sub_u64(now_us, span_us);
        return true;
    }
    return words_parse(text, now, ret_us) || date_parse(text, now, ret_us);
}

char *when_format(char out[WHEN_SIZE], uint64_t time_us, bool ms)
{
    time_t seconds = (time_t)(time_us / 1000000);
    char fraction[8] = "";
    struct tm local;
    size_t at;

    if (!localtime_r(&seconds, &local)) {
        snprintf(out, WHEN_SIZE, "@%" PRIu64 "us", time_us);
        return out;
    }
    if (ms)
        snprintf(fraction, sizeof(fraction), ".%03u", (unsigned)(time_us / 1000 % 1000));
    at = strftime(out, WHEN_SIZE - sizeof(fraction) - 8, "%Y-%m-%d %H:%M:%S", &local);
    at += (size_t)snprintf(out + at, sizeof(fraction), "%s", fraction);
    strftime(out + at, WHEN_SIZE - at, " %z", &local);
    return out;
}
