/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose is a flow: of a local program (its user and its unit, as the kernel's sockets have them) or
 * of a machine behind an interface of this one. And where do the routes lead it, without any move?
 */
#ifndef FLOW_NODE_OWNER_H
#define FLOW_NODE_OWNER_H

#include <net/if.h>
#include <stddef.h>

#include "tuple.h"

#define OWNER_NAME_SIZE 121u

enum owner_kind {
    OWNER_LOCAL,
    OWNER_FORWARDED,
    OWNER_INCOMING, /* to a server of this machine: not ours to move */
    OWNER_UNKNOWN,  /* no route leads to its source */
};

struct owner {
    enum owner_kind kind;
    char lan[IF_NAMESIZE]; /* of a forwarded one: the interface that leads to its source */
    bool has_socket;       /* of a local one; what follows is known then */
    uint32_t uid;
    char user[OWNER_NAME_SIZE]; /* its name, else its number */
    char unit[OWNER_NAME_SIZE]; /* "nginx.service", "app-browser-42.scope"; "": none */
};

struct owners;

int owners_new(struct owners **ret, char *ret_error, size_t error_size);
struct owners *owners_free(struct owners *owners);

/* Returns 0 or -errno: the kernel could not be asked. */
int owner_find(struct owners *owners, const struct flow_tuple *tuple, struct owner *ret);

struct owner_route {
    char interface[IF_NAMESIZE]; /* ""; there is no route */
    bool is_specific;            /* by a route to some addresses, not by a default route */
    bool is_forbidden;           /* one says that nothing may go there */
};

/* Where the routes lead it. `lan`: NULL for a local one. Returns 0 or -errno. */
int owner_route(struct owners *owners, const struct flow_tuple *tuple, const char *lan,
                struct owner_route *ret);

/* The unit that a path below /sys/fs/cgroup names; "" where it is a login session or none. Pure. */
void owner_unit(const char *cgroup, char ret_unit[static OWNER_NAME_SIZE]);

#endif
