/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node protocol, one connection at a time: bytes of the node become engine
 * events, actions of the engine become bytes for the node. No socket, no clock:
 * link.[ch] has those. docs/node-protocol.md is the contract.
 */
#ifndef NODE_PROTOCOL_H
#define NODE_PROTOCOL_H

#include "../engine/engine.h"
#include "../util/buffer.h"

#define PROTOCOL_VERSION     1
#define PROTOCOL_DEADLINE_US UINT64_C(10000000) /* of hello, and of each step of subscribe */
#define PROTOCOL_SUMMARY_US  UINT64_C(10000000) /* of a summary, at least */

struct protocol;

struct protocol_config {
    const char *client;          /* "pathdog/0.1.0"; copied */
    uint64_t netns;              /* inode of our own network namespace, 0: not known */
    uint64_t sample_interval_us; /* a summary is given up after three of them */
};

/* Called for each event, in order, without times. It may call protocol_send. */
typedef void protocol_event_fn(void *userdata, struct event *event);

int protocol_new(const struct protocol_config *config, protocol_event_fn *event, void *userdata,
                 struct protocol **ret_protocol);
struct protocol *protocol_free(struct protocol *protocol);

void protocol_set_sample_interval(struct protocol *protocol, uint64_t sample_interval_us);

/* A connection was made: everything of the last one is forgotten, and hello is
 * in the output. `uid` is the node's, UINT32_MAX: not known. */
void protocol_open(struct protocol *protocol, uint64_t now_us, uint32_t uid);

/* The connection is gone, and so is all that was asked on it: no event comes for that any more.
 * Its owner reports EVENT_NODE_DOWN, at which the engine ends its requests and forgets its probes
 * of paths. */
void protocol_close(struct protocol *protocol);

/* Bytes from the node. Returns 0, or what to close the connection for, with
 * protocol_reason() saying it: -EBADMSG fatal, -EPROTO hello or subscribe refused or
 * malformed, -EPROTONOSUPPORT no protocol in common. */
int protocol_input(struct protocol *protocol, uint64_t now_us, const char *bytes, size_t length);

/* Appends requests to the output. Nothing happens where hello was not answered;
 * what is for sources is passed over. Emits no event. Each path's probe is reported once by an
 * EVENT_PROBED, unless the connection goes before: with the node's answer; from protocol_expire()
 * where none came within its time and a second, where the node has not the feature, or where
 * PATH_PROBES_MAX are open. */
void protocol_send(struct protocol *protocol, uint64_t now_us, const struct action *actions,
                   size_t n_actions);

/* When protocol_expire wants to be called, UINT64_MAX: never. */
uint64_t protocol_deadline_us(const struct protocol *protocol);

/* Gives up what is overdue. Returns 0, or -ETIMEDOUT: close the connection. */
int protocol_expire(struct protocol *protocol, uint64_t now_us);

/* What is to be written: take from its front. Its limit is the owner's to set. */
struct buffer *protocol_output(struct protocol *protocol);

/* So many bytes of answers to requests of the node's own; a node needs to send none. */
#define PROTOCOL_REFUSALS_MAX_BYTES ((size_t)1024 * 1024)

/* Whether the node must read before more is read from it: it has sent so many requests of its own,
 * or so much of what it was sent still waits, that its input would only make the output grow. */
bool protocol_is_choked(const struct protocol *protocol);

bool protocol_is_up(const struct protocol *protocol);         /* hello was answered */
bool protocol_is_subscribed(const struct protocol *protocol); /* subscribe, too */
const char *protocol_reason(const struct protocol *protocol); /* of the last error */

#endif
