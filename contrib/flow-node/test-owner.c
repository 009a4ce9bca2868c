/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a flow is, which unit a cgroup belongs to, and whose flows the settings want. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "options_private.h"
#include "util/util.h"
#include "wanted.h"

static void test_units_of_cgroups(void **state)
{
    static const char *const units[][2] = {
        {"/system.slice/nginx.service", "nginx.service"},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/app-browser-42.scope",
         "app-browser-42.scope"},
        {"/system.slice/docker-0123.scope/payload", "docker-0123.scope"},
        {"/user.slice/user-1000.slice/session-3.scope", ""},
        {"/user.slice/user-1000.slice/user@1000.service/init.scope", "init.scope"},
        {"/user.slice/user-1000.slice/user@1000.service", ""},
        {"/system.slice/a.service/b.service", "b.service"},
        {"/user.slice", ""},
        {"/.service", ""},
        {"/", ""},
        {"", ""},
    };
    char unit[OWNER_NAME_SIZE], path[600] = "/";

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        owner_unit(units[i][0], unit);
        assert_string_equal(unit, units[i][1]);
    }
    memset(path + 1, 'x', 300);
    strcpy(path + 301, ".service");
    owner_unit(path, unit);
    assert_string_equal(unit, ""); /* too long for a name */
}

/* A socket of this process, found in the kernel's table. */
static void test_the_user_of_a_socket(void **state)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } self = {.in = {.sin_family = AF_INET}};
    socklen_t size = sizeof(self.in);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct flow_tuple tuple;
    struct owners *owners;
    struct owner owner;
    char error[256];

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &self.any, sizeof(self.in)), 0);
    assert_int_equal(getsockname(fd, &self.any, &size), 0);
    assert_int_equal(owners_new(&owners, error, sizeof(error)), 0);
    /* 203.0.113.0/24 is nobody's; the source is ours, so it is a local flow. */
    assert_int_equal(tuple_parse("udp:203.0.113.7:443#127.0.0.1:1", &tuple), 0);
    tuple.sport = ntohs(self.in.sin_port);
    assert_int_equal(owner_find(owners, &tuple, &owner), 0);
    assert_int_equal(owner.kind, OWNER_LOCAL);
    assert_true(owner.has_socket);
    assert_int_equal(owner.uid, geteuid());
    assert_true(owner.user[0]);
    assert_non_null(owner_name(&owner));
    close(fd);
    assert_int_equal(owner_find(owners, &tuple, &owner), 0);
    assert_false(owner.has_socket);
    assert_null(owner_name(&owner));
    /* To a server of this machine. */
    assert_int_equal(tuple_parse("udp:127.0.0.1:443#203.0.113.7:1", &tuple), 0);
    assert_int_equal(owner_find(owners, &tuple, &owner), 0);
    assert_int_equal(owner.kind, OWNER_INCOMING);
    owners_free(owners);
    assert_null(owners_free(NULL));
}

static void read_options(const char *text, struct options *options)
{
    char *error = NULL;

    settings_default(&options_settings, options);
    if (settings_text(&options_settings, options, "test", text, strlen(text), &error) < 0)
        fail_msg("%s", error);
}

static struct owner local(uint32_t uid, const char *unit)
{
    struct owner owner = {.kind = OWNER_LOCAL, .has_socket = true, .uid = uid};

    strcpy(owner.unit, unit);
    strcpy(owner.user, "somebody");
    return owner;
}

static bool is_wanted(const char *text, struct owner owner)
{
    struct options options;
    struct wanted wanted;
    char *error = NULL;
    bool result;

    read_options(text, &options);
    if (wanted_init(&wanted, &options, &error) < 0)
        fail_msg("%s", error);
    result = owner_is_wanted(&wanted, &owner);
    options_free(&options);
    return result;
}

static void test_whose_flows_are_wanted(void **state)
{
    struct owner lan = {.kind = OWNER_FORWARDED, .lan = "lan0"};
    struct owner nobody = {.kind = OWNER_LOCAL};

    (void)state;
    assert_true(is_wanted("", local(1000, "")));
    assert_true(is_wanted("", nobody));
    assert_false(is_wanted("local = no\n", local(1000, "")));
    assert_false(is_wanted("", lan));
    assert_true(is_wanted("lan = eth5, lan0\n", lan));
    assert_false(is_wanted("lan = lan1\n", lan));
    assert_true(is_wanted("users = root, 1000\n", local(1000, "")));
    assert_true(is_wanted("users = root, 1000\n", local(0, "")));
    assert_false(is_wanted("users = root\n", local(1000, "")));
    assert_false(is_wanted("users = root\n", nobody)); /* uid 0 it is not */
    assert_true(is_wanted("units = nginx.service, app-*.scope\n", local(1000, "app-x-1.scope")));
    assert_false(is_wanted("units = nginx.service\n", local(1000, "app-x-1.scope")));
    assert_false(is_wanted("units = *\n", local(1000, "")));
    assert_false(is_wanted("", (struct owner){.kind = OWNER_INCOMING}));
    assert_false(is_wanted("", (struct owner){.kind = OWNER_UNKNOWN}));
}

static void test_users_that_there_are_not(void **state)
{
    static const char *const texts[] = {"users = nobody-of-that-name\n", "users = root, 12x\n",
                                        "users = 4294967295\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct options options;
        struct wanted wanted;
        char *error = NULL;

        read_options(texts[i], &options);
        assert_int_equal(wanted_init(&wanted, &options, &error), -EINVAL);
        assert_non_null(strstr(error, "there is no user"));
        free(error);
        options_free(&options);
    }
}

static void test_names(void **state)
{
    struct owner owner = local(1000, "a.service");

    (void)state;
    assert_string_equal(owner_name(&owner), "a.service");
    owner.unit[0] = '\0';
    assert_string_equal(owner_name(&owner), "somebody");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_of_cgroups),
        cmocka_unit_test(test_the_user_of_a_socket),
        cmocka_unit_test(test_whose_flows_are_wanted),
        cmocka_unit_test(test_users_that_there_are_not),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
