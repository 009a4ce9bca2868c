/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens what is at the end of a path only if nobody but root and the own user can put something
 * else there. The way is gone one component at a time, by descriptor: what was looked at is what
 * is opened, and nothing can be exchanged between the two.
 *
 * Each directory on the way, from "/" on, and each symbolic link must be owned by root or by the
 * effective user. A directory must not be one that others may write, except where it has the sticky
 * bit, as /tmp has: there an entry is only exchanged by its owner, and the entry's owner is looked
 * at next.
 */
#ifndef UTIL_SAFE_PATH_H
#define UTIL_SAFE_PATH_H

#include <sys/stat.h>

/* Opens it with the flags of open(2), without O_CREAT. What is at the end must be owned by root or
 * by the effective user, too, and nobody else may write it, sticky bit or not. A symbolic link at
 * the end is followed, unless `flags` has O_NOFOLLOW: then -ELOOP.
 * Returns a descriptor, or -errno with a sentence that has the path: -EPERM, where somebody else
 * could put something there. */
int safe_open(const char *path, int flags, char **ret_error);

/* Opens (O_PATH) the directory of a file that is to be made, whose name, the last component, is
 * `*ret_name`, a part of `path`. The directories may be anybody's, but nobody leads the way
 * elsewhere: each symbolic link must be owned by root or by the effective user.
 * Returns a descriptor, or -errno with a sentence: -EISDIR, where there is no name at the end. */
int safe_open_parent(const char *path, const char **ret_name, char **ret_error);

/* safe_open's rule for something that is open: 0, or -EPERM and a sentence that begins with `what`.
 */
int safe_check(const struct stat *st, const char *what, char **ret_error);

#endif
