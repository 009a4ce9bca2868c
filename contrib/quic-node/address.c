/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses as text and back. It must not resolve names. */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int address_parse_host(const char *text, struct address *ret)
{
    char host[ADDRESS_TEXT_MAX], *zone;

    *ret = (struct address){0};
    if (strlen(text) >= sizeof(host))
        return -EINVAL;
    strcpy(host, text);
    if (inet_pton(AF_INET, host, &ret->in.sin_addr) == 1) {
        ret->in.sin_family = AF_INET;
        ret->len = sizeof(ret->in);
        return 0;
    }
    zone = strchr(host, '%');
    if (zone) {
        *zone++ = '\0';
        ret->in6.sin6_scope_id = if_nametoindex(zone);
        if (ret->in6.sin6_scope_id == 0)
            ret->in6.sin6_scope_id = (uint32_t)strtoul(zone, NULL, 10);
        if (ret->in6.sin6_scope_id == 0)
            return -EINVAL;
    }
    if (inet_pton(AF_INET6, host, &ret->in6.sin6_addr) != 1)
        return -EINVAL;
    ret->in6.sin6_family = AF_INET6;
    ret->len = sizeof(ret->in6);
    return 0;
}

int address_parse(const char *text, struct address *ret)
{
    const char *colon = strrchr(text, ':');
    char host[ADDRESS_TEXT_MAX], *end;
    unsigned long port;
    size_t len;
    int r;

    if (!colon || colon[1] < '0' || colon[1] > '9')
        return -EINVAL;
    port = strtoul(colon + 1, &end, 10);
    len = (size_t)(colon - text);
    if (*end || port > 65535 || len >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, len);
    host[len] = '\0';
    if (host[0] == '[') {
        if (len < 2 || host[len - 1] != ']')
            return -EINVAL;
        host[len - 1] = '\0';
        r = address_parse_host(host + 1, ret);
        if (r == 0 && ret->sa.sa_family != AF_INET6)
            return -EINVAL;
    } else {
        r = address_parse_host(host, ret);
        if (r == 0 && ret->sa.sa_family != AF_INET)
            return -EINVAL;
    }
    if (r == 0)
        address_set_port(ret, (unsigned)port);
    return r;
}

const char *address_text(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "", zone[IF_NAMESIZE + 1] = "";

    if (a->len == 0) {
        strcpy(text, "-");
    } else if (a->sa.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
        snprintf(text, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(a->in.sin_port));
    } else {
        inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
        if (a->in6.sin6_scope_id && if_indextoname(a->in6.sin6_scope_id, zone + 1))
            zone[0] = '%';
        snprintf(text, ADDRESS_TEXT_MAX, "[%s%s]:%u", host, zone, ntohs(a->in6.sin6_port));
    }
    return text;
}

bool address_equal(const struct address *a, const struct address *b)
{
    if (a->len != b->len || (a->len && a->sa.sa_family != b->sa.sa_family))
        return false;
    if (a->len == 0)
        return true;
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return a->in6.sin6_port == b->in6.sin6_port &&
           IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) &&
           a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

bool address_unspecified(const struct address *a)
{
    if (a->len == 0)
        return true;
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

unsigned address_port(const struct address *a)
{
    return ntohs(a->sa.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

void address_set_port(struct address *a, unsigned port)
{
    if (a->sa.sa_family == AF_INET)
        a->in.sin_port = htons((uint16_t)port);
    else
        a->in6.sin6_port = htons((uint16_t)port);
}

int address_copy(struct address *a, const struct sockaddr *sa, size_t len)
{
    *a = (struct address){0};
    if (sa->sa_family == AF_INET && len >= sizeof(a->in)) {
        memcpy(&a->in, sa, sizeof(a->in));
        memset(a->in.sin_zero, 0, sizeof(a->in.sin_zero));
        a->len = sizeof(a->in);
    } else if (sa->sa_family == AF_INET6 && len >= sizeof(a->in6)) {
        memcpy(&a->in6, sa, sizeof(a->in6));
        a->in6.sin6_flowinfo = 0;
        a->len = sizeof(a->in6);
    } else {
        return -EAFNOSUPPORT;
    }
    return 0;
}
