/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the command line → a struct. */
#include "arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/names.h"
#include "out/format.h"
#include "util/format.h"
#include "version.h"

#define DEFAULT_CONFIG "/etc/pathdog/pathdog.conf"

enum option_code {
    OPTION_CONFIG = 'c',
    OPTION_HELP = 'h',
    OPTION_LOG = 256,
    OPTION_LOG_LEVEL,
    OPTION_OBSERVE,
    OPTION_RECORD,
    OPTION_CHECK,
    OPTION_INSTANCE,
    OPTION_LIST_TRIGGERS,
    OPTION_JSON,
    OPTION_VERSION,
};

static const struct option_help {
    const char *usage, *help;
} helps[] = {
    {"--config FILE", "read FILE and FILE.d/*.conf (" DEFAULT_CONFIG ")"},
    {"--instance NAME",
     "run as instance NAME: reads /etc/pathdog/NAME.conf, uses /run/pathdog/NAME"},
    {"--log WHERE", "auto, journal, text or json (auto: the journal if connected to it)"},
    {"--log-level LEVEL", "error, warning, notice, info or debug (info; json: debug)"},
    {"--observe", "decide and record, but send the node no requests"},
    {"--record FILE", "write all events to FILE, for pathdog-replay"},
    {"--check", "print the effective configuration, and where each value came from"},
    {"--list-triggers", "print the triggers and their options; with --json: as JSON"},
    {"--version", "print the version"},
    {"--help", "print this help"},
};

static void print_help(void)
{
    puts("pathdog [OPTION…]\nWatches the network paths of a node's connections and has them "
         "migrated.\n");
    for (size_t i = 0; i < ARRAY_SIZE(helps); i++)
        printf("  %-20s %s\n", helps[i].usage, helps[i].help);
    puts("\nExit status: 0 clean stop, 1 failure while starting or running, 2 bad arguments or "
         "configuration,\n75 another pathdog has the state directory.");
}

/* Its texts live as long as the process. */
static int take_instance(struct arguments *arguments, const char *name, char **ret_error)
{
    if (!*name || strchr(name, '/') || *name == '.' || strlen(name) > INSTANCE_MAX)
        return error_set(ret_error, -EINVAL,
                         "--instance %s: allowed is a name of at most %u bytes, without \"/\" and "
                         "not beginning with a dot",
                         name, INSTANCE_MAX);
    snprintf(arguments->instance_config, sizeof(arguments->instance_config), "/etc/pathdog/%s.conf",
             name);
    snprintf(arguments->instance_runtime, sizeof(arguments->instance_runtime), CONFIG_RUNTIME "/%s",
             name);
    return 0;
}

/* What systemd gives a unit as its RuntimeDirectory=; the first, if there are several. */
static const char *runtime_of_unit(void)
{
    char *text = getenv("RUNTIME_DIRECTORY");

    if (!text || *text != '/')
        return NULL;
    text[strcspn(text, ":")] = '\0';
    return text;
}

static int take_option(int option, struct arguments *arguments, bool *level_given, char **ret_error)
{
    struct daemon_options *options = &arguments->options;

    switch ((enum option_code)option) {
    case OPTION_INSTANCE:
        return take_instance(arguments, optarg, ret_error);
    case OPTION_CONFIG:
        arguments->config_given = true;
        options->config_path = optarg;
        return 0;
    case OPTION_LOG:
        if (sink_target_parse(optarg, &options->target) < 0)
            return error_set(ret_error, -EINVAL, "--log %s: allowed is auto, journal, text or json",
                             optarg);
        return 0;
    case OPTION_LOG_LEVEL:
        *level_given = true;
        if (level_parse(optarg, &options->level) < 0)
            return error_set(ret_error, -EINVAL,
                             "--log-level %s: allowed is error, warning, notice, info or debug",
                             optarg);
        return 0;
    case OPTION_OBSERVE:
        options->observe = true;
        return 0;
    case OPTION_RECORD:
        options->record_path = optarg;
        return 0;
    case OPTION_CHECK:
        arguments->what = DO_CHECK;
        return 0;
    case OPTION_LIST_TRIGGERS:
        arguments->what = DO_LIST_TRIGGERS;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case OPTION_VERSION:
        puts("pathdog " PATHDOG_VERSION);
        arguments->what = DO_NOTHING;
        return 0;
    case OPTION_HELP:
        print_help();
        arguments->what = DO_NOTHING;
        return 0;
    }
    return -EINVAL;
}

int arguments_parse(int argc, char **argv, struct arguments *ret_arguments, char **ret_error)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},
        {"instance", required_argument, NULL, OPTION_INSTANCE},
        {"log", required_argument, NULL, OPTION_LOG},
        {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
        {"observe", no_argument, NULL, OPTION_OBSERVE},
        {"record", required_argument, NULL, OPTION_RECORD},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"list-triggers", no_argument, NULL, OPTION_LIST_TRIGGERS},
        {"json", no_argument, NULL, OPTION_JSON},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL},
    };
    struct arguments arguments = {
        .options = {.config_path = DEFAULT_CONFIG, .target = SINK_AUTO, .level = PD_LEVEL_INFO},
    };
    bool level_given = false;
    int option, r;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
        if (option == ':')
            return error_set(ret_error, -EINVAL, "%s needs a value; see --help", argv[optind - 1]);
        if (option == '?')
            return error_set(ret_error, -EINVAL, "unknown option %s; see --help", argv[optind - 1]);
        r = take_option(option, &arguments, &level_given, ret_error);
        if (r < 0)
            return r;
        if (arguments.what == DO_NOTHING)
            break;
    }
    if (optind < argc && arguments.what != DO_NOTHING)
        return error_set(ret_error, -EINVAL,
                         "unexpected argument \"%s\": pathdog takes options only; see --help",
                         argv[optind]);
    if (arguments.json && arguments.what != DO_LIST_TRIGGERS && arguments.what != DO_NOTHING)
        return error_set(
            ret_error, -EINVAL,
            "--json is allowed with --list-triggers only; for a log in JSON use --log json");
    /* JSON is for programs: all of it. */
    if (arguments.options.target == SINK_JSON && !level_given)
        arguments.options.level = PD_LEVEL_DEBUG;
    *ret_arguments = arguments;
    ret_arguments->options.runtime = runtime_of_unit();
    if (arguments.instance_config[0] && !arguments.config_given)
        ret_arguments->options.config_path = ret_arguments->instance_config;
    if (arguments.instance_runtime[0] && !ret_arguments->options.runtime)
        ret_arguments->options.runtime = ret_arguments->instance_runtime;
    return 0;
}
