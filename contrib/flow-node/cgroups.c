/* SPDX-License-Identifier: Apache-2.0 */
/* The number is the inode of the directory. To open it by that number takes a capability which this
 * program has not, so the tree is read; what was found is kept. */
#include "cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/util.h"

#define KEPT       256u
#define DEPTH_MOST 12u
#define LOOKS_MOST 16384u               /* directories in one search */
#define PAUSE_NS   UINT64_C(1000000000) /* after a search in vain */

static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

struct known {
    uint64_t number; /* 0: none */
    char path[CGROUP_PATH_SIZE];
};

struct cgroups {
    struct known known[KEPT]; /* a ring */
    size_t n;
    uint64_t vain_ns; /* when one was searched for in vain; 0: never */
};

struct cgroups *cgroups_new(void)
{
    return memory_new(1, sizeof(struct cgroups));
}

struct cgroups *cgroups_free(struct cgroups *cgroups)
{
    free(cgroups);
    return NULL;
}

struct search {
    uint64_t number;
    unsigned looks;
    size_t length;
    char path[CGROUP_PATH_SIZE]; /* with the mount point */
};

/* Is it this directory, or one below? */
static bool search_in(struct search *search, unsigned depth)
{
    DIR *directory;
    struct dirent *entry;
    size_t length = search->length;
    bool found = false;

    if (depth >= DEPTH_MOST)
        return false;
    directory = opendir(search->path);
    if (!directory)
        return false;
    while (!found && search->looks < LOOKS_MOST && (entry = readdir(directory))) {
        int n;

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        search->looks++;
        n = snprintf(search->path + length, sizeof(search->path) - length, "/%s", entry->d_name);
        if (n < 0 || (size_t)n >= sizeof(search->path) - length)
            continue;
        search->length = length + (size_t)n;
        found = entry->d_ino == search->number || search_in(search, depth + 1);
    }
    closedir(directory);
    if (!found) {
        search->length = length;
        search->path[length] = '\0';
    }
    return found;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A number is used again when its cgroup is gone: what is kept has to be there still. */
static bool is_still(const struct known *known, const char *mount)
{
    char path[CGROUP_PATH_SIZE + 64];
    struct stat st;

    snprintf(path, sizeof(path), "%s%s", mount, known->path);
    return stat(path, &st) == 0 && st.st_ino == known->number;
}

bool cgroups_path(struct cgroups *cgroups, uint64_t number, char ret_path[static CGROUP_PATH_SIZE])
{
    struct known *known;

    for (size_t i = 0; i < KEPT; i++)
        for (size_t m = 0; cgroups->known[i].number == number && m < ARRAY_SIZE(mounts); m++)
            if (is_still(&cgroups->known[i], mounts[m])) {
                memcpy(ret_path, cgroups->known[i].path, CGROUP_PATH_SIZE);
                return true;
            }
    if (cgroups->vain_ns && now_ns() - cgroups->vain_ns < PAUSE_NS)
        return false;
    for (size_t m = 0; m < ARRAY_SIZE(mounts); m++) {
        struct search search = {.number = number};

        search.length = (size_t)snprintf(search.path, sizeof(search.path), "%s", mounts[m]);
        if (!search_in(&search, 0))
            continue;
        known = &cgroups->known[cgroups->n++ % KEPT];
        known->number = number;
        snprintf(known->path, sizeof(known->path), "%s", search.path + strlen(mounts[m]));
        memcpy(ret_path, known->path, CGROUP_PATH_SIZE);
        return true;
    }
    cgroups->vain_ns = now_ns();
    return false;
}
