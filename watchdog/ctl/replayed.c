/* SPDX-License-Identifier: Apache-2.0 */
/* The child, its pipe and what it complains of. */
#include "replayed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../util/format.h"
#include "beside.h"
#include "ctl.h"

#define PROGRAM   "pathdog-replay"
#define ERROR_MAX 4096u
#define PERIOD    64u

extern char **environ;

struct replayed {
    pid_t pid; /* 0: it was waited for */
    FILE *out;
    int errors; /* a file without a name: nobody has to read it meanwhile */
    char *line;
    size_t size;
    int status;
    char remark[ERROR_MAX];
};

static int start(struct replayed *replayed, char *const *arguments, int pipe_out,
                 bool foreign_input)
{
    posix_spawn_file_actions_t actions;
    int r;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, replayed->errors, STDERR_FILENO);
    if (!foreign_input)
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    r = beside_spawn(PROGRAM, &actions, arguments, &replayed->pid);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

bool replayed_start(const char *recording, const char *config_path, bool rtt, uint64_t since_us,
                    uint64_t until_us, struct replayed **ret)
{
    struct replayed *replayed = memory_new(1, sizeof(*replayed));
    char period[PERIOD];
    const char *arguments[10] = {PROGRAM, "--log", "json"};
    size_t n = 3;
    int ends[2] = {-1, -1}, r = 0;

    snprintf(period, sizeof(period), "--rtt=%llu,%llu", (unsigned long long)since_us,
             (unsigned long long)until_us);
    if (rtt)
        arguments[n++] = period;
    if (config_path) {
        arguments[n++] = "--config";
        arguments[n++] = config_path;
    }
    arguments[n++] = "--";
    arguments[n++] = recording;
    replayed->errors = memfd_create("errors", MFD_CLOEXEC);
    if (replayed->errors < 0 || pipe2(ends, O_CLOEXEC) < 0)
        r = errno;
    if (!r)
        r = start(replayed, (char *const *)(uintptr_t)arguments, ends[1], !strcmp(recording, "-"));
    if (ends[1] >= 0)
        close(ends[1]);
    if (!r) {
        replayed->out = memory_check(fdopen(ends[0], "r"));
        *ret = replayed;
        return true;
    }
    if (ends[0] >= 0)
        close(ends[0]);
    replayed->pid = 0;
    replayed_free(replayed);
    complain("cannot run " PROGRAM ", which reads recordings: %s", strerror(r));
    return false;
}

/* It has ended: how, and what it said. */
static void finish(struct replayed *replayed)
{
    ssize_t n;
    char *end;
    int status, r;

    if (!replayed->pid)
        return;
    do
        r = (int)waitpid(replayed->pid, &status, 0);
    while (r < 0 && errno == EINTR);
    replayed->pid = 0;
    replayed->status = r >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    n = pread(replayed->errors, replayed->remark, sizeof(replayed->remark) - 1, 0);
    replayed->remark[n > 0 ? n : 0] = '\0';
    end = strchrnul(replayed->remark, '\n');
    *end = '\0';
    if (!strncmp(replayed->remark, PROGRAM ": ", strlen(PROGRAM ": ")))
        memmove(replayed->remark, replayed->remark + strlen(PROGRAM ": "),
                strlen(replayed->remark) - strlen(PROGRAM ": ") + 1);
    if (r >= 0 && WIFSIGNALED(status))
        snprintf(replayed->remark, sizeof(replayed->remark), PROGRAM " was ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
}

json_t *replayed_next(struct replayed *replayed)
{
    json_error_t error;
    json_t *line;
    ssize_t n = getline(&replayed->line, &replayed->size, replayed->out);

    if (n <= 0) {
        finish(replayed);
        return NULL;
    }
    line = json_loadb(replayed->line, (size_t)n, 0, &error);
    if (line)
        return line;
    /* half a line: its end is said by its status */
    while (getline(&replayed->line, &replayed->size, replayed->out) > 0)
        ;
    finish(replayed);
    if (!replayed->status) {
        replayed->status = 1;
        snprintf(replayed->remark, sizeof(replayed->remark),
                 PROGRAM " printed a line that is no JSON: %s", error.text);
    }
    return NULL;
}

const char *replayed_remark(const struct replayed *replayed)
{
    return replayed->remark;
}

int replayed_status(const struct replayed *replayed)
{
    return replayed->status;
}

struct replayed *replayed_free(struct replayed *replayed)
{
    if (!replayed)
        return NULL;
    if (replayed->out)
        fclose(replayed->out);
    if (replayed->pid) {
        kill(replayed->pid, SIGKILL);
        finish(replayed);
    }
    if (replayed->errors >= 0)
        close(replayed->errors);
    free(replayed->line);
    free(replayed);
    return NULL;
}
