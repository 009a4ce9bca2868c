/* SPDX-License-Identifier: Apache-2.0 */
/* Which event a record is, and its sentence. */
#include "event.h"

#include <inttypes.h>

#include "../util/format.h"
#include "../util/printable.h"

const char *member_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

uint64_t member_number(const json_t *object, const char *name)
{
    json_int_t number = json_integer_value(json_object_get(object, name));

    return number > 0 ? (uint64_t)number : 0;
}

void member_set_text(json_t *object, const char *name, const char *text)
{
    if (text)
        json_object_set_new(object, name, json_string(text));
}

void member_set_number(json_t *object, const char *name, uint64_t number)
{
    json_object_set_new(object, name, json_integer((json_int_t)number));
}

/* ---- which event ---- */

static bool is(const json_t *record, const char *name, const char *text)
{
    return !strcmp(member_text(record, name), text);
}

static int of_uplink(const json_t *record)
{
    CLEANUP_FREE char *name = string_format("uplink-%.20s", member_text(record, "change"));

    return event_find(name);
}

/* Of the outcomes, what docs/records.md has as a warning. */
static int of_outcome(const json_t *record)
{
    static const char *const good[] = {"migrated", "reconnected", "gone", "old-lives", "cancelled"};

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        if (is(record, "outcome", good[i]))
            return -1;
    return ALERT_FAILED;
}

/* One that is dead and moved is told as dead: what was done about it is in the record. */
static int of_decision(const json_t *record)
{
    if (is(record, "kind", "dead"))
        return ALERT_DEAD;
    return is(record, "verdict", "migrate") || is(record, "verdict", "reconnect") ? ALERT_MOVE : -1;
}

static int of_effect(const json_t *record)
{
    return is(record, "effect", "stalled") ? ALERT_STALLED
           : is(record, "effect", "worse") ? ALERT_WORSE
                                           : -1;
}

static int of_notice(const json_t *record)
{
    return is(record, "level", "error")     ? ALERT_ERROR
           : is(record, "level", "warning") ? ALERT_WARNING
                                            : -1;
}

int event_of(const json_t *record)
{
    static const struct {
        const char *name;
        int (*of)(const json_t *record);
    } kinds[] = {
        {"decision", of_decision}, {"outcome", of_outcome}, {"effect", of_effect},
        {"uplink", of_uplink},     {"notice", of_notice},
    };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (is(record, "record", kinds[i].name))
            return kinds[i].of(record);
    if (is(record, "record", "node"))
        return is(record, "state", "up") ? ALERT_NODE_UP : ALERT_NODE_DOWN;
    return -1;
}

int event_find(const char *name)
{
    for (int i = 0; i < ALERT_EVENT_COUNT; i++)
        if (!strcmp(name, alert_events[i].name))
            return i;
    return -1;
}

/* ---- in words ---- */

static char *decision_text(const json_t *record)
{
    return string_format("%s: %s: %s → %s", member_text(record, "peer"),
                         member_text(record, "trigger"), member_text(record, "reason"),
                         member_text(record, "verdict"));
}

static char *outcome_text(const json_t *record)
{
    const char *message = member_text(json_object_get(record, "error"), "message");

    return string_format("%s: %s failed after %" PRIu64 " ms: %s%s%s (attempt %" PRIu64 ")",
                         member_text(record, "peer"), member_text(record, "by"),
                         member_number(record, "elapsed_us") / 1000, member_text(record, "outcome"),
                         *message ? ", " : "", message, member_number(record, "attempt"));
}

static char *effect_text(const json_t *record)
{
    uint64_t before_us = member_number(record, "rtt_before_us");
    uint64_t after_us = member_number(record, "rtt_after_us");

    if (is(record, "effect", "worse") && before_us && after_us)
        return string_format("%s: worse after its move: RTT %" PRIu64 " ms → %" PRIu64 " ms",
                             member_text(record, "peer"), before_us / 1000, after_us / 1000);
    return string_format("%s: %s after its move", member_text(record, "peer"),
                         is(record, "effect", "worse") ? "worse" : "no progress");
}

static char *node_text(const json_t *record)
{
    const char *name = member_text(record, "node"), *reason = member_text(record, "reason");
    bool up = is(record, "state", "up");

    return string_format("node%s%s is %s%s%s", *name ? " " : "", name, up ? "up" : "down",
                         *reason && !up ? ": " : "", up ? "" : reason);
}

static char *uplink_text(const json_t *record)
{
    const char *reason = member_text(record, "reason");

    return string_format("uplink %s (%s): %s%s%s", member_text(record, "uplink"),
                         member_text(record, "interface"), member_text(record, "change"),
                         *reason ? ": " : "", reason);
}

static char *notice_text(const json_t *record)
{
    return string_format("%s: %s: %s", member_text(record, "level"), member_text(record, "what"),
                         member_text(record, "text"));
}

static char *pathdog_text(const json_t *record)
{
    const char *reason = member_text(record, "reason");

    return string_format("pathdog %s%s%s",
                         is(record, "state", "up") ? "can be reached again" : "cannot be reached",
                         *reason ? ": " : "", reason);
}

/* Of a check, and of a sum. */
static char *own_text(const json_t *record)
{
    return string_copy(member_text(record, "text"));
}

static char *sentence(const json_t *record)
{
    static const struct {
        const char *name;
        char *(*text)(const json_t *record);
    } kinds[] = {
        {"decision", decision_text}, {"outcome", outcome_text}, {"effect", effect_text},
        {"node", node_text},         {"uplink", uplink_text},   {"notice", notice_text},
        {"pathdog", pathdog_text},
    };
    CLEANUP_FREE char *text = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(kinds) && !text; i++)
        if (is(record, "record", kinds[i].name))
            text = kinds[i].text(record);
    if (!text)
        text = own_text(record);
    return text_shown(text);
}

json_t *event_object(const json_t *record, enum alert_event event)
{
    json_t *copy = json_copy((json_t *)record);
    CLEANUP_FREE char *text = sentence(record);

    member_set_text(copy, "event", alert_events[event].name);
    member_set_text(copy, "sentence", text);
    return copy;
}

/* ---- for a trial ---- */

static const char *example_text(enum alert_event event)
{
    static const char check[] = "{\"record\":\"check\",\"grade\":\"%s\",\"text\":\"%s\"}";
    static const char uplink[] =
        "{\"record\":\"uplink\",\"uplink\":\"home\",\"interface\":\"eth0\",\"peers\":6,"
        "\"reason\":\"an example, made by pathdog-alert --test\"}";

    switch (event) {
    case ALERT_STALLED:
    case ALERT_WORSE:
        return "{\"record\":\"effect\",\"decision\":41,\"peer\":\"example@192.0.2.1\",\"conn\":17,"
               "\"rtt_before_us\":41000,\"rtt_after_us\":null,\"samples_before\":3,"
               "\"samples_after\":0}";
    case ALERT_DEAD:
    case ALERT_MOVE:
        return "{\"record\":\"decision\",\"decision\":41,\"cause\":null,"
               "\"peer\":\"example@192.0.2.1\",\"conn\":17,\"trigger\":\"stall\",\"kind\":\"dead\","
               "\"by\":\"migrate\",\"reason\":\"an example, made by pathdog-alert --test\","
               "\"evidence\":{},\"verdict\":\"migrate\",\"request\":12,\"attempt\":1,"
               "\"timeout_ms\":5000}";
    case ALERT_FAILED:
        return "{\"record\":\"outcome\",\"decision\":41,\"request\":12,\"attempt\":1,"
               "\"peer\":\"example@192.0.2.1\",\"conn\":17,\"by\":\"migrate\","
               "\"outcome\":\"timeout\",\"validated\":null,\"elapsed_us\":5000000,"
               "\"local_before\":\"192.0.2.9:40001\",\"local_after\":null,\"conn_new\":null,"
               "\"error\":null}";
    case ALERT_NODE_DOWN:
    case ALERT_NODE_UP:
        return "{\"record\":\"node\",\"node\":\"example@192.0.2.9\",\"implementation\":null,"
               "\"boot\":null,\"reason\":\"an example, made by pathdog-alert --test\"}";
    case ALERT_ERROR:
    case ALERT_WARNING:
        return "{\"record\":\"notice\",\"what\":\"example\",\"count\":1,"
               "\"text\":\"an example, made by pathdog-alert --test\"}";
    case ALERT_PATHDOG_DOWN:
    case ALERT_PATHDOG_UP:
        return "{\"record\":\"pathdog\",\"reason\":\"an example, made by pathdog-alert --test\"}";
    default:
        return strncmp(alert_events[event].name, "uplink-", 7) ? check : uplink;
    }
}

/* What depends on the event alone. */
static void example_fill(json_t *record, enum alert_event event)
{
    const char *name = alert_events[event].name;
    bool up = event == ALERT_NODE_UP || event == ALERT_PATHDOG_UP;

    if (is(record, "record", "effect"))
        member_set_text(record, "effect", name);
    else if (is(record, "record", "node") || is(record, "record", "pathdog"))
        member_set_text(record, "state", up ? "up" : "down");
    else if (is(record, "record", "notice"))
        member_set_text(record, "level", name);
    else if (is(record, "record", "uplink"))
        member_set_text(record, "change", name + strlen("uplink-"));
    else if (event == ALERT_MOVE)
        member_set_text(record, "kind", "moved");
    if (!is(record, "record", "check"))
        return;
    member_set_text(record, "grade",
                    event == ALERT_BROKEN ? "broken"
                    : event == ALERT_OK || event == ALERT_PEERS_HEARD || event == ALERT_NODE_ANSWERS
                        ? "ok"
                        : "look");
    member_set_text(record, "text", "an example, made by pathdog-alert --test");
    json_object_set_new(record, "reasons", json_array());
}

json_t *event_example(enum alert_event event, uint64_t time_us)
{
    json_t *record = json_loads(example_text(event), 0, NULL);

    example_fill(record, event);
    member_set_number(record, "time_us", time_us);
    member_set_text(record, "run", "00000000000000000000000000000000");
    return record;
}
