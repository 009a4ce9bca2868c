/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of [watchdog]'s keys, and the way of a value into the config and
 * back into text. A new key is a line here and nothing else.
 */
#include "settings.h"

#include <errno.h>
#include <sys/un.h>

#include "../engine/base/names.h"
#include "../util/format.h"
#include "../util/nearest.h"
#include "value.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const char *const prefers[] = {
    [PREFER_NODE] = "node", [PREFER_MIGRATE] = "migrate", [PREFER_RECONNECT] = "reconnect", NULL};
static const char *const fallbacks[] = {
    [FALLBACK_OFF] = "off", [FALLBACK_RECONNECT] = "reconnect", NULL};

static const char *check_socket(const char *text)
{
    if (text[0] != '/' && text[0] != '@')
        return "is not a socket: an absolute path, or @name for an abstract one";
    if (!text[1])
        return "has no name";
    if (strlen(text) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return "is longer than the 107 bytes that a socket's name may have";
    return NULL;
}

static const char *check_path(const char *text)
{
    return text[0] == '/' ? NULL : "is not an absolute path";
}

static const char *check_path_socket(const char *text)
{
    return text[0] == '/' ? check_socket(text) : check_path(text);
}

static const char *check_metrics(const char *text)
{
    return *text ? check_path_socket(text) : NULL;
}

static const char *check_user(const char *text)
{
    return strpbrk(text, " \t") || !*text ? "is not a user: a name or a number" : NULL;
}

#define TIME(name_, member, default_, min_, max_, help_)                                           \
    {                                                                                              \
        .option = {.name = (name_), PD_OPTION_TIME, (default_), (min_), (max_), (help_)},          \
        .kind = SETTING_U64, .offset = offsetof(struct config, engine.member)                      \
    }
#define COUNT(name_, member, default_, min_, max_, help_)                                          \
    {                                                                                              \
        .option = {.name = (name_), PD_OPTION_INTEGER, (default_), (min_), (max_), (help_)},       \
        .kind = SETTING_U32, .offset = offsetof(struct config, engine.member)                      \
    }
#define BOOLEAN(name_, member, default_, help_)                                                    \
    {                                                                                              \
        .option = {.name = (name_), PD_OPTION_BOOLEAN, (default_), 0, 0, (help_)},                 \
        .kind = SETTING_BOOL, .offset = offsetof(struct config, engine.member)                     \
    }
#define CHOICE(name_, member, default_, choices_, help_)                                           \
    {                                                                                              \
        .option = {.name = (name_), PD_OPTION_TEXT, (default_), 0, 0, (help_)},                    \
        .kind = SETTING_CHOICE, .offset = offsetof(struct config, engine.member),                  \
        .choices = (choices_)                                                                      \
    }
#define STRING(name_, member, default_, check_, help_)                                             \
    {                                                                                              \
        .option = {.name = (name_), PD_OPTION_TEXT, (default_), 0, 0, (help_)},                    \
        .kind = SETTING_STRING, .offset = offsetof(struct config, member), .check = (check_)       \
    }

/* clang-format off */
const struct setting settings[] = {
    STRING("node", node, NULL, check_socket, "the node's socket; @name for an abstract one"),
    {.option = {"node_user", PD_OPTION_TEXT, NULL, 0, 0, "the user that the node must run as: name or number"},
     .kind = SETTING_STRING, .offset = offsetof(struct config, node_user),
     .check = check_user, .unset = "anybody"},
    CHOICE("mode", mode, "active", mode_names, "observe: decide and record, but send no requests"),
    STRING("control", control, "/run/pathdog/control.sock", check_path_socket, "the control socket"),
    {.option = {"metrics", PD_OPTION_TEXT, "/run/pathdog/metrics.sock", 0, 0, "the socket for scrapers of metrics; empty: none"},
     .kind = SETTING_STRING, .offset = offsetof(struct config, metrics), .check = check_metrics, .may_be_empty = true},
    STRING("state_directory", state_directory, "/run/pathdog", check_path, "where the learnt state is kept"),
    STRING("plugin_directory", plugin_directory, PATHDOG_TRIGGER_DIRECTORY, check_path, "where triggers are loaded from"),
    TIME("sample_interval", sample_interval_us, "5s", 10 * MS, HOUR, "between two polls of all peers"),
    TIME("close_interval", close_interval_us, "500ms", 10 * MS, MINUTE, "between two fast polls"),
    COUNT("close_max", close_max, "1024", 1, 4096, "peers in fast polls at a time, at most"),
    TIME("migrate_timeout", migrate_timeout_us, "5s", MS, 10 * MINUTE, "the first timeout of a move"),
    TIME("timeout_max", timeout_max_us, "30s", MS, 10 * MINUTE, "the longest timeout of a move"),
    COUNT("retries", retries, "2", 0, 100, "further attempts of a move, after moved and dead"),
    {.option = {"max_in_flight", PD_OPTION_INTEGER, NULL, 1, 1u << 20, "requests open at a time, at most"},
     .kind = SETTING_U32, .offset = offsetof(struct config, engine.max_in_flight),
     .unset = "the node's, else 1024"},
    TIME("merge_window", merge_window_us, "2s", 0, HOUR, "after a request: degraded advice is merged into it"),
    COUNT("max_peers", max_peers, "262144", 1, 1u << 24, "connections known at a time, at most"),
    TIME("cooldown", cooldown_us, "30s", 0, 7 * DAY, "after a move: degraded advice is not followed"),
    TIME("cooldown_max", cooldown_max_us, "15min", 0, 7 * DAY, "the longest cooldown; moves that do not help stretch the cooldown to it"),
    TIME("backoff_min", backoff_min_us, "5s", MS, DAY, "the wait after the first failure"),
    TIME("backoff_max", backoff_max_us, "5min", MS, 7 * DAY, "the longest wait; each further failure doubles it"),
    COUNT("move_burst", move_burst, "5", 1, 1000, "moves of one peer in a row for moved and dead"),
    TIME("move_refill", move_refill_us, "10s", MS, HOUR, "until one of these moves is available again; for moved at most 1s"),
    TIME("reconnect_gap", reconnect_gap_us, "10s", MS, 10 * MINUTE, "between two reconnects of one peer"),
    TIME("effect_window", effect_window_us, "10s", 10 * MS, 10 * MINUTE, "the time in which a move must show progress"),
    CHOICE("fallback", fallback, "reconnect", fallbacks, "what to do with a connection that stays dead after moved or dead"),
    TIME("fallback_after", fallback_after_us, "3s", 10 * MS, 10 * MINUTE, "the time without progress after which a connection counts as dead"),
    TIME("fallback_blind", fallback_blind_us, "20s", 10 * MS, HOUR, "the same where nothing says that a new connection can work"),
    CHOICE("prefer", prefer, "node", prefers, "what moved and dead ask for; node: what the node's hello prefers"),
    BOOLEAN("choose", choose, "yes", "choose another uplink for a connection whose own is dead or bad; no: the route table alone decides"),
    CHOICE("return", returns, "always", return_names, "when to go back to the uplink that a connection was moved off, or to one of a better class: once it is proven to live, if it is also faster, or never"),
    COUNT("shared_peers", shared_peers, "5", 0, 1u << 24, "connections of an uplink that must be measured before degraded advice is evaluated for all of them together; 0: never"),
    {.option = {"shared_fraction", PD_OPTION_FRACTION, "4/5", 500, 1000, "if at least this share of them got worse, the uplink is the cause"},
     .kind = SETTING_U32, .offset = offsetof(struct config, engine.shared_fraction)},
    COUNT("decisions_kept", decisions_kept, "4096", 1, 1u << 20, "decisions kept for pathdogctl"),
};
/* clang-format on */
const size_t n_settings = ARRAY_SIZE(settings);

void *config_own(struct config *config, void *memory)
{
    config->owned = array_reserve(config->owned, &config->owned_capacity, config->n_owned + 1,
                                  sizeof(*config->owned));
    config->owned[config->n_owned++] = memory;
    return memory;
}

const char *const *config_words(struct config *config, const char *text, size_t *ret_count)
{
    char *copy = config_own(config, string_copy(text)), *save = NULL;
    const char **words = config_own(config, memory_new(strlen(text) / 2 + 2, sizeof(*words)));
    size_t count = 0;

    for (char *word = strtok_r(copy, " \t\r", &save); word; word = strtok_r(NULL, " \t\r", &save))
        words[count++] = word;
    *ret_count = count;
    return words;
}

char *setting_allowed(const struct setting *setting)
{
    char *text;

    if (setting->kind != SETTING_CHOICE)
        return option_allowed(&setting->option);
    text = string_copy(setting->choices[0]);
    for (size_t i = 1; setting->choices[i]; i++) {
        char *longer = string_format("%s%s%s", text, setting->choices[i + 1] ? ", " : " or ",
                                     setting->choices[i]);

        free(text);
        text = longer;
    }
    return text;
}

char *setting_text(const struct setting *setting, const struct config *config)
{
    const char *place = (const char *)config + setting->offset;

    switch (setting->kind) {
    case SETTING_U64:
        return value_format(setting->option.type, *(const uint64_t *)place);
    case SETTING_U32:
        if (setting->unset && !*(const uint32_t *)place)
            return NULL;
        return value_format(setting->option.type, *(const uint32_t *)place);
    case SETTING_BOOL:
        return value_format(setting->option.type, *(const bool *)place);
    case SETTING_CHOICE:
        return string_copy(setting->choices[*(const unsigned *)place]);
    case SETTING_STRING:
        return string_copy(*(const char *const *)place);
    }
    return NULL;
}

static int parse_choice(const struct setting *setting, unsigned *place, const char *text,
                        char **ret_error)
{
    CLEANUP_FREE char *allowed = NULL;
    const char *nearest;
    size_t n = 0;

    for (; setting->choices[n]; n++)
        if (!strcmp(setting->choices[n], text)) {
            *place = (unsigned)n;
            return 0;
        }
    allowed = setting_allowed(setting);
    nearest = nearest_word(text, setting->choices, n);
    return error_set(ret_error, -EINVAL, "\"%.80s\" is not known; allowed is %s%s%s%s", text,
                     allowed, nearest ? " (did you mean " : "", nearest ? nearest : "",
                     nearest ? "?)" : "");
}

int setting_parse(const struct setting *setting, struct config *config, const char *text,
                  char **ret_error)
{
    char *place = (char *)config + setting->offset;
    const char *wrong = NULL;
    struct pd_value value;
    int r;

    if (setting->kind == SETTING_CHOICE)
        return parse_choice(setting, (unsigned *)place, text, ret_error);
    r = option_parse(&setting->option, text, &value, ret_error);
    if (r < 0)
        return r;
    switch (setting->kind) {
    case SETTING_U64:
        *(uint64_t *)place = value.number;
        return 0;
    case SETTING_U32:
        *(uint32_t *)place = (uint32_t)value.number;
        return 0;
    case SETTING_BOOL:
        *(bool *)place = value.number != 0;
        return 0;
    default:
        wrong = *text || setting->may_be_empty ? setting->check(text) : "is empty";
        if (wrong)
            return error_set(ret_error, -EINVAL, "\"%.80s\" %s", text, wrong);
        *(const char **)place = text;
        return 0;
    }
}
