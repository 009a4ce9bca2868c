/* SPDX-License-Identifier: Apache-2.0 */
/* Where the node listens and who must be there: one attempt to connect, without waiting. */
#ifndef NODE_ENDPOINT_H
#define NODE_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct endpoint {
    struct sockaddr_un address;
    socklen_t length;
    bool any_user;
    uid_t uid; /* who must serve it, unless any_user */
};

/* `path` as in the config; "@name" is abstract and needs `user`. Returns 0, or
 * -EINVAL for the path, -ENOENT for the user (a name or a number). */
int endpoint_set(struct endpoint *endpoint, const char *path, const char *user);

/* Returns the connected, non-blocking socket with the uid that serves it in
 * `*ret_uid` (UINT32_MAX: not known), or -errno with `reason` filled. */
int endpoint_connect(const struct endpoint *endpoint, uint32_t *ret_uid, char *reason, size_t size);

#endif
