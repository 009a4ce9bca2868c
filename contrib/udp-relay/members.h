/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may register: a text with an address, a CIDR or `id:<glob>` in each line, '#' begins a
 * comment. Pure. What is looked at for a registration is bounded by the kinds of lines, not by
 * their number: addresses are found by their prefix, ids without a wildcard by their text.
 */
#ifndef UDP_RELAY_MEMBERS_H
#define UDP_RELAY_MEMBERS_H

#include "endpoint.h"

#include <stddef.h>

#define MEMBERS_TEXT_MAX   (4u << 20) /* bytes of a list */
#define MEMBERS_LINE_MAX   512u
#define MEMBERS_GLOBS_MAX  1024u /* ids with a wildcard */
#define MEMBERS_FAULTS_MAX 8u    /* bad lines that are told of; all are counted */

struct members_fault {
    unsigned line;   /* from 1 */
    const char *why; /* to be read behind the line: "is no address, CIDR or id:<glob>" */
    char text[48];   /* its beginning; not fit for a terminal */
};

struct members;

/* Never NULL; freed by members_free(). */
struct members *members_parse(const char *text, size_t size);
/* NULL is fine. Returns NULL. */
struct members *members_free(struct members *members);

size_t members_entries(const struct members *members);
size_t members_bad(const struct members *members);
/* Returns how many of the first MEMBERS_FAULTS_MAX bad lines are in `*ret`. */
size_t members_faults(const struct members *members, const struct members_fault **ret);
/* Has the last line no line end and makes no sense? Then the text was cut off. */
bool members_cut(const struct members *members);

/* May this address register with this id? */
bool members_allow(const struct members *members, const struct endpoint *from, const char *id,
                   size_t id_size);

#endif
