/* SPDX-License-Identifier: Apache-2.0 */
/* flow-node: tells pathdog of the UDP flows of programs that know nothing of it, and moves them. */
#include "list.h"
#include "node.h"
#include "util/exit-status.h"
#include "util/format.h"
#include "wanted.h"

#include <signal.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>

struct program {
    struct options options;
    struct log log;
    struct node *node;
    sd_event *loop;
    sd_event_source *timer;
};

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* ---- the loop ---- */

static int turn(struct program *program)
{
    uint64_t next_us;
    int r = node_process(program->node, now_us(), &next_us);

    if (r >= 0)
        r = sd_event_source_set_time(program->timer, next_us);
    return r < 0 ? r : sd_event_source_set_enabled(program->timer, SD_EVENT_ONESHOT);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *user)
{
    return turn(user);
}

static int on_time(sd_event_source *source, uint64_t usec, void *user)
{
    return turn(user);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    struct program *program = user;

    return sd_event_exit(program->loop, 0);
}

/* Also when the terminal has gone that it was started in; but not by nohup(1). */
static bool hangup_ends(void)
{
    struct sigaction action;

    return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler != SIG_IGN;
}

static int loop_new(struct program *program)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    int fds[NODE_FDS], r = sd_event_new(&program->loop);

    node_fds(program->node, fds);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(signals) - !hangup_ends(); i++)
        r = sd_event_add_signal(program->loop, NULL, signals[i], on_signal, program);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(fds); i++)
        r = sd_event_add_io(program->loop, NULL, fds[i], EPOLLIN, on_readable, program);
    if (r >= 0)
        r = sd_event_add_time(program->loop, &program->timer, CLOCK_MONOTONIC, now_us(), 1000,
                              on_time, program);
    if (r >= 0)
        r = sd_event_set_watchdog(program->loop, true);
    return r;
}

/* ---- the program ---- */

static int complain(struct program *program, int error, char *text)
{
    log_line(&program->log, LOG_ERR, "%s", text ? text : strerror(-error));
    free(text);
    return error == -EADDRINUSE ? EXIT_BUSY : exit_status_of(error);
}

static int run(struct program *program)
{
    char *text = NULL;
    int r = node_new(&program->options, &program->log, now_us(), &program->node, &text);

    if (r < 0)
        return complain(program, r, text);
    r = loop_new(program);
    if (r >= 0) {
        log_line(&program->log, LOG_INFO, "ready: flows are told at %s", program->options.socket);
        sd_notifyf(0, "READY=1\nSTATUS=Flows are told at %s", program->options.socket);
        r = sd_event_loop(program->loop);
    }
    sd_notify(0, "STOPPING=1");
    program->node = node_free(program->node);
    sd_event_source_unref(program->timer);
    sd_event_unref(program->loop);
    return r < 0 ? complain(program, r, NULL) : EXIT_GOOD;
}

static int check(struct program *program)
{
    struct wanted wanted;
    char *text = NULL;
    int r = wanted_init(&wanted, &program->options, &text);

    if (r < 0)
        return complain(program, r, text);
    puts("The settings are good.");
    return EXIT_GOOD;
}

static int list(struct program *program)
{
    char *text = NULL;
    int r = list_print(&program->options, stdout, &text);

    if (r >= 0 && fflush(stdout) == EOF)
        r = -errno;
    return r < 0 ? complain(program, r, text) : EXIT_GOOD;
}

/* Those are the loop's alone. */
static void signals_block(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
    struct program program = {0};
    unsigned wanted;
    int r = options_parse(argc, argv, &program.options, &wanted);

    if (r < 0) {
        options_free(&program.options);
        return EXIT_BAD_INPUT;
    }
    program.log.kind = program.options.log;
    if (wanted == SETTINGS_RUN)
        signals_block();
    r = wanted == SETTINGS_RUN    ? run(&program)
        : wanted == OPTIONS_CHECK ? check(&program)
        : wanted == OPTIONS_LIST  ? list(&program)
                                  : EXIT_GOOD;
    options_free(&program.options);
    return r;
}
