/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to a descriptor that may hold up whoever does it: for the writing thread. */
#ifndef OUT_STREAM_H
#define OUT_STREAM_H

#include <sys/types.h>

/* As writer_config.send, by what the descriptor is. */
typedef ssize_t stream_send_t(int fd, const char *bytes, size_t n_bytes);

/* The one for this descriptor; NULL with errno: it is none. */
stream_send_t *stream_sender(int fd);

#endif
