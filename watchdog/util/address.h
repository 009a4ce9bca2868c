/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as the node protocol writes them: "192.0.2.1:443",
 * "[2001:db8::1]:443", "[fe80::1%eth0]:443". Resolves no names; pure.
 */
#ifndef UTIL_ADDRESS_H
#define UTIL_ADDRESS_H

#include <pathdog/path.h>

/* The longest text that address_format writes, its NUL included. */
#define ADDRESS_TEXT_MAX 80

/* Returns 0, or -EINVAL where it cannot be read; `*ret` is zeroed then. An
 * IPv4-mapped address is IPv4; an unspecified one is absent: 0, family 0. */
int address_parse(const char *text, struct pd_address *ret);

/* The address in its usual form (RFC 5952 for IPv6), "" where it is absent. */
void address_format(const struct pd_address *address, char out[static ADDRESS_TEXT_MAX]);

#endif
