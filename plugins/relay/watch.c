/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <string.h>
#include <sys/inotify.h>

static void one(const struct inotify_event *event, const char *file_name, const char *name,
                struct watch_seen *seen)
{
    if (event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
        seen->gone = seen->changed = true;
    else if (!event->len)
        seen->changed |= event->mask & IN_ATTRIB; /* of the directory: may it be read now? */
    else if (!strcmp(file_name, name) || !strncmp(file_name, "..", 2))
        seen->changed = true;
}

void watch_events(const char *bytes, size_t length, int descriptor, const char *name,
                  struct watch_seen *seen)
{
    struct inotify_event event;

    for (size_t at = 0; at + sizeof(event) <= length; at += sizeof(event) + event.len) {
        memcpy(&event, bytes + at, sizeof(event));
        if (event.len > length - at - sizeof(event))
            return; /* the kernel writes whole ones */
        if (event.mask & IN_Q_OVERFLOW)
            seen->changed = true;
        else if (event.wd == descriptor)
            one(&event, event.len ? bytes + at + sizeof(event) : "", name, seen);
    }
}
