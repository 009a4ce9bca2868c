/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a config: an object or one error. What was read, printed and
 * read again is the same.
 */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "trigger-table.h"
#include "util/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pd_trigger *find(void *user, const char *directory, const char *name,
                                     char **ret_error)
{
    for (size_t i = 0; trigger_table[i]; i++)
        if (!strcmp(trigger_table[i]->name, name))
            return trigger_table[i];
    *ret_error = string_format("no %s in %s", name, directory);
    return NULL;
}

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct config_lookup lookup = {.find = find};
    struct config *config = NULL, *again = NULL;
    char *error = NULL, *text, *text_again;

    if (config_parse_text("fuzz", (const char *)data, size, &lookup, &config, &error) < 0) {
        must(error && !config);
        free(error);
        return 0;
    }
    must(config && !error);
    free(config_text(config, CONFIG_ORIGINS));
    text = config_text(config, CONFIG_PLAIN);
    must(config_parse_text("again", text, strlen(text), &lookup, &again, &error) == 0);
    text_again = config_text(again, CONFIG_PLAIN);
    must(!strcmp(text, text_again));
    must(again->engine.n_instances == config->engine.n_instances);
    free(text);
    free(text_again);
    config_free(config);
    config_free(again);
    return 0;
}
