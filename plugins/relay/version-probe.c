/* SPDX-License-Identifier: Apache-2.0 */
#include "version-probe.h"

#include <string.h>

#define ID_BYTES 8u

enum {
    /* before it: the first byte and the version; then each id behind its length */
    AT_DCID_LENGTH = 5,
    AT_DCID = AT_DCID_LENGTH + 1,
    AT_SCID_LENGTH = AT_DCID + ID_BYTES,
    AT_SCID = AT_SCID_LENGTH + 1,
    AT_REST = AT_SCID + ID_BYTES,
};

void version_probe_ask(uint8_t out[static VERSION_PROBE_BYTES],
                       const uint8_t random[static VERSION_PROBE_RANDOM])
{
    memset(out, 0, VERSION_PROBE_BYTES);
    out[0] = 0xc0;            /* a long header; the rest belongs to the version */
    memset(out + 1, 0x1a, 4); /* 0x?a?a?a?a is reserved for this (§15) */
    out[AT_DCID_LENGTH] = ID_BYTES;
    memcpy(out + AT_DCID, random, ID_BYTES);
    out[AT_SCID_LENGTH] = ID_BYTES;
    memcpy(out + AT_SCID, random + ID_BYTES, ID_BYTES);
}

const char *version_probe_answer(const uint8_t *bytes, size_t length,
                                 const uint8_t random[static VERSION_PROBE_RANDOM])
{
    static const uint8_t negotiation[4];

    if (length < AT_DCID_LENGTH || !(bytes[0] & 0x80) || memcmp(bytes + 1, negotiation, 4) != 0)
        return "no Version Negotiation";
    if (length < AT_REST + 4 || (length - AT_REST) % 4)
        return "a Version Negotiation of a wrong length";
    if (bytes[AT_DCID_LENGTH] != ID_BYTES || memcmp(bytes + AT_DCID, random + ID_BYTES, ID_BYTES) ||
        bytes[AT_SCID_LENGTH] != ID_BYTES || memcmp(bytes + AT_SCID, random, ID_BYTES))
        return "a Version Negotiation with other connection ids";
    return NULL;
}
