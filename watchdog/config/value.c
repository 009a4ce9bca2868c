/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times, sizes, booleans and fractions as text, both ways. No files, no
 * messages to anybody: errors are sentences that are handed back.
 */
#include "value.h"

#include <errno.h>
#include <strings.h>

#include "../util/duration.h"
#include "../util/format.h"
#include "../util/glob.h"

static const struct {
    const char *name;
    uint64_t factor;
} size_units[] = {
    {"G", 1u << 30},
    {"M", 1u << 20},
    {"K", 1u << 10},
    {"", 1u},
};

static const char *const type_names[] = {
    [PD_OPTION_TIME] = "time",       [PD_OPTION_INTEGER] = "integer",   [PD_OPTION_SIZE] = "size",
    [PD_OPTION_BOOLEAN] = "boolean", [PD_OPTION_FRACTION] = "fraction", [PD_OPTION_TEXT] = "text",
    [PD_OPTION_GLOBS] = "globs",     [PD_OPTION_PATH] = "path",         [PD_OPTION_GROUP] = "group",
    [PD_OPTION_MODE] = "mode",
};

const char *option_type_name(enum pd_option_type type)
{
    return (size_t)type < ARRAY_SIZE(type_names) ? type_names[type] : "?";
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int parse_integer(const char *text, uint64_t *ret_number, const char **ret_why)
{
    const char *end = number_parse(text, ret_number, ret_why);

    if (!end)
        return -EINVAL;
    if (*end) {
        *ret_why = "is not a whole number";
        return -EINVAL;
    }
    return 0;
}

static int parse_size(const char *text, uint64_t *ret_number, const char **ret_why)
{
    uint64_t number;
    const char *end = number_parse(text, &number, ret_why);

    if (!end)
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_SIZE(size_units); i++) {
        if (strcmp(end, size_units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(number, size_units[i].factor, ret_number)) {
            *ret_why = "is too large";
            return -EINVAL;
        }
        return 0;
    }
    *ret_why = "is not a size: a number and K, M, G or nothing";
    return -EINVAL;
}

static int parse_boolean(const char *text, uint64_t *ret_number, const char **ret_why)
{
    static const char *const words[2][4] = {
        {"no", "false", "off", "0"},
        {"yes", "true", "on", "1"},
    };

    for (unsigned value = 0; value < 2; value++)
        for (size_t i = 0; i < ARRAY_SIZE(words[value]); i++)
            if (!strcasecmp(text, words[value][i])) {
                *ret_number = value;
                return 0;
            }
    *ret_why = "is not a boolean: yes, no, true, false, on, off, 1 or 0";
    return -EINVAL;
}

/* "1/4", "25%" or a whole number; kept in permille. */
static int parse_fraction(const char *text, uint64_t *ret_number, const char **ret_why)
{
    uint64_t above, below = 1;
    const char *s = number_parse(text, &above, ret_why);

    if (!s)
        return -EINVAL;
    if (*s == '/') {
        s = number_parse(s + 1, &below, ret_why);
        if (!s)
            return -EINVAL;
    } else if (*s == '%') {
        below = 100;
        s++;
    }
    if (*s || !below) {
        *ret_why = "is not a fraction such as 1/4 or 25%";
        return -EINVAL;
    }
    if (__builtin_mul_overflow(above, 1000u, &above)) {
        *ret_why = "is too large";
        return -EINVAL;
    }
    if (above && above < below) {
        *ret_why = "is below 1/1000, the least step";
        return -EINVAL;
    }
    *ret_number = above / below;
    return 0;
}

/* What a config line could not say again must not come from anywhere else. */
static int check_text(const char *text, const char **ret_why)
{
    size_t length = strlen(text);

    if (length > VALUE_MAX_BYTES) {
        *ret_why = "is longer than 4096 bytes";
        return -EINVAL;
    }
    if (length && (is_blank(text[0]) || is_blank(text[length - 1]))) {
        *ret_why = "begins or ends with a blank";
        return -EINVAL;
    }
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f) {
            *ret_why = "has control characters";
            return -EINVAL;
        } else if (i && is_blank(text[i - 1]) && (text[i] == '#' || text[i] == ';')) {
            *ret_why = "has a comment in it";
            return -EINVAL;
        }
    return 0;
}

static int check_word(enum pd_option_type type, const char *text, const char **ret_why)
{
    if (type == PD_OPTION_PATH && text[0] != '/')
        *ret_why = "is not an absolute path";
    else if (type == PD_OPTION_GROUP && (!*text || strpbrk(text, " \t/:")))
        *ret_why = "is not a group's name";
    else if (type == PD_OPTION_MODE && (!*text || strspn(text, "01234567") != strlen(text) ||
                                        strlen(text) > 4 || (strlen(text) == 4 && text[0] != '0')))
        *ret_why = "is not a file's mode, in octal";
    else
        return check_text(text, ret_why);
    return -EINVAL;
}

static int check_globs(const char *text, const char **ret_why)
{
    struct globs *globs;
    int r = check_text(text, ret_why);

    if (r < 0)
        return r;
    globs = globs_new(text);
    if (globs_too_long(globs)) {
        *ret_why = "has a glob that stands for more than 255 characters, as no name has";
        r = -EINVAL;
    }
    globs_free(globs);
    return r;
}

int value_parse(enum pd_option_type type, const char *text, uint64_t *ret_number,
                const char **ret_why)
{
    switch (type) {
    case PD_OPTION_TIME:
        return duration_parse(text, ret_number, ret_why);
    case PD_OPTION_INTEGER:
        return parse_integer(text, ret_number, ret_why);
    case PD_OPTION_SIZE:
        return parse_size(text, ret_number, ret_why);
    case PD_OPTION_BOOLEAN:
        return parse_boolean(text, ret_number, ret_why);
    case PD_OPTION_FRACTION:
        return parse_fraction(text, ret_number, ret_why);
    case PD_OPTION_TEXT:
        return check_text(text, ret_why);
    case PD_OPTION_GLOBS:
        return check_globs(text, ret_why);
    case PD_OPTION_PATH:
    case PD_OPTION_GROUP:
    case PD_OPTION_MODE:
        return check_word(type, text, ret_why);
    }
    *ret_why = "has an unknown type";
    return -EINVAL;
}

static char *format_size(uint64_t number)
{
    size_t i = 0;

    while (number % size_units[i].factor || (!number && size_units[i].factor > 1))
        i++;
    return string_format("%llu%s", (unsigned long long)(number / size_units[i].factor),
                         size_units[i].name);
}

static char *format_fraction(uint64_t permille)
{
    uint64_t a = permille, b = 1000;

    while (b) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    if (1000 / a == 1)
        return string_format("%llu", (unsigned long long)(permille / 1000));
    return string_format("%llu/%llu", (unsigned long long)(permille / a),
                         (unsigned long long)(1000 / a));
}

char *value_format(enum pd_option_type type, uint64_t number)
{
    switch (type) {
    case PD_OPTION_TIME:
        return string_copy(duration_exact((char[DURATION_EXACT_SIZE]){0}, number));
    case PD_OPTION_SIZE:
        return format_size(number);
    case PD_OPTION_BOOLEAN:
        return string_copy(number ? "yes" : "no");
    case PD_OPTION_FRACTION:
        return format_fraction(number);
    default:
        return string_format("%llu", (unsigned long long)number);
    }
}

char *option_allowed(const struct pd_option *option)
{
    static const char *const articles[] = {
        [PD_OPTION_TIME] = "a time",
        [PD_OPTION_INTEGER] = "a whole number",
        [PD_OPTION_SIZE] = "a size",
        [PD_OPTION_BOOLEAN] = "yes or no",
        [PD_OPTION_FRACTION] = "a fraction",
        [PD_OPTION_TEXT] = "a text",
        [PD_OPTION_GLOBS] = "globs, separated by spaces",
        [PD_OPTION_PATH] = "an absolute path",
        [PD_OPTION_GROUP] = "the name of an existing group",
        [PD_OPTION_MODE] = "a mode from 000 to 0777",
    };
    CLEANUP_FREE char *least = NULL, *most = NULL;

    if ((size_t)option->type >= ARRAY_SIZE(articles))
        return string_copy("nothing");
    if (option->type == PD_OPTION_PATH && option->max)
        return string_format("an absolute path of at most %llu bytes",
                             (unsigned long long)option->max);
    if (option->type == PD_OPTION_BOOLEAN || option->type >= PD_OPTION_TEXT)
        return string_copy(articles[option->type]);
    least = value_format(option->type, option->min);
    if (!option->max)
        return string_format("%s, %s or more", articles[option->type], least);
    most = value_format(option->type, option->max);
    return string_format("%s from %s to %s", articles[option->type], least, most);
}

int option_parse(const struct pd_option *option, const char *text, struct pd_value *ret_value,
                 char **ret_error)
{
    struct pd_value value = {.given = true};
    CLEANUP_FREE char *allowed = NULL;
    const char *why = NULL;

    if (value_parse(option->type, text, &value.number, &why) < 0)
        goto refused;
    if (option->type == PD_OPTION_PATH && option->max && strlen(text) > option->max) {
        why = "is too long";
        goto refused;
    }
    if (option->type >= PD_OPTION_TEXT) {
        value.text = text;
    } else if (option->type != PD_OPTION_BOOLEAN) {
        if (value.number < option->min)
            why = "is too small";
        else if (option->max && value.number > option->max)
            why = "is too large";
        if (why)
            goto refused;
    }
    *ret_value = value;
    return 0;
refused:
    allowed = option_allowed(option);
    return error_set(ret_error, -EINVAL, "\"%.80s\" %s; allowed is %s", text, why, allowed);
}

char *option_format(const struct pd_option *option, const struct pd_value *value)
{
    if (!value->given)
        return NULL;
    if (option->type >= PD_OPTION_TEXT)
        return string_copy(value->text);
    return value_format(option->type, value->number);
}
