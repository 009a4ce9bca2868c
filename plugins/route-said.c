/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the source answers. One answer is a signal of its own; those of a slice
 * are one signal, so that all that they lead to is one turn of the engine.
 */
#include "route-source.h"

#include "util/util.h"

#define QUERY "query"

void said_init(struct said *said)
{
    said->texts = memory_new(SAID_MAX, sizeof(*said->texts));
}

void said_clear(struct said *said)
{
    free(said->texts);
    free(said->fields);
    *said = (struct said){0};
}

static void field_add(struct said *said, const struct pd_field *field)
{
    said->fields =
        array_reserve(said->fields, &said->capacity, said->n_fields + 1, sizeof(*said->fields));
    said->fields[said->n_fields++] = *field;
}

struct said_texts *said_begin(struct said *said, uint64_t query)
{
    said_number(said, QUERY, query);
    return &said->texts[said->n_answers++];
}

void said_number(struct said *said, const char *name, uint64_t number)
{
    field_add(said, &(struct pd_field){.name = name, .number = number});
}

void said_text(struct said *said, const char *name, const char *text)
{
    field_add(said, &(struct pd_field){.name = name, .text = text});
}

void said_emit(struct said *said, struct pd_source_host *host)
{
    struct pd_signal signal = {.kind = "answers"};

    if (said->n_answers == 1) {
        signal.kind = "answer";
        signal.query = said->fields[0].number;
        signal.fields = said->fields + 1;
        signal.n_fields = said->n_fields - 1;
    } else {
        signal.fields = said->fields;
        signal.n_fields = said->n_fields;
    }
    if (said->n_answers)
        host->emit(host, &signal);
    said->n_answers = said->n_fields = 0;
}
