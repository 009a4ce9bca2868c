/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of when a connection is dialled anew: connections, and what is said of them. */
#ifndef TEST_FALLBACK_LAB_H
#define TEST_FALLBACK_LAB_H

#include "uplinks-lab.h"

static const struct pd_field proof[] = {{.name = "proof", .text = "unreachable"}};

static const struct pd_advice lost = {.kind = PD_KIND_MOVED, .reason = "lost", .no_target = true};
static const struct pd_advice gone = {
    .kind = PD_KIND_MOVED,
    .reason = "the local address is on no interface",
    .evidence = proof,
    .n_evidence = ARRAY_SIZE(proof),
};

static inline void up(struct lab *lab, enum pd_role role)
{
    lab_peer_up_role(lab, "a", 17, role);
    lab_fresh(lab, 17, 50 * MS);
}

/* An inbound connection: no migrate is possible, so its advice is refused. */
static inline void inbound(struct lab *lab, const struct pd_advice *advice)
{
    up(lab, PD_ROLE_SERVER);
    lab_advise_full(lab, 17, advice);
    expect_decision(lab, 17, VERDICT_INBOUND);
}

/* A client whose migrate is open. */
static inline void client(struct lab *lab, enum pd_kind kind)
{
    up(lab, PD_ROLE_CLIENT);
    lab_advise(lab, 17, kind);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

/* Rows like that each second; `columns` NULL: nothing gets through. */
static inline void rows(struct lab *lab, unsigned seconds, const char *columns)
{
    for (unsigned i = 0; i < seconds; i++) {
        if (columns)
            lab_row(lab, 17, columns);
        else
            lab_silent(lab, 17);
        lab_time(lab, SEC);
    }
}

/* Its evidence has why. */
static inline void expect_fallback(struct lab *lab, uint64_t conn, const char *dial)
{
    const struct record_decision *decision = expect_decision(lab, conn, VERDICT_RECONNECT);

    assert_string_equal(decision->trigger, "fallback");
    assert_string_equal(decision->evidence->fields[0].name, "dial");
    assert_string_equal(decision->evidence->fields[0].text, dial);
    /* nothing need be outstanding where nothing can arrive, and then none is claimed to be */
    assert_int_equal(!strstr(decision->reason->s, "something is outstanding"),
                     !strcmp(dial, "unreachable"));
}

static inline void expect_no_fallback(struct lab *lab)
{
    for (size_t i = 0; i < lab->n_records; i++)
        if (lab->records[i].type == RECORD_DECISION)
            assert_string_not_equal(lab->records[i].decision.trigger, "fallback");
}

#endif
