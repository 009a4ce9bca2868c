/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A NetworkManager for the end-to-end tests: network-manager ADDRESS. Reads "add NAME VALUE",
 * "set NAME VALUE" and "remove NAME" from standard input, does it, and prints "done"; with "who" it
 * prints who asked for the devices last.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../unit/fake-nm.h"
#include "util/util.h"

static void obey(struct fake_nm *nm, const char *line)
{
    char name[16];
    unsigned value;

    if (sscanf(line, "add %15s %u", name, &value) == 2)
        fake_nm_add(nm, name, name, value);
    else if (sscanf(line, "set %15s %u", name, &value) == 2)
        fake_nm_set(nm, name, value);
    else if (sscanf(line, "remove %15s", name) == 1)
        fake_nm_remove(nm, name);
    else if (strcmp(line, "who\n") != 0)
        abort();
    puts(line[0] != 'w' ? "done" : nm->asked_from ? nm->asked_from : "nobody");
}

/* One line each, as the test writes them. */
static int on_input(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct fake_nm *nm = user;
    char text[256];
    ssize_t length = read(fd, text, sizeof(text) - 1);

    (void)events;
    if (length <= 0)
        return sd_event_exit(sd_event_source_get_event(source), 0);
    text[length] = '\0';
    obey(nm, text);
    return 0;
}

int main(int argc, char **argv)
{
    sd_event *loop;
    struct fake_nm *nm;

    if (argc != 2 || sd_event_new(&loop) < 0)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    nm = fake_nm_new(loop, argv[1]);
    if (sd_event_add_io(loop, NULL, STDIN_FILENO, EPOLLIN, on_input, nm) < 0)
        return 1;
    puts("done");
    if (sd_event_loop(loop) < 0)
        return 1;
    fake_nm_free(nm);
    sd_event_unref(loop);
    return 0;
}
