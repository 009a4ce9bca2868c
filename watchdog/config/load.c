/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only part of the config that touches the disk: FILE, then FILE.d/ *.conf
 * in name order. Everything that is read goes into one list of entries.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/exit-status.h"
#include "../util/format.h"
#include "../util/printable.h"
#include "../util/safe-path.h"
#include "build.h"

/* Guarded: by safe-path.h's rule. A configuration says which code is loaded and which files are
 * written; root takes it from nobody else. Returns a descriptor, or -errno and a sentence. */
static int open_path(const char *path, int flags, bool guarded, char **ret_error)
{
    CLEANUP_FREE char *shown = NULL, *unsafe = NULL, *safe = NULL;
    int fd;

    if (!guarded) {
        fd = open(path, flags | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        fd = -errno;
        shown = text_shown(path);
        return error_set(ret_error, fd, "%s: %s", shown, strerror(-fd));
    }
    fd = safe_open(path, flags, &unsafe);
    if (fd >= 0)
        return fd;
    safe = text_shown(unsafe);
    return error_set(
        ret_error, fd, "%s%s", safe,
        fd == -EPERM ? "; pathdog of root reads no configuration that others can change" : "");
}

/* Regular files only: opening a FIFO would hold up the loop of a reload for ever. */
static int open_file(const char *path, const char *shown, bool guarded, FILE **ret_file,
                     char **ret_error)
{
    int fd = open_path(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, guarded, ret_error), error;
    struct stat st;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0) {
        error = error_set(ret_error, -errno, "%s: %s", shown, strerror(errno));
    } else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
        *ret_file = memory_check(fdopen(fd, "r")); /* a directory: read(2) says so */
        return 0;
    } else {
        error = error_set(ret_error, -EINVAL, "%s: is not a regular file", shown);
    }
    close(fd);
    return error;
}

static int read_file(const char *path, const char *shown, bool guarded, char **ret_text,
                     size_t *ret_bytes, char **ret_error)
{
    FILE *file = NULL;
    char *text;
    size_t n;
    int error = open_file(path, shown, guarded, &file, ret_error);

    if (error < 0)
        return error;
    text = memory_new(INI_FILE_BYTES + 2, 1);
    errno = 0;
    n = fread(text, 1, INI_FILE_BYTES + 1, file);
    if (ferror(file))
        error = errno ? errno : EIO;
    fclose(file);
    if (error) {
        free(text);
        return error_set(ret_error, -error, "%s: %s", shown, strerror(error));
    }
    *ret_text = text;
    *ret_bytes = n;
    return 0;
}

static int load_file(struct ini *ini, const char *path, bool guarded, char **ret_error)
{
    CLEANUP_FREE char *text = NULL, *shown = text_shown(path);
    size_t n_bytes = 0;
    int r = read_file(path, shown, guarded, &text, &n_bytes, ret_error);

    return r < 0 ? r : ini_read(ini, shown, text, n_bytes, ret_error);
}

static int is_drop_in(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 && !strcmp(entry->d_name + length - 5, ".conf");
}

/* By bytes: the order must not depend on the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_drop_ins(struct ini *ini, const char *path, bool guarded, char **ret_error)
{
    CLEANUP_FREE char *directory = string_format("%s.d", path), *error = NULL;
    int fd = open_path(directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK, guarded, &error), n, r;
    struct dirent **names = NULL;

    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return error_set(ret_error, fd, "%s", error);
    n = scandirat(fd, ".", &names, is_drop_in, compare_names);
    r = n < 0 ? error_set(ret_error, -errno, "%s: %s", directory, strerror(errno)) : 0;
    close(fd);
    for (int i = 0; i < n; i++) {
        CLEANUP_FREE char *file = string_format("%s/%s", directory, names[i]->d_name);

        if (r >= 0)
            r = load_file(ini, file, guarded, ret_error);
        free(names[i]);
    }
    free(names);
    return r;
}

static int load_all(struct ini *ini, const char *path, bool guarded, char **ret_error)
{
    int r = load_file(ini, path, guarded, ret_error);

    return r < 0 ? r : load_drop_ins(ini, path, guarded, ret_error);
}

int config_load(const char *path, const struct config_lookup *lookup, struct config **ret_config,
                char **ret_error)
{
    struct ini ini = {0};
    int r = load_all(&ini, path, lookup->guarded, ret_error);

    if (r >= 0)
        r = config_build(&ini, path, lookup, ret_config, ret_error);
    ini_clear(&ini);
    return r;
}

int config_load_alert(const char *path, const struct config_lookup *lookup,
                      struct config **ret_config, char **ret_error)
{
    struct ini ini = {0};
    int r = load_all(&ini, path, lookup->guarded, ret_error);

    if (r >= 0)
        r = config_build_alert(&ini, lookup, ret_config, ret_error);
    ini_clear(&ini);
    return r;
}

int config_plugin_directory(const char *path, char **ret_directory, char **ret_error)
{
    const char *directory = PATHDOG_TRIGGER_DIRECTORY;
    bool guarded = geteuid() == 0;
    struct ini ini = {0};
    int r = load_all(&ini, path, guarded, ret_error);

    if (r < 0 && !error_is_operators(r)) {
        ini_clear(&ini);
        return r;
    }
    free(*ret_error);
    *ret_error = NULL;
    for (size_t i = 0; i < ini.n_entries; i++)
        if (ini.entries[i].key && !strcmp(ini.entries[i].key, "plugin_directory") &&
            !strcmp(ini.entries[i].section, "watchdog"))
            directory = ini.entries[i].value;
    *ret_directory = string_copy(directory);
    ini_clear(&ini);
    return 0;
}

int config_parse_text(const char *name, const char *text, size_t n_bytes,
                      const struct config_lookup *lookup, struct config **ret_config,
                      char **ret_error)
{
    struct ini ini = {0};
    int r = ini_read(&ini, name, text, n_bytes, ret_error);

    if (r >= 0)
        r = config_build(&ini, name, lookup, ret_config, ret_error);
    ini_clear(&ini);
    return r;
}
