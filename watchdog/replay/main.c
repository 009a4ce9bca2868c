/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog-replay: feeds a recording through the engine again and prints the
 * records: the same bytes as in the run, or what another configuration would
 * have made of it. Asks nobody, waits for nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "../util/exit-status.h"
#include "../util/format.h"
#include "../util/printable.h"
#include "replay.h"
#include "version.h"

static int complain(int status, const char *error)
{
    CLEANUP_FREE char *shown = text_shown(error);

    fprintf(stderr, "pathdog-replay: %s\n", shown);
    return status;
}

static void print_help(void)
{
    puts("pathdog-replay FILE [--config FILE] [--plugins DIR] [--log text|json] [--rtt]\n"
         "Runs a recording (pathdog --record FILE) through the engine again and prints the "
         "records.\n\n"
         "  --config FILE   use this configuration, not the one in the recording\n"
         "  --plugins DIR   load triggers that are not built in from DIR (plugin_directory is not "
         "used)\n"
         "  --log FORM      text (the default) or json\n"
         "  --rtt[=SINCE,UNTIL]\n"
         "                  with --log json: at the end also the RTTs of the peers over time, one\n"
         "                  line for each; of this time, in microseconds since 1970\n"
         "  --version       print the version\n"
         "  --help          print this help\n\n"
         "FILE may be - for standard input.\n"
         "Exit status: 0 done, 1 the recording cannot be read to its end, 2 bad arguments, "
         "configuration,\nor no recording at all.");
}

static bool parse_period(const char *text, struct replay_options *ret_options)
{
    char *end;

    errno = 0;
    ret_options->since_us = strtoull(text, &end, 10);
    if (end == text || *end != ',' || *text < '0' || *text > '9' || end[1] < '0' || end[1] > '9')
        return false;
    ret_options->until_us = strtoull(end + 1, &end, 10);
    return !*end && !errno && ret_options->since_us <= ret_options->until_us;
}

/* Returns 0, 1 where all was said (--help), or -EINVAL and a sentence. */
static int parse_arguments(int argc, char **argv, struct replay_options *ret_options,
                           char **ret_error)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"plugins", required_argument, NULL, 'p'},
        {"log", required_argument, NULL, 'l'},
        {"rtt", optional_argument, NULL, 'r'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL},
    };
    const char *period;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1)
        switch (option) {
        case 'c':
            ret_options->config_path = optarg;
            break;
        case 'p':
            ret_options->plugins_path = optarg;
            break;
        case 'l':
            if (strcmp(optarg, "text") != 0 && strcmp(optarg, "json") != 0)
                return error_set(ret_error, -EINVAL, "--log %s: allowed is text or json", optarg);
            ret_options->json = !strcmp(optarg, "json");
            break;
        case 'r':
            ret_options->rtt = true;
            period = strchr(argv[optind - 1], '=');
            if (period && !parse_period(period + 1, ret_options))
                return error_set(ret_error, -EINVAL,
                                 "--rtt%s: allowed is SINCE,UNTIL in microseconds since 1970",
                                 period);
            break;
        case 'v':
            puts("pathdog-replay " PATHDOG_VERSION);
            return 1;
        case 'h':
            print_help();
            return 1;
        case ':':
            return error_set(ret_error, -EINVAL, "%s needs a value; see --help", argv[optind - 1]);
        default:
            return error_set(ret_error, -EINVAL, "unknown option %s; see --help", argv[optind - 1]);
        }
    if (optind + 1 != argc)
        return error_set(ret_error, -EINVAL, "%s; see --help",
                         optind < argc ? "too many arguments: one FILE is allowed"
                                       : "the argument FILE is missing");
    if (ret_options->rtt && !ret_options->json)
        return error_set(ret_error, -EINVAL, "--rtt goes with --log json; see --help");
    ret_options->path = argv[optind];
    return 0;
}

int main(int argc, char **argv)
{
    struct replay_options options = {.out = stdout, .until_us = UINT64_MAX};
    CLEANUP_FREE char *error = NULL, *remark = NULL;
    int r = parse_arguments(argc, argv, &options, &error);

    signal(SIGXFSZ, SIG_IGN); /* RLIMIT_FSIZE: the write fails, and that is said */
    if (r < 0)
        return complain(EXIT_BAD_INPUT, error);
    if (r == 0)
        r = replay_run(&options, &remark, &error);
    if (remark)
        complain(0, remark);
    if (fflush(stdout) || ferror(stdout))
        return complain(EXIT_FAILED, "cannot write the output");
    if (r < 0)
        return complain(r == -EINVAL ? EXIT_BAD_INPUT : EXIT_FAILED, error);
    return EXIT_GOOD;
}
