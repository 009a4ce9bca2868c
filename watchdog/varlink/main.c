/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog-varlink: what the control socket offers, as a Varlink service. It decides nothing and
 * keeps nothing; each call is translated, with the rights of who calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "../util/exit-status.h"
#include "../util/format.h"
#include "../util/unix-socket.h"
#include "interface.h"
#include "methods.h"
#include "version.h"

#define CONTROL         "/run/pathdog/control.sock"
#define CONNECTIONS_MAX 64u /* of all users */
#define PER_USER_MAX    16u
#define IDLE_S          30u /* without a client: then it ends, and systemd starts it again */
#define IDLE_MAX_S      86400u

struct arguments {
    const char *control, *listen;
    uint64_t idle_s;
    bool leave; /* what was asked for has been printed */
};

struct server {
    struct service service;
    struct unix_socket socket; /* of --listen */
    sd_event_source *idle, *stop[2];
    uint64_t idle_us; /* 0: it stays */
};

static void print_help(void)
{
    puts("pathdog-varlink [OPTION…]\n"
         "Offers pathdog's control socket as the Varlink interface " INTERFACE_NAME ".\n"
         "systemd starts it when a client connects: pathdog-varlink.socket.\n\n"
         "  --socket PATH    pathdog's control socket (" CONTROL ")\n"
         "  --listen PATH    make this socket and serve there, without systemd\n"
         "  --idle SECONDS   end after so long without a client (30 if systemd passed the socket,\n"
         "                   else 0: never; allowed up to 86400)\n"
         "  --interface      print the interface's definition\n"
         "  --version        print the version\n"
         "  --help           print this help\n\n"
         "To try it: varlinkctl call /run/pathdog/" INTERFACE_NAME " " INTERFACE_NAME
         ".GetStatus '{}'\n"
         "Exit status: 0 stopped, or no client for so long; 1 failed; 2 bad arguments.");
}

static int print_interface(void)
{
    char *text = NULL;
    int r = sd_varlink_idl_format(interface_definition(), &text);

    if (r >= 0)
        fputs(text, stdout);
    free(text);
    return r;
}

static int take_idle(const char *text, uint64_t *ret_s, char **ret_error)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value > IDLE_MAX_S)
        return error_set(ret_error, -EINVAL, "--idle %s: allowed is 0 to %u seconds", text,
                         IDLE_MAX_S);
    *ret_s = value;
    return 0;
}

/* Returns 0 or -EINVAL with a text. */
static int arguments_parse(int argc, char **argv, struct arguments *ret, char **ret_error)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"listen", required_argument, NULL, 'l'},
        {"idle", required_argument, NULL, 'I'},
        {"interface", no_argument, NULL, 'i'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL},
    };
    int option;

    *ret = (struct arguments){.control = CONTROL, .idle_s = UINT64_MAX};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            ret->control = optarg;
            break;
        case 'l':
            ret->listen = optarg;
            break;
        case 'I':
            if (take_idle(optarg, &ret->idle_s, ret_error) < 0)
                return -EINVAL;
            break;
        case 'i':
            ret->leave = true;
            return print_interface();
        case 'v':
            ret->leave = true;
            puts("pathdog-varlink " PATHDOG_VERSION);
            return 0;
        case 'h':
            ret->leave = true;
            print_help();
            return 0;
        case ':':
            return error_set(ret_error, -EINVAL, "%s needs a value; see --help", argv[optind - 1]);
        default:
            return error_set(ret_error, -EINVAL, "unknown option %s; see --help", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return error_set(ret_error, -EINVAL, "unexpected argument \"%s\"; see --help",
                         argv[optind]);
    return 0;
}

/* ---- where it listens ---- */

static int listen_at(struct server *server, const char *path, char **ret_error)
{
    const struct unix_socket_options options = {
        .type = SOCK_STREAM, .backlog = SOMAXCONN, .mode = 0660, .group = (gid_t)-1};
    int r = unix_socket_open(&server->socket, path, &options), fd;

    if (r < 0)
        return error_set(ret_error, r, "--listen %s: %s", path, strerror(-r));
    fd = fcntl(server->socket.fd, F_DUPFD_CLOEXEC, 3); /* the other is closed with its name */
    r = fd < 0 ? -errno : sd_varlink_server_listen_fd(server->service.server, fd);
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? error_set(ret_error, r, "%s: cannot listen: %s", path, strerror(-r)) : 0;
}

/* Sockets that systemd made. */
static int listen_passed(struct server *server, char **ret_error)
{
    int n = sd_listen_fds(true), r;

    if (n < 0)
        return error_set(ret_error, n, "LISTEN_FDS: %s", strerror(-n));
    if (n == 0)
        return error_set(ret_error, -EINVAL,
                         "systemd has passed no socket: start pathdog-varlink.socket, or give "
                         "--listen PATH");
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
        if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
            return error_set(ret_error, -EINVAL,
                             "what systemd has passed is not a listening UNIX stream socket");
        r = sd_varlink_server_listen_fd(server->service.server, fd);
        if (r < 0)
            return error_set(ret_error, r, "cannot listen: %s", strerror(-r));
    }
    return 0;
}

/* ---- calls ---- */

/* One function for all, since what is called is in the message: sd-varlink has one callback a
 * method, and no more than the connection to know it by. */
#define METHOD(n)                                                                                  \
    static int call_##n(sd_varlink *link, sd_json_variant *parameters,                             \
                        sd_varlink_method_flags_t flags, void *user)                               \
    {                                                                                              \
        (void)user;                                                                                \
        return call_begin(sd_varlink_server_get_userdata(sd_varlink_get_server(link)),             \
                          &methods[n], link, parameters, flags);                                   \
    }
METHOD(0)
METHOD(1)
METHOD(2)
METHOD(3)
METHOD(4)
METHOD(5)
METHOD(6)
METHOD(7)
METHOD(8)
METHOD(9)
METHOD(10)

static const sd_varlink_method_t callbacks[] = {call_0, call_1, call_2, call_3, call_4, call_5,
                                                call_6, call_7, call_8, call_9, call_10};

static int bind_methods(sd_varlink_server *server)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(callbacks) && methods[i].name; i++) {
        CLEANUP_FREE char *name = string_format(INTERFACE_NAME ".%s", methods[i].name);

        r = sd_varlink_server_bind_method(server, name, callbacks[i]);
    }
    return r;
}

static int connected(sd_varlink_server *varlink, sd_varlink *link, void *user)
{
    struct server *server = CONTAINER_OF(user, struct server, service);

    (void)varlink;
    (void)link;
    sd_event_source_set_enabled(server->idle, SD_EVENT_OFF);
    return 0;
}

static void idle_begins(struct server *server)
{
    if (!server->idle_us)
        return;
    sd_event_source_set_time_relative(server->idle, server->idle_us);
    sd_event_source_set_enabled(server->idle, SD_EVENT_ONESHOT);
}

static void disconnected(sd_varlink_server *varlink, sd_varlink *link, void *user)
{
    struct server *server = CONTAINER_OF(user, struct server, service);

    call_abandon(sd_varlink_set_userdata(link, NULL));
    if (sd_varlink_server_current_connections(varlink) <= 1) /* this one may still be counted */
        idle_begins(server);
}

static int is_idle(sd_event_source *source, uint64_t now_us, void *user)
{
    struct server *server = user;

    (void)now_us;
    if (sd_varlink_server_current_connections(server->service.server))
        return 0;
    return sd_event_exit(sd_event_source_get_event(source), EXIT_GOOD);
}

/* ---- the program ---- */

static int serve(struct server *server)
{
    struct service *service = &server->service;
    sd_varlink_server *varlink = service->server;
    int r =
        sd_varlink_server_set_info(varlink, "pathdog", "pathdog-varlink", PATHDOG_VERSION, NULL);

    sd_varlink_server_set_userdata(varlink, service);
    if (r >= 0)
        r = sd_varlink_server_set_connections_max(varlink, CONNECTIONS_MAX);
    if (r >= 0)
        r = sd_varlink_server_set_connections_per_uid_max(varlink, PER_USER_MAX);
    if (r >= 0)
        r = sd_varlink_server_add_interface(varlink, interface_definition());
    if (r >= 0)
        r = bind_methods(varlink);
    if (r >= 0)
        r = sd_varlink_server_bind_connect(varlink, connected);
    if (r >= 0)
        r = sd_varlink_server_bind_disconnect(varlink, disconnected);
    if (r >= 0)
        r = sd_varlink_server_attach_event(varlink, service->loop, SD_EVENT_PRIORITY_NORMAL);
    return r;
}

static int sources(struct server *server)
{
    static const int signals[] = {SIGTERM, SIGINT};
    sd_event *loop = server->service.loop;
    int r = sd_event_add_post(loop, &server->service.after, call_look_after, &server->service);

    if (r >= 0)
        r = sd_event_add_time_relative(loop, &server->idle, CLOCK_MONOTONIC, server->idle_us, 0,
                                       is_idle, server);
    if (r >= 0 && !server->idle_us)
        r = sd_event_source_set_enabled(server->idle, SD_EVENT_OFF);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(signals); i++)
        r = sd_event_add_signal(loop, &server->stop[i], signals[i] | SD_EVENT_SIGNAL_PROCMASK, NULL,
                                NULL);
    return r;
}

static int run(const struct arguments *arguments, struct server *server, char **ret_error)
{
    int r = sd_event_new(&server->service.loop);

    server->service.control = arguments->control;
    server->idle_us = 1000000 * (arguments->idle_s != UINT64_MAX ? arguments->idle_s
                                 : arguments->listen             ? 0
                                                                 : IDLE_S);
    if (r >= 0)
        r = sd_varlink_server_new(&server->service.server, SD_VARLINK_SERVER_ACCOUNT_UID);
    if (r >= 0)
        r = arguments->listen ? listen_at(server, arguments->listen, ret_error)
                              : listen_passed(server, ret_error);
    if (r >= 0)
        r = sources(server);
    if (r >= 0)
        r = serve(server);
    if (r >= 0)
        r = sd_event_loop(server->service.loop);
    if (r < 0 && !*ret_error)
        error_set(ret_error, r, "%s", strerror(-r));
    return r;
}

static void server_clear(struct server *server)
{
    struct service *service = &server->service;

    if (service->server)
        sd_varlink_server_shutdown(service->server);
    while (service->calls)
        call_abandon(service->calls);
    sd_varlink_server_unref(service->server);
    sd_event_source_disable_unref(service->after);
    sd_event_source_disable_unref(server->idle);
    for (size_t i = 0; i < ARRAY_SIZE(server->stop); i++)
        sd_event_source_disable_unref(server->stop[i]);
    sd_event_unref(service->loop);
    unix_socket_close(&server->socket);
}

int main(int argc, char **argv)
{
    struct server server = {.socket.fd = -1};
    struct arguments arguments;
    char *error = NULL;
    int r = arguments_parse(argc, argv, &arguments, &error);

    if (r == 0 && arguments.leave && (fflush(stdout) < 0 || ferror(stdout)))
        r = error_set(&error, -EIO, "standard output cannot be written");
    if (r == 0 && !arguments.leave) {
        signal(SIGPIPE, SIG_IGN);
        r = run(&arguments, &server, &error);
    }
    server_clear(&server);
    if (error)
        fprintf(stderr, "pathdog-varlink: %s\n", error);
    free(error);
    return r < 0 ? exit_status_of(r) : EXIT_GOOD;
}
