/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash indices over the peer table: by connection id and by name. Open
 * addressing over peer indices; they hold no key of their own.
 */
#ifndef ENGINE_INDEX_H
#define ENGINE_INDEX_H

#include "state.h"

#define INDEX_NONE UINT32_MAX

uint64_t hash_conn(uint64_t conn);
uint64_t hash_name(const char *name);

/* Does this peer have the key? */
typedef bool (*index_match)(const struct peer *peer, const void *key);

/* The slot's peer index, or INDEX_NONE. */
uint32_t index_find(const struct engine *engine, const struct index *index, uint64_t hash,
                    index_match match, const void *key);

/* `hash_of` is asked for the others when the index has to grow. */
void index_add(const struct engine *engine, struct index *index, uint64_t hash, uint32_t peer,
               uint64_t (*hash_of)(const struct peer *peer));
void index_remove(struct index *index, uint64_t hash, uint32_t peer);
void index_clear(struct index *index);

#endif
