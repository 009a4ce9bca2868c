/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle → (something may have changed) waiting → walking, a slice at a time → saving
 * in a thread → idle. What changes meanwhile begins it again.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../util/exit-status.h"
#include "../util/format.h"
#include "../util/ready.h"
#include "file.h"
#include "save.h"
#include "text.h"

#define GATHER_US   UINT64_C(250000)  /* changes rarely come alone */
#define INTERVAL_US UINT64_C(1000000) /* between the beginnings of two saves */
#define RETRY_US    UINT64_C(10000000)
#define ACCURACY_US UINT64_C(100000)
#define COST_FACTOR 10u /* of the time, at most one part in so many goes into it */

/* Connections between two looks at the descriptors: some tenths of a millisecond. */
#define SLICE 256u

/* Of a connection in the file, with what route saves; more is found room for. */
#define PLACE_BYTES 192u

enum keeper_state {
    KEEPER_IDLE,
    KEEPER_WAITING,
    KEEPER_WALKING,
    KEEPER_SAVING,
};

struct keeper {
    struct keeper_config config;
    char *directory, *path, *kernel_boot;
    const struct engine *engine;
    sd_event_source *timer, *walk_source, *done_source;
    int done_fd;
    enum keeper_state state;
    bool dirty; /* since the present walk began */
    uint64_t began_us;
    uint64_t not_before_us;
    uint64_t saved_digest; /* of what is in the file; 0: not known */
    int error;             /* of the last save, as it was noticed */
    struct arena arena;    /* of what was loaded */
    /* a walk */
    struct learnt_walk walk;
    struct buffer bytes;
    const char *separator;
    struct save *save;
    bool last; /* `bytes` are to be saved when this save has ended, and nothing after that */
};

__attribute__((format(printf, 4, 5))) static void notify(struct keeper *keeper, enum pd_level level,
                                                         const char *what, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) >= 0)
        keeper->config.notice(keeper->config.user, level, what, text);
    va_end(arguments);
    free(text);
}

/* ---- reading ---- */

/* Which boot of the machine this is. Without it what was learnt is not used, so what may pass
 * by itself is an error; a sandbox that hides it does not pass. */
static int read_kernel_boot(struct keeper *keeper, char **ret_error)
{
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    char text[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC), r;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    r = n < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (r < 0 && !error_is_operators(r))
        return error_set(ret_error, r, "%s cannot be read: %s", path, strerror(-r));
    if (n <= 0)
        notify(keeper, PD_LEVEL_WARNING, "no-boot-id",
               "%s cannot be read: the next run cannot use the learnt state", path);
    text[strcspn(text, "\n")] = '\0';
    keeper->kernel_boot = string_copy(text);
    return 0;
}

static bool take_state(struct keeper *keeper, const struct state *state, struct event *ret_event)
{
    const struct learnt *learnt = &state->learnt;

    if (!state->clean)
        notify(keeper, PD_LEVEL_WARNING, "unclean-stop",
               "the previous run ended uncleanly: the requests that it had open are not known, and "
               "are not sent again");
    if (!learnt->n_names && !learnt->n_peers && !learnt->all_held)
        return false;
    if (!*keeper->kernel_boot || strcmp(keeper->kernel_boot, state->kernel_boot) != 0) {
        notify(
            keeper, PD_LEVEL_NOTICE, "state-not-used",
            "%s is of another boot of this machine: its entries of %zu connections and %zu names "
            "are not used",
            keeper->path, learnt->n_peers, learnt->n_names);
        return false;
    }
    *ret_event = (struct event){.type = EVENT_RESTORE, .restore = *learnt};
    return true;
}

/* What is not of ours, or not any more, is replaced; but it is kept, for a hold may be in it. */
static int set_aside(struct keeper *keeper, const char *why, char **ret_error)
{
    int r = file_set_aside(keeper->directory, STATE_FILE, STATE_FILE_ASIDE);

    if (r < 0)
        return error_set(ret_error, r, "%s is malformed (%s), and cannot be kept as %s/%s: %s",
                         keeper->path, why, keeper->directory, STATE_FILE_ASIDE, strerror(-r));
    notify(keeper, PD_LEVEL_WARNING, "state-spoiled",
           "%s is malformed: %s; it is kept as %s/%s, and pathdog starts without the learnt state: "
           "set "
           "holds again",
           keeper->path, why, keeper->directory, STATE_FILE_ASIDE);
    return 0;
}

int keeper_load(struct keeper *keeper, struct event *ret_event, char **ret_error)
{
    CLEANUP_FREE char *bytes = NULL;
    size_t length = 0;
    struct state state;
    char error[200];
    int r = keeper->kernel_boot ? 0 : read_kernel_boot(keeper, ret_error);

    if (r < 0)
        return r;
    r = file_load(keeper->directory, STATE_FILE, &bytes, &length);
    if (r == -ENOENT || r == -ENOTDIR)
        return 0; /* the first run */
    if (r == -EBADMSG || r == -EFBIG)
        return set_aside(keeper, r == -EFBIG ? "too large" : "not a regular file", ret_error);
    if (r < 0)
        return error_set(ret_error, r,
                         "%s cannot be read: %s. pathdog does not start without the holds that may "
                         "be in it: make it readable, or remove it to start without them",
                         keeper->path, strerror(-r));
    if (state_decode(bytes, length, &keeper->arena, &state, error, sizeof(error)) < 0)
        return set_aside(keeper, error, ret_error);
    return take_state(keeper, &state, ret_event);
}

/* ---- one walk ---- */

static void each_name(void *user, const struct learnt_name *name)
{
    struct keeper *keeper = user;

    learnt_encode_name(&keeper->bytes, name, keeper->separator);
    keeper->separator = ",\n";
}

static void each_peer(void *user, const struct learnt_peer *peer)
{
    struct keeper *keeper = user;

    learnt_encode_peer(&keeper->bytes, peer, keeper->separator);
    keeper->separator = ",\n";
}

static void walk_begin(struct keeper *keeper, bool clean)
{
    const struct state state = {
        .clean = clean,
        .kernel_boot = keeper->kernel_boot,
        .learnt = engine_learnt(keeper->engine),
    };

    keeper->dirty = false;
    buffer_clear(&keeper->bytes);
    /* Room for all, so that a slice does not copy what the others have written. */
    buffer_grow(&keeper->bytes, PLACE_BYTES * ((size_t)engine_counts(keeper->engine).peers + 16));
    state_encode_head(&keeper->bytes, &state);
    keeper->separator = "\n";
    engine_learnt_names(keeper->engine, each_name, keeper);
    learnt_encode_peers(&keeper->bytes);
    keeper->separator = "\n";
    keeper->walk = (struct learnt_walk){0};
}

/* Returns false at its end. */
static bool walk_on(struct keeper *keeper)
{
    if (engine_learnt_peers(keeper->engine, &keeper->walk, SLICE, each_peer, keeper))
        return true;
    state_encode_end(&keeper->bytes);
    return false;
}

static void walk_whole(struct keeper *keeper, bool clean)
{
    walk_begin(keeper, clean);
    while (walk_on(keeper))
        ;
}

/* ---- when ---- */

static uint64_t loop_us(struct keeper *keeper)
{
    uint64_t now_us = 0;

    (void)sd_event_now(keeper->config.loop, CLOCK_MONOTONIC, &now_us);
    return now_us;
}

static void wait_until(struct keeper *keeper, uint64_t at_us)
{
    keeper->state = KEEPER_WAITING;
    (void)sd_event_source_set_time(keeper->timer, at_us);
    (void)sd_event_source_set_enabled(keeper->timer, SD_EVENT_ONESHOT);
}

static void schedule(struct keeper *keeper)
{
    if (keeper->state == KEEPER_IDLE && keeper->dirty)
        wait_until(keeper, max_u64(loop_us(keeper) + GATHER_US, keeper->not_before_us));
}

/* Said when it begins to fail, fails otherwise, and when it works again. */
static void saved(struct keeper *keeper, const struct save_result *result)
{
    if (result->error && result->error != keeper->error)
        notify(keeper, PD_LEVEL_WARNING, "state-not-saved",
               "%s cannot be saved (%s: %s): a restart would lose the learnt state", keeper->path,
               result->step,
               result->error == -EBUSY ? "another pathdog uses it"
                                       : strerrordesc_np(-result->error));
    else if (!result->error && keeper->error)
        notify(keeper, PD_LEVEL_NOTICE, "state-saved-again", "%s could be saved again",
               keeper->path);
    keeper->error = result->error;
    keeper->saved_digest = result->error ? 0 : result->digest;
    keeper->state = KEEPER_IDLE;
    if (result->error) {
        keeper->dirty = true;
        wait_until(keeper, loop_us(keeper) + keeper->config.retry_us);
    }
}

static int on_timer(sd_event_source *source, uint64_t time_us, void *user)
{
    struct keeper *keeper = user;

    keeper->began_us = loop_us(keeper);
    keeper->state = KEEPER_WALKING;
    walk_begin(keeper, false);
    (void)sd_event_source_set_enabled(keeper->walk_source, SD_EVENT_ON);
    return 0;
}

static int on_walk(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct keeper *keeper = user;
    struct save_result failed = {.step = "start a thread"};

    if (walk_on(keeper))
        return 0;
    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    keeper->state = KEEPER_SAVING;
    failed.error = save_start(keeper->directory, keeper->config.lock, &keeper->bytes,
                              keeper->saved_digest, keeper->done_fd, &keeper->save);
    if (failed.error)
        saved(keeper, &failed);
    return 0;
}

/* Edge-triggered: nothing need be read from it. */
static int on_done(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct keeper *keeper = user;
    struct save_result result;
    uint64_t now_us = loop_us(keeper);

    if (!keeper->save)
        return 0;
    (void)save_finish(keeper->save, UINT64_MAX, &result); /* it has written that it is done */
    keeper->save = NULL;
    keeper->not_before_us =
        keeper->began_us + max_u64(INTERVAL_US, COST_FACTOR * (now_us - keeper->began_us));
    saved(keeper, &result);
    schedule(keeper);
    return 0;
}

/* What cannot teach anything: rows, and rounds of them, where nothing came of them. */
void keeper_event(struct keeper *keeper, const struct event *event, const struct outbox *outbox)
{
    bool rows = event->type == EVENT_SAMPLES || event->type == EVENT_SUMMARY_DONE ||
                event->type == EVENT_TIMER || event->type == EVENT_NOTICE ||
                event->type == EVENT_NODE_DOWN;

    if (!keeper->engine || (rows && !outbox->n_records))
        return;
    keeper->dirty = true;
    schedule(keeper);
}

/* ---- life ---- */

/* After the node and the triggers, by turns with the control socket. */
static int keeper_add_walk(struct keeper *keeper)
{
    int r = ready_add(keeper->config.loop, &keeper->walk_source, on_walk, keeper);

    return r < 0 ? r : sd_event_source_set_priority(keeper->walk_source, SD_EVENT_PRIORITY_IDLE);
}

int keeper_new(const struct keeper_config *config, struct keeper **ret_keeper)
{
    struct keeper *keeper = memory_new(1, sizeof(*keeper));
    int r = 0;

    keeper->config = *config;
    keeper->config.retry_us = config->retry_us ? config->retry_us : RETRY_US;
    keeper->directory = string_copy(config->directory);
    keeper->path = string_format("%s/%s", config->directory, STATE_FILE);
    keeper->kernel_boot = string_copy(config->kernel_boot);
    keeper->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (keeper->done_fd < 0)
        r = -errno;
    if (r >= 0)
        r = sd_event_add_time(config->loop, &keeper->timer, CLOCK_MONOTONIC, UINT64_MAX,
                              ACCURACY_US, on_timer, keeper);
    if (r >= 0)
        r = sd_event_source_set_enabled(keeper->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = keeper_add_walk(keeper);
    if (r >= 0)
        r = sd_event_add_io(config->loop, &keeper->done_source, keeper->done_fd, EPOLLIN | EPOLLET,
                            on_done, keeper);
    if (r < 0) {
        keeper_free(keeper);
        return r;
    }
    *ret_keeper = keeper;
    return 0;
}

void keeper_start(struct keeper *keeper, const struct engine *engine)
{
    struct save_result result;

    keeper->engine = engine;
    arena_clear(&keeper->arena);
    walk_whole(keeper, false);
    result = save_now(keeper->directory, keeper->config.lock, &keeper->bytes);
    buffer_clear(&keeper->bytes);
    keeper->not_before_us = loop_us(keeper) + INTERVAL_US;
    saved(keeper, &result);
}

/* Where no thread can be had it is written here, and now. */
static void last_begin(struct keeper *keeper)
{
    struct lock *lock = keeper->config.lock;

    if (save_start(keeper->directory, lock, &keeper->bytes, 0, keeper->done_fd, &keeper->save) < 0)
        keeper->error = save_now(keeper->directory, lock, &keeper->bytes).error;
    keeper->last = false;
}

void keeper_stop(struct keeper *keeper)
{
    if (!keeper->engine)
        return;
    walk_whole(keeper, true);
    keeper->engine = NULL; /* it may go now */
    (void)sd_event_source_set_enabled(keeper->timer, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(keeper->walk_source, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(keeper->done_source, SD_EVENT_OFF);
    keeper->error = 0;
    keeper->last = true;
    if (!keeper->save)
        last_begin(keeper);
}

int keeper_wait(struct keeper *keeper, uint64_t until_us)
{
    struct save_result result = {0};

    while (keeper->save) {
        int r = save_finish(keeper->save, until_us, &result);

        keeper->save = NULL;
        if (r < 0)
            return r;
        if (keeper->last)
            last_begin(keeper); /* the one before it has ended */
        else
            keeper->error = result.error;
    }
    return keeper->error;
}

struct keeper *keeper_free(struct keeper *keeper)
{
    if (!keeper)
        return NULL;
    (void)keeper_wait(keeper, UINT64_MAX);
    sd_event_source_disable_unref(keeper->timer);
    sd_event_source_disable_unref(keeper->walk_source);
    sd_event_source_disable_unref(keeper->done_source);
    if (keeper->done_fd >= 0)
        close(keeper->done_fd);
    buffer_clear(&keeper->bytes);
    arena_clear(&keeper->arena);
    free(keeper->directory);
    free(keeper->path);
    free(keeper->kernel_boot);
    free(keeper);
    return NULL;
}
