/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel for the route policy's tests. See mock-kernel.h.
 */
#include "mock-kernel.h"
#include "check.h"

#include "util/util.h"

#include <inttypes.h>

static void kernel_query(struct mock *mock, const struct pd_query *query)
{
    struct kernel *kernel = mock->user;
    char *text = kernel->queries[kernel->n_pending];
    size_t length = 0;

    assert_true(kernel->n_pending < PENDING);
    text[0] = '\0';
    for (size_t i = 0; i < query->n_fields; i++) {
        const struct pd_field *field = &query->fields[i];

        if (field->text)
            length +=
                (size_t)snprintf(text + length, 160 - length, "%s=%s ", field->name, field->text);
        else
            length += (size_t)snprintf(text + length, 160 - length, "%s=%" PRIu64 " ", field->name,
                                       field->number);
    }
    kernel->ids[kernel->n_pending++] = query->id;
}

static uint64_t text_hash(const char *text)
{
    uint64_t hash = UINT64_C(1469598103934665603);

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    return hash >> 12;
}

static void kernel_answer_one(struct mock *mock, uint64_t id, const char *query)
{
    struct kernel *kernel = mock->user;
    const char *answer = NO_NEXTHOP, *token;
    char text[400], gone[64] = "";

    if (kernel->gone)
        snprintf(gone, sizeof(gone), "=%s ", kernel->gone);
    if (!strncmp(query, "address=", 8)) {
        mock_signal(mock, "address", id,
                    gone[0] && strstr(query, gone) ? "on_host=0" : "on_host=1");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kernel->rules) && kernel->rules[i].match; i++) {
        if (strstr(query, kernel->rules[i].match)) {
            answer = kernel->rules[i].answer;
            break;
        }
    }
    snprintf(text, sizeof(text), "%s%s", answer,
             gone[0] && strstr(query, gone) ? " source_gone=1" : "");
    token = strstr(query, "token=");
    if (token && strtoull(token + 6, NULL, 10) == text_hash(text))
        snprintf(text, sizeof(text), "token=%" PRIu64, (uint64_t)strtoull(token + 6, NULL, 10));
    else
        snprintf(text + strlen(text), sizeof(text) - strlen(text), " token=%" PRIu64,
                 text_hash(text));
    mock_signal(mock, "answer", id, text);
}

/* Answers the oldest `count` questions. */
void kernel_answer(struct mock *mock, size_t count)
{
    struct kernel *kernel = mock->user;

    while (count-- && kernel->n_pending) {
        char query[160];
        uint64_t id = kernel->ids[0];

        memcpy(query, kernel->queries[0], sizeof(query));
        kernel->n_pending--;
        memmove(kernel->ids, kernel->ids + 1, kernel->n_pending * sizeof(kernel->ids[0]));
        memmove(kernel->queries, kernel->queries + 1,
                kernel->n_pending * sizeof(kernel->queries[0]));
        kernel->answered++;
        kernel_answer_one(mock, id, query);
    }
}

void kernel_answer_all(struct mock *mock)
{
    kernel_answer(mock, SIZE_MAX);
}

void kernel_begin(struct mock *mock, struct kernel *kernel, const char *options)
{
    *mock = (struct mock){0};
    *kernel = (struct kernel){.rules = {{"", UP0}}};
    mock->on_query = kernel_query;
    mock->user = kernel;
    mock->turn.now_us = SECOND;
    assert_int_equal(mock_start(mock, &pathdog_trigger_route, options), 0);
}

uint32_t kernel_peer_up(struct mock *mock, const char *name, const char *local, const char *remote)
{
    uint32_t peer = mock_peer_up(mock, name, local, remote);

    kernel_answer_all(mock);
    return peer;
}

void kernel_changed(struct mock *mock)
{
    mock_signal(mock, "changed", 0, NULL);
    kernel_answer_all(mock);
}

void kernel_flip(struct mock *mock, const char *nexthop)
{
    struct kernel *kernel = mock->user;

    kernel->rules[0] = (struct rule){"", nexthop};
    kernel_changed(mock);
}

/* The engine moved this connection. */
void kernel_migrated(struct mock *mock, uint32_t peer, const char *local)
{
    mock->peers[peer].in_flight = false;
    if (local)
        mock_peer_set(mock, peer, local, mock->peers[peer].remote);
    mock_peer_change(mock, peer, PD_PEER_MIGRATED);
    kernel_answer_all(mock);
}
