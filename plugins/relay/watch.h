/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a file may be another: its directory is watched, since a list is replaced by a rename.
 * What is read here are inotify's events; who watches is a thread (file-job.h), for the path may
 * lie on a file system that does not answer.
 */
#ifndef RELAY_WATCH_H
#define RELAY_WATCH_H

#include <stdbool.h>
#include <stddef.h>

/* What is to be seen in a directory. */
#define WATCH_MASK                                                                                 \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |    \
     IN_ATTRIB | IN_ONLYDIR | IN_EXCL_UNLINK)

struct watch_seen {
    bool changed; /* the file may be another */
    bool gone;    /* the directory: it is not watched any more */
};

/* Adds what `length` bytes, as read from inotify, say of the file `name` to `*seen`. A directory
 * may be exchanged under it by a link whose name begins with two dots. `descriptor` is the watch
 * that counts; -1: none does. */
void watch_events(const char *bytes, size_t length, int descriptor, const char *name,
                  struct watch_seen *seen);

#endif
