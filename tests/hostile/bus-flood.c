/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another user of the bus: bus-flood ADDRESS TO PATH BYTES. Sends signals of that size to TO alone,
 * as NetworkManager would send them of its device PATH, or as logind would where PATH is that of
 * its manager, as fast as the bus takes them, until standard input ends; then prints how many it
 * were.
 */
#include <poll.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "util/util.h"

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "bus-flood: cannot %s: %s\n", what, strerrordesc_np(-r));
    exit(1);
}

static void send_one(sd_bus *bus, char **words, const char *padding)
{
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    bool login = !strcmp(words[3], "/org/freedesktop/login1");

    must(sd_bus_message_new_signal(bus, &message, words[3],
                                   login ? "org.freedesktop.login1.Manager"
                                         : "org.freedesktop.DBus.Properties",
                                   login ? "PrepareForSleep" : "PropertiesChanged"),
         "make a signal");
    must(sd_bus_message_set_destination(message, words[2]), "say to whom");
    must(login ? sd_bus_message_append(message, "bs", 0, padding)
               : sd_bus_message_append(message, "sa{sv}as", "org.freedesktop.NetworkManager.Device",
                                       2, "Padding", "s", padding, "Metered", "u", 1, 0),
         "fill it");
    must(sd_bus_send(bus, message, NULL), "send it");
    must(sd_bus_flush(bus), "send it");
}

static bool goes_on(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&input, 1, 0) == 0;
}

int main(int argc, char **argv)
{
    unsigned long n_bytes = argc == 5 ? strtoul(argv[4], NULL, 10) : 0, n_sent = 0;
    char *padding = memory_new(n_bytes + 1, 1);
    sd_bus *bus;

    if (argc != 5)
        return 2;
    memset(padding, 'x', n_bytes);
    must(sd_bus_new(&bus), "make a bus");
    must(sd_bus_set_address(bus, argv[1]), "set the address");
    must(sd_bus_set_bus_client(bus, true), "be a client");
    must(sd_bus_start(bus), "connect");
    puts("done");
    fflush(stdout);
    for (; goes_on(); n_sent++) {
        send_one(bus, argv, padding);
        while (sd_bus_process(bus, NULL) > 0) /* what the bus has to say of it */
            ;
    }
    printf("%lu\n", n_sent);
    sd_bus_flush_close_unref(bus);
    free(padding);
    return 0;
}
