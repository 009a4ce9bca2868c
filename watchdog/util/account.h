/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and groups by their names. The C library says "there is none" also where it could not
 * look: of a database that it cannot open, it goes on to the next one. What is in /etc/passwd and
 * /etc/group is found there; for another name the C library may wait for a name service.
 */
#ifndef UTIL_ACCOUNT_H
#define UTIL_ACCOUNT_H

#include <sys/types.h>

/* 0; -ENOENT: there is no such account; or another -errno: it cannot be found out now. */
int account_user(const char *name, uid_t *ret_uid);
int account_group(const char *name, gid_t *ret_gid);

/* The name, if /etc/passwd or /etc/group has it, else the number. Never asks a name service. The
 * caller frees it. */
char *account_user_text(uid_t uid);
char *account_group_text(gid_t gid);

#endif
