/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's answers: JSON that a parser reads, and metrics by the letter of
 * OpenMetrics 1.0. */
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#define FAMILIES_MOST 64

static struct report report_of(const struct options *options, const struct control_members *members)
{
    struct report report = {.version = "1.2.3",
                            .options = options,
                            .members = members,
                            .workers = 2,
                            .now_us = 7000000,
                            .started_us = 2000000,
                            .started_epoch = 1700000000,
                            .circuits = 12,
                            .pending = 3,
                            .memory_bytes = 4096,
                            .sockets = {.received_datagrams = 77, .send_errors = 5}};

    for (size_t i = 0; i < RELAY_COUNTS; i++)
        report.counts[i] = 100 + i;
    report.address.port = 4433;
    return report;
}

static json_t *status_of(const struct report *report)
{
    struct buffer out = {0};
    json_t *root;

    report_status(&out, report);
    root = json_loadb(buffer_bytes(&out), out.length, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(root));
    assert_int_equal(buffer_bytes(&out)[out.length - 1], '\n');
    buffer_clear(&out);
    return root;
}

static json_int_t number(const json_t *root, const char *object, const char *name)
{
    const json_t *value = json_object_get(object ? json_object_get(root, object) : root, name);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void a_status_has_all_that_is_set_and_counted(void **state)
{
    const struct options options = {.relay = {.session_timeout_us = 300000000,
                                              .max_data_bytes = 5,
                                              .max_circuits = 64,
                                              .service = true,
                                              .rebind = RELAY_REBIND_REGISTER},
                                    .buffer_bytes = 65536};
    const struct control_members members = {
        .path = "/m\"1", .entries = 4, .bad = 1, .taken_us = 6000000, .fault = "line 3"};
    const struct report report = report_of(&options, &members);
    json_t *root = status_of(&report);

    assert_string_equal(json_string_value(json_object_get(root, "address")), "[::]:4433");
    assert_string_equal(json_string_value(json_object_get(root, "rebind")), "register");
    assert_int_equal(number(root, NULL, "uptime_ms"), 5000);
    assert_int_equal(number(root, NULL, "circuits"), 12);
    assert_int_equal(number(root, "limits", "session_timeout_ms"), 300000);
    assert_int_equal(number(root, "limits", "max_data_bytes"), 5);
    assert_true(json_is_null(
        json_object_get(json_object_get(root, "limits"), "max_duration_ms"))); /* 0: none */
    assert_int_equal(number(root, "members", "taken_ms_ago"), 1000);
    assert_true(json_is_false(json_object_get(json_object_get(root, "members"), "open")));
    for (size_t i = 0; i < RELAY_COUNTS; i++)
        assert_int_equal(number(root, "counters", relay_count_name((enum relay_count)i)), 100 + i);
    assert_int_equal(number(root, "sockets", "send_errors"), 5);
    json_decref(root);
}

static void without_a_list_all_may_register(void **state)
{
    const struct options options = {0};
    const struct control_members members = {0};
    const struct report report = report_of(&options, &members);
    json_t *root = status_of(&report), *part = json_object_get(root, "members");

    assert_true(json_is_true(json_object_get(part, "open")));
    assert_true(json_is_null(json_object_get(part, "path")));
    assert_true(json_is_null(json_object_get(part, "taken_ms_ago")));
    assert_true(json_is_null(json_object_get(part, "fault")));
    json_decref(root);
}

static void a_session_has_any_id_and_what_is_left(void **state)
{
    struct relay_session_view view = {
        .registered_us = 1000000,
        .opened_us = 2000000,
        .active_us = 6500000,
        .ends_us = 9000000,
        .left_us = UINT64_MAX,
        .n_members = 2,
        .member = {{.bytes = 10, .left_bytes = UINT64_MAX}, {.left_bytes = 0, .ended = true}},
        .id_size = 6,
        .id = "a\"\0\n\xc3\xa4",
    };
    struct buffer out = {0};
    json_t *root, *id, *members;

    report_session(&out, &view, 7000000);
    root =
        json_loadb(buffer_bytes(&out), out.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    id = json_object_get(root, "id");
    members = json_object_get(root, "members");
    assert_int_equal(json_string_length(id), 6);
    assert_memory_equal(json_string_value(id), view.id, 6);
    assert_int_equal(number(root, NULL, "idle_ms"), 500);
    assert_int_equal(number(root, NULL, "ends_in_ms"), 2000);
    assert_true(json_is_null(json_object_get(root, "left_ms")));
    assert_int_equal(json_array_size(members), 2);
    assert_true(json_is_null(json_object_get(json_array_get(members, 0), "left_bytes")));
    assert_int_equal(number(json_array_get(members, 1), NULL, "left_bytes"), 0);
    assert_true(json_is_true(json_object_get(json_array_get(members, 1), "ended")));
    json_decref(root);
    buffer_clear(&out);

    view.opened_us = 0;
    view.n_members = 1;
    report_session(&out, &view, 7000000);
    root =
        json_loadb(buffer_bytes(&out), out.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_true(json_is_null(json_object_get(root, "opened_ms_ago")));
    assert_int_equal(json_array_size(json_object_get(root, "members")), 1);
    json_decref(root);
    buffer_clear(&out);
}

/* What is expected next: the lines of a metric family stand together, TYPE first, each name once; a
 * counter's sample ends in _total, an info's in _info; a unit ends the name; numbers are digits. */
static void check_line(char families[FAMILIES_MOST][64], size_t *n_families, char *type,
                       const char *line)
{
    char name[64], word[32], label[64] = "";
    unsigned long long value;
    const char *family = *n_families ? families[*n_families - 1] : "";
    int end = 0;

    if (sscanf(line, "# TYPE %63s %31s%n", name, word, &end) == 2 && !line[end]) {
        for (size_t i = 0; i < *n_families; i++)
            assert_string_not_equal(families[i], name);
        assert_true(!strcmp(word, "counter") || !strcmp(word, "gauge") || !strcmp(word, "info"));
        assert_true(!strncmp(name, "udp_relay_", 10) && *n_families < FAMILIES_MOST);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        strcpy(families[(*n_families)++], name);
        strcpy(type, word);
        return;
    }
    if (sscanf(line, "# UNIT %63s %31s%n", name, word, &end) == 2 && !line[end]) {
        assert_string_equal(name, family);
        assert_true(strlen(name) > strlen(word) &&
                    !strcmp(name + strlen(name) - strlen(word), word));
        return;
    }
    if (sscanf(line, "# HELP %63s %31s", name, word) == 2) {
        assert_string_equal(name, family);
        return;
    }
    if (sscanf(line, "%63[a-z0-9_]{%63[a-z_]=\"%*[^\"\\]\"} %llu%n", name, label, &value, &end) !=
            3 ||
        line[end])
        assert_int_equal(sscanf(line, "%63[a-z0-9_] %llu%n", name, &value, &end), 2);
    assert_int_equal(line[end], '\0');
    assert_true(!strncmp(name, family, strlen(family)));
    assert_string_equal(name + strlen(family), !strcmp(type, "counter") ? "_total"
                                               : !strcmp(type, "info")  ? "_info"
                                                                        : "");
}

static void metrics_are_openmetrics(void **state)
{
    const struct options options = {.relay.max_circuits = 64};
    const struct control_members members = {.entries = 4, .bad = 1};
    const struct report report = report_of(&options, &members);
    char families[FAMILIES_MOST][64], type[32] = "", *save = NULL, *text, wanted[96];
    struct buffer out = {0};
    size_t n_families = 0, n_lines = 0;

    report_metrics(&out, &report);
    buffer_append(&out, "", 1);
    text = strdup(buffer_bytes(&out));
    assert_non_null(text);
    assert_true(strlen(text) > 6 && !strcmp(text + strlen(text) - 6, "# EOF\n"));
    text[strlen(text) - 6] = '\0';
    assert_null(strstr(text, "# EOF"));
    assert_null(strstr(text, "\n\n"));
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        check_line(families, &n_families, type, line);
        n_lines++;
    }
    assert_true(n_lines > RELAY_COUNTS);
    free(text);
    text = strdup(buffer_bytes(&out));
    snprintf(wanted, sizeof(wanted), "\nudp_relay_refused_total{reason=\"full\"} %d\n",
             100 + RELAY_COUNT_REFUSED_FULL);
    assert_non_null(strstr(text, wanted));
    snprintf(wanted, sizeof(wanted), "\nudp_relay_forwarded_bytes_total %d\n",
             100 + RELAY_COUNT_FORWARDED_BYTES);
    assert_non_null(strstr(text, wanted));
    assert_non_null(strstr(text, "\nudp_relay_circuits 12\n"));
    assert_non_null(strstr(text, "\nudp_relay_build_info{version=\"1.2.3\"} 1\n"));
    free(text);
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_has_all_that_is_set_and_counted),
        cmocka_unit_test(without_a_list_all_may_register),
        cmocka_unit_test(a_session_has_any_id_and_what_is_left),
        cmocka_unit_test(metrics_are_openmetrics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
