/* SPDX-License-Identifier: Apache-2.0 */
/* Any file as a cache of relays: what is taken is read the same from how it is written. */
#include "fuzz.h"

#include "relay/cache.h"

#include <errno.h>

#define NOW_S UINT64_C(1795969200)

static void check_same(const struct cache *cache)
{
    struct cache *again = malloc(sizeof(*again));
    char error[CACHE_ERROR_SIZE];
    struct buffer out = {0};

    MUST(again);
    cache_format(&out, &cache->list, NOW_S);
    MUST(cache_is_one(buffer_bytes(&out), out.length < 32 ? out.length : 32));
    MUST(out.length <= CACHE_MAX);
    MUST(!cache_parse(buffer_bytes(&out), out.length, NOW_S, RELAY_REG_ACK, again, error));
    MUST(again->list.count == cache->list.count && again->age_s == 0);
    for (size_t i = 0; i < again->list.count; i++) {
        const struct relay_entry *a = &again->list.entries[i], *b = &cache->list.entries[i];

        MUST(!strcmp(a->name, b->name) && a->speaks == b->speaks);
        MUST(!memcmp(&a->address, &b->address, sizeof(a->address)));
    }
    buffer_clear(&out);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cache *cache = malloc(sizeof(*cache));
    char *text = malloc(size ? size : 1), error[CACHE_ERROR_SIZE];
    int r;

    MUST(cache && text);
    memcpy(text, data, size);
    r = cache_parse(text, size, NOW_S, size % 2 ? RELAY_PILOT : RELAY_REG_ACK, cache, error);
    (void)cache_is_one(text, size < 32 ? size : 32);
    free(text);
    MUST(r == 0 || r == -ESTALE || r == -EBADMSG);
    MUST(!*error == !r && (!r || !cache->list.count));
    MUST(cache->list.count <= RELAY_LIST_MAX);
    if (!r)
        check_same(cache);
    free(cache);
    return 0;
}
