/* SPDX-License-Identifier: Apache-2.0 */
/* See traces.h. Whole numbers separated by commas; what is compressed is read through gzip(1). */
#include "traces.h"

#include "util/util.h"

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && !strcmp(text + n - m, end);
}

/* Standard output of `gzip -dc PATH`; NULL: it cannot be started. */
static FILE *gunzip(const char *path, pid_t *ret_pid)
{
    int pipes[2];
    pid_t pid;

    if (pipe(pipes) < 0)
        return NULL;
    pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        execlp("gzip", "gzip", "-dc", "--", path, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    *ret_pid = pid;
    if (pid < 0) {
        close(pipes[0]);
        return NULL;
    }
    return fdopen(pipes[0], "r");
}

/* Returns the number of columns; 0: this is not a row of whole numbers. */
static size_t row_read(char *line, int64_t values[static TRACE_COLUMNS])
{
    size_t n = 0;
    char *end;

    for (char *text = line; n < TRACE_COLUMNS; text = end + 1) {
        double value = strtod(text, &end);

        if (end == text)
            return 0;
        values[n++] = (int64_t)value;
        if (*end != ',')
            break;
    }
    return n;
}

static bool rows_read(FILE *file, const char *path, struct trace *trace)
{
    char line[256];
    int64_t values[TRACE_COLUMNS] = {0};

    if (!fgets(line, sizeof(line), file)) {
        fprintf(stderr, "score: %s: cannot be read, or is empty\n", path);
        return false;
    }
    while (fgets(line, sizeof(line), file)) { /* after the header */
        size_t n = row_read(line, values);

        if (!n || (trace->n_columns && n != trace->n_columns)) {
            fprintf(stderr, "score: %s:%zu: not a row of numbers: %s", path, trace->n_rows + 2,
                    line);
            return false;
        }
        trace->n_columns = n;
        trace->values = array_reserve(trace->values, &trace->capacity,
                                      (trace->n_rows + 1) * TRACE_COLUMNS, sizeof(int64_t));
        memcpy(trace->values + trace->n_rows++ * TRACE_COLUMNS, values, sizeof(values));
    }
    return trace->n_rows > 0;
}

static bool file_read(const char *path, struct trace *trace)
{
    pid_t pid = 0;
    FILE *file = ends_with(path, ".gz") ? gunzip(path, &pid) : fopen(path, "re");
    bool good;
    int status;

    if (!file) {
        fprintf(stderr, "score: %s: %s\n", path, strerror(errno));
        return false;
    }
    good = rows_read(file, path, trace);
    fclose(file);
    if (pid > 0)
        good &= waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
    return good;
}

static int wanted(const struct dirent *entry)
{
    return ends_with(entry->d_name, ".csv") || ends_with(entry->d_name, ".csv.gz");
}

static bool folder_read(const char *directory, const char *name, struct trace_folder *folder)
{
    struct dirent **entries;
    char path[4096];
    bool good = true;
    int n;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    n = scandir(path, &entries, wanted, alphasort);
    if (n < 0)
        return errno == ENOENT;
    for (int i = 0; i < n; i++) {
        folder->traces = array_reserve(folder->traces, &folder->capacity, folder->n_traces + 1,
                                       sizeof(*folder->traces));
        struct trace *trace = &folder->traces[folder->n_traces++];

        *trace = (struct trace){.name = string_copy(entries[i]->d_name)};
        snprintf(path, sizeof(path), "%s/%s/%s", directory, name, entries[i]->d_name);
        good = good && file_read(path, trace);
        free(entries[i]);
    }
    free(entries);
    return good;
}

bool traces_read(const char *directory, struct traces *ret_traces)
{
    *ret_traces = (struct traces){0};
    return folder_read(directory, "uplinks", &ret_traces->uplinks) &&
           folder_read(directory, "handover", &ret_traces->handover) &&
           folder_read(directory, "driving", &ret_traces->driving) &&
           folder_read(directory, "labelled", &ret_traces->labelled);
}

static void folder_done(struct trace_folder *folder)
{
    for (size_t i = 0; i < folder->n_traces; i++) {
        free(folder->traces[i].name);
        free(folder->traces[i].values);
    }
    free(folder->traces);
}

void traces_done(struct traces *traces)
{
    folder_done(&traces->uplinks);
    folder_done(&traces->handover);
    folder_done(&traces->driving);
    folder_done(&traces->labelled);
}
