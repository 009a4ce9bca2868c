/* SPDX-License-Identifier: Apache-2.0 */
/* Is a peer there without a relay? A QUIC server answers a packet of a version that it does not
 * have (version-probe.h). */
#ifndef RELAY_DIRECT_H
#define RELAY_DIRECT_H

#include <pathdog/source.h>

#define DIRECT_MAX 64u /* at a time */

struct direct;

struct direct *direct_new(struct pd_source_host *host, bool enabled);
struct direct *direct_free(struct direct *direct);

/* {ask, peer, conn, address}; the answer is a signal `direct`. Returns 0. */
int direct_ask(struct direct *direct, const struct pd_query *query);

#endif
