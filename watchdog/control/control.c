/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control server: its sockets and timers. All of it runs when the loop has nothing else to do,
 * and for a short while at a time (turn.c).
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../util/format.h"
#include "../util/ready.h"
#include "private.h"

#define ACCEPT_BURST   16u
#define SWEEP_SLACK_US UINT64_C(1000000)

static int on_accept(sd_event_source *source, int listen_fd, uint32_t revents, void *user)
{
    struct control *control = user;

    for (unsigned i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            retry_worked(&control->accepting);
            client_admit(control, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            (void)retry_failed(&control->accepting, "accept4", errno);
            break;
        }
    }
    return 0;
}

static void notify_failing(void *user, const char *text)
{
    struct control *control = user;

    control->host.notice(control->host.user, PD_LEVEL_WARNING, "call-failed", text);
}

bool control_sweep(struct control *control, uint64_t now_us)
{
    bool more = false;

    for (size_t i = 0; i < SEATS; i++) {
        struct client *client = control->clients[i];

        if (!client || !client->out.length)
            continue;
        if (sub_u64(now_us, client->took_us) > STOOD_US)
            client_drop(client);
        else
            more = true;
    }
    return more;
}

static int on_sweep(sd_event_source *source, uint64_t time_us, void *user)
{
    struct control *control = user;
    bool more = control_sweep(control, clock_us(CLOCK_MONOTONIC));

    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (more)
        control_sweep_in(control, SWEEP_US);
    return 0;
}

static int control_add_sources(struct control *control)
{
    const struct retry_config accepting = {
        .who = "the control socket", .notify = notify_failing, .user = control};
    sd_event *loop = control->host.loop;
    int r =
        sd_event_add_io(loop, &control->accept, control->listener.fd, EPOLLIN, on_accept, control);

    if (r >= 0)
        r = ready_add(loop, &control->work, turn_run, control);
    if (r >= 0)
        r = sd_event_add_time(loop, &control->sweep, CLOCK_MONOTONIC, UINT64_MAX, SWEEP_SLACK_US,
                              on_sweep, control);
    if (r < 0)
        return r;
    sd_event_source_set_enabled(control->sweep, SD_EVENT_OFF);
    sd_event_source_set_description(control->accept, "control");
    sd_event_source_set_description(control->work, "control-work");
    sd_event_source_set_description(control->sweep, "control-sweep");
    sd_event_source_set_priority(control->accept, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_priority(control->work, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_priority(control->sweep, SD_EVENT_PRIORITY_IDLE);
    return retry_init(&control->accepting, control->accept, &accepting);
}

int control_new(const struct control_host *host, const char *path, struct control **ret_control,
                char **ret_error)
{
    struct control *control = memory_new(1, sizeof(*control));
    int r;

    control->host = *host;
    r = listener_open(&control->listener, path);
    if (r < 0) {
        control_free(control);
        return error_set(ret_error, r, "%s: %s", path, listener_error(r));
    }
    r = control_add_sources(control);
    if (r < 0) {
        control_free(control);
        return error_set(ret_error, r, "%s: %s", path, strerror(-r));
    }
    *ret_control = control;
    return 0;
}

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    if (control->work)
        turn_finish(control);
    retry_clear(&control->accepting);
    sd_event_source_disable_unref(control->accept);
    sd_event_source_disable_unref(control->work);
    sd_event_source_disable_unref(control->sweep);
    interfaces_clear(&control->interfaces);
    unix_socket_close(&control->listener);
    backlog_clear(&control->backlog);
    buffer_clear(&control->line);
    free(control);
    return NULL;
}
