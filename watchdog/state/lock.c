/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of a directory, and who has it. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF". Returns the pid, 0: not of this inode. */
static pid_t line_pid(const char *line, ino_t inode)
{
    unsigned long long found;
    unsigned major, minor;
    int pid;

    /* The device is not compared: some file systems say another one there. */
    if (sscanf(line, "%*u: FLOCK %*s WRITE %d %x:%x:%llu ", &pid, &major, &minor, &found) != 4)
        return 0;
    return found == inode && pid > 0 ? pid : 0;
}

static pid_t holder_of(int fd)
{
    struct stat there;
    char *line = NULL;
    size_t size = 0;
    pid_t pid = 0;
    FILE *locks;

    if (fstat(fd, &there) < 0)
        return 0;
    locks = fopen("/proc/locks", "re");
    if (!locks)
        return 0;
    while (!pid && getline(&line, &size, locks) > 0)
        pid = line_pid(line, there.st_ino);
    free(line);
    fclose(locks);
    return pid;
}

int lock_take(const char *directory, int *ret_fd, pid_t *ret_pid)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = open(directory, flags);

    *ret_fd = -1;
    *ret_pid = 0;
    if (fd < 0 && errno == ENOENT && mkdir(directory, 0750) == 0)
        fd = open(directory, flags);
    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *ret_fd = fd;
        return 0;
    }
    if (errno != EWOULDBLOCK) {
        close(fd);
        return 0;
    }
    *ret_pid = holder_of(fd);
    close(fd);
    return -EBUSY;
}
