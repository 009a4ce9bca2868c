/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The least length of a packet of version 1 with a short header, and an id of 16 bytes. */
#define PACKET_MIN 37u

static bool begins(const uint8_t *data, size_t len, const char *head)
{
    return len >= strlen(head) && memcmp(data, head, strlen(head)) == 0;
}

/* A reason is a word of small letters, digits and "-". */
static bool word_copy(const uint8_t *data, size_t len, char ret[static RELAY_WORD_SIZE])
{
    if (len == 0 || len >= RELAY_WORD_SIZE)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!(data[i] >= 'a' && data[i] <= 'z') && !(data[i] >= '0' && data[i] <= '9') &&
            data[i] != '-')
            return false;
    memcpy(ret, data, len);
    ret[len] = '\0';
    return true;
}

/* "-" or a number, and the byte after it. Returns what follows, or NULL. */
static const uint8_t *number(const uint8_t *at, const uint8_t *end, uint8_t after, uint64_t *ret)
{
    uint64_t value = 0;
    const uint8_t *begin = at;

    if (end - at >= 2 && at[0] == '-' && at[1] == after) {
        *ret = UINT64_MAX;
        return at + 2;
    }
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (value > (UINT64_MAX - 1 - (*at - '0')) / 10)
            return NULL;
        value = 10 * value + (*at - '0');
    }
    *ret = value;
    return at > begin && at < end && *at == after ? at + 1 : NULL;
}

static bool lease(const uint8_t *data, size_t len, struct relay_said *said)
{
    const uint8_t *end = data + len, *at = number(data, end, ',', &said->bytes);

    return at && number(at, end, '\n', &said->ms) == end;
}

/* The other end's question has an id of its making. */
static bool asked(const uint8_t *data, size_t len, const char *head)
{
    size_t at = strlen(head);

    if (!begins(data, len, head) || len < at + RELAY_ID_SIZE - 1)
        return false;
    for (size_t i = at; i < at + RELAY_ID_SIZE - 1; i++)
        if (!(data[i] >= '0' && data[i] <= '9') && !(data[i] >= 'a' && data[i] <= 'f'))
            return false;
    return true;
}

struct relay_said relay_said(const uint8_t *data, size_t len)
{
    struct relay_said said = {.what = RELAY_DATA};
    size_t line = len > 0 && data[len - 1] == '\n' ? len - 1 : len;

    if (line == 3 && begins(data, len, "ACK"))
        said.what = RELAY_ACK;
    else if (line > 4 && line < PACKET_MIN && begins(data, len, "ERR:") &&
             word_copy(data + 4, line - 4, said.word))
        said.what = RELAY_ERR;
    else if (begins(data, len, "LEASE:") && lease(data + 6, len - 6, &said))
        said.what = RELAY_LEASE;
    else if (asked(data, len, "LEASE:") || asked(data, len, "REG:"))
        said.what = RELAY_ASKED;
    return said;
}

size_t relay_ask_register(char out[static RELAY_QUESTION_MAX], const char *id)
{
    return (size_t)snprintf(out, RELAY_QUESTION_MAX, "REG:%.*s\n", (int)RELAY_ID_SIZE - 1, id);
}

/* As long as the answer can be, at least. */
size_t relay_ask_lease(char out[static RELAY_QUESTION_MAX], const char *id)
{
    char text[RELAY_QUESTION_MAX];
    int n = snprintf(text, sizeof(text), "LEASE:%.*s", (int)RELAY_ID_SIZE - 1, id);

    memset(out, ' ', RELAY_QUESTION_MAX);
    memcpy(out, text, (size_t)n);
    return RELAY_QUESTION_MAX;
}
