/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to the daemon's control socket, in an event loop: requests out, lines in. */
#ifndef VARLINK_CHANNEL_H
#define VARLINK_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>
#include <systemd/sd-json.h>

#define REQUEST_BYTES_MAX ((size_t)60 * 1024) /* the daemon takes 64 KiB a line */

struct channel;

/* Connects without waiting. `handler` is called when there may be something to read. Returns 0 or
 * -errno; -EAGAIN: nobody is let in. */
int channel_open(const char *path, sd_event *loop, sd_event_io_handler_t handler, void *user,
                 struct channel **ret);

/* Returns 0, -E2BIG (longer than REQUEST_BYTES_MAX), or what went wrong. */
int channel_send(struct channel *channel, sd_json_variant *request);

/* The next whole line of what was read. Returns 1; 0: there is none; -EBADMSG: it is not JSON,
 * or none in so many bytes. */
int channel_next(struct channel *channel, sd_json_variant **ret);

/* Reads once what there is. Returns 1; 0: nothing now; -ECONNRESET at its end, or what went
 * wrong. */
int channel_read(struct channel *channel);

/* Whether the handler is called. */
void channel_listen(struct channel *channel, bool on);

/* NULL is fine. Returns NULL. */
struct channel *channel_free(struct channel *channel);

#endif
