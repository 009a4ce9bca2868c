/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagram as a notice: what is read is clean, and is read the same from how it is written. */
#include "fuzz.h"

#include "notice.h"

static void check_same(const struct notice *notice)
{
    char text[NOTICE_MAX + 64];
    struct notice again;
    const char *error;
    int length = snprintf(text, sizeof(text), "EVENT=%s\nTUNNEL=%s\nPEERS=%s\nREASON=%s",
                          notice->event, notice->tunnel, notice->peers, notice->reason);

    MUST(length > 0 && (size_t)length < sizeof(text));
    if (length > (int)NOTICE_MAX)
        return; /* the keys that were left out made it longer */
    MUST(notice_parse(text, (size_t)length, &again, &error) == 0);
    MUST(!strcmp(again.event, notice->event) && !strcmp(again.tunnel, notice->tunnel));
    MUST(!strcmp(again.peers, notice->peers) && !strcmp(again.reason, notice->reason));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct notice notice;
    const char *error = NULL;

    MUST(text);
    memcpy(text, data, size);
    if (notice_parse(text, size, &notice, &error) < 0) {
        MUST(error && *error);
    } else {
        MUST(!error && size <= NOTICE_MAX);
        MUST(!strchr(notice.reason, '\n') && !strchr(notice.peers, '\n'));
        check_same(&notice);
    }
    free(text);
    return 0;
}
