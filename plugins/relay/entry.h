/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One relay as it is written: NAME=ADDR:PORT [speaks]. The same in the configuration, in a line of
 * the list file, and in what the source is asked to probe. Pure.
 */
#ifndef RELAY_ENTRY_H
#define RELAY_ENTRY_H

#include "util/address.h"

#include <stddef.h>

/* The longest name, as in `via`, in bytes; the longest entry; and how many of them one list has. */
#define RELAY_NAME_MAX  255u
#define RELAY_ENTRY_MAX (RELAY_NAME_MAX + 1 + ADDRESS_TEXT_MAX + 16)
#define RELAY_LIST_MAX  64u

enum relay_speaks {
    RELAY_REG_ACK, /* udp-relay, quic-relay */
    RELAY_PILOT,   /* a beacon of the Pilot Protocol */
    RELAY_SPEAKS_COUNT
};

extern const char *const relay_speaks_names[RELAY_SPEAKS_COUNT];

struct relay_entry {
    char name[RELAY_NAME_MAX + 1];
    char address_text[ADDRESS_TEXT_MAX]; /* in its usual form */
    struct pd_address address;           /* never absent, its port never 0 */
    enum relay_speaks speaks;
    bool speaks_given; /* false: nothing stood behind the address, and it is RELAY_REG_ACK */
};

struct relay_list {
    struct relay_entry entries[RELAY_LIST_MAX];
    size_t count;
};

/* Each returns NULL, or what is wrong. `length` bytes of text need no end. */
const char *relay_name_check(const char *name, size_t length);
const char *relay_speaks_parse(const char *text, size_t length, enum relay_speaks *ret);
const char *relay_address_parse(const char *text, size_t length, struct relay_entry *entry);
const char *relay_entry_parse(const char *text, size_t length, struct relay_entry *ret);

/* Writes it as relay_entry_parse reads it, always with what it speaks. Returns the length. */
size_t relay_entry_format(const struct relay_entry *entry, char out[static RELAY_ENTRY_MAX]);

/* The same relays in the same order? Whether what one speaks was written does not count. */
bool relay_list_is_equal(const struct relay_list *a, const struct relay_list *b);

/* NULL: there is none of that name. */
const struct relay_entry *relay_list_find(const struct relay_list *list, const char *name);

#endif
