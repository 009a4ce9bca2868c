/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "private.h"

void process_read(uint64_t *ret_cpu_us, uint64_t *ret_resident_bytes)
{
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    long page = sysconf(_SC_PAGESIZE);
    unsigned long long resident = 0;
    char text[128] = "";
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    if (n <= 0 || page <= 0 || sscanf(text, "%*u %llu", &resident) != 1)
        resident = 0;
    *ret_resident_bytes = (uint64_t)resident * (uint64_t)(page > 0 ? page : 0);
    *ret_cpu_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
}
