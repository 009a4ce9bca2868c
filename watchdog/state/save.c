/* SPDX-License-Identifier: Apache-2.0 */
/* One save, in a thread. */
#include "save.h"

#include <errno.h>
#include <unistd.h>

#include "../util/disk.h"
#include "../util/hash.h"
#include "../util/thread.h"
#include "file.h"

struct save {
    char *directory;
    struct lock *lock;
    struct buffer bytes;
    uint64_t saved_digest;
    int done_fd;
    pthread_t thread;
    struct save_result result; /* the thread's until it is joined */
};

/* Over words; equal bytes need not be written twice. */
static uint64_t digest_bytes(const char *bytes, size_t length)
{
    uint64_t digest = HASH_START ^ length, word;

    for (; length >= sizeof(word); bytes += sizeof(word), length -= sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        digest = hash_step(digest, word);
        digest ^= digest >> 29;
    }
    digest = hash_bytes(digest, bytes, length);
    return digest ? digest : 1;
}

struct file_job {
    const char *directory;
    const struct buffer *bytes;
    const char *step;
};

static int file_call(void *user)
{
    struct file_job *job = user;

    return file_save(job->directory, STATE_FILE, buffer_bytes(job->bytes), job->bytes->length,
                     &job->step);
}

struct save_result save_now(const char *directory, struct lock *lock, const struct buffer *bytes)
{
    struct save_result result = {.digest = digest_bytes(buffer_bytes(bytes), bytes->length),
                                 .step = "lock the directory"};
    struct file_job job = {.directory = directory, .bytes = bytes};
    CLEANUP_FREE char *why = NULL; /* was said at the start, or is what the errno says */

    result.error = lock_take(lock, directory, &why);
    if (result.error)
        return result;
    result.error = disk_call(file_call, &job, -1);
    result.step = job.step;
    return result;
}

static void *save_run(void *user)
{
    struct save *save = user;
    uint64_t digest = digest_bytes(buffer_bytes(&save->bytes), save->bytes.length);
    const uint64_t one = 1;

    if (digest == save->saved_digest)
        save->result = (struct save_result){.digest = digest};
    else
        save->result = save_now(save->directory, save->lock, &save->bytes);
    buffer_clear(&save->bytes);                     /* many pages: not in the loop's time */
    (void)!write(save->done_fd, &one, sizeof(one)); /* a new eventfd takes it */
    return NULL;
}

int save_start(const char *directory, struct lock *lock, struct buffer *bytes,
               uint64_t saved_digest, int done_fd, struct save **ret_save)
{
    struct save *save = memory_new(1, sizeof(*save));
    int r;

    *save = (struct save){
        .directory = string_copy(directory),
        .lock = lock,
        .bytes = *bytes,
        .saved_digest = saved_digest,
        .done_fd = done_fd,
    };
    r = thread_start(&save->thread, save_run, save);
    if (r < 0) {
        free(save->directory);
        free(save);
        return r;
    }
    *bytes = (struct buffer){0};
    *ret_save = save;
    return 0;
}

int save_finish(struct save *save, uint64_t until_us, struct save_result *ret_result)
{
    int r = thread_join_until(save->thread, until_us, NULL);

    if (r < 0) {
        pthread_detach(save->thread);
        return r; /* all of it is still the thread's */
    }
    *ret_result = save->result;
    free(save->directory);
    free(save);
    return 0;
}
