/* SPDX-License-Identifier: Apache-2.0 */
/* See endpoint.h. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool endpoint_is_ipv4(const struct endpoint *endpoint)
{
    return !memcmp(endpoint->ip, mapped, sizeof(mapped));
}

const char *ip_text(char out[ENDPOINT_TEXT_SIZE], const struct endpoint *endpoint)
{
    if (endpoint_is_ipv4(endpoint)) {
        inet_ntop(AF_INET, endpoint->ip + 12, out, ENDPOINT_TEXT_SIZE);
        return out;
    }
    inet_ntop(AF_INET6, endpoint->ip, out, ENDPOINT_TEXT_SIZE);
    if (endpoint->scope) {
        size_t length = strlen(out);

        snprintf(out + length, ENDPOINT_TEXT_SIZE - length, "%%%u", endpoint->scope);
    }
    return out;
}

const char *endpoint_text(char out[ENDPOINT_TEXT_SIZE], const struct endpoint *endpoint)
{
    bool v4 = endpoint_is_ipv4(endpoint);
    size_t length;

    ip_text(out + !v4, endpoint);
    if (!v4)
        out[0] = '[';
    length = strlen(out);
    snprintf(out + length, ENDPOINT_TEXT_SIZE - length, "%s:%u", v4 ? "" : "]", endpoint->port);
    return out;
}

int ip_parse(const char *text, struct endpoint *ret)
{
    char inner[INET6_ADDRSTRLEN];
    size_t length = strlen(text);

    *ret = (struct endpoint){0};
    memcpy(ret->ip, mapped, sizeof(mapped));
    if (inet_pton(AF_INET, text, ret->ip + 12) == 1)
        return 0;
    if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length < sizeof(inner)) {
        memcpy(inner, text, length);
        inner[length] = '\0';
        if (inet_pton(AF_INET6, inner, ret->ip) == 1)
            return 0;
    }
    *ret = (struct endpoint){0};
    return -EINVAL;
}
