/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <ctype.h>
#include <errno.h>

#include "config/value.h"
#include "util/format.h"
#include "util/glob.h"
#include "util/printable.h"

#define TABLE_MOST 32u
#define TEXT_MOST  200u
/* What sockaddr_un has room for. */
#define SOCKET_MOST 107u
#define DAY_US      UINT64_C(86400000000)

/* A list that ends with a comma is one that somebody has not finished. */
static int comma_refuse(const char *text, char **ret_error)
{
    size_t length = strlen(text);

    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    if (!length || text[length - 1] != ',')
        return 0;
    return error_set(ret_error, -EINVAL, "\"%.80s\" ends with a comma", text);
}

/* ---- words ---- */

void words_free(struct words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->at[i]);
    free(words->at);
    *words = (struct words){0};
}

/* Without spaces around it. The caller frees it. */
static char *word_next(const char **at)
{
    size_t length = strcspn(*at, ",");
    const char *word = *at;

    *at += length + ((*at)[length] == ',');
    while (length && isspace((unsigned char)*word)) {
        word++;
        length--;
    }
    while (length && isspace((unsigned char)word[length - 1]))
        length--;
    return string_format("%.*s", (int)length, word);
}

int words_parse(struct words *words, const char *text, const char *empty, const char *what,
                const char *(*wrong)(const char *word), char **ret_error)
{
    struct words read = {memory_new(WORDS_MOST, sizeof(char *)), 0};
    int r = comma_refuse(text, ret_error);

    for (const char *at = text; r >= 0 && *at && strcmp(text, empty) != 0;) {
        char *word = word_next(&at);
        const char *why = !*word ? "is empty" : wrong(word);

        if (!why && read.n == WORDS_MOST)
            why = "is one too many: at most 64 are allowed";
        if (why) {
            r = error_set(ret_error, -EINVAL,
                          "\"%.80s\" %s; allowed are %s, with commas between them, or %s", word,
                          why, what, empty);
            free(word);
            break;
        }
        read.at[read.n++] = word;
    }
    if (r < 0) {
        words_free(&read);
        return r;
    }
    words_free(words);
    *words = read;
    return 0;
}

const char *interface_wrong(const char *word)
{
    if (strlen(word) >= IF_NAMESIZE)
        return "is longer than the 15 bytes of an interface's name";
    /* The kernel has settings of these two names beside those of the interfaces. */
    if (!strcmp(word, ".") || !strcmp(word, "..") || !strcmp(word, "all") ||
        !strcmp(word, "default"))
        return "is no interface's name";
    if (!strcmp(word, "none"))
        return "does not go with other names";
    for (; *word; word++)
        if (isspace((unsigned char)*word) || *word == '/' || *word == ':' ||
            iscntrl((unsigned char)*word) || *word == '"')
            return "has a character that no interface's name has";
    return NULL;
}

const char *name_wrong(const char *word)
{
    struct glob *glob = glob_new(word);
    bool too_long = glob_is_too_long(glob);

    glob_free(glob);
    if (too_long)
        return "is too long";
    for (; *word; word++)
        if (isspace((unsigned char)*word) || iscntrl((unsigned char)*word))
            return "has a space or a control character";
    return NULL;
}

const char *text_wrong(const char *text)
{
    if (strlen(text) > TEXT_MOST)
        return "is longer than 200 bytes";
    return text_is_printable(text, strlen(text)) ? NULL : "is not UTF-8, or has control characters";
}

const char *socket_wrong(const char *word)
{
    return strlen(word) > SOCKET_MOST ? "is longer than 107 bytes" : NULL;
}

const char *table_wrong(const char *word)
{
    bool plain = true;

    if (!*word || strlen(word) > TABLE_MOST || !isalpha((unsigned char)*word))
        return "is not a letter, and at most 31 more letters, digits or _";
    for (; *word; word++) {
        if (!isalnum((unsigned char)*word) && *word != '_')
            return "has a character that is no letter, digit or _";
        plain = plain && *word != '_';
    }
    return plain ? "has no _, and could be a word of nft's language" : NULL;
}

/* ---- ports ---- */

/* Moves `*at` behind the digits. */
static bool port_number(const char **at, uint16_t *ret)
{
    unsigned value = 0, digits = 0;

    for (; isdigit((unsigned char)**at) && digits < 6; (*at)++, digits++)
        value = value * 10 + (unsigned)(**at - '0');
    *ret = (uint16_t)value;
    return digits && digits < 6 && value >= 1 && value <= UINT16_MAX;
}

/* "443", "8000-8010", either with "/12s". NULL, or why it is not one. */
static const char *port_parse(struct flow_port *ret, const char *word)
{
    const char *at = word, *why = NULL;

    *ret = (struct flow_port){0};
    if (!port_number(&at, &ret->first))
        return "is no port from 1 to 65535";
    ret->last = ret->first;
    if (*at == '-') {
        at++;
        if (!port_number(&at, &ret->last) || ret->last < ret->first)
            return "is no range of ports, from the lesser to the greater";
    }
    if (!*at)
        return NULL;
    if (*at != '/')
        return "is no port from 1 to 65535";
    if (value_parse(PD_OPTION_TIME, at + 1, &ret->answers_us, &why) < 0)
        return "has no time after its /";
    return ret->answers_us > DAY_US ? "has more than a day after its /" : NULL;
}

int ports_parse(struct flow_settings *settings, const char *text, char **ret_error)
{
    struct flow_port ports[FLOW_PORTS_MOST];
    size_t n = 0;

    if (comma_refuse(text, ret_error) < 0)
        return -EINVAL;
    for (const char *at = text; *at && strcmp(text, "all") != 0;) {
        CLEANUP_FREE char *word = word_next(&at);
        struct flow_port port;
        const char *why = n == FLOW_PORTS_MOST ? "is one too many: at most 64 are allowed"
                                               : port_parse(&port, word);

        if (why)
            return error_set(ret_error, -EINVAL,
                             "\"%.80s\" %s; allowed are ports and ranges with commas between them, "
                             "each with the time within which its protocol answers where that is "
                             "long, such as 443, 8000-8010, 51820/12s; or all",
                             word, why);
        ports[n++] = port;
    }
    if (!*text)
        return error_set(ret_error, -EINVAL, "is empty; allowed are ports, such as 443, or all");
    memcpy(settings->ports, ports, n * sizeof(*ports));
    settings->n_ports = n;
    return 0;
}

/* ---- the mask ---- */

int mask_parse(uint32_t *ret, const char *text, char **ret_error)
{
    char *end;
    unsigned long long value;
    uint32_t mask;

    errno = 0;
    value = isdigit((unsigned char)*text) ? strtoull(text, &end, 0) : 0;
    mask = (uint32_t)value;
    if (!value || *end || errno || value > UINT32_MAX)
        return error_set(ret_error, -EINVAL,
                         "\"%.80s\" is no mask; allowed is a number such as 0x1f000000", text);
    mask >>= __builtin_ctz(mask);
    if (mask & (mask + 1) || mask < 3)
        return error_set(ret_error, -EINVAL,
                         "\"%.80s\": allowed are at least two bits that follow each other, such as "
                         "0x1f000000",
                         text);
    *ret = (uint32_t)value;
    return 0;
}
