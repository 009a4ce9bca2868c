/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments and exit status of netshim. The settings of the command line go through the
 * same parser as the commands of the control socket.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control.h"
#include "shim.h"
#include "version.h"

#define QUEUE_DEFAULT 8192
#define QUEUE_MAX     100000

static const char help[] =
    "netshim [OPTIONS] IFACE_A IFACE_B   join two interfaces by a wire with delay, loss and "
    "limits\n"
    "netshim ctl PATH COMMAND...         send COMMAND to the netshim that listens at PATH\n"
    "\n"
    "  --control PATH       listen for commands on a UNIX stream socket at PATH\n"
    "  --delay [a:|b:]T     hold every frame for T (one way), as in 100ms, 250us, 1.5s\n"
    "  --jitter [a:|b:]T    hold it up to T longer, in order unless --reorder on\n"
    "  --reorder [a:|b:]S   on: let jitter change the order of frames\n"
    "  --loss [a:|b:]P      lose frames at random: 20permille (also 20), 2%, 500ppm\n"
    "  --rate [a:|b:]R      carry no more than R: 10mbit, 1gbit, 500kbit, off\n"
    "  --blackhole [a:|b:]S on: let nothing through\n"
    "  --seed N             seed of the random numbers for loss and jitter (it is printed)\n"
    "  --queue N            hold at most N frames in each direction (8192)\n"
    "  --help\n"
    "  --version\n"
    "\n"
    "Direction a is what arrives at IFACE_A, b what arrives at IFACE_B; without a direction\n"
    "both are meant. Commands: delay, jitter, reorder, loss, rate, blackhole with the same\n"
    "values ('delay a 10ms'), and stats, show.\n"
    "Prints 'seed N', then 'ready' when frames are carried, and counters when it ends on\n"
    "SIGTERM or SIGINT. Exit status: 0 ended by a signal, 1 failed, 2 wrong arguments.\n";

enum option_code {
    OPTION_SETTING = 1000, /* the long option's name is the command */
    OPTION_CONTROL,
    OPTION_SEED,
    OPTION_QUEUE,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"delay", required_argument, NULL, OPTION_SETTING},
    {"jitter", required_argument, NULL, OPTION_SETTING},
    {"reorder", required_argument, NULL, OPTION_SETTING},
    {"loss", required_argument, NULL, OPTION_SETTING},
    {"rate", required_argument, NULL, OPTION_SETTING},
    {"blackhole", required_argument, NULL, OPTION_SETTING},
    {"control", required_argument, NULL, OPTION_CONTROL},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"queue", required_argument, NULL, OPTION_QUEUE},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static bool number_parse(const char *text, uint64_t max, uint64_t *ret_value)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (errno || *end || value > max)
        return false;
    *ret_value = value;
    return true;
}

static bool setting_parse(struct shim_options *options, const char *name, const char *value)
{
    char line[CONTROL_LINE_MAX];
    char error[SETTINGS_ERROR_MAX];
    enum command command;

    if (snprintf(line, sizeof(line), "%s %s", name, value) >= (int)sizeof(line)) {
        fprintf(stderr, "netshim: --%s: the value is too long\n", name);
        return false;
    }
    if (settings_command(options->settings, line, &command, error) < 0) {
        fprintf(stderr, "netshim: --%s\n", error);
        return false;
    }
    return true;
}

static bool option_parse(struct shim_options *options, int code, const char *name)
{
    uint64_t number = 0;

    switch (code) {
    case OPTION_SETTING:
        return setting_parse(options, name, optarg);
    case OPTION_CONTROL:
        options->control_path = optarg;
        return true;
    case OPTION_SEED:
        if (number_parse(optarg, UINT64_MAX, &options->seed))
            return true;
        fprintf(stderr, "netshim: --seed: '%s' is not a number of 64 bits\n", optarg);
        return false;
    case OPTION_QUEUE:
        if (number_parse(optarg, QUEUE_MAX, &number) && number > 0) {
            options->queue_frames = (uint32_t)number;
            return true;
        }
        fprintf(stderr, "netshim: --queue: '%s' is not a number from 1 to %d\n", optarg, QUEUE_MAX);
        return false;
    default: /* getopt has said why */
        return false;
    }
}

static bool interfaces_parse(struct shim_options *options, char *const names[], int count)
{
    if (count != 2) {
        fprintf(stderr, "netshim: two interfaces are needed, %d given (see --help)\n", count);
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (names[i][0] == '\0' || strlen(names[i]) >= IF_NAMESIZE) {
            fprintf(stderr, "netshim: '%s' cannot be the name of an interface\n", names[i]);
            return false;
        }
        options->interfaces[i] = names[i];
    }
    if (strcmp(names[0], names[1]) == 0) {
        fprintf(stderr, "netshim: both ends are %s; they must differ\n", names[0]);
        return false;
    }
    return true;
}

static int shim_serve(const struct shim_options *options)
{
    char stats[CONTROL_REPLY_MAX] = "";
    struct shim *shim = NULL;

    if (shim_new(options, &shim) < 0)
        return 1;
    printf("seed %" PRIu64 "\nready\n", options->seed);
    fflush(stdout);

    int r = shim_run(shim);
    shim_format_stats(shim, stats, sizeof(stats));
    fputs(stats, stdout);
    fflush(stdout);
    shim_free(shim);
    return r < 0 ? 1 : 0;
}

int main(int argc, char *argv[])
{
    struct shim_options options = {.queue_frames = QUEUE_DEFAULT};
    int code = 0;
    int which = 0;

    if (argc > 1 && strcmp(argv[1], "ctl") == 0) {
        if (argc < 4) {
            fprintf(stderr, "netshim: use: netshim ctl PATH COMMAND...\n");
            return 2;
        }
        return control_call(argv[2], argv + 3, argc - 3);
    }

    if (getrandom(&options.seed, sizeof(options.seed), 0) != sizeof(options.seed)) {
        fprintf(stderr, "netshim: no seed: %s\n", strerror(errno));
        return 1;
    }
    while ((code = getopt_long(argc, argv, "", long_options, &which)) != -1) {
        if (code == OPTION_HELP) {
            fputs(help, stdout);
            return 0;
        }
        if (code == OPTION_VERSION) {
            puts("netshim " PATHDOG_VERSION);
            return 0;
        }
        if (!option_parse(&options, code, long_options[which].name))
            return 2;
    }
    if (!interfaces_parse(&options, argv + optind, argc - optind))
        return 2;
    return shim_serve(&options);
}
