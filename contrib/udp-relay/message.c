/* SPDX-License-Identifier: Apache-2.0 */
/* See message.h. */
#include "message.h"

#include "relay.h"
#include "util/utf8.h"

#include <stdbool.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_utf8(const char *text, size_t size)
{
    while (size) {
        size_t length = utf8_length(text, size);

        if (!length)
            return false;
        text += length;
        size -= length;
    }
    return true;
}

void message_parse(const void *payload, size_t size, struct message *ret)
{
    const char *text = payload, *end = text + size;
    bool reg, lease;

    *ret = (struct message){.kind = MESSAGE_DATA};
    if (size < 4)
        return;
    reg = !memcmp(text, "REG:", 4);
    lease = size >= RELAY_LEASE_MIN && !memcmp(text, "LEASE:", 6);
    if (!reg && !lease)
        return;
    text += reg ? 4 : 6;
    while (text < end && is_space(*text))
        text++;
    while (end > text && is_space(end[-1]))
        end--;
    if (text == end || (size_t)(end - text) > RELAY_ID_MAX ||
        !is_utf8(text, (size_t)(end - text))) {
        ret->kind = reg ? MESSAGE_BAD_REG : MESSAGE_DATA;
        return;
    }
    ret->kind = reg ? MESSAGE_REG : MESSAGE_LEASE;
    ret->id = text;
    ret->id_size = (size_t)(end - text);
}
