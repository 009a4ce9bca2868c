/* SPDX-License-Identifier: Apache-2.0 */
#include "machines.h"

#include <string.h>

#include "../util/format.h"
#include "../util/util.h"
#include "history.h"

#define ID_SHOWN 8

struct machines {
    json_t *runs;  /* run → {"machine", "unit"} */
    json_t *hosts; /* machine → its host's name, the first that it had; "": none */
    json_t *units, *names;
    bool named; /* these two are as of all that was noted */
};

struct machines *machines_new(void)
{
    struct machines *machines = memory_new(1, sizeof(*machines));

    machines->runs = json_object();
    machines->hosts = json_object();
    machines->units = json_object();
    machines->names = json_object();
    return machines;
}

struct machines *machines_free(struct machines *machines)
{
    if (!machines)
        return NULL;
    json_decref(machines->runs);
    json_decref(machines->hosts);
    json_decref(machines->units);
    json_decref(machines->names);
    free(machines);
    return NULL;
}

/* Host's name → how many machines have it. */
static json_t *hosts_counted(const json_t *hosts)
{
    json_t *counts = json_object(), *host;
    const char *machine;

    json_object_foreach((json_t *)hosts, machine, host)
    {
        const char *name = json_string_value(host);

        json_object_set_new(counts, name,
                            json_integer((json_int_t)record_number(counts, name) + 1));
    }
    return counts;
}

static json_t *name_of(const char *machine, const char *host, const json_t *counts)
{
    if (!*host && !*machine)
        return json_string("unknown machine");
    if (!*host)
        return json_sprintf("machine %.*s", ID_SHOWN, machine);
    if (record_number(counts, host) > 1)
        return json_sprintf("%s (%.*s)", host, ID_SHOWN, *machine ? machine : "no id");
    return json_string(host);
}

/* A machine more changes the names of others, so they are made when they are asked for. */
static void name_all(struct machines *machines)
{
    bool several = json_object_size(machines->hosts) > 1;
    json_t *counts, *whose;
    const char *run;

    if (machines->named)
        return;
    machines->named = true;
    counts = hosts_counted(machines->hosts);
    json_object_foreach(machines->runs, run, whose)
    {
        const char *unit = record_word(whose, "unit"), *machine = record_word(whose, "machine");
        json_t *name = name_of(machine, record_word(machines->hosts, machine), counts);

        json_object_set_new(machines->names, run, name);
        if (several)
            json_object_set_new(
                machines->units, run,
                json_sprintf("%s on %s", *unit ? unit : "pathdog", json_string_value(name)));
        else if (*unit)
            json_object_set_new(machines->units, run, json_string(unit));
    }
    json_decref(counts);
}

static bool is_id(const char *text)
{
    return strlen(text) == 32 && strspn(text, "0123456789abcdef") == 32;
}

void machines_note(struct machines *machines, const char *run, const char *machine,
                   const char *host, const char *unit)
{
    const char *id = machine && is_id(machine) ? machine : "";

    if (!run || json_object_get(machines->runs, run))
        return;
    json_object_set_new(machines->runs, run,
                        json_pack("{s:s,s:s}", "machine", id, "unit", unit ? unit : ""));
    if (!*record_word(machines->hosts, id))
        json_object_set_new(machines->hosts, id, json_string(host ? host : ""));
    machines->named = false;
}

const json_t *machines_units(struct machines *machines)
{
    name_all(machines);
    return machines->units;
}

const json_t *machines_names(struct machines *machines)
{
    name_all(machines);
    return machines->names;
}
