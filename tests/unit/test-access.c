/* SPDX-License-Identifier: Apache-2.0 */
/* node/access.[ch]: what is in the way of a connection, and the lines that change it. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/access.h"
#include "util/format.h"

#define OTHER 65534 /* nobody, and the group that it is in alone */
#define GROUP 54321 /* has no name */

static char directory[] = "/tmp/test-access-XXXXXX";
static char inner[64], path[96];

static void listen_at(const char *where)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", where);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static int setup(void **state)
{
    assert_non_null(mkdtemp(directory));
    chmod(directory, 0755);
    snprintf(inner, sizeof(inner), "%s/inner", directory);
    snprintf(path, sizeof(path), "%s/socket", inner);
    assert_int_equal(mkdir(inner, 0755), 0);
    listen_at(path);
    return 0;
}

static int teardown(void **state)
{
    unlink(path);
    rmdir(inner);
    rmdir(directory);
    return 0;
}

static const char *explained(const char *where, int error, const char *unit)
{
    static char reason[640];

    access_explain(where, error, unit, reason, sizeof(reason));
    return reason;
}

#define assert_has(text, ...)                                                                      \
    do {                                                                                           \
        CLEANUP_FREE char *part = string_format(__VA_ARGS__);                                      \
        if (!strstr(text, part))                                                                   \
            fail_msg("not \"%s\" in: %s", part, text);                                             \
    } while (0)

/* As a user that is in no group of the socket: root is refused nothing. */
static const char *explained_to_nobody(const char *unit)
{
    const char *text;
    gid_t groups[64];
    int n = getgroups(64, groups);
    gid_t only = OTHER;

    assert_int_equal(setgroups(1, &only), 0);
    assert_int_equal(setegid(OTHER), 0);
    assert_int_equal(seteuid(OTHER), 0);
    text = explained(path, EACCES, unit);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(setegid(0), 0);
    assert_int_equal(setgroups((size_t)n, groups), 0);
    return text;
}

static void need_root(void)
{
    if (geteuid() != 0)
        skip();
}

static void modes(mode_t of_directory, mode_t of_socket, gid_t gid)
{
    assert_int_equal(chown(inner, 0, gid), 0);
    assert_int_equal(chown(path, 0, gid), 0);
    assert_int_equal(chmod(inner, of_directory), 0);
    assert_int_equal(chmod(path, of_socket), 0);
}

static void test_a_socket_of_a_group_names_the_lines(void **state)
{
    const char *text;

    need_root();
    modes(0755, 0660, GROUP);
    text = explained_to_nobody("pathdog@x.service");
    assert_has(text, "cannot connect to the node: Permission denied: user ");
    assert_has(text, "may not write to the socket %s (owner root, group %d, mode 0660)", path,
               GROUP);
    assert_has(text, "\"systemctl edit pathdog@x.service\", the lines [Service] and "
                     "SupplementaryGroups=54321, then \"systemctl restart pathdog@x.service\"");
    text = explained_to_nobody(NULL);
    assert_has(text, "Start pathdog as a member of the group %d", GROUP);
    assert_null(strstr(text, "systemctl"));
}

static void test_a_directory_in_the_way_is_named(void **state)
{
    const char *text;

    need_root();
    modes(0750, 0660, GROUP);
    text = explained_to_nobody("pathdog.service");
    assert_has(text, "may not enter the directory %s (owner root, group %d, mode 0750)", inner,
               GROUP);
    assert_has(text, "SupplementaryGroups=%d", GROUP);
}

static void test_a_group_that_would_not_help_is_not_advised(void **state)
{
    need_root();
    modes(0755, 0640, GROUP); /* the group may not write */
    assert_has(explained_to_nobody("pathdog.service"), "Let the node give the socket");
    modes(0755, 0660, 0); /* nobody is to be put into root's group */
    assert_has(explained_to_nobody("pathdog.service"), "Let the node give the socket");
    modes(0755, 0606, OTHER); /* it is in that group already */
    assert_has(explained_to_nobody("pathdog.service"), "Let the node give the socket");
}

static void test_where_the_modes_allow_it(void **state)
{
    need_root();
    modes(0755, 0666, 0);
    assert_has(explained_to_nobody("pathdog.service"), "AppArmor or SELinux");
}

static void test_what_is_not_there_is_named(void **state)
{
    CLEANUP_FREE char *absent = string_format("%s/absent", directory);
    CLEANUP_FREE char *below = string_format("%s/deeper/socket", absent);
    const char *text = explained(below, ENOENT, NULL);

    assert_has(text, "cannot connect to the node: No such file or directory: there is no %s. ",
               absent);
    assert_has(text, "is this the socket that it serves for pathdog?");
    assert_null(strstr(text, "the key node")); /* pathdog-node-check has no keys */
    assert_has(explained(below, ENOENT, "pathdog.service"),
               "pathdog.service has a /tmp of its own (PrivateTmp=yes) and does not see %s", below);
    assert_has(explained("/run/test-access-none/s", ENOENT, "pathdog.service"),
               "there is no /run/test-access-none. ");
}

static void test_nobody_listens(void **state)
{
    const char *text = explained(path, ECONNREFUSED, NULL);

    assert_has(text, "Connection refused: no process listens at %s. ", path);
    assert_has(text, "start the node");
    assert_has(explained("/dev/null", ECONNREFUSED, NULL), "/dev/null is not a socket");
    assert_has(explained("@node", ECONNREFUSED, NULL), "no process listens at @node");
}

static void test_any_other_error_names_the_socket(void **state)
{
    assert_has(explained(path, EAGAIN, NULL), "the node at %s accepts no more connections", path);
    assert_has(explained(path, EPROTOTYPE, NULL), "%s is a socket of another type", path);
    assert_has(explained(path, EIO, NULL), "Input/output error: %s", path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_socket_of_a_group_names_the_lines),
        cmocka_unit_test(test_a_directory_in_the_way_is_named),
        cmocka_unit_test(test_a_group_that_would_not_help_is_not_advised),
        cmocka_unit_test(test_where_the_modes_allow_it),
        cmocka_unit_test(test_what_is_not_there_is_named),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_any_other_error_names_the_socket),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
