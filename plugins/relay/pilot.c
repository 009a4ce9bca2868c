/* SPDX-License-Identifier: Apache-2.0 */
#include "pilot.h"

#include <string.h>

enum {
    PILOT_DISCOVER = 1,
    PILOT_DISCOVER_REPLY = 2,
};

uint32_t pilot_probe_id(uint32_t random)
{
    return random | UINT32_C(0x80000000);
}

void pilot_discover(uint8_t out[static PILOT_DISCOVER_BYTES], uint32_t id)
{
    out[0] = PILOT_DISCOVER;
    for (unsigned i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(id >> 8 * (3 - i));
}

const char *pilot_reply_parse(const uint8_t *bytes, size_t length, struct pd_address *ret)
{
    static const uint8_t none[16];
    size_t n_ip;

    *ret = (struct pd_address){0};
    if (!length || bytes[0] != PILOT_DISCOVER_REPLY)
        return "no reply to Discover";
    n_ip = length > 1 ? bytes[1] : 0;
    if (n_ip != 4 && n_ip != 16)
        return "a reply to Discover with an address that has neither 4 nor 16 bytes";
    if (length != 2 + n_ip + 2)
        return "a reply to Discover that is too short or too long";
    if (!memcmp(bytes + 2, none, n_ip))
        return "a reply to Discover with no address in it";
    if (!bytes[2 + n_ip] && !bytes[3 + n_ip])
        return "a reply to Discover with port 0";
    ret->family = n_ip == 4 ? 4 : 6;
    memcpy(ret->bytes, bytes + 2, n_ip);
    ret->port = (uint16_t)(bytes[2 + n_ip] << 8 | bytes[3 + n_ip]);
    return NULL;
}
