/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the daemon: one JSON value out, lines of JSON in, by a deadline. */
#ifndef CTL_CHANNEL_H
#define CTL_CHANNEL_H

#include <jansson.h>

struct channel;

/* Returns 0 or -errno. */
int channel_open(const char *path, struct channel **ret_channel);

/* To be polled: when it is readable, channel_receive may have something. */
int channel_fd(const struct channel *channel);

/* Writes one line, waiting so long at most. Returns 0 or -errno. */
int channel_send(struct channel *channel, const json_t *value, int timeout_ms);

/* The next line, read as JSON. -1: waits without end. Returns 0, or -ETIMEDOUT,
 * -ECONNRESET at its end, -EBADMSG where it is not JSON, or what went wrong. */
int channel_receive(struct channel *channel, int timeout_ms, json_t **ret_value);

/* NULL is fine. Returns NULL. */
struct channel *channel_free(struct channel *channel);

#endif
