/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples as text, in either of two forms: OpenMetrics 1.0.0, and the older one of Prometheus
 * (version 0.0.4). What families there are stands in families.c. Pure.
 */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include "../util/buffer.h"
#include "families.h"
#include "histogram.h"

enum text_form { FORM_OPENMETRICS, FORM_PROMETHEUS, FORM_COUNT };

struct text_out {
    struct buffer *out;
    enum text_form form;
    const struct family *family; /* whose samples come now */
};

/* A label: its name and value. */
struct label {
    const char *name, *value; /* a NULL name ends an array of them */
};

#define LABELS(...) ((const struct label[]){__VA_ARGS__, {NULL, NULL}})

/* Its metadata; what follows are its samples. */
void text_family(struct text_out *text, enum family_id id);

/* `labels` NULL: none. */
void text_sample(struct text_out *text, const struct label *labels, uint64_t value);
/* A span or time, in seconds. */
void text_seconds(struct text_out *text, const struct label *labels, uint64_t value_us);
/* `label` NULL: none. */
void text_histogram(struct text_out *text, const struct label *label,
                    const struct histogram *histogram, const struct bounds *bounds);

/* The last line. */
void text_end(struct text_out *text);

#endif
