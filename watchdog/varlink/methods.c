/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that are one request and its answer, and the table of all. */
#include "methods.h"

#include "shape.h"

static void answer(struct call *call, sd_json_variant *result)
{
    call_reply(call, result);
}

static void answer_as(struct call *call, const char *name, sd_json_variant *result)
{
    sd_json_variant *values = object_with(name, result);

    call_reply(call, values);
    sd_json_variant_unref(values);
}

static void answer_status(struct call *call, sd_json_variant *result)
{
    answer_as(call, "status", result);
}

static void answer_explanation(struct call *call, sd_json_variant *result)
{
    answer_as(call, "explanation", result);
}

static void get_status(struct call *call)
{
    call_ask(call, "status", NULL, answer_status);
}

static void explain(struct call *call)
{
    call_ask(call, "explain", call_parameters(call, NULL), answer_explanation);
}

static void hold(struct call *call)
{
    call_ask(call, "hold", call_parameters(call, NULL), answer);
}

/* That there was no such hold is an error. */
static void release(struct call *call)
{
    sd_json_variant *params = call_parameters(call, NULL);

    object_set_flag(&params, "if_held", true);
    call_ask(call, "release", params, answer);
}

static void set_mode(struct call *call)
{
    call_ask(call, "mode", call_parameters(call, NULL), answer);
}

static void reload(struct call *call)
{
    call_ask(call, "reload", NULL, answer);
}

const struct method methods[] = {
    {"GetStatus", get_status},
    {"ListPeers", method_list_peers},
    {"ListUplinks", method_list_uplinks},
    {"ListRelays", method_list_relays},
    {"Explain", explain},
    {"Migrate", method_migrate},
    {"Hold", hold},
    {"Release", release},
    {"SetMode", set_mode},
    {"Reload", reload},
    {"FollowDecisions", method_follow},
    {0},
};
