/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file with the list of members, looked at now and then. It may be replaced (renamed over) or
 * written in place: what changed is read when it has been the same for two looks. What is absent,
 * empty, without an entry or cut off is no list: the one before stays.
 */
#ifndef UDP_RELAY_MEMBERS_FILE_H
#define UDP_RELAY_MEMBERS_FILE_H

#include "members.h"

#include <sys/stat.h>

struct members_file {
    const char *path;
    bool looked;
    struct stat seen, judged; /* at the last look; of what has been read */
    char fault[160];          /* why what is there now is not taken; "": it is */
};

void members_file_init(struct members_file *file, const char *path);

enum members_look {
    MEMBERS_SAME,
    MEMBERS_NEW,   /* a list is in `*ret` */
    MEMBERS_FAULT, /* a fault that was not there at the last look; members may be there to say why
                    */
};

/* `*ret` is the caller's; NULL where there is nothing. */
enum members_look members_file_look(struct members_file *file, struct members **ret);

#endif
