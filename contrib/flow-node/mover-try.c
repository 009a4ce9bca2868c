/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mover by hand, for tests: commands from standard input, one a line; what happens to standard
 * output.
 *
 *   set udp:192.0.2.7:443#192.0.2.1:57126 wlan0    "-" for the host's routes
 *   many 10000 4 wlan0        that many flows from 198.18.0.0/15 or 2001:db8::/64
 *   from udp:192.0.2.7:443#192.0.2.1:20000 10000 wlan0     from that many ports, beginning there
 *   commit | each | uplinks | leave | quit
 *
 * At the end of the input and by "quit" the mover takes everything away; by "leave" it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mover.h"
#include "util/clock.h"

static void tell_lost(void *user, const struct flow_tuple *flow, const char *interface)
{
    char text[TUPLE_TEXT_SIZE];

    printf("lost %s %s\n", tuple_text_full(text, flow), interface);
}

static void print_uplink(const char *word, const struct uplink *uplink, bool there)
{
    char address[INET6_ADDRSTRLEN], gateway[INET6_ADDRSTRLEN] = "-";

    inet_ntop(uplink->family == 4 ? AF_INET : AF_INET6, uplink->address, address, sizeof(address));
    if (uplink->gateway_family)
        inet_ntop(uplink->gateway_family == 4 ? AF_INET : AF_INET6, uplink->gateway, gateway,
                  sizeof(gateway));
    printf("%s %s %u %s %s %s\n", word, uplink->name, (unsigned)uplink->family,
           there ? "there" : "gone", address, gateway);
}

static void tell_uplink(void *user, const struct uplink *uplink, bool there)
{
    print_uplink("uplink", uplink, there);
}

static void tell_notice(void *user, const char *text)
{
    printf("notice %s\n", text);
}

static void tell_flow(void *user, const struct flow_tuple *flow, const char *interface)
{
    char text[TUPLE_TEXT_SIZE];

    printf("flow %s %s\n", tuple_text_full(text, flow), interface);
}

static void done(const char *what, int r)
{
    if (r < 0)
        printf("error %s: %s\n", what, strerror(-r));
}

static void many(struct mover *mover, unsigned count, unsigned family, const char *interface)
{
    struct flow_tuple flow = {.family = (uint8_t)family, .protocol = IPPROTO_UDP, .dport = 443};

    inet_pton(family == 4 ? AF_INET : AF_INET6, family == 4 ? "192.0.2.7" : "2001:db8:7::7",
              flow.daddr);
    inet_pton(family == 4 ? AF_INET : AF_INET6,
              family == 4 ? "198.18.0.0" : "2001:db8::", flow.saddr);
    for (unsigned i = 0; i < count; i++) {
        flow.sport = (uint16_t)(1024 + i % 60000);
        flow.saddr[family == 4 ? 3 : 15] = (uint8_t)(1 + i / 60000);
        done("set", mover_set(mover, &flow, interface));
    }
}

static void from(struct mover *mover, const char *first, unsigned count, const char *interface)
{
    struct flow_tuple flow;
    int r = tuple_parse(first, &flow);

    for (unsigned i = 0; r >= 0 && i < count; i++, flow.sport++)
        r = mover_set(mover, &flow, interface);
    done("from", r);
}

static void commit(struct mover *mover)
{
    char error[256] = "";
    uint64_t from = clock_us(CLOCK_MONOTONIC);

    if (mover_commit(mover, error, sizeof(error)) < 0)
        printf("error commit: %s\n", error);
    else
        printf("committed count=%zu us=%llu\n", mover_count(mover),
               (unsigned long long)(clock_us(CLOCK_MONOTONIC) - from));
}

static void uplinks(struct mover *mover)
{
    size_t n_uplinks;
    const struct uplink *list = mover_uplinks(mover, &n_uplinks);

    for (size_t i = 0; i < n_uplinks; i++)
        print_uplink("has", &list[i], true);
    printf("end %zu\n", n_uplinks);
}

static bool command(struct mover *mover, const char *line)
{
    char word[TUPLE_TEXT_SIZE], interface[64];
    struct flow_tuple flow;
    unsigned count, family;

    if (sscanf(line, "set %111s %63s", word, interface) == 2)
        done("set", tuple_parse(word, &flow) < 0
                        ? -EINVAL
                        : mover_set(mover, &flow, strcmp(interface, "-") ? interface : NULL));
    else if (sscanf(line, "many %u %u %63s", &count, &family, interface) == 3)
        many(mover, count, family, strcmp(interface, "-") ? interface : NULL);
    else if (sscanf(line, "from %111s %u %63s", word, &count, interface) == 3)
        from(mover, word, count, strcmp(interface, "-") ? interface : NULL);
    else if (!strcmp(line, "commit\n"))
        commit(mover);
    else if (!strcmp(line, "each\n"))
        mover_each(mover, tell_flow, NULL), printf("end %zu\n", mover_count(mover));
    else if (!strcmp(line, "uplinks\n"))
        uplinks(mover);
    else if (!strcmp(line, "leave\n"))
        raise(SIGKILL);
    else if (!strcmp(line, "quit\n"))
        return false;
    else
        printf("error unknown command: %s", line);
    return true;
}

/* Lines as they come; false at the end. */
static bool input_read(struct mover *mover, char *line, size_t size, size_t *length)
{
    ssize_t n = read(STDIN_FILENO, line + *length, size - *length - 1);
    char *end;

    if (n <= 0)
        return false;
    *length += (size_t)n;
    line[*length] = '\0';
    while ((end = strchr(line, '\n'))) {
        char rest = end[1];

        end[1] = '\0';
        if (!command(mover, line))
            return false;
        end[1] = rest;
        *length -= (size_t)(end + 1 - line);
        memmove(line, end + 1, *length + 1);
    }
    return *length < size - 1;
}

int main(int argc, char **argv)
{
    static const struct mover_handlers handlers = {tell_lost, tell_uplink, tell_notice};
    struct mover_settings settings = {.table = MOVER_TABLE,
                                      .mark_mask = MOVER_MARK_MASK,
                                      .route_table = MOVER_ROUTE_TABLE,
                                      .rule_priority = MOVER_RULE_PRIORITY,
                                      .protocol = MOVER_PROTOCOL,
                                      .uplinks = (const char *const *)argv + 1,
                                      .n_uplinks = (size_t)argc - 1};
    struct mover *mover;
    char error[256], line[4096];
    size_t length = 0;
    int r = mover_new(&settings, &mover, error, sizeof(error));

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (r < 0) {
        printf("error %s\n", error);
        return 1;
    }
    printf("ready count=%zu\n", mover_count(mover));
    for (;;) {
        struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                 {.fd = mover_fd(mover), .events = POLLIN}};

        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            break;
        if (ready[1].revents)
            done("process", mover_process(mover, &handlers, NULL));
        if (ready[0].revents && !input_read(mover, line, sizeof(line), &length))
            break;
    }
    mover_free(mover);
    printf("left\n");
    return 0;
}
