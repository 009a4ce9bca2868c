/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses to text and back, fast for IPv4, for policies and sources. Pure.
 */
#ifndef IP_TEXT_H
#define IP_TEXT_H

#include <pathdog/path.h>

/* As INET6_ADDRSTRLEN. */
#define IP_TEXT_SIZE 46

/* `family` is 4 or 6; bytes in network order. Returns the text's length. */
size_t ip_format(char text[IP_TEXT_SIZE], unsigned family, const uint8_t *bytes);

/* Returns 4 or 6 with `ret_bytes` filled (the rest zero), or 0: not an address. */
unsigned ip_parse(const char *text, uint8_t ret_bytes[16]);

/* 4 or 16. */
static inline size_t ip_length(unsigned family)
{
    return family == 4 ? 4 : 16;
}

#endif
