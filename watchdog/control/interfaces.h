/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which interface has an address: read from the kernel when somebody asks, and
 * kept for a second, so that a long table costs one reading.
 */
#ifndef CONTROL_INTERFACES_H
#define CONTROL_INTERFACES_H

#include <ifaddrs.h>

#include "../util/util.h"

struct interfaces {
    struct ifaddrs *list; /* NULL: not read yet, or it could not be read */
    uint64_t read_us;
};

/* The interface that has the address of `local`, "10.0.0.1:4433" or "[2001:db8::1]:4433". NULL:
 * none has it, or `local` names none. The text lives until the next call. */
const char *interfaces_find(struct interfaces *interfaces, uint64_t now_us, const char *local);

void interfaces_clear(struct interfaces *interfaces);

#endif
