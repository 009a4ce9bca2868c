/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog: arguments, configuration, daemon, loop, exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "arguments.h"
#include "out/sink.h"
#include "util/disk.h"
#include "util/exit-status.h"
#include "util/format.h"
#include "util/printable.h"
#include "util/util.h"

/* How long an error may take to be printed. */
#define SAY_US UINT64_C(2000000)

/* Whoever started us without them: nothing else may get these numbers. */
static void open_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_FAILED);
}

/* All threads inherit this: the loop alone takes signals. A reader that is gone and a file that
 * may not grow (RLIMIT_FSIZE) are errors of a write, and no reason to end. */
static void block_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* what a trigger started and left needs nobody to collect it */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static int complain(int status, const char *error)
{
    CLEANUP_FREE char *shown = text_shown(error ? error : "cannot start");
    CLEANUP_FREE char *text = string_format("%spathdog: %s\n", sink_error_prefix(), shown);

    (void)stderr_say(text, SAY_US);
    return status;
}

/* What was printed must have arrived. */
static int printed(void)
{
    CLEANUP_FREE char *error = NULL;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_GOOD;
    error = string_format("cannot write the output: %s", strerror(errno));
    return complain(EXIT_FAILED, error);
}

static int list_triggers(const struct arguments *arguments, struct plugins *plugins)
{
    CLEANUP_FREE char *error = NULL, *directory = NULL;
    int r = config_plugin_directory(arguments->options.config_path, &directory, &error);

    if (r >= 0)
        r = plugins_list(plugins, directory, arguments->json, stdout, &error);
    return r < 0 ? complain(exit_status_of(r), error) : printed();
}

/* What is no error goes beside what is printed, a line each. */
static void warn(char *lines)
{
    char *save = NULL;

    for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        CLEANUP_FREE char *shown = text_shown(line);
        CLEANUP_FREE char *text = string_format("pathdog: warning: %s\n", shown);

        (void)stderr_say(text, SAY_US);
    }
}

static int check(struct config *config)
{
    CLEANUP_FREE char *text = config_text(config, CONFIG_ORIGINS), *shown = lines_shown(text);
    CLEANUP_FREE char *warnings = config_warnings(config);

    fputs(shown, stdout);
    warn(warnings);
    config_free(config);
    return printed();
}

static int run(const struct arguments *arguments, struct config *config, struct plugins *plugins)
{
    CLEANUP_FREE char *error = NULL;
    struct daemon *daemon = NULL;
    bool whole;
    int r = daemon_new(&arguments->options, config, plugins, &daemon, &error);

    if (r < 0)
        return complain(exit_status_of(r), error);
    r = daemon_run(daemon);
    whole = daemon_stop(daemon);
    if (r < 0)
        complain(EXIT_FAILED, strerror(-r));
    if (!whole) /* nothing is freed below a thread that has it */
        _exit(r < 0 ? EXIT_FAILED : EXIT_GOOD);
    daemon_free(daemon);
    return r < 0 ? EXIT_FAILED : EXIT_GOOD;
}

/* An install leaves it beside the file that is not there yet. */
static void point_to_example(const char *path, char **error)
{
    CLEANUP_FREE char *example = string_format("%s.example", path);
    char *whole;

    if (access(path, F_OK) == 0 || access(example, R_OK) < 0)
        return;
    whole = string_format("%s (%s is an example to begin with)", *error, example);
    free(*error);
    *error = whole;
}

static int with_plugins(const struct arguments *arguments, struct plugins *plugins)
{
    const struct config_lookup lookup = plugins_lookup(plugins, arguments->options.runtime);
    CLEANUP_FREE char *error = NULL;
    struct config *config;
    int r;

    if (arguments->what == DO_LIST_TRIGGERS)
        return list_triggers(arguments, plugins);
    r = config_load(arguments->options.config_path, &lookup, &config, &error);
    if (r < 0) {
        if (r == -ENOENT)
            point_to_example(arguments->options.config_path, &error);
        return complain(exit_status_of(r), error);
    }
    r = config_check_accounts(config, &error);
    if (r >= 0 && arguments->what == DO_CHECK)
        r = config_check_alert(config, &error);
    if (r < 0) {
        config_free(config);
        return complain(exit_status_of(r), error);
    }
    if (arguments->options.observe)
        config_set_observe(config);
    return arguments->what == DO_CHECK ? check(config) : run(arguments, config, plugins);
}

int main(int argc, char **argv)
{
    CLEANUP_FREE char *error = NULL;
    struct arguments arguments;
    struct plugins *plugins;
    int status;

    open_standard_descriptors();
    if (arguments_parse(argc, argv, &arguments, &error) < 0)
        return complain(EXIT_BAD_INPUT, error);
    if (arguments.what == DO_NOTHING)
        return printed();
    block_signals();
    plugins = plugins_new();
    status = with_plugins(&arguments, plugins);
    plugins_free(plugins);
    return status;
}
