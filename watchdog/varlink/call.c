/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "../util/format.h"
#include "../util/util.h"
#include "interface.h"
#include "shape.h"

#define ANSWER_US UINT64_C(10000000) /* as pathdogctl waits */
#define SLOW_US   UINT64_C(30000000) /* a client that does not read for so long is closed */

#define ERROR_PARAMS       (-32602)
#define ERROR_UNKNOWN_PEER (-32040)
#define ERROR_REFUSED      (-32041)
#define ERROR_TOO_MANY     (-32042)

/* ---- its end ---- */

static void call_free(struct call *call)
{
    struct call **place = &call->service->calls;

    while (*place != call)
        place = &(*place)->next;
    *place = call->next;
    if (call->link) {
        sd_varlink_set_userdata(call->link, NULL);
        if (call->close)
            sd_varlink_close(call->link);
        sd_varlink_unref(call->link);
    }
    for (size_t i = 0; i < call->n_queue; i++)
        sd_json_variant_unref(call->queue[i]);
    free(call->queue);
    sd_json_variant_unref(call->kept);
    sd_json_variant_unref(call->parameters);
    sd_event_source_disable_unref(call->deadline);
    sd_event_source_disable_unref(call->slow);
    channel_free(call->channel);
    free(call);
}

void call_abandon(struct call *call)
{
    if (!call)
        return;
    call->link = sd_varlink_unref(call->link);
    call_free(call);
}

/* ---- replies ---- */

static void ended(struct call *call, int r)
{
    call->ended = true;
    call->close = r < 0; /* more waits for it than is allowed: it did not read */
}

static void call_fail_as(struct call *call, const char *id, sd_json_variant *values)
{
    ended(call, sd_varlink_error(call->link, id, values) == -ENOBUFS ? -ENOBUFS : 0);
}

void call_fail(struct call *call, const char *name, sd_json_variant *values)
{
    CLEANUP_FREE char *id = string_format(INTERFACE_NAME ".%s", name);
    sd_json_variant *shaped = NULL;
    const char *bad = NULL;

    if (shape(interface_symbol(name), SD_VARLINK_REGULAR, values, &shaped, &bad) < 0)
        call_fail_text(call, "NotUnderstood", "\"%s\" is missing in pathdog's answer",
                       bad ? bad : "an object");
    else
        call_fail_as(call, id, shaped);
    sd_json_variant_unref(shaped);
    sd_json_variant_unref(values);
}

void call_fail_text(struct call *call, const char *name, const char *format, ...)
{
    CLEANUP_FREE char *id = string_format(INTERFACE_NAME ".%s", name);
    CLEANUP_FREE char *text = NULL;
    sd_json_variant *values = NULL;
    va_list list;

    va_start(list, format);
    if (vasprintf(&text, format, list) < 0)
        memory_out();
    va_end(list);
    object_set_text(&values, "message", text);
    call_fail_as(call, id, values);
    sd_json_variant_unref(values);
}

/* Returns NULL: it has been said what was wrong. */
static sd_json_variant *shaped_reply(struct call *call, sd_json_variant *values)
{
    sd_json_variant *shaped = NULL;
    const char *bad = NULL;

    if (shape(call->symbol, SD_VARLINK_OUTPUT, values, &shaped, &bad) == 0)
        return shaped;
    call_fail_text(call, "NotUnderstood",
                   "\"%s\" in pathdog's answer is missing, or not what this interface has",
                   bad ? bad : "the object");
    return NULL;
}

void call_reply(struct call *call, sd_json_variant *values)
{
    sd_json_variant *shaped = shaped_reply(call, values);

    if (shaped)
        ended(call, sd_varlink_reply(call->link, shaped));
    sd_json_variant_unref(shaped);
}

void call_tell(struct call *call, sd_json_variant *values)
{
    sd_json_variant *shaped = shaped_reply(call, values);
    int r = shaped ? sd_varlink_notify(call->link, shaped) : 0;

    if (r < 0)
        ended(call, r);
    sd_json_variant_unref(shaped);
}

/* ---- requests ---- */

static void no_daemon(struct call *call, int error)
{
    const char *path = call->service->control;

    switch (error) {
    case -ENOENT:
    case -ECONNREFUSED:
        call_fail_text(call, "NotRunning",
                       "%s: no process listens there: pathdog is not running, or its configuration "
                       "names another socket",
                       path);
        break;
    case -ECONNRESET:
    case -EPIPE:
        call_fail_text(call, "NotRunning",
                       "%s: pathdog closed the connection: it was stopped, or restarted", path);
        break;
    case -EACCES:
    case -EPERM:
        call_fail_text(call, "NotRunning",
                       "%s: pathdog-varlink may not open it (user %u): it must run with pathdog's "
                       "user or group",
                       path, (unsigned)geteuid());
        break;
    case -EAGAIN:
        call_fail_text(call, "NotAnswering", "%s: pathdog accepts no connections: it hangs", path);
        break;
    case -EBADMSG:
        call_fail_text(call, "NotUnderstood",
                       "%s: what came is not JSON: is this pathdog's socket?", path);
        break;
    case -E2BIG:
        call_fail_text(call, "BadParameter", "the parameters are longer than %zu bytes",
                       REQUEST_BYTES_MAX);
        break;
    default:
        call_fail_text(call, "NotRunning", "%s: %s", path, strerror(-error));
    }
}

void call_wait(struct call *call, uint64_t span_us)
{
    if (span_us)
        sd_event_source_set_time_relative(call->deadline, span_us);
    sd_event_source_set_enabled(call->deadline, span_us ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

void call_ask(struct call *call, const char *method, sd_json_variant *params,
              void (*answered)(struct call *call, sd_json_variant *result))
{
    sd_json_variant *request = NULL;
    int r;

    object_set_text(&request, "jsonrpc", "2.0");
    object_set_number(&request, "id", (uint64_t)++call->request);
    object_set_text(&request, "method", method);
    object_set(&request, "params", params);
    call->answered = answered;
    call->asked = true;
    call_wait(call, ANSWER_US);
    r = channel_send(call->channel, request);
    sd_json_variant_unref(request);
    sd_json_variant_unref(params);
    if (r < 0 && r != -EPIPE && r != -ECONNRESET) /* of these, it may have said why */
        no_daemon(call, r);
}

sd_json_variant *call_parameters(const struct call *call, const char *const *without)
{
    sd_json_variant *params = NULL;

    for (const sd_varlink_field *field = call->symbol->fields; field->field_type; field++) {
        bool left_out = field->field_direction != SD_VARLINK_INPUT;

        for (size_t i = 0; without && without[i]; i++)
            left_out |= !strcmp(field->name, without[i]);
        if (!left_out)
            object_set(&params, field->name, member(call->parameters, field->name));
    }
    return params;
}

/* ---- answers ---- */

static void unknown_peer(struct call *call, sd_json_variant *data)
{
    sd_json_variant *values = sd_json_variant_ref(data);

    object_set(&values, "peer", member(call->parameters, "peer"));
    call_fail(call, "NoSuchPeer", values);
}

static void refused(struct call *call, sd_json_variant *error)
{
    const char *message = text_of(error, "message");
    int64_t code = sd_json_variant_integer(sd_json_variant_by_key(error, "code"));

    switch (code) {
    case ERROR_PARAMS:
        call_fail_text(call, "BadParameter", "%s", message);
        break;
    case ERROR_UNKNOWN_PEER:
        unknown_peer(call, member(error, "data"));
        break;
    case ERROR_REFUSED:
        call_fail_text(call, "Refused", "%s", message);
        break;
    case ERROR_TOO_MANY:
        call_fail_text(call, "Busy", "%s", message);
        break;
    default:
        call_fail_text(call, "NotUnderstood", "pathdog refused the request: %s", message);
    }
}

static bool is_answer(const struct call *call, sd_json_variant *message)
{
    sd_json_variant *id = sd_json_variant_by_key(message, "id");

    return call->asked && sd_json_variant_is_integer(id) &&
           sd_json_variant_integer(id) == call->request;
}

/* One line of the daemon. */
static void take(struct call *call, sd_json_variant *message)
{
    sd_json_variant *error = member(message, "error");

    if (error) { /* also that of id null, to a client that is not let in */
        refused(call, error);
    } else if (is_answer(call, message)) {
        call->asked = false;
        call_wait(call, 0);
        call->answered(call, member(message, "result"));
    } else if (call->told && *text_of(message, "method")) {
        call->told(call, text_of(message, "method"), member(message, "params"));
    }
}

/* ---- the loop ---- */

static bool waits_for_client(const struct call *call)
{
    return sd_varlink_get_events(call->link) & EPOLLOUT;
}

static void pause_for_client(struct call *call)
{
    call->paused = true;
    channel_listen(call->channel, false);
    sd_event_source_set_time_relative(call->slow, SLOW_US);
    sd_event_source_set_enabled(call->slow, SD_EVENT_ONESHOT);
}

static void go_on(struct call *call)
{
    call->paused = false;
    channel_listen(call->channel, true);
    sd_event_source_set_enabled(call->slow, SD_EVENT_OFF);
}

/* What was read, line by line; then nothing more until the client has taken what came of it. */
static void work(struct call *call)
{
    sd_json_variant *message;
    int r = 0;

    while (!call->ended && (r = channel_next(call->channel, &message)) > 0) {
        take(call, message);
        sd_json_variant_unref(message);
    }
    if (!call->ended && r < 0)
        no_daemon(call, r);
    if (!call->ended && !waits_for_client(call) && call->drained) {
        void (*drained)(struct call *) = call->drained;

        call->drained = NULL;
        drained(call);
    }
    if (call->ended)
        call_free(call);
    else if (waits_for_client(call) && !call->paused)
        pause_for_client(call);
}

static int readable(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct call *call = user;
    int r = channel_read(call->channel);

    (void)source;
    (void)fd;
    (void)revents;
    if (r < 0)
        no_daemon(call, r);
    work(call);
    return 0;
}

int call_look_after(sd_event_source *source, void *user)
{
    struct service *service = user;
    struct call *next;

    (void)source;
    for (struct call *call = service->calls; call; call = next) {
        next = call->next;
        if (!call->paused || waits_for_client(call))
            continue;
        go_on(call);
        work(call);
    }
    return 0;
}

static int is_slow(sd_event_source *source, uint64_t now_us, void *user)
{
    struct call *call = user;

    (void)source;
    (void)now_us;
    call->close = true;
    call_free(call);
    return 0;
}

static int is_late(sd_event_source *source, uint64_t now_us, void *user)
{
    struct call *call = user;

    (void)source;
    (void)now_us;
    if (call->late && !call->asked)
        call->late(call);
    else
        call_fail_text(call, "NotAnswering",
                       "%s: pathdog has not answered within %u s: it hangs, or is stopped",
                       call->service->control, (unsigned)(ANSWER_US / 1000000));
    work(call);
    return 0;
}

/* ---- its beginning ---- */

static void known_as(struct call *call, sd_json_variant *result)
{
    (void)result;
    call->method->begin(call);
}

/* The daemon is told for whom this is: records have that user, and so has its fairness. */
static void introduce(struct call *call)
{
    sd_json_variant *params = NULL;
    uid_t uid;

    if (sd_varlink_get_peer_uid(call->link, &uid) < 0) {
        call_fail_text(call, "Refused", "the kernel does not say who calls");
        return;
    }
    if (uid == geteuid()) {
        call->method->begin(call);
        return;
    }
    object_set_number(&params, "uid", uid);
    call_ask(call, "as", params, known_as);
}

static int timers(struct call *call)
{
    sd_event *loop = call->service->loop;
    int r = sd_event_add_time(loop, &call->deadline, CLOCK_MONOTONIC, 0, 0, is_late, call);

    if (r >= 0)
        r = sd_event_source_set_enabled(call->deadline, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_time(loop, &call->slow, CLOCK_MONOTONIC, 0, 0, is_slow, call);
    if (r >= 0)
        r = sd_event_source_set_enabled(call->slow, SD_EVENT_OFF);
    return r;
}

static void say_oneway(struct service *service, const struct method *method)
{
    if (!service->n_oneway++)
        fprintf(
            stderr,
            "pathdog-varlink: %s was called with \"oneway\", and is not done: its failure would "
            "be told to nobody; this is not said again\n",
            method->name);
}

int call_begin(struct service *service, const struct method *method, sd_varlink *link,
               sd_json_variant *parameters, sd_varlink_method_flags_t flags)
{
    struct call *call = memory_new(1, sizeof(*call));
    const char *bad = NULL;
    int r;

    *call = (struct call){
        .service = service,
        .next = service->calls,
        .link = sd_varlink_ref(link),
        .method = method,
        .symbol = interface_symbol(method->name),
        .more = flags & SD_VARLINK_METHOD_MORE,
    };
    service->calls = call;
    sd_varlink_set_userdata(link, call);
    if (flags & SD_VARLINK_METHOD_ONEWAY) { /* nobody would hear that it failed */
        say_oneway(service, method);
        call->ended = true;
    } else if (shape(call->symbol, SD_VARLINK_INPUT, parameters, &call->parameters, &bad) < 0) {
        sd_varlink_error_invalid_parameter_name(link, bad);
        call->ended = true;
    } else {
        r = timers(call);
        if (r >= 0)
            r = channel_open(service->control, service->loop, readable, call, &call->channel);
        if (r < 0)
            no_daemon(call, r);
        else
            introduce(call);
    }
    if (call->ended)
        call_free(call);
    return 1;
}
