/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on is told when it begins and when it ends. */
#include "state.h"

#include <inttypes.h>
#include <string.h>

#include "../util/format.h"

#define TEXT_MAX 8192u /* it goes into a variable of the program's environment, too */

void state_init(struct state *state)
{
    *state = (struct state){.node = -1};
}

/* ---- kept over a restart ---- */

json_t *state_save(const struct state *state)
{
    return json_pack("{s:i,s:b,s:b,s:i,s:b}", "node", state->node, "node_silent",
                     state->node_silent.told, "peers_silent", state->peers_silent.told, "grade",
                     state->grade_told, "pathdog_gone", state->gone_told);
}

void state_load(struct state *state, const json_t *saved)
{
    int node, node_silent, peers_silent, grade, gone;

    if (!saved || json_unpack((json_t *)saved, "{s:i,s:b,s:b,s:i,s:b}", "node", &node,
                              "node_silent", &node_silent, "peers_silent", &peers_silent, "grade",
                              &grade, "pathdog_gone", &gone) < 0)
        return;
    if (node < -1 || node > 1 || grade < 0 || grade > 2)
        return;
    state->node = node;
    state->node_silent.told = node_silent;
    state->peers_silent.told = peers_silent;
    state->grade_told = grade;
    state->gone_told = gone;
}

/* ---- the node ---- */

bool state_node(struct state *state, const json_t *record)
{
    int up = !strcmp(member_text(record, "state"), "up");
    bool changed = state->node != up && (state->node >= 0 || !up);

    state->node = up;
    return changed;
}

static json_t *record_new(const char *kind, uint64_t time_us, const char *run)
{
    json_t *record = memory_check(json_object());

    member_set_text(record, "record", kind);
    member_set_number(record, "time_us", time_us);
    json_object_set_new(record, "run", run && *run ? json_string(run) : json_null());
    return record;
}

/* It may have come or gone while nobody followed. */
static void node_take(struct state *state, const json_t *status, uint64_t time_us,
                      state_tell_fn tell, void *user)
{
    const json_t *node = json_object_get(status, "node");
    bool down = !strcmp(member_text(node, "state"), "down");
    json_t *record = record_new("node", time_us, member_text(status, "run"));

    member_set_text(record, "state", down ? "down" : "up");
    member_set_text(record, "node", member_text(node, "name"));
    json_object_set(record, "implementation", json_object_get(node, "implementation"));
    json_object_set(record, "boot", json_object_get(node, "boot"));
    json_object_set(record, "reason", json_object_get(node, "reason"));
    if (state_node(state, record))
        tell(user, down ? ALERT_NODE_DOWN : ALERT_NODE_UP, record);
    else
        json_decref(record);
}

/* ---- what is wrong ---- */

static const json_t *reason_of(const json_t *status, const char *what)
{
    const json_t *reasons = json_object_get(status, "reasons");

    for (size_t i = 0; i < json_array_size(reasons); i++)
        if (!strcmp(member_text(json_array_get(reasons, i), "what"), what))
            return json_array_get(reasons, i);
    return NULL;
}

static int grade_of(const json_t *reason)
{
    const char *grade = member_text(reason, "grade");

    return !strcmp(grade, "broken") ? 2 : !strcmp(grade, "note") ? 0 : 1;
}

/* The worst there is, and in words what is wrong, the worst first, as far as there is room. The
 * caller frees them. */
static int grade_text(const json_t *status, char **ret_text)
{
    const json_t *reasons = json_object_get(status, "reasons");
    char *text = string_copy("");
    size_t length = 0;
    int worst = 0;

    for (int grade = 2; grade > 0; grade--)
        for (size_t i = 0; i < json_array_size(reasons); i++) {
            const json_t *reason = json_array_get(reasons, i);
            const char *more = member_text(reason, "text");
            char *longer;

            if (grade_of(reason) != grade)
                continue;
            worst = worst > grade ? worst : grade;
            if (length + strlen(more) > TEXT_MAX)
                continue;
            longer = string_format("%s%s%s", text, *text ? "; " : "", more);
            length = strlen(longer);
            free(text);
            text = longer;
        }
    *ret_text = text;
    return worst;
}

static json_t *check_record(const json_t *status, const char *text, int grade, uint64_t time_us)
{
    static const char *const names[] = {"ok", "look", "broken"};
    json_t *record = record_new("check", time_us, member_text(status, "run"));
    json_t *reasons = json_object_get(status, "reasons");

    member_set_text(record, "grade", names[grade]);
    member_set_text(record, "text", text);
    json_object_set_new(record, "reasons", reasons ? json_copy(reasons) : json_array());
    return record;
}

/* True where it has changed: what was seen twice in a row is so. */
static bool twice(struct state_twice *state, bool now)
{
    state->before = state->now;
    state->now = now;
    if (state->before != now || state->told == now)
        return false;
    state->told = now;
    return true;
}

/* Of very many peers pathdog has the numbers of a part, and no reason. */
static bool has_silent(const json_t *status)
{
    return reason_of(status, "peers-silent") ||
           member_number(json_object_get(status, "peers"), "silent");
}

static char *silent_text(const json_t *status)
{
    const json_t *reason = reason_of(status, "peers-silent"), *peers;

    if (reason)
        return string_copy(member_text(reason, "text"));
    peers = json_object_get(status, "peers");
    return string_format("%" PRIu64 " of %" PRIu64 " peers silent", member_number(peers, "silent"),
                         member_number(peers, "up"));
}

static void silence_take(struct state *state, const json_t *status, int grade, uint64_t time_us,
                         state_tell_fn tell, void *user)
{
    const json_t *reason = reason_of(status, "node-silent");
    bool silent = has_silent(status);

    if (twice(&state->node_silent, reason != NULL))
        tell(user, reason ? ALERT_NODE_SILENT : ALERT_NODE_ANSWERS,
             check_record(status, reason ? member_text(reason, "text") : "the node answers again",
                          grade, time_us));
    if (twice(&state->peers_silent, silent)) {
        CLEANUP_FREE char *text = silent ? silent_text(status) : string_copy("no peer is silent");

        tell(user, silent ? ALERT_PEERS_SILENT : ALERT_PEERS_HEARD,
             check_record(status, text, grade, time_us));
    }
}

void state_status(struct state *state, const json_t *status, uint64_t time_us, state_tell_fn tell,
                  void *user)
{
    static const enum alert_event events[] = {ALERT_OK, ALERT_LOOK, ALERT_BROKEN};
    CLEANUP_FREE char *text = NULL;
    int grade = grade_text(status, &text);

    if (!grade && has_silent(status)) {
        free(text);
        text = silent_text(status);
        grade = 1;
    }
    node_take(state, status, time_us, tell, user);
    silence_take(state, status, grade, time_us, tell, user);
    state->grade_before = state->grade;
    state->grade = grade;
    if (state->grade_before != grade || state->grade_told == grade)
        return;
    state->grade_told = grade;
    tell(user, events[grade],
         check_record(status, grade ? text : "all is well again", grade, time_us));
}

/* ---- pathdog itself ---- */

void state_gone(struct state *state, const char *reason, uint64_t now_us)
{
    if (!state->gone_us)
        state->gone_us = now_us ? now_us : 1;
    snprintf(state->reason, sizeof(state->reason), "%s", reason);
}

static json_t *pathdog_record(const struct state *state, const char *run, bool up, uint64_t time_us)
{
    json_t *record = record_new("pathdog", time_us, run);

    member_set_text(record, "state", up ? "up" : "down");
    json_object_set_new(record, "reason", up ? json_null() : json_string(state->reason));
    return record;
}

void state_back(struct state *state, const char *run, uint64_t time_us, state_tell_fn tell,
                void *user)
{
    bool told = state->gone_told;

    state->gone_us = 0;
    state->gone_told = false;
    if (told)
        tell(user, ALERT_PATHDOG_UP, pathdog_record(state, run, true, time_us));
}

uint64_t state_gone_due(struct state *state, uint64_t now_us, uint64_t time_us, state_tell_fn tell,
                        void *user)
{
    uint64_t due_us = add_u64(state->gone_us, STATE_GONE_US);

    if (!state->gone_us || state->gone_told)
        return UINT64_MAX;
    if (now_us < due_us)
        return due_us;
    state->gone_told = true;
    tell(user, ALERT_PATHDOG_DOWN, pathdog_record(state, NULL, false, time_us));
    return UINT64_MAX;
}
