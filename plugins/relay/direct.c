/* SPDX-License-Identifier: Apache-2.0 */
#include "direct.h"

#include "chance.h"
#include "probe.h"
#include "version-probe.h"

#include "util/address.h"
#include "util/util.h"

#include <errno.h>

#define WAIT_US UINT64_C(2000000)

_Static_assert(VERSION_PROBE_BYTES <= PROBE_ASK_MAX, "room for a question");

struct question {
    struct probe probe;
    struct direct *direct; /* NULL: nothing is asked here */
    uint64_t query, peer, conn;
    uint8_t random[VERSION_PROBE_RANDOM];
};

struct direct {
    struct pd_source_host *host;
    bool enabled;
    struct question questions[DIRECT_MAX];
};

static void tell(struct direct *direct, uint64_t query, uint64_t peer, uint64_t conn,
                 struct pd_field result)
{
    const struct pd_field fields[] = {{"peer", NULL, peer}, {"conn", NULL, conn}, result};
    const struct pd_signal signal = {
        .kind = "direct",
        .query = query,
        .fields = fields,
        .n_fields = ARRAY_SIZE(fields),
    };

    direct->host->emit(direct->host, &signal);
}

static size_t question_ask(struct probe *probe, uint8_t *out)
{
    struct question *question = CONTAINER_OF(probe, struct question, probe);

    chance_fill(question->random, sizeof(question->random));
    version_probe_ask(out, question->random);
    return VERSION_PROBE_BYTES;
}

static enum probe_read question_read(struct probe *probe, const uint8_t *bytes, size_t length,
                                     const char **ret_why)
{
    const struct question *question = CONTAINER_OF(probe, struct question, probe);

    *ret_why = version_probe_answer(bytes, length, question->random);
    return *ret_why ? PROBE_GARBAGE : PROBE_ANSWERED;
}

static void question_done(struct probe *probe)
{
    struct question *question = CONTAINER_OF(probe, struct question, probe);
    struct direct *direct = question->direct;

    question->direct = NULL;
    probe_notice(probe, direct->host);
    tell(direct, question->query, question->peer, question->conn,
         probe->rtt_ns == PROBE_NO_RTT ? (struct pd_field){"error", probe->why, 0}
                                       : (struct pd_field){"rtt_ns", NULL, probe->rtt_ns});
}

static struct question *question_free(struct direct *direct)
{
    for (size_t i = 0; i < DIRECT_MAX; i++)
        if (!direct->questions[i].direct)
            return &direct->questions[i];
    return NULL;
}

/* Returns NULL, or why it is not asked. */
static const char *begin(struct direct *direct, const struct pd_query *query, uint64_t peer,
                         uint64_t conn, const char *text)
{
    static const struct probe_kind kind = {
        .ask = question_ask,
        .read = question_read,
        .done = question_done,
        .wait_us = WAIT_US,
        .tries = 1,
    };
    struct question *question = question_free(direct);
    struct pd_address address;

    if (!direct->enabled)
        return "direct_probe is no";
    if (!text || address_parse(text, &address) < 0 || !address.family || !address.port)
        return "no IP address and port";
    if (!question)
        return "too many are asked already";
    *question = (struct question){0}; /* the port, too, is a new one */
    question->query = query->id;
    question->peer = peer;
    question->conn = conn;
    if (probe_start(&question->probe, direct->host->loop, &kind, &address) < 0)
        return "no timer";
    question->direct = direct;
    return NULL;
}

int direct_ask(struct direct *direct, const struct pd_query *query)
{
    const char *text = NULL, *why;
    uint64_t peer = 0, conn = 0;

    for (size_t i = 1; i < query->n_fields; i++) {
        const struct pd_field *field = &query->fields[i];

        if (!strcmp(field->name, "peer"))
            peer = field->number;
        else if (!strcmp(field->name, "conn"))
            conn = field->number;
        else if (!strcmp(field->name, "address"))
            text = field->text;
    }
    why = begin(direct, query, peer, conn, text);
    if (why)
        tell(direct, query->id, peer, conn, (struct pd_field){"error", why, 0});
    return 0;
}

struct direct *direct_new(struct pd_source_host *host, bool enabled)
{
    struct direct *direct = memory_new(1, sizeof(*direct));

    direct->host = host;
    direct->enabled = enabled;
    return direct;
}

struct direct *direct_free(struct direct *direct)
{
    if (!direct)
        return NULL;
    for (size_t i = 0; i < DIRECT_MAX; i++)
        probe_stop(&direct->questions[i].probe);
    free(direct);
    return NULL;
}
