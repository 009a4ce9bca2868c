/* SPDX-License-Identifier: Apache-2.0 */
/* The socket's place: what the file system shows of how it was made. */
#include <errno.h>
#include <libgen.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "checker.h"

/* Only its owner, who is root or the node's user, may write it. */
static void directory_look(struct checker *checker, const char *path, uid_t node)
{
    CLEANUP_FREE char *copy = string_copy(path);
    const char *directory = dirname(copy);
    struct stat st;

    if (stat(directory, &st) < 0) {
        report_skip(&checker->report, CHECK_SOCKET_DIRECTORY, "%s: %s", directory,
                    strerrordesc_np(errno));
        return;
    }
    expect(checker, CHECK_SOCKET_DIRECTORY, !(st.st_mode & (S_IWGRP | S_IWOTH)),
           "%s has mode %04o: other users may replace the socket", directory, st.st_mode & 07777);
    expect(checker, CHECK_SOCKET_DIRECTORY, st.st_uid == 0 || st.st_uid == node,
           "%s belongs to uid %u, the node runs as uid %u", directory, st.st_uid, node);
    report_done(&checker->report, CHECK_SOCKET_DIRECTORY);
}

/* The kernel keeps the name that the socket was bound to: where it is still the same
 * file, nobody has renamed it. */
static void rename_look(struct checker *checker, int fd, const struct stat *socket_stat)
{
    struct sockaddr_un bound = {0};
    socklen_t length = sizeof(bound);
    struct stat st;

    if (getpeername(fd, (struct sockaddr *)&bound, &length) < 0 || !bound.sun_path[0] ||
        (size_t)length >= sizeof(bound)) {
        report_skip(&checker->report, CHECK_SOCKET_RENAME,
                    "the kernel reports no name of the socket");
        return;
    }
    if (bound.sun_path[0] != '/' && strchr(bound.sun_path, '/')) {
        report_skip(&checker->report, CHECK_SOCKET_RENAME,
                    "the socket was bound as %s, a relative name: the directory cannot be seen",
                    bound.sun_path);
        return;
    }
    expect(checker, CHECK_SOCKET_RENAME,
           lstat(bound.sun_path, &st) < 0 || st.st_ino != socket_stat->st_ino ||
               st.st_dev != socket_stat->st_dev,
           "the socket was bound as %s itself: other users can connect before its mode is set; "
           "bind it under another name, set the mode, rename it",
           bound.sun_path);
    report_done(&checker->report, CHECK_SOCKET_RENAME);
}

void checks_socket(struct checker *checker)
{
    struct client client;
    struct stat st;

    if (*checker->path == '@') {
        report_skip(&checker->report, CHECK_SOCKET_MODE, "the address is abstract");
        report_skip(&checker->report, CHECK_SOCKET_DIRECTORY, "the address is abstract");
        report_skip(&checker->report, CHECK_SOCKET_RENAME, "the address is abstract");
        return;
    }
    if (client_open(checker, &client) < 0)
        return;
    if (!stat(checker->path, &st)) {
        expect(checker, CHECK_SOCKET_MODE, (st.st_mode & 07777) == 0660, "the socket has mode %04o",
               st.st_mode & 07777);
        report_done(&checker->report, CHECK_SOCKET_MODE);
        directory_look(checker, checker->path, client.uid);
        rename_look(checker, client.fd, &st);
    }
    client_close(&client);
}
