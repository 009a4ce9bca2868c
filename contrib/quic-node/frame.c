/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes for the one stream of a connection, in frames: type, 16-bit length, body. They are
 * kept until they are acknowledged. What is in a frame, stream.c and traffic.c know.
 */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void put_u64(uint8_t *data, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        data[i] = (uint8_t)value;
}

uint64_t get_u64(const uint8_t *data)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | data[i];
    return value;
}

static int out_append(struct conn *c, const uint8_t *data, size_t len)
{
    while (len > 0) {
        struct chunk *last = c->out_tail;
        size_t room = last ? sizeof(last->data) - last->len : 0;

        if (room == 0) {
            struct chunk *fresh = malloc(sizeof(*fresh));

            if (!fresh)
                return -ENOMEM;
            fresh->next = NULL;
            fresh->len = 0;
            if (last)
                last->next = fresh;
            else
                c->out_head = c->out_next = fresh;
            c->out_tail = fresh;
            continue;
        }
        if (room > len)
            room = len;
        memcpy(last->data + last->len, data, room);
        last->len += room;
        c->out_unsent_bytes += room;
        data += room;
        len -= room;
    }
    return 0;
}

int frame_append(struct conn *c, uint8_t type, const uint8_t *body, size_t len)
{
    uint8_t header[FRAME_HEADER_BYTES] = {type, (uint8_t)(len >> 8), (uint8_t)len};

    c->dirty = true;
    if (len > FRAME_BODY_MAX || out_append(c, header, sizeof(header)) < 0 ||
        (len > 0 && out_append(c, body, len) < 0)) {
        c->failed = true; /* half a frame is no stream */
        return -ENOMEM;
    }
    return 0;
}

/* A chunk may go when it is full and all of it was acknowledged. */
void frames_acked(struct conn *c, uint64_t upto)
{
    if (upto > c->out_acked)
        c->out_acked = upto;
    while (c->out_head && c->out_head != c->out_next && c->out_head != c->out_tail &&
           c->out_head_start + c->out_head->len <= c->out_acked) {
        struct chunk *gone = c->out_head;

        c->out_head_start += gone->len;
        c->out_head = gone->next;
        free(gone);
    }
}

void frames_free(struct conn *c)
{
    while (c->out_head) {
        struct chunk *gone = c->out_head;

        c->out_head = gone->next;
        free(gone);
    }
    c->out_tail = c->out_next = NULL;
}

/*
 * 0.12 has no call for a PING. Its keep-alive can be made to send one, but that PING starts
 * no PTO and is never sent again: lost once, the connection would look dead. Three bytes on
 * the stream do what a PING should.
 */
void frame_probe(struct conn *c)
{
    if (c->hello_sent && c->out_unsent_bytes == 0 && frame_append(c, 'P', NULL, 0) == 0)
        c->out_probe_bytes = FRAME_HEADER_BYTES;
}
