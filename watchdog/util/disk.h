/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that write to files, for threads that do nothing else. On a frozen file system, or on a
 * disk that does not answer, such a call stays in the kernel until it is over ("D" in ps), and
 * nothing ends it: not SIGKILL, and not the end of the process, which is not gone before all of its
 * threads are. So the call is made by a child that shares the memory and waits in the place of the
 * thread, as in vfork(2): where the process ends, only the child is left behind.
 */
#ifndef UTIL_DISK_H
#define UTIL_DISK_H

#include <stdbool.h>
#include <stdint.h>

/* Returns what `call` returns. All descriptors are closed in it but `fd` (-1: all), so that a child
 * that is left behind holds nothing of others. Where no child can be made it is called here. */
int disk_call(int (*call)(void *user), void *user, int fd);

/* Prints a text to standard error, for at most so long: false, it could not be. For the end of a
 * process, since the thread that does it may go on for ever. */
bool stderr_say(const char *text, uint64_t timeout_us);

#endif
