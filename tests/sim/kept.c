/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine has learnt, as a copy. */
#include "kept.h"

#include "util/util.h"

static const char *copy_text(struct kept *kept, const char *text)
{
    if (!text)
        return NULL;
    kept->texts =
        array_reserve(kept->texts, &kept->texts_capacity, kept->n_texts + 1, sizeof(char *));
    return kept->texts[kept->n_texts++] = string_copy(text);
}

static void each_name(void *user, const struct learnt_name *name)
{
    struct kept *kept = user;

    kept->names = array_reserve(kept->names, &kept->names_capacity, kept->learnt.n_names + 1,
                                sizeof(*kept->names));
    kept->names[kept->learnt.n_names] = *name;
    kept->names[kept->learnt.n_names++].peer = copy_text(kept, name->peer);
}

static void each_peer(void *user, const struct learnt_peer *peer)
{
    struct learnt_saved *saved = memory_new(peer->n_saved, sizeof(*saved));
    struct kept *kept = user;
    struct learnt_peer *copy;

    kept->lists =
        array_reserve(kept->lists, &kept->lists_capacity, kept->n_lists + 1, sizeof(saved));
    kept->lists[kept->n_lists++] = saved;
    for (size_t i = 0; i < peer->n_saved; i++)
        saved[i] = (struct learnt_saved){copy_text(kept, peer->saved[i].trigger),
                                         copy_text(kept, peer->saved[i].text)};
    kept->peers = array_reserve(kept->peers, &kept->peers_capacity, kept->learnt.n_peers + 1,
                                sizeof(*kept->peers));
    copy = &kept->peers[kept->learnt.n_peers++];
    *copy = *peer;
    copy->peer = copy_text(kept, peer->peer);
    copy->saved = saved;
}

void kept_take(struct kept *ret_kept, const struct engine *engine, size_t slice)
{
    struct learnt_walk walk = {0};

    *ret_kept = (struct kept){.learnt = engine_learnt(engine)};
    ret_kept->learnt.node_boot = copy_text(ret_kept, ret_kept->learnt.node_boot);
    engine_learnt_names(engine, each_name, ret_kept);
    while (engine_learnt_peers(engine, &walk, slice, each_peer, ret_kept))
        ;
    ret_kept->learnt.names = ret_kept->names;
    ret_kept->learnt.peers = ret_kept->peers;
}

void kept_free(struct kept *kept)
{
    for (size_t i = 0; i < kept->n_texts; i++)
        free(kept->texts[i]);
    for (size_t i = 0; i < kept->n_lists; i++)
        free(kept->lists[i]);
    free(kept->texts);
    free(kept->lists);
    free(kept->names);
    free(kept->peers);
    *kept = (struct kept){0};
}

const struct learnt_peer *kept_peer(const struct kept *kept, uint64_t conn)
{
    for (size_t i = 0; i < kept->learnt.n_peers; i++)
        if (kept->peers[i].conn == conn)
            return &kept->peers[i];
    return NULL;
}

const struct learnt_name *kept_name(const struct kept *kept, const char *name)
{
    for (size_t i = 0; i < kept->learnt.n_names; i++)
        if (!strcmp(kept->names[i].peer, name))
            return &kept->names[i];
    return NULL;
}
