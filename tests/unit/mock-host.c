/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host for one trigger under test; see pathdog/mock-host.h. Installed as it is, with
 * mock-host-row.h beside it, so they need nothing of pathdog but the headers.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <pathdog/mock-host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mock-host-row.h"

static void *checked(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void *zeroed(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

static struct mock *mock_of(struct pd_turn *turn)
{
    return (struct mock *)((char *)turn - offsetof(struct mock, turn));
}

static void fields_text(char *text, size_t size, const struct pd_field *fields, size_t n_fields)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < n_fields && length < size; i++) {
        if (fields[i].text)
            length += (size_t)snprintf(text + length, size - length, "%s%s=%s", i ? " " : "",
                                       fields[i].name, fields[i].text);
        else
            length += (size_t)snprintf(text + length, size - length, "%s%s=%" PRIu64, i ? " " : "",
                                       fields[i].name, fields[i].number);
    }
}

/* ---- what the trigger calls ---- */

static struct mock_peer *mock_find(struct mock *mock, uint32_t peer)
{
    return peer < mock->n_peers && mock->peers[peer].up ? &mock->peers[peer] : NULL;
}

static int host_advise(struct pd_turn *turn, uint32_t peer, const struct pd_advice *advice)
{
    struct mock *mock = mock_of(turn);
    struct mock_peer *found = mock_find(mock, peer);
    struct mock_advice *kept;

    if (found && !advice && mock->n_advice) {
        found->advised++;
        if (mock->count_only) {
            mock->n_advice++;
            return 0;
        }
        mock->advice =
            checked(reallocarray(mock->advice, mock->n_advice + 1, sizeof(*mock->advice)));
        mock->advice[mock->n_advice] = mock->advice[mock->n_advice - 1];
        mock->advice[mock->n_advice++].peer = peer;
        return 0;
    }
    if (!found || !advice || advice->kind == PD_KIND_OPERATOR || advice->kind >= PD_KIND_COUNT ||
        !advice->reason)
        return -EINVAL;
    found->advised++;
    if (mock->count_only) {
        mock->n_advice++;
        return 0;
    }
    mock->advice = checked(reallocarray(mock->advice, mock->n_advice + 1, sizeof(*mock->advice)));
    kept = &mock->advice[mock->n_advice++];
    *kept = (struct mock_advice){.peer = peer, .kind = advice->kind, .cause = advice->cause};
    snprintf(kept->reason, sizeof(kept->reason), "%s", advice->reason);
    fields_text(kept->evidence, sizeof(kept->evidence), advice->evidence, advice->n_evidence);
    snprintf(kept->via, sizeof(kept->via), "%s", advice->via ? advice->via : "");
    return 0;
}

static void host_withdraw(struct pd_turn *turn, uint32_t peer)
{
    struct mock_peer *found = mock_find(mock_of(turn), peer);

    if (found)
        found->withdrawn++;
}

static uint64_t host_open_cause(struct pd_turn *turn, const char *reason)
{
    struct mock *mock = mock_of(turn);

    snprintf(mock->cause_reason, sizeof(mock->cause_reason), "%s", reason);
    mock->open_causes++;
    return ++mock->causes;
}

static void host_close_cause(struct pd_turn *turn, uint64_t cause)
{
    (void)cause;
    mock_of(turn)->open_causes--;
}

static void host_look(struct pd_turn *turn, uint32_t peer, uint64_t until_us)
{
    struct mock_peer *found = mock_find(mock_of(turn), peer);

    if (found)
        found->look_until_us = until_us;
}

static void host_set_timer(struct pd_turn *turn, uint64_t at_us)
{
    mock_of(turn)->timer_us = at_us;
}

static void host_query(struct pd_turn *turn, const struct pd_query *query)
{
    struct mock *mock = mock_of(turn);
    struct mock_query *kept;

    if (mock->on_query)
        mock->on_query(mock, query);
    if (mock->count_only) {
        mock->n_queries++;
        return;
    }
    mock->queries =
        checked(reallocarray(mock->queries, mock->n_queries + 1, sizeof(*mock->queries)));
    kept = &mock->queries[mock->n_queries++];
    kept->id = query->id;
    fields_text(kept->fields, sizeof(kept->fields), query->fields, query->n_fields);
}

/* The peers live in one array that may move; the pointers are set for each call. */
static struct pd_peer *mock_pointers(struct mock_peer *found)
{
    found->peer.name = found->name;
    found->path.local_text = found->local[0] ? found->local : NULL;
    found->path.remote_text = found->remote[0] ? found->remote : NULL;
    found->path.via = found->via[0] ? found->via : NULL;
    found->peer.path = &found->path;
    return &found->peer;
}

static const struct pd_peer *host_peer(struct pd_turn *turn, uint32_t peer)
{
    struct mock_peer *found = mock_find(mock_of(turn), peer);

    return found ? mock_pointers(found) : NULL;
}

static void *host_state(struct pd_turn *turn, uint32_t peer)
{
    struct mock_peer *found = mock_find(mock_of(turn), peer);

    return found ? found->state : NULL;
}

static bool host_in_flight(struct pd_turn *turn, uint32_t peer)
{
    struct mock_peer *found = mock_find(mock_of(turn), peer);

    return found && found->in_flight;
}

static bool host_waits(struct pd_turn *turn, uint32_t peer)
{
    struct mock_peer *found = mock_find(mock_of(turn), peer);

    return found && found->waits;
}

static void host_notice(struct pd_turn *turn, enum pd_level level, const char *what,
                        const char *text)
{
    struct mock *mock = mock_of(turn);
    struct mock_notice *kept;

    mock->notices =
        checked(reallocarray(mock->notices, mock->n_notices + 1, sizeof(*mock->notices)));
    kept = &mock->notices[mock->n_notices++];
    kept->level = level;
    snprintf(kept->what, sizeof(kept->what), "%s", what);
    snprintf(kept->text, sizeof(kept->text), "%s", text);
}

static void host_probe(struct pd_turn *turn, uint32_t peer)
{
    struct mock_peer *found = mock_find(mock_of(turn), peer);

    if (found)
        found->probed++;
}

static void host_given_up(struct pd_turn *turn, uint32_t peer, bool given_up)
{
    struct mock_peer *found = mock_find(mock_of(turn), peer);

    if (found)
        found->given_up = given_up;
}

static void host_no_route(struct pd_turn *turn, uint32_t peer, bool none)
{
    struct mock_peer *found = mock_find(mock_of(turn), peer);

    if (!found)
        return;
    found->no_route = none;
    found->routed += !none;
}

/* ---- options ---- */

static uint64_t default_number(const struct pd_option *option)
{
    const char *text = option->default_text ? option->default_text : "0";
    char *end;
    uint64_t number = strtoull(text, &end, 0);

    if (option->type == PD_OPTION_BOOLEAN)
        return !strcmp(text, "yes");
    if (option->type == PD_OPTION_FRACTION)
        return number * 1000 / (*end == '/' ? strtoull(end + 1, NULL, 10) : *end == '%' ? 100 : 1);
    if (option->type == PD_OPTION_SIZE)
        return *end == 'K' ? number << 10 : *end == 'M' ? number << 20 : number;
    if (option->type != PD_OPTION_TIME)
        return number;
    if (!strcmp(end, "us"))
        return number;
    return number * (!strcmp(end, "ms") ? 1000u : !strcmp(end, "min") ? 60000000u : 1000000u);
}

static void mock_default(struct mock *mock, size_t i, const struct pd_option *option)
{
    mock->values[i].given = option->default_text;
    if (!option->default_text)
        return;
    if (option->type >= PD_OPTION_TEXT)
        mock->values[i].text = mock->texts[i] = checked(strdup(option->default_text));
    else
        mock->values[i].number = default_number(option);
}

static void mock_given(struct mock *mock, const char *name, const char *value)
{
    const struct pd_option *options = mock->trigger->options;

    for (size_t i = 0; options && options[i].name; i++) {
        if (strcmp(options[i].name, name) != 0)
            continue;
        mock->values[i].given = true;
        if (options[i].type < PD_OPTION_TEXT) {
            mock->values[i].number = strtoull(value, NULL, 0);
            return;
        }
        free(mock->texts[i]);
        mock->values[i].text = mock->texts[i] = checked(strdup(value));
        for (char *c = mock->texts[i]; *c; c++)
            if (*c == '+')
                *c = ' ';
        return;
    }
    fprintf(stderr, "%s has no option %s\n", mock->trigger->name, name);
    abort();
}

int mock_start(struct mock *mock, const struct pd_trigger *trigger, const char *options)
{
    struct pd_start start = {
        .instance = trigger->name,
        .values = mock->values,
        .sample_interval_us = MOCK_SAMPLE_INTERVAL_US,
        .close_interval_us = MOCK_CLOSE_INTERVAL_US,
    };
    char *copy = checked(strdup(options ? options : ""));
    char *rest = copy, *word;

    mock->trigger = trigger;
    mock->host = (struct pd_host){
        sizeof(struct pd_host),
        host_advise,
        host_withdraw,
        host_open_cause,
        host_close_cause,
        host_look,
        host_set_timer,
        host_query,
        host_peer,
        host_state,
        host_in_flight,
        host_notice,
        host_waits,
        host_probe,
        host_given_up,
        host_no_route,
    };
    mock->turn.host = &mock->host;
    mock->turn.self = zeroed(trigger->instance_size);
    for (size_t i = 0; trigger->options && trigger->options[i].name; i++)
        mock_default(mock, i, &trigger->options[i]);
    while ((word = strsep(&rest, " "))) {
        char *value = strchr(word, '=');

        if (!value)
            continue;
        *value++ = '\0';
        mock_given(mock, word, value);
    }
    free(copy);
    return trigger->start ? trigger->start(&mock->turn, &start) : 0;
}

void mock_stop(struct mock *mock)
{
    if (mock->trigger->stop)
        mock->trigger->stop(&mock->turn);
    for (uint32_t i = 0; i < mock->n_peers; i++)
        free(mock->peers[i].state);
    for (size_t i = 0; i < MOCK_OPTIONS; i++)
        free(mock->texts[i]);
    mock_clear(mock);
    free(mock->peers);
    free(mock->turn.self);
    *mock = (struct mock){0};
}

void mock_clear(struct mock *mock)
{
    free(mock->advice);
    free(mock->queries);
    free(mock->notices);
    mock->advice = NULL;
    mock->queries = NULL;
    mock->notices = NULL;
    mock->n_advice = mock->n_queries = mock->n_notices = 0;
}

/* ---- what the trigger is told ---- */

static void mock_check(int r)
{
    if (r < 0) {
        fprintf(stderr, "a callback failed: %s\n", strerror(-r));
        abort();
    }
}

void mock_address(const char *text, struct pd_address *ret_address)
{
    struct pd_address address = {0};
    char host[64];
    const char *colon = text ? strrchr(text, ':') : NULL;

    *ret_address = address;
    if (!colon)
        return;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text - 2 * (*text == '[')),
             text + (*text == '['));
    if (strchr(host, '%')) {
        snprintf(address.scope, sizeof(address.scope), "%s", strchr(host, '%') + 1);
        *strchr(host, '%') = '\0';
    }
    address.family = *text == '[' ? 6 : 4;
    address.port = (uint16_t)atoi(colon + 1);
    if (inet_pton(address.family == 6 ? AF_INET6 : AF_INET, host, address.bytes) != 1)
        abort();
    *ret_address = address;
}

void mock_peer_set(struct mock *mock, uint32_t peer, const char *local, const char *remote)
{
    struct mock_peer *found = &mock->peers[peer];

    snprintf(found->local, sizeof(found->local), "%s", local ? local : "");
    snprintf(found->remote, sizeof(found->remote), "%s", remote ? remote : "");
    mock_address(local, &found->path.local);
    mock_address(remote, &found->path.remote);
}

uint32_t mock_peer_up(struct mock *mock, const char *name, const char *local, const char *remote)
{
    uint32_t peer = 0;

    while (peer < mock->n_peers && mock->peers[peer].up)
        peer++;
    if (peer == mock->n_peers) {
        uint32_t wanted = mock->n_peers ? mock->n_peers * 2 : 4;

        mock->peers = checked(reallocarray(mock->peers, wanted, sizeof(*mock->peers)));
        memset(mock->peers + mock->n_peers, 0, (wanted - mock->n_peers) * sizeof(*mock->peers));
        mock->n_peers = wanted;
    }
    struct mock_peer *found = &mock->peers[peer];

    free(found->state);
    *found = (struct mock_peer){.up = true, .state = zeroed(mock->trigger->peer_size)};
    found->row = mock_row();
    found->peer.index = peer;
    found->peer.conn = ++mock->next_conn;
    snprintf(found->name, sizeof(found->name), "%s", name);
    mock_peer_set(mock, peer, local, remote);
    mock_peer_change(mock, peer, PD_PEER_UP);
    return peer;
}

static void peer_change(struct mock *mock, uint32_t peer, enum pd_peer_change change,
                        const char *via, bool asked)
{
    struct pd_peer_event event = {
        .change = change,
        .peer = mock_pointers(&mock->peers[peer]),
        .state = mock->peers[peer].state,
        .via = via,
        .asked = asked,
    };

    if (change == PD_PEER_PATH || change == PD_PEER_MIGRATED || change == PD_PEER_TOLD)
        mock->peers[peer].outstanding_since_us = 0;
    if (mock->trigger->peer)
        mock_check(mock->trigger->peer(&mock->turn, &event));
}

void mock_peer_change(struct mock *mock, uint32_t peer, enum pd_peer_change change)
{
    peer_change(mock, peer, change, NULL, false);
}

void mock_migrated(struct mock *mock, uint32_t peer, const char *via, bool asked)
{
    peer_change(mock, peer, PD_PEER_MIGRATED, via, asked);
}

void mock_peer_via(struct mock *mock, uint32_t peer, const char *via)
{
    struct mock_peer *found = &mock->peers[peer];

    snprintf(found->via, sizeof(found->via), "%s", via);
    mock_peer_change(mock, peer, PD_PEER_PATH);
}

void mock_relays(struct mock *mock, const struct pd_relays *relays)
{
    if (mock->trigger->relays)
        mock_check(mock->trigger->relays(&mock->turn, relays));
}

void mock_peer_down(struct mock *mock, uint32_t peer)
{
    mock_peer_change(mock, peer, PD_PEER_DOWN);
    mock->peers[peer].up = false;
}

void mock_node(struct mock *mock, uint32_t uid)
{
    struct pd_node_event event = {.node = "alpha@10.0.0.1", .uid = uid};

    if (mock->trigger->node)
        mock_check(mock->trigger->node(&mock->turn, &event));
}

struct pd_row mock_row(void)
{
    struct pd_row row;

    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        row.v[i] = PD_UNKNOWN;
    return row;
}

/* ---- samples ---- */

void mock_sample_columns(struct mock *mock, uint32_t peer, const struct pd_row *row, bool fresh,
                         uint32_t columns)
{
    struct mock_peer *found = &mock->peers[peer];
    uint64_t now_us = mock->turn.now_us;
    struct pd_sample sample = {
        .peer = mock_pointers(found),
        .state = found->state,
        .row = row,
        .columns = columns,
        .fresh = fresh,
        .heard = is_heard(found, row, now_us),
        .deserted = found->deserted,
        .in_flight = found->in_flight,
        .regular = take_regular(mock, found),
        .last_look_us = found->last_look_us,
    };

    evaluate(found, &sample, now_us);
    take_ages(found, &sample, now_us);
    found->last_look_us = now_us;
    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        if (row->v[i] != PD_UNKNOWN)
            found->row.v[i] = row->v[i];
    if (mock->trigger->sample)
        mock_check(mock->trigger->sample(&mock->turn, &sample));
}

void mock_sample(struct mock *mock, uint32_t peer, const struct pd_row *row, bool fresh)
{
    mock_sample_columns(mock, peer, row, fresh, UINT32_MAX);
}

const char *mock_tell(struct mock *mock, uint32_t peer)
{
    struct mock_peer *found = &mock->peers[peer];

    mock->told[0] = '\0';
    if (mock->trigger->tell)
        mock_check(mock->trigger->tell(mock->turn.self, mock_pointers(found), found->state,
                                       mock->turn.now_us, mock->told, sizeof(mock->told)));
    return mock->told;
}

void mock_signal_fields(struct mock *mock, const struct pd_signal *signal)
{
    mock_check(mock->trigger->signal(&mock->turn, signal));
}

void mock_signal(struct mock *mock, const char *kind, uint64_t query, const char *fields)
{
    struct pd_field list[16];
    struct pd_signal signal = {.kind = kind, .query = query, .fields = list};
    char *copy = checked(strdup(fields ? fields : ""));
    char *rest = copy, *word;

    while ((word = strsep(&rest, " "))) {
        char *value = strchr(word, '=');
        struct pd_field *field = &list[signal.n_fields];

        if (!value)
            continue;
        *value++ = '\0';
        *field = (struct pd_field){.name = word};
        if (*value && strspn(value, "0123456789") == strlen(value))
            field->number = strtoull(value, NULL, 10);
        else
            field->text = value;
        for (char *c = value; *c; c++)
            if (*c == '+')
                *c = ' ';
        signal.n_fields++;
    }
    mock_signal_fields(mock, &signal);
    free(copy);
}

void mock_time(struct mock *mock, uint64_t now_us)
{
    while (mock->timer_us && mock->timer_us <= now_us) {
        if (mock->timer_us > mock->turn.now_us)
            mock->turn.now_us = mock->timer_us;
        mock->timer_us = 0;
        mock_check(mock->trigger->timer(&mock->turn));
    }
    mock->turn.now_us = now_us;
}
