/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How each event looks: one table that both directions are driven by, so that
 * what is written can be read. Private to watchdog/codec/.
 */
#ifndef CODEC_MEMBERS_H
#define CODEC_MEMBERS_H

#include "../engine/event.h"

enum member_kind {
    MEMBER_TEXT,     /* const char *, always there */
    MEMBER_OPTIONAL, /* const char *, NULL: left out */
    MEMBER_U64,
    MEMBER_U32,
    MEMBER_I64,
    MEMBER_BOOL,
    MEMBER_FLAG,     /* a bool; false: left out */
    MEMBER_ENUM,     /* an enum: a name of the table */
    MEMBER_FEATURES, /* uint32_t of enum node_feature: an array of names */
};

/* The names of an enum, by value; NULL where a value has none. */
struct member_names {
    const char *const *names;
    size_t count;
};

struct member {
    const char *name;
    enum member_kind kind;
    size_t offset; /* in struct event */
    const struct member_names *names;
};

struct event_format {
    const char *name;
    const struct member *members; /* ended by a NULL name */
};

/* NULL for what is no type. Fields of signals, rows of samples and what was learnt are not
 * in the table. */
const struct event_format *event_format(enum event_type type);

#endif
