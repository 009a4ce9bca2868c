/* SPDX-License-Identifier: Apache-2.0 */
/* pathdog-alert's command line. */
#include "arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "../util/format.h"
#include "../util/nearest.h"
#include "event.h"
#include "version.h"

#define DEFAULT_CONFIG "/etc/pathdog/pathdog.conf"
#define INSTANCE_MAX   200u

enum option_code {
    OPTION_CONFIG = 'c',
    OPTION_HELP = 'h',
    OPTION_INSTANCE = 256,
    OPTION_CHECK,
    OPTION_TEST,
    OPTION_VERSION,
};

static const struct option_help {
    const char *usage, *help;
} helps[] = {
    {"--config FILE", "read FILE and FILE.d/*.conf (" DEFAULT_CONFIG ")"},
    {"--instance NAME",
     "for pathdog@NAME: reads /etc/pathdog/NAME.conf, asks at /run/pathdog/NAME"},
    {"--check", "print the section [alert], and where each value came from"},
    {"--test [EVENT]",
     "run the program once with an example of EVENT (stalled), and print the result"},
    {"--version", "print the version"},
    {"--help", "print this help"},
};

static void print_help(void)
{
    puts("pathdog-alert [OPTION…]\nRuns the program of the section [alert] when pathdog reports "
         "something.\n");
    for (size_t i = 0; i < ARRAY_SIZE(helps); i++)
        printf("  %-20s %s\n", helps[i].usage, helps[i].help);
    puts("\nEvents:");
    for (size_t i = 0; i < ALERT_EVENT_COUNT; i++)
        printf("  %-20s %s\n", alert_events[i].name, alert_events[i].when);
    puts("\nExit status: 0 clean stop, 1 failure; of --test also: the program failed,\n2 bad "
         "arguments or configuration.");
}

static int take_instance(struct alert_arguments *arguments, const char *name, char **ret_error)
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
    arguments->options.runtime = arguments->instance_runtime;
    return 0;
}

static int take_event(struct alert_arguments *arguments, const char *name, char **ret_error)
{
    const char *names[ALERT_EVENT_COUNT], *nearest;
    int event = event_find(name);

    for (size_t i = 0; i < ALERT_EVENT_COUNT; i++)
        names[i] = alert_events[i].name;
    nearest = nearest_word(name, names, ALERT_EVENT_COUNT);
    if (event < 0)
        return error_set(ret_error, -EINVAL, "--test %s: there is no such event%s%s%s", name,
                         nearest ? "; did you mean " : "; --help lists them",
                         nearest ? nearest : "", nearest ? "?" : "");
    arguments->event = (enum alert_event)event;
    return 0;
}

static int take_option(int option, struct alert_arguments *arguments, char **ret_error)
{
    switch ((enum option_code)option) {
    case OPTION_INSTANCE:
        return take_instance(arguments, optarg, ret_error);
    case OPTION_CONFIG:
        arguments->options.config_path = optarg;
        arguments->config_given = true;
        return 0;
    case OPTION_CHECK:
        arguments->task = ALERT_DO_CHECK;
        return 0;
    case OPTION_TEST:
        arguments->task = ALERT_DO_TEST;
        return 0;
    case OPTION_VERSION:
        puts("pathdog-alert " PATHDOG_VERSION);
        arguments->task = ALERT_DO_NOTHING;
        return 0;
    case OPTION_HELP:
        print_help();
        arguments->task = ALERT_DO_NOTHING;
        return 0;
    }
    return -EINVAL;
}

static const char *keep_directory(void)
{
    char *text = getenv("RUNTIME_DIRECTORY");

    if (!text || *text != '/')
        return NULL;
    text[strcspn(text, ":")] = '\0';
    return text;
}

int alert_arguments_parse(int argc, char **argv, struct alert_arguments *ret_arguments,
                          char **ret_error)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},
        {"instance", required_argument, NULL, OPTION_INSTANCE},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"test", no_argument, NULL, OPTION_TEST},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL},
    };
    const char *helper = getenv("PATHDOG_EXEC_HELPER");
    int option, r;

    *ret_arguments = (struct alert_arguments){
        .event = ALERT_STALLED,
        .options = {.keep = keep_directory(), .helper = helper ? helper : EXEC_HELPER},
    };
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
        if (option == ':')
            return error_set(ret_error, -EINVAL, "%s needs a value; see --help", argv[optind - 1]);
        if (option == '?')
            return error_set(ret_error, -EINVAL, "unknown option %s; see --help", argv[optind - 1]);
        r = take_option(option, ret_arguments, ret_error);
        if (r < 0 || ret_arguments->task == ALERT_DO_NOTHING)
            return r;
    }
    if (optind < argc && ret_arguments->task == ALERT_DO_TEST) {
        r = take_event(ret_arguments, argv[optind++], ret_error);
        if (r < 0)
            return r;
    }
    if (optind < argc)
        return error_set(ret_error, -EINVAL, "unexpected argument \"%s\"; see --help",
                         argv[optind]);
    if (!ret_arguments->config_given)
        ret_arguments->options.config_path =
            ret_arguments->options.runtime ? ret_arguments->instance_config : DEFAULT_CONFIG;
    return 0;
}
