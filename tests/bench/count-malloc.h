/* SPDX-License-Identifier: Apache-2.0 */
/* What count-malloc.so writes, and a bench reads, in a shared file. */
#ifndef COUNT_MALLOC_H
#define COUNT_MALLOC_H

#include <stdint.h>

#define MALLOC_COUNTS_FILE "BENCH_MALLOC_COUNTS" /* environment: the file's path */

struct malloc_counts {
    volatile uint64_t calls; /* malloc, calloc, realloc and their like */
    volatile uint64_t main;  /* those of them that are the first thread's */
};

#endif
