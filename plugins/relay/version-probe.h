/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is there a QUIC server? A packet of a version that none has must be answered with a Version
 * Negotiation (RFC 9000 §6.1), which costs the server no state; it has our two connection ids, the
 * other way round (§17.2.1), so that nobody answers who has not seen the packet. Pure; fuzzed.
 */
#ifndef RELAY_VERSION_PROBE_H
#define RELAY_VERSION_PROBE_H

#include <stddef.h>
#include <stdint.h>

#define VERSION_PROBE_BYTES 1200u /* less is dropped (§14.1) */
#define VERSION_PROBE_RANDOM                                                                       \
    16u /* 8 for each connection id: a shorter one may be dropped (§7.2)                          \
         */

void version_probe_ask(uint8_t out[static VERSION_PROBE_BYTES],
                       const uint8_t random[static VERSION_PROBE_RANDOM]);

/* Returns NULL, or why this is no answer to it. */
const char *version_probe_answer(const uint8_t *bytes, size_t length,
                                 const uint8_t random[static VERSION_PROBE_RANDOM]);

#endif
