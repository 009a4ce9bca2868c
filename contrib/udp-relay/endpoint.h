/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as the relay keeps them: always 16 bytes, IPv4 as ::ffff:a.b.c.d. Pure. */
#ifndef UDP_RELAY_ENDPOINT_H
#define UDP_RELAY_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct endpoint {
    uint8_t ip[16];
    uint32_t scope; /* interface of a link-local address; else 0 */
    uint16_t port;  /* host byte order */
};

static inline bool ip_equal(const struct endpoint *a, const struct endpoint *b)
{
    return !memcmp(a->ip, b->ip, sizeof(a->ip)) && a->scope == b->scope;
}

static inline bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && ip_equal(a, b);
}

bool endpoint_is_ipv4(const struct endpoint *endpoint);

/* "192.0.2.1", "2001:db8::1", "fe80::1%2"; and with a port: "192.0.2.1:4433", "[2001:db8::1]:4433".
 */
#define ENDPOINT_TEXT_SIZE 72u
const char *ip_text(char out[ENDPOINT_TEXT_SIZE], const struct endpoint *endpoint);
const char *endpoint_text(char out[ENDPOINT_TEXT_SIZE], const struct endpoint *endpoint);

/* Reads an IPv4 or IPv6 address, IPv6 also in brackets; no name, no port, no scope. Returns 0 or
 * -EINVAL. The port is 0 then. */
int ip_parse(const char *text, struct endpoint *ret);

#endif
