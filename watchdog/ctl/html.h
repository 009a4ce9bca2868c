/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTML written into a buffer. Markup is this program's own; whatever comes from outside goes
 * through html_text, which leaves nothing in it that a browser obeys or a reader does not see.
 * Pure.
 */
#ifndef CTL_HTML_H
#define CTL_HTML_H

#include "../util/buffer.h"

/* Markup, by a format of this program. Texts from outside must not be among the arguments. */
void html_put(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text from outside, fit for an element and for a quoted attribute. Of one that is longer than
 * `most` bytes the beginning, and how long it is. */
void html_text(struct buffer *out, const char *text, size_t most);

/* The usual bounds: of a name, and of a sentence. */
#define HTML_NAME   260u
#define HTML_REASON 600u

/* "12.34%": how far `part` is in `whole`, at most 100. */
void html_percent(struct buffer *out, uint64_t part, uint64_t whole);

/* "1 234 567", with narrow spaces. */
void html_count(struct buffer *out, uint64_t count);

#endif
