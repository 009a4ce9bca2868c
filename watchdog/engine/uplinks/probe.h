/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the node whether a path to a peer lives. Bounded: a few at a time for each uplink. */
#ifndef ENGINE_PROBE_H
#define ENGINE_PROBE_H

#include "evidence.h"

struct choice;

#define PROBE_TIMEOUT_MS (EVIDENCE_ANSWER_US / 1000)

/* Asks for one over this uplink, about this connection. */
void probe_send(struct engine *engine, const struct peer *peer, struct uplink *uplink,
                bool for_return);

/* Asks all candidates of a choice, unless enough are asked already. */
void probe_candidates(struct engine *engine, const struct peer *peer, const struct choice *choice);

/* An answer: which one it was; false: none that is waited for. */
bool probe_take(struct engine *engine, uint64_t number, struct uplink_probe *ret);

/* Are probes of this kind open, over this uplink or (NULL) any? */
unsigned probes_open(const struct engine *engine, const struct uplink *uplink, bool for_return);

/* Those whose answer should have come long ago; all, where the node went. */
void probes_expire(struct engine *engine);
void probes_forget(struct engine *engine);

#endif
