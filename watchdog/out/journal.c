/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue in front of journald and the thread behind it. The loop's thread takes no
 * lock: a thread that has one may be kept from the processor for long. So it alone
 * appends, allocates and frees; the other one only goes along the list.
 */
#include "journal.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "../util/thread.h"
#include "format.h"

struct journal_entry {
    struct journal_entry *_Atomic next;
    size_t n_bytes;
    uint64_t said; /* of records dropped before, that it tells of */
    char bytes[];
};

struct journal {
    struct journal_config config;
    pthread_t thread;
    sem_t queued; /* one for each entry, and one for the end */
    sem_t ended;
    struct journal_entry *_Atomic sent; /* the last one that was; all after it wait */
    atomic_uint_fast64_t n_failed; /* that journald refused, with what they would have told of */
    atomic_uint refs; /* the loop's, and the thread's: a thread that hangs outlives the loop */
    /* the loop's thread only: */
    struct journal_entry *first, *last; /* from the one that was sent and is not freed yet */
    size_t n_entries, n_bytes;          /* queued, and the one being sent */
    uint64_t n_said;                    /* the sum of what these tell of */
    uint64_t n_dropped;
};

static struct journal_entry *entry_new(const struct buffer *bytes, uint64_t said)
{
    size_t n_bytes = bytes ? bytes->length : 0;
    struct journal_entry *entry = memory_check(malloc(sizeof(*entry) + n_bytes));

    atomic_init(&entry->next, NULL);
    entry->n_bytes = n_bytes;
    entry->said = said;
    if (n_bytes)
        memcpy(entry->bytes, buffer_bytes(bytes), n_bytes);
    return entry;
}

static void journal_send(struct journal *journal, const struct journal_entry *entry)
{
    struct iovec fields[JOURNAL_FIELDS_MAX];
    size_t n = journal_split(entry->bytes, entry->n_bytes, fields, ARRAY_SIZE(fields));
    int r = journal->config.send(fields, (int)n);

    if (r < 0)
        atomic_fetch_add(&journal->n_failed, 1 + entry->said);
}

static void journal_unref(struct journal *journal)
{
    struct journal_entry *entry;

    if (atomic_fetch_sub(&journal->refs, 1) > 1)
        return;
    while ((entry = journal->first)) {
        journal->first = atomic_load(&entry->next);
        free(entry);
    }
    sem_destroy(&journal->queued);
    sem_destroy(&journal->ended);
    free(journal);
}

static void *journal_run(void *user)
{
    struct journal *journal = user;
    struct journal_entry *entry;

    for (;;) {
        while (sem_wait(&journal->queued))
            ; /* EINTR */
        entry = atomic_load_explicit(&atomic_load(&journal->sent)->next, memory_order_acquire);
        if (!entry)
            break; /* the end, and nothing is left */
        journal_send(journal, entry);
        atomic_store_explicit(&journal->sent, entry, memory_order_release);
    }
    sem_post(&journal->ended);
    journal_unref(journal);
    return NULL;
}

int journal_new(const struct journal_config *config, struct journal **ret_journal)
{
    struct journal *journal = memory_new(1, sizeof(*journal));
    int r;

    journal->config = *config;
    journal->first = journal->last = entry_new(NULL, 0);
    atomic_init(&journal->sent, journal->first);
    atomic_init(&journal->refs, 2);
    sem_init(&journal->queued, 0, 0);
    sem_init(&journal->ended, 0, 0);
    r = thread_start(&journal->thread, journal_run, journal);
    if (r < 0) {
        atomic_store(&journal->refs, 1);
        journal_unref(journal);
        return r;
    }
    *ret_journal = journal;
    return 0;
}

/* Frees what was sent, and takes over what was refused. */
static void journal_look(struct journal *journal)
{
    struct journal_entry *sent = atomic_load_explicit(&journal->sent, memory_order_acquire);

    while (journal->first != sent) {
        struct journal_entry *next = atomic_load(&journal->first->next);

        free(journal->first);
        journal->first = next;
        journal->n_entries--;
        journal->n_bytes -= next->n_bytes;
        journal->n_said -= next->said;
    }
    journal->n_dropped += atomic_exchange(&journal->n_failed, 0);
}

static bool journal_fits(const struct journal *journal, size_t n_bytes)
{
    return journal->n_entries < journal->config.max_entries &&
           journal->n_bytes + n_bytes <= journal->config.max_bytes;
}

bool journal_has_room(struct journal *journal, uint64_t *ret_dropped)
{
    journal_look(journal);
    *ret_dropped = journal->n_dropped;
    return journal_fits(journal, 0);
}

void journal_drop(struct journal *journal)
{
    journal->n_dropped++;
}

void journal_push(struct journal *journal, const struct buffer *bytes, uint64_t said)
{
    struct journal_entry *entry;

    journal_look(journal);
    if (!journal_fits(journal, bytes->length)) {
        journal_drop(journal);
        return;
    }
    entry = entry_new(bytes, said);
    journal->n_entries++;
    journal->n_bytes += entry->n_bytes;
    journal->n_said += said;
    journal->n_dropped -= said;
    atomic_store_explicit(&journal->last->next, entry, memory_order_release);
    journal->last = entry;
    sem_post(&journal->queued);
}

uint64_t journal_stop(struct journal *journal, uint64_t timeout_us)
{
    struct timespec until;
    int r;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_us / 1000000);
    until.tv_nsec += (long)(timeout_us % 1000000 * 1000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    sem_post(&journal->queued);
    do {
        r = sem_clockwait(&journal->ended, CLOCK_MONOTONIC, &until);
    } while (r < 0 && errno == EINTR);
    journal_look(journal);
    if (r < 0)
        pthread_detach(journal->thread);
    else
        pthread_join(journal->thread, NULL);
    return journal->n_dropped + journal->n_entries + journal->n_said;
}

struct journal *journal_free(struct journal *journal)
{
    if (journal)
        journal_unref(journal);
    return NULL;
}
