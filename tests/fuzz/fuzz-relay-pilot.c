/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagram as the answer of a beacon, and as a Version Negotiation: what is taken is whole. */
#include "fuzz.h"

#include "relay/pilot.h"
#include "relay/version-probe.h"

static void check_version(const uint8_t *data, size_t size)
{
    uint8_t random[VERSION_PROBE_RANDOM] = {0}, ask[VERSION_PROBE_BYTES];

    if (size >= 23) { /* the ids that it would be an answer to */
        memcpy(random, data + 15, 8);
        memcpy(random + 8, data + 6, 8);
    }
    if (!version_probe_answer(data, size, random)) {
        MUST(size >= 27 && size % 4 == 3 && data[0] & 0x80 && data[5] == 8 && data[14] == 8);
        random[0] ^= 1;
        MUST(version_probe_answer(data, size, random));
    }
    version_probe_ask(ask, random);
    MUST(version_probe_answer(ask, sizeof(ask), random));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pd_address seen;
    const char *why = pilot_reply_parse(data, size, &seen);

    if (why) {
        MUST(*why && !seen.family);
    } else {
        size_t n = seen.family == 4 ? 4 : 16;

        MUST((seen.family == 4 || seen.family == 6) && seen.port);
        MUST(size == 4 + n && data[0] == 2 && data[1] == n && !memcmp(data + 2, seen.bytes, n));
        MUST(seen.port == data[2 + n] * 256 + data[3 + n]);
    }
    check_version(data, size);
    return 0;
}
