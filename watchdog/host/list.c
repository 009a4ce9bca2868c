/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --list-triggers: each option with its type, default, what is allowed and its
 * help, as text for a person or as JSON for the manual's table.
 */
#include "list.h"

#include "../config/value.h"
#include "../util/buffer.h"
#include "../util/format.h"
#include "../util/printable.h"

static void put_json(FILE *out, const char *before, const char *text)
{
    struct buffer buffer = {0};

    if (text)
        buffer_json(&buffer, text, strlen(text));
    else
        buffer_text(&buffer, "null");
    fprintf(out, "%s%.*s", before, (int)buffer.length, buffer_bytes(&buffer));
    buffer_clear(&buffer);
}

void list_begin(bool json, FILE *out)
{
    if (json)
        fputs("[", out);
}

void list_end(bool json, FILE *out)
{
    if (json)
        fputs("\n]\n", out);
}

static void option_text(const struct pd_option *option, FILE *out)
{
    CLEANUP_FREE char *allowed = option_allowed(option);

    fprintf(out, "    %s = %s\n        %s (%s)\n", option->name,
            option->default_text ? option->default_text : "(not set)", option->help, allowed);
}

static void option_json(const struct pd_option *option, bool first, FILE *out)
{
    CLEANUP_FREE char *allowed = option_allowed(option);
    bool number = option->type < PD_OPTION_TEXT && option->type != PD_OPTION_BOOLEAN;

    put_json(out, first ? "\n   {\"name\":" : ",\n   {\"name\":", option->name);
    put_json(out, ",\"type\":", option_type_name(option->type));
    put_json(out, ",\"default\":", option->default_text);
    if (number)
        fprintf(out, ",\"min\":%llu", (unsigned long long)option->min);
    else
        fputs(",\"min\":null", out);
    if (number && option->max)
        fprintf(out, ",\"max\":%llu", (unsigned long long)option->max);
    else
        fputs(",\"max\":null", out);
    put_json(out, ",\"allowed\":", allowed);
    put_json(out, ",\"help\":", option->help);
    fputs("}", out);
}

void list_trigger(const struct pd_trigger *trigger, bool has_source, bool json, bool first,
                  FILE *out)
{
    if (json) {
        put_json(out, first ? "\n {\"name\":" : ",\n {\"name\":", trigger->name);
        put_json(out, ",\"summary\":", trigger->summary);
        fprintf(out, ",\"abi\":%u,\"source\":%s,\"options\":[", trigger->abi,
                has_source ? "true" : "false");
    } else {
        fprintf(out, "%s: %s\n", trigger->name, trigger->summary);
    }
    for (const struct pd_option *option = trigger->options; option && option->name; option++)
        if (json)
            option_json(option, option == trigger->options, out);
        else
            option_text(option, out);
    if (json)
        fputs("]}", out);
}

void list_refused(const char *name, const char *error, bool json, bool first, FILE *out)
{
    if (!json) {
        CLEANUP_FREE char *shown_name = text_shown(name), *shown_error = text_shown(error);

        fprintf(out, "%s: REFUSED: %s\n", shown_name, shown_error);
        return;
    }
    put_json(out, first ? "\n {\"name\":" : ",\n {\"name\":", name);
    put_json(out, ",\"error\":", error);
    fputs("}", out);
}
