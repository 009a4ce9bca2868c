/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the daemon, and what is said when they fail. */
#include <errno.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/clock.h"
#include "../util/nearest.h"
#include "../util/util.h"
#include "channel.h"
#include "ctl.h"

#define UNKNOWN_PEER (-32040)
#define SHOWN_MAX    12u

void fail_denied(struct ctl *ctl, const char *path)
{
    struct stat there;
    const struct group *group;
    char number[16];

    if (stat(path, &there) < 0) {
        fail_call(
            ctl,
            "%s: permission denied: the directory may not be entered. Are you a member of the "
            "group that pathdog runs with (\"pathdog\")?",
            path);
        return;
    }
    group = getgrgid(there.st_gid);
    snprintf(number, sizeof(number), "%u", (unsigned)there.st_gid);
    fail_call(
        ctl,
        "%s: permission denied: the socket is for root and the members of the group %s (as root: "
        "\"usermod -aG %s USER\", and log in again)",
        path, group ? group->gr_name : number, group ? group->gr_name : number);
}

static enum ctl_status no_daemon(struct ctl *ctl, int error)
{
    const char *path = ctl->options.socket;

    switch (error) {
    case -ENOENT:
        fail_call(ctl,
                  "%s: there is no such socket. Is pathdog running, and is this the socket that "
                  "the key control of its configuration names? Otherwise give --socket PATH",
                  path);
        break;
    case -ECONNREFUSED:
        fail_call(ctl,
                  "%s: no process listens there: pathdog is not running (systemctl status pathdog)",
                  path);
        break;
    case -EACCES:
    case -EPERM:
        fail_denied(ctl, path);
        break;
    case -EAGAIN: /* of connect: nobody is let in, and no more can wait */
        fail_call(ctl,
                  "%s: pathdog accepts no connections: its process hangs, or is stopped (systemctl "
                  "status pathdog, journalctl -u pathdog)",
                  path);
        break;
    case -ETIMEDOUT:
        fail_call(
            ctl,
            "%s: pathdog has not answered within %d s: its process hangs, or is stopped (systemctl "
            "status pathdog, journalctl -u pathdog)",
            path, ctl->call_ms / 1000);
        break;
    case -ECONNRESET:
    case -EPIPE:
        fail_call(ctl,
                  "%s: pathdog closed the connection before it answered: it was stopped, or "
                  "restarted; try again",
                  path);
        break;
    case -EBADMSG:
        fail_call(ctl, "%s: the answer is not JSON: is this pathdog's socket?", path);
        break;
    default:
        fail_call(ctl, "%s: %s", path, strerror(-error));
    }
    return CTL_NO_DAEMON;
}

/* A call that was refused before it could be made: the daemon closes at once. */
static bool is_refusal(const json_t *message)
{
    return json_is_null(json_object_get(message, "id")) && json_object_get(message, "error");
}

/* The next message, until then: what else the daemon says does not put the end off. */
static int receive_until(struct ctl *ctl, uint64_t until_us, json_t **ret_message)
{
    uint64_t left_us = sub_u64(until_us, clock_us(CLOCK_MONOTONIC));

    return left_us ? channel_receive(ctl->channel, (int)(left_us / 1000) + 1, ret_message)
                   : -ETIMEDOUT;
}

/* The answer as a whole: with "result" or "error". */
static json_t *exchange(struct ctl *ctl, const char *method, json_t *params,
                        enum ctl_status *ret_status)
{
    json_t *request = json_pack("{s:s,s:i,s:s,s:o}", "jsonrpc", "2.0", "id", 1, "method", method,
                                "params", params ? params : json_object());
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + (uint64_t)ctl->call_ms * 1000;
    json_t *answer = NULL;
    int r = 0;

    if (!ctl->channel)
        r = channel_open(ctl->options.socket, &ctl->channel);
    if (r == 0)
        r = channel_send(ctl->channel, request, ctl->call_ms);
    json_decref(request);
    if (r == -EPIPE) /* it may have said why */
        r = 0;
    while (r == 0) {
        r = receive_until(ctl, until_us, &answer);
        if (r < 0 || json_object_get(answer, "id") || is_refusal(answer))
            break;
        json_array_append_new(ctl->pending, answer);
    }
    if (r == 0)
        return answer;
    *ret_status = no_daemon(ctl, r);
    return NULL;
}

json_t *ctl_call(struct ctl *ctl, const char *method, json_t *params, enum ctl_status *ret_status)
{
    json_t *answer = exchange(ctl, method, params, ret_status);
    json_t *result = json_incref(json_object_get(answer, "result"));

    if (answer && !result) {
        fail_call(ctl, "%s", text_of(json_object_get(answer, "error"), "message"));
        *ret_status = CTL_FAILED;
    }
    json_decref(answer);
    return result;
}

/* ---- peers by name ---- */

struct meant {
    json_t *begins, *near;
    uint64_t n_begins;
};

static void take_names(json_t *all, const json_t *page)
{
    for (size_t i = 0; i < json_array_size(page); i++)
        json_array_append(all, json_array_get(page, i));
}

/* The nearest first. */
static void list_near(const char *name, const json_t *near)
{
    size_t shown = 0;

    for (unsigned distance = 1; distance <= NEAREST_MOST && shown < SHOWN_MAX; distance++)
        for (size_t i = 0; i < json_array_size(near) && shown < SHOWN_MAX; i++) {
            const char *other = json_string_value(json_array_get(near, i));

            if (edit_distance(name, other) != distance)
                continue;
            fprintf(stderr, "  %s\n", text_at(near, i));
            shown++;
        }
}

/* Reads the rest of the table. */
static bool find_meant(struct ctl *ctl, const char *name, json_t *page, struct meant *meant,
                       enum ctl_status *ret_status)
{
    json_t *fetched = NULL;

    for (;;) {
        meant->n_begins += number_of(page, "n_begins");
        take_names(meant->begins, json_object_get(page, "begins"));
        take_names(meant->near, json_object_get(page, "near"));
        if (!has(page, "next"))
            break;
        page = ctl_call(
            ctl, "resolve",
            json_pack("{s:s,s:I}", "peer", name, "after", (json_int_t)number_of(page, "next")),
            ret_status);
        json_decref(fetched);
        fetched = page;
        if (!page)
            return false;
    }
    json_decref(fetched);
    return true;
}

static void list_names(const json_t *names, uint64_t count)
{
    for (size_t i = 0; i < json_array_size(names); i++)
        fprintf(stderr, "  %s\n", text_at(names, i));
    if (count > json_array_size(names))
        fprintf(stderr, "  and %llu more\n", (unsigned long long)(count - json_array_size(names)));
}

/* Where none is known at all, that is it. Returns false: some are. */
static bool say_no_peers(struct ctl *ctl, const char *name)
{
    enum ctl_status ignored = CTL_GOOD;
    json_t *status = ctl_call(ctl, "status", NULL, &ignored);
    const json_t *node = json_object_get(status, "node");
    const char *state = text_of(node, "state"), *reason = text_of(node, "reason");
    bool none = status && !number_of(status, "n_peers");

    if (none && !strcmp(state, "down"))
        complain("no peer \"%s\" is known: the node is down (%s), and none of its peers is known",
                 name, reason);
    else if (none && !strcmp(state, "snapshot"))
        complain("no peer \"%s\" is known: waiting for the node's first peer list", name);
    else if (none)
        complain("no peer \"%s\" is known: the node has none", name);
    json_decref(status);
    return none;
}

static void say_unknown(struct ctl *ctl, const char *name, const struct meant *meant)
{
    if (meant->n_begins > 1) {
        complain("\"%s\" is the beginning of %llu names; give more of the name:", name,
                 (unsigned long long)meant->n_begins);
        list_names(meant->begins, meant->n_begins);
    } else if (json_array_size(meant->near)) {
        complain("no peer \"%s\" is known. Did you mean", name);
        list_near(name, meant->near);
    } else if (!say_no_peers(ctl, name)) {
        complain("no peer \"%s\" is known; \"pathdogctl peers\" lists them", name);
    }
}

/* The one name that begins so; NULL: said what else there is. */
static char *resolve(struct ctl *ctl, const char *name, json_t *error, enum ctl_status *ret_status)
{
    struct meant meant = {.begins = json_array(), .near = json_array()};
    char *found = NULL;

    if (find_meant(ctl, name, json_object_get(error, "data"), &meant, ret_status)) {
        if (meant.n_begins == 1) {
            found = string_copy(json_string_value(json_array_get(meant.begins, 0)));
        } else {
            say_unknown(ctl, name, &meant);
            *ret_status = CTL_FAILED;
        }
    }
    json_decref(meant.begins);
    json_decref(meant.near);
    return found;
}

json_t *ctl_call_peer(struct ctl *ctl, const char *method, json_t *params, const char *name,
                      char **ret_name, enum ctl_status *ret_status)
{
    json_t *result = NULL, *answer, *error;
    json_t *again = params ? params : json_object();

    *ret_name = string_copy(name);
    json_object_set_new(again, "peer", json_string(name));
    answer = exchange(ctl, method, json_incref(again), ret_status);
    error = json_object_get(answer, "error");
    if (error && json_integer_value(json_object_get(error, "code")) == UNKNOWN_PEER) {
        char *found = resolve(ctl, name, error, ret_status);

        if (found) {
            if (isatty(STDERR_FILENO)) /* a script knows which name it has written */
                complain("\"%s\" is taken for %s", name, found);
            free(*ret_name);
            *ret_name = found;
            json_object_set_new(again, "peer", json_string(found));
            result = ctl_call(ctl, method, json_incref(again), ret_status);
        }
    } else if (error) {
        complain("%s", text_of(error, "message"));
        *ret_status = CTL_FAILED;
    } else {
        result = json_incref(json_object_get(answer, "result"));
    }
    json_decref(answer);
    json_decref(again);
    return result;
}

const char *ctl_next(struct ctl *ctl, int timeout_ms, json_t **ret_params,
                     enum ctl_status *ret_status)
{
    static const char *const known[] = {"record", "dropped"};
    json_t *message;

    for (;;) {
        int r = 0;

        message = json_incref(json_array_get(ctl->pending, 0));
        if (message)
            json_array_remove(ctl->pending, 0);
        else
            r = channel_receive(ctl->channel, timeout_ms, &message);
        if (r < 0) {
            *ret_status = r == -ETIMEDOUT ? CTL_GOOD : no_daemon(ctl, r);
            return NULL;
        }
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
            if (!strcmp(text_of(message, "method"), known[i])) {
                *ret_params = json_incref(json_object_get(message, "params"));
                json_decref(message);
                return known[i];
            }
        json_decref(message);
    }
}
