/* SPDX-License-Identifier: Apache-2.0 */
/* What the interface's methods ask of the daemon. */
#ifndef VARLINK_METHODS_H
#define VARLINK_METHODS_H

#include "call.h"

/* Ends with a NULL name. */
extern const struct method methods[];

void method_migrate(struct call *call);
void method_follow(struct call *call);
void method_list_peers(struct call *call);
void method_list_uplinks(struct call *call);
void method_list_relays(struct call *call);

#endif
