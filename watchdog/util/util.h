/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small things that every part uses: memory that ends the process when there is
 * none (the supervisor starts it again, and the node never noticed), scoped
 * clean-up, minimum and maximum. Pure: no I/O but the last words of memory_out.
 */
#ifndef UTIL_H
#define UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* What is rare beside something frequent: so that the frequent saves no registers for it. */
#define OUT_OF_LINE __attribute__((noinline))

/* Runs `function(&variable)` when the variable's scope ends. */
#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void cleanup_free(void *pointer)
{
    void *memory;

    memcpy(&memory, pointer, sizeof(memory));
    free(memory);
}
#define CLEANUP_FREE CLEANUP(cleanup_free)

/* Rare, with overcommit; but a process that just vanished would be a riddle. */
_Noreturn static inline void memory_out(void)
{
    fputs("pathdog: out of memory\n", stderr); /* not buffered: needs none itself */
    _Exit(1);
}

static inline void *memory_check(void *memory)
{
    if (!memory)
        memory_out();
    return memory;
}

static inline void *memory_new(size_t count, size_t size)
{
    return memory_check(calloc(count ? count : 1, size ? size : 1));
}

static inline char *string_copy(const char *s)
{
    return s ? memory_check(strdup(s)) : NULL;
}

/* Makes room for `count` elements in an array that holds `*capacity`; doubles. */
static inline void *array_reserve(void *array, size_t *capacity, size_t count, size_t size)
{
    size_t wanted = *capacity ? *capacity : 16;

    if (count <= *capacity)
        return array;
    while (wanted < count)
        wanted *= 2;
    *capacity = wanted;
    return memory_check(reallocarray(array, wanted, size));
}

static inline bool string_equal(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Saturating, for times: "never" plus anything stays never. */
static inline uint64_t add_u64(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline uint64_t sub_u64(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* From an embedded member back to what it is part of. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
