/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagram as the answer to a REG: a reason is a word. */
#include "fuzz.h"

#include "relay/reg-ack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1), reason[REG_REASON_SIZE];
    enum reg_answer answer;

    MUST(text);
    memcpy(text, data, size);
    answer = reg_answer_parse(text, size, reason);
    free(text);
    MUST(strspn(reason, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(reason));
    if (answer == REG_DENIED || answer == REG_NOT_NOW)
        MUST(*reason && size >= 4 + strlen(reason) && !memcmp(data + 4, reason, strlen(reason)));
    else
        MUST(!*reason);
    MUST(answer != REG_ACK || (size >= 3 && size <= 5 && !memcmp(data, "ACK", 3)));
    return 0;
}
