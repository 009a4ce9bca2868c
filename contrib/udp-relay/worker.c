/* SPDX-License-Identifier: Apache-2.0 */
/* See worker.h, and server.h for the lock. */
#include "worker.h"

#include "batch.h"
#include "own.h"
#include "util/thread.h"
#include "wire.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MESSAGES 64u
/* A datagram or train of the largest size; and a bit, so that the beginnings of all do not want the
 * same lines of the cache. Pages that nothing comes to are not taken from the machine. */
#define PLACE_SIZE (65536u + 2112u)

struct place {
    union wire_address address;
    struct iovec iov;
    struct endpoint from;
    struct wire_received received;
    bool nothing; /* it is not looked at */
    _Alignas(struct cmsghdr) uint8_t control[WIRE_CONTROL_SIZE];
};

struct worker {
    struct udp_socket socket;
    struct relay *relay;
    pthread_mutex_t *lock;
    pthread_t thread;
    bool started;
    atomic_bool stopped;
    struct batch *batch;
    uint8_t *payloads; /* MESSAGES times PLACE_SIZE */
    struct mmsghdr headers[MESSAGES];
    struct place places[MESSAGES];
    struct own own;
    /* Written by the thread only. */
    _Atomic uint64_t received_datagrams, received_calls, trains_received;
    _Atomic uint64_t sent_datagrams, sent_calls, send_errors, trains_sent;
};

struct worker *worker_new(const struct udp_socket *socket, struct relay *relay,
                          pthread_mutex_t *lock)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    struct endpoint bound;

    if (!worker)
        return NULL;
    worker->socket = *socket;
    worker->relay = relay;
    worker->lock = lock;
    socket_address(socket, &bound);
    own_init(&worker->own, &bound);
    worker->batch = batch_new();
    worker->payloads = mmap(NULL, (size_t)MESSAGES * PLACE_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (worker->payloads == MAP_FAILED)
        worker->payloads = NULL;
    if (!worker->batch || !worker->payloads)
        return worker_free(worker);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct place *place = &worker->places[i];

        place->iov = (struct iovec){worker->payloads + (size_t)i * PLACE_SIZE, 65536};
        worker->headers[i].msg_hdr = (struct msghdr){.msg_name = &place->address,
                                                     .msg_iov = &place->iov,
                                                     .msg_iovlen = 1,
                                                     .msg_control = place->control};
    }
    return worker;
}

/* ---- the thread ---- */

static void count_add(_Atomic uint64_t *count, uint64_t by)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

static void flush(struct worker *worker)
{
    struct batch_counts counts = {0};

    batch_send(worker->batch, &worker->socket, &counts);
    count_add(&worker->sent_datagrams, counts.datagrams);
    count_add(&worker->sent_calls, counts.calls);
    count_add(&worker->send_errors, counts.errors);
    count_add(&worker->trains_sent, counts.trains);
}

/* To one of ours alone? Answers cannot leave from an address of many. */
static bool is_unicast(const struct endpoint *to)
{
    bool v4 = endpoint_is_ipv4(to);

    return v4 ? to->ip[12] < 224 : to->ip[0] != 0xff;
}

/* What came in one message, before anybody else has to wait for us. */
static void unpack(struct worker *worker, unsigned i)
{
    const struct mmsghdr *header = &worker->headers[i];
    struct place *place = &worker->places[i];
    size_t n = 1;

    wire_received(&header->msg_hdr, &place->received);
    wire_endpoint(&place->address, &place->from);
    if (place->received.segment && place->received.segment < header->msg_len) {
        n = (header->msg_len + place->received.segment - 1) / place->received.segment;
        count_add(&worker->trains_received, 1);
    }
    count_add(&worker->received_datagrams, n);
    place->nothing = !place->from.port || !is_unicast(&place->received.to);
    if (place->from.port == worker->own.bound.port && !place->nothing)
        place->nothing = own_is(&worker->own, &place->from, server_now_us());
}

/* The lock is held, and is given up while a full batch is sent. */
static void handle(struct worker *worker, unsigned i, uint64_t now_us, struct relay_out *out)
{
    const struct place *place = &worker->places[i];
    const uint8_t *payload = place->iov.iov_base;
    size_t left = worker->headers[i].msg_len, done;

    if (place->nothing)
        return;
    do {
        if (!batch_has_room(worker->batch)) {
            pthread_mutex_unlock(worker->lock);
            flush(worker);
            pthread_mutex_lock(worker->lock);
        }
        done = relay_receive(worker->relay, now_us, &place->from, &place->received.to, payload,
                             left, place->received.segment, out);
        if (out->action != RELAY_DROP)
            batch_add(worker->batch, &worker->socket, out, payload, done, place->received.segment);
        payload += done;
        left -= done;
    } while (left);
}

static void *run(void *user)
{
    struct worker *worker = user;
    struct relay_out out;
    uint64_t now_us;

    while (!atomic_load_explicit(&worker->stopped, memory_order_relaxed)) {
        int n;

        for (unsigned i = 0; i < MESSAGES; i++) {
            worker->headers[i].msg_hdr.msg_namelen = sizeof(worker->places[i].address);
            worker->headers[i].msg_hdr.msg_controllen = WIRE_CONTROL_SIZE;
        }
        n = recvmmsg(worker->socket.fd, worker->headers, MESSAGES, MSG_WAITFORONE, NULL);
        if (n <= 0) { /* nothing for a while; or the machine is short of something */
            if (errno != EAGAIN && errno != EINTR)
                nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
            continue;
        }
        count_add(&worker->received_calls, 1);
        for (int i = 0; i < n; i++)
            unpack(worker, (unsigned)i);
        pthread_mutex_lock(worker->lock);
        now_us = server_now_us();
        for (int i = 0; i < n; i++)
            handle(worker, (unsigned)i, now_us, &out);
        pthread_mutex_unlock(worker->lock);
        flush(worker);
    }
    return NULL;
}

int worker_start(struct worker *worker)
{
    int r = thread_start(&worker->thread, run, worker);

    worker->started = r == 0;
    return r;
}

void worker_stop(struct worker *worker)
{
    atomic_store_explicit(&worker->stopped, true, memory_order_relaxed);
}

struct worker *worker_free(struct worker *worker)
{
    if (!worker)
        return NULL;
    worker_stop(worker);
    if (worker->started)
        pthread_join(worker->thread, NULL);
    batch_free(worker->batch);
    if (worker->payloads)
        munmap(worker->payloads, (size_t)MESSAGES * PLACE_SIZE);
    free(worker);
    return NULL;
}

void worker_counts(const struct worker *worker, struct server_counts *ret)
{
    ret->received_datagrams += worker->received_datagrams;
    ret->received_calls += worker->received_calls;
    ret->trains_received += worker->trains_received;
    ret->receive_dropped += socket_dropped(&worker->socket);
    ret->sent_datagrams += worker->sent_datagrams;
    ret->sent_calls += worker->sent_calls;
    ret->send_errors += worker->send_errors;
    ret->trains_sent += worker->trains_sent;
}
