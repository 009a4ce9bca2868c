/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/tunnel/source.c: the socket that notices come to, on a loop and in a
 * directory of the test's own.
 */
#include "check.h"

#include "util/util.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pathdog/source.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

extern const struct pd_source pathdog_source;

struct lab {
    struct pd_source_host host;
    char directory[64];
    char path[96];
    struct pd_value values[3];
    void *source;
    unsigned n_signals, n_notices;
    char signal[8192]; /* the last one: "name=value;name=value;" */
    char notice[512];
};

static void lab_emit(struct pd_source_host *host, const struct pd_signal *signal)
{
    struct lab *lab = (struct lab *)((char *)host - offsetof(struct lab, host));
    size_t length = 0;

    lab->n_signals++;
    for (size_t i = 0; i < signal->n_fields; i++) {
        const struct pd_field *field = &signal->fields[i];

        if (field->text)
            length += (size_t)snprintf(lab->signal + length, sizeof(lab->signal) - length, "%s=%s;",
                                       field->name, field->text);
        else
            length += (size_t)snprintf(lab->signal + length, sizeof(lab->signal) - length,
                                       "%s=%" PRIu64 ";", field->name, field->number);
    }
}

static void lab_notice(struct pd_source_host *host, enum pd_level level, const char *what,
                       const char *text)
{
    struct lab *lab = (struct lab *)((char *)host - offsetof(struct lab, host));

    (void)level;
    lab->n_notices++;
    snprintf(lab->notice, sizeof(lab->notice), "%s: %s", what, text);
}

static int lab_start(struct lab *lab)
{
    struct pd_start start = {.instance = "tunnel", .values = lab->values};

    return pathdog_source.start(&lab->host, &start, &lab->source);
}

static int begin(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    strcpy(lab->directory, "/tmp/test-tunnel-XXXXXX");
    assert_non_null(mkdtemp(lab->directory));
    snprintf(lab->path, sizeof(lab->path), "%s/notify", lab->directory);
    lab->values[0] = (struct pd_value){.text = lab->path, .given = true};
    lab->values[2] = (struct pd_value){.text = "0660", .given = true};
    lab->host.size = sizeof(lab->host);
    lab->host.emit = lab_emit;
    lab->host.notice = lab_notice;
    assert_true(sd_event_new(&lab->host.loop) >= 0);
    *state = lab;
    return 0;
}

static int end(void **state)
{
    struct lab *lab = *state;

    if (lab->source)
        pathdog_source.stop(lab->source);
    sd_event_unref(lab->host.loop);
    unlink(lab->path);
    assert_int_equal(rmdir(lab->directory), 0); /* nothing else was left there */
    free(lab);
    return 0;
}

static int connected(const struct lab *lab, int type)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    memcpy(name.sun_path, lab->path, strlen(lab->path) + 1);
    if (connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0)
        return fd;
    close(fd);
    return -errno;
}

static void tell(struct lab *lab, const char *text, size_t length)
{
    int fd = connected(lab, SOCK_DGRAM);
    unsigned before = lab->n_signals + lab->n_notices;

    assert_true(fd >= 0);
    assert_int_equal(send(fd, text, length, 0), length);
    close(fd);
    for (int i = 0; i < 100 && lab->n_signals + lab->n_notices == before; i++)
        assert_true(sd_event_run(lab->host.loop, 50000) >= 0);
    assert_int_equal(lab->n_signals + lab->n_notices, before + 1);
}

static void test_a_notice(void **state)
{
    struct lab *lab = *state;
    char wanted[256];
    struct stat there;

    assert_int_equal(lab_start(lab), 0);
    assert_int_equal(stat(lab->path, &there), 0);
    assert_true(S_ISSOCK(there.st_mode));
    assert_int_equal(there.st_mode & 0777, 0660);
    tell(lab, "EVENT=rebind\nTUNNEL=lo\nREASON=x y\n",
         strlen("EVENT=rebind\nTUNNEL=lo\nREASON=x y\n"));
    assert_int_equal(lab->n_signals, 1);
    assert_memory_equal(lab->signal, "event=rebind;tunnel=lo;peers=;reason=x y;addresses=127.0.0.1",
                        60);
    snprintf(wanted, sizeof(wanted), "pid=%d;uid=%u;gid=%u;", (int)getpid(), getuid(), getgid());
    assert_non_null(strstr(lab->signal, wanted));
    tell(lab, "EVENT=up\nTUNNEL=none-such\nPEERS=*", strlen("EVENT=up\nTUNNEL=none-such\nPEERS=*"));
    assert_memory_equal(lab->signal, "event=up;tunnel=none-such;peers=*;reason=;addresses=;", 52);
    pathdog_source.stop(lab->source);
    lab->source = NULL;
    assert_int_equal(stat(lab->path, &there), -1);
}

static void test_bad_ones_name_the_sender(void **state)
{
    struct lab *lab = *state;
    char long_one[5000], wanted[64];

    assert_int_equal(lab_start(lab), 0);
    snprintf(wanted, sizeof(wanted), "pid %d, uid %u", (int)getpid(), getuid());
    tell(lab, "rubbish", strlen("rubbish"));
    assert_non_null(strstr(lab->notice, wanted));
    tell(lab, "", strlen(""));
    memset(long_one, 'x', sizeof(long_one));
    memcpy(long_one, "EVENT=up\nREASON=", 16);
    tell(lab, long_one, sizeof(long_one));
    assert_non_null(strstr(lab->notice, "longer than 4096"));
    assert_int_equal(lab->n_notices, 3);
    tell(lab, long_one, 4096);
    assert_int_equal(lab->n_signals, 1);
}

/* They would fill the table of whoever kept them. */
static void test_descriptors_are_not_kept(void **state)
{
    struct lab *lab = *state;
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {(char[]){"EVENT=up"}, 8};
    struct msghdr message = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    int fd, next_before, next_after;

    assert_int_equal(lab_start(lab), 0);
    fd = connected(lab, SOCK_DGRAM);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &fd, sizeof(fd));
    next_before = dup(0);
    close(next_before);
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(sendmsg(fd, &message, 0), 8);
        while (lab->n_signals < i)
            assert_true(sd_event_run(lab->host.loop, 1000000) > 0);
    }
    next_after = dup(0);
    close(next_after);
    close(fd);
    assert_int_equal(next_before, next_after);
}

static void test_a_stale_socket_is_replaced(void **state)
{
    struct lab *lab = *state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(name.sun_path, lab->path, strlen(lab->path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(lab_start(lab), -EADDRINUSE); /* somebody answers */
    assert_non_null(strstr(lab->notice, "another process"));
    close(fd);
    assert_int_equal(lab_start(lab), 0);
    tell(lab, "EVENT=up\nPEERS=*", strlen("EVENT=up\nPEERS=*"));
}

static void test_a_file_is_left_alone(void **state)
{
    struct lab *lab = *state;
    int fd = open(lab->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    struct stat there;

    close(fd);
    assert_int_equal(lab_start(lab), -EEXIST);
    assert_int_equal(stat(lab->path, &there), 0);
    assert_true(S_ISREG(there.st_mode));
}

/* Another run has taken the name meanwhile: it is not ours to remove. */
static void test_another_ones_socket_is_left_alone(void **state)
{
    struct lab *lab = *state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct stat there;

    assert_int_equal(lab_start(lab), 0);
    assert_int_equal(unlink(lab->path), 0);
    memcpy(name.sun_path, lab->path, strlen(lab->path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    pathdog_source.stop(lab->source);
    lab->source = NULL;
    assert_int_equal(stat(lab->path, &there), 0);
    close(fd);
}

static void test_refused(void **state)
{
    struct lab *lab = *state;
    char long_path[200];
    static const char *const modes[] = {"", "660x", "1000", "-1", "089"};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        lab->values[2].text = modes[i];
        assert_int_equal(lab_start(lab), -EINVAL);
    }
    lab->values[2].text = "0660";
    lab->values[1] = (struct pd_value){.text = "no-such-group-here", .given = true};
    assert_int_equal(lab_start(lab), -ESRCH);
    lab->values[1] = (struct pd_value){0};
    lab->values[0].text = "@abstract";
    assert_int_equal(lab_start(lab), -EINVAL);
    memset(long_path, 'x', sizeof(long_path));
    long_path[0] = '/';
    long_path[199] = '\0';
    lab->values[0].text = long_path;
    assert_int_equal(lab_start(lab), -ENAMETOOLONG);
    lab->values[0].text = "/nowhere/at/all/notify";
    assert_int_equal(lab_start(lab), -ENOENT);
    assert_int_equal(lab->n_notices, 9);
}

static void assert_addresses(const struct lab *lab, const char *addresses)
{
    char wanted[256];

    snprintf(wanted, sizeof(wanted), ";addresses=%s;", addresses);
    if (!strstr(lab->signal, wanted))
        fail_msg("wanted %s, there is %s", wanted, lab->signal);
}

/* A message costs no question to the kernel: for one a socket would be needed. */
static void test_addresses_are_kept(void **state)
{
    static const char text[] = "EVENT=rebind\nTUNNEL=lo";
    struct lab *lab = *state;
    struct rlimit before, none;
    int fd;

    assert_int_equal(lab_start(lab), 0);
    fd = connected(lab, SOCK_DGRAM);
    assert_true(fd >= 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (!lab->n_signals)
        assert_true(sd_event_run(lab->host.loop, 1000000) > 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_non_null(strstr(lab->signal, ";addresses=127.0.0.1"));
    close(fd);
}

static void ip(const char *arguments)
{
    char command[160];

    snprintf(command, sizeof(command), "ip %s", arguments);
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* Whoever brings a tunnel up says so at once: the address that is there by then is known. */
static void test_addresses_are_those_of_now(void **state)
{
    static const char text[] = "EVENT=up\nTUNNEL=wg0";
    struct lab *lab = *state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    ip("link add other type veth peer name wg0");
    ip("addr add 10.9.0.9/24 dev other");
    assert_int_equal(lab_start(lab), 0);
    tell(lab, text, strlen(text));
    assert_addresses(lab, "");
    ip("addr add 10.8.0.2/24 dev wg0");
    tell(lab, text, strlen(text));
    assert_addresses(lab, "10.8.0.2");
    ip("addr add fd00::7/64 dev wg0 nodad");
    ip("addr add 10.8.0.1/24 dev wg0");
    tell(lab, text, strlen(text));
    assert_addresses(lab, "10.8.0.1 10.8.0.2 fd00::7");
    ip("addr del 10.8.0.1/24 dev wg0");
    ip("link set wg0 name wg1");
    tell(lab, text, strlen(text));
    assert_addresses(lab, "");
    ip("link set wg1 name wg0");
    tell(lab, text, strlen(text));
    assert_addresses(lab, "10.8.0.2 fd00::7");
    ip("link del wg0");
    tell(lab, text, strlen(text));
    assert_addresses(lab, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_notice, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_ones_name_the_sender, begin, end),
        cmocka_unit_test_setup_teardown(test_descriptors_are_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_a_stale_socket_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(test_a_file_is_left_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_another_ones_socket_is_left_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_addresses_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        /* the last: it leaves the network namespace */
        cmocka_unit_test_setup_teardown(test_addresses_are_those_of_now, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
