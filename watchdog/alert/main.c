/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog-alert: runs a program when pathdog reports something. A process of its own, which knows
 * pathdog by its control socket alone: whatever the program does, pathdog does not notice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../util/exit-status.h"
#include "../util/format.h"
#include "../util/printable.h"
#include "arguments.h"
#include "log.h"
#include "trial.h"

static void open_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_FAILED);
}

static int complain(int status, const char *error)
{
    alert_say(PD_LEVEL_ERROR, "%s", error);
    return status;
}

/* What was printed must have arrived. */
static int printed(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    alert_say(PD_LEVEL_ERROR, "cannot write the output: %s", strerrordesc_np(errno));
    return EXIT_FAILED;
}

static int no_section(const struct alert_options *options)
{
    alert_say(PD_LEVEL_ERROR, "%s: there is no section [alert]; pathdog.conf(5) has an example",
              options->config_path);
    return EXIT_BAD_INPUT;
}

static int check(const struct config *config)
{
    CLEANUP_FREE char *text = config_alert_text(config), *shown = lines_shown(text);

    fputs(shown + strspn(shown, "\n"), stdout);
    return printed(EXIT_GOOD);
}

static int trial(const struct alert_arguments *arguments, const struct config *config)
{
    int r = trial_run(&arguments->options, config, arguments->event);

    if (r < 0)
        return complain(EXIT_FAILED, strerrordesc_np(-r));
    return printed(r ? EXIT_GOOD : EXIT_FAILED);
}

int main(int argc, char **argv)
{
    CLEANUP_FREE char *error = NULL;
    struct alert_arguments arguments;
    struct config *config = NULL;
    int r, status;

    open_standard_descriptors();
    if (alert_arguments_parse(argc, argv, &arguments, &error) < 0)
        return complain(EXIT_BAD_INPUT, error);
    if (arguments.task == ALERT_DO_NOTHING)
        return printed(EXIT_GOOD);
    r = alert_config(&arguments.options, &config, &error);
    if (r < 0)
        return complain(exit_status_of(r), error);
    if (arguments.task == ALERT_DO_RUN) {
        r = alert_run(&arguments.options, config, &error);
        return r < 0 ? complain(EXIT_FAILED, error) : EXIT_GOOD;
    }
    if (!config->alert.given)
        status = no_section(&arguments.options);
    else
        status = arguments.task == ALERT_DO_CHECK ? check(config) : trial(&arguments, config);
    config_free(config);
    return status;
}
