/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include "../util/utf8.h"

static const char *const type_names[] = {[FAMILY_COUNTER] = "counter",
                                         [FAMILY_GAUGE] = "gauge",
                                         [FAMILY_HISTOGRAM] = "histogram",
                                         [FAMILY_INFO] = "info"};

/* The suffix that samples of a type have. OpenMetrics leaves it out where it speaks of the family.
 */
static const char *suffix_of(enum family_type type)
{
    return type == FAMILY_COUNTER ? "_total" : type == FAMILY_INFO ? "_info" : "";
}

static void put_meta(struct text_out *text, const char *what, const char *value)
{
    const struct family *family = text->family;

    buffer_text(text->out, "# ");
    buffer_text(text->out, what);
    buffer_text(text->out, " ");
    buffer_text(text->out, family->name);
    if (text->form == FORM_PROMETHEUS)
        buffer_text(text->out, suffix_of(family->type));
    buffer_text(text->out, " ");
    buffer_text(text->out, value);
    buffer_text(text->out, "\n");
}

void text_family(struct text_out *text, enum family_id id)
{
    const struct family *family = &families[id];
    bool info = family->type == FAMILY_INFO && text->form == FORM_PROMETHEUS;

    text->family = family;
    put_meta(text, "TYPE", info ? "gauge" : type_names[family->type]);
    if (family->unit && text->form == FORM_OPENMETRICS)
        put_meta(text, "UNIT", family->unit);
    put_meta(text, "HELP", family->help);
}

/* Escaped; a byte that is not UTF-8 becomes U+FFFD. */
static void put_value(struct buffer *out, const char *value)
{
    size_t left = strlen(value);

    while (left) {
        size_t length = utf8_length(value, left);

        if (!length)
            buffer_text(out, "\xef\xbf\xbd");
        else if (*value == '\\' || *value == '"')
            buffer_append(out, (char[]){'\\', *value}, 2);
        else if (*value == '\n')
            buffer_text(out, "\\n");
        else
            buffer_append(out, value, length);
        length = length ? length : 1;
        value += length;
        left -= length;
    }
}

static void put_label(struct buffer *out, const struct label *label, bool first)
{
    buffer_text(out, first ? "{" : ",");
    buffer_text(out, label->name);
    buffer_text(out, "=\"");
    put_value(out, label->value);
    buffer_text(out, "\"");
}

static void put_name(struct text_out *text, const char *suffix, const struct label *labels)
{
    buffer_text(text->out, text->family->name);
    buffer_text(text->out, suffix);
    for (const struct label *label = labels; label && label->name; label++)
        put_label(text->out, label, label == labels);
    buffer_text(text->out, labels && labels->name ? "} " : " ");
}

/* Seconds, without zeros at the end but at least one digit behind the point. */
static void put_seconds(struct buffer *out, uint64_t us)
{
    size_t length = 6;
    char digits[6];

    decimal_fill(digits, sizeof(digits), us % 1000000);
    while (length > 1 && digits[length - 1] == '0')
        length--;
    buffer_u64(out, us / 1000000);
    buffer_append(out, ".", 1);
    buffer_append(out, digits, length);
}

void text_sample(struct text_out *text, const struct label *labels, uint64_t value)
{
    put_name(text, suffix_of(text->family->type), labels);
    buffer_u64(text->out, value);
    buffer_append(text->out, "\n", 1);
}

void text_seconds(struct text_out *text, const struct label *labels, uint64_t value_us)
{
    put_name(text, suffix_of(text->family->type), labels);
    put_seconds(text->out, value_us);
    buffer_append(text->out, "\n", 1);
}

static void put_bucket(struct text_out *text, const struct label *label, const uint64_t *bound_us,
                       uint64_t count)
{
    struct buffer *out = text->out;

    buffer_text(out, text->family->name);
    buffer_text(out, "_bucket");
    if (label)
        put_label(out, label, true);
    buffer_text(out, label ? ",le=\"" : "{le=\"");
    if (bound_us)
        put_seconds(out, *bound_us);
    else
        buffer_text(out, "+Inf");
    buffer_text(out, "\"} ");
    buffer_u64(out, count);
    buffer_text(out, "\n");
}

void text_histogram(struct text_out *text, const struct label *label,
                    const struct histogram *histogram, const struct bounds *bounds)
{
    const struct label labels[] = {label ? *label : (struct label){0}, {0}};
    uint64_t count = 0;

    for (size_t i = 0; i <= bounds->n; i++) {
        count += histogram->counts[i];
        put_bucket(text, label, i < bounds->n ? &bounds->us[i] : NULL, count);
    }
    put_name(text, "_sum", labels);
    put_seconds(text->out, histogram->sum_us);
    buffer_text(text->out, "\n");
    put_name(text, "_count", labels);
    buffer_u64(text->out, count);
    buffer_text(text->out, "\n");
}

void text_end(struct text_out *text)
{
    if (text->form == FORM_OPENMETRICS)
        buffer_text(text->out, "# EOF\n");
}
