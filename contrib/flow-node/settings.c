/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <ctype.h>
#include <errno.h>

#include "config/value.h"
#include "parse.h"
#include "util/format.h"
#include "util/nearest.h"

#define SECOND    UINT64_C(1000000)
#define DAY       (86400 * SECOND)
#define NAME_MOST 200u

enum setting_kind {
    SETTING_U64,
    SETTING_U32,
    SETTING_BOOL,
    SETTING_CHOICE, /* an unsigned, by `choices` */
    SETTING_TEXT,   /* a char *, owned */
    SETTING_PATH,   /* the same */
    SETTING_TABLE,  /* the same */
    SETTING_PORTS,
    SETTING_INTERFACES,
    SETTING_NAMES,
    SETTING_MASK,
};

struct setting {
    struct pd_option option;
    enum setting_kind kind;
    size_t offset;
    const char *const *choices; /* ended by NULL */
    const char *value;          /* for --help: what its value is called */
};

static const char *const logs[] = {"text", "journal", NULL};

#define NUMBER(name_, type_, kind_, member, default_, min_, max_, value_, help_)                   \
    {                                                                                              \
        .option = {(name_), (type_), (default_), (min_), (max_), (help_)}, .kind = (kind_),        \
        .offset = offsetof(struct options, member), .value = (value_)                              \
    }
#define TEXT(name_, kind_, member, default_, value_, help_)                                        \
    {                                                                                              \
        .option = {(name_), PD_OPTION_TEXT, (default_), 0, 0, (help_)}, .kind = (kind_),           \
        .offset = offsetof(struct options, member), .value = (value_)                              \
    }

/* clang-format off */
static const struct setting settings[] = {
    TEXT("socket", SETTING_PATH, socket, NULL, "PATH", "where pathdog connects (/run/flow-node/node.sock)"),
    TEXT("name", SETTING_TEXT, name, NULL, "NAME", "this node's name (flows@HOST)"),
    TEXT("ports", SETTING_PORTS, flows, "443", "PORTS", "flows to these UDP ports; all: to any"),
    NUMBER("local", PD_OPTION_BOOLEAN, SETTING_BOOL, local, "yes", 0, 0, "yes|no", "flows of this machine's own programs"),
    TEXT("users", SETTING_NAMES, users, "all", "USERS", "of these users' programs only"),
    TEXT("units", SETTING_NAMES, units, "all", "GLOBS", "of these units' programs only"),
    TEXT("lan", SETTING_INTERFACES, lan, "none", "INTERFACES", "flows of the machines behind these interfaces, too"),
    TEXT("uplinks", SETTING_INTERFACES, uplinks, "all", "INTERFACES", "move flows to these only; all: to each with a default route"),
    NUMBER("max-flows", PD_OPTION_INTEGER, SETTING_U32, flows.limit, "16384", 1, FLOW_LIMIT_MOST, "N", "told at a time"),
    NUMBER("min-age", PD_OPTION_TIME, SETTING_U64, flows.min_age_us, "5s", 0, DAY, "TIME", "younger ones are not told"),
    NUMBER("min-bytes", PD_OPTION_SIZE, SETTING_U64, flows.min_bytes, "4K", 0, UINT64_C(1) << 50, "SIZE", "nor those that carried less"),
    NUMBER("end-after", PD_OPTION_TIME, SETTING_U64, flows.end_us, "30s", SECOND / 10, DAY, "TIME", "one that conntrack has forgotten has ended so long after its last packet; a moved one four times as long"),
    NUMBER("sample-interval", PD_OPTION_TIME, SETTING_U64, sample_us, "100ms", SECOND / 100, 10 * SECOND, "TIME", "how often the told ones are looked at; more seldom where that takes long"),
    TEXT("table", SETTING_TABLE, table, "pathdog_flows", "NAME", "our table of nftables"),
    TEXT("mark-mask", SETTING_MASK, mark_mask, "0x1f000000", "MASK", "bits of the packets' mark that are ours"),
    NUMBER("route-table", PD_OPTION_INTEGER, SETTING_U32, route_table, "7000", 256, UINT32_MAX - 256, "N", "our route tables are the ones after this"),
    NUMBER("rule-priority", PD_OPTION_INTEGER, SETTING_U32, rule_priority, "900", 1, 32764, "N", "priority of our routing rules, with the next one; before that of main, 32766"),
    {.option = {"log", PD_OPTION_TEXT, NULL, 0, 0, "where to log; default: the journal, if connected to it"},
     .kind = SETTING_CHOICE, .offset = offsetof(struct options, log), .choices = logs, .value = "text|journal"},
};
/* clang-format on */

_Static_assert(sizeof(enum log_kind) == sizeof(unsigned), "a choice is an unsigned");

size_t settings_count(void)
{
    return ARRAY_SIZE(settings);
}

const struct setting *setting_at(size_t place)
{
    return &settings[place];
}

const char *setting_name(const struct setting *setting)
{
    return setting->option.name;
}

size_t setting_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const char *a = settings[i].option.name, *b = name;

        while (*a && (*a == *b || (*a == '-' && *b == '_'))) {
            a++;
            b++;
        }
        if (!*a && !*b)
            return i;
    }
    return ARRAY_SIZE(settings);
}

char *setting_variable(const struct setting *setting, char out[SETTING_VARIABLE_SIZE])
{
    snprintf(out, SETTING_VARIABLE_SIZE, "%s%s", SETTING_VARIABLE_PREFIX, setting->option.name);
    for (char *at = out; *at; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    return out;
}

char *setting_instead(const char *name, const char *prefix)
{
    const char *names[ARRAY_SIZE(settings) + 1], *nearest;
    CLEANUP_FREE char *list = string_copy(""), *like = string_copy(name);

    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        names[i] = settings[i].option.name;
    names[ARRAY_SIZE(settings)] = "config";
    for (char *at = like; *at; at++)
        *at = *at == '_' ? '-' : (char)tolower((unsigned char)*at);
    nearest = nearest_word(like, names, ARRAY_SIZE(names));
    if (nearest)
        return string_format("did you mean %s%s?", prefix, nearest);
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        char *longer = string_format("%s%s%s%s", list, i ? ", " : "", prefix, names[i]);

        free(list);
        list = longer;
    }
    return string_format("known are %s", list);
}

/* ---- values ---- */

static int choice_apply(const struct setting *setting, unsigned *ret, const char *text,
                        char **ret_error)
{
    CLEANUP_FREE char *list = string_copy("");
    const char *nearest;
    size_t n = 0;

    for (; setting->choices[n]; n++) {
        char *longer = string_format("%s%s%s", list, n ? " or " : "", setting->choices[n]);

        if (!strcmp(setting->choices[n], text)) {
            free(longer);
            *ret = (unsigned)n;
            return 0;
        }
        free(list);
        list = longer;
    }
    nearest = nearest_word(text, setting->choices, n);
    return error_set(ret_error, -EINVAL, "\"%.80s\": allowed is %s%s%s%s", text, list,
                     nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
}

static int text_apply(char **ret, const char *text, const char *allowed,
                      const char *(*wrong)(const char *), char **ret_error)
{
    const char *why = NULL;

    if (!*text)
        why = "is empty";
    else if (strlen(text) > NAME_MOST)
        why = "is longer than 200 bytes";
    else if (wrong)
        why = wrong(text);
    if (!why)
        (void)value_parse(PD_OPTION_TEXT, text, &(uint64_t){0}, &why);
    if (why)
        return error_set(ret_error, -EINVAL, "\"%.80s\" %s; allowed is %s", text, why, allowed);
    free(*ret);
    *ret = string_copy(text);
    return 0;
}

static int number_apply(const struct setting *setting, void *place, const char *text,
                        char **ret_error)
{
    struct pd_value value;
    int r = option_parse(&setting->option, text, &value, ret_error);

    if (r < 0)
        return r;
    if (setting->kind == SETTING_U64)
        *(uint64_t *)place = value.number;
    else if (setting->kind == SETTING_U32)
        *(uint32_t *)place = (uint32_t)value.number;
    else
        *(bool *)place = value.number != 0;
    return 0;
}

int setting_apply(const struct setting *setting, struct options *options, const char *text,
                  char **ret_error)
{
    void *place = (char *)options + setting->offset;

    switch (setting->kind) {
    case SETTING_CHOICE:
        return choice_apply(setting, place, text, ret_error);
    case SETTING_TEXT:
        return text_apply(place, text, "a text", text_wrong, ret_error);
    case SETTING_PATH:
        return text_apply(place, text, "a path such as /run/flow-node/node.sock", socket_wrong,
                          ret_error);
    case SETTING_TABLE:
        return text_apply(place, text, "a name such as pathdog_flows", table_wrong, ret_error);
    case SETTING_PORTS:
        return ports_parse(place, text, ret_error);
    case SETTING_INTERFACES:
        return words_parse(place, text, setting->option.default_text, "names of interfaces",
                           interface_wrong, ret_error);
    case SETTING_NAMES:
        return words_parse(place, text, setting->option.default_text, "names", name_wrong,
                           ret_error);
    case SETTING_MASK:
        return mask_parse(place, text, ret_error);
    default:
        return number_apply(setting, place, text, ret_error);
    }
}

void settings_default(struct options *ret)
{
    *ret = (struct options){0};
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        char *error = NULL;

        if (!settings[i].option.default_text ||
            setting_apply(&settings[i], ret, settings[i].option.default_text, &error) == 0)
            continue;
        fprintf(stderr, "flow-node: the default of %s: %s\n", settings[i].option.name, error);
        abort(); /* the table above is wrong */
    }
}

void settings_help(FILE *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const struct pd_option *option = &settings[i].option;
        CLEANUP_FREE char *usage = string_format("--%s %s", option->name, settings[i].value);

        fprintf(out, "  %-31s %s%s%s%s\n", usage, option->help, option->default_text ? " (" : "",
                option->default_text ? option->default_text : "", option->default_text ? ")" : "");
    }
}
