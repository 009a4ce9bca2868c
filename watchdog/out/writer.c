/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop's thread takes no lock: a thread that has one may be kept from the processor for long.
 * So it alone appends, allocates and frees; the other one only goes along the list.
 */
#include "writer.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../util/clock.h"
#include "../util/thread.h"

/* So much that was written is given back at once, without waiting for the next entry. */
#define KEPT_BYTES ((size_t)256 * 1024)

/* For a thread that is slow to see that it is over. */
#define OVER_US UINT64_C(50000)

struct writer_entry {
    struct writer_entry *_Atomic next;
    size_t n_bytes;
    uint64_t n_records;
    char bytes[];
};

struct writer {
    struct writer_config config;
    pthread_t thread;
    sem_t queued;                      /* one for each entry, and one for the end */
    struct writer_entry *_Atomic sent; /* the last one that was; all after it wait */
    atomic_size_t n_entries, n_bytes;  /* that wait, and the one being sent */
    atomic_size_t wake_bytes;          /* wake the loop when so few wait; 0: need not be */
    atomic_uint_fast64_t lost;         /* records */
    atomic_uint_fast64_t taken_us;
    atomic_size_t at; /* so many bytes of the entry that is being sent are */
    atomic_bool over; /* nothing more is to be written */
    atomic_int error; /* why entries were lost, the latest; 0: none were */
    atomic_uint refs; /* the loop's, and the thread's: a thread that hangs outlives the loop */
    int room_fd;      /* an eventfd: room, or something to be looked at */
    /* the loop's thread only: */
    sd_event_source *room;
    struct writer_entry *first, *last; /* from the one that was sent and is not freed yet */
};

static struct writer_entry *entry_new(const struct buffer *bytes, uint64_t n_records)
{
    size_t n_bytes = bytes ? bytes->length : 0;
    struct writer_entry *entry = memory_check(malloc(sizeof(*entry) + n_bytes));

    atomic_init(&entry->next, NULL);
    entry->n_bytes = n_bytes;
    entry->n_records = n_records;
    if (n_bytes)
        memcpy(entry->bytes, buffer_bytes(bytes), n_bytes);
    return entry;
}

static void writer_unref(struct writer *writer)
{
    struct writer_entry *entry;

    if (atomic_fetch_sub(&writer->refs, 1) > 1)
        return;
    while ((entry = writer->first)) {
        writer->first = atomic_load(&entry->next);
        free(entry);
    }
    sem_destroy(&writer->queued);
    if (writer->room_fd >= 0)
        close(writer->room_fd);
    free(writer);
}

/* ---- the thread ---- */

static void wake(struct writer *writer)
{
    const uint64_t one = 1;

    (void)!write(writer->room_fd, &one, sizeof(one)); /* an eventfd takes it */
}

/* The records of an entry that are lost with all after the first `at` bytes: of lines, some were
 * whole before that. */
static uint64_t entry_rest(const struct writer_entry *entry, size_t at)
{
    uint64_t n = entry->n_records;

    for (size_t i = 0; i < at && n; i++)
        n -= entry->bytes[i] == '\n';
    return n;
}

static void entry_send(struct writer *writer, const struct writer_entry *entry)
{
    size_t at = 0;

    atomic_store(&writer->at, 0);
    while (at < entry->n_bytes && !atomic_load(&writer->over)) {
        ssize_t n = writer->config.send(writer->config.fd, entry->bytes + at, entry->n_bytes - at);

        if (n < 0) {
            atomic_fetch_add(&writer->lost, entry_rest(entry, at));
            if (atomic_exchange(&writer->error, (int)n) != (int)n)
                wake(writer);
            return;
        }
        at += (size_t)n;
        atomic_store(&writer->at, at);
        atomic_store(&writer->taken_us, clock_us(CLOCK_MONOTONIC));
    }
}

/* Half of both is free. */
static bool is_low(const struct writer *writer, size_t n_bytes)
{
    return atomic_load(&writer->n_bytes) <= n_bytes &&
           atomic_load(&writer->n_entries) <= writer->config.max_entries / 2;
}

static void entry_done(struct writer *writer, const struct writer_entry *entry)
{
    size_t wanted;

    atomic_fetch_sub(&writer->n_entries, 1);
    atomic_fetch_sub(&writer->n_bytes, entry->n_bytes);
    wanted = atomic_load(&writer->wake_bytes);
    if (wanted && is_low(writer, wanted) && atomic_exchange(&writer->wake_bytes, 0))
        wake(writer);
}

static void *writer_run(void *user)
{
    struct writer *writer = user;
    struct writer_entry *entry;

    for (;;) {
        while (sem_wait(&writer->queued))
            ; /* EINTR */
        entry = atomic_load_explicit(&atomic_load(&writer->sent)->next, memory_order_acquire);
        if (!entry)
            break; /* the end, and nothing is left */
        if (atomic_load(&writer->over))
            break;
        entry_send(writer, entry);
        if (atomic_load(&writer->over))
            break; /* what is left of it is counted with the rest */
        atomic_store_explicit(&writer->sent, entry, memory_order_release);
        entry_done(writer, entry);
    }
    writer_unref(writer);
    return NULL;
}

/* ---- the loop's side ---- */

/* Frees what was sent. */
static void writer_check(struct writer *writer)
{
    struct writer_entry *sent = atomic_load_explicit(&writer->sent, memory_order_acquire);

    while (writer->first != sent) {
        struct writer_entry *next = atomic_load(&writer->first->next);

        free(writer->first);
        writer->first = next;
    }
}

/* Edge-triggered: nothing need be read from it. */
static int on_room(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct writer *writer = user;

    writer_check(writer);
    writer->config.room(writer->config.user);
    return 0;
}

bool writer_has_room(struct writer *writer)
{
    if (atomic_load(&writer->n_entries) < writer->config.max_entries &&
        atomic_load(&writer->n_bytes) < writer->config.max_bytes)
        return true;
    atomic_store(&writer->wake_bytes, writer->config.max_bytes / 2);
    /* It may have been written meanwhile, and nothing would wake the loop any more. */
    return is_low(writer, writer->config.max_bytes / 2);
}

void writer_push(struct writer *writer, const struct buffer *bytes, uint64_t n_records)
{
    struct writer_entry *entry = entry_new(bytes, n_records);

    writer_check(writer);
    if (atomic_fetch_add(&writer->n_entries, 1) == 0)
        atomic_store(&writer->taken_us, clock_us(CLOCK_MONOTONIC));
    if (atomic_fetch_add(&writer->n_bytes, entry->n_bytes) > KEPT_BYTES)
        atomic_compare_exchange_strong(&writer->wake_bytes, &(size_t){0}, 1);
    atomic_store_explicit(&writer->last->next, entry, memory_order_release);
    writer->last = entry;
    sem_post(&writer->queued);
}

uint64_t writer_lost(struct writer *writer, int *ret_error)
{
    *ret_error = -atomic_load(&writer->error);
    return atomic_exchange(&writer->lost, 0);
}

uint64_t writer_taken_us(const struct writer *writer)
{
    return atomic_load(&writer->taken_us);
}

bool writer_wait(struct writer *writer, uint64_t until_us)
{
    struct pollfd room = {.fd = writer->room_fd, .events = POLLIN};
    uint64_t now_us, count;

    while (!writer_has_room(writer)) {
        now_us = clock_us(CLOCK_MONOTONIC);
        if (now_us >= until_us)
            return false;
        if (poll(&room, 1, (int)((until_us - now_us) / 1000) + 1) > 0)
            (void)!read(writer->room_fd, &count, sizeof(count)); /* never blocks */
        writer_check(writer);
    }
    return true;
}

uint64_t writer_stop(struct writer *writer, uint64_t until_us, bool *ret_stuck)
{
    const struct writer_entry *entry;
    uint64_t lost;

    sem_post(&writer->queued);
    *ret_stuck = thread_join_until(writer->thread, until_us, NULL) < 0;
    if (*ret_stuck) { /* it may only be slow, and go on while what is lost is counted */
        atomic_store(&writer->over, true);
        *ret_stuck = thread_join_until(writer->thread, add_u64(until_us, OVER_US), NULL) < 0;
    }
    if (*ret_stuck)
        pthread_detach(writer->thread);
    lost = atomic_load(&writer->lost);
    entry = atomic_load_explicit(&atomic_load(&writer->sent)->next, memory_order_acquire);
    for (size_t at = atomic_load(&writer->at); entry; at = 0) {
        lost += entry_rest(entry, at);
        entry = atomic_load_explicit(&entry->next, memory_order_acquire);
    }
    return lost;
}

/* ---- life ---- */

int writer_new(sd_event *loop, const struct writer_config *config, struct writer **ret_writer)
{
    struct writer *writer = memory_new(1, sizeof(*writer));
    int r;

    writer->config = *config;
    writer->first = writer->last = entry_new(NULL, 0);
    atomic_init(&writer->sent, writer->first);
    atomic_init(&writer->refs, 2);
    sem_init(&writer->queued, 0, 0);
    writer->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = writer->room_fd < 0 ? -errno
                            : sd_event_add_io(loop, &writer->room, writer->room_fd,
                                              EPOLLIN | EPOLLET, on_room, writer);
    if (r >= 0)
        r = sd_event_source_set_description(writer->room, "log-room");
    if (r >= 0)
        r = thread_start(&writer->thread, writer_run, writer);
    if (r < 0) {
        atomic_store(&writer->refs, 1);
        writer_free(writer);
        return r;
    }
    *ret_writer = writer;
    return 0;
}

struct writer *writer_free(struct writer *writer)
{
    if (!writer)
        return NULL;
    writer->room = sd_event_source_disable_unref(writer->room);
    writer_unref(writer);
    return NULL;
}
