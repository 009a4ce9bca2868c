/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: text to value and back. Strict, since what is misread here would
 * be compared with what the kernel says; no getaddrinfo, which may block.
 */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

/* The longest host: an IPv6 address, '%' and an interface name. */
#define HOST_MAX (INET6_ADDRSTRLEN + sizeof(((struct pd_address *)NULL)->scope))

static int port_parse(const char *text, uint16_t *ret_port)
{
    uint32_t port = 0;
    size_t length = strspn(text, "0123456789");

    if (!length || length > 5 || text[length])
        return -EINVAL;
    for (size_t i = 0; i < length; i++)
        port = port * 10 + (uint32_t)(text[i] - '0');
    if (port > UINT16_MAX)
        return -EINVAL;
    *ret_port = (uint16_t)port;
    return 0;
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static bool is_link_local(const uint8_t *bytes)
{
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/* An interface name as the kernel allows it: no '/', no space, not empty. */
static int scope_parse(const char *text, char ret_scope[static 16])
{
    size_t length = strlen(text);

    if (!length || length > 15)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= ' ' || c == 0x7f || strchr("/%[]:", c))
            return -EINVAL;
    }
    memcpy(ret_scope, text, length + 1);
    return 0;
}

/* `host` is what stands between the brackets; it is cut at its '%'. */
static int ipv6_parse(char *host, struct pd_address *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char *scope = strchr(host, '%');

    if (scope) {
        *scope++ = '\0';
        if (scope_parse(scope, ret->scope))
            return -EINVAL;
    }
    if (inet_pton(AF_INET6, host, ret->bytes) != 1)
        return -EINVAL;
    ret->family = 6;
    if (!is_link_local(ret->bytes))
        memset(ret->scope, 0, sizeof(ret->scope));
    if (!memcmp(ret->bytes, mapped, sizeof(mapped))) {
        memmove(ret->bytes, ret->bytes + 12, 4);
        memset(ret->bytes + 4, 0, 12);
        ret->family = 4;
    }
    return 0;
}

static int host_parse(const char *text, size_t length, bool bracketed, struct pd_address *ret)
{
    char host[HOST_MAX];

    if (!length || length >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    if (bracketed)
        return ipv6_parse(host, ret);
    if (inet_pton(AF_INET, host, ret->bytes) != 1)
        return -EINVAL;
    ret->family = 4;
    return 0;
}

int address_parse(const char *text, struct pd_address *ret)
{
    struct pd_address address = {0};
    bool bracketed = *text == '[';
    const char *end;

    memset(ret, 0, sizeof(*ret));
    text += bracketed;
    end = strchr(text, bracketed ? ']' : ':');
    if (!end || host_parse(text, (size_t)(end - text), bracketed, &address))
        return -EINVAL;
    end += bracketed;
    if (*end != ':' || port_parse(end + 1, &address.port))
        return -EINVAL;
    if (!all_zero(address.bytes, sizeof(address.bytes)))
        *ret = address;
    return 0;
}

void address_format(const struct pd_address *address, char out[static ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN];

    *out = '\0';
    if (address->family == 4 && inet_ntop(AF_INET, address->bytes, host, sizeof(host)))
        snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", host, (unsigned)address->port);
    else if (address->family == 6 && inet_ntop(AF_INET6, address->bytes, host, sizeof(host)))
        snprintf(out, ADDRESS_TEXT_MAX, "[%s%s%.15s]:%u", host, *address->scope ? "%" : "",
                 address->scope, (unsigned)address->port);
}
