/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses quantities with units and the commands of the control socket.
 * Pure: must not do I/O; the command line and the socket share it.
 */
#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORDS_MAX   3
#define COMMAND_MAX 256

struct unit {
    const char *suffix;
    uint64_t factor;
};

struct quantity {
    const struct unit *units; /* ends with a NULL suffix */
    uint64_t max;
    const char *allowed;
};

static const struct unit time_units[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0},
};
static const struct unit loss_units[] = {
    {"permille", 1000}, {"%", 10000}, {"ppm", 1}, {"", 1000}, {NULL, 0},
};
static const struct unit rate_units[] = {
    {"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}, {NULL, 0},
};

static const struct quantity time_quantity = {time_units, UINT64_C(600000000000),
                                              "0, or a time up to 600s with ns, us, ms or s"};
static const struct quantity loss_quantity = {
    loss_units, 1000000, "0 to 1000 permille, or a number with permille, % or ppm"};
static const struct quantity rate_quantity = {
    rate_units, UINT64_C(1000000000000),
    "off, or a rate up to 1000gbit with bit, kbit, mbit or gbit"};

static bool digits_take(const char **text, uint64_t *ret_value, uint64_t *ret_scale)
{
    const char *p = *text;
    uint64_t value = 0;
    uint64_t scale = 1;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (p - *text >= 9)
            return false;
        value = value * 10 + (uint64_t)(*p - '0');
        scale *= 10;
    }
    if (p == *text)
        return false;
    *text = p;
    *ret_value = value;
    *ret_scale = scale;
    return true;
}

/* At most nine digits on each side of the point, so that no product below can overflow. */
static bool quantity_parse(const struct quantity *quantity, const char *text, uint64_t *ret_value)
{
    uint64_t whole = 0;
    uint64_t part = 0;
    uint64_t part_scale = 1;
    uint64_t ignored = 0;

    if (!digits_take(&text, &whole, &ignored))
        return false;
    if (*text == '.') {
        text++;
        if (!digits_take(&text, &part, &part_scale))
            return false;
    }
    if (whole == 0 && part == 0 && *text == '\0') {
        *ret_value = 0;
        return true;
    }
    for (const struct unit *unit = quantity->units; unit->suffix; unit++) {
        if (strcmp(unit->suffix, text) != 0)
            continue;
        uint64_t value = whole * unit->factor + part * unit->factor / part_scale;
        if (value > quantity->max)
            return false;
        *ret_value = value;
        return true;
    }
    return false;
}

static bool switch_parse(const char *text, bool *ret_value)
{
    if (strcmp(text, "on") == 0)
        *ret_value = true;
    else if (strcmp(text, "off") == 0)
        *ret_value = false;
    else
        return false;
    return true;
}

/* Returns NULL, or what would have been allowed as a value. */
static const char *loss_set(struct settings *settings, const char *value)
{
    uint64_t loss_ppm = 0;

    if (!quantity_parse(&loss_quantity, value, &loss_ppm))
        return loss_quantity.allowed;
    settings->loss_ppm = (uint32_t)loss_ppm;
    return NULL;
}

static const char *rate_set(struct settings *settings, const char *value)
{
    uint64_t rate = 0;

    if (strcmp(value, "off") != 0 && !quantity_parse(&rate_quantity, value, &rate))
        return rate_quantity.allowed;
    settings->rate_bit_s = rate;
    return NULL;
}

static const char *delay_set(struct settings *settings, const char *value)
{
    return quantity_parse(&time_quantity, value, &settings->delay_ns) ? NULL
                                                                      : time_quantity.allowed;
}

static const char *jitter_set(struct settings *settings, const char *value)
{
    return quantity_parse(&time_quantity, value, &settings->jitter_ns) ? NULL
                                                                       : time_quantity.allowed;
}

static const char *blackhole_set(struct settings *settings, const char *value)
{
    return switch_parse(value, &settings->blackhole) ? NULL : "on or off";
}

static const char *reorder_set(struct settings *settings, const char *value)
{
    return switch_parse(value, &settings->reorder) ? NULL : "on or off";
}

static const struct setter {
    const char *name;
    const char *(*set)(struct settings *settings, const char *value);
} setters[] = {
    {"delay", delay_set}, {"jitter", jitter_set},       {"loss", loss_set},
    {"rate", rate_set},   {"blackhole", blackhole_set}, {"reorder", reorder_set},
};

static int words_split(char *line, const char *words[WORDS_MAX])
{
    char *save = NULL;
    int count = 0;

    for (char *word = strtok_r(line, " \t\r\n:", &save); word;
         word = strtok_r(NULL, " \t\r\n:", &save)) {
        if (count == WORDS_MAX)
            return -E2BIG;
        words[count++] = word;
    }
    return count;
}

static int setter_run(const struct setter *setter, struct settings settings[2],
                      const char *words[WORDS_MAX], int count, char *ret_error)
{
    const char *value = words[count - 1];
    struct settings changed[2] = {settings[0], settings[1]};
    const char *direction = count == 3 ? words[1] : "";
    bool to_a = count == 2 || strcmp(direction, "a") == 0;
    bool to_b = count == 2 || strcmp(direction, "b") == 0;
    const char *allowed = NULL;

    if (!to_a && !to_b) {
        snprintf(ret_error, SETTINGS_ERROR_MAX, "use: %s [a|b] VALUE", setter->name);
        return -EINVAL;
    }
    if (to_a)
        allowed = setter->set(&changed[0], value);
    if (to_b && !allowed)
        allowed = setter->set(&changed[1], value);
    if (allowed) {
        snprintf(ret_error, SETTINGS_ERROR_MAX, "%s: '%.32s': expected %s", setter->name, value,
                 allowed);
        return -EINVAL;
    }
    settings[0] = changed[0];
    settings[1] = changed[1];
    return 0;
}

int settings_command(struct settings settings[2], const char *line, enum command *ret_command,
                     char ret_error[SETTINGS_ERROR_MAX])
{
    char copy[COMMAND_MAX];
    const char *words[WORDS_MAX] = {NULL};

    ret_error[0] = '\0';
    size_t length = strlen(line);

    if (length >= sizeof(copy)) {
        snprintf(ret_error, SETTINGS_ERROR_MAX, "a command has at most %d characters",
                 COMMAND_MAX - 1);
        return -EINVAL;
    }
    memcpy(copy, line, length + 1);

    int count = words_split(copy, words);
    if (count <= 0) {
        snprintf(ret_error, SETTINGS_ERROR_MAX, "%s", count == 0 ? "no command" : "too many words");
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof(setters) / sizeof(setters[0]); i++) {
        if (strcmp(words[0], setters[i].name) == 0) {
            *ret_command = COMMAND_SET;
            return setter_run(&setters[i], settings, words, count, ret_error);
        }
    }
    if (count == 1 && strcmp(words[0], "stats") == 0)
        *ret_command = COMMAND_STATS;
    else if (count == 1 && strcmp(words[0], "show") == 0)
        *ret_command = COMMAND_SHOW;
    else {
        snprintf(ret_error, SETTINGS_ERROR_MAX,
                 "'%.32s': the commands are delay, jitter, loss, rate, blackhole, reorder, "
                 "and alone: stats, show",
                 words[0]);
        return -EINVAL;
    }
    return 0;
}

int settings_format(const struct settings *settings, char *buffer, size_t size)
{
    return snprintf(buffer, size,
                    "delay_us=%" PRIu64 " jitter_us=%" PRIu64 " loss_ppm=%" PRIu32
                    " rate_bit_s=%" PRIu64 " blackhole=%s reorder=%s",
                    settings->delay_ns / 1000, settings->jitter_ns / 1000, settings->loss_ppm,
                    settings->rate_bit_s, settings->blackhole ? "on" : "off",
                    settings->reorder ? "on" : "off");
}
