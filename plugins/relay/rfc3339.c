/* SPDX-License-Identifier: Apache-2.0 */
#include "rfc3339.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#define DAY_S      86400
#define LATEST_S   UINT64_C(253402300799) /* the end of the year 9999 */
#define ERA_DAYS   146097                 /* 400 years */
#define EPOCH_DAYS 719468                 /* from 0000-03-01 to 1970-01-01 */

struct reader {
    const char *at, *end;
    bool bad;
};

static int take_digits(struct reader *r, unsigned n)
{
    int value = 0;

    for (; n; n--, r->at++) {
        if (r->at == r->end || *r->at < '0' || *r->at > '9') {
            r->bad = true;
            return 0;
        }
        value = value * 10 + (*r->at - '0');
    }
    return value;
}

/* One character, in small letters or capitals. */
static bool take(struct reader *r, char c)
{
    bool letter = c >= 'A' && c <= 'Z';

    if (r->at == r->end || (*r->at != c && !(letter && *r->at == c + ('a' - 'A'))))
        return false;
    r->at++;
    return true;
}

static void must(struct reader *r, char c)
{
    if (!take(r, c))
        r->bad = true;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days since 1970; a year begins in March here, so that the leap day is its last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), of_era = y % 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return y / 400 * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS;
}

/* Seconds east of UTC. */
static int take_offset(struct reader *r)
{
    int sign, hours, minutes;

    if (take(r, 'Z'))
        return 0;
    sign = take(r, '-') ? -1 : 1;
    if (sign > 0)
        must(r, '+');
    hours = take_digits(r, 2);
    must(r, ':');
    minutes = take_digits(r, 2);
    if (hours > 23 || minutes > 59)
        r->bad = true;
    return sign * (hours * 3600 + minutes * 60);
}

static int64_t take_date(struct reader *r)
{
    int year = take_digits(r, 4), month, day;

    must(r, '-');
    month = take_digits(r, 2);
    must(r, '-');
    day = take_digits(r, 2);
    if (r->bad || month < 1 || month > 12 || day < 1 || day > days_in(year, month)) {
        r->bad = true;
        return 0;
    }
    return days_of(year, month, day);
}

static int64_t take_clock(struct reader *r)
{
    int hour = take_digits(r, 2), minute, second;

    must(r, ':');
    minute = take_digits(r, 2);
    must(r, ':');
    second = take_digits(r, 2);
    if (hour > 23 || minute > 59 || second > 60)
        r->bad = true;
    if (take(r, '.')) {
        (void)take_digits(r, 1);
        while (!r->bad && r->at < r->end && *r->at >= '0' && *r->at <= '9')
            r->at++;
    }
    return (hour * 60 + minute) * 60 + second;
}

int rfc3339_parse(const char *text, size_t length, uint64_t *ret_s)
{
    struct reader r = {text, text + length, false};
    int64_t time_s = take_date(&r) * DAY_S;

    if (!take(&r, 'T') && !take(&r, ' '))
        r.bad = true;
    time_s += take_clock(&r);
    time_s -= take_offset(&r);
    if (r.bad || r.at != r.end || time_s < 0 || (uint64_t)time_s > LATEST_S)
        return -EINVAL;
    *ret_s = (uint64_t)time_s;
    return 0;
}

void rfc3339_format(uint64_t time_s, char out[static RFC3339_SIZE])
{
    uint64_t at = time_s > LATEST_S ? LATEST_S : time_s;
    unsigned clock = (unsigned)(at % DAY_S);
    unsigned days = (unsigned)(at / DAY_S) + EPOCH_DAYS, of_era = days % ERA_DAYS;
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * of_year + 2) / 153, day = of_year - (153 * month + 2) / 5 + 1;
    unsigned year = days / ERA_DAYS * 400 + year_of_era;

    month = month < 10 ? month + 3 : month - 9;
    (void)snprintf(out, RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ",
                   (year + (month <= 2)) % 10000, month % 100, day % 100, clock / 3600,
                   clock / 60 % 60, clock % 60);
}
