/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators command. Each becomes one event, so that it is recorded and
 * replays; a notice says who it was.
 */
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>

#include "../engine/base/names.h"
#include "../out/format.h"
#include "../util/duration.h"
#include "private.h"

/* Names that something is kept of, known or not: not without end. */
#define NAMES_MAX 65536u
/* Of those that are held, in an answer. */
#define NAMES_SHOWN 12u

struct who {
    char text[32];
};

static struct who who(const struct request *request)
{
    struct who ret = {"somebody"};

    if (request->client->uid != UINT32_MAX)
        snprintf(ret.text, sizeof(ret.text), "uid %u", request->client->uid);
    return ret;
}

static void dispatch(struct request *request, struct event_command *command)
{
    const struct control_host *host = &request->control->host;
    struct event event = {.type = EVENT_COMMAND, .command = *command};

    host->dispatch(host->user, &event);
    request->now_us = clock_us(CLOCK_MONOTONIC);
}

static void notify(struct request *request, const char *what, const char *text)
{
    const struct control_host *host = &request->control->host;

    host->notice(host->user, PD_LEVEL_NOTICE, what, text);
}

/* The decision about what was just asked, NULL: none was kept. */
static const struct record *decision_since(const struct request *request, uint64_t since,
                                           const char *name)
{
    const struct record *record;
    struct inspect_walk walk = {0};

    for (uint32_t i = 0; i < RECORDS_WALK; i++) {
        record = inspect_walk(request->engine, &walk);
        if (!record || walk.before <= since)
            return NULL;
        if (record->type == RECORD_DECISION && record->decision.kind == PD_KIND_OPERATOR &&
            !strcmp(record->decision.subject.peer->s, name))
            return record;
    }
    return NULL;
}

/* Where it is to go to must reach the node, or the operator must know that it
 * does not. Returns false: answered with an error. */
static bool target_fits(struct request *request, const struct event_command *command)
{
    struct inspect_status status = inspect_status(request->engine, request->now_us);
    const char *bound = command->interface ? "interface" : command->local ? "local" : NULL;

    if (command->interface &&
        (strlen(command->interface) >= IF_NAMESIZE || strpbrk(command->interface, "/ "))) {
        answer_error(request, ERROR_PARAMS, "\"interface\" is not the name of an interface");
        return false;
    }
    if (!status.up) /* if it is down, the decision says so */
        return true;
    if (command->via && command->by == COMMAND_BY_RECONNECT) {
        answer_error(request, ERROR_REFUSED,
                     "\"via\" is allowed with migrate only: a reconnect goes through no relay");
        return false;
    }
    if (bound && !(status.features & NODE_BIND)) {
        answer_error(request, ERROR_REFUSED,
                     "\"%s\" cannot be used: the node does not offer the feature \"bind\"", bound);
        return false;
    }
    if (command->via && !(status.features & NODE_RELAY)) {
        answer_error(request, ERROR_REFUSED,
                     "\"via\" cannot be used: the node does not offer the feature \"relay\"");
        return false;
    }
    return true;
}

/* The interface of the uplink that was asked for. Returns false: answered with an error. */
static bool target_uplink(struct request *request, struct event_command *command)
{
    const char *name = param_text(request, "uplink");
    struct inspect_uplink uplink;

    if (!name)
        return true;
    if (command->interface) {
        answer_error(request, ERROR_PARAMS, "only one of \"uplink\" and \"interface\" is allowed");
        return false;
    }
    if (!request_uplink(request, name, &uplink))
        return false;
    command->interface = uplink.interface;
    return true;
}

void command_migrate(struct request *request)
{
    static const char *const means[] = {
        [COMMAND_BY_MIGRATE - 1] = "migrate", [COMMAND_BY_RECONNECT - 1] = "reconnect", NULL};
    const char *name = param_text(request, "peer");
    int by = param_choice(request, "by", means, COMMAND_BY_MIGRATE - 1);
    struct who asker = who(request);
    struct event_command command = {
        .type = COMMAND_MOVE,
        .peer = name,
        .by = (enum command_by)(by + 1),
        .interface = param_text(request, "interface"),
        .local = param_text(request, "local"),
        .via = param_text(request, "via"),
        .who = asker.text,
    };
    struct inspect_peer peer;
    const struct record *record;
    uint64_t since = 0;
    struct buffer *out;

    if (by < 0)
        return;
    if (!inspect_find(request->engine, request->now_us, name, &peer)) {
        answer_unknown_peer(request, name);
        return;
    }
    if (!target_uplink(request, &command) || !target_fits(request, &command))
        return;
    (void)inspect_record(request->engine, &since);
    dispatch(request, &command);
    record = decision_since(request, since, name);
    out = answer_begin(request);
    put_open(out, NULL, "{");
    put_name(out, "decision");
    if (record) {
        record_json(out, record, request->control->host.run);
        out->length--; /* its LF */
    } else {
        buffer_append(out, "null", 4);
    }
    put_close(out, "}");
    answer_end(request);
}

/* Whom a hold or a release is about. */
struct whom {
    const char *peer, *uplink; /* one of them, or none: all peers */
    char text[IF_NAMESIZE + 300];
};

/* One of `peer`, `uplink` and `all`. Returns false: answered with an error. */
static bool whom(struct request *request, struct whom *ret)
{
    const char *uplink = param_text(request, "uplink");
    struct inspect_uplink found;

    *ret = (struct whom){.peer = param_text(request, "peer")};
    if (param_bool(request, "all") + !!ret->peer + !!uplink != 1) {
        answer_error(request, ERROR_PARAMS,
                     "exactly one of \"peer\", \"uplink\" and \"all\":true is needed");
        return false;
    }
    if (uplink && !request_uplink(request, uplink, &found))
        return false;
    ret->uplink = uplink ? found.name : NULL;
    snprintf(ret->text, sizeof(ret->text), "%s%s", uplink ? "uplink " : "",
             uplink      ? found.name
             : ret->peer ? ret->peer
                         : "all peers");
    return true;
}

/* How many peers missed something while they were held or observed, and get it now. */
static void put_missed(const struct request *request, struct buffer *out)
{
    uint32_t missed = inspect_status(request->engine, request->now_us).missed;

    if (missed)
        put_u64(out, "n_missed", missed);
}

/* With the holds that are in force now, for one ends no other. */
static void answer_held(struct request *request, const struct whom *whom, bool held)
{
    const char *names[NAMES_SHOWN];
    uint32_t n_names = inspect_holds(request->engine, request->now_us, names, ARRAY_SIZE(names));
    struct buffer *out = answer_begin(request);

    put_open(out, NULL, "{");
    put_text(out, "peer", whom->peer);
    if (whom->uplink)
        put_text(out, "uplink", whom->uplink);
    put_bool(out, "held", held);
    put_bool(out, "all_held", inspect_status(request->engine, request->now_us).all_held);
    put_u64(out, "n_held", n_names);
    put_open(out, "names", "[");
    for (uint32_t i = 0; i < n_names && i < ARRAY_SIZE(names); i++)
        put_text(out, NULL, names[i]);
    put_close(out, "]");
    put_missed(request, out);
    put_close(out, "}");
    answer_end(request);
}

/* Nothing would leave it, and nobody would say so. Returns false: answered with an error. */
static bool may_hold_uplink(struct request *request, const struct whom *whom)
{
    const struct control_host *host = &request->control->host;
    struct inspect_status status = inspect_status(request->engine, request->now_us);

    if (status.up && !(status.features & NODE_BIND)) {
        answer_error(
            request, ERROR_REFUSED,
            "uplink %s cannot be held: the node does not offer the feature \"bind\", so its "
            "connections cannot be moved to another uplink",
            whom->uplink);
        return false;
    }
    if (host->config(host->user)->engine.choose)
        return true;
    answer_error(request, ERROR_REFUSED,
                 "uplink %s cannot be held: with \"choose = no\" in the section [watchdog] no "
                 "connection is moved to another uplink",
                 whom->uplink);
    return false;
}

/* Returns false: answered with an error. */
static bool may_hold_peer(struct request *request, const char *name)
{
    struct inspect_peer peer;

    if (inspect_find(request->engine, request->now_us, name, &peer))
        return true;
    if (!param_bool(request, "absent")) {
        answer_unknown_peer(request, name);
        return false;
    }
    if (inspect_status(request->engine, request->now_us).names < NAMES_MAX)
        return true;
    answer_error(request, ERROR_REFUSED,
                 "%u names are kept already, which is the most allowed: release some peers first",
                 NAMES_MAX);
    return false;
}

void command_hold(struct request *request)
{
    struct event_command command = {
        .type = COMMAND_HOLD,
        .duration_us = param_u64(request, "for_us"),
    };
    struct who asker = who(request);
    struct whom held;
    char text[400], span[DURATION_SIZE];

    if (!whom(request, &held))
        return;
    if (param_given(request, "for_us") && !command.duration_us) {
        answer_error(
            request, ERROR_PARAMS,
            "\"for_us\" is 0; allowed is 1 or more, or no \"for_us\" to hold until released");
        return;
    }
    if ((held.uplink && !may_hold_uplink(request, &held)) ||
        (held.peer && !may_hold_peer(request, held.peer)))
        return;
    command.peer = held.peer;
    command.uplink = held.uplink;
    command.who = asker.text;
    dispatch(request, &command);
    snprintf(text, sizeof(text), "%s holds %s%s%s", asker.text, held.text,
             command.duration_us ? " for " : "",
             command.duration_us ? duration_text(span, command.duration_us) : "");
    notify(request, "hold", text);
    answer_held(request, &held, true);
}

static bool uplink_is_held(const struct request *request, const char *name)
{
    struct inspect_uplink uplink;

    return inspect_uplink_find(request->engine, request->now_us, name, &uplink) && uplink.held;
}

/* Returns false: there is no such hold, answered with an error that names those there are. */
static bool may_release(struct request *request, const struct whom *whom)
{
    bool all_held = inspect_status(request->engine, request->now_us).all_held;
    const char *name = whom->peer;

    if (whom->uplink && uplink_is_held(request, whom->uplink))
        return true;
    if (whom->uplink) {
        answer_error(request, ERROR_REFUSED, "nothing to release: %s is not held", whom->text);
        return false;
    }
    if (name ? inspect_held(request->engine, request->now_us, name) : all_held)
        return true;
    if (!name)
        answer_error(request, ERROR_REFUSED,
                     "nothing to release: \"hold --all\" is not in force; %u %s held by name",
                     inspect_holds(request->engine, request->now_us, NULL, 0),
                     inspect_holds(request->engine, request->now_us, NULL, 0) == 1 ? "peer is"
                                                                                   : "peers are");
    else
        answer_error(request, ERROR_REFUSED, "nothing to release: %s is not held by name%s", name,
                     all_held ? ", but all peers are; \"pathdogctl release --all\" ends that" : "");
    return false;
}

void command_release(struct request *request)
{
    struct event_command command = {.type = COMMAND_RELEASE};
    struct who asker = who(request);
    struct whom held;
    struct inspect_peer peer;
    char text[400];

    if (!whom(request, &held))
        return;
    if (held.peer && !inspect_find(request->engine, request->now_us, held.peer, &peer) &&
        !inspect_held(request->engine, request->now_us, held.peer)) {
        answer_unknown_peer(request, held.peer);
        return;
    }
    if (param_bool(request, "if_held") && !may_release(request, &held))
        return;
    command.peer = held.peer;
    command.uplink = held.uplink;
    command.who = asker.text;
    dispatch(request, &command);
    snprintf(text, sizeof(text), "%s releases %s%s", asker.text, held.text,
             held.peer || held.uplink ? "" : " but those held by name");
    notify(request, "release", text);
    answer_held(request, &held, false);
}

void command_mode(struct request *request)
{
    enum mode before = inspect_status(request->engine, request->now_us).mode;
    int mode = param_choice(request, "mode", mode_names, (int)before);
    struct who asker = who(request);
    struct buffer *out;
    char text[96];

    if (mode < 0)
        return;
    if (mode != (int)before) {
        dispatch(request, &(struct event_command){
                              .type = COMMAND_MODE,
                              .observe = mode == MODE_OBSERVE,
                              .who = asker.text,
                          });
        snprintf(text, sizeof(text), "%s switched the mode to %s", asker.text, mode_names[mode]);
        notify(request, "mode", text);
    }
    out = answer_begin(request);
    put_open(out, NULL, "{");
    put_text(out, "mode", mode_names[mode]);
    put_text(out, "before", mode_names[before]);
    if (mode != (int)before)
        put_missed(request, out);
    put_close(out, "}");
    answer_end(request);
}

void command_reload(struct request *request)
{
    const struct control_host *host = &request->control->host;
    CLEANUP_FREE char *error = NULL, *left = NULL;
    struct who asker = who(request);
    struct buffer *out;
    char text[64];

    snprintf(text, sizeof(text), "%s asked for a reload", asker.text);
    notify(request, "reload", text);
    if (host->reload(host->user, &left, &error) < 0) {
        answer_error(request, ERROR_REFUSED, "the running configuration stays in force: %s",
                     error ? error : "unknown error");
        return;
    }
    out = answer_begin(request);
    put_open(out, NULL, "{");
    put_bool(out, "reloaded", true);
    if (left)
        put_text(out, "not_in_force", left);
    put_close(out, "}");
    answer_end(request);
}
