/* SPDX-License-Identifier: Apache-2.0 */
#include "http-accept.h"

#include <strings.h>

/* A part of a text. */
struct span {
    const char *s;
    size_t length;
};

static struct span trim(const char *s, size_t length)
{
    while (length && (*s == ' ' || *s == '\t')) {
        s++;
        length--;
    }
    while (length && (s[length - 1] == ' ' || s[length - 1] == '\t'))
        length--;
    return (struct span){s, length};
}

static bool is(struct span span, const char *word)
{
    return span.length == strlen(word) && !strncasecmp(span.s, word, span.length);
}

/* What comes before the next `stop` that is not in quotes, which is taken away. False: the end. */
static bool next_part(struct span *rest, char stop, struct span *ret)
{
    size_t i = 0;
    bool quoted = false;

    if (!rest->s)
        return false;
    for (; i < rest->length && (quoted || rest->s[i] != stop); i++)
        if (rest->s[i] == '"')
            quoted = !quoted;
        else if (quoted && rest->s[i] == '\\' && i + 1 < rest->length)
            i++;
    *ret = trim(rest->s, i);
    *rest = i < rest->length ? (struct span){rest->s + i + 1, rest->length - i - 1}
                             : (struct span){NULL, 0};
    return true;
}

/* "1", "0.75": in thousandths; what is none counts as nothing liked. */
static unsigned weight_of(struct span value)
{
    unsigned weight = 0, unit = 1000;

    for (size_t i = 0; i < value.length && i < 5; i++) {
        if (i == 1) {
            if (value.s[i] != '.')
                return 0;
            continue;
        }
        if (value.s[i] < '0' || value.s[i] > '9')
            return 0;
        weight += (unsigned)(value.s[i] - '0') * unit;
        unit /= 10;
    }
    return weight > 1000 ? 1000 : weight;
}

/* How exactly a range names this form; 0: it does not. */
static unsigned exactness_of(struct span range, struct span version, enum text_form form)
{
    static const char *const names[] = {
        [FORM_OPENMETRICS] = "application/openmetrics-text", [FORM_PROMETHEUS] = "text/plain"};
    static const char *const types[] = {
        [FORM_OPENMETRICS] = "application/*", [FORM_PROMETHEUS] = "text/*"};
    static const char *const versions[] = {
        [FORM_OPENMETRICS] = "1.0.0", [FORM_PROMETHEUS] = "0.0.4"};

    if (is(range, names[form]))
        return !version.s ? 3 : is(version, versions[form]) ? 4 : 0;
    return is(range, types[form]) ? 2 : is(range, "*/*") ? 1 : 0;
}

static void take_range(struct http_accept *accept, struct span element)
{
    struct span range, parameter, version = {NULL, 0};
    unsigned weight = 1000;

    if (!next_part(&element, ';', &range))
        return;
    while (next_part(&element, ';', &parameter)) {
        struct span name, value;

        if (!next_part(&parameter, '=', &name) || !parameter.s)
            continue;
        value = trim(parameter.s, parameter.length);
        if (value.length >= 2 && value.s[0] == '"' && value.s[value.length - 1] == '"')
            value = (struct span){value.s + 1, value.length - 2};
        if (is(name, "q"))
            weight = weight_of(value);
        else if (is(name, "version"))
            version = value;
    }
    for (enum text_form form = 0; form < FORM_COUNT; form++) {
        unsigned exactness = exactness_of(range, version, form);

        if (exactness && exactness >= accept->forms[form].exactness) {
            accept->forms[form].exactness = exactness;
            accept->forms[form].weight = weight;
        }
    }
}

void http_accept_add(struct http_accept *accept, const char *value, size_t length)
{
    struct span rest = {value, length}, element;

    accept->said = true;
    while (next_part(&rest, ',', &element))
        if (element.length)
            take_range(accept, element);
}

enum text_form http_accept_form(const struct http_accept *accept)
{
    return accept->said &&
                   accept->forms[FORM_PROMETHEUS].weight > accept->forms[FORM_OPENMETRICS].weight
               ? FORM_PROMETHEUS
               : FORM_OPENMETRICS;
}
