/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for journald: takes datagrams at its socket, quickly, slowly or not
 * at all. Keeps nothing; counts.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_PATH "/run/systemd/journal/socket"
/* As systemd sets it, and sizes journald's socket. */
#define QUEUE_ENTRIES "512"
#define QUEUE_BYTES   (8 << 20)
#define SLOW_US       10000
#define LOOK_US       2000 /* how often the mode is looked at */

struct journald_shared {
    volatile int mode, present; /* what it is to do, and what it does */
    volatile uint64_t taken, said, causes;
};

static int listen_here(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
    const struct timeval limit = {.tv_usec = LOOK_US};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = QUEUE_BYTES;

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
        die("%s: %s", SOCKET_PATH, strerror(errno));
    return fd;
}

static void take(struct journald_shared *shared, int fd)
{
    static const char field[] = "\nPATHDOG_LOG_DROPPED=", trigger[] = "\nPATHDOG_TRIGGER=shared\n",
                      advised[] = "\nPATHDOG_ADVISED=";
    char entry[65536];
    ssize_t n = recv(fd, entry, sizeof(entry) - 1, 0);
    const char *said;

    if (n < 0)
        return; /* the mode may have changed */
    entry[n] = '\0';
    said = memmem(entry, (size_t)n, field, sizeof(field) - 1);
    if (said)
        shared->said += strtoull(said + sizeof(field) - 1, NULL, 10);
    /* a decision has its own trigger, and an outcome nothing advised */
    shared->causes += memmem(entry, (size_t)n, trigger, sizeof(trigger) - 1) &&
                      memmem(entry, (size_t)n, advised, sizeof(advised) - 1);
    shared->taken++;
}

static void serve(struct journald_shared *shared)
{
    int fd = -1;

    for (;;) {
        enum journald_mode mode = (enum journald_mode)shared->mode;

        if (mode == JOURNALD_GONE && fd >= 0) {
            unlink(SOCKET_PATH);
            close(fd);
            fd = -1;
        } else if (mode != JOURNALD_GONE && fd < 0) {
            fd = listen_here();
        }
        shared->present = shared->mode;
        if (mode == JOURNALD_STANDS || mode == JOURNALD_GONE) {
            usleep(LOOK_US);
            continue;
        }
        take(shared, fd);
        if (mode == JOURNALD_SLOW)
            usleep(SLOW_US);
    }
}

/* A /run of our own: nothing of this machine's journal is touched. */
static void mount_run(void)
{
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("bench", "/run", "tmpfs", 0, "mode=755"))
        die("no mount namespace: %s (needs root)", strerror(errno));
    if (mkdir("/run/systemd", 0755) || mkdir("/run/systemd/journal", 0755))
        die("/run/systemd/journal: %s", strerror(errno));
    write_file("/proc/sys/net/unix/max_dgram_qlen", QUEUE_ENTRIES);
}

void journald_set(struct journald *journald, enum journald_mode mode)
{
    journald->shared->mode = (int)mode;
    while (journald->shared->present != (int)mode)
        usleep(LOOK_US);
}

void journald_start(struct journald *journald, enum journald_mode mode)
{
    mount_run();
    journald->shared = shared_new(sizeof(*journald->shared));
    journald->shared->mode = (int)mode;
    journald->shared->present = -1;
    journald->pid = child_fork();
    if (!journald->pid)
        serve(journald->shared);
    journald_set(journald, mode);
}

void journald_stop(struct journald *journald)
{
    child_end(journald->pid);
}

uint64_t journald_taken(const struct journald *journald)
{
    return journald->shared->taken;
}

uint64_t journald_shared_causes(const struct journald *journald)
{
    return journald->shared->causes;
}

uint64_t journald_said(const struct journald *journald)
{
    return journald->shared->said;
}
