/* SPDX-License-Identifier: Apache-2.0 */
#include "reg-ack.h"

#include <string.h>

static const char reg_head[] = "REG:pathdog-probe-";

_Static_assert(sizeof(reg_head) - 1 + (size_t)2 * REG_RANDOM + 1 == REG_BYTES,
               "the length of a REG");

void reg_ask(char out[static REG_BYTES], const uint8_t random[static REG_RANDOM])
{
    static const char digits[] = "0123456789abcdef";
    char *at = mempcpy(out, reg_head, sizeof(reg_head) - 1);

    for (size_t i = 0; i < REG_RANDOM; i++) {
        *at++ = digits[random[i] >> 4];
        *at++ = digits[random[i] & 15];
    }
    *at = '\n';
}

/* A reason is a word of small letters, digits and "-". */
static size_t reason_length(const char *text, size_t length)
{
    size_t n = 0;

    while (n < length && n < REG_REASON_SIZE &&
           ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= '0' && text[n] <= '9') ||
            text[n] == '-'))
        n++;
    return n == length && n < REG_REASON_SIZE ? n : 0;
}

enum reg_answer reg_answer_parse(const char *text, size_t length,
                                 char ret_reason[static REG_REASON_SIZE])
{
    size_t n;

    ret_reason[0] = '\0';
    if (length && text[length - 1] == '\n')
        length--;
    if (length && text[length - 1] == '\r')
        length--;
    if (length == 3 && !memcmp(text, "ACK", 3))
        return REG_ACK;
    if (length < 5 || memcmp(text, "ERR:", 4) != 0)
        return REG_GARBAGE;
    n = reason_length(text + 4, length - 4);
    if (!n)
        return REG_GARBAGE;
    memcpy(ret_reason, text + 4, n);
    ret_reason[n] = '\0';
    return !strcmp(ret_reason, "full") || !strcmp(ret_reason, "off") ? REG_NOT_NOW : REG_DENIED;
}
