/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the peer has not acknowledged: since when, whether application data is among it, and whether
 * the path carries only the peer's packets, or only small ones (docs/decisions.md has the words).
 */
#ifndef ENGINE_UNACKED_H
#define ENGINE_UNACKED_H

#include "../state.h"

/* Bytes in flight (RFC 9002 §2), a probe timeout (§6.2), or application data. */
bool unacked_shows(const struct pd_row *row);

/* A row, before what it says is taken over: sets the ages of silence and of what is unacknowledged,
 * `pto_us`, and what follows from them up to `progress`. */
void unacked_row(struct engine *engine, struct peer *peer, struct pd_sample *sample);

/* RFC 9002 §6.2.1, for PD_UNKNOWN with what a connection begins with. */
uint64_t probe_timeout_us(uint64_t srtt_us, uint64_t rttvar_us);

#endif
