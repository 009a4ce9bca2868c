/* SPDX-License-Identifier: Apache-2.0 */
/* Values that only this program's settings have. Each returns 0, or -EINVAL and a sentence, to be
 * freed: what was read, and what is allowed. Then the place is as it was. Pure. */
#ifndef FLOW_NODE_PARSE_H
#define FLOW_NODE_PARSE_H

#include "options.h"

#define WORDS_MOST 64u

/* "443", "443, 8000-8010, 51820/12s", "all". */
int ports_parse(struct flow_settings *settings, const char *text, char **ret_error);
/* Words with commas between them; `empty`, which is "all" or "none", or "": no word. `what`: for
 * messages; `wrong`: NULL, or the half sentence why that is no such word. */
int words_parse(struct words *words, const char *text, const char *empty, const char *what,
                const char *(*wrong)(const char *word), char **ret_error);
void words_free(struct words *words);
/* A number, also hexadecimal, of bits that follow each other and are not all. */
int mask_parse(uint32_t *ret, const char *text, char **ret_error);

/* For words_parse(). */
const char *interface_wrong(const char *word);
const char *name_wrong(const char *word);
/* What others are to show. */
const char *text_wrong(const char *text);
const char *socket_wrong(const char *path);
/* A table of nftables: letters, digits and at least one _, which no word of nft's language has. */
const char *table_wrong(const char *word);

#endif
