/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes written as hexadecimal digits, two a byte, in either case. Pure. */
#ifndef UTIL_HEX_H
#define UTIL_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Are these one to `max` bytes? */
bool hex_is_bytes(const char *text, size_t length, size_t max);

/* Takes at most `max` bytes out of text for which hex_is_bytes() is true. Returns how many. */
size_t hex_take(const char *text, size_t length, uint8_t *out, size_t max);

#endif
