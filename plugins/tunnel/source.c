/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tunnel trigger's source: a datagram socket that messages come to. The
 * kernel says who may write to it, and who wrote. Decides nothing: what it hands
 * on is what was said, and the addresses of the tunnel that was named.
 */
#include "../messages/addresses.h"
#include "netlink/netlink-listen.h"
#include "options.h"

#include "util/account.h"
#include "util/retry.h"
#include "util/unix-socket.h"
#include "util/util.h"

#include <errno.h>
#include <pathdog/source.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Datagrams read before other events have their turn. */
#define READ_SLICE    8u
#define DEFAULT_GROUP "pathdog"

struct tunnel_source {
    struct pd_source_host *host;
    sd_event_source *io;
    struct retry reading;
    struct netlink_listener *listener; /* NULL: the kernel does not tell */
    struct unix_socket socket;
    char datagram[MESSAGE_MAX + 2]; /* one more than the longest, and an end */
};

/* ---- what is said ---- */

static void message_from(struct tunnel_source *source, const struct message *message,
                         const struct ucred *sender)
{
    const struct pd_field who[] = {
        {"pid", NULL, (uint64_t)sender->pid},
        {"uid", NULL, sender->uid},
        {"gid", NULL, sender->gid},
    };

    message_emit(source->host, source->listener, message, who, ARRAY_SIZE(who));
}

static void message_refuse(struct tunnel_source *source, const char *error,
                           const struct ucred *sender)
{
    char text[160];

    snprintf(text, sizeof(text), "a message from pid %d, uid %u was ignored: %s", (int)sender->pid,
             sender->uid, error);
    source->host->notice(source->host, PD_LEVEL_WARNING, "bad-notice", text);
}

/* Who wrote it. Descriptors that came with it are closed. */
static struct ucred message_sender(struct msghdr *header)
{
    struct ucred sender = {.pid = 0, .uid = UINT32_MAX, .gid = UINT32_MAX};

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET)
            continue;
        if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len == CMSG_LEN(sizeof(sender)))
            memcpy(&sender, CMSG_DATA(part), sizeof(sender));
        for (size_t i = 0;
             part->cmsg_type == SCM_RIGHTS && CMSG_LEN((i + 1) * sizeof(int)) <= part->cmsg_len;
             i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
            close(fd);
        }
    }
    return sender;
}

/* Returns false: there is nothing more. */
static bool datagram_read(struct tunnel_source *source)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec piece = {source->datagram, sizeof(source->datagram) - 1};
    struct msghdr header = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    ssize_t n = recvmsg(source->socket.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct message message;
    struct ucred sender;
    const char *error;

    if (n < 0) {
        (void)retry_failed(&source->reading, "recvmsg", errno);
        return errno == EINTR;
    }
    retry_worked(&source->reading);
    sender = message_sender(&header);
    if (message_parse(source->datagram, (size_t)n, &message, &error) < 0)
        message_refuse(source, error, &sender);
    else
        message_from(source, &message, &sender);
    return true;
}

static void notify_failing(void *user, const char *text)
{
    struct tunnel_source *source = user;

    source->host->notice(source->host, PD_LEVEL_ERROR, "tunnel-socket", text);
}

static int messages_ready(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct tunnel_source *source = user;

    (void)io;
    (void)fd;
    (void)revents;
    addresses_update(source->listener);
    for (size_t i = 0; i < READ_SLICE && datagram_read(source); i++)
        ;
    return 0;
}

/* ---- the socket ---- */

static int mode_read(const char *text, mode_t *ret_mode)
{
    char *end;
    unsigned long mode;

    if (!*text || strspn(text, "01234567") != strlen(text))
        return -EINVAL;
    mode = strtoul(text, &end, 8);
    if (*end || mode > 0777)
        return -EINVAL;
    *ret_mode = (mode_t)mode;
    return 0;
}

static int group_find(const struct pd_value *value, gid_t *ret_gid)
{
    int r = account_group(value->given ? value->text : DEFAULT_GROUP, ret_gid);

    if (r == -ENOENT)
        return value->given ? -ESRCH : 0;
    return r;
}

static int socket_open(struct tunnel_source *source, const struct pd_value *values)
{
    const char *path = values[TUNNEL_OPTION_SOCKET].text;
    struct unix_socket_options options = {
        .type = SOCK_DGRAM,
        .group = (gid_t)-1,
        .group_or_fail = values[TUNNEL_OPTION_GROUP].given,
        .credentials = true,
    };
    const struct retry_config reading = {.who = path, .notify = notify_failing, .user = source};
    int r;

    if (path[0] != '/')
        return -EINVAL; /* an abstract one would ask nobody who they are */
    r = mode_read(values[TUNNEL_OPTION_MODE].text, &options.mode);
    if (r == 0)
        r = group_find(&values[TUNNEL_OPTION_GROUP], &options.group);
    if (r == 0)
        r = unix_socket_open(&source->socket, path, &options);
    if (r < 0)
        return r;
    r = sd_event_add_io(source->host->loop, &source->io, source->socket.fd, EPOLLIN, messages_ready,
                        source);
    return r < 0 ? r : retry_init(&source->reading, source->io, &reading);
}

/* ---- life ---- */

static void tunnel_source_stop(void *self)
{
    struct tunnel_source *source = self;

    if (!source)
        return;
    retry_clear(&source->reading);
    source->io = sd_event_source_disable_unref(source->io);
    addresses_forget(source->listener);
    unix_socket_close(&source->socket);
    free(source);
}

static const char *open_error(int error)
{
    switch (error) {
    case -EEXIST:
        return "a file that is not a socket exists there: remove it, or change the option socket";
    case -EADDRINUSE:
        return "another process has the socket open";
    case -ESRCH:
        return "the group does not exist";
    case -EINVAL:
        return "not an absolute path, or not an octal mode";
    default:
        return strerror(-error);
    }
}

static int tunnel_source_start(struct pd_source_host *host, const struct pd_start *start,
                               void **ret_self)
{
    struct tunnel_source *source = memory_new(1, sizeof(*source));
    char text[256];
    int r;

    source->host = host;
    source->socket.fd = -1;
    r = socket_open(source, start->values);
    if (r < 0) {
        snprintf(text, sizeof(text), "%s: %s", start->values[TUNNEL_OPTION_SOCKET].text,
                 open_error(r));
        host->notice(host, PD_LEVEL_ERROR, "tunnel-socket", text);
        tunnel_source_stop(source);
        return r;
    }
    addresses_listen(host, &source->listener);
    *ret_self = source;
    return 0;
}

PD_SOURCE(tunnel) = {
    .abi = PD_SOURCE_ABI,
    .size = sizeof(struct pd_source),
    .start = tunnel_source_start,
    .stop = tunnel_source_stop,
};
