/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the sources of the triggers that have messages: hands a message on, with the addresses of the
 * tunnel that it names. Those are kept by rtnetlink: to ask the kernel for all addresses with each
 * message would let whoever writes messages hold up the loop.
 */
#ifndef MESSAGES_ADDRESSES_H
#define MESSAGES_ADDRESSES_H

#include "message.h"

#include <pathdog/source.h>

struct netlink_listener;

/* Where the kernel cannot be asked `*ret_listener` is NULL, and a notice says so. */
void addresses_listen(struct pd_source_host *host, struct netlink_listener **ret_listener);

void addresses_forget(struct netlink_listener *listener);

/* Who brings a tunnel up says so at once: its address may still wait to be read. */
void addresses_update(struct netlink_listener *listener);

/* The signal `notice`; `sender` fields are who wrote it. */
void message_emit(struct pd_source_host *host, struct netlink_listener *listener,
                  const struct message *message, const struct pd_field *sender, size_t n_sender);

#endif
