/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port is one end of the wire: a network interface with every frame read from and written
 * to it as is. An interface may go down, vanish and come back; the port stays.
 * Must not print; port_refresh() tells its caller what changed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

struct port;

enum port_state {
    PORT_UP,
    PORT_NO_CARRIER, /* up, but the other end of it is not */
    PORT_DOWN,
    PORT_MISSING,
};

const char *port_state_name(enum port_state state);

/* The interface need not exist yet. Frames are reported as epoll event `tag`. */
int port_new(const char *name, int epoll_fd, uint64_t tag, struct port **ret_port);
struct port *port_free(struct port *port);

const char *port_name(const struct port *port);
enum port_state port_get_state(const struct port *port);

/*
 * Looks at the interface again and binds to it anew if it is another one by the same name.
 * Returns 0, *ret_changed says if the state did; or -errno, and the port is PORT_MISSING.
 */
int port_refresh(struct port *port, bool *ret_changed);

/*
 * Returns 1 with a frame, 0 if there is none now, -errno if one was there and could not be
 * read: -EMSGSIZE, larger than a slot; -EINVAL, an offload the kernel cannot describe.
 */
int port_receive(struct port *port, struct frame *frame);

/* Returns 0 or -errno; the frame is then lost, as on a wire. */
int port_send(struct port *port, const struct frame *frame);

/* Frames the kernel dropped since the port was made because they were not read in time. */
uint64_t port_kernel_drops(struct port *port);
