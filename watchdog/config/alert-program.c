/* SPDX-License-Identifier: Apache-2.0 */
/* Is the program of [alert] there, and could nobody else have put it there? Apart from the parser,
 * because a recording is replayed on other machines. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/format.h"
#include "../util/safe-path.h"
#include "../util/words.h"
#include "config.h"

int program_check(const char *path, char **ret_error)
{
    CLEANUP_FREE char *unsafe = NULL;
    int fd = safe_open(path, O_PATH | O_CLOEXEC, &unsafe);
    struct stat st;
    int r = 0;

    if (fd < 0)
        return error_set(ret_error, fd, "%s%s", unsafe,
                         fd == -EPERM ? "; a program that others can change is not run" : "");
    if (fstat(fd, &st) < 0)
        r = error_set(ret_error, -errno, "%s: %s", path, strerrordesc_np(errno));
    else if (!S_ISREG(st.st_mode))
        r = error_set(ret_error, -EINVAL, "%s: is not a regular file", path);
    else if (!(st.st_mode & 0111))
        r = error_set(ret_error, -EACCES, "%s: is not executable (mode %04o): chmod +x", path,
                      (unsigned)st.st_mode & 07777);
    close(fd);
    return r;
}

int config_check_alert(const struct config *config, char **ret_error)
{
    const struct config_origin *origin = &config->alert.origins[ALERT_PROGRAM];
    CLEANUP_FREE char *error = NULL;
    CLEANUP_FREE char **words = NULL;
    const char *why;
    int r;

    if (!config->alert.given)
        return 0;
    words = words_split(config->alert.values[ALERT_PROGRAM].text, &why);
    r = program_check(words[0], &error);
    return r < 0 ? error_set(ret_error, r, "%s:%u: [alert] program: %s", origin->file, origin->line,
                             error)
                 : 0;
}
