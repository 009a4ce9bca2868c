/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the helper, and reads. See runner.h. */
#include "runner.h"

#include "util/util.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)64 * 1024)
/* Of two that are ready, what the helper says is read first. */
#define WORDS_PRIORITY (SD_EVENT_PRIORITY_NORMAL - 1)
/* What a stream's pipe may still hold when the command is gone. */
#define DRAIN_BYTES ((size_t)1 << 20)

/* ---- the helper's start ---- */

struct child {
    const struct runner_config *config;
    char *const *arguments;
    int out, err, control;
    int error;
};

/* Shares our memory, and we wait until it has become the helper: only system calls. */
static int child_run(void *user)
{
    struct child *child = user;
    /* first out of the way of the numbers that they are to have */
    int input = child->config->input;
    int fds[] = {input < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : input, child->out,
                 child->err, child->control};

    for (int i = 0; i < 4; i++)
        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i < 4; i++)
        if (fds[i] < 0 || dup2(fds[i], i) < 0)
            goto failed;
    execve(child->config->helper, child->arguments, child->config->environment);
failed:
    child->error = -errno;
    _exit(127);
}

static char **arguments_new(const struct runner_config *config)
{
    size_t n = 0;
    char **arguments;

    while (config->words[n])
        n++;
    arguments = memory_new(n + 3, sizeof(*arguments));
    arguments[0] = (char *)"pathdog-exec";
    arguments[1] = (char *)config->user;
    memcpy(arguments + 2, config->words, n * sizeof(*arguments));
    return arguments;
}

/* pathdog ignores SIGCHLD, so there is nothing to collect; elsewhere there is. */
static void collect(const struct runner *runner)
{
    siginfo_t ended;

    (void)waitid(P_PIDFD, (id_t)runner->pidfd, &ended, WEXITED | WNOHANG);
}

/* As vfork(2), with a descriptor of the process: no copy of our memory is made. */
static int helper_start(struct runner *runner, int out, int err, int control)
{
    CLEANUP_FREE char **arguments = arguments_new(&runner->config);
    CLEANUP_FREE char *stack = memory_new(1, STACK_BYTES);
    struct child child = {&runner->config, arguments, out, err, control, 0};
    int pid = clone(child_run, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                    &child, &runner->pidfd);

    if (pid < 0)
        return -errno;
    if (child.error)
        collect(runner);
    return child.error;
}

/* ---- what comes from it ---- */

static void words_read(struct runner *runner)
{
    struct helper_word word;

    while (recv(runner->control, &word, sizeof(word), MSG_DONTWAIT) == (ssize_t)sizeof(word))
        runner->config.word(runner->config.callbacks_user, &word);
}

/* Returns false: nothing is there now. */
static bool stream_read(struct runner *runner, sd_event_source *io)
{
    ssize_t n = read(sd_event_source_get_io_fd(io), runner->bytes, sizeof(runner->bytes));

    if (n < 0)
        return false;
    if (n == 0)
        (void)sd_event_source_set_enabled(io, SD_EVENT_OFF);
    runner->config.output(runner->config.callbacks_user, io == runner->err, runner->bytes,
                          (size_t)n);
    return n > 0;
}

static bool is_on(sd_event_source *io)
{
    int on = SD_EVENT_OFF;

    return io && sd_event_source_get_enabled(io, &on) >= 0 && on != SD_EVENT_OFF;
}

static int on_stream(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    (void)stream_read(user, io);
    return 0;
}

static int on_words(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct runner *runner = user;

    words_read(runner);
    if (revents & (EPOLLHUP | EPOLLERR))
        (void)sd_event_source_set_enabled(io, SD_EVENT_OFF);
    return 0;
}

/* What a process outside of our reach keeps open is not waited for. */
static void stream_drain(struct runner *runner, sd_event_source *io)
{
    for (size_t n = 0; n < DRAIN_BYTES && is_on(io) && stream_read(runner, io); n += RUNNER_SLICE)
        ;
}

static void forget(struct runner *runner)
{
    runner->words = sd_event_source_disable_unref(runner->words);
    runner->end = sd_event_source_disable_unref(runner->end);
    runner->out = sd_event_source_disable_unref(runner->out);
    runner->err = sd_event_source_disable_unref(runner->err);
    if (runner->control >= 0)
        close(runner->control);
    if (runner->pidfd >= 0)
        close(runner->pidfd);
    runner->control = -1;
    runner->pidfd = -1;
    runner->running = false;
}

static int on_end(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct runner *runner = user;

    collect(runner);
    stream_drain(runner, runner->out);
    stream_drain(runner, runner->err);
    words_read(runner);
    forget(runner);
    runner->config.gone(runner->config.callbacks_user);
    return 0;
}

/* ---- life ---- */

static int nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* Our end of a pipe, on the loop. The loop closes it. */
static int stream_add(struct runner *runner, sd_event_source **ret_io, int fd)
{
    int r = nonblocking(fd);

    if (r >= 0)
        r = sd_event_add_io(runner->config.loop, ret_io, fd, EPOLLIN, on_stream, runner);
    if (r < 0) {
        close(fd);
        return r;
    }
    return sd_event_source_set_io_fd_own(*ret_io, true);
}

static int watch(struct runner *runner, int out, int err)
{
    int r = stream_add(runner, &runner->out, out), r_err = stream_add(runner, &runner->err, err);

    if (r >= 0)
        r = r_err;
    if (r >= 0)
        r = sd_event_add_io(runner->config.loop, &runner->words, runner->control, EPOLLIN, on_words,
                            runner);
    if (r >= 0)
        r = sd_event_source_set_priority(runner->words, WORDS_PRIORITY);
    if (r >= 0)
        r = sd_event_add_io(runner->config.loop, &runner->end, runner->pidfd, EPOLLIN, on_end,
                            runner);
    return r < 0 ? r : 0;
}

static void pair_close(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

int runner_start(struct runner *runner, const struct runner_config *config)
{
    int out[2] = {-1, -1}, err[2] = {-1, -1}, control[2] = {-1, -1}, r = 0;

    runner->config = *config;
    runner->control = runner->pidfd = -1;
    runner->running = true;
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        r = -errno;
    if (r == 0) {
        runner->control = control[0];
        control[0] = -1;
        r = helper_start(runner, out[1], err[1], control[1]);
    }
    if (r == 0) {
        r = watch(runner, out[0], err[0]);
        out[0] = err[0] = -1;
    }
    pair_close(out);
    pair_close(err);
    pair_close(control);
    if (r < 0)
        forget(runner); /* a helper that runs sees the end of its socket, and ends */
    return r;
}

void runner_stop(struct runner *runner)
{
    if (!runner->running)
        return;
    (void)send(runner->control, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sd_event_source_set_enabled(runner->out, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(runner->err, SD_EVENT_OFF);
}

void runner_close(struct runner *runner)
{
    if (!runner->running)
        return;
    (void)send(runner->control, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    forget(runner);
}
