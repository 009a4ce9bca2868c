/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct rules_settings usual = {
    .mark_mask = 0x1f000000, .table = 7000, .priority = 900, .protocol = 177};

/* A host: an interface each, with addresses and default routes of both families. */
static struct rtnl_event event(enum rtnl_kind kind, uint8_t family, uint32_t index)
{
    struct rtnl_event ret = {.kind = kind, .family = family, .index = index, .suppress = -1};

    ret.address[0] = (uint8_t)(10 + index);
    return ret;
}

static void host_take(struct uplinks *uplinks, const char *name, uint32_t index, bool v4, bool v6)
{
    struct rtnl_event link = event(RTNL_LINK, 0, index);

    strcpy(link.name, name);
    link.up = true;
    uplinks_take(uplinks, &link);
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct rtnl_event address = event(RTNL_ADDRESS, family, index);
        struct rtnl_event route = event(RTNL_ROUTE, family, 0);

        address.usable = true;
        route.is_default = true;
        route.table = RT_TABLE_MAIN;
        route.n_hops = 1;
        route.hops[0] = (struct rtnl_hop){
            .index = index, .gateway_family = family, .gateway = {1, (uint8_t)index}};
        if (family == 4 ? v4 : v6) {
            uplinks_take(uplinks, &address);
            uplinks_take(uplinks, &route);
        }
    }
}

struct fixture {
    struct uplinks *uplinks;
    struct rules *rules;
};

static void set_up(struct fixture *fixture)
{
    char error[256];

    fixture->uplinks = uplinks_new(NULL, 0, usual.protocol);
    assert_int_equal(rules_new(&usual, &fixture->rules, error, sizeof(error)), 0);
    uplinks_begin(fixture->uplinks);
    host_take(fixture->uplinks, "up1", 1, true, true);
    host_take(fixture->uplinks, "up2", 2, true, false);
    uplinks_end(fixture->uplinks);
}

static void tear_down(struct fixture *fixture)
{
    uplinks_free(fixture->uplinks);
    rules_free(fixture->rules);
}

/* What the kernel then tells of what a step made. */
static struct rtnl_event made(const struct rules_step *step)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[RULES_REQUEST_MAX];
    struct nlmsghdr *message = rules_request(step, buffer);
    struct rtnl_event ret;

    assert_true(message->nlmsg_len <= sizeof(buffer));
    rtnl_decode(message, &ret);
    return ret;
}

/* Does all steps on a copy of the kernel; returns how many there were. */
static size_t steps_do(struct fixture *fixture, struct rtnl_event *kernel, size_t *n_kernel)
{
    size_t n_steps;
    const struct rules_step *steps = rules_plan(fixture->rules, fixture->uplinks, &n_steps);

    for (size_t i = 0; i < n_steps; i++) {
        struct rtnl_event one = made(&steps[i]);
        size_t at = 0;

        assert_int_equal(one.removed,
                         steps[i].kind == STEP_RULE_DELETE || steps[i].kind == STEP_ROUTE_DELETE);
        if (!one.removed) {
            kernel[(*n_kernel)++] = one;
            continue;
        }
        while (at < *n_kernel && (kernel[at].kind != one.kind || kernel[at].family != one.family ||
                                  kernel[at].table != one.table || kernel[at].mark != one.mark ||
                                  kernel[at].priority != one.priority ||
                                  kernel[at].hops[0].index != one.hops[0].index))
            at++;
        assert_true(at < *n_kernel);
        kernel[at] = kernel[--*n_kernel];
    }
    return n_steps;
}

static void found(struct fixture *fixture, const struct rtnl_event *kernel, size_t n_kernel)
{
    rules_begin(fixture->rules);
    for (size_t i = 0; i < n_kernel; i++)
        rules_take(fixture->rules, &kernel[i]);
}

static void test_plan(void **state)
{
    struct fixture fixture;
    struct rtnl_event kernel[64];
    size_t n_kernel = 0;

    set_up(&fixture);
    assert_int_equal(steps_do(&fixture, kernel, &n_kernel), 0); /* nobody has a number */
    assert_int_equal(rules_number(fixture.rules, "up1"), 1);
    assert_int_equal(rules_number(fixture.rules, "up2"), 2);
    assert_int_equal(rules_number(fixture.rules, "up1"), 1);
    assert_int_equal(rules_mark(fixture.rules, 2), 0x2000000);
    /* Three uplinks, each with route and rule, and one rule for each family before them. */
    assert_int_equal(steps_do(&fixture, kernel, &n_kernel), 8);
    found(&fixture, kernel, n_kernel);
    assert_int_equal(steps_do(&fixture, kernel, &n_kernel), 0);

    /* Somebody deletes the last one: that is done again. */
    found(&fixture, kernel, n_kernel - 1);
    assert_int_equal(steps_do(&fixture, kernel, &n_kernel), 1);
    n_kernel--;

    /* IPv6 is gone. */
    uplinks_begin(fixture.uplinks);
    host_take(fixture.uplinks, "up1", 1, true, false);
    host_take(fixture.uplinks, "up2", 2, true, false);
    uplinks_end(fixture.uplinks);
    found(&fixture, kernel, n_kernel);
    assert_int_equal(steps_do(&fixture, kernel, &n_kernel), 3);
    found(&fixture, kernel, n_kernel);
    assert_int_equal(steps_do(&fixture, kernel, &n_kernel), 0);

    rules_release(fixture.rules, "up1");
    rules_release(fixture.rules, "up2");
    assert_int_equal(steps_do(&fixture, kernel, &n_kernel), 5);
    assert_int_equal(n_kernel, 0);
    tear_down(&fixture);
}

/* What was left is known again by its number, though the order is another. */
static void test_adopt(void **state)
{
    struct fixture fixture;
    struct rtnl_event kernel[64];
    size_t n_kernel = 0;

    set_up(&fixture);
    assert_int_equal(rules_number(fixture.rules, "gone"), 1);
    assert_int_equal(rules_number(fixture.rules, "up2"), 2);
    assert_int_equal(rules_number(fixture.rules, "up1"), 3);
    assert_int_equal(steps_do(&fixture, kernel, &n_kernel), 8);
    tear_down(&fixture);

    set_up(&fixture);
    found(&fixture, kernel, n_kernel);
    rules_adopt(fixture.rules, fixture.uplinks);
    assert_int_equal(rules_number(fixture.rules, "up1"), 3);
    assert_int_equal(rules_number(fixture.rules, "up2"), 2);
    assert_int_equal(rules_number(fixture.rules, "new"), 1);
    assert_string_equal(rules_interface(fixture.rules, 3), "up1");
    assert_null(rules_interface(fixture.rules, 4));
    assert_null(rules_interface(fixture.rules, 0));
    assert_int_equal(steps_do(&fixture, kernel, &n_kernel), 0);
    tear_down(&fixture);
}

/* What others have is never deleted, and is told. */
static void test_others(void **state)
{
    struct rtnl_event others[] = {
        event(RTNL_RULE, 4, 0), event(RTNL_RULE, 4, 0),  event(RTNL_RULE, 6, 0),
        event(RTNL_RULE, 4, 0), event(RTNL_ROUTE, 4, 0), event(RTNL_ROUTE, 4, 0),
    };
    const char *const words[] = {"rule 2001 of somebody else uses fwmark 0x1000000/0xff000000",
                                 "IPv6 rule 901 of somebody else has the priority",
                                 "rule 1000 of somebody else leads to table 7003",
                                 "table 7001 has an IPv4 route of somebody else"};
    struct fixture fixture;
    char text[256];
    size_t n_steps, at = 0;

    others[0].mark = 0x100, others[0].mask = 0x3f00, others[0].priority = 2000;
    others[1].mark = 0x1000000, others[1].mask = 0xff000000, others[1].priority = 2001;
    others[2].priority = 901, others[2].table = RT_TABLE_MAIN;
    others[3].priority = 1000, others[3].table = 7003;
    others[4].table = 7001, others[4].protocol = RTPROT_STATIC;
    others[5].table = 100;
    set_up(&fixture);
    found(&fixture, others, 6);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(rules_clash(fixture.rules, &at, text, sizeof(text)));
        if (!strstr(text, words[i]))
            fail_msg("'%s' does not have '%s'", text, words[i]);
    }
    assert_false(rules_clash(fixture.rules, &at, text, sizeof(text)));
    assert_int_equal(rules_number(fixture.rules, "up1"), 2); /* not table 7001 */
    assert_non_null(rules_plan(fixture.rules, fixture.uplinks, &n_steps));
    assert_int_equal(n_steps, 6);
    tear_down(&fixture);
}

static void test_settings(void **state)
{
    const struct rules_settings bad[] = {{0, 7000, 900, 177},
                                         {0x5000, 7000, 900, 177},
                                         {0xff, 255, 900, 177},
                                         {0xff, UINT32_MAX, 900, 177},
                                         {0xff, 7000, 0, 177},
                                         {0xff, 7000, 32765, 177},
                                         {0xff, 7000, 900, RTPROT_STATIC}};
    const char *const words[] = {"mark mask 0x0:",
                                 "mark mask 0x5000:",
                                 "routing table 255:",
                                 "routing table 4294967295:",
                                 "rule priority 0:",
                                 "rule priority 32765:",
                                 "routing protocol number 4:"};
    struct rules_settings all = {UINT32_MAX, 7000, 900, 177}, one = {1, 7000, 900, 177};
    struct rules *rules;
    char error[256], name[IFNAMSIZ];

    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(rules_new(&bad[i], &rules, error, sizeof(error)), -EINVAL);
        assert_ptr_equal(strstr(error, words[i]), error);
    }
    assert_int_equal(rules_new(&one, &rules, error, sizeof(error)), 0);
    assert_int_equal(rules_number(rules, "a"), 1);
    assert_int_equal(rules_mark(rules, 1), 1);
    assert_int_equal(rules_number(rules, "b"), 0);
    rules_free(rules);
    assert_int_equal(rules_new(&all, &rules, error, sizeof(error)), 0);
    for (unsigned i = 1; i <= RULES_NUMBERS_MAX; i++) {
        snprintf(name, sizeof(name), "if%u", i);
        assert_int_equal(rules_number(rules, name), i);
    }
    assert_int_equal(rules_number(rules, "more"), 0);
    rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
