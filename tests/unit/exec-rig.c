/* SPDX-License-Identifier: Apache-2.0 */
#include "exec-rig.h"

#include "util/clock.h"
#include "util/util.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_US (60 * RIG_SECOND)

static struct exec_rig *rig_of(struct pd_source_host *host)
{
    return CONTAINER_OF(host, struct exec_rig, host);
}

static void append(char *all, size_t size, const char *text)
{
    size_t length = strlen(all);

    snprintf(all + length, size - length, "%s\n", text);
}

static void rig_emit(struct pd_source_host *host, const struct pd_signal *signal)
{
    struct exec_rig *rig = rig_of(host);
    char text[8192];

    if (!strcmp(signal->kind, "command")) {
        rig->n_states++;
        append(rig->states, sizeof(rig->states), signal->fields[0].text);
        return;
    }
    assert_string_equal(signal->kind, "notice");
    assert_string_equal(signal->fields[0].name, "event");
    assert_string_equal(signal->fields[5].name, "pid");
    assert_int_equal(signal->fields[5].number, rig->source->pid);
    assert_int_equal(signal->n_fields, 6);
    snprintf(text, sizeof(text), "%s|%s|%s|%s", signal->fields[0].text, signal->fields[1].text,
             signal->fields[2].text, signal->fields[3].text);
    rig->n_messages++;
    append(rig->messages, sizeof(rig->messages), text);
}

static void rig_notice(struct pd_source_host *host, enum pd_level level, const char *what,
                       const char *text)
{
    struct exec_rig *rig = rig_of(host);
    CLEANUP_FREE char *line = memory_new(1, strlen(what) + strlen(text) + 3);

    (void)level;
    sprintf(line, "%s: %s", what, text);
    rig->n_notices++;
    append(rig->notices, sizeof(rig->notices), line);
}

int rig_begin(void **state)
{
    struct exec_rig *rig = memory_new(1, sizeof(*rig));
    char self[512] = "";

    signal(SIGCHLD, SIG_IGN); /* as pathdog has it */
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    snprintf(rig->helper, sizeof(rig->helper), "%.400s/../../plugins/exec/pathdog-exec",
             dirname(self));
    assert_int_equal(access(rig->helper, X_OK), 0);
    strcpy(rig->directory, "/tmp/test-exec-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    assert_int_equal(chmod(rig->directory, 0755), 0);
    /* longer than anything here takes: a test that waits for one of these shortens it */
    rig->config = (struct exec_config){
        .helper = rig->helper,
        .open_us = 60 * RIG_SECOND,
        .start_us = 60 * RIG_SECOND,
        .stop_us = 60 * RIG_SECOND,
        .closed_us = 60 * RIG_SECOND,
    };
    rig->host =
        (struct pd_source_host){.size = sizeof(rig->host), .emit = rig_emit, .notice = rig_notice};
    assert_true(sd_event_new(&rig->host.loop) >= 0);
    *state = rig;
    return 0;
}

int rig_end(void **state)
{
    struct exec_rig *rig = *state;
    char command[128];

    rig_stop(rig);
    sd_event_unref(rig->host.loop);
    snprintf(command, sizeof(command), "%s/command", rig->directory);
    unlink(command);
    snprintf(command, sizeof(command), "%s/go", rig->directory);
    unlink(command);
    assert_int_equal(rmdir(rig->directory), 0);
    free(rig);
    return 0;
}

void rig_script(struct exec_rig *rig, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/command", rig->directory);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "#!/bin/sh\n%s\n", text) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
    rig_start(rig, path);
}

void rig_go(struct exec_rig *rig)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/go", rig->directory);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

void rig_start(struct exec_rig *rig, const char *command)
{
    const struct pd_start start = {.instance = "exec:x", .values = rig->values};

    rig->values[EXEC_OPTION_COMMAND] = (struct pd_value){.text = command, .given = true};
    assert_int_equal(exec_source_new(&rig->host, &start, &rig->config, &rig->source), 0);
}

void rig_stop(struct exec_rig *rig)
{
    int pid = rig->source && rig->source->runner.running ? rig->source->pid : 0;

    exec_source_free(rig->source);
    rig->source = NULL;
    if (pid)
        rig_wait_gone(pid);
}

void rig_wait(struct exec_rig *rig, const char *text, const char *part)
{
    uint64_t end_us = clock_us(CLOCK_MONOTONIC) + PATIENCE_US;

    while (!strstr(text, part) && clock_us(CLOCK_MONOTONIC) < end_us)
        assert_true(sd_event_run(rig->host.loop, 100000) >= 0);
    if (!strstr(text, part))
        fail_msg("not said: %s\nnotices:\n%sstates:\n%smessages:\n%s", part, rig->notices,
                 rig->states, rig->messages);
}

void rig_run(struct exec_rig *rig, uint64_t for_us)
{
    uint64_t end_us = clock_us(CLOCK_MONOTONIC) + for_us, now_us;

    while ((now_us = clock_us(CLOCK_MONOTONIC)) < end_us)
        assert_true(sd_event_run(rig->host.loop, end_us - now_us) >= 0);
}

size_t rig_numbers(const char *text, const char *name, int *numbers, size_t most)
{
    size_t n = 0;

    for (const char *at = text; n < most && (at = strstr(at, name)); at += strlen(name))
        numbers[n++] = atoi(at + strlen(name));
    return n;
}

void rig_wait_gone(int pid)
{
    uint64_t end_us = clock_us(CLOCK_MONOTONIC) + PATIENCE_US;

    assert_true(pid > 1);
    while (kill(pid, 0) == 0 && clock_us(CLOCK_MONOTONIC) < end_us)
        usleep(2000);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}
