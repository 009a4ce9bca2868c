/* SPDX-License-Identifier: Apache-2.0 */
/* The table of settings; contrib/settings reads it. */
#include "options_private.h"

#include <stdlib.h>
#include <unistd.h>

#include "parse.h"
#include "util/format.h"

#define SECOND          UINT64_C(1000000)
#define DAY             (86400 * SECOND)
#define RUNTIME_DEFAULT "/run/flow-node"
#define SOCKET_NAME     "node.sock"

/* ---- kinds ---- */

static int text_read(const struct setting *setting, void *place, const char *text, char **ret_error)
{
    (void)setting;
    return setting_text(place, text, "a text", text_wrong, ret_error);
}

static int path_read(const struct setting *setting, void *place, const char *text, char **ret_error)
{
    (void)setting;
    return setting_text(place, text, "a path such as /run/flow-node/node.sock", socket_wrong,
                        ret_error);
}

static int table_read(const struct setting *setting, void *place, const char *text,
                      char **ret_error)
{
    (void)setting;
    return setting_text(place, text, "a name such as pathdog_flows", table_wrong, ret_error);
}

static int ports_read(const struct setting *setting, void *place, const char *text,
                      char **ret_error)
{
    (void)setting;
    return ports_parse(place, text, ret_error);
}

static int interfaces_read(const struct setting *setting, void *place, const char *text,
                           char **ret_error)
{
    return words_parse(place, text, setting->option.default_text, "names of interfaces",
                       interface_wrong, ret_error);
}

static int names_read(const struct setting *setting, void *place, const char *text,
                      char **ret_error)
{
    return words_parse(place, text, setting->option.default_text, "names", name_wrong, ret_error);
}

static int mask_read(const struct setting *setting, void *place, const char *text, char **ret_error)
{
    (void)setting;
    return mask_parse(place, text, ret_error);
}

/* ---- the table ---- */

static const char *const logs[] = {"text", "journal", NULL};

#define NUMBER(name_, type_, kind_, member_, ...)                                                  \
    SETTING_NUMBER(name_, struct options, member_, type_, kind_, __VA_ARGS__)
#define TEXT(name_, kind_, member_, ...)                                                           \
    SETTING_TEXT(name_, struct options, member_, kind_, __VA_ARGS__)

/* clang-format off */
static const struct setting table[] = {
    TEXT("socket", path_read, socket, NULL, "PATH", "where pathdog connects (/run/flow-node/node.sock)"),
    TEXT("name", text_read, name, NULL, "NAME", "this node's name (flows@HOST)"),
    TEXT("ports", ports_read, flows, "443", "PORTS", "flows to these UDP ports; all: to any"),
    SETTING_BOOLEAN("local", struct options, local, "yes", "flows of this machine's own programs"),
    TEXT("users", names_read, users, "all", "USERS", "of these users' programs only"),
    TEXT("units", names_read, units, "all", "GLOBS", "of these units' programs only"),
    TEXT("lan", interfaces_read, lan, "none", "INTERFACES", "flows of the machines behind these interfaces, too"),
    TEXT("uplinks", interfaces_read, uplinks, "all", "INTERFACES", "move flows to these only; all: to each with a default route"),
    NUMBER("max-flows", PD_OPTION_INTEGER, setting_u32, flows.limit, "16384", 1, FLOW_LIMIT_MOST, "N", "told at a time"),
    NUMBER("min-age", PD_OPTION_TIME, setting_u64, flows.min_age_us, "5s", 0, DAY, "TIME", "younger ones are not told"),
    NUMBER("min-bytes", PD_OPTION_SIZE, setting_u64, flows.min_bytes, "4K", 0, UINT64_C(1) << 50, "SIZE", "nor those that carried less"),
    NUMBER("end-after", PD_OPTION_TIME, setting_u64, flows.end_us, "30s", SECOND / 10, DAY, "TIME", "one that conntrack has forgotten has ended so long after its last packet; a moved one four times as long"),
    NUMBER("sample-interval", PD_OPTION_TIME, setting_u64, sample_us, "100ms", SECOND / 100, 10 * SECOND, "TIME", "how often the told ones are looked at; more seldom where that takes long"),
    TEXT("table", table_read, table, "pathdog_flows", "NAME", "our table of nftables"),
    TEXT("mark-mask", mask_read, mark_mask, "0x1f000000", "MASK", "bits of the packets' mark that are ours"),
    NUMBER("route-table", PD_OPTION_INTEGER, setting_u32, route_table, "7000", 256, UINT32_MAX - 256, "N", "our route tables are the ones after this"),
    NUMBER("rule-priority", PD_OPTION_INTEGER, setting_u32, rule_priority, "900", 1, 32764, "N", "priority of our routing rules, with the next one; before that of main, 32766"),
    SETTING_CHOICE("log", struct options, log, NULL, logs, "text|journal", "where to log; default: the journal, if connected to it"),
};
/* clang-format on */

_Static_assert(sizeof(enum log_kind) == sizeof(unsigned), "a choice is an unsigned");

static const struct settings_flag flags[] = {
    {"list", "print the flows that would be told, once", OPTIONS_LIST},
    {"check", "check the settings, and exit", OPTIONS_CHECK},
};

const struct settings options_settings = {
    .program = "flow-node",
    .prefix = "FLOW_NODE_",
    .size = sizeof(struct options),
    .at = table,
    .n = ARRAY_SIZE(table),
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .purpose = "Tells pathdog of the UDP flows of programs that know nothing of it, and moves them "
               "to other uplinks.",
    .below = "A setting is taken from the command line, else from the environment (--min-age is "
             "FLOW_NODE_MIN_AGE),\nelse from FILE (min-age). Lists are separated by commas. Times: "
             "90s, 5min, 90 (seconds). Sizes: 64K, 1G, 1200 (bytes).\n\nExit status: 0 clean stop, "
             "1 failure while starting or running, 2 bad options, environment or file,\n75 another "
             "flow-node runs.",
};

/* ---- all of them ---- */

int options_read(int argc, char *const *argv, char *const *environment, struct options *ret,
                 unsigned *ret_wanted, char **ret_warnings, char **ret_error)
{
    settings_default(&options_settings, ret);
    ret->socket = environment_runtime(environment, SOCKET_NAME);
    if (!ret->socket)
        ret->socket = string_copy(RUNTIME_DEFAULT "/" SOCKET_NAME);
    ret->log = environment_has_journal(environment) ? LOG_JOURNAL : LOG_TEXT;
    return settings_read(&options_settings, argc, argv, environment, ret, ret_wanted, ret_warnings,
                         ret_error);
}

int options_parse(int argc, char **argv, struct options *ret, unsigned *ret_wanted)
{
    CLEANUP_FREE char *error = NULL, *warnings = NULL;
    int r = options_read(argc, argv, environ, ret, ret_wanted, &warnings, &error);

    settings_print(&options_settings, *ret_wanted, warnings, error);
    return r;
}

void options_free(struct options *options)
{
    free(options->socket);
    free(options->name);
    free(options->table);
    words_free(&options->users);
    words_free(&options->units);
    words_free(&options->lan);
    words_free(&options->uplinks);
    *options = (struct options){0};
}
