/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <ctype.h>
#include <errno.h>

#include "config/value.h"
#include "util/format.h"
#include "util/nearest.h"

#define SECOND UINT64_C(1000000)
#define DAY    (86400 * SECOND)
#define NONE   "none"

enum setting_kind {
    SETTING_U64,
    SETTING_U32,
    SETTING_BOOL,
    SETTING_CHOICE, /* an unsigned, by `choices` */
    SETTING_FILE,   /* a char *, owned; NULL where it is "none" */
    SETTING_ADDRESS,
    SETTING_PORT,
};

struct setting {
    struct pd_option option;
    enum setting_kind kind;
    size_t offset;
    const char *const *choices; /* ended by NULL */
    const char *value;          /* for --help: what its value is called */
};

static const char *const rebinds[] = {"same-ip", "register", NULL};
static const char *const logs[] = {"text", "journal", NULL};

#define TIME(name_, member, default_, min_, help_)                                                 \
    {                                                                                              \
        .option = {(name_), PD_OPTION_TIME, (default_), (min_), 365 * DAY, (help_)},               \
        .kind = SETTING_U64, .offset = offsetof(struct options, member), .value = "TIME"           \
    }
#define COUNT(name_, member, default_, min_, max_, help_)                                          \
    {                                                                                              \
        .option = {(name_), PD_OPTION_INTEGER, (default_), (min_), (max_), (help_)},               \
        .kind = SETTING_U32, .offset = offsetof(struct options, member), .value = "N"              \
    }
#define BOOLEAN(name_, member, default_, help_)                                                    \
    {                                                                                              \
        .option = {(name_), PD_OPTION_BOOLEAN, (default_), 0, 0, (help_)}, .kind = SETTING_BOOL,   \
        .offset = offsetof(struct options, member), .value = "yes|no"                              \
    }
#define CHOICE(name_, member, default_, choices_, value_, help_)                                   \
    {                                                                                              \
        .option = {(name_), PD_OPTION_TEXT, (default_), 0, 0, (help_)}, .kind = SETTING_CHOICE,    \
        .offset = offsetof(struct options, member), .choices = (choices_), .value = (value_)       \
    }
#define FILE_NAME(name_, member, help_)                                                            \
    {                                                                                              \
        .option = {(name_), PD_OPTION_TEXT, NULL, 0, 0, (help_)}, .kind = SETTING_FILE,            \
        .offset = offsetof(struct options, member), .value = "FILE|none"                           \
    }

/* clang-format off */
static const struct setting settings[] = {
    {.option = {"bind", PD_OPTION_TEXT, "::", 0, 0, "address to serve; :: is IPv4 and IPv6, 0.0.0.0 IPv4 only"},
     .kind = SETTING_ADDRESS, .offset = offsetof(struct options, bind), .value = "ADDRESS"},
    {.option = {"port", PD_OPTION_INTEGER, "4433", 0, 65535, "UDP port; 0: one that is free"},
     .kind = SETTING_PORT, .offset = offsetof(struct options, bind.port), .value = "PORT"},
    TIME("session-timeout-secs", relay.session_timeout_us, "300", SECOND, "without activity for so long a session ends; seconds, or a time"),
    {.option = {"max-data", PD_OPTION_SIZE, "1G", 0, 0, "payload bytes of a session in each direction; 0: no limit"},
     .kind = SETTING_U64, .offset = offsetof(struct options, relay.max_data_bytes), .value = "SIZE"},
    TIME("max-duration", relay.max_duration_us, "30min", 0, "a session ends so long after its second member came; 0: no limit"),
    COUNT("max-circuits", relay.max_circuits, "64", 1, RELAY_CIRCUITS_MOST, "sessions at a time"),
    COUNT("max-circuits-per-address", relay.max_circuits_per_address, "16", 1, RELAY_CIRCUITS_MOST, "of them with a member of one address"),
    TIME("reservation-ttl", relay.reservation_ttl_us, "1h", SECOND / 10, "a registration waits so long for its peer"),
    {.option = {"buffer-size", PD_OPTION_SIZE, "64K", 1, 64u << 20, "queue for what is received; a larger datagram is dropped"},
     .kind = SETTING_U32, .offset = offsetof(struct options, buffer_bytes), .value = "SIZE"},
    FILE_NAME("members", members, "list of those who may register; none: all may"),
    TIME("acl-refresh", acl_refresh_us, "30s", SECOND / 10, "a change of the list is taken within so long"),
    BOOLEAN("service", relay.service, "yes", "no: register nobody"),
    CHOICE("rebind", relay.rebind, "same-ip", rebinds, "same-ip|register", "what moves a member to another port: data from its address, too, or REG only"),
    FILE_NAME("control", control, "control socket, for udp-relayctl"),
    COUNT("threads", workers, "0", 0, WORKERS_MOST, "sockets and threads; 0: one for each core, at most 8"),
    BOOLEAN("offload", offload, "yes", "UDP GRO and GSO, where the kernel has them"),
    CHOICE("log", log, NULL, logs, "text|journal", "where to log; default: the journal, if connected to it"),
};
/* clang-format on */

_Static_assert(sizeof(enum relay_rebind) == sizeof(unsigned), "a choice is an unsigned");
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

static int address_apply(struct endpoint *ret, const char *text, char **ret_error)
{
    struct endpoint address;

    if (ip_parse(text, &address) < 0)
        return error_set(ret_error, -EINVAL,
                         "\"%.80s\" is not an address; allowed is an IPv4 or IPv6 address, such as "
                         "192.0.2.1 or 2001:db8::1; the port is set by \"port\"",
                         text);
    address.port = ret->port;
    *ret = address;
    return 0;
}

static int file_apply(char **ret, const char *text, char **ret_error)
{
    const char *why = NULL;

    if (!*text)
        why = "is empty";
    else if (value_parse(PD_OPTION_TEXT, text, &(uint64_t){0}, &why) == 0)
        why = NULL;
    if (why)
        return error_set(ret_error, -EINVAL, "\"%.80s\" %s; allowed is a file, or " NONE, text,
                         why);
    free(*ret);
    *ret = strcmp(text, NONE) ? string_copy(text) : NULL;
    return 0;
}

int setting_apply(const struct setting *setting, struct options *options, const char *text,
                  char **ret_error)
{
    void *place = (char *)options + setting->offset;
    struct pd_value value;
    int r;

    switch (setting->kind) {
    case SETTING_CHOICE:
        return choice_apply(setting, place, text, ret_error);
    case SETTING_FILE:
        return file_apply(place, text, ret_error);
    case SETTING_ADDRESS:
        return address_apply(place, text, ret_error);
    default:
        break;
    }
    r = option_parse(&setting->option, text, &value, ret_error);
    if (r < 0)
        return r;
    switch (setting->kind) {
    case SETTING_U64:
        *(uint64_t *)place = value.number;
        break;
    case SETTING_U32:
        *(uint32_t *)place = (uint32_t)value.number;
        break;
    case SETTING_BOOL:
        *(bool *)place = value.number != 0;
        break;
    default:
        *(uint16_t *)place = (uint16_t)value.number;
    }
    return 0;
}

void settings_default(struct options *ret)
{
    *ret = (struct options){0};
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        char *error = NULL;

        if (!settings[i].option.default_text ||
            setting_apply(&settings[i], ret, settings[i].option.default_text, &error) == 0)
            continue;
        fprintf(stderr, "udp-relay: the default of %s: %s\n", settings[i].option.name, error);
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
