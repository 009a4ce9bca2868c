/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the source answers. One answer is a signal of its own; those of a slice
 * are one signal, so that all that they lead to is one turn of the engine.
 */
#include "source.h"

#include "util/util.h"

#define QUERY "query"

void batch_init(struct answer_batch *batch)
{
    batch->texts = memory_new(BATCH_MAX, sizeof(*batch->texts));
}

void batch_clear(struct answer_batch *batch)
{
    free(batch->texts);
    free(batch->fields);
    *batch = (struct answer_batch){0};
}

static void field_add(struct answer_batch *batch, const struct pd_field *field)
{
    batch->fields =
        array_reserve(batch->fields, &batch->capacity, batch->n_fields + 1, sizeof(*batch->fields));
    batch->fields[batch->n_fields++] = *field;
}

struct answer_texts *batch_begin(struct answer_batch *batch, uint64_t query)
{
    batch_number(batch, QUERY, query);
    return &batch->texts[batch->n_answers++];
}

void batch_number(struct answer_batch *batch, const char *name, uint64_t number)
{
    field_add(batch, &(struct pd_field){.name = name, .number = number});
}

void batch_text(struct answer_batch *batch, const char *name, const char *text)
{
    field_add(batch, &(struct pd_field){.name = name, .text = text});
}

void batch_emit(struct answer_batch *batch, struct pd_source_host *host)
{
    struct pd_signal signal = {.kind = "answers"};

    if (batch->n_answers == 1) {
        signal.kind = "answer";
        signal.query = batch->fields[0].number;
        signal.fields = batch->fields + 1;
        signal.n_fields = batch->n_fields - 1;
    } else {
        signal.fields = batch->fields;
        signal.n_fields = batch->n_fields;
    }
    if (batch->n_answers)
        host->emit(host, &signal);
    batch->n_answers = batch->n_fields = 0;
}
