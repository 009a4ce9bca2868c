/* SPDX-License-Identifier: Apache-2.0 */
/* udp-relay: relays UDP between the two members of a session. The main thread has the signals, the
 * time, the list of members and the log; the workers (server.h) have the datagrams. */
#include "control.h"
#include "log.h"
#include "members-file.h"
#include "server.h"
#include "util/exit-status.h"
#include "util/printable.h"
#include "util/util.h"

#include <signal.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#define TICK_US        UINT64_C(250000)
#define LOOK_MOST_US   UINT64_C(1000000)
#define LOOK_LEAST_US  UINT64_C(20000)
#define EVENTS_AT_ONCE 256u /* told in one turn of the loop */

struct program {
    struct options options;
    struct server *server;
    struct control *control;
    struct log log;
    struct members_file members_file;
    struct control_members members;
    uint64_t events_lost;
    sd_event *loop;
};

/* ---- the list of members ---- */

static void bad_lines(struct program *program, const struct members *members)
{
    const struct members_fault *faults;
    size_t n = members_faults(members, &faults);
    char text[sizeof(faults->text) * PRINTABLE_GROWTH + 1];

    for (size_t i = 0; i < n; i++) {
        text_printable(text, sizeof(text), faults[i].text, strlen(faults[i].text));
        log_line(&program->log, LOG_WARNING, "%s:%u: \"%s\" %s; it opens nothing",
                 program->members_file.path, faults[i].line, text, faults[i].why);
    }
    if (members_bad(members) > n)
        log_line(&program->log, LOG_WARNING, "%s: %zu more bad lines", program->members_file.path,
                 members_bad(members) - n);
}

static void members_look(struct program *program)
{
    struct members *members;
    enum members_look result = members_file_look(&program->members_file, &members);
    uint64_t now_us = server_now_us();

    snprintf(program->members.fault, sizeof(program->members.fault), "%s",
             program->members_file.fault);
    if (members)
        bad_lines(program, members);
    if (result == MEMBERS_FAULT)
        log_line(&program->log, LOG_WARNING, "%s: %s; %s", program->members_file.path,
                 program->members_file.fault,
                 program->members.taken_us ? "the list before stays in force"
                                           : "all may register until there is a list");
    if (result == MEMBERS_NEW) {
        program->members.entries = members_entries(members);
        program->members.bad = members_bad(members);
        program->members.taken_us = now_us;
        members = relay_members_set(server_lock(program->server), members);
        server_unlock(program->server);
        log_line(&program->log, LOG_INFO, "%s: %zu members, %zu bad lines; only they may register",
                 program->members_file.path, program->members.entries, program->members.bad);
    }
    members_free(members);
}

/* ---- the loop ---- */

static int again(sd_event_source *source, uint64_t after_us)
{
    int r = sd_event_source_set_time_relative(source, after_us);

    return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_look(sd_event_source *source, uint64_t usec, void *user)
{
    struct program *program = user;
    uint64_t after_us = program->options.acl_refresh_us / 4;

    members_look(program);
    return again(source, max_u64(LOOK_LEAST_US, min_u64(after_us, LOOK_MOST_US)));
}

static void events_tell(struct program *program)
{
    struct relay_event event;
    uint64_t lost;
    bool more = true;

    for (unsigned i = 0; more && i < EVENTS_AT_ONCE; i++) {
        more = relay_event_next(server_lock(program->server), &event);
        server_unlock(program->server);
        if (more)
            log_event(&program->log, &event);
    }
    lost = relay_count(server_lock(program->server), RELAY_COUNT_EVENTS_LOST);
    server_unlock(program->server);
    if (lost != program->events_lost)
        log_line(&program->log, LOG_NOTICE, "%llu events more than could be told",
                 (unsigned long long)(lost - program->events_lost));
    program->events_lost = lost;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *user)
{
    struct program *program = user;

    bool more = true;

    while (more) {
        more = relay_tick(server_lock(program->server), server_now_us());
        server_unlock(program->server);
    }
    events_tell(program);
    return again(source, TICK_US);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    struct program *program = user;

    if (info->ssi_signo == SIGHUP) {
        if (program->options.members)
            members_look(program);
        return 0;
    }
    return sd_event_exit(program->loop, 0);
}

static int timer_add(struct program *program, sd_event_time_handler_t handler, uint64_t after_us)
{
    return sd_event_add_time_relative(program->loop, NULL, CLOCK_MONOTONIC, after_us, 1000, handler,
                                      program);
}

static int loop_new(struct program *program)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    int r = sd_event_new(&program->loop);

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(signals); i++)
        r = sd_event_add_signal(program->loop, NULL, signals[i], on_signal, program);
    if (r >= 0)
        r = timer_add(program, on_tick, TICK_US);
    if (r >= 0 && program->options.members)
        r = timer_add(program, on_look, LOOK_LEAST_US);
    if (r >= 0)
        r = sd_event_set_watchdog(program->loop, true);
    return r;
}

/* ---- the program ---- */

static int complain(struct program *program, int error, char **text)
{
    log_line(&program->log, LOG_ERR, "%s", *text ? *text : strerror(-error));
    free(*text);
    *text = NULL;
    return error;
}

static int start(struct program *program)
{
    char *text = NULL, at[ENDPOINT_TEXT_SIZE];
    struct endpoint address;
    int r = server_new(&program->options, &program->server, &text);

    if (r < 0)
        return complain(program, r, &text);
    r = loop_new(program);
    if (r < 0)
        return complain(program, r, &text);
    if (program->options.members) {
        program->members.path = program->options.members;
        members_file_init(&program->members_file, program->options.members);
        members_look(program);
    }
    if (program->options.control) {
        r = control_new(program->loop, program->server, &program->options, &program->members,
                        &program->control, &text);
        if (r < 0)
            return complain(program, r, &text);
    }
    r = server_start(program->server);
    if (r < 0)
        return complain(program, r, &text);
    server_address(program->server, &address);
    endpoint_text(at, &address);
    log_line(&program->log, LOG_INFO, "relays at %s, %u %s%s", at, server_workers(program->server),
             server_workers(program->server) == 1 ? "socket" : "sockets",
             program->options.relay.service ? "" : "; no service: nobody may register");
    sd_notifyf(0, "READY=1\nSTATUS=Relays at %s", at);
    return 0;
}

static void stop(struct program *program)
{
    sd_notify(0, "STOPPING=1");
    program->control = control_free(program->control);
    program->server = server_free(program->server);
    sd_event_unref(program->loop);
    options_free(&program->options);
}

/* Before there is a thread: those are the loop's alone. */
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
    int r = options_parse(argc, argv, &program.options);

    if (r) {
        options_free(&program.options);
        return r > 0 ? EXIT_GOOD : EXIT_BAD_INPUT;
    }
    signals_block();
    program.log.kind = program.options.log;
    r = start(&program);
    if (r >= 0)
        r = sd_event_loop(program.loop);
    if (r >= 0)
        events_tell(&program);
    stop(&program);
    return r < 0 ? exit_status_of(r) : EXIT_GOOD;
}
