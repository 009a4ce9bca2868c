/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/util/unix-socket.c: names in a directory of the test's own. */
#include "check.h"

#include "util/unix-socket.h"
#include "util/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct lab {
    char directory[64], path[128];
};

static const struct unix_socket_options stream = {
    .type = SOCK_STREAM, .backlog = 4, .mode = 0640, .group = (gid_t)-1};
static const struct unix_socket_options datagram = {
    .type = SOCK_DGRAM, .mode = 0620, .group = (gid_t)-1, .credentials = true};

static int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    strcpy(lab->directory, "/tmp/pathdog-unix-socket-XXXXXX");
    if (!mkdtemp(lab->directory))
        return -1;
    snprintf(lab->path, sizeof(lab->path), "%s/socket", lab->directory);
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;

    unlink(lab->path);
    rmdir(lab->directory);
    free(lab);
    return 0;
}

static mode_t mode_of(const char *path)
{
    struct stat there;

    return lstat(path, &there) == 0 && S_ISSOCK(there.st_mode) ? there.st_mode & 0777 : 0;
}

static bool is_empty(const struct lab *lab)
{
    return access(lab->path, F_OK) < 0 && rmdir(lab->directory) == 0 &&
           mkdir(lab->directory, 0700) == 0;
}

static void made_and_taken_away(void **state)
{
    const struct unix_socket_options *kinds[] = {&stream, &datagram};
    struct lab *lab = *state;

    for (size_t i = 0; i < 2; i++) {
        struct unix_socket ours;

        assert_int_equal(unix_socket_open(&ours, lab->path, kinds[i]), 0);
        assert_int_equal(mode_of(lab->path), kinds[i]->mode);
        unix_socket_close(&ours);
        assert_int_equal(ours.fd, -1);
        assert_true(is_empty(lab));
        unix_socket_close(&ours);
    }
}

/* Killed between bind and rename, and started again with the same pid, as in a container. */
static void left_half_made(void **state)
{
    struct lab *lab = *state;
    struct unix_socket killed, ours;
    char temporary[160];

    snprintf(temporary, sizeof(temporary), "%s.%d", lab->path, (int)getpid());
    assert_int_equal(unix_socket_open(&killed, temporary, &stream), 0);
    killed.bound = false; /* its name stays */
    unix_socket_close(&killed);
    assert_int_equal(mode_of(temporary), stream.mode);
    assert_int_equal(unix_socket_open(&ours, lab->path, &datagram), 0);
    unix_socket_close(&ours);
    assert_true(is_empty(lab));
    assert_int_equal(symlink("/etc/passwd", temporary), 0); /* this is not of ours */
    assert_int_equal(unix_socket_open(&ours, lab->path, &stream), -EEXIST);
    unix_socket_close(&ours);
    assert_int_equal(unlink(temporary), 0);
}

static void not_from_one_who_has_it(void **state)
{
    struct lab *lab = *state;
    struct unix_socket first, second;

    assert_int_equal(unix_socket_open(&first, lab->path, &stream), 0);
    assert_int_equal(unix_socket_open(&second, lab->path, &stream), -EADDRINUSE);
    unix_socket_close(&second);
    assert_int_equal(unix_socket_open(&second, lab->path, &datagram), -EADDRINUSE);
    unix_socket_close(&second);
    assert_int_equal(mode_of(lab->path), 0640);
    unix_socket_close(&first);
    assert_true(is_empty(lab));
}

static void a_stale_one_is_replaced(void **state)
{
    struct lab *lab = *state;
    struct unix_socket stale, ours;

    assert_int_equal(unix_socket_open(&stale, lab->path, &datagram), 0);
    close(stale.fd); /* as a process that was killed leaves it */
    stale.fd = -1;
    assert_int_equal(unix_socket_open(&ours, lab->path, &datagram), 0);
    unix_socket_close(&stale); /* the name is another's now */
    assert_int_equal(mode_of(lab->path), 0620);
    unix_socket_close(&ours);
    assert_true(is_empty(lab));
}

/* A mode that keeps its owner from asking whether anybody has it open. */
static void whatever_its_mode(void **state)
{
    struct lab *lab = *state;
    struct unix_socket first, second;
    struct unix_socket_options shut = datagram;
    bool root = geteuid() == 0;

    shut.mode = 0060;
    assert_int_equal(chmod(lab->directory, 0777), 0);
    if (root) /* whom no mode keeps from anything */
        assert_int_equal(seteuid(65534), 0);
    assert_int_equal(unix_socket_open(&first, lab->path, &shut), 0);
    assert_int_equal(unix_socket_open(&second, lab->path, &shut), -EADDRINUSE);
    unix_socket_close(&second);
    assert_int_equal(mode_of(lab->path), 0060);
    close(first.fd); /* killed */
    first.fd = -1;
    assert_int_equal(unix_socket_open(&second, lab->path, &shut), 0);
    assert_int_equal(mode_of(lab->path), 0060);
    unix_socket_close(&first);
    unix_socket_close(&second);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_true(is_empty(lab));
}

/* Two that start at once on what a third one has left: the second one does not take the name
 * from the first. */
static void two_at_once(void **state)
{
    struct lab *lab = *state;

    for (unsigned turn = 0; turn < 50; turn++) {
        struct unix_socket stale;
        int results[2], said[2], hold[2];

        assert_int_equal(unix_socket_open(&stale, lab->path, &stream), 0);
        stale.bound = false;
        unix_socket_close(&stale);
        assert_int_equal(pipe(said), 0);
        assert_int_equal(pipe(hold), 0);
        for (unsigned i = 0; i < 2; i++)
            if (fork() == 0) {
                struct unix_socket ours;
                int r = unix_socket_open(&ours, lab->path, &stream);

                close(hold[1]);
                (void)!write(said[1], &r, sizeof(r));
                (void)!read(hold[0], &r, 1); /* has it until both have tried */
                _exit(0);
            }
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(read(said[0], &results[i], sizeof(int)), sizeof(int));
        assert_int_equal(results[0] + results[1], -EADDRINUSE);
        for (unsigned i = 0; i < 2; i++) {
            close(said[i]);
            close(hold[i]);
        }
        while (wait(NULL) > 0)
            ;
    }
    assert_int_equal(unlink(lab->path), 0);
}

static void what_is_no_socket_stays(void **state)
{
    struct lab *lab = *state;
    struct unix_socket ours;
    int fd = open(lab->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unix_socket_open(&ours, lab->path, &stream), -EEXIST);
    unix_socket_close(&ours);
    assert_int_equal(access(lab->path, F_OK), 0);
}

static void names_that_cannot_be(void **state)
{
    struct unix_socket ours;
    char path[128];

    (void)state;
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[107] = '\0'; /* would fit, but not with the temporary name's end */
    assert_int_equal(unix_socket_open(&ours, path, &stream), -ENAMETOOLONG);
    unix_socket_close(&ours);
    path[107] = 'x';
    path[108] = '\0';
    assert_int_equal(unix_socket_open(&ours, path, &stream), -ENAMETOOLONG);
    unix_socket_close(&ours);
    assert_int_equal(unix_socket_open(&ours, "/nowhere/at/all", &stream), -ENOENT);
    unix_socket_close(&ours);
}

static void clients(void **state)
{
    struct lab *lab = *state;
    struct unix_socket ours;
    char path[128];
    int fd;

    assert_int_equal(unix_socket_connect(lab->path), -ENOENT);
    assert_int_equal(unix_socket_open(&ours, lab->path, &stream), 0);
    fd = unix_socket_connect(lab->path);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    unix_socket_close(&ours);
    memset(path, 'x', sizeof(path));
    path[sizeof(((struct sockaddr_un *)0)->sun_path)] = '\0';
    assert_int_equal(unix_socket_connect(path), -ENAMETOOLONG);
}

static void clients_of_an_abstract_one(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "@pathdog-test-%d", (int)getpid());
    assert_int_equal(unix_socket_connect(path), -ECONNREFUSED);
    memcpy(name.sun_path + 1, path + 1, strlen(path) - 1);
    assert_int_equal(bind(listener, (const struct sockaddr *)&name,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
                     0);
    assert_int_equal(listen(listener, 1), 0);
    fd = unix_socket_connect(path);
    assert_true(fd >= 0);
    close(fd);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(made_and_taken_away, setup, teardown),
        cmocka_unit_test_setup_teardown(left_half_made, setup, teardown),
        cmocka_unit_test_setup_teardown(not_from_one_who_has_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stale_one_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_its_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(two_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_socket_stays, setup, teardown),
        cmocka_unit_test(names_that_cannot_be),
        cmocka_unit_test_setup_teardown(clients, setup, teardown),
        cmocka_unit_test(clients_of_an_abstract_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
