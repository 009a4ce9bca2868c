/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration of flow-node: all settings within their bounds, or one error. Where
 * there is a NUL, what stands behind it are flags, with a blank between them.
 */
#include "fuzz.h"

#include "options_private.h"
#include "parse.h"

#define FLAGS_MOST 32

static void check_words(const struct words *words)
{
    MUST(words->n <= WORDS_MOST);
    for (size_t i = 0; i < words->n; i++)
        MUST(words->at[i] && *words->at[i]);
}

static void check(const struct options *options)
{
    const struct flow_settings *flows = &options->flows;

    MUST(flows->limit >= 1 && flows->limit <= FLOW_LIMIT_MOST);
    MUST(flows->n_ports <= FLOW_PORTS_MOST);
    for (size_t i = 0; i < flows->n_ports; i++)
        MUST(flows->ports[i].first >= 1 && flows->ports[i].first <= flows->ports[i].last);
    MUST(flows->end_us >= 100000 && options->sample_us >= 10000);
    MUST(options->mark_mask && options->route_table && options->rule_priority);
    MUST(options->rule_priority < 32766 && options->log <= LOG_JOURNAL);
    MUST(options->table && *options->table && strlen(options->table) <= 32);
    check_words(&options->users);
    check_words(&options->units);
    check_words(&options->lan);
    check_words(&options->uplinks);
}

static void check_flags(char *text)
{
    static char name[] = "flow-node", *const environment[] = {NULL};
    char *argv[FLAGS_MOST + 1] = {name}, *warnings = NULL, *error = NULL, *save = NULL;
    enum options_wanted wanted;
    struct options options;
    int argc = 1;

    for (char *word = strtok_r(text, " ", &save); word && argc < FLAGS_MOST;
         word = strtok_r(NULL, " ", &save)) {
        /* no file of this machine is opened */
        if (strstr(word, "config"))
            continue;
        argv[argc++] = word;
    }
    if (options_read(argc, argv, environment, &options, &wanted, &warnings, &error) < 0) {
        MUST(error && *error);
    } else {
        MUST(!error);
        check(&options);
        MUST(wanted == OPTIONS_HELP || wanted == OPTIONS_VERSION || options.socket);
    }
    free(warnings);
    free(error);
    options_free(&options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
    size_t length = nul ? (size_t)(nul - data) : size;
    struct options options;
    char *error = NULL, *flags;

    settings_default(&options);
    if (options_text(&options, "fuzz", (const char *)data, length, &error) < 0)
        MUST(error && !strncmp(error, "fuzz:", 5));
    else
        MUST(!error);
    check(&options);
    free(error);
    options_free(&options);
    flags = nul ? strndup((const char *)nul + 1, size - length - 1) : NULL;
    if (flags)
        check_flags(flags);
    free(flags);
    return 0;
}
