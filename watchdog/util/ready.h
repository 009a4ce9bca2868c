/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work for later, by turns with the descriptors of its priority: a descriptor that can
 * always be read. sd-event has a defer source go before all others of its priority,
 * each time, because it has been pending since it was made.
 */
#ifndef UTIL_READY_H
#define UTIL_READY_H

#include <errno.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

/* Off at first. Returns 0 or -errno. */
static inline int ready_add(sd_event *loop, sd_event_source **ret_source,
                            sd_event_io_handler_t handler, void *user)
{
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), r;

    if (fd < 0)
        return -errno;
    r = sd_event_add_io(loop, ret_source, fd, EPOLLIN, handler, user);
    if (r < 0) {
        close(fd);
        return r;
    }
    r = sd_event_source_set_io_fd_own(*ret_source, true);
    return r < 0 ? r : sd_event_source_set_enabled(*ret_source, SD_EVENT_OFF);
}

#endif
