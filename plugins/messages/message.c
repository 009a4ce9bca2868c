/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads messages. See message.h. Whoever may write to the socket may write
 * anything: nothing in here trusts a byte.
 */
#include "message.h"

#include "util/utf8.h"
#include "util/util.h"

#include <errno.h>

static const char *const events[] = {"rebind", "up", "moved", "down"};

/* UTF-8, and no control characters but the ends of lines. */
static bool text_is_clean(const char *text, size_t length)
{
    for (size_t i = 0, step; i < length; i += step) {
        unsigned char c = (unsigned char)text[i];

        step = utf8_length(text + i, length - i);
        if (!step || (c < 0x20 && c != '\n') || c == 0x7f ||
            (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0))
            return false;
    }
    return true;
}

static bool key_is_good(const char *key)
{
    if (*key < 'A' || *key > 'Z')
        return false;
    return strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(key);
}

/* Returns NULL, or what is wrong. */
static const char *line_read(char *line, struct message *message)
{
    const struct {
        const char *name;
        const char **value;
    } keys[] = {
        {"EVENT", &message->event},
        {"TUNNEL", &message->tunnel},
        {"PEERS", &message->peers},
        {"REASON", &message->reason},
    };
    char *value = strchr(line, '=');

    if (!value)
        return "a line has no =; allowed are lines KEY=VALUE";
    *value++ = '\0';
    if (!key_is_good(line))
        return "an invalid key; allowed are capital letters, digits and _, beginning with a letter";
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (strcmp(keys[i].name, line) != 0)
            continue;
        if (*keys[i].value)
            return "a key appears twice";
        *keys[i].value = value;
    }
    return NULL;
}

static const char *message_read(char *text, size_t length, struct message *message)
{
    const char *error;
    char *line;

    if (length > MESSAGE_MAX)
        return "the message is longer than 4096 bytes";
    if (!text_is_clean(text, length))
        return "the message is not UTF-8, or has control characters";
    text[length] = '\0';
    while ((line = strsep(&text, "\n"))) {
        error = *line ? line_read(line, message) : NULL;
        if (error)
            return error;
    }
    if (!message->event)
        return "the key EVENT is missing";
    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        if (!strcmp(events[i], message->event))
            return NULL;
    return "unknown EVENT; allowed is rebind, up, moved or down";
}

int message_parse(char *text, size_t length, struct message *ret_message, const char **ret_error)
{
    struct message message = {0};

    *ret_error = message_read(text, length, &message);
    if (*ret_error)
        return -EBADMSG;
    message.tunnel = message.tunnel ? message.tunnel : "";
    message.peers = message.peers ? message.peers : "";
    message.reason = message.reason ? message.reason : "";
    *ret_message = message;
    return 0;
}
