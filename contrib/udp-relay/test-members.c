/* SPDX-License-Identifier: Apache-2.0 */
/* The list of members: what a line may be, and what a list does to registrations and sessions. */
#include "relay-lab.h"

static bool allows(const struct members *members, const char *ip, const char *id)
{
    struct endpoint from;

    assert_int_equal(ip_parse(ip, &from), 0);
    from.port = 7;
    return members_allow(members, &from, id, strlen(id));
}

static struct members *parse(const char *text)
{
    return members_parse(text, strlen(text));
}

static void a_line_is_an_address_a_cidr_or_an_id(void **state)
{
    struct members *members = parse("# who may\n"
                                    "\n"
                                    "192.0.2.7\n"
                                    "  198.51.100.0/24   # the office\r\n"
                                    "2001:db8::1\n"
                                    "2001:db8:1::/48\n"
                                    "id:exact\n"
                                    "id: node-*\n"
                                    "id:a#b\n");

    assert_int_equal(members_bad(members), 0);
    assert_int_equal(members_entries(members), 7);
    assert_true(allows(members, "192.0.2.7", "x"));
    assert_false(allows(members, "192.0.2.8", "x"));
    assert_true(allows(members, "198.51.100.0", "x"));
    assert_true(allows(members, "198.51.100.255", "x"));
    assert_false(allows(members, "198.51.101.0", "x"));
    assert_true(allows(members, "2001:db8::1", "x"));
    assert_false(allows(members, "2001:db8::2", "x"));
    assert_true(allows(members, "2001:db8:1:ffff::9", "x"));
    assert_false(allows(members, "2001:db8:2::9", "x"));
    assert_true(allows(members, "203.0.113.1", "exact"));
    assert_false(allows(members, "203.0.113.1", "exact "));
    assert_false(allows(members, "203.0.113.1", "exac"));
    assert_true(allows(members, "203.0.113.1", "node-"));
    assert_true(allows(members, "203.0.113.1", "node-7"));
    assert_false(allows(members, "203.0.113.1", "Node-7"));
    assert_true(allows(members, "203.0.113.1", "a#b"));
    members_free(members);
}

static void each_family_has_its_own_everything(void **state)
{
    struct members *v4 = parse("0.0.0.0/0"), *v6 = parse("::/0"), *mapped = parse("::ffff:0:0/96");

    assert_true(allows(v4, "192.0.2.1", "x"));
    assert_false(allows(v4, "2001:db8::1", "x"));
    assert_false(allows(v6, "192.0.2.1", "x"));
    assert_true(allows(v6, "2001:db8::1", "x"));
    assert_true(allows(mapped, "192.0.2.1", "x"));
    assert_false(allows(mapped, "2001:db8::1", "x"));
    members_free(v4);
    members_free(v6);
    members_free(mapped);
}

static void a_bad_line_opens_nothing_and_is_told(void **state)
{
    static const char *const bad[] = {
        "300.1.1.1",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/8x",
        "2001:db8::/129",
        "10.1.2.3/8",
        "::1/0",
        "id:",
        "id:   ",
        "host.example",
        "10.0.0",
        "10.0.0.1:4433",
        "allow all",
        "*",
        "ID:x",
        "id",
        "10.0.0.1 10.0.0.2",
        "/0",
        "0/0",
        "fe80::1%eth0",
    };
    const struct members_fault *faults;
    char text[2048];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct members *members;

        snprintf(text, sizeof(text), "# a list\n%s\nid:good\n", bad[i]);
        members = parse(text);
        assert_int_equal(members_bad(members), 1);
        assert_int_equal(members_entries(members), 1);
        assert_int_equal(members_faults(members, &faults), 1);
        assert_int_equal(faults[0].line, 2);
        assert_string_equal(faults[0].text, bad[i]);
        assert_non_null(faults[0].why);
        assert_false(allows(members, "10.0.0.1", "x"));
        assert_false(allows(members, "::2", "x"));
        assert_true(allows(members, "10.0.0.1", "good"));
        members_free(members);
    }
}

static void what_is_too_much_is_bad(void **state)
{
    char *text = calloc(1, 64 * 1024), *at = text;
    struct members *members;
    const struct members_fault *faults;

    for (unsigned i = 0; i < MEMBERS_GLOBS_MAX + 20; i++)
        at += sprintf(at, "id:glob%u*\n", i);
    members = parse(text);
    assert_int_equal(members_entries(members), MEMBERS_GLOBS_MAX);
    assert_int_equal(members_bad(members), 20);
    assert_int_equal(members_faults(members, &faults), MEMBERS_FAULTS_MAX);
    members_free(members);
    memset(text, 'x', 600);
    memcpy(text, "id:", 3);
    strcpy(text + 600, "\nid:*");
    memset(text + 605, '?', 300);
    text[905] = '\0';
    members = parse(text);
    assert_int_equal(members_entries(members), 0);
    assert_int_equal(members_bad(members), 2);
    members_free(members);
    members = members_parse("id:x\0y*\n10.0.0.1\n", 17);
    assert_int_equal(members_entries(members), 1);
    assert_int_equal(members_bad(members), 1);
    members_free(members);
    free(text);
}

static void a_name_with_a_nul_inside_is_not_taken_for_another(void **state)
{
    struct members *members = parse("id:good*\nid:exact\n");
    struct endpoint from;

    assert_int_equal(ip_parse("10.0.0.1", &from), 0);
    assert_true(members_allow(members, &from, "good", 4));
    assert_false(members_allow(members, &from, "good\0bad", 8));
    assert_false(members_allow(members, &from, "exact\0bad", 9));
    members_free(members);
}

static void a_text_that_was_cut_off_is_known(void **state)
{
    static const struct {
        const char *text;
        bool cut;
    } rows[] = {
        {"", false},
        {"10.0.0.1\n", false},
        {"10.0.0.1", false},
        {"10.0.0.1\n192.16", true},
        {"10.0.0.1\n# comm", false},
        {"10.0.0.1\nid", true},
        {"10.0.0.1\nbad\n", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct members *members = parse(rows[i].text);

        assert_int_equal(members_cut(members), rows[i].cut);
        members_free(members);
    }
}

/* As many as fit, compared with what a simple look at each would say. */
static void many_entries_are_found(void **state)
{
    char *text = malloc(1 << 20), *at = text;
    struct members *members;
    char ip[32];

    for (unsigned i = 0; i < 30000; i += 3)
        at += sprintf(at, "10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);
    members = parse(text);
    assert_int_equal(members_entries(members), 10000);
    for (unsigned i = 0; i < 30010; i++) {
        snprintf(ip, sizeof(ip), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        assert_int_equal(allows(members, ip, "x"), i < 30000 && i % 3 == 0);
    }
    members_free(members);
    free(text);
}

/* ---- what a list does ---- */

static void all_may_until_there_is_a_list_and_members_only_from_then_on(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_open(&lab, "a:1", "b:2", "x");
    lab_list(&lab, "10.0.0.99\nid:open-*\n"); /* c */
    assert_string_equal(lab_reg(&lab, "d:1", "y"), "ERR:denied");
    assert_string_equal(lab_reg(&lab, "c:1", "y"), "ACK");
    assert_string_equal(lab_reg(&lab, "d:1", "y"), "ERR:denied");
    assert_string_equal(lab_reg(&lab, "d:1", "open-1"), "ACK");
    assert_string_equal(lab_reg(&lab, "d:2", "x"), "ERR:denied"); /* no word of that it is full */
    lab_stop(&lab);
}

static void who_left_the_list_goes_on_in_its_running_session_from_a_new_port_too(void **state)
{
    struct lab lab;

    lab_start(&lab, NULL);
    lab_list(&lab, "10.0.0.0/24\n");
    lab_open(&lab, "a:1", "b:2", "x");
    lab_list(&lab, "192.0.2.1\n");
    assert_string_equal(lab_say(&lab, "a:1", "we go on"), "-> b:2");
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    lab_wait(&lab, 2);
    assert_string_equal(lab_reg(&lab, "a:9", "x"), "ACK");
    assert_string_equal(lab_say(&lab, "b:2", "there"), "-> a:9");
    lab_wait(&lab, 2);
    assert_string_equal(lab_say(&lab, "b:7", "by data too"), "-> a:9");
    assert_string_equal(lab_reg(&lab, "a:5", "new"), "ERR:denied");
    lab_stop(&lab);
}

static void a_registration_without_a_peer_is_no_running_session(void **state)
{
    struct relay_event event;
    struct lab lab;

    lab_start(&lab, NULL);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ACK");
    assert_string_equal(lab_reg(&lab, "b:1", "y"), "ACK");
    assert_string_equal(lab_reg(&lab, "c:1", "z"), "ACK");
    lab_list(&lab, "id:y\n10.0.0.100\n");                  /* d */
    assert_string_equal(lab_reg(&lab, "d:1", "x"), "ACK"); /* is not given a's company */
    assert_int_equal(relay_circuits(lab.relay), 0);
    lab_wait(&lab, 1);
    assert_int_equal(relay_pending(lab.relay), 2); /* d and b */
    assert_true(lab_event(&lab, RELAY_ENDED, &event));
    assert_int_equal(event.reason, RELAY_REASON_DENIED);
    assert_string_equal(lab_reg(&lab, "a:1", "x"), "ERR:denied");
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_an_address_a_cidr_or_an_id),
        cmocka_unit_test(each_family_has_its_own_everything),
        cmocka_unit_test(a_bad_line_opens_nothing_and_is_told),
        cmocka_unit_test(what_is_too_much_is_bad),
        cmocka_unit_test(a_name_with_a_nul_inside_is_not_taken_for_another),
        cmocka_unit_test(a_text_that_was_cut_off_is_known),
        cmocka_unit_test(many_entries_are_found),
        cmocka_unit_test(all_may_until_there_is_a_list_and_members_only_from_then_on),
        cmocka_unit_test(who_left_the_list_goes_on_in_its_running_session_from_a_new_port_too),
        cmocka_unit_test(a_registration_without_a_peer_is_no_running_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
