/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done with the list file and the cache, in a thread of its own: a file system may not
 * answer for as long as it likes, and the loop does not wait for it. One job at a time.
 */
#ifndef RELAY_FILE_JOB_H
#define RELAY_FILE_JOB_H

#include "cache.h"
#include "list-file.h"

/* What is to be done. Texts are the job's own. */
struct file_task {
    char *list;         /* the path; NULL: nothing is read */
    int inotify_fd;     /* the list's directory is watched before it is read; -1: it is not */
    char *cache;        /* the path; NULL: there is none */
    bool fall_back;     /* the cache is read where the list cannot be */
    struct buffer save; /* bytes for the cache; none: it is not written */
    enum relay_speaks otherwise;
};

/* What came of it. An error is 0 or -errno, with a sentence that names the file. */
struct file_result {
    int watch; /* the descriptor of the watch, or -errno */
    int list_error, cache_error, save_error;
    char *list_text, *cache_text, *save_text;
    struct list_file list; /* where `list_error` is 0 */
    struct cache cache;    /* read where the list was not: `cache_error` 0, `has_cache` */
    bool has_cache;
};

struct file_job;

/* Takes over what `task` owns, whatever comes of it. When it is done, `done_fd`, an eventfd, can be
 * read. Returns 0 or -errno. */
int file_job_start(struct file_task *task, int done_fd, struct file_job **ret_job);

/* Its result, once it is done, as long as the job; NULL: it is not. */
const struct file_result *file_job_result(struct file_job *job);

/* Was there something to be written? Then nothing was read. */
bool file_job_saves(const struct file_job *job);

/* One that is not done is left to itself: nothing of the caller's is touched by it any more. */
struct file_job *file_job_free(struct file_job *job);

#endif
