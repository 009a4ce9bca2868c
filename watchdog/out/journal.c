/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue in front of journald and the thread behind it. The lock is held
 * for moments only, never over a send.
 */
#include "journal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "format.h"

struct journal_entry {
    struct journal_entry *next;
    size_t n_bytes;
    uint64_t said; /* of records dropped before, that it tells of */
    char bytes[];
};

struct journal {
    struct journal_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* an entry came, or was sent, or the end */
    struct journal_entry *first, **last;
    size_t n_entries, n_bytes; /* queued, and the one being sent */
    uint64_t n_said;           /* the sum of what these tell of */
    uint64_t n_failed;         /* that journald refused, with what they would have told of */
    bool stopping, stopped, stuck;
    bool waiting;       /* the thread, for an entry */
    unsigned refs;      /* the loop's, and the thread's: a thread that hangs outlives the loop */
    uint64_t n_dropped; /* only the loop's thread */
};

static void journal_send(struct journal *journal, const struct journal_entry *entry)
{
    struct iovec fields[JOURNAL_FIELDS_MAX];
    size_t n = journal_split(entry->bytes, entry->n_bytes, fields, ARRAY_SIZE(fields));
    int r = journal->config.send(fields, (int)n);

    if (r < 0) {
        pthread_mutex_lock(&journal->lock);
        journal->n_failed += 1 + entry->said;
        pthread_mutex_unlock(&journal->lock);
    }
}

static void journal_unref(struct journal *journal)
{
    struct journal_entry *entry;
    bool last;

    pthread_mutex_lock(&journal->lock);
    last = --journal->refs == 0;
    pthread_mutex_unlock(&journal->lock);
    if (!last)
        return;
    while ((entry = journal->first)) {
        journal->first = entry->next;
        free(entry);
    }
    pthread_cond_destroy(&journal->changed);
    pthread_mutex_destroy(&journal->lock);
    free(journal);
}

static void *journal_run(void *user)
{
    struct journal *journal = user;

    pthread_mutex_lock(&journal->lock);
    for (;;) {
        struct journal_entry *entry = journal->first;

        if (!entry) {
            if (journal->stopping)
                break;
            journal->waiting = true;
            pthread_cond_wait(&journal->changed, &journal->lock);
            journal->waiting = false;
            continue;
        }
        journal->first = entry->next;
        if (!journal->first)
            journal->last = &journal->first;
        pthread_mutex_unlock(&journal->lock);
        journal_send(journal, entry);
        pthread_mutex_lock(&journal->lock);
        journal->n_entries--;
        journal->n_bytes -= entry->n_bytes;
        journal->n_said -= entry->said;
        pthread_mutex_unlock(&journal->lock);
        free(entry);
        pthread_mutex_lock(&journal->lock);
    }
    journal->stopped = true;
    pthread_cond_broadcast(&journal->changed);
    pthread_mutex_unlock(&journal->lock);
    journal_unref(journal);
    return NULL;
}

int journal_new(const struct journal_config *config, struct journal **ret_journal)
{
    struct journal *journal = memory_new(1, sizeof(*journal));
    pthread_condattr_t attributes;
    sigset_t all, before;
    int r;

    journal->config = *config;
    journal->last = &journal->first;
    journal->refs = 2;
    pthread_mutex_init(&journal->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&journal->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    /* Signals are the loop's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&journal->thread, NULL, journal_run, journal);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r) {
        pthread_cond_destroy(&journal->changed);
        pthread_mutex_destroy(&journal->lock);
        free(journal);
        return -r;
    }
    *ret_journal = journal;
    return 0;
}

/* With the lock held. */
static bool journal_fits(const struct journal *journal, size_t n_bytes)
{
    return journal->n_entries < journal->config.max_entries &&
           journal->n_bytes + n_bytes <= journal->config.max_bytes;
}

/* With the lock held. */
static void journal_take_failed(struct journal *journal)
{
    journal->n_dropped += journal->n_failed;
    journal->n_failed = 0;
}

bool journal_has_room(struct journal *journal, uint64_t *ret_dropped)
{
    bool room;

    pthread_mutex_lock(&journal->lock);
    journal_take_failed(journal);
    room = journal_fits(journal, 0);
    pthread_mutex_unlock(&journal->lock);
    *ret_dropped = journal->n_dropped;
    return room;
}

void journal_drop(struct journal *journal)
{
    journal->n_dropped++;
}

void journal_push(struct journal *journal, const struct buffer *entry, uint64_t said)
{
    struct journal_entry *copy = memory_check(malloc(sizeof(*copy) + entry->length));
    bool fits, wake = false;

    copy->next = NULL;
    copy->n_bytes = entry->length;
    copy->said = said;
    memcpy(copy->bytes, buffer_bytes(entry), entry->length);

    pthread_mutex_lock(&journal->lock);
    fits = journal_fits(journal, copy->n_bytes);
    journal_take_failed(journal);
    if (fits) {
        *journal->last = copy;
        journal->last = &copy->next;
        journal->n_entries++;
        journal->n_bytes += copy->n_bytes;
        journal->n_said += said;
        wake = journal->waiting;
        journal->waiting = false; /* once is enough */
    }
    pthread_mutex_unlock(&journal->lock);
    /* Not with the lock held: who is woken wants it. */
    if (wake)
        pthread_cond_signal(&journal->changed);
    if (!fits) {
        journal->n_dropped++;
        free(copy);
    } else {
        journal->n_dropped -= said;
    }
}

uint64_t journal_stop(struct journal *journal, uint64_t timeout_us)
{
    struct timespec until;
    uint64_t lost;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_us / 1000000);
    until.tv_nsec += (long)(timeout_us % 1000000 * 1000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&journal->lock);
    journal->stopping = true;
    pthread_cond_broadcast(&journal->changed);
    while (!journal->stopped && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&journal->changed, &journal->lock, &until);
    journal->stuck = !journal->stopped;
    lost = journal->n_dropped + journal->n_failed + journal->n_entries + journal->n_said;
    pthread_mutex_unlock(&journal->lock);
    if (journal->stuck)
        pthread_detach(journal->thread);
    else
        pthread_join(journal->thread, NULL);
    return lost;
}

struct journal *journal_free(struct journal *journal)
{
    if (journal)
        journal_unref(journal);
    return NULL;
}
