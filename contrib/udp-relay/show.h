/* SPDX-License-Identifier: Apache-2.0 */
/* The relay's JSON for people. What comes from clients (ids) is made fit for a terminal. */
#ifndef UDP_RELAY_SHOW_H
#define UDP_RELAY_SHOW_H

#include <stddef.h>
#include <stdio.h>

/* Both return NULL, or why the answer makes no sense: a constant. */
const char *show_status(FILE *out, const char *json, size_t length);
const char *show_sessions(FILE *out, const char *json, size_t length);

#endif
