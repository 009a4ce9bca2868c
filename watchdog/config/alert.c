/* SPDX-License-Identifier: Apache-2.0 */
/* The section [alert]: its keys in one table, its events in another. Whether the program is there
 * is for alert-program.c to find out. */
#include <errno.h>

#include "../util/format.h"
#include "../util/glob.h"
#include "../util/nearest.h"
#include "../util/words.h"
#include "build.h"
#include "settings.h"
#include "value.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)

/* clang-format off */
const struct pd_option alert_options[] = {
    [ALERT_PROGRAM] = {"program", PD_OPTION_TEXT, NULL, 0, 0, "the program that is run, with its arguments; no shell reads them"},
    [ALERT_ON] = {"on", PD_OPTION_TEXT,
        "stalled worse node-* peers-* pathdog-* error uplink-up uplink-down uplink-silent uplink-slow uplink-penalty uplink-proven",
        0, 0, "what it is run for: names of events, or globs of them, separated by spaces"},
    [ALERT_MATCH] = {"match", PD_OPTION_GLOBS, NULL, 0, 0, "of events about a peer, only those of peers with such a name"},
    [ALERT_TIMEOUT] = {"timeout", PD_OPTION_TIME, "30s", 100 * MS, HOUR, "how long it may run: then SIGTERM, and 1 s later SIGKILL, to all that it has started"},
    [ALERT_AT_ONCE] = {"at_once", PD_OPTION_INTEGER, "1", 1, 16, "how many may run at a time"},
    [ALERT_BURST] = {"burst", PD_OPTION_INTEGER, "10", 1, 1000, "how many events in quick succession are told one by one"},
    [ALERT_EVERY] = {"every", PD_OPTION_TIME, "10s", 10 * MS, 24 * HOUR, "after a burst: one call in this time, for all events since the last one"},
    [ALERT_CHECK_INTERVAL] = {"check_interval", PD_OPTION_TIME, "10s", 100 * MS, HOUR, "between two questions whether all is well; what is wrong twice in a row is an event"},
    [ALERT_KEY_COUNT] = {NULL},
};

const struct alert_event_name alert_events[ALERT_EVENT_COUNT] = {
    [ALERT_BROKEN] = {"broken", "nothing works: \"pathdogctl status --check\" says broken"},
    [ALERT_PATHDOG_DOWN] = {"pathdog-down", "pathdog could not be reached for 10 s"},
    [ALERT_NODE_DOWN] = {"node-down", "the node went, or cannot be reached"},
    [ALERT_NODE_SILENT] = {"node-silent", "the node is connected, and does not answer"},
    [ALERT_PEERS_SILENT] = {"peers-silent", "the path to a peer is dead, and stays so"},
    [ALERT_ERROR] = {"error", "a notice of level error"},
    [ALERT_UPLINK_SILENT] = {"uplink-silent", "connections are leaving an uplink, because nothing gets through"},
    [ALERT_UPLINK_DOWN] = {"uplink-down", "an uplink cannot be used: no carrier, no address, no route"},
    [ALERT_LOOK] = {"look", "something is worth a look: \"pathdogctl status --check\" says look"},
    [ALERT_STALLED] = {"stalled", "a connection made no progress after its move"},
    [ALERT_WORSE] = {"worse", "a move made it worse"},
    [ALERT_FAILED] = {"failed", "a request to move a connection failed; it may be tried again"},
    [ALERT_UPLINK_PENALTY] = {"uplink-penalty", "a move to an uplink failed; it is not tried for a while"},
    [ALERT_UPLINK_SLOW] = {"uplink-slow", "connections are leaving an uplink, because it got worse"},
    [ALERT_DEAD] = {"dead", "the path of a connection was found dead"},
    [ALERT_WARNING] = {"warning", "a notice of level warning"},
    [ALERT_MOVE] = {"move", "the node is asked to move a connection"},
    [ALERT_UPLINK_HELD] = {"uplink-held", "an operator holds an uplink"},
    [ALERT_UPLINK_RELEASED] = {"uplink-released", "an uplink is not held any more"},
    [ALERT_UPLINK_PROVEN] = {"uplink-proven", "an uplink was proven to work: connections come back"},
    [ALERT_UPLINK_UP] = {"uplink-up", "an uplink can be used again"},
    [ALERT_PEERS_HEARD] = {"peers-heard", "no peer is silent any more"},
    [ALERT_NODE_ANSWERS] = {"node-answers", "the node answers again"},
    [ALERT_NODE_UP] = {"node-up", "the node came"},
    [ALERT_PATHDOG_UP] = {"pathdog-up", "pathdog can be reached again"},
    [ALERT_OK] = {"ok", "all is well again: \"pathdogctl status --check\" says ok"},
};
/* clang-format on */

static char *unknown_event(const char *word)
{
    const char *names[ALERT_EVENT_COUNT], *nearest;
    CLEANUP_FREE char *list = string_copy("");

    for (size_t i = 0; i < ALERT_EVENT_COUNT; i++) {
        char *longer = string_format("%s%s%s", list, i ? ", " : "", alert_events[i].name);

        names[i] = alert_events[i].name;
        free(list);
        list = longer;
    }
    nearest = nearest_word(word, names, ALERT_EVENT_COUNT);
    return nearest ? string_format("\"%.80s\" is no event; did you mean %s?", word, nearest)
                   : string_format("\"%.80s\" is no event, nor a glob that fits one; events are %s",
                                   word, list);
}

/* Returns NULL, or what is wrong with it. */
static char *events_parse(const char *text, uint64_t *ret_events)
{
    CLEANUP_FREE char *copy = string_copy(text);
    char *save = NULL;
    uint64_t events = 0;

    for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        uint64_t these = 0;

        for (size_t i = 0; i < ALERT_EVENT_COUNT; i++)
            if (glob_matches_once(word, alert_events[i].name))
                these |= UINT64_C(1) << i;
        if (!these)
            return unknown_event(word);
        events |= these;
    }
    *ret_events = events;
    return events ? NULL : string_copy("is empty: name at least one event, such as broken");
}

static char *program_wrong(const char *text)
{
    const char *why = NULL;
    CLEANUP_FREE char **words = words_split(text, &why);

    return words ? NULL
                 : string_format("\"%.80s\": %s; allowed is the absolute path of a program, and "
                                 "its arguments",
                                 text, why);
}

/* What one value must be beside its type. Returns NULL, or what is wrong. */
static char *check_value(struct config_alert *alert, enum alert_key key, const char *text)
{
    switch (key) {
    case ALERT_PROGRAM:
        return program_wrong(text);
    case ALERT_ON:
        return events_parse(text, &alert->events);
    case ALERT_MATCH:
        globs_free(alert->match);
        alert->match = globs_new(text);
        return alert->match->n ? NULL
                               : string_copy("is empty; allowed are globs, separated by spaces");
    default:
        return NULL;
    }
}

static int set(struct config *config, const struct ini_entry *entry, char **ret_error)
{
    struct config_alert *alert = &config->alert;
    const char *names[ALERT_KEY_COUNT];
    char *text = NULL;

    for (size_t i = 0; i < ALERT_KEY_COUNT; i++) {
        names[i] = alert_options[i].name;
        if (strcmp(entry->key, names[i]) != 0)
            continue;
        if (option_parse(&alert_options[i], config_own(config, string_copy(entry->value)),
                         &alert->values[i], &text) < 0)
            return config_fail(entry, ret_error, -EINVAL, text);
        text = check_value(alert, (enum alert_key)i, alert->values[i].text);
        if (text)
            return config_fail(entry, ret_error, -EINVAL, text);
        alert->origins[i] = config_origin_of(config, entry);
        return 0;
    }
    return config_fail(entry, ret_error, -EINVAL,
                       config_unknown_key(entry->key, names, ALERT_KEY_COUNT));
}

static int defaults(struct config_alert *alert, char **ret_error)
{
    for (size_t i = 0; i < ALERT_KEY_COUNT; i++) {
        const char *usual = alert_options[i].default_text;

        if (!usual)
            continue;
        if (option_parse(&alert_options[i], usual, &alert->values[i], ret_error) < 0)
            return -EINVAL;
        *ret_error = check_value(alert, (enum alert_key)i, usual);
        if (*ret_error)
            return -EINVAL;
    }
    return 0;
}

int alert_apply(struct config *config, const struct ini *ini, char **ret_error)
{
    struct config_alert *alert = &config->alert;
    int r = defaults(alert, ret_error);

    for (size_t i = 0; i < ini->n_entries && r >= 0; i++) {
        const struct ini_entry *entry = &ini->entries[i];

        if (strcmp(entry->section, "alert") != 0)
            continue;
        if (entry->key) {
            r = set(config, entry, ret_error);
        } else if (!alert->given) {
            alert->given = true;
            alert->section = config_origin_of(config, entry);
        }
    }
    if (r >= 0 && alert->given && !alert->values[ALERT_PROGRAM].given)
        return error_set(ret_error, -EINVAL,
                         "%s:%u: [alert]: needs \"program\": the absolute path of what is run",
                         alert->section.file, alert->section.line);
    return r;
}
