/* SPDX-License-Identifier: Apache-2.0 */
/* A listening UNIX stream socket that systemd has passed: FileDescriptorName= of a socket unit. */
#ifndef UTIL_PASSED_SOCKET_H
#define UTIL_PASSED_SOCKET_H

/* Returns its descriptor, or -1: none of that name was passed. `*ret_path`, where not NULL: where
 * it listens, which the caller frees; "@name" for an abstract one. */
int passed_socket(const char *name, char **ret_path);

#endif
