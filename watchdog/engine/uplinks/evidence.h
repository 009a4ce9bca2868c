/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of an uplink: that something got through, that connections left it, that it is in
 * penalty or held. Each change that an operator should know of is a record.
 */
#ifndef ENGINE_EVIDENCE_H
#define ENGINE_EVIDENCE_H

#include "uplinks.h"

struct move;
struct pd_sample;

/* A probe that is not answered in this time will not be. */
#define EVIDENCE_ANSWER_US UINT64_C(1000000)

/* A row of a connection that uses an uplink. */
void evidence_row(struct engine *engine, const struct peer *peer, const struct pd_sample *sample);

/* Something got through at that time. */
void evidence_heard(struct uplink *uplink, uint64_t at_us);

/* Connections left it, and nothing got through since. */
bool evidence_silent(const struct uplink *uplink);

/* Connections left it, and nothing got through since, or since this one made progress. */
bool evidence_left(const struct uplink *uplink, const struct peer *peer);

/* One is dead there that cannot migrate, and nobody was heard since: some of the others are looked
 * at. */
void evidence_doubt(struct engine *engine, const struct peer *peer);

/* Connections left it because nothing gets through, or one is dead on it that cannot leave; and
 * nothing was heard over it since. NULL: no. */
bool evidence_deserted(const struct uplink *uplink);

/* Somebody on it waits for an acknowledgement that does not come. Of those that have nothing
 * outstanding nothing is known. */
bool evidence_waits(const struct engine *engine, const struct uplink *uplink);

/* It waits, so do others on its uplink, and nobody was heard there since: the uplink is silent for
 * all, and another port on it would be, too. */
bool evidence_all_silent(const struct engine *engine, const struct peer *peer);

/* The same of those that share its link, where its uplink is not known or is the only one; and has
 * something got through to one of them since it waits? */
bool evidence_group_silent(const struct engine *engine, const struct peer *peer);
bool evidence_group_heard(const struct engine *engine, const struct peer *peer);

/* It was moved, or that was tried, since it waits. */
bool evidence_tried(const struct peer *peer);

/* Its last probe was not answered, a moment ago. */
bool evidence_unanswered(const struct uplink *uplink, uint64_t now_us);

/* Was that, which rows tell of, a moment ago? 0: never. */
bool evidence_recent(const struct engine *engine, uint64_t at_us);

/* Something got through a moment ago, and nothing contradicts that. */
bool evidence_lives(const struct engine *engine, const struct uplink *uplink);

/* How much is left of its penalty, for one family; 0 of `family`: the larger one. */
uint64_t evidence_penalty_us(const struct uplink *uplink, unsigned family, uint64_t now_us);

/* A connection is about to be moved off it, for such a reason. */
void evidence_leaving(struct engine *engine, const struct peer *peer, struct uplink *from,
                      enum pd_kind kind);

/* A move there failed, or did not help, which began then. `what`: "the move of bravo ended as
 * timeout". Nothing where no uplink was named. */
void evidence_failed(struct engine *engine, const struct destination *destination, unsigned family,
                     uint64_t began_us, const char *what);

/* The first that came back got through there: nothing speaks against it any more. */
void evidence_trust(struct uplink *uplink);

/* It went down, or a move to it failed: proof begins anew. */
void evidence_unprove(struct uplink *uplink);

/* Proof begins anew, and takes longer. */
void evidence_distrust(struct uplink *uplink);

/* The record of a change; `format` is the reason. */
void evidence_change(struct engine *engine, struct uplink *uplink, enum uplink_change change,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
