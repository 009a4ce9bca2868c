/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl notify: tells the tunnel trigger that a socket was rebound. Made for
 * hooks (WireGuard's PostUp, a VPN's up script): it never waits for a notice to be read.
 * Only where the trigger's socket is not at its usual place the daemon is asked, shortly.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../util/util.h"
#include "ctl.h"

#define MESSAGE_MAX 4096u

static int line_add(char *text, size_t *length, const char *key, const char *value)
{
    int n;

    if (!value)
        return 0;
    if (strpbrk(value, "\n\r"))
        return -EINVAL;
    n = snprintf(text + *length, MESSAGE_MAX + 1 - *length, "%s=%s\n", key, value);
    if ((size_t)n > MESSAGE_MAX - *length)
        return -EMSGSIZE;
    *length += (size_t)n;
    return 0;
}

/* One datagram. Returns 0 or -errno; -EPROTOTYPE: the path is no such socket. */
static int notice_send(const char *path, const char *text, size_t length)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd, r = 0;

    if (strlen(path) >= sizeof(name.sun_path))
        return -ENAMETOOLONG;
    memcpy(name.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (sendto(fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&name,
               sizeof(name)) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* Where the daemon's tunnel trigger listens; NULL: said why not. */
static char *ask_path(struct ctl *ctl, enum ctl_status *ret_status)
{
    const json_t *triggers;
    char *path = NULL;
    json_t *status;

    ctl->call_ms = CALL_HOOK_MS;
    status = ctl_call(ctl, "status", NULL, ret_status);
    triggers = json_object_get(status, "triggers");
    for (size_t i = 0; i < json_array_size(triggers) && !path; i++) {
        const json_t *trigger = json_array_get(triggers, i);

        if (!strncmp(text_of(trigger, "trigger"), "tunnel", 6) && has(trigger, "socket"))
            path = string_copy(text_of(trigger, "socket"));
    }
    if (status && !path) {
        complain("no trigger \"tunnel\" is enabled, so nobody listens: put [trigger:tunnel] into "
                 "the configuration, then \"pathdogctl reload\"");
        *ret_status = CTL_FAILED;
    }
    json_decref(status);
    return path;
}

static enum ctl_status failed(struct ctl *ctl, const char *path, int error)
{
    if (error == -EAGAIN) {
        complain("%s: more notices wait there than are read; this one was not sent", path);
        return CTL_FAILED;
    }
    if (error == -ENOENT || error == -ECONNREFUSED) {
        complain("%s: nobody listens there", path);
        return CTL_NO_DAEMON;
    }
    if (error == -EACCES || error == -EPERM) {
        fail_denied(ctl, path);
        return CTL_NO_DAEMON;
    }
    complain("%s: %s", path, strerror(-error));
    return CTL_FAILED;
}

/* The usual path, or the one that was said; else the daemon is asked. */
static enum ctl_status deliver(struct ctl *ctl, const char *text, size_t length, bool socket_given)
{
    const char *path = socket_given ? ctl->options.socket : DEFAULT_NOTIFY;
    int r = notice_send(path, text, length);
    enum ctl_status result = CTL_GOOD;
    char *asked;

    if (r == 0)
        return CTL_GOOD;
    if (r != -EPROTOTYPE && (socket_given || (r != -ENOENT && r != -ECONNREFUSED)))
        return failed(ctl, path, r);
    asked = ask_path(ctl, &result);
    if (asked) {
        r = notice_send(asked, text, length);
        result = r < 0 ? failed(ctl, asked, r) : CTL_GOOD;
    }
    free(asked);
    return result;
}

enum ctl_status command_notify(struct ctl *ctl)
{
    static const char *const events[] = {"rebind", "up", "moved", "down"};
    const struct options *options = &ctl->options;
    const char *event = ctl->words[0], *tunnel = ctl->n_words > 1 ? ctl->words[1] : NULL;
    char text[MESSAGE_MAX + 1];
    size_t length = 0, i = 0;
    int r;

    while (i < ARRAY_SIZE(events) && strcmp(events[i], event) != 0)
        i++;
    if (i == ARRAY_SIZE(events))
        return usage("notify %s: allowed is rebind, up, moved or down", event);
    if (!tunnel && !options->peers)
        return usage("notify %s: say the TUNNEL (an interface, like wg0), or --peers GLOBS", event);
    r = line_add(text, &length, "EVENT", event);
    if (r == 0)
        r = line_add(text, &length, "TUNNEL", tunnel);
    if (r == 0)
        r = line_add(text, &length, "PEERS", options->peers);
    if (r == 0)
        r = line_add(text, &length, "REASON", options->reason);
    if (r < 0)
        return usage(r == -EMSGSIZE ? "a notice has at most %u bytes"
                                    : "a notice's words have no line ends (and at most %u bytes)",
                     MESSAGE_MAX);
    return deliver(ctl, text, length, options->socket_given);
}
