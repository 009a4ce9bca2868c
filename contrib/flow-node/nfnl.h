/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's netfilter by netlink: batches of elements, listings, conntrack entries, news of the
 * ruleset; and text in nft's language by libnftables. Decides nothing.
 */
#ifndef FLOW_NODE_NFNL_H
#define FLOW_NODE_NFNL_H

#include "elements.h"
#include "entries.h"

struct nfnl;

/* Returns 0 or -errno, with a text that says what to do. */
int nfnl_new(struct nfnl **ret, char *ret_error, size_t error_size);
struct nfnl *nfnl_free(struct nfnl *nfnl);

/* One transaction in nft's language. Returns 0 or -EIO with nft's own text. */
int nfnl_run(struct nfnl *nfnl, const char *text, char *ret_error, size_t error_size);

uint32_t nfnl_sequence(struct nfnl *nfnl);
/* Returns 0 or -errno of the first message that failed: then nothing was done. */
int nfnl_batch(struct nfnl *nfnl, const struct element_batch *batch);

/* 1: there is a table inet of that name; 0; -errno. */
int nfnl_has_table(struct nfnl *nfnl, const char *table);
/* 1: there is a map flows4 or flows6 in it as ours are; 0: none of that name; -EEXIST: one of other
 * types, or a set; -errno. */
int nfnl_has_map(struct nfnl *nfnl, const char *table, uint8_t family);
/* The elements of flows4 or flows6. Returns 0, or -errno: -ENOENT where there is no such table. */
int nfnl_list(struct nfnl *nfnl, const char *table, uint8_t family,
              void (*each)(void *user, const struct flow_tuple *key, const char *chain),
              void *user);

/* Asks for the conntrack entries of flows: which were found. Sets bits in the marks of those that
 * were; deletes them. Return 0 or -errno. */
int nfnl_entries_get(struct nfnl *nfnl, struct entry *entries, size_t count);
int nfnl_entries_mark(struct nfnl *nfnl, const struct entry *entries, size_t count, uint32_t bits);
int nfnl_entries_delete(struct nfnl *nfnl, const struct entry *entries, size_t count);

/* News of the ruleset. */
int nfnl_news_fd(const struct nfnl *nfnl);
/* The next one. 1, 0: no more, or -errno: -ENOBUFS where news were lost. */
int nfnl_news_next(struct nfnl *nfnl, const char *table, enum ruleset_news *ret,
                   char ret_program[static 16], uint32_t *ret_pid);

#endif
