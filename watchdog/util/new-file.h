/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that this process makes, and what may have its name before. The new one is made beside
 * it, under a name that nobody has (O_EXCL), locked, and renamed when the first bytes are in it: so
 * its owner, mode and links are its own, and whatever goes wrong before leaves the old file as it
 * was. What is replaced must be a regular file of the same kind that nobody is writing.
 */
#ifndef UTIL_NEW_FILE_H
#define UTIL_NEW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct new_file_rule {
    mode_t mode;      /* less the umask */
    const char *kind; /* "a recording": for messages */
    /* Do these first bytes of a file, `n` of at most 32, show that it is of this kind? */
    bool (*is_kind)(const char *bytes, size_t n);
};

/* Zeroed but for the descriptors, which are -1, is none. */
struct new_file {
    const char *path; /* borrowed, as is the rule */
    const struct new_file_rule *rule;
    const char *name; /* the last component */
    char *temporary;
    int fd;        /* open for writing, the caller's once it is placed */
    int directory; /* where both names are */
    int old;       /* what had the name; -1: nothing */
};

/* Makes it under another name. No symbolic link of somebody else is followed on the way, and none
 * at all at the end. Returns 0, or -errno and a sentence without the path: -EINVAL no regular
 * file, -ELOOP a symbolic link, -EEXIST a file of another kind, -EBUSY another process writes it.
 * In either case it is to be closed. */
int new_file_make(struct new_file *file, const char *path, const struct new_file_rule *rule,
                  char **ret_error);

/* Gives it its name. 0, or -errno and a sentence as above. */
int new_file_place(struct new_file *file, char **ret_error);

/* Are these two paths one name in one directory? Whether it is there or not. */
bool new_file_is_name(const char *a, const char *b);

/* Takes the other name away, if it has that still, and closes what is open. `fd` may be taken
 * out before: set it to -1. */
void new_file_close(struct new_file *file);

#endif
