/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was learnt ↔ JSON: the same in the recording (one line) and in the state
 * file, which is written piece by piece. Values that are 0 are left out. Pure.
 */
#ifndef CODEC_LEARNT_TEXT_H
#define CODEC_LEARNT_TEXT_H

#include "../engine/learnt.h"
#include "values.h"

/* The whole, without a line's end. */
void learnt_encode(struct buffer *out, const struct learnt *learnt);

/* In pieces: head, names, peers, end. The first of a list has no separator ("");
 * the others "," and what the file wants. */
void learnt_encode_head(struct buffer *out, const struct learnt *head);
void learnt_encode_name(struct buffer *out, const struct learnt_name *name, const char *separator);
void learnt_encode_peers(struct buffer *out);
void learnt_encode_peer(struct buffer *out, const struct learnt_peer *peer, const char *separator);
void learnt_encode_end(struct buffer *out);

/* What is read is in the decoding's arena. 0, or -EBADMSG and an error. */
int learnt_decode(const struct decoding *d, const json_t *value, struct learnt *ret);

#endif
