/* SPDX-License-Identifier: Apache-2.0 */
/* The lab: what happens to the engine. */
#include "engine-lab.h"

void lab_node_up(struct lab *lab, const char *boot)
{
    lab_event(lab, &(struct event){
                       .type = EVENT_NODE_UP,
                       .node_up =
                           {
                               .node = "node",
                               .boot = boot,
                               .features = lab->features,
                               .prefer_reconnect = lab->prefer_reconnect,
                               .uid = 7,
                           },
                   });
}

void lab_node_down(struct lab *lab)
{
    lab_event(lab, &(struct event){.type = EVENT_NODE_DOWN, .node_down.reason = "closed"});
}

void lab_snapshot(struct lab *lab)
{
    lab_event(lab, &(struct event){.type = EVENT_SNAPSHOT});
}

void lab_peer_told(struct lab *lab, const struct event_peer_up *event)
{
    lab_event(lab, &(struct event){.type = EVENT_PEER_UP, .peer_up = *event});
}

void lab_peer_up_role(struct lab *lab, const char *name, uint64_t conn, enum pd_role role)
{
    lab_peer_told(lab, &(struct event_peer_up){
                           .peer = name,
                           .conn = conn,
                           .role = role,
                           .local = "10.0.1.2:40001",
                           .remote = "10.0.9.9:9100",
                           .migratable = true,
                           .reconnectable = true,
                       });
}

void lab_peer_up(struct lab *lab, const char *name, uint64_t conn)
{
    lab_peer_up_role(lab, name, conn, PD_ROLE_CLIENT);
}

void lab_peer_down(struct lab *lab, uint64_t conn)
{
    lab_event(lab, &(struct event){
                       .type = EVENT_PEER_DOWN,
                       .peer_down = {.conn = conn, .reason = "idle_timeout"},
                   });
}

/* ---- rows ---- */

static const struct {
    const char *name;
    enum pd_column column;
} columns[] = {
    {"srtt", PD_SRTT_US},      {"latest", PD_LATEST_RTT_US}, {"min", PD_MIN_RTT_US},
    {"rttvar", PD_RTTVAR_US},  {"samples", PD_RTT_SAMPLES},  {"in_flight", PD_IN_FLIGHT_BYTES},
    {"pto", PD_PTO_COUNT},     {"sent", PD_BYTES_SENT},      {"received", PD_BYTES_RECEIVED},
    {"silent", PD_SILENT_MS},  {"unacked", PD_UNACKED_MS},   {"unacked_bytes", PD_UNACKED_BYTES},
    {"acked", PD_ACKED_BYTES}, {"pto_us", PD_PTO_US},
};

static void parse_row(const char *text, struct sample_row *ret_row, uint32_t *ret_columns)
{
    char copy[256];
    char *next = NULL;

    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        ret_row->row.v[i] = PD_UNKNOWN;
    *ret_columns = 0;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " ", &next); word; word = strtok_r(NULL, " ", &next)) {
        char *value = strchr(word, '=');
        size_t i = 0;

        assert_non_null(value);
        *value++ = '\0';
        while (i < ARRAY_SIZE(columns) && strcmp(columns[i].name, word) != 0)
            i++;
        if (i == ARRAY_SIZE(columns)) {
            fail_msg("no column %s", word);
            return;
        }
        ret_row->row.v[columns[i].column] = strtoull(value, NULL, 10);
        *ret_columns |= 1u << columns[i].column;
    }
}

static void give_row(struct lab *lab, uint64_t conn, const char *text, uint32_t more)
{
    struct sample_row row = {.conn = conn};
    uint32_t named;

    parse_row(text, &row, &named);
    lab_event(lab, &(struct event){
                       .type = EVENT_SAMPLES,
                       .samples = {.columns = named | more, .rows = &row, .n_rows = 1},
                   });
}

void lab_row(struct lab *lab, uint64_t conn, const char *text)
{
    give_row(lab, conn, text, (1u << PD_COLUMN_COUNT) - 1);
}

void lab_row_only(struct lab *lab, uint64_t conn, const char *text)
{
    give_row(lab, conn, text, 0);
}

void lab_fresh(struct lab *lab, uint64_t conn, uint64_t rtt_us)
{
    const struct peer *peer = lab_peer(lab, conn);
    uint64_t samples = peer->samples_known ? peer->rtt_samples + 1 : 1;
    char text[96];

    snprintf(text, sizeof(text), "srtt=%lu latest=%lu samples=%lu", (unsigned long)rtt_us,
             (unsigned long)rtt_us, (unsigned long)samples);
    lab_row(lab, conn, text);
}

void lab_silent(struct lab *lab, uint64_t conn)
{
    const struct peer *peer = lab_peer(lab, conn);
    char text[96];

    snprintf(text, sizeof(text), "srtt=50000 samples=%lu in_flight=1200",
             (unsigned long)(peer->samples_known ? peer->rtt_samples : 1));
    lab_row(lab, conn, text);
}

void lab_summary_done(struct lab *lab, uint64_t poll, bool failed)
{
    lab_event(lab, &(struct event){
                       .type = EVENT_SUMMARY_DONE,
                       .summary_done = {.poll = poll, .failed = failed},
                   });
}

/* ---- the trigger ---- */

struct poke_step *lab_step(struct lab *lab, enum poke_do what, uint64_t conn)
{
    struct poke_step *step = poke_add(&lab->poke, POKE_IN_SIGNAL, what);
    const struct peer *peer = conn ? lab_peer(lab, conn) : NULL;

    step->peer = peer ? peer->view.index : PD_NO_PEER;
    return step;
}

void lab_signal(struct lab *lab)
{
    lab_event(lab, &(struct event){
                       .type = EVENT_SIGNAL,
                       .signal = {.trigger = lab->instances[0].name, .kind = "go"},
                   });
}

void lab_advise_full(struct lab *lab, uint64_t conn, const struct pd_advice *advice)
{
    lab_step(lab, POKE_ADVISE, conn)->advice = *advice;
    lab_signal(lab);
}

void lab_advise(struct lab *lab, uint64_t conn, enum pd_kind kind)
{
    lab_advise_full(lab, conn, &(struct pd_advice){.kind = kind, .reason = kind_name(kind)});
}

void lab_withdraw(struct lab *lab, uint64_t conn)
{
    lab_step(lab, POKE_WITHDRAW, conn);
    lab_signal(lab);
}

/* ---- answers ---- */

void lab_answer(struct lab *lab, const struct event_answer *answer)
{
    lab_event(lab, &(struct event){.type = EVENT_ANSWER, .answer = *answer});
}

void lab_answer_ok(struct lab *lab, uint64_t request)
{
    lab_answer(lab, &(struct event_answer){
                        .request = request,
                        .ok = true,
                        .validated = true,
                        .local = "10.0.2.2:51313",
                    });
}

void lab_answer_conn(struct lab *lab, uint64_t request, uint64_t conn)
{
    lab_answer(lab, &(struct event_answer){.request = request, .ok = true, .conn = conn});
}

void lab_answer_error(struct lab *lab, uint64_t request, int64_t code)
{
    lab_answer(lab, &(struct event_answer){.request = request, .code = code, .message = "no"});
}

/* ---- commands ---- */

void lab_command(struct lab *lab, const struct event_command *command)
{
    lab_event(lab, &(struct event){.type = EVENT_COMMAND, .command = *command});
}

void lab_operator(struct lab *lab, const char *name, enum command_by by)
{
    lab_command(lab, &(struct event_command){.type = COMMAND_MOVE, .peer = name, .by = by});
}

void lab_hold(struct lab *lab, const char *name, uint64_t duration_us)
{
    lab_command(lab, &(struct event_command){
                         .type = COMMAND_HOLD,
                         .peer = name,
                         .duration_us = duration_us,
                     });
}

void lab_release(struct lab *lab, const char *name)
{
    lab_command(lab, &(struct event_command){.type = COMMAND_RELEASE, .peer = name});
}

void lab_observe(struct lab *lab, bool observe)
{
    lab_command(lab, &(struct event_command){.type = COMMAND_MODE, .observe = observe});
}

void lab_stop(struct lab *lab)
{
    lab_command(lab, &(struct event_command){.type = COMMAND_STOP});
}

void lab_time(struct lab *lab, uint64_t span_us)
{
    uint64_t end_us = lab->now_us + span_us;

    while (lab->box->wake_at_us <= end_us) {
        lab->now_us = max_u64(lab->now_us, lab->box->wake_at_us);
        lab_event(lab, &(struct event){.type = EVENT_TIMER});
    }
    lab->now_us = end_us;
}
