/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of frame slots and what is done to a frame's bytes. Must not do I/O.
 */
#include "frame.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAC_ADDRESSES_BYTES 12

struct frame_pool {
    struct frame *frames;
    uint32_t count;
    uint32_t free_count;
    /* Last in, first out: the slots in use stay few and warm. */
    uint32_t free_list[];
};

int frame_pool_new(uint32_t count, struct frame_pool **ret_pool)
{
    struct frame_pool *pool = malloc(sizeof(*pool) + count * sizeof(pool->free_list[0]));
    if (!pool)
        return -ENOMEM;

    pool->frames = mmap(NULL, count * sizeof(struct frame), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pool->frames == MAP_FAILED) {
        int error = errno;
        free(pool);
        return -error;
    }
    pool->count = count;
    pool->free_count = count;
    for (uint32_t i = 0; i < count; i++)
        pool->free_list[i] = count - 1 - i;
    *ret_pool = pool;
    return 0;
}

struct frame_pool *frame_pool_free(struct frame_pool *pool)
{
    if (pool)
        munmap(pool->frames, pool->count * sizeof(struct frame));
    free(pool);
    return NULL;
}

uint32_t frame_pool_take(struct frame_pool *pool)
{
    assert(pool->free_count > 0);
    return pool->free_list[--pool->free_count];
}

void frame_pool_give(struct frame_pool *pool, uint32_t index)
{
    assert(pool->free_count < pool->count);
    pool->free_list[pool->free_count++] = index;
}

struct frame *frame_pool_at(struct frame_pool *pool, uint32_t index)
{
    assert(index < pool->count);
    return &pool->frames[index];
}

void frame_tag(struct frame *frame, uint16_t protocol, uint16_t tag)
{
    uint8_t *bytes = frame->bytes;
    const uint8_t words[FRAME_TAG_BYTES] = {(uint8_t)(protocol >> 8), (uint8_t)protocol,
                                            (uint8_t)(tag >> 8), (uint8_t)tag};

    assert(frame->start == FRAME_TAG_BYTES);
    memmove(bytes, bytes + FRAME_TAG_BYTES, MAC_ADDRESSES_BYTES);
    memcpy(bytes + MAC_ADDRESSES_BYTES, words, sizeof(words));
    frame->start = 0;
    frame->length += FRAME_TAG_BYTES;
    if (frame->offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        frame->offload.csum_start += FRAME_TAG_BYTES;
    if (frame->offload.hdr_len)
        frame->offload.hdr_len += FRAME_TAG_BYTES;
}

uint32_t frame_wire_bytes(const struct frame *frame)
{
    const struct virtio_net_hdr *offload = &frame->offload;
    uint32_t headers = offload->hdr_len;

    if (offload->gso_type == VIRTIO_NET_HDR_GSO_NONE || offload->gso_size == 0 ||
        frame->length <= headers)
        return frame->length;

    uint32_t payload = frame->length - headers;
    uint32_t segments = (payload + offload->gso_size - 1) / offload->gso_size;
    return payload + segments * headers;
}
