/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lab for tests of the engine: an engine with the default config, a trigger
 * that advises what it is told (tests/sim/poke.h), and everything that came out
 * of the engine, in order. Time is what the test says; it stands still else.
 */
#ifndef TEST_ENGINE_LAB_H
#define TEST_ENGINE_LAB_H

#include "check.h"
#include "engine/state.h"
#include "poke.h"

#define MS   UINT64_C(1000)
#define SEC  UINT64_C(1000000)
#define MIN  (60 * SEC)
#define NONE 0

/* A copy of an action, with its lists and texts. */
struct lab_action {
    enum action_type type;
    uint64_t at_us;
    uint64_t poll, request, conn;
    uint32_t timeout_ms;
    char reason[96], interface[32], local[32], via[32]; /* "": left out */
    uint64_t conns[16];
    size_t n_conns; /* may be more than are kept */
    bool all;       /* of a summary: no list */
    bool keep_old;  /* of a reconnect */
};

struct lab {
    struct engine_config config;
    struct engine_config next[2]; /* for tests that reload: they outlive the engine */
    struct instance_config instances[4];
    struct pd_value values[4];
    struct poke poke, second; /* of instance 0, and of 1 where a test adds it */
    uint32_t features;
    bool prefer_reconnect;
    struct engine *engine;
    const struct outbox *box;
    uint64_t now_us;
    struct record *records; /* counted references, since the beginning */
    size_t n_records, records_capacity;
    size_t read[RECORD_NOTICE + 1]; /* by type: where expect_ goes on */
    struct lab_action *actions;
    size_t n_actions, actions_capacity;
    size_t read_moves, read_polls;
};

/* Sets the default config; a test may change it, and `features`, before lab_begin. */
void lab_init(struct lab *lab);
void lab_new_engine(struct lab *lab);
/* The engine, the node up with boot "boot", and an empty snapshot. */
void lab_begin(struct lab *lab);
void lab_end(struct lab *lab);

/* For cmocka: a lab that has begun, in *state. */
int lab_setup(void **state);
int lab_teardown(void **state);

/* ---- what happens ---- */

void lab_event(struct lab *lab, const struct event *event);
void lab_node_up(struct lab *lab, const char *boot);
void lab_node_down(struct lab *lab);
void lab_snapshot(struct lab *lab);
void lab_peer_up(struct lab *lab, const char *name, uint64_t conn); /* a client */
void lab_peer_up_role(struct lab *lab, const char *name, uint64_t conn, enum pd_role role);
void lab_peer_told(struct lab *lab, const struct event_peer_up *event);
void lab_peer_down(struct lab *lab, uint64_t conn);

/* One row: "srtt=50000 samples=3 received=100"; columns not named are unknown,
 * but known to be reported. */
void lab_row(struct lab *lab, uint64_t conn, const char *columns);
/* The same, with the columns of the line being those named only. */
void lab_row_only(struct lab *lab, uint64_t conn, const char *columns);
/* A fresh one with this RTT. */
void lab_fresh(struct lab *lab, uint64_t conn, uint64_t rtt_us);
/* One that waits for an answer something and shows no progress. */
void lab_silent(struct lab *lab, uint64_t conn);
void lab_summary_done(struct lab *lab, uint64_t poll, bool failed);

/* Advice of the trigger; runs one turn. */
void lab_advise(struct lab *lab, uint64_t conn, enum pd_kind kind);
void lab_advise_full(struct lab *lab, uint64_t conn, const struct pd_advice *advice);
/* Puts a step into the trigger's next signal; lab_signal has it done. */
struct poke_step *lab_step(struct lab *lab, enum poke_do what, uint64_t conn);
void lab_signal(struct lab *lab);
void lab_withdraw(struct lab *lab, uint64_t conn);

void lab_answer(struct lab *lab, const struct event_answer *answer);
void lab_answer_ok(struct lab *lab, uint64_t request);
void lab_answer_conn(struct lab *lab, uint64_t request, uint64_t conn);
void lab_answer_error(struct lab *lab, uint64_t request, int64_t code);

void lab_command(struct lab *lab, const struct event_command *command);
void lab_operator(struct lab *lab, const char *name, enum command_by by);
void lab_hold(struct lab *lab, const char *name, uint64_t duration_us);
void lab_release(struct lab *lab, const char *name);
void lab_observe(struct lab *lab, bool observe);
void lab_stop(struct lab *lab);

/* Lets time pass; the timer comes whenever it is wanted. */
void lab_time(struct lab *lab, uint64_t span_us);

/* ---- what came of it ---- */

/* The next record of its type that was not read yet. */
const struct record *lab_next(struct lab *lab, enum record_type type);
/* The next notice of that kind, NULL if there is none. */
const struct record_notice *lab_notice(struct lab *lab, const char *what);
/* Forgets what was not read. */
void lab_skip(struct lab *lab);
/* The next migrate or reconnect, NULL if there is none. */
const struct lab_action *lab_next_move(struct lab *lab);
const struct lab_action *lab_next_poll(struct lab *lab);
const struct lab_action *lab_find_action(struct lab *lab, enum action_type type);
struct peer *lab_peer(struct lab *lab, uint64_t conn);

const struct record_decision *lab_expect_decision(struct lab *lab, uint64_t conn,
                                                  enum verdict verdict, const char *file, int line);
const struct record_outcome *lab_expect_outcome(struct lab *lab, uint64_t conn,
                                                enum outcome outcome, const char *file, int line);
const struct record_effect *lab_expect_effect(struct lab *lab, uint64_t conn, enum effect effect,
                                              const char *file, int line);
uint64_t lab_expect_move(struct lab *lab, enum action_type type, uint64_t conn, const char *file,
                         int line);
void lab_expect_nothing(struct lab *lab, enum record_type type, const char *file, int line);

#define expect_decision(lab, conn, verdict)                                                        \
    lab_expect_decision(lab, conn, verdict, __FILE__, __LINE__)
#define expect_no_decision(lab) lab_expect_nothing(lab, RECORD_DECISION, __FILE__, __LINE__)
#define expect_outcome(lab, conn, outcome)                                                         \
    lab_expect_outcome(lab, conn, outcome, __FILE__, __LINE__)
#define expect_no_outcome(lab)           lab_expect_nothing(lab, RECORD_OUTCOME, __FILE__, __LINE__)
#define expect_effect(lab, conn, effect) lab_expect_effect(lab, conn, effect, __FILE__, __LINE__)
#define expect_no_effect(lab)            lab_expect_nothing(lab, RECORD_EFFECT, __FILE__, __LINE__)
/* The number of the request. */
#define expect_migrate(lab, conn)   lab_expect_move(lab, ACTION_MIGRATE, conn, __FILE__, __LINE__)
#define expect_reconnect(lab, conn) lab_expect_move(lab, ACTION_RECONNECT, conn, __FILE__, __LINE__)
#define expect_no_move(lab)         assert_null(lab_next_move(lab))

/* A move that goes through: from advice to `migrated`. Returns its decision. */
uint64_t lab_migrated(struct lab *lab, uint64_t conn, enum pd_kind kind);

#define LAB_TEST(function) cmocka_unit_test_setup_teardown(function, lab_setup, lab_teardown)

#endif
