/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of what the node says, checked one by one against
 * docs/node-protocol.md. Values go out, nothing else happens; pure.
 *
 * Each function returns 0, or -EPROTO with `problem` filled: that message is
 * malformed. An optional member that is null counts as absent. Strings point into
 * the JSON or into `scratch`, and live as long as both.
 */
#ifndef NODE_DECODE_H
#define NODE_DECODE_H

#include <jansson.h>

#include "../engine/event.h"
#include "../util/address.h"

#define CONN_MAX ((UINT64_C(1) << 53) - 1)

/* What is wrong, and with which member. Constants. */
struct problem {
    const char *member;
    const char *what;
};

#define SCRATCH_TEXT_MAX 512

/* Memory for what cannot be used as the node wrote it. */
struct scratch {
    char texts[3][SCRATCH_TEXT_MAX];
    char addresses[2][ADDRESS_TEXT_MAX];
    const char *bad_address; /* one that could not be read and so counts as absent; else NULL */
    uint32_t bad_addresses;  /* how many */
};

struct hello {
    struct event_node_up node; /* without uid */
    int64_t protocol;
    uint64_t netns; /* 0: not told */
};

int hello_decode(const json_t *result, struct hello *ret, struct scratch *scratch,
                 struct problem *problem);
int subscribed_decode(const json_t *result, struct problem *problem);

int peer_up_decode(const json_t *params, struct event_peer_up *ret, struct scratch *scratch,
                   struct problem *problem);
int peer_down_decode(const json_t *params, struct event_peer_down *ret, struct scratch *scratch,
                     struct problem *problem);
int peer_path_decode(const json_t *params, struct event_peer_path *ret, struct scratch *scratch,
                     struct problem *problem);

/* The results of migrate_peer and reconnect_peer, and the text of an error. */
int migrated_decode(const json_t *result, struct event_answer *ret, struct scratch *scratch,
                    struct problem *problem);
int reconnected_decode(const json_t *result, struct event_answer *ret, struct problem *problem);
const char *error_text(const json_t *message, struct scratch *scratch);

/* The result of probe_path: the node had `most_us` for it. */
int probed_decode(const json_t *result, uint64_t most_us, uint64_t *ret_rtt_us,
                  struct problem *problem);

/* An integer 1 … 2^53-1, else 0. */
uint64_t conn_value(const json_t *value);

#endif
