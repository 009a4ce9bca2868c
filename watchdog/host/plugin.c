/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, loading and keeping plugins. What is checked is the opened file, and
 * the opened file is what is loaded: nobody can put another in its place
 * between the two. Its directory is opened by safe-path.h's rule.
 */
#include "plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../config/value.h"
#include "../util/exit-status.h"
#include "../util/format.h"
#include "../util/nearest.h"
#include "../util/safe-path.h"
#include "list.h"

struct plugin {
    char *directory, *name;
    struct pd_trigger *trigger; /* a copy: what an older one lacks is zero there */
    const struct pd_source *source;
    void *handle;
    int fd; /* open as long as it is loaded: the loader knows it by /proc/self/fd/N */
};

struct plugins {
    struct plugin *list;
    size_t n, capacity;
};

struct plugins *plugins_new(void)
{
    return memory_new(1, sizeof(struct plugins));
}

struct plugins *plugins_free(struct plugins *plugins)
{
    if (!plugins)
        return NULL;
    while (plugins->n) {
        struct plugin *plugin = &plugins->list[--plugins->n];

        dlclose(plugin->handle);
        close(plugin->fd);
        free(plugin->trigger);
        free(plugin->directory);
        free(plugin->name);
    }
    free(plugins->list);
    free(plugins);
    return NULL;
}

static bool is_plugin_file(const char *file)
{
    size_t length = strlen(file);

    return length > 3 && file[0] != '.' && !strcmp(file + length - 3, ".so");
}

static void names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* The names of the plugins in a directory, sorted; freed by names_free. 0 or -errno. */
static int directory_names(int directory_fd, char ***ret_names, size_t *ret_count)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    char **names = NULL;
    size_t n = 0, capacity = 0;

    if (!directory)
        r = -errno;
    for (struct dirent *entry; directory && (errno = 0, entry = readdir(directory));) {
        size_t at = n;
        char *name;

        if (!is_plugin_file(entry->d_name))
            continue;
        name = string_format("%.*s", (int)(strlen(entry->d_name) - 3), entry->d_name);
        names = array_reserve(names, &capacity, n + 1, sizeof(*names));
        for (; at && strcmp(names[at - 1], name) > 0; at--)
            names[at] = names[at - 1];
        names[at] = name;
        n++;
    }
    if (directory) {
        r = -errno; /* 0: that was the last one */
        closedir(directory);
    } else if (fd >= 0) {
        close(fd);
    }
    *ret_names = names;
    *ret_count = n;
    return r;
}

static int no_such_plugin(int directory_fd, const char *directory, const char *name,
                          char **ret_error)
{
    const char *nearest;
    char **names;
    size_t n;
    int r;

    (void)directory_names(directory_fd, &names, &n); /* without them nothing is suggested */
    nearest = nearest_word(name, (const char *const *)names, n);
    r = error_set(ret_error, -ENOENT, "there is no trigger %s in %s%s%s%s", name, directory,
                  nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    names_free(names, n);
    return r;
}

/* The loader maps what the headers promise; where the file ends before it (a
 * full disk, half a copy), it dies of SIGBUS. No ELF at all: it says so itself.
 * 0: it is whole; -ENOEXEC: it is not; or -errno. */
static int check_length(int fd, uint64_t n_bytes)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) part;
    ssize_t n = pread(fd, &header, sizeof(header), 0);

    if (n < 0)
        return -errno;
    if (n != sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) ||
        header.e_phentsize != sizeof(part))
        return 0;
    for (uint64_t i = 0, end; i < header.e_phnum; i++) {
        n = pread(fd, &part, sizeof(part), (off_t)(header.e_phoff + i * sizeof(part)));
        if (n < 0)
            return -errno;
        if (n != sizeof(part) ||
            (part.p_type == PT_LOAD &&
             (__builtin_add_overflow(part.p_offset, part.p_filesz, &end) || end > n_bytes)))
            return -ENOEXEC;
    }
    return 0;
}

/* It is open, and nothing is known of it yet. */
static int check_file(int fd, const char *path, char **ret_error)
{
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0)
        return error_set(ret_error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(ret_error, -EINVAL, "%s: is not a regular file", path);
    r = safe_check(&st, path, ret_error);
    if (r < 0)
        return r;
    r = check_length(fd, (uint64_t)st.st_size);
    if (r == -ENOEXEC)
        return error_set(ret_error, -EINVAL, "%s: is cut off", path);
    return r < 0 ? error_set(ret_error, r, "%s: %s", path, strerror(-r)) : 0;
}

static int open_plugin(const char *directory, const char *name, int *ret_fd, char **ret_error)
{
    CLEANUP_FREE char *file = string_format("%s.so", name),
                      *path = string_format("%s/%s", directory, file);
    int directory_fd = safe_open(directory, O_RDONLY | O_DIRECTORY, ret_error), fd, r = 0;

    if (directory_fd < 0)
        return directory_fd;
    fd = openat(directory_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        r = no_such_plugin(directory_fd, directory, name, ret_error);
    else if (fd < 0)
        r = error_set(ret_error, -errno, "%s: %s", path,
                      errno == ELOOP ? "is a symbolic link" : strerror(errno));
    close(directory_fd);
    if (fd < 0)
        return r;
    r = check_file(fd, path, ret_error);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

/* What the loader says, without the odd name that it was given. */
static const char *loader_error(const char *path)
{
    const char *error = dlerror();
    size_t length = strlen(path);

    if (!error)
        return "cannot be loaded";
    if (!strncmp(error, path, length) && !strncmp(error + length, ": ", 2))
        return error + length + 2;
    return error;
}

/* The loader has no numbers, but ends with the words of one: -errno where these are the
 * machine's, else -EINVAL. */
static int loader_errno(const char *text)
{
    for (int error = 1; error < 134; error++) {
        const char *words = strerror(error);
        size_t length = strlen(words), whole = strlen(text);

        if (whole >= length && !strcmp(text + whole - length, words))
            return error_is_operators(-error) ? -EINVAL : -error;
    }
    return -EINVAL;
}

/* Unloads what was refused. Where the loader keeps it all the same, its name
 * must not come back for another file: then the descriptor is left open. */
static void unload(void *handle, int fd, const char *path)
{
    void *kept;

    dlclose(handle);
    kept = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (kept)
        dlclose(kept);
    else
        close(fd);
}

/* With all members that this pathdog knows. */
static struct pd_trigger *whole_trigger(const struct pd_trigger *trigger)
{
    struct pd_trigger *whole = memory_new(1, sizeof(*whole));

    memcpy(whole, trigger, trigger->size);
    return whole;
}

static int load_plugin(const char *directory, const char *name, struct plugin *ret_plugin,
                       char **ret_error)
{
    CLEANUP_FREE char *wrong = NULL, *path = NULL;
    const struct pd_trigger *trigger;
    const struct pd_source *source;
    void *handle;
    int fd = -1, r = open_plugin(directory, name, &fd, ret_error);

    if (r < 0)
        return r;
    path = string_format("/proc/self/fd/%d", fd);
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *text = loader_error(path);
        bool no_proc = access(path, F_OK) < 0 && errno == ENOENT;

        r = no_proc ? -EINVAL : loader_errno(text);
        error_set(ret_error, 0, "%s/%s.so: %s", directory, name,
                  no_proc ? "cannot be loaded: /proc is not mounted" : text);
        close(fd);
        return r;
    }
    trigger = dlsym(handle, "pathdog_trigger");
    source = dlsym(handle, "pathdog_source");
    r = -EINVAL;
    if (trigger)
        r = plugin_check(trigger, name, &wrong);
    else
        error_set(&wrong, -EINVAL, "has no symbol pathdog_trigger");
    if (r >= 0 && source)
        r = plugin_check_source(source, &wrong);
    if (r < 0 || !trigger) {
        error_set(ret_error, 0, "%s/%s.so: %s", directory, name, wrong);
        unload(handle, fd, path);
        return r;
    }
    *ret_plugin = (struct plugin){
        .directory = string_copy(directory),
        .name = string_copy(name),
        .trigger = whole_trigger(trigger),
        .source = source,
        .handle = handle,
        .fd = fd,
    };
    return 0;
}

const struct pd_trigger *plugins_find(struct plugins *plugins, const char *directory,
                                      const char *name, char **ret_error)
{
    int r;

    for (size_t i = 0; i < plugins->n; i++)
        if (!strcmp(plugins->list[i].name, name) && !strcmp(plugins->list[i].directory, directory))
            return plugins->list[i].trigger;
    if (!*name || strlen(name) > 32 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name)) {
        error_set(ret_error, 0,
                  "\"%.40s\" is not a trigger's name; allowed is [a-z][a-z0-9-]{0,31}", name);
        errno = EINVAL;
        return NULL;
    }
    plugins->list =
        array_reserve(plugins->list, &plugins->capacity, plugins->n + 1, sizeof(*plugins->list));
    r = load_plugin(directory, name, &plugins->list[plugins->n], ret_error);
    if (r < 0) {
        errno = -r;
        return NULL;
    }
    return plugins->list[plugins->n++].trigger;
}

const struct pd_source *plugins_source(const struct plugins *plugins,
                                       const struct pd_trigger *trigger)
{
    for (size_t i = 0; i < plugins->n; i++)
        if (plugins->list[i].trigger == trigger)
            return plugins->list[i].source;
    return NULL;
}

static const struct pd_trigger *lookup_find(void *user, const char *directory, const char *name,
                                            char **ret_error)
{
    return plugins_find(user, directory, name, ret_error);
}

struct config_lookup plugins_lookup(struct plugins *plugins, const char *runtime)
{
    return (struct config_lookup){
        .find = lookup_find, .user = plugins, .runtime = runtime, .guarded = geteuid() == 0};
}

int plugins_list(struct plugins *plugins, const char *directory, bool json, FILE *out,
                 char **ret_error)
{
    int fd = safe_open(directory, O_RDONLY | O_DIRECTORY, ret_error);
    char **names;
    size_t n;
    int r;

    if (fd < 0)
        return fd;
    r = directory_names(fd, &names, &n);
    close(fd);
    if (r < 0) {
        names_free(names, n);
        return error_set(ret_error, r, "%s: %s", directory, strerror(-r));
    }
    list_begin(json, out);
    for (size_t i = 0; i < n; i++) {
        CLEANUP_FREE char *error = NULL;
        const struct pd_trigger *trigger = plugins_find(plugins, directory, names[i], &error);

        if (trigger)
            list_trigger(trigger, plugins_source(plugins, trigger) != NULL, json, i == 0, out);
        else
            list_refused(names[i], error, json, i == 0, out);
    }
    list_end(json, out);
    names_free(names, n);
    return 0;
}
