// SPDX-License-Identifier: Apache-2.0
/* Makes chosen system calls of a program fail, wait, or only be counted: loaded by LD_PRELOAD, told
 * what to do by a table in a file that the test maps too (faults.py), so that a fault begins and
 * ends while the program runs. Only calls that go through the dynamic linker are seen: those of the
 * program and of its libraries, not those that libc makes for itself. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ENTRIES = 64, HANG = -1 };

/* One row of the table; faults.py has the same layout. */
struct entry {
    char match[60]; /* part of the path, or "unix", "netlink", "inet", "inet6"; empty: each */
    _Atomic int32_t error; /* errno; 0: none; HANG: waits until this changes */
    _Atomic uint32_t pass; /* so many matching calls are left alone first */
    _Atomic uint32_t fail; /* so many fail then; UINT32_MAX: all */
    _Atomic uint32_t delay_us;
    _Atomic uint32_t seen; /* matching calls */
    _Atomic uint32_t hit;  /* of these, failed, delayed or waiting */
    uint32_t spare;
    _Atomic uint64_t call; /* hash of the call's name; 0: no row. Written last. */
    uint64_t spare64[4];
};
_Static_assert(sizeof(struct entry) == 128, "faults.py knows the layout");

static void pause_us(uint32_t us)
{
    struct timespec time = {us / 1000000, us % 1000000 * 1000L};
    syscall(SYS_nanosleep, &time, NULL);
}

/* Raw system calls: those of libc are the ones that are replaced here. */
static struct entry *map_table(void)
{
    const char *path = getenv("FAULT_TABLE");
    if (!path)
        return NULL;
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    void *map =
        mmap(NULL, ENTRIES * sizeof(struct entry), PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
    syscall(SYS_close, fd);
    return map == MAP_FAILED ? NULL : map;
}

static struct entry *table(void)
{
    static _Atomic(struct entry *) mapped;
    static atomic_bool tried;
    if (!atomic_exchange(&tried, true))
        mapped = map_table();
    return mapped;
}

static uint64_t hash(const char *text)
{ /* FNV-1a */
    uint64_t sum = 0xcbf29ce484222325;
    while (*text)
        sum = (sum ^ (unsigned char)*text++) * 0x100000001b3;
    return sum;
}

static bool fd_matches(int fd, const char *match)
{
    static const struct {
        const char *name;
        int domain;
    } domains[] = {
        {"unix", AF_UNIX}, {"netlink", AF_NETLINK}, {"inet", AF_INET}, {"inet6", AF_INET6}};
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        if (strcmp(match, domains[i].name) == 0) {
            int domain = 0;
            socklen_t size = sizeof(domain);
            return syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
                   domain == domains[i].domain;
        }
    char link[32], path[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
    if (length < 0)
        return false;
    path[length] = 0;
    return strstr(path, match);
}

static bool entry_matches(const struct entry *entry, int fd, const char *path)
{
    if (!entry->match[0])
        return true;
    int before = errno;
    bool matches =
        path ? strstr(path, entry->match) != NULL : fd >= 0 && fd_matches(fd, entry->match);
    errno = before;
    return matches;
}

/* The error that the call is to end with; 0: it is made. */
static int fault(const char *call, int fd, const char *path)
{
    struct entry *entries = table();
    if (!entries)
        return 0;
    uint64_t sum = hash(call);
    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *entry = &entries[i];
        if (entry->call != sum || !entry_matches(entry, fd, path))
            continue;
        uint32_t number = entry->seen++, pass = entry->pass, fail = entry->fail;
        if (number < pass || (fail != UINT32_MAX && number - pass >= fail))
            continue;
        if (!entry->error && !entry->delay_us)
            continue;
        entry->hit++;
        if (entry->delay_us)
            pause_us(entry->delay_us);
        while (entry->error == HANG)
            pause_us(1000);
        if (entry->error > 0)
            return entry->error;
    }
    return 0;
}

#define EXPORT __attribute__((visibility("default")))
#define NEXT(type, name)                                                                           \
    static _Atomic(type) next;                                                                     \
    if (!next)                                                                                     \
    next = (type)dlsym(RTLD_NEXT, name)

/* WRAP(symbol, call, result, on error, descriptor, path, (parameters), (arguments)). The C name
 * differs from the symbol, since libc's headers may declare that one otherwise. */
#define WRAP(symbol, call, result, failed, fd, path, parameters, arguments)                        \
    EXPORT result wrap_##symbol parameters __asm__(#symbol);                                       \
    EXPORT result wrap_##symbol parameters                                                         \
    {                                                                                              \
        typedef result(*real) parameters;                                                          \
        NEXT(real, #symbol);                                                                       \
        int error = fault(call, fd, path);                                                         \
        if (error) {                                                                               \
            errno = error;                                                                         \
            return failed;                                                                         \
        }                                                                                          \
        return ((real)next)arguments;                                                              \
    }
#define WRAP_FD(call, result, parameters, arguments)                                               \
    WRAP(call, #call, result, -1, fd, NULL, parameters, arguments)
#define WRAP_PATH(call, parameters, arguments)                                                     \
    WRAP(call, #call, int, -1, -1, path, parameters, arguments)
#define WRAP_NEW(call, parameters, arguments)                                                      \
    WRAP(call, #call, int, -1, -1, NULL, parameters, arguments)

WRAP_FD(accept, int, (int fd, void *name, void *size), (fd, name, size))
WRAP_FD(accept4, int, (int fd, void *name, void *size, int flags), (fd, name, size, flags))
WRAP_FD(bind, int, (int fd, const void *name, socklen_t size), (fd, name, size))
WRAP_FD(connect, int, (int fd, const void *name, socklen_t size), (fd, name, size))
WRAP_FD(epoll_wait, int, (int fd, void *events, int most, int timeout), (fd, events, most, timeout))
WRAP_FD(fchmod, int, (int fd, mode_t mode), (fd, mode))
WRAP_FD(fchown, int, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
WRAP_FD(fdatasync, int, (int fd), (fd))
WRAP_FD(flock, int, (int fd, int operation), (fd, operation))
WRAP_FD(fstat, int, (int fd, void *status), (fd, status))
WRAP(fstat64, "fstat", int, -1, fd, NULL, (int fd, void *status), (fd, status))
WRAP_FD(fsync, int, (int fd), (fd))
WRAP_FD(getsockopt, int, (int fd, int level, int name, void *value, void *size),
        (fd, level, name, value, size))
WRAP_FD(listen, int, (int fd, int backlog), (fd, backlog))
WRAP_FD(read, ssize_t, (int fd, void *data, size_t size), (fd, data, size))
WRAP_FD(recv, ssize_t, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
WRAP_FD(recvfrom, ssize_t, (int fd, void *data, size_t size, int flags, void *name, void *length),
        (fd, data, size, flags, name, length))
WRAP_FD(recvmmsg, int, (int fd, void *messages, unsigned n, int flags, void *time),
        (fd, messages, n, flags, time))
WRAP_FD(recvmsg, ssize_t, (int fd, void *message, int flags), (fd, message, flags))
WRAP_FD(send, ssize_t, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
WRAP_FD(sendmsg, ssize_t, (int fd, const void *message, int flags), (fd, message, flags))
WRAP_FD(sendto, ssize_t,
        (int fd, const void *data, size_t size, int flags, const void *name, socklen_t length),
        (fd, data, size, flags, name, length))
WRAP_FD(setsockopt, int, (int fd, int level, int name, const void *value, socklen_t size),
        (fd, level, name, value, size))
WRAP_FD(write, ssize_t, (int fd, const void *data, size_t size), (fd, data, size))
WRAP_FD(writev, ssize_t, (int fd, const struct iovec *parts, int n), (fd, parts, n))

WRAP_PATH(access, (const char *path, int mode), (path, mode))
WRAP_PATH(chmod, (const char *path, mode_t mode), (path, mode))
WRAP_PATH(chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
WRAP_PATH(link, (const char *from, const char *path), (from, path))
WRAP_PATH(linkat, (int at, const char *from, int other, const char *path, int flags),
          (at, from, other, path, flags))
WRAP_PATH(lstat, (const char *path, void *status), (path, status))
WRAP(lstat64, "lstat", int, -1, -1, path, (const char *path, void *status), (path, status))
WRAP_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
WRAP_PATH(mkdirat, (int at, const char *path, mode_t mode), (at, path, mode))
WRAP_PATH(rename, (const char *from, const char *path), (from, path))
WRAP_PATH(renameat, (int at, const char *from, int other, const char *path),
          (at, from, other, path))
WRAP_PATH(renameat2, (int at, const char *from, int other, const char *path, unsigned flags),
          (at, from, other, path, flags))
WRAP_PATH(stat, (const char *path, void *status), (path, status))
WRAP(stat64, "stat", int, -1, -1, path, (const char *path, void *status), (path, status))
WRAP_PATH(unlink, (const char *path), (path))
WRAP_PATH(unlinkat, (int at, const char *path, int flags), (at, path, flags))
WRAP(fopen, "fopen", void *, NULL, -1, path, (const char *path, const char *mode), (path, mode))
WRAP(fopen64, "fopen", void *, NULL, -1, path, (const char *path, const char *mode), (path, mode))
WRAP(opendir, "opendir", void *, NULL, -1, path, (const char *path), (path))

WRAP_NEW(epoll_create1, (int flags), (flags))
WRAP_NEW(eventfd, (unsigned value, int flags), (value, flags))
WRAP_NEW(pipe2, (int *pair, int flags), (pair, flags))
WRAP_NEW(signalfd, (int at, const void *set, int flags), (at, set, flags))
WRAP_NEW(socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP_NEW(socketpair, (int domain, int type, int protocol, int *pair),
         (domain, type, protocol, pair))
WRAP_NEW(timerfd_create, (int clock, int flags), (clock, flags))
WRAP_NEW(getifaddrs, (void *list), (list))
WRAP(getgrnam, "getgrnam", void *, NULL, -1, path, (const char *path), (path))
WRAP(getpwnam, "getpwnam", void *, NULL, -1, path, (const char *path), (path))
WRAP(getpwuid, "getpwuid", void *, NULL, -1, NULL, (uid_t uid), (uid))

/* These return the error itself. */
WRAP(getgrnam_r, "getgrnam_r", int, error, -1, path,
     (const char *path, void *group, char *space, size_t size, void **found),
     (path, group, space, size, found))
WRAP(getpwnam_r, "getpwnam_r", int, error, -1, path,
     (const char *path, void *user, char *space, size_t size, void **found),
     (path, user, space, size, found))
WRAP(pthread_create, "pthread_create", int, error, -1, NULL,
     (pthread_t * thread, const void *attributes, void *(*work)(void *), void *data),
     (thread, attributes, work, data))

/* open, openat and fcntl have an argument more or less; one more than was given does no harm in the
 * calling conventions of Linux. */
static int mode_of(int flags, va_list list)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, int) : 0;
}
#define WRAP_OPEN(symbol)                                                                          \
    EXPORT int wrap_##symbol(const char *path, int flags, ...) __asm__(#symbol);                   \
    EXPORT int wrap_##symbol(const char *path, int flags, ...)                                     \
    {                                                                                              \
        typedef int (*real)(const char *, int, ...);                                               \
        NEXT(real, #symbol);                                                                       \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        int mode = mode_of(flags, list);                                                           \
        va_end(list);                                                                              \
        int error = fault("open", -1, path);                                                       \
        if (!error)                                                                                \
            return ((real)next)(path, flags, mode);                                                \
        errno = error;                                                                             \
        return -1;                                                                                 \
    }
#define WRAP_OPENAT(symbol)                                                                        \
    EXPORT int wrap_##symbol(int at, const char *path, int flags, ...) __asm__(#symbol);           \
    EXPORT int wrap_##symbol(int at, const char *path, int flags, ...)                             \
    {                                                                                              \
        typedef int (*real)(int, const char *, int, ...);                                          \
        NEXT(real, #symbol);                                                                       \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        int mode = mode_of(flags, list);                                                           \
        va_end(list);                                                                              \
        int error = fault("open", -1, path);                                                       \
        if (!error)                                                                                \
            return ((real)next)(at, path, flags, mode);                                            \
        errno = error;                                                                             \
        return -1;                                                                                 \
    }
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)
#define WRAP_FCNTL(symbol)                                                                         \
    EXPORT int wrap_##symbol(int fd, int command, ...) __asm__(#symbol);                           \
    EXPORT int wrap_##symbol(int fd, int command, ...)                                             \
    {                                                                                              \
        typedef int (*real)(int, int, ...);                                                        \
        NEXT(real, #symbol);                                                                       \
        va_list list;                                                                              \
        va_start(list, command);                                                                   \
        void *argument = va_arg(list, void *);                                                     \
        va_end(list);                                                                              \
        int error = fault("fcntl", fd, NULL);                                                      \
        if (!error)                                                                                \
            return ((real)next)(fd, command, argument);                                            \
        errno = error;                                                                             \
        return -1;                                                                                 \
    }
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)
