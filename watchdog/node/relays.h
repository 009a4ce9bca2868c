/* SPDX-License-Identifier: Apache-2.0 */
/* The node's list of relays, checked as docs/node-protocol.md has it. All or nothing; pure. */
#ifndef NODE_RELAYS_H
#define NODE_RELAYS_H

#include "decode.h"

/* What an event points into, beside the JSON. */
struct relays_room {
    struct pd_relay list[RELAYS_MAX];
    char addresses[RELAYS_MAX][ADDRESS_TEXT_MAX];
    char what[96]; /* of a problem: which entry */
};

/* As the functions of decode.h. */
int relays_decode(const json_t *params, struct event_relays *ret, struct relays_room *room,
                  struct problem *problem);

#endif
