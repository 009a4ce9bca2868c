/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A logind for the end-to-end tests: logind ADDRESS. Reads "before" and "after" from standard
 * input, sends its signal PrepareForSleep with that, and prints "done"; with "others" it prints who
 * else is on the bus.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define LOGIN "org.freedesktop.login1"

static void print_others(sd_bus *bus)
{
    const char *own = NULL;
    char **names = NULL;

    (void)sd_bus_get_unique_name(bus, &own);
    if (!own || sd_bus_list_names(bus, &names, NULL) < 0)
        return;
    for (char **name = names; *name; name++) {
        if (name[0][0] == ':' && strcmp(*name, own) != 0)
            printf("%s ", *name);
        free(*name);
    }
    free(names);
    puts("");
}

int main(int argc, char **argv)
{
    char line[32];
    sd_bus *bus;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 2 || sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, argv[1]) < 0 ||
        sd_bus_set_bus_client(bus, true) < 0 || sd_bus_start(bus) < 0 ||
        sd_bus_request_name(bus, LOGIN, 0) < 0)
        return 1;
    puts("done");
    while (fgets(line, sizeof(line), stdin)) {
        int sleeping = !strcmp(line, "before\n");

        if (!strcmp(line, "others\n")) {
            print_others(bus);
            continue;
        }
        if (!sleeping && strcmp(line, "after\n") != 0)
            return 2;
        if (sd_bus_emit_signal(bus, "/org/freedesktop/login1", LOGIN ".Manager", "PrepareForSleep",
                               "b", sleeping) < 0 ||
            sd_bus_flush(bus) < 0)
            return 1;
        puts("done");
    }
    sd_bus_flush_close_unref(bus);
    return 0;
}
