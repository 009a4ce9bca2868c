/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single values ↔ JSON, as the recording's lines and the state file have them.
 * Private to what writes and reads those.
 */
#ifndef CODEC_VALUES_H
#define CODEC_VALUES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../util/json-write.h"
#include "arena.h"

/* Any bytes; those that are no UTF-8 as {"hex":"…"}. */
void encode_text(struct buffer *out, const char *name, const char *text);
/* All 64 bits; those that JSON readers have no integer for as a string. */
void encode_u64(struct buffer *out, const char *name, uint64_t value);

/* What a decoding needs at every level. */
struct decoding {
    struct arena *arena;
    char *error;
    size_t size;
};

/* Writes the error; returns -EBADMSG. */
__attribute__((format(printf, 2, 3))) int decoding_wrong(const struct decoding *d,
                                                         const char *format, ...);

/* 0, or -EBADMSG and an error that calls the value `name`. */
int decode_text(const struct decoding *d, const json_t *value, const char *name, const char **ret);
int decode_u64(const struct decoding *d, const json_t *value, const char *name, uint64_t *ret);
int decode_u32(const struct decoding *d, const json_t *value, const char *name, uint32_t *ret);

#endif
