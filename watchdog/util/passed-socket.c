/* SPDX-License-Identifier: Apache-2.0 */
#include "passed-socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "util.h"

static char *path_of(int fd)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address);
    char path[sizeof(address.sun_path) + 1] = "";

    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return string_copy("");
    memcpy(path, address.sun_path, sizeof(address.sun_path));
    if (!path[0] && length > offsetof(struct sockaddr_un, sun_path))
        path[0] = '@';
    return string_copy(path);
}

int passed_socket(const char *name, char **ret_path)
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(0, &names);
    int fd = -1;

    for (int i = 0; i < n; i++) {
        if (fd < 0 && !strcmp(names[i], name) &&
            sd_is_socket(SD_LISTEN_FDS_START + i, AF_UNIX, SOCK_STREAM, 1) > 0)
            fd = SD_LISTEN_FDS_START + i;
        free(names[i]);
    }
    free(names);
    if (fd >= 0 && ret_path)
        *ret_path = path_of(fd);
    return fd;
}
