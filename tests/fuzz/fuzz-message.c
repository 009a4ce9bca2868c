/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagram as a message: what is read is clean, and is read the same from how it is written. */
#include "fuzz.h"

#include "messages/message.h"

static void check_same(const struct message *message)
{
    char text[MESSAGE_MAX + 64];
    struct message again;
    const char *error;
    int length = snprintf(text, sizeof(text), "EVENT=%s\nTUNNEL=%s\nPEERS=%s\nREASON=%s",
                          message->event, message->tunnel, message->peers, message->reason);

    MUST(length > 0 && (size_t)length < sizeof(text));
    if (length > (int)MESSAGE_MAX)
        return; /* the keys that were left out made it longer */
    MUST(message_parse(text, (size_t)length, &again, &error) == 0);
    MUST(!strcmp(again.event, message->event) && !strcmp(again.tunnel, message->tunnel));
    MUST(!strcmp(again.peers, message->peers) && !strcmp(again.reason, message->reason));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct message message;
    const char *error = NULL;

    MUST(text);
    memcpy(text, data, size);
    if (message_parse(text, size, &message, &error) < 0) {
        MUST(error && *error);
    } else {
        MUST(!error && size <= MESSAGE_MAX);
        MUST(!strchr(message.reason, '\n') && !strchr(message.peers, '\n'));
        check_same(&message);
    }
    free(text);
    return 0;
}
