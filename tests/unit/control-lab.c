/* SPDX-License-Identifier: Apache-2.0 */
/* The control server beside a lab's engine, and clients of it. */
#include "control-lab.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char follow_all[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"decisions\",\"params\":"
                          "{\"follow\":true}}\n";

static const struct config *desk_config(void *user)
{
    return &((struct desk *)user)->config;
}

static void desk_dispatch(void *user, struct event *event)
{
    struct desk *desk = user;

    desk->last = event->command;
    snprintf(desk->uplink, sizeof(desk->uplink), "%s",
             event->command.uplink ? event->command.uplink : "");
    lab_event(&desk->lab, event);
    control_records(desk->control, desk->lab.box->records, desk->lab.box->n_records);
}

static void desk_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    struct desk *desk = user;

    desk->notices++;
    snprintf(desk->notice, sizeof(desk->notice), "%s: %s", what, text);
}

static bool desk_busy(void *user)
{
    return ((const struct desk *)user)->busy;
}

static int desk_reload(void *user, char **ret_left, char **ret_error)
{
    *ret_left = NULL;
    *ret_error = strdup("not here");
    return -EINVAL;
}

int desk_setup(void **state)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    char *error = NULL;
    struct control_host host;

    lab_init(&desk->lab);
    lab_begin(&desk->lab);
    strcpy(desk->directory, "/tmp/control-XXXXXX");
    assert_non_null(mkdtemp(desk->directory));
    snprintf(desk->path, sizeof(desk->path), "%s/s", desk->directory);
    assert_true(sd_event_new(&desk->loop) >= 0);
    host = (struct control_host){
        .loop = desk->loop,
        .engine = desk->lab.engine,
        .run = "run",
        .version = "version",
        .config = desk_config,
        .busy = desk_busy,
        .dispatch = desk_dispatch,
        .notice = desk_notice,
        .reload = desk_reload,
        .user = desk,
    };
    assert_int_equal(control_new(&host, desk->path, &desk->control, &error), 0);
    *state = desk;
    return 0;
}

int desk_teardown(void **state)
{
    struct desk *desk = *state;

    control_free(desk->control);
    assert_int_equal(access(desk->path, F_OK), -1);
    sd_event_unref(desk->loop);
    lab_end(&desk->lab);
    rmdir(desk->directory);
    free(desk);
    return 0;
}

void desk_run(struct desk *desk)
{
    while (sd_event_run(desk->loop, 0) > 0)
        ;
}

int desk_knock(const struct desk *desk)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(name.sun_path, desk->path);
    return connect(fd, (struct sockaddr *)&name, sizeof(name)) ? -1 : fd;
}

int desk_connect(struct desk *desk)
{
    int fd = desk_knock(desk);

    assert_true(fd >= 0);
    desk_run(desk);
    return fd;
}

void desk_close(struct desk *desk, const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    desk_run(desk);
    assert_int_equal(desk->control->n_clients, 0);
}

const char *ask(struct desk *desk, int fd, const char *line)
{
    static char answer[65536];
    ssize_t n;

    assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
    desk_run(desk);
    n = read(fd, answer, sizeof(answer) - 1);
    answer[n > 0 ? n : 0] = '\0';
    return answer;
}

bool is_closed(int fd)
{
    char bytes[4096];
    ssize_t n;

    do {
        n = read(fd, bytes, sizeof(bytes));
    } while (n > 0);
    return n == 0;
}
