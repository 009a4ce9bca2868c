/* SPDX-License-Identifier: Apache-2.0 */
/* Triggers to be configured, and texts that are read with them as the file t.conf. */
#include "config-lab.h"

#include <errno.h>

#include "util/format.h"

static const struct pd_option srtt_options[] = {
    {"threshold", PD_OPTION_TIME, "200ms", 1000, 60000000, "above is slow"},
    {"strikes", PD_OPTION_INTEGER, "2", 1, 100, "in a row"},
    {"recover", PD_OPTION_TIME, NULL, 1000, 60000000, "at or below clears"},
    {"share", PD_OPTION_FRACTION, "1/4", 1, 1000, "a part"},
    {"buffer", PD_OPTION_SIZE, "64K", 1024, 1 << 20, "bytes"},
    {"close", PD_OPTION_BOOLEAN, "yes", 0, 0, "a flag"},
    {"ignore", PD_OPTION_GLOBS, "docker* veth*", 0, 0, "globs"},
    {"command", PD_OPTION_TEXT, NULL, 0, 0, "a text"},
    {"socket", PD_OPTION_PATH, "/run/s", 0, 20, "a path"},
    {"group", PD_OPTION_GROUP, NULL, 0, 0, "a group"},
    {"mode", PD_OPTION_MODE, "0660", 0, 0, "a mode"},
    {NULL},
};

const struct pd_trigger srtt = {
    .abi = PD_TRIGGER_ABI, .size = sizeof(srtt), .name = "srtt", .options = srtt_options};
static const struct pd_trigger route = {
    .abi = PD_TRIGGER_ABI, .size = sizeof(route), .name = "route"};

static const struct pd_trigger *find(void *user, const char *directory, const char *name,
                                     char **ret_error)
{
    if (!strcmp(name, "srtt"))
        return &srtt;
    if (!strcmp(name, "route"))
        return &route;
    *ret_error = string_format("no trigger %s in %s", name, directory);
    errno = !strcmp(name, "short") ? EMFILE : ENOENT;
    return NULL;
}

const struct config_lookup lookup = {.find = find};

int parse(const char *text, struct config **ret_config, char **ret_error)
{
    return config_parse_text("t.conf", text, strlen(text), &lookup, ret_config, ret_error);
}

struct config *parse_good(const char *text)
{
    struct config *config = NULL;
    char *error = NULL;
    int r = parse(text, &config, &error);

    if (error)
        fail_msg("%s", error);
    assert_int_equal(r, 0);
    return config;
}

void refused(const char *text, const char *expected)
{
    struct config *config = NULL;
    char *error = NULL;

    assert_true(parse(text, &config, &error) < 0);
    assert_null(config);
    assert_string_equal(error, expected);
    free(error);
}
