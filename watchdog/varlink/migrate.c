/* SPDX-License-Identifier: Apache-2.0 */
/* Migrate: listens to the peer's records first, then asks for the move, then waits for its outcome.
 */
#include "../util/buffer.h"
#include "../util/util.h"
#include "methods.h"
#include "shape.h"

#define SPARE_US  UINT64_C(3000000)  /* after the time that is given to the node */
#define QUEUED_US UINT64_C(70000000) /* a queued decision is given up after a minute */

static bool is(sd_json_variant *object, const char *name, const char *word)
{
    return !strcmp(text_of(object, name), word);
}

static bool passed(sd_json_variant *decision)
{
    return is(decision, "verdict", "migrate") || is(decision, "verdict", "reconnect");
}

static void reply_with(struct call *call, void (*reply)(struct call *, sd_json_variant *),
                       const char *name, sd_json_variant *record)
{
    sd_json_variant *values = object_with(name, record);

    reply(call, values);
    sd_json_variant_unref(values);
}

/* ---- refused ---- */

/* The gate's words for it. */
static void take_why(struct call *call, sd_json_variant *result)
{
    sd_json_variant *gate = sd_json_variant_by_key(result, "gate"), *values = NULL;

    object_set(&values, "decision", call->kept);
    for (size_t i = 0; i < sd_json_variant_elements(gate); i++) {
        sd_json_variant *row = sd_json_variant_by_index(gate, i);

        if (is(row, "kind", "operator") && is(row, "by", text_of(call->kept, "by")) &&
            is(row, "verdict", text_of(call->kept, "verdict")))
            object_set(&values, "message", sd_json_variant_by_key(row, "text"));
    }
    call_fail(call, "NotMoved", values);
}

static void not_moved(struct call *call)
{
    call->told = NULL;
    call_ask(call, "explain", object_with("peer", member(call->parameters, "peer")), take_why);
}

/* ---- the outcome ---- */

static void unknown(struct call *call)
{
    call_fail_text(call, "OutcomeUnknown",
                   "decision %llu: the outcome is not known yet; its record will have it",
                   (unsigned long long)number_of(call->kept, "decision"));
}

static void outcome(struct call *call, sd_json_variant *record)
{
    if (is(record, "outcome", "migrated") || is(record, "outcome", "reconnected"))
        reply_with(call, call_reply, "outcome", record);
    else
        call_fail(call, "MoveFailed", object_with("outcome", record));
}

/* As soon as it is decided; and again when it leaves the queue. */
static void decided(struct call *call, sd_json_variant *decision)
{
    bool queued = is(decision, "verdict", "queued");
    sd_json_variant *wait = member(call->parameters, "wait");

    sd_json_variant_unref(call->kept);
    call->kept = sd_json_variant_ref(decision);
    if (!queued && !passed(decision)) {
        not_moved(call);
        return;
    }
    if (wait && !sd_json_variant_boolean(wait)) {
        reply_with(call, call_reply, "decision", decision);
        return;
    }
    if (call->more)
        reply_with(call, call_tell, "decision", decision);
    call->late = unknown;
    call_wait(call, queued ? QUEUED_US : number_of(decision, "timeout_ms") * 1000 + SPARE_US);
}

static void take_record(struct call *call, const char *what, sd_json_variant *record)
{
    if (!call->kept || strcmp(what, "record") != 0 ||
        number_of(record, "decision") != number_of(call->kept, "decision"))
        return;
    if (is(record, "record", "outcome"))
        outcome(call, record);
    else if (is(record, "record", "decision") && is(call->kept, "verdict", "queued") &&
             !is(record, "verdict", "queued"))
        decided(call, record);
}

static void take_decision(struct call *call, sd_json_variant *result)
{
    sd_json_variant *decision = member(result, "decision");

    if (decision)
        decided(call, decision);
    else
        call_fail_text(call, "OutcomeUnknown",
                       "the move was requested, but its records were dropped: too many at once");
}

static void listens(struct call *call, sd_json_variant *result)
{
    static const char *const without[] = {"wait", NULL};

    (void)result;
    call_ask(call, "migrate", call_parameters(call, without), take_decision);
}

/* A glob that this name alone matches. */
static void set_literal(sd_json_variant **params, const char *name)
{
    struct buffer pattern = {0};

    for (; *name; name++) {
        if (strchr("*?[]\\", *name))
            buffer_append(&pattern, "\\", 1);
        buffer_append(&pattern, name, 1);
    }
    buffer_append(&pattern, "", 1);
    object_set_text(params, "peer", buffer_bytes(&pattern));
    buffer_clear(&pattern);
}

void method_migrate(struct call *call)
{
    sd_json_variant *params = NULL;

    set_literal(&params, text_of(call->parameters, "peer"));
    object_set_number(&params, "limit", 0);
    object_set_flag(&params, "follow", true);
    call->told = take_record;
    call_ask(call, "decisions", params, listens);
}
