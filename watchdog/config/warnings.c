/* SPDX-License-Identifier: Apache-2.0 */
/* What is allowed and makes no sense: said by --check, refused by nothing. */
#include "../util/format.h"
#include "settings.h"

static bool is_set(const struct config *config, const char *key)
{
    for (size_t i = 0; i < n_settings; i++)
        if (!strcmp(settings[i].option.name, key))
            return config->origins[i].file != NULL;
    return false;
}

static void warn_of_uplinks(FILE *out, const struct config *config)
{
    const struct config_uplink *first = config->uplinks;
    size_t n_metered = 0;

    for (size_t i = 0; i < config->n_uplinks; i++)
        n_metered += config->uplinks[i].class == UPLINK_METERED;
    if (config->n_uplinks == 1)
        fprintf(out,
                "%s:%u: [uplink:%s]: is the only uplink, so there is no other one to choose: write "
                "a section for each, or none, and they are learned\n",
                first->section.file, first->section.line, first->name);
    else if (n_metered && n_metered == config->n_uplinks)
        fprintf(out,
                "%s:%u: [uplink:%s]: all uplinks have the class metered, so none is chosen for a "
                "connection whose own is slow, and none is preferred: write class = primary for "
                "those that are to be used first\n",
                first->section.file, first->section.line, first->name);
}

char *config_warnings(const struct config *config)
{
    char *text = NULL;
    size_t size;
    FILE *out = memory_check(open_memstream(&text, &size));

    warn_of_uplinks(out, config);
    if (!config->engine.choose && is_set(config, "return")) {
        CLEANUP_FREE char *place = config_place(config, "return");

        fprintf(out,
                "%s: has no effect with choose = no: pathdog moves no connection off its uplink by "
                "itself, so there is nothing to go back to\n",
                place);
    }
    if (fclose(out))
        memory_out();
    return text;
}
