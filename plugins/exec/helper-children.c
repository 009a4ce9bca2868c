/* SPDX-License-Identifier: Apache-2.0 */
/* The helper's children, found in /proc. See helper.h. */
#include "helper.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fields 4 and 5 of /proc/PID/stat: false: it is gone. The name before them may hold anything. */
static bool stat_read(const char *pid, pid_t *ret_parent, pid_t *ret_group)
{
    char path[64], text[512], *at;
    int fd;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    at = strrchr(text, ')');
    if (!at || strlen(at) < 5)
        return false;
    *ret_parent = (pid_t)strtol(at + 4, &at, 10);
    *ret_group = (pid_t)strtol(at, NULL, 10);
    return true;
}

/* A whole group at once, so that none of it forks meanwhile. All groups but our own that a child is
 * in are the command's alone: they are of our session, or of one that a descendant made. */
static void child_kill(pid_t pid, pid_t group)
{
    if (group > 1 && group != getpgrp())
        (void)kill(-group, SIGKILL);
    (void)kill(pid, SIGKILL);
}

void children_kill(void)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    pid_t parent, group;

    if (!directory)
        return;
    while ((entry = readdir(directory)))
        if (isdigit((unsigned char)entry->d_name[0]) && stat_read(entry->d_name, &parent, &group) &&
            parent == getpid())
            child_kill((pid_t)strtol(entry->d_name, NULL, 10), group);
    closedir(directory);
}
