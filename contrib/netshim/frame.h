/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory frames wait in: as many slots as the lanes may hold, reserved once; a page of
 * a slot costs memory only after it was written. No slot is ever allocated per frame.
 */
#pragma once

#include <linux/virtio_net.h>
#include <stdint.h>

/* The kernel takes the VLAN tag out of a frame it gives us; this is where it goes back. */
#define FRAME_TAG_BYTES 4

/* A tag, an Ethernet header and a super-frame of 64 KiB; larger ones are not read. */
#define FRAME_BYTES_MAX (FRAME_TAG_BYTES + 14 + 65536)

struct frame {
    struct virtio_net_hdr offload; /* checksum still to be made, segments still to be cut */
    uint16_t start;                /* FRAME_TAG_BYTES, or 0 if a tag was put back */
    uint32_t length;               /* from start */
    uint8_t bytes[FRAME_BYTES_MAX];
};

struct frame_pool;

int frame_pool_new(uint32_t count, struct frame_pool **ret_pool);
struct frame_pool *frame_pool_free(struct frame_pool *pool);

/* The caller keeps within `count` by the limits of its lanes; one more is a bug (assert). */
uint32_t frame_pool_take(struct frame_pool *pool);
void frame_pool_give(struct frame_pool *pool, uint32_t index);
struct frame *frame_pool_at(struct frame_pool *pool, uint32_t index);

/* Puts the tag the kernel took out back into the frame. The frame must be untagged so far. */
void frame_tag(struct frame *frame, uint16_t protocol, uint16_t tag);

/* What the frame takes on a wire once it is cut into segments, each with its own headers. */
uint32_t frame_wire_bytes(const struct frame *frame);
