/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl notify: tells the tunnel trigger that a socket was rebound. Made for
 * hooks (WireGuard's PostUp, a VPN's up script): it never waits for a notice to be read.
 * Only where the trigger's socket is not at its usual place the daemon is asked, shortly; and
 * afterwards whether anybody is concerned.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../util/address.h"
#include "../util/clock.h"
#include "../util/glob.h"
#include "../util/util.h"
#include "channel.h"
#include "ctl.h"

#define MESSAGE_MAX 4096u
/* So long the daemon may take to say whether anybody is concerned. */
#define CONCERN_US 1000000u

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
        complain("no trigger \"tunnel\" is enabled: the message was not sent. Put [trigger:tunnel] "
                 "into the configuration, then run \"pathdogctl reload\"");
        *ret_status = CTL_FAILED;
    }
    json_decref(status);
    return path;
}

static enum ctl_status failed(struct ctl *ctl, const char *path, int error)
{
    if (error == -EAGAIN) {
        complain("%s: the queue of the socket is full: the message was not sent; try again later",
                 path);
        return CTL_FAILED;
    }
    if (error == -ENOENT || error == -ECONNREFUSED) {
        complain("%s: no process listens there: the message was not sent", path);
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
    const char *path = socket_given ? ctl->options.socket : ctl->options.notify;
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

/* ---- whom it concerns ---- */

/* What the tunnel trigger goes by: PEERS alone where it is given, else the tunnel. */
struct concern {
    const char *tunnel;
    char *globs[MESSAGE_MAX / 2 + 1];
    size_t n_globs;
    struct ifaddrs *addresses;
};

static bool address_is(const struct pd_address *local, const struct sockaddr *own)
{
    const void *bytes = NULL;

    if (own && own->sa_family == AF_INET && local->family == 4)
        bytes = &((const struct sockaddr_in *)(const void *)own)->sin_addr;
    else if (own && own->sa_family == AF_INET6 && local->family == 6)
        bytes = &((const struct sockaddr_in6 *)(const void *)own)->sin6_addr;
    return bytes && !memcmp(bytes, local->bytes, local->family == 4 ? 4 : 16);
}

static bool concerns(const struct concern *concern, const json_t *peer)
{
    const char *name = json_string_value(json_object_get(peer, "peer"));
    struct pd_address local = {0};

    for (size_t i = 0; i < concern->n_globs; i++)
        if (name && glob_matches_once(concern->globs[i], name))
            return true;
    if (concern->n_globs || !concern->tunnel)
        return false;
    if (!strcmp(text_of(peer, "via"), concern->tunnel))
        return true;
    if (address_parse(text_of(peer, "local"), &local) < 0 || !local.family)
        return false;
    if (!strcmp(local.scope, concern->tunnel))
        return true;
    for (const struct ifaddrs *own = concern->addresses; own; own = own->ifa_next)
        if (!strcmp(own->ifa_name, concern->tunnel) && address_is(&local, own->ifa_addr))
            return true;
    return false;
}

/* One page of the peers; NULL: the daemon does not say. */
static json_t *ask_peers(struct channel *channel, uint64_t after, int timeout_ms)
{
    json_t *request = json_pack("{s:s,s:i,s:s,s:{s:I}}", "jsonrpc", "2.0", "id", 1, "method",
                                "peers", "params", "after", (json_int_t)after);
    json_t *answer = NULL, *result = NULL;

    if (channel_send(channel, request, timeout_ms) == 0 &&
        channel_receive(channel, timeout_ms, &answer) == 0)
        result = json_incref(json_object_get(answer, "result"));
    json_decref(request);
    json_decref(answer);
    return result;
}

/* As far as the daemon can be asked within a moment: false only where it knows peers, and none
 * is concerned. */
static bool somebody(const struct concern *concern, const char *control)
{
    struct channel *channel = NULL;
    uint64_t after = 0, until_us = clock_us(CLOCK_MONOTONIC) + CONCERN_US;
    bool found = false, asked = false;
    json_t *page = NULL;

    if (channel_open(control, &channel) < 0)
        return true;
    do {
        uint64_t now_us = clock_us(CLOCK_MONOTONIC);

        json_decref(page);
        page = now_us < until_us ? ask_peers(channel, after, (int)((until_us - now_us) / 1000) + 1)
                                 : NULL;
        asked = page;
        for (size_t i = 0; i < json_array_size(json_object_get(page, "peers")) && !found; i++)
            found = concerns(concern, json_array_get(json_object_get(page, "peers"), i));
        after = number_of(page, "next");
    } while (!found && has(page, "next"));
    json_decref(page);
    channel_free(channel);
    return found || !asked;
}

/* It was sent; nobody is concerned: that is a mistake in the hook, most likely. */
static enum ctl_status check_concern(const struct ctl *ctl, const char *tunnel)
{
    const struct options *options = &ctl->options;
    struct concern *concern = memory_new(1, sizeof(*concern));
    char *globs = string_copy(options->peers ? options->peers : ""), *rest = globs, *word;
    enum ctl_status result = CTL_GOOD;

    concern->tunnel = tunnel;
    while ((word = strsep(&rest, " ")))
        if (*word)
            concern->globs[concern->n_globs++] = word;
    if (getifaddrs(&concern->addresses) < 0)
        concern->addresses = NULL;
    if (!somebody(concern, options->socket)) {
        complain("no peer matches %s%s: nothing is moved",
                 options->peers ? "PEERS=" : "TUNNEL=", options->peers ? options->peers : tunnel);
        result = CTL_FAILED;
    }
    if (concern->addresses)
        freeifaddrs(concern->addresses);
    free(globs);
    free(concern);
    return result;
}

enum ctl_status command_notify(struct ctl *ctl)
{
    static const char *const events[] = {"rebind", "up", "moved", "down"};
    const struct options *options = &ctl->options;
    const char *event = ctl->words[0], *tunnel = ctl->n_words > 1 ? ctl->words[1] : NULL;
    char text[MESSAGE_MAX + 1];
    size_t length = 0, i = 0;
    enum ctl_status result;
    int r;

    while (i < ARRAY_SIZE(events) && strcmp(events[i], event) != 0)
        i++;
    if (i == ARRAY_SIZE(events))
        return usage("notify %s: allowed is rebind, up, moved or down", event);
    if (!tunnel && !options->peers)
        return usage("notify %s: give the TUNNEL (an interface, like wg0), or --peers GLOBS",
                     event);
    r = line_add(text, &length, "EVENT", event);
    if (r == 0)
        r = line_add(text, &length, "TUNNEL", tunnel);
    if (r == 0)
        r = line_add(text, &length, "PEERS", options->peers);
    if (r == 0)
        r = line_add(text, &length, "REASON", options->reason);
    if (r < 0)
        return usage(r == -EMSGSIZE
                         ? "the message is too long; allowed are %u bytes"
                         : "a line end in a value is not allowed (the message may have %u bytes)",
                     MESSAGE_MAX);
    result = deliver(ctl, text, length, options->socket_given);
    return result == CTL_GOOD ? check_concern(ctl, tunnel) : result;
}
