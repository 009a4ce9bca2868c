/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first 8 bytes are the present, the rest the text of a moment. What was read is written, and
 * read again as the same second.
 */
#include "fuzz.h"

#include "ctl/when.h"
#include "util/util.h"

/* Years with more than four digits are written, and not read. */
#define YEAR_10000_US UINT64_C(253402300800000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t now_us, us = 0, again_us;
    char *text, out[WHEN_SIZE];

    if (size < sizeof(now_us))
        return 0;
    memcpy(&now_us, data, sizeof(now_us));
    text = memory_new(size - sizeof(now_us) + 1, 1);
    memcpy(text, data + sizeof(now_us), size - sizeof(now_us));
    when_format(out, now_us, true);
    MUST(*out && strlen(out) < WHEN_SIZE);
    if (when_parse(text, now_us, &us)) {
        when_format(out, us, false);
        MUST(*out && strlen(out) < WHEN_SIZE);
        if (us < YEAR_10000_US - UINT64_C(86400000000)) {
            MUST(when_parse(out, now_us, &again_us));
            MUST(again_us == us / 1000000 * 1000000);
        }
    }
    free(text);
    return 0;
}
