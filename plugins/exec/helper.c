/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog-exec: runs the command of a trigger `exec`, and sees to it that nothing of it is left.
 * pathdog starts it; it is not for users. A process of its own, since pathdog may be killed, and
 * since a copy of pathdog would take its memory: this one is small, and waits.
 *
 *     pathdog-exec USER COMMAND [ARGUMENT…]
 *
 * USER is empty for no other user. Descriptor 1 and 2 are the command's, 3 is wire.h's. It adopts
 * what the command leaves behind (PR_SET_CHILD_SUBREAPER), also what has left its process group.
 */
#include "helper.h"
#include "wire.h"

#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Between two looks for what must still be killed. */
#define KILL_AGAIN_MS 20

struct helper {
    int signals;
    pid_t command; /* 0: it has ended */
    pid_t group;
    uint64_t kill_at_us; /* 0: it may run */
    bool killing;
    int32_t n_left; /* killed after its end */
};

static void say(enum helper_kind kind, int32_t value)
{
    const struct helper_word word = {.kind = (uint32_t)kind, .value = value};

    (void)send(HELPER_FD, &word, sizeof(word), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- what is left ---- */

static void kill_all(struct helper *helper)
{
    helper->killing = true;
    if (helper->command) /* not collected yet, so the number is its group's */
        (void)kill(-helper->group, SIGKILL);
    children_kill();
}

static void stop(struct helper *helper)
{
    if (helper->kill_at_us)
        return;
    helper->kill_at_us = clock_us(CLOCK_MONOTONIC) + HELPER_GRACE_US;
    if (helper->command)
        (void)kill(-helper->group, SIGTERM);
}

/* Returns false: there is no child any more. */
static bool collect(struct helper *helper)
{
    int status;

    for (;;) {
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid == 0)
            return true;
        if (pid < 0)
            return errno != ECHILD;
        if (pid == helper->command) {
            helper->command = 0;
            say(HELPER_ENDED, status);
            kill_all(helper); /* what it has left */
        } else if (!helper->command && !helper->kill_at_us && WIFSIGNALED(status) &&
                   WTERMSIG(status) == SIGKILL) {
            helper->n_left++;
        }
    }
}

/* ---- the loop ---- */

static int wait_ms(const struct helper *helper)
{
    uint64_t now_us;

    if (helper->killing)
        return KILL_AGAIN_MS;
    if (!helper->kill_at_us)
        return -1;
    now_us = clock_us(CLOCK_MONOTONIC);
    return helper->kill_at_us <= now_us ? 0 : (int)((helper->kill_at_us - now_us) / 1000 + 1);
}

static void pathdog_ready(struct helper *helper)
{
    char byte;
    ssize_t n = recv(HELPER_FD, &byte, 1, MSG_DONTWAIT);

    if (n < 0 && errno == ECONNRESET) /* it left a word of ours unread; its own comes behind that */
        n = recv(HELPER_FD, &byte, 1, MSG_DONTWAIT);
    if (n > 0)
        stop(helper);
    else if ((n == 0 || (errno != EAGAIN && errno != EINTR)) && !helper->kill_at_us)
        kill_all(helper); /* without a word: it has died */
}

/* SIGCHLD only wakes. */
static void signals_ready(struct helper *helper)
{
    struct signalfd_siginfo signals[8];
    ssize_t n = read(helper->signals, signals, sizeof(signals));

    for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(signals[0]); i++)
        if (signals[i].ssi_signo != SIGCHLD)
            stop(helper);
}

static void run(struct helper *helper)
{
    struct pollfd ready[2] = {{.fd = helper->signals, .events = POLLIN},
                              {.fd = HELPER_FD, .events = POLLIN}};
    bool hung_up = false;

    while (collect(helper)) {
        if (helper->killing)
            children_kill();
        if (helper->kill_at_us && clock_us(CLOCK_MONOTONIC) >= helper->kill_at_us)
            kill_all(helper);
        if (poll(ready, hung_up ? 1 : 2, wait_ms(helper)) <= 0)
            continue;
        if (ready[0].revents)
            signals_ready(helper);
        if (!hung_up && ready[1].revents) {
            pathdog_ready(helper);
            hung_up = ready[1].revents & (POLLHUP | POLLERR);
        }
    }
    if (helper->n_left)
        say(HELPER_LEFT, helper->n_left);
}

/* ---- the start ---- */

static int signals_open(void)
{
    sigset_t set;

    signal(SIGCHLD, SIG_DFL); /* pathdog ignores it */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Only the command has its streams: where all of it is gone pathdog reads their end. */
static void streams_forget(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int i = 0; i <= 2; i++)
        if (fd < 0 || dup2(fd, i) < 0)
            close(i);
    if (fd > 2)
        close(fd);
}

/* Returns false: it was not started, and that was said. */
static bool command_start(struct helper *helper, const struct account *account, char **argv)
{
    struct helper_word failed = {0};
    const pid_t me = getpid();
    int said[2];
    ssize_t n;

    if (pipe2(said, O_CLOEXEC) < 0 || (helper->command = fork()) < 0) {
        say(HELPER_NO_FORK, errno);
        return false;
    }
    if (helper->command == 0) {
        say(HELPER_PID, getpid());
        failed = command_become(account, me, argv);
        (void)!write(said[1], &failed, sizeof(failed));
        _exit(127);
    }
    close(said[1]);
    do
        n = read(said[0], &failed, sizeof(failed));
    while (n < 0 && errno == EINTR);
    close(said[0]);
    if (n == (ssize_t)sizeof(failed)) {
        say((enum helper_kind)failed.kind, failed.value);
        return false;
    }
    helper->group = helper->command;
    say(HELPER_STARTED, 0);
    return true;
}

int main(int argc, char **argv)
{
    struct helper helper = {.signals = -1};
    struct account account;
    int r;

    if (argc < 3 || fcntl(HELPER_FD, F_SETFD, FD_CLOEXEC) < 0) {
        fputs("pathdog-exec: runs the command of pathdog's trigger exec; pathdog starts it\n",
              stderr);
        return 2;
    }
    (void)close_range(HELPER_FD + 1, ~0U, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0); /* the command may be the same user's */
    (void)setsid();
    helper.signals = signals_open();
    r = account_find(argv[1], &account);
    if (r < 0 || helper.signals < 0) {
        say(r < 0 ? HELPER_NO_USER : HELPER_NO_FORK, r < 0 ? -r : errno);
        return 1;
    }
    if (!command_start(&helper, &account, argv + 2))
        return 1;
    streams_forget();
    run(&helper);
    return 0;
}
