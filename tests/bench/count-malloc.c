/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into the daemon: counts allocations into a file that the bench has
 * mapped too. Needs glibc, whose own names for them are called.
 */
#include "count-malloc.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static struct malloc_counts unmapped;
static struct malloc_counts *counts = &unmapped;
static __thread bool is_main __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void counts_map(void)
{
    const char *path = getenv(MALLOC_COUNTS_FILE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *memory;

    is_main = true;
    if (fd < 0)
        return;
    memory = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED)
        counts = memory;
    close(fd);
}

static void count(void)
{
    __atomic_fetch_add(&counts->calls, 1, __ATOMIC_RELAXED);
    if (is_main)
        __atomic_fetch_add(&counts->main, 1, __ATOMIC_RELAXED);
}

EXPORT void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

EXPORT void *realloc(void *memory, size_t size)
{
    count();
    return __libc_realloc(memory, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}
