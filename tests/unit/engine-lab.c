/* SPDX-License-Identifier: Apache-2.0 */
/* The lab: the engine's side. What happens to it is engine-lab-events.c. */
#include "engine-lab.h"

#include "engine/peers/peer.h"

void lab_init(struct lab *lab)
{
    *lab = (struct lab){
        .features = NODE_RECONNECT,
        .now_us = 1000 * SEC,
        .config =
            {
                .mode = MODE_ACTIVE,
                .fallback = FALLBACK_RECONNECT,
                .sample_interval_us = 5 * SEC,
                .close_interval_us = 500 * MS,
                .close_max = 1024,
                .migrate_timeout_us = 5 * SEC,
                .timeout_max_us = 30 * SEC,
                .retries = 2,
                .merge_window_us = 2 * SEC,
                .max_peers = 262144,
                .cooldown_us = 30 * SEC,
                .cooldown_max_us = 15 * MIN,
                .backoff_min_us = 5 * SEC,
                .backoff_max_us = 5 * MIN,
                .move_burst = 5,
                .move_refill_us = 10 * SEC,
                .reconnect_gap_us = 10 * SEC,
                .effect_window_us = 10 * SEC,
                .fallback_after_us = 3 * SEC,
                .fallback_blind_us = 20 * SEC,
                .decisions_kept = 4096,
                .n_instances = 1,
                .choose = true,
            },
    };
    lab->instances[0] = (struct instance_config){.trigger = &pathdog_trigger_poke, .name = "poke"};
    lab->instances[1] = (struct instance_config){.trigger = &pathdog_trigger_prod, .name = "prod"};
}

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static void keep_conns(struct lab_action *kept, const uint64_t *conns, size_t count)
{
    kept->n_conns = count;
    for (size_t i = 0; i < count && i < ARRAY_SIZE(kept->conns); i++)
        kept->conns[i] = conns[i];
}

static void keep_action(struct lab *lab, const struct action *action)
{
    struct lab_action *kept;

    lab->actions = array_reserve(lab->actions, &lab->actions_capacity, lab->n_actions + 1,
                                 sizeof(struct lab_action));
    kept = &lab->actions[lab->n_actions++];
    *kept = (struct lab_action){.type = action->type, .at_us = lab->now_us};
    switch (action->type) {
    case ACTION_SUMMARY:
        kept->poll = action->summary.poll;
        kept->all = !action->summary.conns;
        keep_conns(kept, action->summary.conns, action->summary.n_conns);
        break;
    case ACTION_PROBE:
        keep_conns(kept, action->probe.conns, action->probe.n_conns);
        break;
    case ACTION_MIGRATE:
    case ACTION_RECONNECT:
        kept->request = action->move.request;
        kept->conn = action->move.conn;
        kept->timeout_ms = action->move.timeout_ms;
        copy_text(kept->reason, sizeof(kept->reason), action->move.reason->s);
        copy_text(kept->interface, sizeof(kept->interface), action->move.interface);
        copy_text(kept->local, sizeof(kept->local), action->move.local);
        copy_text(kept->via, sizeof(kept->via), action->move.via);
        kept->keep_old = action->move.keep_old;
        break;
    case ACTION_PROBE_PATH:
        kept->request = action->probe_path.probe;
        kept->conn = action->probe_path.conn;
        kept->timeout_ms = action->probe_path.timeout_ms;
        copy_text(kept->interface, sizeof(kept->interface), action->probe_path.interface);
        break;
    case ACTION_CANCEL:
        kept->request = action->cancel.request;
        break;
    case ACTION_CLOSE:
        break;
    case ACTION_QUERY:
        kept->request = action->query.query.id;
        copy_text(kept->reason, sizeof(kept->reason), action->query.query.fields[0].text);
        break;
    }
}

/* Records are kept by reference: a texts' owner may be gone long before the
 * test looks. They are released with the lab. */
static void hold(struct record *record, struct text *(*each)(struct text *text))
{
    switch (record->type) {
    case RECORD_DECISION:
        each(record->decision.subject.peer);
        each(record->decision.reason);
        each(record->decision.uplink);
        each(record->decision.target);
        each(record->decision.choice);
        if (each == text_ref)
            evidence_ref(record->decision.evidence);
        else
            evidence_unref(record->decision.evidence);
        break;
    case RECORD_OUTCOME:
        each(record->outcome.subject.peer);
        each(record->outcome.local_before);
        each(record->outcome.local_after);
        each(record->outcome.error_message);
        each(record->outcome.target);
        break;
    case RECORD_EFFECT:
        each(record->effect.subject.peer);
        break;
    case RECORD_CAUSE:
        each(record->cause->reason);
        break;
    case RECORD_NODE:
        each(record->node.node);
        each(record->node.implementation);
        each(record->node.boot);
        each(record->node.reason);
        break;
    case RECORD_PEER:
        each(record->peer.subject.peer);
        each(record->peer.reason);
        break;
    case RECORD_UPLINK:
        each(record->uplink.uplink);
        each(record->uplink.interface);
        each(record->uplink.reason);
        break;
    case RECORD_NOTICE:
        each(record->notice.what);
        each(record->notice.text);
        break;
    }
}

static void keep_record(struct lab *lab, const struct record *record)
{
    struct record *kept;
    struct record_cause *cause;

    lab->records = array_reserve(lab->records, &lab->records_capacity, lab->n_records + 1,
                                 sizeof(struct record));
    kept = &lab->records[lab->n_records++];
    *kept = *record;
    if (record->type == RECORD_CAUSE) {
        cause = memory_new(1, sizeof(*cause));
        *cause = *record->cause;
        kept->cause = cause;
    }
    hold(kept, text_ref);
}

static void collect(struct lab *lab)
{
    for (size_t i = 0; i < lab->box->n_actions; i++)
        keep_action(lab, &lab->box->actions[i]);
    for (size_t i = 0; i < lab->box->n_records; i++)
        keep_record(lab, &lab->box->records[i]);
}

void lab_new_engine(struct lab *lab)
{
    struct poke *pokes[ARRAY_SIZE(lab->values)] = {&lab->poke, &lab->second, &lab->second,
                                                   &lab->second};

    lab->config.instances = lab->instances;
    for (size_t i = 0; i < ARRAY_SIZE(lab->values); i++) {
        lab->values[i] = poke_value(pokes[i]);
        lab->instances[i].values = &lab->values[i];
    }
    assert_int_equal(engine_new(&lab->config, lab->now_us, lab->now_us, &lab->engine), 0);
    lab->box = engine_outbox(lab->engine);
    collect(lab);
}

void lab_begin(struct lab *lab)
{
    lab_new_engine(lab);
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_summary_done(lab, 1, true);
    lab_skip(lab);
}

void lab_end(struct lab *lab)
{
    lab->engine = engine_free(lab->engine);
    for (size_t i = 0; i < lab->n_records; i++) {
        hold(&lab->records[i], text_unref);
        if (lab->records[i].type == RECORD_CAUSE)
            free(lab->records[i].cause);
    }
    free(lab->records);
    free(lab->actions);
}

int lab_setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    lab_begin(lab);
    *state = lab;
    return 0;
}

int lab_teardown(void **state)
{
    lab_end(*state);
    free(*state);
    return 0;
}

void lab_event(struct lab *lab, const struct event *event)
{
    struct event given = *event;

    given.now_us = lab->now_us;
    given.realtime_us = lab->now_us;
    lab->box = engine_handle(lab->engine, &given);
    collect(lab);
}

/* ---- what came of it ---- */

const struct record *lab_next(struct lab *lab, enum record_type type)
{
    while (lab->read[type] < lab->n_records)
        if (lab->records[lab->read[type]++].type == type)
            return &lab->records[lab->read[type] - 1];
    return NULL;
}

const struct record_notice *lab_notice(struct lab *lab, const char *what)
{
    const struct record *record;

    while ((record = lab_next(lab, RECORD_NOTICE)))
        if (strcmp(record->notice.what->s, what) == 0)
            return &record->notice;
    return NULL;
}

void lab_skip(struct lab *lab)
{
    for (size_t i = 0; i < ARRAY_SIZE(lab->read); i++)
        lab->read[i] = lab->n_records;
    lab->read_moves = lab->read_polls = lab->n_actions;
}

const struct lab_action *lab_next_move(struct lab *lab)
{
    while (lab->read_moves < lab->n_actions) {
        const struct lab_action *action = &lab->actions[lab->read_moves++];

        if (action->type == ACTION_MIGRATE || action->type == ACTION_RECONNECT)
            return action;
    }
    return NULL;
}

const struct lab_action *lab_next_poll(struct lab *lab)
{
    while (lab->read_polls < lab->n_actions)
        if (lab->actions[lab->read_polls++].type == ACTION_SUMMARY)
            return &lab->actions[lab->read_polls - 1];
    return NULL;
}

const struct lab_action *lab_find_action(struct lab *lab, enum action_type type)
{
    for (size_t i = lab->n_actions; i-- > 0;)
        if (lab->actions[i].type == type)
            return &lab->actions[i];
    return NULL;
}

struct peer *lab_peer(struct lab *lab, uint64_t conn)
{
    return peers_find(lab->engine, conn);
}

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error(__VA_ARGS__);                                                              \
            _fail(file, line);                                                                     \
        }                                                                                          \
    } while (0)

const struct record_decision *lab_expect_decision(struct lab *lab, uint64_t conn,
                                                  enum verdict verdict, const char *file, int line)
{
    const struct record *record = lab_next(lab, RECORD_DECISION);

    CHECK(record, "no decision, expected %s\n", verdict_name(verdict));
    CHECK(record->decision.verdict == verdict, "decision of %lu is %s, expected %s\n",
          (unsigned long)record->decision.subject.conn, verdict_name(record->decision.verdict),
          verdict_name(verdict));
    CHECK(record->decision.subject.conn == conn, "decision is of conn %lu, expected %lu\n",
          (unsigned long)record->decision.subject.conn, (unsigned long)conn);
    return &record->decision;
}

const struct record_outcome *lab_expect_outcome(struct lab *lab, uint64_t conn,
                                                enum outcome outcome, const char *file, int line)
{
    const struct record *record = lab_next(lab, RECORD_OUTCOME);

    CHECK(record, "no outcome, expected %s\n", outcome_name(outcome));
    CHECK(record->outcome.outcome == outcome && record->outcome.subject.conn == conn,
          "outcome of %lu is %s, expected %s of %lu\n", (unsigned long)record->outcome.subject.conn,
          outcome_name(record->outcome.outcome), outcome_name(outcome), (unsigned long)conn);
    return &record->outcome;
}

const struct record_effect *lab_expect_effect(struct lab *lab, uint64_t conn, enum effect effect,
                                              const char *file, int line)
{
    const struct record *record = lab_next(lab, RECORD_EFFECT);

    CHECK(record, "no effect, expected %s\n", effect_name(effect));
    CHECK(record->effect.effect == effect && record->effect.subject.conn == conn,
          "effect of %lu is %s, expected %s of %lu\n", (unsigned long)record->effect.subject.conn,
          effect_name(record->effect.effect), effect_name(effect), (unsigned long)conn);
    return &record->effect;
}

uint64_t lab_expect_move(struct lab *lab, enum action_type type, uint64_t conn, const char *file,
                         int line)
{
    const struct lab_action *action = lab_next_move(lab);

    CHECK(action, "nothing was asked of conn %lu\n", (unsigned long)conn);
    CHECK(action->type == type, "asked for the other kind of move\n");
    CHECK(action->conn == conn, "asked about conn %lu, expected %lu\n", (unsigned long)action->conn,
          (unsigned long)conn);
    return action->request;
}

void lab_expect_nothing(struct lab *lab, enum record_type type, const char *file, int line)
{
    const struct record *record = lab_next(lab, type);

    CHECK(!record || type != RECORD_DECISION, "a decision: %s\n",
          verdict_name(record->decision.verdict));
    CHECK(!record || type != RECORD_OUTCOME, "an outcome: %s\n",
          outcome_name(record->outcome.outcome));
    CHECK(!record, "a record of type %d\n", type);
}

uint64_t lab_migrated(struct lab *lab, uint64_t conn, enum pd_kind kind)
{
    uint64_t decision;

    lab_advise(lab, conn, kind);
    decision = expect_decision(lab, conn, VERDICT_MIGRATE)->decision;
    lab_answer_ok(lab, expect_migrate(lab, conn));
    expect_outcome(lab, conn, OUTCOME_MIGRATED);
    return decision;
}
