/* SPDX-License-Identifier: Apache-2.0 */
/* See batch.h. */
#include "batch.h"

#include "wire.h"

#include <errno.h>
#include <stdlib.h>

#define MESSAGES   128u
#define SEGMENTS   64u    /* UDP_MAX_SEGMENTS of older kernels */
#define TRAIN_MOST 65000u /* less than what fits in an IP datagram of either family */
#define LOOK_BACK  8u     /* messages, for one to the same destination */

/* What each one uses stands together. */
struct parcel {
    struct endpoint to, from;
    uint32_t n_pieces, n_segments, size;
    uint32_t segment; /* of each but the last */
    union wire_address address;
    bool closed; /* its last one is shorter: nothing may follow */
    _Alignas(struct cmsghdr) uint8_t control[WIRE_CONTROL_SIZE];
    struct iovec pieces[SEGMENTS];
    char answer[RELAY_ANSWER_MAX];
};

struct batch {
    unsigned n;
    struct mmsghdr headers[MESSAGES];
    struct parcel parcels[MESSAGES];
};

struct batch *batch_new(void)
{
    return calloc(1, sizeof(struct batch));
}

struct batch *batch_free(struct batch *batch)
{
    free(batch);
    return NULL;
}

bool batch_has_room(const struct batch *batch)
{
    return batch->n < MESSAGES;
}

/* ---- gathering ---- */

/* The latest to that destination: what is behind it may join no other, or it would come earlier. */
static struct parcel *same_way(struct batch *batch, const struct relay_out *out)
{
    unsigned oldest = batch->n > LOOK_BACK ? batch->n - LOOK_BACK : 0;

    for (unsigned i = batch->n; i-- > oldest;)
        if (endpoint_equal(&batch->parcels[i].to, &out->to))
            return ip_equal(&batch->parcels[i].from, &out->from) ? &batch->parcels[i] : NULL;
    return NULL;
}

static bool join(struct parcel *parcel, const void *payload, size_t size, size_t segment)
{
    size_t n_segments = segment ? (size + segment - 1) / segment : 1;

    if (parcel->closed || !size || parcel->n_pieces == SEGMENTS ||
        parcel->n_segments + n_segments > SEGMENTS || parcel->size + size > TRAIN_MOST)
        return false;
    if (segment != parcel->segment && (n_segments > 1 || size > parcel->segment))
        return false;
    parcel->pieces[parcel->n_pieces++] = (struct iovec){(void *)payload, size};
    parcel->n_segments += (uint32_t)n_segments;
    parcel->size += (uint32_t)size;
    parcel->closed = size % parcel->segment != 0;
    return true;
}

void batch_add(struct batch *batch, const struct udp_socket *socket, const struct relay_out *out,
               const void *payload, size_t size, size_t segment)
{
    struct parcel *parcel;

    segment = segment && segment < size ? segment : size;
    if (out->action == RELAY_FORWARD && socket->gso) {
        parcel = same_way(batch, out);
        if (parcel && join(parcel, payload, size, segment))
            return;
    }
    parcel = &batch->parcels[batch->n++];
    parcel->to = out->to;
    parcel->from = out->from;
    if (out->action == RELAY_ANSWER) {
        size = segment = out->answer_size;
        memcpy(parcel->answer, out->answer, size);
        payload = parcel->answer;
    }
    parcel->pieces[0] = (struct iovec){(void *)payload, size};
    parcel->n_pieces = 1;
    parcel->n_segments = segment ? (uint32_t)((size + segment - 1) / segment) : 1;
    parcel->size = (uint32_t)size;
    parcel->segment = (uint32_t)segment;
    parcel->closed = out->action == RELAY_ANSWER || !segment || size % segment != 0;
}

/* ---- sending ---- */

static void header_fill(struct batch *batch, unsigned i, const struct udp_socket *socket)
{
    struct parcel *parcel = &batch->parcels[i];
    struct msghdr *header = &batch->headers[i].msg_hdr;

    *header =
        (struct msghdr){.msg_name = &parcel->address,
                        .msg_namelen = wire_address(socket->family, &parcel->to, &parcel->address),
                        .msg_iov = parcel->pieces,
                        .msg_iovlen = parcel->n_pieces};
    wire_send(header, parcel->control, socket->family, &parcel->from,
              parcel->n_segments > 1 ? (uint16_t)parcel->segment : 0);
}

/* The kernel does not cut it, since it or the device cannot, or a segment is larger than the path
 * takes in one piece: each one goes alone. */
static void send_alone(struct parcel *parcel, struct udp_socket *socket, int *flags,
                       struct batch_counts *counts)
{
    struct msghdr header = {.msg_name = &parcel->address,
                            .msg_namelen =
                                wire_address(socket->family, &parcel->to, &parcel->address)};
    struct iovec one;

    header.msg_iov = &one;
    header.msg_iovlen = 1;
    wire_send(&header, parcel->control, socket->family, &parcel->from, 0);
    for (uint32_t i = 0; i < parcel->n_pieces; i++) {
        const struct iovec *piece = &parcel->pieces[i];

        for (size_t at = 0; at < piece->iov_len; at += parcel->segment) {
            size_t left = piece->iov_len - at;

            one.iov_base = (uint8_t *)piece->iov_base + at;
            one.iov_len = left < parcel->segment ? left : parcel->segment;
            counts->calls++;
            if (sendmsg(socket->fd, &header, *flags) >= 0) {
                counts->datagrams++;
                continue;
            }
            counts->errors++;
            if (errno == EAGAIN)
                *flags = MSG_DONTWAIT;
        }
    }
}

static void sent(const struct parcel *parcel, struct batch_counts *counts)
{
    counts->datagrams += parcel->n_segments;
    counts->trains += parcel->n_segments > 1;
}

void batch_send(struct batch *batch, struct udp_socket *socket, struct batch_counts *counts)
{
    unsigned done = 0;
    int flags = 0;

    for (unsigned i = 0; i < batch->n; i++)
        header_fill(batch, i, socket);
    while (done < batch->n) {
        struct parcel *parcel = &batch->parcels[done];
        int n = sendmmsg(socket->fd, batch->headers + done, batch->n - done, flags);

        counts->calls++;
        if (n > 0) {
            for (int i = 0; i < n; i++)
                sent(parcel + i, counts);
            done += (unsigned)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN) /* the queue had its time to have room: the rest is not waited for */
            flags = MSG_DONTWAIT;
        /* Of the first of them. EIO: no device on the way can, now or later. */
        if (parcel->n_segments > 1 && (errno == EIO || errno == EINVAL || errno == EMSGSIZE)) {
            socket->gso = socket->gso && errno != EIO;
            send_alone(parcel, socket, &flags, counts);
        } else {
            counts->errors += parcel->n_segments;
        }
        done++;
    }
    batch->n = 0;
}
