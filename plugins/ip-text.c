/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses to text and back. The C library's inet_ntop goes through printf
 * for IPv4, which is most of a lookup's cost on our side.
 */
#include "ip-text.h"

#include <arpa/inet.h>
#include <string.h>

static char *octet_format(char *text, unsigned octet)
{
    if (octet >= 100)
        *text++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *text++ = (char)('0' + octet / 10 % 10);
    *text++ = (char)('0' + octet % 10);
    return text;
}

size_t ip_format(char text[IP_TEXT_SIZE], unsigned family, const uint8_t *bytes)
{
    char *end = text;

    if (family != 4) {
        inet_ntop(AF_INET6, bytes, text, IP_TEXT_SIZE);
        return strlen(text);
    }
    for (size_t i = 0; i < 4; i++) {
        if (i)
            *end++ = '.';
        end = octet_format(end, bytes[i]);
    }
    *end = '\0';
    return (size_t)(end - text);
}

unsigned ip_parse(const char *text, uint8_t ret_bytes[16])
{
    memset(ret_bytes, 0, 16);
    if (inet_pton(AF_INET, text, ret_bytes) == 1)
        return 4;
    if (inet_pton(AF_INET6, text, ret_bytes) == 1)
        return 6;
    return 0;
}
