/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node kit's socket: its name, what stands in its way, and who may connect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pathdog_node.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1]}}\n"

struct counts {
    unsigned n_connected;
};

static void on_client(struct pathdog_node *kit, bool connected, const char *why, void *user_data)
{
    (void)kit;
    (void)why;
    ((struct counts *)user_data)->n_connected += connected;
}

static const struct pathdog_node_ops ops = {.client = on_client};

static struct pathdog_node_config config_of(struct counts *counts, const char *path)
{
    return (struct pathdog_node_config){.path = path,
                                        .node = "alpha",
                                        .implementation = "test/1",
                                        .ops = &ops,
                                        .user_data = counts};
}

static void socket_path(char *path, size_t size)
{
    char directory[] = "/tmp/node-kit-XXXXXX";

    assert_non_null(mkdtemp(directory));
    snprintf(path, size, "%s/s", directory);
}

static void remove_directory(char *path)
{
    unlink(path);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0); /* nothing temporary was left there */
}

static int connect_to(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    strcpy(sa.sun_path, path);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void test_bind(void **state)
{
    struct counts counts = {0};
    char path[64] = "", error[256] = "";
    struct pathdog_node_config config = config_of(&counts, path);
    struct pathdog_node *kit = NULL, *second = NULL;
    struct stat st;
    int fd;

    (void)state;
    socket_path(path, sizeof(path));
    assert_int_equal(pathdog_node_new(&config, &kit, error, sizeof(error)), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_int_equal(pathdog_node_new(&config, &second, error, sizeof(error)), -EADDRINUSE);
    assert_non_null(strstr(error, "a process answers"));
    assert_null(second);
    fd = connect_to(path);
    assert_true(fd >= 0);
    assert_int_equal(send(fd, HELLO, strlen(HELLO), 0), strlen(HELLO));
    for (int i = 0; i < 3; i++)
        assert_int_equal(pathdog_node_process(kit), 0);
    assert_int_equal(counts.n_connected, 1);
    close(fd);
    pathdog_node_free(kit);
    assert_int_equal(access(path, F_OK), -1);
    remove_directory(path);
}

static void test_bind_over_a_stale_socket(void **state)
{
    struct counts counts = {0};
    char path[64] = "", error[256] = "";
    struct pathdog_node_config config = config_of(&counts, path);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct pathdog_node *kit = NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    socket_path(path, sizeof(path));
    strcpy(sa.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    close(fd);
    assert_int_equal(pathdog_node_new(&config, &kit, error, sizeof(error)), 0);
    /* somebody else's by now: not ours to remove */
    unlink(path);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    pathdog_node_free(kit);
    assert_int_equal(access(path, F_OK), 0);
    /* and not a socket: left alone at the start, too */
    assert_int_equal(pathdog_node_new(&config, &kit, error, sizeof(error)), -ENOTSOCK);
    assert_int_equal(access(path, F_OK), 0);
    remove_directory(path);
}

/* Of two that start at once on what a third one has left, one has the name. */
static void test_two_at_once_over_a_stale_socket(void **state)
{
    struct counts counts = {0};
    char path[64] = "", error[256] = "";
    struct pathdog_node_config config = config_of(&counts, path);

    (void)state;
    socket_path(path, sizeof(path));
    for (unsigned turn = 0; turn < 50; turn++) {
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0), results[2], said[2], hold[2];

        strcpy(sa.sun_path, path);
        assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
        close(fd);
        assert_int_equal(pipe(said), 0);
        assert_int_equal(pipe(hold), 0);
        for (unsigned i = 0; i < 2; i++)
            if (fork() == 0) {
                struct pathdog_node *kit = NULL;
                int r = pathdog_node_new(&config, &kit, error, sizeof(error));

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
        assert_int_equal(unlink(path), 0);
    }
    remove_directory(path);
}

static void test_bind_refuses_bad_configs(void **state)
{
    struct counts counts = {0};
    struct pathdog_node_config config = config_of(&counts, "/nowhere/at/all/socket");
    struct pathdog_node_ops none = {0};
    struct pathdog_node *kit = NULL;
    char path[200], error[256];

    (void)state;
    assert_int_equal(pathdog_node_new(&config, &kit, error, sizeof(error)), -ENOENT);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    config.path = path;
    assert_int_equal(pathdog_node_new(&config, &kit, error, sizeof(error)), -ENAMETOOLONG);
    config.path = NULL;
    config.ops = &none;
    config.features = PATHDOG_NODE_PROBE; /* without its callback */
    assert_int_equal(pathdog_node_new(&config, &kit, error, sizeof(error)), -EINVAL);
    assert_null(kit);
}

/* What a client of this user gets from the kit: 'y' an answer, 'n' closed. */
static char abstract_client(struct pathdog_node *kit, const char *name, uid_t uid)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    char answer = '?';
    int pipe_fd[2], fd;
    pid_t pid;

    assert_int_equal(pipe(pipe_fd), 0);
    pid = fork();
    if (pid == 0) {
        alarm(120); /* its parent may have failed */
        memcpy(sa.sun_path + 1, name + 1, len - 1);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (setuid(uid) == 0 &&
            connect(fd, (struct sockaddr *)&sa,
                    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0) {
            send(fd, HELLO, strlen(HELLO), MSG_NOSIGNAL);
            answer = recv(fd, &answer, 1, 0) == 1 ? 'y' : 'n';
        }
        _exit(write(pipe_fd[1], &answer, 1) != 1);
    }
    for (int turns = 0;; turns++) {
        struct pollfd p[] = {{.fd = pipe_fd[0], .events = POLLIN},
                             {.fd = pathdog_node_fd(kit), .events = POLLIN}};
        int r = poll(p, 2, 60000);

        assert_true(r > 0 || (r < 0 && errno == EINTR));
        assert_int_equal(pathdog_node_process(kit), 0);
        if (r > 0 && p[0].revents)
            break;
        assert_true(turns < 100); /* it is woken for what happens, and not for nothing */
    }
    assert_int_equal(read(pipe_fd[0], &answer, 1), 1);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    waitpid(pid, NULL, 0);
    return answer;
}

static void test_abstract(void **state)
{
    (void)state;
    struct counts counts = {0};
    char name[64] = "", error[256];
    struct pathdog_node_config config = config_of(&counts, name);
    struct pathdog_node *kit = NULL, *second = NULL;
    uid_t nobody = 65534;

    snprintf(name, sizeof(name), "@node-kit-test-%ld", (long)getpid());
    assert_int_equal(pathdog_node_new(&config, &kit, error, sizeof(error)), 0);
    assert_int_equal(pathdog_node_new(&config, &second, error, sizeof(error)), -EADDRINUSE);
    assert_int_equal(abstract_client(kit, name, geteuid()), 'y');
    if (geteuid() == 0) {
        assert_int_equal(abstract_client(kit, name, nobody), 'n');
        pathdog_node_free(kit);
        config.client_uids = &nobody;
        config.n_client_uids = 1;
        assert_int_equal(pathdog_node_new(&config, &kit, error, sizeof(error)), 0);
        assert_int_equal(abstract_client(kit, name, nobody), 'y');
        assert_int_equal(abstract_client(kit, name, nobody - 1), 'n');
    }
    pathdog_node_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bind),
        cmocka_unit_test(test_bind_over_a_stale_socket),
        cmocka_unit_test(test_two_at_once_over_a_stale_socket),
        cmocka_unit_test(test_bind_refuses_bad_configs),
        cmocka_unit_test(test_abstract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
