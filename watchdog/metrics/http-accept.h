/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the two forms a scraper likes better, by its Accept header (RFC 9110, 12.5.1). Pure. */
#ifndef METRICS_HTTP_ACCEPT_H
#define METRICS_HTTP_ACCEPT_H

#include "text.h"

/* Zeroed: nothing was said. */
struct http_accept {
    bool said;
    struct {
        unsigned exactness; /* of the range that it was named by, 0: none did */
        unsigned weight;    /* in thousandths */
    } forms[FORM_COUNT];
};

/* The value of such a header; there may be several. What cannot be read of it is passed over. */
void http_accept_add(struct http_accept *accept, const char *value, size_t length);

enum text_form http_accept_form(const struct http_accept *accept);

#endif
