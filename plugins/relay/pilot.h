/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of the Pilot Protocol what a probe needs: Discover, 01 id(4), and the beacon's reply, 02
 * iplen(1) ip port(2), which says from where the question came. Big endian. Pure; fuzzed.
 *
 * The beacon keeps the address that it last saw of an id: whoever asks with the id of a node takes
 * that node's mapping. So a probe has an id that no node uses.
 */
#ifndef RELAY_PILOT_H
#define RELAY_PILOT_H

#include <pathdog/path.h>

#define PILOT_DISCOVER_BYTES 5u

/* Of random bits an id that no node has: they are given from 1 upwards, and this is in the upper
 * half. */
uint32_t pilot_probe_id(uint32_t random);

void pilot_discover(uint8_t out[static PILOT_DISCOVER_BYTES], uint32_t id);

/* Returns NULL, with the address that the beacon saw, or what is wrong. */
const char *pilot_reply_parse(const uint8_t *bytes, size_t length, struct pd_address *ret);

#endif
