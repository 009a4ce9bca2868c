/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quick way for the line of a recording that comes most: `samples` in exactly the form in which
 * event_encode writes it. Every doubt is a "no", and jansson reads the line. Pure.
 */
#ifndef CODEC_SAMPLES_SCAN_H
#define CODEC_SAMPLES_SCAN_H

#include "../engine/event.h"
#include "arena.h"

/* Returns true with the event, its rows in `arena`. False: not in that form, or not certainly. */
bool samples_scan(const char *line, size_t length, struct arena *arena, struct event *ret);

#endif
