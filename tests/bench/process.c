/* SPDX-License-Identifier: Apache-2.0 */
/* Children: the daemon and the floors. Each dies with the bench. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

pid_t child_fork(void)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    return 0;
}

void child_end(pid_t pid)
{
    int status;

    kill(pid, SIGTERM);
    for (int i = 0; i < 1000; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return;
        usleep(5000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

uint64_t child_cpu_ns(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
        die("process %d is gone", pid);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* ---- the daemon ---- */

static void config_write(const char *path, const char *socket_path)
{
    char *words = strdup(options->triggers), *save = NULL;
    FILE *file = fopen(path, "we");

    if (!file || !words)
        die("%s: %s", path, strerror(errno));
    fprintf(file,
            "[watchdog]\nnode = %s\nmode = active\nsample_interval = %ums\n"
            "max_in_flight = 1048576\nmove_burst = 1000\nmove_refill = 1ms\n"
            "control = %s/control\nmetrics = %s/metrics\nstate_directory = %s/state\n"
            "plugin_directory = %s\n",
            socket_path, options->interval_ms, options->directory, options->directory,
            options->directory, options->plugins);
    if (options->uplinks > 1)
        fputs("\n[uplink:up0]\ninterface = up0\n\n[uplink:up1]\ninterface = up1\n", file);
    for (char *word = strtok_r(words, " ,", &save); word; word = strtok_r(NULL, " ,", &save)) {
        fprintf(file, "\n[trigger:%s]\n", word);
        if (!strcmp(word, "route"))
            fputs("settle = 0\n", file);
        if (!strcmp(word, "tunnel"))
            fprintf(file, "socket = %s/notify\n", options->directory);
    }
    if (fclose(file))
        die("%s: %s", path, strerror(errno));
    free(words);
}

static void daemon_exec(const char *config)
{
    int null = open("/dev/null", O_RDWR);

    if (options->preload)
        setenv("LD_PRELOAD", options->preload, 1);
    unsetenv("NOTIFY_SOCKET");
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        _exit(1);
    execl(options->daemon, options->daemon, "--config", config, "--log", options->log,
          "--log-level", options->log_level, NULL);
    fprintf(stderr, "bench: %s: %s\n", options->daemon, strerror(errno));
    _exit(127);
}

pid_t daemon_start(const char *socket_path)
{
    char config[512], state[512];
    pid_t pid;

    snprintf(config, sizeof(config), "%s/pathdog.conf", options->directory);
    snprintf(state, sizeof(state), "%s/state", options->directory);
    config_write(config, socket_path);
    if (mkdir(state, 0700) && errno != EEXIST)
        die("%s: %s", state, strerror(errno));
    pid = child_fork();
    if (!pid)
        daemon_exec(config);
    return pid;
}

/* ---- what a process takes ---- */

struct memory memory_of(pid_t pid)
{
    struct memory memory = {0};
    char path[64], line[256];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    file = fopen(path, "re");
    if (!file)
        die("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        sscanf(line, "Pss: %" SCNu64, &memory.pss_kb);
        sscanf(line, "Rss: %" SCNu64, &memory.rss_kb);
        sscanf(line, "Anonymous: %" SCNu64, &memory.anonymous_kb);
    }
    fclose(file);
    return memory;
}

static uint64_t switches_of_thread(const char *path)
{
    uint64_t count = 0;
    char line[256];
    FILE *file = fopen(path, "re");

    if (!file)
        return 0;
    while (fgets(line, sizeof(line), file))
        sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &count);
    fclose(file);
    return count;
}

uint64_t switches_of(pid_t pid)
{
    const struct dirent *entry;
    char path[512];
    uint64_t sum = 0;
    DIR *directory;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    directory = opendir(path);
    if (!directory)
        die("%s: %s", path, strerror(errno));
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, entry->d_name);
        sum += switches_of_thread(path);
    }
    closedir(directory);
    return sum;
}
