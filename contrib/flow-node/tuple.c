/* SPDX-License-Identifier: Apache-2.0 */
#include "tuple.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "util/siphash.h"
#include "util/util.h"

static int family_of(uint8_t family)
{
    return family == 4 ? AF_INET : AF_INET6;
}

bool tuple_is_equal(const struct flow_tuple *a, const struct flow_tuple *b)
{
    return a->family == b->family && a->protocol == b->protocol && a->sport == b->sport &&
           a->dport == b->dport && !memcmp(a->saddr, b->saddr, sizeof(a->saddr)) &&
           !memcmp(a->daddr, b->daddr, sizeof(a->daddr));
}

uint64_t tuple_hash(const uint64_t key[static 2], const struct flow_tuple *tuple)
{
    uint8_t bytes[40] = {tuple->family, tuple->protocol};

    memcpy(bytes + 2, &tuple->sport, sizeof(tuple->sport));
    memcpy(bytes + 4, &tuple->dport, sizeof(tuple->dport));
    memcpy(bytes + 8, tuple->saddr, sizeof(tuple->saddr));
    memcpy(bytes + 24, tuple->daddr, sizeof(tuple->daddr));
    return siphash(key, bytes, sizeof(bytes));
}

/* ---- as text ---- */

static const char *end_text(char out[static TUPLE_END_SIZE], uint8_t family,
                            const uint8_t address[static 16], uint16_t port)
{
    char ip[INET6_ADDRSTRLEN] = "";

    inet_ntop(family_of(family), address, ip, sizeof(ip));
    snprintf(out, TUPLE_END_SIZE, family == 4 ? "%s:%u" : "[%s]:%u", ip, (unsigned)port);
    return out;
}

const char *tuple_client_text(char out[static TUPLE_END_SIZE], const struct flow_tuple *tuple)
{
    return end_text(out, tuple->family, tuple->saddr, tuple->sport);
}

const char *tuple_server_text(char out[static TUPLE_END_SIZE], const struct flow_tuple *tuple)
{
    return end_text(out, tuple->family, tuple->daddr, tuple->dport);
}

const char *tuple_text(char out[static TUPLE_TEXT_SIZE], const struct flow_tuple *tuple)
{
    char server[TUPLE_END_SIZE];

    snprintf(out, TUPLE_TEXT_SIZE, "udp:%s#%u", tuple_server_text(server, tuple),
             (unsigned)tuple->sport);
    return out;
}

const char *tuple_text_full(char out[static TUPLE_TEXT_SIZE], const struct flow_tuple *tuple)
{
    char server[TUPLE_END_SIZE], client[TUPLE_END_SIZE];

    snprintf(out, TUPLE_TEXT_SIZE, "udp:%s#%s", tuple_server_text(server, tuple),
             tuple_client_text(client, tuple));
    return out;
}

/* ---- and back ---- */

/* Digits only: strtoul takes signs and spaces. */
static int port_parse(const char *text, size_t length, uint16_t *ret)
{
    unsigned value = 0;

    if (!length || length > 5)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > UINT16_MAX)
        return -EINVAL;
    *ret = (uint16_t)value;
    return 0;
}

static const char *last_colon(const char *text, size_t length)
{
    while (length && text[length - 1] != ':')
        length--;
    return length ? text + length - 1 : NULL;
}

/* "ADDRESS:PORT", the IPv6 one in brackets. */
static int end_parse(const char *text, size_t length, uint8_t *ret_family,
                     uint8_t ret_address[static 16], uint16_t *ret_port)
{
    const char *colon = last_colon(text, length);
    char ip[INET6_ADDRSTRLEN];
    size_t n;
    bool six = length && text[0] == '[';

    if (!colon)
        return -EINVAL;
    n = (size_t)(colon - text);
    if (port_parse(colon + 1, length - n - 1, ret_port) < 0)
        return -EINVAL;
    if (six) {
        if (n < 3 || text[n - 1] != ']')
            return -EINVAL;
        text++;
        n -= 2;
    }
    if (n >= sizeof(ip))
        return -EINVAL;
    memcpy(ip, text, n);
    ip[n] = '\0';
    *ret_family = six ? 6 : 4;
    return inet_pton(family_of(*ret_family), ip, ret_address) == 1 ? 0 : -EINVAL;
}

int tuple_parse(const char *text, struct flow_tuple *ret)
{
    struct flow_tuple tuple = {.protocol = IPPROTO_UDP};
    const char *hash = strchr(text, '#'), *client;
    uint8_t family;

    *ret = (struct flow_tuple){0};
    if (!hash || strncmp(text, "udp:", 4) != 0)
        return -EINVAL;
    client = hash + 1;
    if (end_parse(text + 4, (size_t)(hash - text - 4), &tuple.family, tuple.daddr, &tuple.dport) <
        0)
        return -EINVAL;
    if (port_parse(client, strlen(client), &tuple.sport) < 0 &&
        (end_parse(client, strlen(client), &family, tuple.saddr, &tuple.sport) < 0 ||
         family != tuple.family))
        return -EINVAL;
    *ret = tuple;
    return 0;
}
